//! What the architecture promises of the source itself.

mod api;
mod guide;
mod modules;

use std::{fs, path::Path};

/// The source files under a path, with their text up to their tests.
fn sources(path: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    let mut found = Vec::new();
    let mut open = vec![path];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_string();
            found.push((path.display().to_string(), text));
        }
    }
    assert!(!found.is_empty());
    found
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn assert_without(path: &str, words: &[&str]) {
    for (file, text) in sources(path) {
        for line in code(&text) {
            let word = words.iter().find(|word| line.contains(**word));
            assert!(word.is_none(), "{file} says {word:?}: {line}");
        }
    }
}

#[test]
fn pure_parts_have_no_clock_thread_file_socket_or_mpi() {
    let impure = [
        "std::time",
        "Instant",
        "std::thread",
        "thread::",
        "std::fs",
        "std::net",
        "std::env",
        "mpi::",
        "Mutex",
        "println!",
    ];
    let runtime = [
        "scheduler",
        "worker/mod.rs",
        "store",
        "journal/record.rs",
        "journal/key.rs",
        "disk/extents.rs",
        "rank.rs",
        "message.rs",
        "host/affinity.rs",
        "runtime/roles.rs",
        "device/binding.rs",
        "record/accounts.rs",
        "record/cycles.rs",
        "record/idle.rs",
        "record/live.rs",
        "record/path.rs",
        "record/stretches.rs",
        "record/timings.rs",
        "record/vacancy.rs",
        "dashboard/access.rs",
        "dashboard/board.rs",
        "comm/relay/packet.rs",
        "comm/relay/pieces.rs",
        "session/handshake.rs",
    ];
    let arrays = [
        "api/blockwise/labels.rs",
        "graph/chunks.rs",
        "graph/fuse.rs",
        "graph/gather.rs",
        "graph/memory_check.rs",
        "graph/node.rs",
        "graph/plan.rs",
        "kernel",
        "math",
        "on_device/expression.rs",
        "on_device/layout.rs",
        "on_device/mod.rs",
        "on_device/reduction.rs",
        "on_device/source.rs",
        "random",
    ];
    let arrays = arrays.map(|path| format!("array/{path}"));
    for path in runtime.iter().copied().chain(arrays.iter().map(String::as_str)) {
        assert_without(path, &impure);
    }
}

#[test]
fn the_scheduler_iterates_over_no_hashed_table() {
    assert_without("scheduler", &["HashMap", "HashSet"]);
}

#[test]
fn files_import_what_they_may() {
    let forbidden = [
        ("array/graph/plan.rs", &["client", "current", "message", "submit", "tasks"][..]),
        ("array/kernel", &["client", "current", "message", "graph::submit", "tasks"]),
        ("array/on_device/expression.rs", &["client", "message", "crate::device", "ocl"]),
        ("array/on_device/layout.rs", &["client", "message", "crate::device", "ocl"]),
        ("array/on_device/mod.rs", &["client", "message", "crate::device", "ocl"]),
        ("array/on_device/reduction.rs", &["client", "message", "crate::device", "ocl"]),
        ("array/on_device/source.rs", &["client", "message", "crate::device", "ocl"]),
        ("array/math", &["crate::", "super::super"]),
        ("array/random", &["client", "runtime", "message", "kernel"]),
        ("device/binding.rs", &["ocl", "opencl", "runtime", "client"]),
        ("dashboard/board.rs", &["client", "tokio", "hyper"]),
    ];
    for (path, words) in forbidden {
        for (file, text) in sources(path) {
            let imports = code(&text).skip_while(|line| !line.starts_with("use ")).take_while(|line| {
                line.starts_with("use ")
                    || line.starts_with("    ")
                    || line.starts_with('}')
                    || line.starts_with("pub use ")
                    || line.starts_with("#[")
            });
            for line in imports {
                assert!(!words.iter().any(|word| line.contains(word)), "{file} imports {line}");
            }
        }
    }
}

#[test]
fn mpi_is_called_in_one_place() {
    for (file, text) in sources("") {
        let inside = file.contains("/comm/mpi");
        let calls = code(&text).any(|line| line.contains("ffi::MPI_") && !line.contains("ffi::MPI_Comm"));
        assert!(inside || !calls, "{file} calls MPI");
    }
}

#[test]
fn opencl_is_called_in_one_place() {
    for (file, text) in sources("") {
        let calls = code(&text).any(|line| line.contains("use ocl") || line.contains("ffi::cl"));
        assert!(file.contains("/device/") || !calls, "{file} calls OpenCL");
    }
}

#[test]
fn unsafe_code_is_in_few_files_and_says_why() {
    let allowed = [
        "/array/api/linear_algebra/gemm.rs",
        "/array/kernel/turn.rs",
        "/array/on_device/product.rs",
        "/array/on_device/run/mod.rs",
        "/comm/",
        "/device/",
        "/module/",
        "/task/code.rs",
        "/task/inputs.rs",
        "/allocator.rs",
        "/current.rs",
        "/runtime/loss.rs",
        "/runtime/supervisor.rs",
        "/host/machine.rs",
        "/runtime/signals.rs",
        "/runtime/transports.rs",
        "/runtime/leaving.rs",
        "/worker/overflow.rs",
    ];
    for (file, text) in sources("") {
        let count =
            code(&text).filter(|line| line.contains("unsafe {") || line.contains("unsafe impl")).count();
        assert!(count == 0 || allowed.iter().any(|part| file.contains(part)), "{file} has unsafe code");
    }
}

#[test]
fn modules_say_what_they_are_and_stay_short() {
    for (file, text) in sources("") {
        assert!(text.starts_with("//!"), "{file} begins with what it is");
        let lines = text.lines().count();
        assert!(lines <= 800, "{file} has {lines} lines");
    }
}
