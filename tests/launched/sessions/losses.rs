//! A cluster that survives losses: a worker is killed under its sessions, and they go on.

use super::*;
use crate::support;
use maniple::{Array, Future};

/// Kills a worker while tasks run, and while another session has its own; what was published is recomputed.
pub(super) fn lose_a_worker(client: &Client) -> Result<()> {
    assert!(client.cluster().survives());
    let squares: Array<i64> = client.published("squares")?;
    let numbers: Vec<Future<u64>> = client.published("numbers")?;
    let start = Instant::now();
    let naps = client.map(nap, vec![20; 200]);
    let processes = client.gather(&client.run_on_workers(|_: ()| std::process::id(), ()))?;
    // SAFETY: kills a process that the test has started.
    unsafe { libc::kill(processes[0] as i32, libc::SIGKILL) };
    assert_eq!(client.gather(&naps)?, vec![20; 200]);
    assert!(start.elapsed() < TIMEOUT / 2, "100,000 naps of the other session take longer");
    let sum = (0..100_000_i64).map(|x| x * x).sum::<i64>();
    assert_eq!((squares.sum().compute()?, squares.compute()?.len()), (sum, 100_000));
    assert_eq!(client.gather(&numbers)?[9], 81);
    println!("survived");
    Ok(())
}

fn is_open_mpi() -> bool {
    maniple::internals::comm::mpi::library_version().contains("Open MPI")
}

#[test]
fn sessions_and_what_they_have_published_survive_the_loss_of_a_worker() {
    if env::var_os(PROGRAM).is_some() || ways([3, 4]).len() < 2 {
        return;
    }
    let launcher = support::launcher().unwrap();
    let flag = if is_open_mpi() { "--enable-recovery" } else { "-disable-auto-cleanup" };
    let launcher = format!("{} {flag}", launcher.display());
    let mut command = support::launch_with(launcher.as_ref(), 6, &env::current_exe().unwrap());
    command.args(itself::ARGS);
    let mut variables = vec![("MANIPLE_SURVIVE", "1")];
    if is_open_mpi() {
        variables.push(("OMPI_MCA_orte_enable_recovery", "1"));
    }
    let cluster = Cluster::of(command, "", &variables);
    assert_clean(&cluster.session("publishes").output().unwrap());
    let mut waiting = begun(cluster.session("waits"), "waiting");
    let output = cluster.session("loses a worker").output().unwrap();
    assert_clean(&output);
    assert!(text(&output.stdout).contains("survived"));
    assert!(waiting.try_wait().unwrap().is_none(), "the other session goes on");
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    assert_clean(&cluster.session("square").output().unwrap());
    assert_clean(&cluster.session("shutdown").output().unwrap());
    let (_, printed) = cluster.end();
    assert!(printed.contains("the run goes on without it"), "{printed}");
}
