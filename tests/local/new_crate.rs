//! A crate of a user's, outside this workspace: `examples/starter` builds there and runs, and the compiler's messages
//! name the user's line and the remedy.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of the starter, with the dependencies of this program and built as it is.
fn starter() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new crate");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("src/bin")).unwrap();
        let from = root().join("examples/starter");
        fs::copy(from.join("src/main.rs"), folder.join("src/main.rs")).unwrap();
        fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        let manifest = fs::read_to_string(from.join("Cargo.toml")).unwrap();
        let dependency = format!(
            "path = {:?}, default-features = false, features = {:?}",
            root().display().to_string(),
            maniple::info::features()
        );
        assert!(manifest.contains("maniple = { path = \"../..\" }"), "{manifest}");
        fs::write(folder.join("Cargo.toml"), manifest.replace("path = \"../..\"", &dependency)).unwrap();
        folder
    })
}

/// Where cargo puts programs of this profile.
fn target() -> PathBuf {
    env::current_exe().unwrap().ancestors().nth(2).unwrap().to_path_buf()
}

/// Builds a program of the copy.
fn build(name: &str) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(starter()).args(["build", "--offline", "--color=never", "--bin", name]);
    if target().ends_with("release") {
        cargo.arg("--release");
    }
    // Dependencies are built as for this program, so that nothing is built twice.
    cargo.args(["--config", "profile.dev.package.'*'.opt-level=0"]);
    cargo.args(["--config", "profile.dev.debug='line-tables-only'"]);
    cargo.args(["--config", "profile.dev.package.'*'.debug=false", "--target-dir"]);
    cargo.arg(target().parent().unwrap()).output().unwrap()
}

/// What the compiler says of a driver's closure with these lines, after these items.
fn message(name: &str, items: &str, lines: &str) -> String {
    let text = format!(
        "use maniple::prelude::*;\n{items}\nfn main() -> Result<()> {{\n    maniple::run(|client| {{\n{lines}\n        \
         Ok(())\n    }})\n}}\n"
    );
    let folder = starter();
    fs::write(folder.join("src/bin").join(name).with_extension("rs"), text).unwrap();
    let output = build(name);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "it compiles");
    told
}

/// The compiler's first error and all that belongs to it.
fn first_error(told: &str) -> &str {
    let start = told.find("error").expect("there is an error");
    &told[start..][..told[start..].find("\n\nerror").unwrap_or(told.len() - start)]
}

fn assert_tells(told: &str, all: &[&str]) {
    for part in all {
        assert!(told.contains(part), "{part:?} is missing in\n{told}");
    }
}

#[test]
fn the_starter_builds_and_runs_and_errors_name_line_and_remedy() {
    let built = build("starter");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = Command::new(target().join("starter")).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.starts_with("mean energy 500."), "{printed}");

    let told = message("moves", "", "let factor = 3;\nlet _ = client.map(move |x: u64| x * factor, 0..4);");
    let remedy = "`map(f, each(items).with(factor))`";
    assert_tells(first_error(&told), &["this closure captures variables", remedy, "src/bin/moves.rs:6"]);

    // What rustc advises leads to the error above, as the guide's troubleshooting says.
    let told = message("borrows", "", "let factor = 3;\nlet _ = client.map(|x: u64| x * factor, 0..4);");
    assert_tells(first_error(&told), &["E0373", "use the `move` keyword", "src/bin/borrows.rs:6"]);

    let told = message("untyped", "", "let _ = client.map(|x| x * 2, 0..4u64);");
    assert_tells(&told, &["consider giving this closure parameter an explicit type", "untyped.rs:5"]);

    let items = "struct Particle(f64);\nfn make(mass: f64) -> Particle { Particle(mass) }";
    let told = message("result", items, "let _ = client.submit(make, 1.0);");
    let derive = "#[derive(serde::Serialize, serde::Deserialize)]";
    assert_tells(first_error(&told), &["`Particle` cannot be sent between ranks", "result.rs:6", derive]);

    let items = "struct Particle(f64);";
    let told = message("argument", items, "let _ = client.submit(|p: Particle| p.0, Particle(1.0));");
    assert_tells(&told, &["`Particle` does not fit the task's parameters", "`Particle`", "argument.rs:5"]);
    assert_tells(&told, &["is not implemented for `Particle`"]);
}
