//! `maniple job pbs` and `torque` against stand-ins for qsub, qstat, qdel and mpirun, and what goes
//! wrong.
//!
//! The stand-ins are in `command/tests/support/pbs`. They run the script as a server does: in the home
//! directory, with PBS's variables and a file of nodes.

use crate::MANIPLE;
use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A directory to submit from, and a scheduler of its own.
struct Server {
    work: TempDir,
    jobs: TempDir,
    system: &'static str,
}

impl Server {
    fn start(system: &'static str) -> Self {
        Self { work: tempfile::tempdir().unwrap(), jobs: tempfile::tempdir().unwrap(), system }
    }

    fn maniple(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(MANIPLE);
        command
            .args(["job", self.system])
            .args(arguments)
            .current_dir(self.work.path())
            .env("PATH", path_with("tests/support/pbs"))
            .env("STAND_IN_DIRECTORY", self.jobs.path())
            .env("STAND_IN_SYSTEM", self.system)
            .env("HOME", self.jobs.path())
            .env("XDG_CONFIG_HOME", self.work.path())
            .stdin(Stdio::null());
        command
    }

    /// Submits and waits.
    fn run(&self, arguments: &[&str]) -> Output {
        let arguments: Vec<_> = ["--submit", "--wait"].iter().chain(arguments).copied().collect();
        self.maniple(&arguments).output().unwrap()
    }

    /// Cancels a job behind the back of `maniple`.
    fn delete(&self, id: &str) {
        let qdel = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/pbs/qdel");
        let deleted = Command::new(qdel).arg(id).env("STAND_IN_DIRECTORY", self.jobs.path()).status();
        assert!(deleted.unwrap().success());
    }

    fn output(&self, name: &str) -> String {
        fs::read_to_string(self.work.path().join(name)).unwrap()
    }
}

impl Drop for Server {
    /// Ends what still runs, whatever became of the test.
    fn drop(&mut self) {
        for job in fs::read_dir(self.jobs.path()).into_iter().flatten().flatten() {
            let pid = fs::read_to_string(job.path().join("pid")).unwrap_or_default();
            if !pid.trim().is_empty() && !job.path().join("status").exists() {
                let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", pid.trim())]).status();
            }
        }
    }
}

fn path_with(directory: &str) -> OsString {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let paths = env::var_os("PATH").unwrap_or_default();
    env::join_paths([directory].into_iter().chain(env::split_paths(&paths))).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn has_tcsh() -> bool {
    let is_there = Command::new("tcsh").arg("-c").arg("exit").status().is_ok();
    assert!(is_there || env::var_os("CI").is_none(), "tcsh is not installed");
    if !is_there {
        eprintln!("skipped: tcsh is not installed");
    }
    is_there
}

#[test]
fn a_job_runs_where_it_was_submitted_with_its_options() {
    let server = Server::start("pbs");
    let program = "pwd; printenv WORDS; cat \"$PBS_NODEFILE\" | wc -l";
    let arguments =
        ["--nodes", "2", "--workers-per-node", "3", "--threads", "2", "--memory", "1GB", "--name", "run"];
    let arguments = [&arguments[..], &["--env", "WORDS=it's $5 !", "--", "sh", "-c", program]].concat();
    let output = server.run(&arguments);
    assert_eq!(stderr(&output), "job 1.server runs\njob 1.server succeeded\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1.server\n");
    let work = fs::canonicalize(server.work.path()).unwrap();
    let expected = format!(
        "ranks 8\nhosts node1.cluster*5 node2.cluster*3\nmap-by seq:OVERSUBSCRIBE\nexport MANIPLE_THREADS=2\n\
         export MANIPLE_MEMORY_LIMIT=1GB\nexport WORDS=it's $5 !\n{}\nit's $5 !\n6\n",
        work.display()
    );
    assert_eq!(server.output("run.o1"), expected);
}

#[test]
fn the_exit_status_of_the_program_comes_back() {
    for (system, arguments) in [("pbs", vec![]), ("torque", vec![]), ("torque", vec!["--shell", "tcsh"])] {
        if !arguments.is_empty() && !has_tcsh() {
            continue;
        }
        let server = Server::start(system);
        let program = ["--nodes", "2", "--workers-per-node", "1", "--", "sh", "-c", "exit 3"];
        let output = server.run(&[&arguments[..], &program].concat());
        assert!(stderr(&output).ends_with("job 1.server failed with exit status 3\n"), "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(3), "{system} {arguments:?}");
        assert!(server.output("sh.o1").contains("hosts node1.cluster*3 node2.cluster*1\n"));
    }
}

#[test]
fn the_ready_scripts_for_gadi_sophia_and_vortex_run() {
    let table = [
        (
            "pbs",
            vec!["--site", "gadi", "--nodes", "2", "--workers-per-node", "4"],
            "ranks 10\nhosts node1.cluster*6 node2.cluster*4",
        ),
        (
            "pbs",
            vec!["--site", "sophia", "--account", "ab12", "--device", "gpu"],
            "ranks 10\nmap-by ppr:10:node",
        ),
        ("torque", vec!["--site", "vortex", "--ranks-per-node", "12"], "ranks 12\nmap-by ppr:12:node"),
    ];
    for (system, arguments, text) in table {
        if system == "torque" && !has_tcsh() {
            continue;
        }
        let server = Server::start(system);
        // There are no modules here; a function would do in bash only.
        fs::write(server.work.path().join("module"), "#!/bin/sh\n").unwrap();
        let modules = Command::new("chmod").arg("+x").arg(server.work.path().join("module")).status();
        assert!(modules.unwrap().success());
        let others = path_with("tests/support/pbs");
        let paths = [server.work.path().into()].into_iter().chain(env::split_paths(&others));
        let words = [&["--submit", "--wait"], &arguments[..], &["--", "sh", "-c", "exit 0"]].concat();
        let output = server.maniple(&words).env("PATH", env::join_paths(paths).unwrap()).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}{}",
            stderr(&output),
            server.output("sh.o1")
        );
        assert!(server.output("sh.o1").contains(text), "{arguments:?}: {}", server.output("sh.o1"));
    }
}

#[test]
fn the_walltime_is_met() {
    for system in ["pbs", "torque"] {
        let server = Server::start(system);
        let output = server.run(&["--walltime", "1s", "--", "sleep", "60"]);
        assert!(stderr(&output).ends_with("job 1.server met its walltime\n"), "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(124));
    }
}

#[test]
fn a_job_that_is_cancelled_is_told() {
    let server = Server::start("pbs");
    let mut child =
        server.maniple(&["--submit", "--wait", "--", "sleep", "60"]).stderr(Stdio::piped()).spawn().unwrap();
    let job = server.jobs.path().join("1.server");
    wait_for(&mut child, || job.join("pid").exists());
    server.delete("1.server");
    let output = child.wait_with_output().unwrap();
    assert!(stderr(&output).ends_with("job 1.server was cancelled\n"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(143));
}

#[test]
fn a_job_that_drains_ends_with_its_own_status() {
    let drains = "trap 'exit 75' TERM; touch started; sleep 60 & wait";
    let table = [
        ("pbs", vec!["--ranks", "3"]),
        ("pbs", vec!["--workers-per-node", "1", "--nodes", "2"]),
        ("pbs", vec!["--ranks", "3", "--epilogue", "echo after"]),
        ("torque", vec!["--shell", "tcsh", "--workers-per-node", "1", "--nodes", "2"]),
    ];
    for (system, arguments) in table {
        if arguments.contains(&"tcsh") && !has_tcsh() {
            continue;
        }
        let server = Server::start(system);
        let arguments = [&["--submit", "--wait"], &arguments[..], &["--", "sh", "-c", drains]].concat();
        let mut child = server.maniple(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&mut child, || server.work.path().join("started").exists());
        server.delete("1.server");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(75), "{arguments:?}: {}", stderr(&output));
        let last = "job 1.server stopped before its end, with status 75: submit it again\n";
        assert!(stderr(&output).ends_with(last), "{}", stderr(&output));
        let said = server.output("sh.o1");
        assert_eq!(said.ends_with("after\n"), arguments.contains(&"echo after"), "{said}");
    }
}

#[test]
fn an_interrupt_ends_the_waiting_and_not_the_job() {
    let server = Server::start("pbs");
    let mut child =
        server.maniple(&["--submit", "--wait", "--", "sleep", "3"]).stderr(Stdio::piped()).spawn().unwrap();
    let job = server.jobs.path().join("1.server");
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut words = String::new();
    // What it tells of the job, it tells when it minds interrupts.
    while !words.ends_with("job 1.server runs\n") {
        assert!(told.read_line(&mut words).unwrap() > 0, "{words}");
    }
    let interrupt = Command::new("kill").arg("-INT").arg(child.id().to_string()).status();
    assert!(interrupt.unwrap().success());
    told.read_to_string(&mut words).unwrap();
    assert!(words.ends_with("job 1.server goes on; to end it: qdel 1.server\n"), "{words}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !job.join("status").exists() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(fs::read_to_string(job.join("status")).unwrap(), "0\n");
}

fn wait_for(child: &mut Child, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(child.try_wait().unwrap().is_none() && Instant::now() < deadline, "the job did not start");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_mistake_is_one_line_and_exit_status_2() {
    let server = Server::start("pbs");
    let table: [(&[&str], &str); 12] = [
        (&["--site", "nersc"], "there is no site 'nersc'; known are: aurora, gadi, kay, sophia, vortex"),
        (&["--site", "kay"], "the site 'kay' runs Slurm, not PBS: use 'maniple job slurm'"),
        (
            &["--walltime", "soon"],
            "--walltime: 'soon' is not a length of time: write 01:30:00, 1-12:00:00, 90m or 1h30m",
        ),
        (&["--memory", "much"], "--memory: 'much' is not an amount of memory: write 40GB, 40GiB or 512MB"),
        (
            &["--site", "gadi", "--workers-per-node", "60"],
            "60 workers a node of 1 thread need 60 CPUs, but a node has 48: \
             ask for fewer workers a node or fewer threads",
        ),
        (&["--env", "1=2"], "--env: '1=2' is not of the form NAME=VALUE"),
        (&["--shell", "fish"], "--shell: 'fish' is not one of bash, sh, ksh, zsh, tcsh, csh"),
        (&["--name", "two words"], "--name: PBS takes no name with blanks: 'two words'"),
        (
            &["--config", "missing.toml"],
            "cannot read sites from missing.toml: No such file or directory (os error 2)",
        ),
        (&["--nodes", "0"], "invalid value '0' for '--nodes <N>': 0 is not in 1.."),
        (&["--nodse", "2"], "unexpected argument '--nodse' found"),
        (&["--launcher", "srun"], "--launcher: srun starts ranks under Slurm only, not under PBS"),
    ];
    for (arguments, message) in table {
        let output = server.maniple(&[arguments, &["--", "./pi"]].concat()).output().unwrap();
        let said = stderr(&output);
        assert!(said.starts_with(&format!("maniple: {message}")), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_users_file_of_sites_counts_and_the_one_named_counts_more() {
    let server = Server::start("pbs");
    let directory = server.work.path().join("maniple");
    fs::create_dir(&directory).unwrap();
    let mine = "[mine]\nscheduler = 'pbs'\ncpus_per_node = 4\nqueue = 'short'\nworkers_per_node = 2\n";
    fs::write(directory.join("sites.toml"), mine).unwrap();
    fs::write(server.work.path().join("more.toml"), "[mine]\nqueue = 'long'\n").unwrap();
    let script = |arguments: &[&str]| {
        let output =
            server.maniple(&[&["--site", "mine"], arguments, &["--", "./pi"]].concat()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(script(&[]).contains("#PBS -q short\n#PBS -j oe\n#PBS -l select=1:ncpus=4:mpiprocs=2\n"));
    assert!(script(&["--config", "more.toml"]).contains("#PBS -q long\n"));
    assert!(script(&["--env", "MANIPLE_THREADS=1"]).contains("-x MANIPLE_THREADS ./pi\n"));
}

#[test]
fn no_program_is_a_mistake() {
    let server = Server::start("pbs");
    let output = server.maniple(&["--nodes", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("; usage: maniple job pbs ")
            && stderr(&output).contains("<PROGRAM>")
            && stderr(&output).lines().count() == 1,
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_scheduler_that_is_not_there_is_named() {
    let server = Server::start("pbs");
    let output = server.maniple(&["--submit", "--", "./pi"]).env("PATH", "/nowhere").output().unwrap();
    assert_eq!(stderr(&output), "maniple: 'qsub' was not found: is this a login node of a site with PBS?\n");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_queue_that_refuses_speaks_for_itself() {
    let server = Server::start("pbs");
    let output = server.run(&["--queue", "closed", "--", "./pi"]);
    assert_eq!(stderr(&output), "maniple: qsub: Queue is not enabled\n");
    assert_eq!(output.status.code(), Some(170));
}

#[test]
fn a_dry_run_submits_nothing() {
    let server = Server::start("pbs");
    let output =
        server.maniple(&["--dry-run", "--submit", "--wait", "--", "./pi", "--wait"]).output().unwrap();
    assert_eq!(stderr(&output), "dry run: 'qsub' would be given this script\n");
    let script = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(script.contains("#   maniple job pbs -- ./pi --wait\n"), "{script}");
    assert_eq!(fs::read_dir(server.jobs.path()).unwrap().count(), 0);
}

#[test]
fn the_other_commands_print_what_they_say() {
    let maniple = |arguments: &[&str]| {
        let output =
            Command::new(MANIPLE).args(arguments).env("XDG_CONFIG_HOME", "/nowhere").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(maniple(&["sites"]).contains("gadi         pbs      Gadi, NCI"));
    assert!(maniple(&["sites", "show", "kay"]).starts_with("[kay]\n"));
    assert!(maniple(&["completions", "bash"]).contains("_maniple"));
    assert!(maniple(&["man"]).contains(".TH maniple 1"));
}
