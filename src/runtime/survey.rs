//! What the ranks of a program say of themselves, without a run.

use super::{
    Introduction, Runtime, introduce,
    start::{self, Hello},
    time,
};
use crate::{
    cluster::Cluster,
    codec,
    error::{Error, Result},
    rank::Rank,
    units,
};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// This rank, the role table or why there can be none, the facts of all ranks, and how much time is left.
type Surveyed<F> = (Rank, Result<Cluster>, Vec<F>, Option<Duration>);

/// Gives every rank the facts of all, which `look` finds once ranks can talk. Collective: every rank that
/// the launcher started calls it.
pub(crate) fn survey<F: Serialize + DeserializeOwned>(look: impl FnOnce() -> F) -> Result<Surveyed<F>> {
    let mut builder = Runtime::builder();
    if let Ok(settings) = &mut builder.settings {
        // Ranks that are threads have nothing to add.
        settings.local_workers = None;
    }
    let (mut ends, _) = builder.transports()?;
    let mut transport = ends.pop().expect("a process has an end of the transport");
    let Introduction { settings, hello, lease: _lease, .. } = introduce(&*transport, builder.settings)?;
    let bytes = codec::to_bytes(&(hello, look()));
    let all = transport.all_gather(bytes)?;
    let read = |bytes: &Vec<u8>| postcard::from_bytes::<(Hello, F)>(bytes).ok();
    let Some((mut hellos, facts)) = all.iter().map(read).collect::<Option<(Vec<_>, Vec<_>)>>() else {
        transport.close()?;
        return Err(Error::World(start::UNREADABLE.into()));
    };
    start::join_nodes(&mut hellos);
    let cluster = start::agree(&hellos).and_then(|mut cluster| {
        start::bind(&mut cluster, &hellos, &mut *transport, &settings)?;
        Ok(cluster)
    });
    let rank = transport.rank();
    transport.close()?;
    let end = start::end_time(&hellos);
    let time_left = end.map(|end| units::from_seconds(end - time::now()));
    Ok((rank, cluster, facts, time_left))
}
