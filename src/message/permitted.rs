//! Pure: which messages a session may send. Ranks of the cluster trust each other; a session is another process, whose
//! messages are checked one by one.

use super::{Message, ToScheduler, ToStore};
use crate::{
    ids::{Size, Tasks},
    rank::Rank,
};

/// The largest alignment of a value.
const ALIGN_MAX: u8 = 64;

impl Message {
    /// Whether a session may send this to a cluster of so many ranks: it numbers only tasks of its own, and ends nothing
    /// but the cluster. A value that it announces has at most `body_bytes_max` bytes, since workers make room for it.
    pub(crate) fn is_permitted_of(&self, session: Rank, size: u32, body_bytes_max: u64) -> bool {
        let fits = |value: Size| {
            value.bytes <= body_bytes_max
                && (value.align == 0 || value.align.is_power_of_two() && value.align <= ALIGN_MAX)
        };
        let is_own = |tasks: Tasks| {
            let end = tasks.first.0.checked_add(u64::from(tasks.count.max(1)) - 1);
            tasks.first.owner() == session
                && end.is_some_and(|end| end >> TASK_BITS == tasks.first.0 >> TASK_BITS)
        };
        match self {
            Self::ToScheduler(message) => match message {
                ToScheduler::Submit(layer) => is_own(layer.tasks),
                ToScheduler::Give(given) => is_own(given.tasks()),
                ToScheduler::Refuse { tasks, .. } => is_own(*tasks),
                ToScheduler::Place { task, size: value, holders } => {
                    is_own(Tasks::one(*task)) && fits(*value) && holders.iter().all(|holder| holder.0 < size)
                }
                ToScheduler::Cancel(tasks) => tasks.iter().all(|tasks| is_own(*tasks)),
                ToScheduler::Retire(workers) => workers.iter().all(|worker| worker.0 < size),
                ToScheduler::Release(_)
                | ToScheduler::AskRoom { .. }
                | ToScheduler::Catalog { .. }
                | ToScheduler::Connected
                | ToScheduler::Shutdown(_) => true,
                ToScheduler::Finished { .. }
                | ToScheduler::Stored { .. }
                | ToScheduler::Failed(_)
                | ToScheduler::Yielded(_)
                | ToScheduler::Missed { .. }
                | ToScheduler::Spilled { .. }
                | ToScheduler::Blocked(_)
                | ToScheduler::Behind { .. }
                | ToScheduler::TimeLeft { .. }
                | ToScheduler::Died { .. }
                | ToScheduler::Disconnected { .. }
                | ToScheduler::Lacks { .. } => false,
            },
            Self::ToStore(ToStore::Pull(held)) => {
                let is_from_known = held.holder == session || held.holder.0 < size;
                is_own(Tasks::one(held.task)) && fits(held.size) && is_from_known
            }
            Self::ToStore(_) | Self::Ask { .. } => true,
            Self::Parcel(_)
            | Self::ToWorker(_)
            | Self::ToClient(_)
            | Self::Stop(_)
            | Self::Lives
            | Self::Bye
            | Self::Lost(_)
            | Self::Left(_)
            | Self::Recorded(_)
            | Self::Gathered
            | Self::Live(_)
            | Self::Dismiss { .. }
            | Self::SessionEnded(_)
            | Self::SessionForgotten(_) => false,
        }
    }
}

/// How many bits of a task's number are not its owner's rank.
const TASK_BITS: u32 = 44;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::TaskId,
        message::{Held, Outcome, ToWorker},
    };

    #[test]
    fn a_session_announces_no_value_that_a_worker_has_no_room_for() {
        let own = TaskId::new(Rank(9), 5);
        let pull = |task, holder, bytes, align| {
            let held = Held { task, holder: Rank(holder), size: Size { bytes, align } };
            Message::ToStore(ToStore::Pull(held)).is_permitted_of(Rank(9), 4, 1 << 30)
        };
        assert!(pull(own, 9, 1 << 30, 8) && pull(own, 2, 100, 64) && pull(own, 9, 0, 0));
        assert!(!pull(own, 9, (1 << 30) + 1, 8) && !pull(own, 9, u64::MAX, 8), "its length");
        assert!(!pull(own, 9, 100, 3) && !pull(own, 9, 100, 128), "its alignment");
        assert!(!pull(own, 8, 100, 8), "another session holds it");
        assert!(!pull(TaskId::new(Rank(8), 5), 9, 100, 8), "it is another session's");
        let place = |bytes| {
            let size = Size { bytes, align: 8 };
            let place = ToScheduler::Place { task: own, size, holders: vec![Rank(2)] };
            Message::ToScheduler(place).is_permitted_of(Rank(9), 4, 1 << 30)
        };
        assert!(place(1 << 30) && !place(1 << 40));
    }

    #[test]
    fn a_session_speaks_of_its_own_tasks_and_not_for_others() {
        let tasks = |owner, first, count| Tasks { first: TaskId::new(Rank(owner), first), count };
        let cancel = |tasks| Message::ToScheduler(ToScheduler::Cancel(vec![tasks]));
        let permitted = |message: Message| message.is_permitted_of(Rank(9), 4, 1 << 30);
        assert!(permitted(cancel(tasks(9, 5, 7))));
        assert!(!permitted(cancel(tasks(8, 5, 7))));
        assert!(
            !permitted(cancel(tasks(9, (1 << TASK_BITS) - 3, 7))),
            "they reach into those of the next rank"
        );
        assert!(permitted(Message::ToScheduler(ToScheduler::Shutdown(Outcome::Value(vec![])))));
        for refused in [
            Message::ToScheduler(ToScheduler::TimeLeft { nanoseconds: 0 }),
            Message::ToWorker(ToWorker::Yield(1)),
            Message::Stop(Outcome::Stopping),
            Message::SessionEnded(Rank(8)),
        ] {
            assert!(!permitted(refused));
        }
    }
}
