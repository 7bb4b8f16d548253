//! What a message is about, for those who read a trace.

use crate::{
    ids::{TaskId, Tasks},
    message::{Held, Made, Message, ToClient, ToScheduler, ToStore, ToWorker},
};

/// Which tasks a message speaks of.
pub(super) fn concerned(message: &Message) -> Vec<Tasks> {
    match message {
        Message::ToScheduler(message) => match message {
            ToScheduler::Submit(layer) => vec![layer.tasks],
            ToScheduler::Give(ended) | ToScheduler::Finished { finished: ended, .. } => vec![ended.tasks()],
            ToScheduler::Lacks { values, .. } => values.iter().copied().map(Tasks::one).collect(),
            ToScheduler::Place { task, .. } | ToScheduler::Stored { task, .. } => vec![Tasks::one(*task)],
            ToScheduler::Refuse { tasks, .. } => vec![*tasks],
            ToScheduler::Release(tasks) | ToScheduler::Cancel(tasks) | ToScheduler::Yielded(tasks) => {
                tasks.clone()
            }
            ToScheduler::Missed { task, .. } => vec![Tasks::one(*task)],
            ToScheduler::Failed(error) => vec![Tasks::one(TaskId(error.task))],
            ToScheduler::Spilled { .. }
            | ToScheduler::Blocked(_)
            | ToScheduler::Behind { .. }
            | ToScheduler::TimeLeft { .. }
            | ToScheduler::AskRoom { .. }
            | ToScheduler::Catalog { .. }
            | ToScheduler::Connected
            | ToScheduler::Disconnected { .. }
            | ToScheduler::Died { .. }
            | ToScheduler::Retire(_)
            | ToScheduler::Shutdown(_) => Vec::new(),
        },
        Message::ToWorker(ToWorker::Run(run)) => vec![run.tasks],
        Message::ToWorker(
            ToWorker::Forward { task, .. }
            | ToWorker::Made { made: Made::Small { task, .. } | Made::Large(Held { task, .. }), .. },
        ) => vec![Tasks::one(*task)],
        Message::ToWorker(ToWorker::Cancel(tasks) | ToWorker::Recall(tasks) | ToWorker::Free(tasks))
        | Message::ToClient(ToClient::Forgotten(tasks)) => tasks.clone(),
        Message::ToClient(ToClient::Finished(ended)) => vec![ended.tasks()],
        Message::ToClient(ToClient::Stored(held)) => vec![Tasks::one(held.task)],
        Message::ToClient(ToClient::Failed { tasks, .. }) => tasks.clone(),
        Message::ToStore(ToStore::Pull(held)) => vec![Tasks::one(held.task)],
        Message::ToStore(
            ToStore::Fetch { task, .. } | ToStore::Head { task, .. } | ToStore::Gone { task, .. },
        )
        | Message::ToStore(ToStore::Pulled(task)) => vec![Tasks::one(*task)],
        Message::ToWorker(ToWorker::Yield(_))
        | Message::ToClient(
            ToClient::Stopping | ToClient::Room { .. } | ToClient::Catalog { .. } | ToClient::Answer { .. },
        )
        | Message::Stop(_)
        | Message::Lost(_)
        | Message::Left(_)
        | Message::Lives
        | Message::Bye
        | Message::Recorded(_)
        | Message::Gathered
        | Message::Ask { .. }
        | Message::Live(_)
        | Message::Dismiss { .. }
        | Message::SessionEnded(_)
        | Message::SessionForgotten(_)
        | Message::Parcel(_) => Vec::new(),
    }
}
