//! Modules: functions that are compiled while the cluster stands.

use super::*;
use crate::support::example::root;
use maniple::{Future, Module, Reason, Shared};
use std::{collections::BTreeMap, sync::OnceLock};

/// Set in a session: the modules that it loads, separated by colons.
const MODULES: &str = "SESSIONS_MODULES";

/// What the test adds to the example.
const MORE: &str = r#"
fn panics(x: u64) -> u64 { panic!("no {x}") }
fn fails(x: u64) -> u64 { maniple::fail("failed", vec![x as u8]) }
fn grow(x: u64) -> Vec<String> { (0..x).map(|x| format!("number {x} of a list that is not small")).collect() }
fn total(lists: Vec<Shared<Vec<String>>>) -> usize { lists.iter().map(|list| list.len()).sum() }
fn squares(n: i64) -> i64 {
    current().client().arange(0, n, 1, 10).square().sum().compute().unwrap()
}
fn rank(_: u64) -> u32 { current().rank().0 }
fn waits(x: u64) -> u64 {
    while !maniple::cancelled() { std::thread::yield_now() }
    x
}
"#;

/// A copy of the workspace, whose module can be edited. Times are kept: cargo takes what it has built from the original.
fn workspace() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut copy = Command::new("cp");
        copy.arg("-rp").current_dir(root()).args(["Cargo.toml", "Cargo.lock", "build.rs", "src", "command"]);
        copy.args(["examples", "benches", "tests", "README.md", "docs"]).arg(folder.path());
        assert!(copy.status().unwrap().success());
        folder
    });
    made.path()
}

/// Builds the example module with this mean, as a user does after an edit. Returns a copy of the library.
fn build(mean: &str, name: &str) -> PathBuf {
    let source = fs::read_to_string(root().join("examples/module/lib.rs")).unwrap();
    let edited = source.replace("values.iter().sum::<f64>() / values.len() as f64", mean);
    let names = "panics, fails, grow, total, squares, rank, waits, mean_of_means =";
    let edited = edited.replace("mean_of_means =", names) + MORE;
    fs::write(workspace().join("examples/module/lib.rs"), edited).unwrap();
    let this = env::current_exe().unwrap();
    let folder = this.parent().unwrap().parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(workspace()).args(["build", "--offline", "--quiet", "--example", "module"]);
    cargo.arg("--target-dir").arg(folder.parent().unwrap());
    // As this program was built: with other features the module would not fit.
    cargo.args(["--features", &maniple::info::features().join(",")]);
    if !cfg!(feature = "default") {
        cargo.arg("--no-default-features");
    }
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "the module builds");
    let library = workspace().join(name);
    fs::copy(folder.join("examples/libmodule.so"), &library).unwrap();
    library
}

fn mean(client: &Client, module: Module) -> Result<f64> {
    let mean = module.function::<fn(&[f64]) -> f64>("mean")?;
    client.submit(mean, vec![1.0, 2.0, 6.0]).result()
}

/// Loads modules and calls their functions.
pub(super) fn call(client: &Client) -> Result<()> {
    let paths = env::var(MODULES).unwrap();
    let modules: Vec<Module> =
        paths.split(':').map(|path| client.load_module(path)).collect::<Result<_>>()?;
    for module in &modules {
        println!("mean {}", mean(client, *module)?);
    }
    let module = client.load_module(paths.split(':').next().unwrap())?;
    assert_eq!(mean(client, module)?, 3.0, "it is known already");
    // Values that travel, of types of the library and of others; results of one side in tasks of the other.
    let large = client.scatter(vec![2.0; 100_000])?;
    let means = module.function::<fn(&[f64]) -> f64>("mean")?;
    assert_eq!(client.gather(&client.map(means, vec![&large; 20]))?, [2.0; 20]);
    let words = module.function::<fn(&str) -> BTreeMap<String, u64>>("words")?;
    let counted = client.submit(words, "to be or not to be".to_string());
    let of_word = client.submit(|counts: BTreeMap<String, u64>| counts["be"], &counted);
    assert_eq!(of_word.result()?, 2);
    let grow = module.function::<fn(u64) -> Vec<String>>("grow")?;
    let lists: Vec<Future<Vec<String>>> = client.map(grow, 1000..1004);
    let own = client.map(|list: &Vec<String>| list[..10].iter().cycle().take(500).cloned().collect(), &lists);
    let total = module.function::<fn(Vec<Shared<Vec<String>>>) -> usize>("total")?;
    let both = [&lists[..], &own[..]].concat();
    assert_eq!(client.submit(total, &both).result()?, 4006 + 2000);
    assert_eq!(lists[3].result()?[7], "number 7 of a list that is not small");
    // Tasks that submit tasks, and arrays.
    let parts = vec![vec![1.0, 3.0], vec![5.0, 5.0]];
    let mean_of_means = module.function::<fn(Vec<Vec<f64>>) -> f64>("mean_of_means")?;
    assert_eq!(client.submit(mean_of_means, parts).result()?, 3.5);
    let squares = module.function::<fn(i64) -> i64>("squares")?;
    assert_eq!(client.submit(squares, 100).result()?, 328_350);
    let rank = module.function::<fn(u64) -> u32>("rank")?;
    let ranks: Vec<u32> = client.cluster().workers().map(|worker| worker.rank.0).collect();
    assert_eq!(client.gather(&client.run_on_workers(rank, 1))?, ranks);
    fail(client, module)
}

/// What goes wrong in a module is told as elsewhere.
fn fail(client: &Client, module: Module) -> Result<()> {
    let failed = |name: &str| -> Result<maniple::TaskError> {
        let future = client.submit(module.function::<fn(u64) -> u64>(name)?, 5);
        let Err(Error::Task(error)) = future.result() else { panic!("{name} fails") };
        Ok((*error).clone())
    };
    for _ in 0..100 {
        let error = failed("panics")?;
        assert!(error.reason == Reason::Panic && error.message.starts_with("no 5 ("), "{error:?}");
        assert!(error.function.contains("panics"), "{error:?}");
    }
    let error = failed("fails")?;
    assert!(matches!(&error.reason, Reason::Failed { detail } if **detail == [5]), "{error:?}");
    let waiting = client.submit(module.function::<fn(u64) -> u64>("waits")?, 5);
    client.cancel(std::slice::from_ref(&waiting));
    assert!(waiting.result().is_err());
    let error = failed("mean")?.to_string();
    assert!(error.contains("takes (alloc::vec::Vec<f64>,) and returns f64, but is called as one"), "{error}");
    let error = module.function::<fn(u64) -> u64>("median").unwrap_err().to_string();
    assert!(error.contains("no function \"median\": it has mean, words, panics"), "{error}");
    Ok(())
}

/// Prints why modules are refused.
pub(super) fn be_refused(client: &Client) -> Result<()> {
    for path in env::var(MODULES).unwrap().split(':') {
        println!("refused: {}", client.load_module(path).unwrap_err());
    }
    assert_eq!(client.submit(square, 7).result()?, 49);
    Ok(())
}

/// What stands behind this word in the lines that a program has printed.
fn after(word: &str, output: &Output) -> Vec<String> {
    let printed = text(&output.stdout);
    printed.lines().filter_map(|line| Some(line.split_once(word)?.1.to_string())).collect()
}

#[test]
fn a_cluster_that_stands_runs_what_was_compiled_after_its_start() {
    let clusters: Vec<Cluster> = ways([3, 4])
        .into_iter()
        .map(|way| Cluster::start(way, "", &[("MANIPLE_ALLOW_MODULES", "1")]))
        .collect();
    let run = |mut command: Command, modules: &str| {
        let output = command.env(MODULES, modules).output().unwrap();
        assert_clean(&output);
        after("mean ", &output)
    };
    let first = build("values.iter().sum::<f64>() / values.len() as f64", "first.so").display().to_string();
    for cluster in &clusters {
        assert_eq!(run(cluster.session("calls a module"), &first), ["3"]);
    }
    let second = build("values[values.len() / 2]", "second.so").display().to_string();
    for cluster in clusters {
        let both = format!("{first}:{second}");
        assert_eq!(run(cluster.session("calls a module"), &both), ["3", "2"]);
        assert_clean(&cluster.session("left over").output().unwrap());
        cluster.shut_down();
    }
    // The driver of a run loads modules as a session does.
    for way in ways([2, 4]) {
        let mut command = itself::command(way);
        command.env(PROGRAM, "calls a module").env("MANIPLE_ALLOW_MODULES", "1");
        assert_eq!(run(command, &first), ["3"], "{way:?}");
    }
    refuse(&first);
}

fn refuse(module: &str) {
    let whole = fs::read(module).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = workspace().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let place = whole.windows(6).position(|bytes| bytes == b"rustc ").unwrap();
    let mut other = whole.clone();
    other[place + 6] = b'9';
    let files = [
        write("half.so", &whole[..whole.len() / 2]),
        write("other.so", &other),
        write("text.so", b"not a library"),
        env::current_exe().unwrap().display().to_string(),
        "/no/such/file.so".into(),
    ];
    let told = |allow: &str, modules: &str| {
        let cluster = Cluster::start(None, "", &[("MANIPLE_ALLOW_MODULES", allow)]);
        let output = cluster.session("is refused a module").env(MODULES, modules).output().unwrap();
        assert_clean(&output);
        cluster.shut_down();
        after("refused: ", &output)
    };
    let lines = told("1", &files.join(":"));
    let wanted =
        ["cut off", "by rustc 9", "is no shared library", "has no maniple::module!", "cannot be read"];
    assert_eq!(lines.len(), wanted.len(), "{lines:?}");
    for (line, words) in lines.iter().zip(wanted) {
        assert!(line.contains(words), "{line}");
    }
    let lines = told("0", module);
    assert!(lines.len() == 1 && lines[0].contains("start the cluster with --allow-modules"), "{lines:?}");
}
