//! What a rank finds where it is started, before it knows of the others: what it was told, and which files and
//! addresses it could have.

use super::{Address, settings::Settings, start::Hello};
use crate::{
    comm::Transport,
    current::Scratch,
    error::{Error, Result},
    files::claim::Claim,
    host::machine,
    journal::Lease,
    rank::{Rank, Role},
    task,
};
use std::net::TcpListener;

/// What a rank was told, where it may keep files, and what it says of itself.
pub(super) fn introduce(transport: &dyn Transport, settings: Result<Settings>) -> Result<Introduction> {
    let (rank, size) = (transport.rank(), transport.size());
    // What is wrong here must be told to the others, or they would wait.
    let wrong = settings.as_ref().err().map(Error::to_string);
    let settings = settings.or_else(|_| Settings::from_environment(|_| None))?;
    let parent = settings.local_directory.clone().unwrap_or_else(std::env::temp_dir);
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
    let parts = match rank {
        Rank::SCHEDULER if writable.is_ok() => settings.outputs.claim_parts(&machine::host_name()),
        _ => Ok(None),
    };
    let (parts, unclaimed) = parts.map_or_else(|error| (None, Err(error)), |parts| (parts, Ok(())));
    let failed = checked.and(writable).and(unclaimed).and(unusable).and(deaf).err();
    let trouble = wrong.or(failed.map(|error| error.to_string()));
    let (journal, lease) = journal.unzip();
    let directory = parts.as_ref().map(|parts| parts.directory().to_path_buf());
    let hello = Hello::new(&settings, transport, directory, journal, trouble);
    Ok(Introduction { settings, scratch, hello, listener, lease, parts })
}

/// What a rank begins with.
pub(super) struct Introduction {
    pub settings: Settings,
    pub scratch: Scratch,
    pub hello: Hello,
    /// Where the dashboard is asked, on rank 0 if there is one.
    pub listener: Option<TcpListener>,
    /// What keeps other runs from the journal, on rank 0 if there is one.
    pub lease: Option<Lease>,
    /// Where ranks leave what they record, on rank 0 if they do.
    pub parts: Option<Claim>,
}
