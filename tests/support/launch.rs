//! Starts programs under the launcher of the MPI that this was built with.

use maniple::info::{Family, Library};
use std::{
    env,
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Whether the MPI library that this program is linked with is Open MPI.
pub(crate) fn is_open_mpi() -> bool {
    Library::of_this_program().and_then(|library| library.family()) == Some(Family::OpenMpi)
}

/// The launcher: `MANIPLE_MPIRUN`, or the one of the MPI library that this program is linked with.
/// `None` if it is not installed.
pub(crate) fn launcher() -> Option<PathBuf> {
    if let Some(launcher) = env::var_os("MANIPLE_MPIRUN") {
        return Some(launcher.into());
    }
    let names = if is_open_mpi() { ["mpirun.openmpi", "mpirun"] } else { ["mpiexec.mpich", "mpiexec"] };
    let path = env::var_os("PATH")?;
    names
        .iter()
        .find_map(|name| env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// What Open MPI needs to start any number of ranks for any user; others do not look at it.
const FOR_OPEN_MPI: [(&str, &str); 6] = [
    ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
    ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
    ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
    ("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe"),
    ("OMPI_MCA_hwloc_base_binding_policy", "none"),
    ("PRTE_MCA_hwloc_default_binding_policy", "none"),
];

/// The command that starts a program on several ranks; arguments, and more, are still to be added.
pub(crate) fn launch(ranks: u32, program: &Path) -> Command {
    launch_with(&launcher().expect("an MPI launcher is installed"), ranks, program)
}

/// As [`launch`], with this launcher, which may be a command with options.
pub(crate) fn launch_with(launcher: &Path, ranks: u32, program: &Path) -> Command {
    let words = launcher.to_string_lossy().into_owned();
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().expect("a launcher has a name"));
    command.args(words).args(["-n", &ranks.to_string()]).arg(program).envs(FOR_OPEN_MPI);
    command
}

/// Runs a program on several ranks and waits for its end.
///
/// One launch at a time: the tests of one program would otherwise fight for the processors.
///
/// # Panics
///
/// Panics, with all that was printed, if the program takes longer than `timeout`, and kills it.
pub(crate) fn mpirun<S: AsRef<str>>(
    ranks: u32,
    program: &Path,
    args: &[S],
    env: &[(&str, &str)],
    timeout: Duration,
) -> Output {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = launch(ranks, program)
        .args(args.iter().map(AsRef::as_ref))
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the MPI launcher starts");
    let stdout = read_all(child.stdout.take().expect("piped"));
    let stderr = read_all(child.stderr.take().expect("piped"));
    let deadline = Instant::now() + timeout;
    let in_time = wait_until(&mut child, deadline);
    if !in_time {
        end(&mut child);
    }
    let status = child.wait().expect("the launcher can be waited for");
    let output = Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() };
    assert!(in_time, "{} on {ranks} ranks took over {timeout:?}\n{}", program.display(), tell(&output));
    output
}

/// What a program printed, for the message of a failed test.
pub(crate) fn tell(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n--- stdout\n{}\n--- stderr\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Asserts that a program ended with status 0 and printed nothing to stderr.
pub(crate) fn assert_clean(output: &Output) {
    assert!(output.status.success() && output.stderr.is_empty(), "not a clean end: {}", tell(output));
}

fn read_all(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = vec![];
        // What came before an error is worth more than the error.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

fn wait_until(child: &mut Child, deadline: Instant) -> bool {
    while child.try_wait().expect("the launcher can be waited for").is_none() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Asks the launcher to end its ranks, and kills what is left of its group two seconds later.
fn end(child: &mut Child) {
    let group = -i32::try_from(child.id()).expect("a process number");
    // SAFETY: signals the process group that was made for the launcher.
    unsafe { libc::kill(group, libc::SIGTERM) };
    wait_until(child, Instant::now() + Duration::from_secs(2));
    // SAFETY: as above.
    unsafe { libc::kill(group, libc::SIGKILL) };
}
