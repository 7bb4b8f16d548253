//! What a rank finds where it is started, before it knows of the others: what it was told, and which files and
//! addresses it could have.

use super::{Address, misspelt::misspelt, settings::Settings, start::Hello};
use crate::{
    comm::Transport,
    current::Scratch,
    error::{self, Error, Result},
    files::claim::Claim,
    host::machine,
    journal::Lease,
    rank::{Rank, Role, driver_of},
    session::door::Door,
    task,
};
use std::{env, net::TcpListener};

/// What a rank was told, where it may keep files, and what it says of itself.
pub(super) fn introduce(transport: &dyn Transport, settings: Result<Settings>) -> Result<Introduction> {
    let (rank, size) = (transport.rank(), transport.size());
    // What is wrong here must be told to the others, or they would wait.
    let wrong = settings.as_ref().err().map(Error::to_string);
    let settings = settings.or_else(|_| Settings::from_environment(|_| None))?;
    if rank == Rank::SCHEDULER {
        let variables = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for line in misspelt(variables) {
            error::warn(format_args!("rank {rank} ({}): {line}", machine::host_name()));
        }
    }
    let parent = settings.local_directory.clone().unwrap_or_else(env::temp_dir);
    let scratch = Scratch::new(parent, rank, machine::host_name());
    let works = Role::of(rank, size, settings.exclusive_workers).worker;
    let checked = if works && settings.local_directory.is_some() { scratch.check() } else { Ok(()) };
    let writable = if rank == Rank::SCHEDULER { settings.outputs.check() } else { Ok(()) };
    let journal = match rank {
        Rank::SCHEDULER => settings.journal.take(&machine::host_name(), task::fingerprint()),
        _ => Ok(None),
    };
    let (journal, unusable) = journal.map_or_else(|error| (None, Err(error)), |journal| (journal, Ok(())));
    let address = settings.dashboard.as_ref().filter(|_| rank == Rank::SCHEDULER && wrong.is_none());
    let (listener, deaf) = match address.map(Address::listen).transpose() {
        Ok(listener) => (listener, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let is_driver = rank == driver_of(size) && wrong.is_none();
    let door = settings.serve.as_ref().filter(|_| is_driver).map(Door::open).transpose();
    let (door, closed) = door.map_or_else(|error| (None, Err(error)), |door| (door, Ok(())));
    let parts = match rank {
        Rank::SCHEDULER if writable.is_ok() => settings.outputs.claim_parts(&machine::host_name()),
        _ => Ok(None),
    };
    let (parts, unclaimed) = parts.map_or_else(|error| (None, Err(error)), |parts| (parts, Ok(())));
    let failed = checked.and(writable).and(unclaimed).and(unusable).and(deaf).and(closed).err();
    let trouble = wrong.or(failed.map(|error| error.to_string()));
    let (journal, lease) = journal.unzip();
    let directory = parts.as_ref().map(|parts| parts.directory().to_path_buf());
    let hello = Hello::new(&settings, transport, directory, journal, trouble);
    Ok(Introduction { settings, scratch, hello, listener, door, lease, parts })
}

/// What a rank begins with.
pub(super) struct Introduction {
    pub settings: Settings,
    pub scratch: Scratch,
    pub hello: Hello,
    /// Where the dashboard is asked, on rank 0 if there is one.
    pub listener: Option<TcpListener>,
    /// Where sessions connect to, on the rank that serves if one does.
    pub door: Option<Door>,
    /// What keeps other runs from the journal, on rank 0 if there is one.
    pub lease: Option<Lease>,
    /// Where ranks leave what they record, on rank 0 if they do.
    pub parts: Option<Claim>,
}
