//! What a rank does when others are lost: it tells of them, ends if there is no run without them, and comes to
//! its end without MPI's help.

use super::{
    super::{
        STATUS_LOST, WORD_BEFORE_EXIT, leaving,
        loss::{self, Watch},
        machine,
        roles::Roles,
    },
    Engine,
};
use crate::{
    client::process::Process,
    client::table::Request,
    codec::to_bytes,
    error::{tell, warn},
    lock::lock,
    message::{Message, ToScheduler},
    rank::Rank,
};
use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

#[cfg(feature = "mpi")]
use super::super::supervisor;

/// How long ranks wait for each other at the end of a run that has lost some.
const BYE_TIMEOUT: Duration = Duration::from_secs(5);

impl Engine {
    /// Looks after other ranks. Ends this one if it can't go on without one that is lost.
    pub(super) fn look_after_others(&self, roles: &mut Roles) {
        let Some(watch) = &self.watch else { return };
        let mut watch = lock(watch);
        roles.lost().iter().for_each(|rank| watch.note_lost(*rank));
        let size = self.cluster.ranks().len() as u32;
        if let Some(rank) = loss::is_fatal(roles.lost(), self.this, size) {
            let how = roles.how_lost(rank).unwrap_or("is lost").to_string();
            self.end_without(rank, &how, &watch, roles);
        }
        if self.outcome.get().is_some() {
            // Ranks may come to their ends.
            return;
        }
        roles.take_losses().iter().for_each(warn);
        roles.take_heard().into_iter().for_each(|rank| watch.heard(rank));
        let Some(seen) = watch.look(Instant::now()) else { return };
        for rank in &seen.listeners {
            self.table.request(Request::Say(*rank, Message::Lives));
        }
        for (rank, how) in &seen.lost {
            let message = Message::ToScheduler(ToScheduler::Died { rank: *rank, how: how.clone() });
            self.table.request(Request::Say(Rank::SCHEDULER, message));
            watch.note_lost(*rank);
        }
        let lost: Vec<Rank> = seen.lost.iter().map(|(rank, _)| *rank).collect();
        if let Some(rank) = loss::is_fatal(&lost, self.this, size) {
            let how = seen.lost.iter().find(|(lost, _)| *lost == rank).map_or("is lost", |(_, how)| how);
            self.end_without(rank, how, &watch, roles);
        }
    }

    /// Ends this rank at once: another one is lost without which there is no run, or it was taken for lost itself.
    fn end_without(&self, lost: Rank, how: &str, watch: &Watch, roles: &mut Roles) -> ! {
        let size = self.cluster.ranks().len() as u32;
        let record = &self.cluster.ranks()[lost.index()];
        self.clean_up();
        // Of those that can, the first tells.
        let is_living = |rank: &Rank| *rank != lost && !watch.has_lost(*rank);
        if lost != self.this && (0..size).map(Rank).find(is_living) == Some(self.this) {
            let what = if lost == Rank::SCHEDULER { "scheduled" } else { "drove" };
            tell(format_args!(
                "rank {lost} ({}), which {what}, {how}, and the run is lost with it: start it again",
                record.host
            ));
            leaving::expect_exit();
            self.tell_of(lost, watch, roles);
            // Launchers that bear the loss of a rank bear its exit status, too; not this.
            roles.transport.abort(STATUS_LOST);
        }
        machine::exit_at_once(STATUS_LOST)
    }

    /// Tells the others that a rank is lost, as far as they can be told in a moment.
    fn tell_of(&self, lost: Rank, watch: &Watch, roles: &mut Roles) {
        let frame = to_bytes(&Message::Lost(lost));
        let others = (0..self.cluster.ranks().len() as u32).map(Rank);
        for other in others.filter(|other| *other != self.this && !watch.has_lost(*other)) {
            let _ = roles.send(other, frame.clone());
        }
        // The whole moment: launchers may need it, too, to pass on what was just said.
        let soon = Instant::now() + WORD_BEFORE_EXIT;
        while Instant::now() < soon && roles.transport.poll().is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether MPI is left as it is at the end.
    pub(super) fn leaves_mpi(&self) -> bool {
        // MPICH's `MPI_Finalize` may wait for ever without the way of moving values that is left out there.
        #[cfg(feature = "mpi")]
        if supervisor::is_supervised() {
            return true;
        }
        !lock(&self.roles).lost().is_empty()
    }

    /// Comes to an end after a loss: MPI would wait for ranks that are no more, so it is left as it is. Rank 0
    /// waits for the others and lets them go, so that none is cut off.
    pub(super) fn say_bye(&self) {
        let deadline = Instant::now() + BYE_TIMEOUT;
        let is_late = || Instant::now() >= deadline;
        let asks = |ask: &dyn Fn(&Roles) -> bool| self.roles.try_lock().is_ok_and(|roles| ask(&roles));
        if self.this != Rank::SCHEDULER {
            self.table.request(Request::Say(Rank::SCHEDULER, Message::Bye));
            self.send_soon(true);
            return self.look_after(|| is_late() || asks(&|roles| roles.gone().contains(&Rank::SCHEDULER)));
        }
        let ended = Mutex::new(Vec::new());
        let others = (0..self.cluster.ranks().len() as u32).map(Rank).filter(|rank| *rank != self.this);
        let others: Vec<Rank> = others.collect();
        self.look_after(|| {
            let seen = self.watch.as_ref().and_then(|watch| lock(watch).look(Instant::now()));
            let mut ended = lock(&ended);
            ended.extend(seen.into_iter().flat_map(|seen| seen.lost).map(|(rank, _)| rank));
            let is_gone = |roles: &Roles, rank: &Rank| {
                roles.gone().contains(rank) || roles.lost().contains(rank) || ended.contains(rank)
            };
            is_late() || asks(&|roles| others.iter().all(|rank| is_gone(roles, rank)))
        });
        others.iter().for_each(|rank| self.table.request(Request::Say(*rank, Message::Bye)));
        self.send_soon(true);
        let soon = Instant::now() + WORD_BEFORE_EXIT;
        self.look_after(|| Instant::now() >= soon || asks(&|roles| !roles.transport.is_busy()));
    }
}
