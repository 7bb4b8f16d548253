//! Finds the examples, which tests run as users do.

use std::{env, path::PathBuf, process::Command, sync::Once};

/// Where cargo puts an example, next to this program. Built first: `cargo test` does not build all.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let this = env::current_exe().unwrap();
    let folder = this.parent().unwrap().parent().unwrap();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--examples",
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ]);
        cargo.arg("--target-dir").arg(folder.parent().unwrap());
        if cfg!(not(feature = "mpi")) {
            cargo.arg("--no-default-features");
        }
        // The features of this program: with others the whole library would be built once more.
        let features =
            [("linear-algebra", cfg!(feature = "linear-algebra")), ("zarr", cfg!(feature = "zarr"))];
        for (feature, _) in features.into_iter().filter(|(_, is_on)| *is_on) {
            cargo.args(["--features", feature]);
        }
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the examples build");
    });
    folder.join("examples").join(name)
}
