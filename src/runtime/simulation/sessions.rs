//! Sessions of a simulated run: ranks beyond those of the world, which come and go.

use super::{Simulation, node};
use crate::{
    client::{Client, table::Request},
    comm::simulated::{Network, lock},
    ids::TaskId,
    message::{Message, ToScheduler},
    rank::Rank,
    runtime::serving::end_frames,
};
use std::sync::Arc;

impl Simulation {
    /// A session connects. Returns its rank and its client.
    pub fn connect(&mut self) -> (Rank, Client) {
        let end = Network::join(&self.network);
        let cluster = Arc::clone(&self.cluster);
        let node = node(Box::new(end), &cluster, &self.options);
        let (rank, client) = (node.rank, node.client.clone());
        node.table.request(Request::Say(Rank::SCHEDULER, Message::ToScheduler(ToScheduler::Connected)));
        self.nodes.push(node);
        self.note(Vec::new(), || format!("session {rank} connects"));
        (rank, client)
    }

    /// A session leaves, which sends what it has to say; or it is killed, and maybe some of what it sent is lost.
    pub fn end_session(&mut self, session: Rank, is_killed: bool) {
        if !is_killed {
            self.look(session);
        }
        self.note(Vec::new(), || {
            format!("session {session} {}", if is_killed { "is killed" } else { "leaves" })
        });
        self.nodes[session.index()].is_dead = true;
        let frame = end_frames(self.options.survives)(session);
        let relay = self.driver();
        lock(&self.network).end_session(session, is_killed, relay, &frame);
        let sent = lock(&self.network).take_sent();
        sent.into_iter().for_each(|sent| self.note_sent(sent));
    }

    /// The tasks of a session of which some rank of the world holds a value or a record.
    pub fn held_of(&self, session: Rank) -> Vec<TaskId> {
        let ranks = self.nodes.iter().filter(|node| !node.is_dead && node.rank != session);
        let mut held: Vec<TaskId> = ranks.flat_map(|node| node.roles.held_of(session)).collect();
        held.sort_unstable();
        held.dedup();
        held
    }
}
