//! A session: the driver of a program that connects to a cluster, in a process without MPI.

use super::{
    Ending, Engine, Launcher, Prepare, STATUS_FAILED, STATUS_PANICKED, STATUS_STOPPING, Stopped,
    ending::Driver,
    leaving,
    serving::{Welcome, identity},
    settings::Settings,
    signals,
    time::Clock,
};
use crate::{
    comm::{
        bell::Cores,
        relay::session::{SessionEnd, SessionTransport},
    },
    current::{self, Scratch},
    error::{Error, Result, tell},
    host::machine,
    message::Outcome,
    session::{self, Connected, Resumption},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How long a session may be without its connection to another host. On one host connections do not break.
const GRACE: Duration = Duration::from_secs(60);

/// Connects, runs the driver, and leaves. Returns the encoding of the driver's value.
pub(super) fn run(
    file: Option<&Path>,
    driver: Driver<'_>,
    settings: &Settings,
    owns_process: bool,
    prepare: Prepare<'_>,
) -> Result<Vec<u8>, Stopped> {
    let engine = connect(file, settings).map_err(Stopped::alone)?;
    let rank = engine.record().rank;
    let stop = |error| Stopped { error, rank, told: false, status: STATUS_FAILED };
    if owns_process {
        signals::watch(&engine).map_err(stop)?;
    }
    prepare(&engine);
    let live = leaving::Live::new(&engine);
    engine.say_connected();
    let ended = drive(&engine, driver, settings);
    // Its futures are dropped by the cluster.
    engine.stop_tasks(Default::default());
    drop(live);
    let closed = engine.close();
    match Ending::of(ended) {
        (Outcome::Value(bytes), None) => closed.map(|()| bytes).map_err(stop),
        (_, Some(Ending::Panic(panic))) => {
            if owns_process {
                process::exit(STATUS_PANICKED);
            }
            resume_unwind(panic)
        }
        (_, Some(Ending::Error(error @ Error::Interrupted { .. }))) if owns_process => {
            signals::tell_once(error);
            process::exit(signals::STATUS_INTERRUPTED);
        }
        (_, Some(Ending::Error(error))) if owns_process && error.is_stopping() => {
            tell(error);
            process::exit(STATUS_STOPPING);
        }
        (_, Some(Ending::Error(error))) => Err(Stopped { error, rank, told: false, status: 0 }),
        (_, None) => Err(stop(Error::Ended)),
    }
}

/// Connects, and makes this process a rank of the cluster.
fn connect(file: Option<&Path>, settings: &Settings) -> Result<Arc<Engine>> {
    if let Some(launcher) = Launcher::of_this_process().filter(|launcher| launcher.size > 1) {
        return Err(Error::World(format!(
            "{} started {} ranks of a program that is to connect to a cluster: start one process without it",
            launcher.name, launcher.size
        )));
    }
    current::catch_panics();
    let Connected { stream, connection, key, welcome } = session::connect(file, &identity())?;
    let unreadable = |_| Error::World("the cluster's greeting cannot be read: use the same version".into());
    let Welcome { rank, cluster, small_bytes_max, ends } =
        postcard::from_bytes(&welcome).map_err(unreadable)?;
    let size = cluster.ranks().len() as u32;
    let host = machine::host_name();
    let is_here = connection.host == host;
    let grace = settings.reconnect_timeout.unwrap_or(if is_here { Duration::ZERO } else { GRACE });
    let end = SessionEnd { rank, size, host: connection.host.clone() };
    let reconnect =
        move |received| session::resume(&connection, &identity(), Resumption { rank, key, received });
    let transport = SessionTransport::new(stream, end, grace, Box::new(reconnect))?;
    let parent = settings.local_directory.clone().unwrap_or_else(std::env::temp_dir);
    let scratch = Scratch::new(parent, rank, host);
    let clock = ends.map(|end| Clock::new(end, settings.time_margin));
    let count = machine::core_count();
    let cores = Cores { own: count, node: count };
    let settings = Settings { small_bytes_max, dashboard: None, progress: false, ..settings.clone() };
    Engine::new(
        Box::new(transport),
        None,
        Arc::new(cluster),
        scratch,
        clock,
        None,
        None,
        None,
        None,
        cores,
        &settings,
    )
}

/// Runs the driver, while another thread looks after the connection.
fn drive(engine: &Arc<Engine>, driver: Driver<'_>, settings: &Settings) -> thread::Result<Result<Vec<u8>>> {
    let client = engine.driver(settings);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let background = || engine.look_after(|| is_done.load(Ordering::SeqCst));
        let thread = thread::Builder::new().name("maniple".into()).spawn_scoped(scope, background);
        let ended = engine.driving(|| catch_unwind(AssertUnwindSafe(|| driver(&client))));
        is_done.store(true, Ordering::SeqCst);
        // Wakes it.
        engine.wake();
        if let Ok(thread) = thread {
            let _ = thread.join();
        }
        ended
    })
}
