//! Finds the examples, which tests run as users do.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
};

/// The repository, from a test of any of its packages.
pub(crate) fn root() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.find(|folder| folder.join("tests/support/example.rs").is_file()).expect("tests run in a clone")
}

/// Where cargo puts an example, next to this program. Built first: `cargo test` does not build all.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let this = env::current_exe().unwrap();
    let folder = this.parent().unwrap().parent().unwrap();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root()).args(["build", "--quiet", "--examples"]);
        cargo.arg("--target-dir").arg(folder.parent().unwrap());
        // The features of this program: with others the whole library would be built once more. `default` is one, too.
        if !cfg!(feature = "default") {
            cargo.args(["--no-default-features", "--features", &maniple::info::features().join(",")]);
        }
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the examples build");
    });
    folder.join("examples").join(name)
}
