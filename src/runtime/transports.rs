//! Which transport a run has: MPI, shared memory between processes, or threads.

#[cfg(feature = "mpi")]
use super::supervisor;
use super::{Builder, leaving, machine};
#[cfg(feature = "mpi")]
use crate::comm::mpi::{MpiConfig, MpiTransport};
use crate::{
    comm::{
        Transport,
        launcher::Launcher,
        processes::{self, Family, Membership},
        threads,
    },
    error::{Error, Result},
    units,
};
use std::{fmt, process::Command, sync::Arc, time::Duration};

/// How long ranks wait for each other at the end, besides the grace for tasks.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the processes of workers may take to exit after the end of a run.
pub(super) const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The workers that a run is to start as processes.
#[derive(Clone)]
pub(crate) struct LocalProcesses {
    pub(super) workers: u32,
    pub(super) command: Arc<dyn Fn() -> Command + Send + Sync>,
}

impl fmt::Debug for LocalProcesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalProcesses({} workers)", self.workers)
    }
}

/// The ends of a transport that are in this process: one, or several in the order of ranks.
type Ends = Vec<Box<dyn Transport>>;

fn boxed(ends: Vec<impl Transport + 'static>) -> Ends {
    ends.into_iter().map(|end| Box::new(end) as Box<dyn Transport>).collect()
}

impl Builder {
    /// The ends of the transport that are in this process, and the processes of the workers that it has started.
    pub(super) fn transports(&self) -> Result<(Ends, Option<Arc<Family>>)> {
        let settings = self.settings.as_ref().ok();
        // Who waits for others at the end gives up later than a rank whose task will not end.
        let grace = settings.map_or(Duration::ZERO, |settings| settings.shutdown_grace.min(units::NEVER));
        let close_timeout = grace + CLOSE_TIMEOUT;
        let membership = Membership::of_this_process().filter(|_| !leaving::has_communicator(self));
        if let Some(membership) = membership {
            return Ok((boxed(vec![processes::join(membership, close_timeout)?]), None));
        }
        #[cfg(feature = "mpi")]
        if let Some(transport) = self.mpi(close_timeout)? {
            return Ok((boxed(vec![transport]), None));
        }
        #[cfg(not(feature = "mpi"))]
        if let Some(launcher) = Launcher::of_this_process().filter(|launcher| launcher.size > 1) {
            return Err(singletons(launcher));
        }
        if let Some(LocalProcesses { workers, command }) =
            settings.and_then(|settings| settings.local_processes.as_ref())
        {
            let of_worker = || {
                let mut command = command();
                // It tells this process which cluster to connect to.
                command.env_remove("MANIPLE_CONNECT");
                command
            };
            let (ends, family) = processes::start(*workers, &of_worker, close_timeout)?;
            return Ok((boxed(ends), Some(family)));
        }
        let workers = settings.and_then(|settings| settings.local_workers);
        Ok((boxed(threads::world(workers.map_or(1, |workers| workers + 2))), None))
    }

    /// The end of this process, if it is a rank of an MPI program.
    #[cfg(feature = "mpi")]
    fn mpi(&self, close_timeout: Duration) -> Result<Option<MpiTransport>> {
        let bytes = self.settings.as_ref().map_or(256 << 20, |settings| settings.frame_bytes_max);
        let survives = self.settings.as_ref().is_ok_and(|settings| settings.survive);
        let config = MpiConfig { frame_bytes_max: bytes, body_bytes_max: bytes, close_timeout, survives };
        if let Some(communicator) = self.communicator {
            // SAFETY: the caller has an MPI communicator, so MPI is initialised and it is valid.
            return unsafe { MpiTransport::on(communicator, config).map(Some) };
        }
        machine::undo_default_binding(|name| std::env::var(name).ok());
        let launcher = Launcher::of_this_process().filter(|launcher| launcher.size > 1);
        let Some(launcher) = launcher else { return Ok(None) };
        if survives {
            supervisor::supervise(launcher)?;
        }
        let transport = MpiTransport::world(config)?;
        if transport.size() == 1 { Err(singletons(launcher)) } else { Ok(Some(transport)) }
    }
}

/// N programs each of which believes to be alone.
pub(crate) fn singletons(launcher: Launcher) -> Error {
    #[cfg(feature = "mpi")]
    let library = crate::comm::mpi::library_version();
    #[cfg(not(feature = "mpi"))]
    let library = "none: it was built without the feature `mpi`";
    Error::World(format!(
        "host {}: {} started {} ranks, but the MPI library of this program ({library}) knows of one: {}",
        machine::host_name(),
        launcher.name,
        launcher.size,
        launcher.remedy()
    ))
}
