//! The scripts in `jobs/` are what `maniple job` prints, and shells can read them.

use crate::MANIPLE;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// How long a ready script may be.
const LINES_MAX: usize = 40;

fn jobs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../jobs")
}

/// The scripts of the folder, and the arguments of `maniple` that make them.
fn commands() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(jobs().join("commands.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let commands = lines.map(|line| {
        let mut words = line.split_whitespace().map(String::from);
        let file = words.next().unwrap();
        assert_eq!(words.next().as_deref(), Some("maniple"));
        (file, words.collect())
    });
    commands.collect()
}

fn maniple(arguments: &[String]) -> String {
    let output = Command::new(MANIPLE).args(arguments).env("XDG_CONFIG_HOME", "/nowhere").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_scripts_in_jobs_are_what_maniple_prints() {
    let update = std::env::var_os("MANIPLE_UPDATE_SCRIPTS").is_some();
    for (file, arguments) in commands() {
        let script = maniple(&arguments);
        let path = jobs().join(&file);
        if update {
            fs::write(&path, &script).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            kept, script,
            "jobs/{file} is old: MANIPLE_UPDATE_SCRIPTS=1 cargo test --test command job_scripts"
        );
        assert!(script.lines().count() < LINES_MAX, "jobs/{file} is too long");
        assert!(script.contains("# Edit: "), "jobs/{file} does not say what to edit");
    }
}

#[test]
fn jobs_holds_no_script_that_nothing_makes() {
    let mut kept: Vec<String> = fs::read_dir(jobs())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.retain(|name| !["README.md", "commands.txt"].contains(&name.as_str()));
    kept.sort();
    let mut made: Vec<String> = commands().into_iter().map(|(file, _)| file).collect();
    made.sort();
    assert_eq!(kept, made);
}

#[test]
fn the_readme_shows_every_script_with_its_command() {
    let readme = fs::read_to_string(jobs().join("README.md")).unwrap();
    for (file, arguments) in commands() {
        assert!(readme.contains(&format!("[`{file}`]({file})")), "jobs/README.md does not name {file}");
        let command = arguments.split(|word| word == "--").next().unwrap().join(" ");
        assert!(readme.contains(&format!("`maniple {command}`")), "jobs/README.md lacks: maniple {command}");
    }
}

#[test]
fn shells_can_read_the_scripts() {
    for (file, _) in commands() {
        let path = jobs().join(&file);
        let first = fs::read_to_string(&path).unwrap().lines().next().unwrap().to_string();
        let shell = if first.ends_with("tcsh") { "tcsh" } else { "bash" };
        match Command::new(shell).arg("-n").arg(&path).output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && said.is_empty(), "{shell} -n jobs/{file}: {said}");
            }
            Err(_) if std::env::var_os("CI").is_none() => eprintln!("skipped: {shell} is not installed"),
            Err(error) => panic!("{shell}: {error}"),
        }
    }
}

/// What the pages of the sites have, so that their users recognise it.
#[test]
fn scripts_have_what_the_sites_ask_for() {
    let table: [(&str, &[&str]); 9] = [
        (
            "aurora-gpu.sh",
            &["mpiexec -n 12 --ppn 6", "MANIPLE_DEVICE=gpu", "COMPOSITE", "-A PROJECT", "183GB"],
        ),
        (
            "aurora-tile.sh",
            &["mpiexec -n 24 --ppn 12", "MANIPLE_THREADS=17", "DEVICE_HIERARCHY=FLAT", "91GB"],
        ),
        ("aurora-cpu.sh", &["mpiexec -n 208 --ppn 104", "MANIPLE_THREADS=2"]),
        ("sophia.sh", &["MANIPLE_DEVICE=gpu", "mpirun -n 10", "filesystems=home:eagle"]),
        (
            "kay.sh",
            &["mpirun -n 6 -npernode 3", "MANIPLE_THREADS=4", "MANIPLE_MEMORY_LIMIT=40GB", "--nodes=2"],
        ),
        ("gadi.sh", &["#PBS -P PROJECT", "#PBS -q normal", "#PBS -l ncpus=96", "#PBS -l mem=384gb"]),
        (
            "vortex.sh",
            &["#!/bin/tcsh", "#PBS -l nodes=1:vortex:ppn=12", "setenv MANIPLE_THREADS 1", "mpirun -n 12"],
        ),
        ("slurm-srun-pmix.sh", &["srun --mpi=pmix --ntasks=8"]),
        ("slurm-srun-pmi2.sh", &["srun --mpi=pmi2 --ntasks=8"]),
    ];
    for (file, texts) in table {
        let script = fs::read_to_string(jobs().join(file)).unwrap();
        for text in texts {
            assert!(script.contains(text), "jobs/{file} lacks '{text}':\n{script}");
        }
    }
    assert!(!fs::read_to_string(jobs().join("gadi.sh")).unwrap().contains("select"));
}
