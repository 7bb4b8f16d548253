//! The scripts in `scripts/`, `jobs/` and `.ci/`: their syntax, their options, and what they say when the
//! machine has no MPI. Nothing is installed here.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Variables that lead to an MPI or to libclang without the `PATH`.
const LEADS: &[&str] = &[
    "CONDA_PREFIX",
    "CRAY_MPICH_DIR",
    "EBROOTOPENMPI",
    "I_MPI_ROOT",
    "MANIPLE_MPI",
    "MANIPLE_MPIRUN",
    "MPICC",
    "MPI_HOME",
    "MPI_ROOT",
    "VIRTUAL_ENV",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scripts() -> Vec<PathBuf> {
    let mut found = vec![root().join(".ci/run")];
    for folder in ["scripts", "jobs"] {
        for entry in fs::read_dir(root().join(folder)).expect("it is part of the project") {
            let path = entry.expect("the folder can be read").path();
            if path.extension().is_some_and(|extension| extension == "sh") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn bash(arguments: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command.args(arguments).current_dir(root()).env("MANIPLE_NO_INSTALL", "1");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("bash starts");
    (status.code(), text(&stdout), text(&stderr))
}

/// A folder with all programs of the `PATH` but those of an MPI.
fn programs_without_mpi() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for place in env::split_paths(&env::var_os("PATH").expect("a PATH")) {
        let Ok(entries) = fs::read_dir(place) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_mpi = ["mpi", "srun"].iter().any(|start| name.to_string_lossy().starts_with(start));
            if !is_mpi {
                // The first of a name wins, as on the PATH.
                let _ = symlink(entry.path(), folder.path().join(name));
            }
        }
    }
    folder
}

#[test]
fn every_script_is_valid_bash_and_executable() {
    use std::os::unix::fs::PermissionsExt;
    let scripts = scripts();
    for name in [".ci/run", "scripts/pi.sh", "scripts/setup.sh", "scripts/test.sh"] {
        assert!(scripts.contains(&root().join(name)), "{name} is missing");
    }
    for script in scripts {
        let text = fs::read_to_string(&script).expect("the script can be read");
        if !text.starts_with("#!/bin/tcsh") {
            let (status, _, said) = run(bash(&["-n"]).arg(&script));
            assert_eq!((status, said.as_str()), (Some(0), ""), "{}", script.display());
        }
        let mode = fs::metadata(&script).expect("the script exists").permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{} is not executable", script.display());
    }
}

#[test]
fn help_names_every_option() {
    for script in ["scripts/setup.sh", "scripts/pi.sh", "scripts/test.sh"] {
        let (status, help, said) = run(&mut bash(&[script, "--help"]));
        assert_eq!((status, said.as_str()), (Some(0), ""), "{script}");
        for option in ["Usage: ", "--mpi", "openmpi", "mpich", "--help"] {
            assert!(help.contains(option), "{script} --help does not name {option}:\n{help}");
        }
    }
}

#[test]
fn an_unknown_option_is_refused_in_one_line() {
    for arguments in [
        &["scripts/setup.sh", "--frobnicate"][..],
        &["scripts/test.sh", "--frobnicate"],
        &["scripts/setup.sh", "--mpi", "lam"],
        &["scripts/pi.sh", "--mpi", "lam"],
        &["scripts/test.sh", "--mpi", "lam"],
        &["scripts/pi.sh", "-n", "none"],
        &["scripts/pi.sh", "-n"],
    ] {
        let (status, out, said) = run(&mut bash(arguments));
        assert_eq!((status, out.as_str()), (Some(2), ""), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    }
}

#[test]
fn without_an_mpi_it_says_what_to_do() {
    let programs = programs_without_mpi();
    for (arguments, missing, package) in [
        (&["scripts/setup.sh"][..], "an MPI", "libopenmpi-dev"),
        (&["scripts/setup.sh", "--mpi", "mpich"], "MPICH", "libmpich-dev"),
        (&["scripts/pi.sh"], "an MPI", "libopenmpi-dev"),
        (&["scripts/test.sh", "--all"], "Open MPI", "libopenmpi-dev"),
    ] {
        let mut command = bash(arguments);
        command.env("PATH", programs.path()).env("MANIPLE_MPI_DIRS", "");
        for name in LEADS {
            command.env_remove(name);
        }
        let (status, out, said) = run(&mut command);
        assert_eq!((status, out.as_str()), (Some(1), ""), "{arguments:?}: {said}");
        for part in
            [missing, package, "apt-get install", "dnf install", "module load", "pip install", "MPICC="]
        {
            assert!(said.contains(part), "{arguments:?} does not say {part:?}:\n{said}");
        }
    }
}

#[test]
fn the_settings_are_those_of_one_mpi() {
    // Only where an MPI is promised: CI and scripts/test.sh.
    if env::var_os("MANIPLE_REQUIRE_MPI").is_none() {
        return;
    }
    let target = tempfile::tempdir().expect("a temporary folder");
    let (status, settings, said) =
        run(bash(&["scripts/setup.sh"]).env("CARGO_TARGET_DIR", target.path()).env_remove("MANIPLE_MPI"));
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for name in ["MPICC", "MANIPLE_MPIRUN", "CARGO_TARGET_DIR", "BINDGEN_EXTRA_CLANG_ARGS"] {
        assert!(settings.contains(&format!("export {name}=")), "no {name}:\n{settings}");
    }
    let kind = said.trim_start_matches("maniple: ").split(' ').next().expect("a word");
    let folder = target.path().join(kind);
    assert!(settings.contains(&folder.display().to_string()), "not in {kind}:\n{settings}");
}
