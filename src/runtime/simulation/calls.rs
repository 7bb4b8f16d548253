//! Calls of a client that only simulated programs make.

use crate::{
    client::{Client, Future},
    codec,
    error::Result,
    ids::{Code, TaskId, Tasks},
    message::Column,
    packed::Packed,
    part::{self, Assembly, Cut, Source},
    task::inputs::Parts,
    value::Data,
};
use std::sync::Arc;

/// The number of a future's task.
pub fn task_of<T>(future: &Future<T>) -> TaskId {
    future.task()
}

/// As [`Future::result`], but does not wait: nothing as long as the value is not here. `asked` says
/// whether it was asked for already, and is false at first.
pub fn poll<T: Data>(future: &Future<T>, asked: &mut bool) -> Option<Result<T>> {
    future.poll(asked)
}

/// Asks for a value as [`Client::gather`] does before it comes to it.
pub fn prefetch<T: Data>(future: &Future<T>) {
    future.prefetch();
}

/// Tasks that each take a part of every list: elements from one index on, so many, so far apart.
pub fn submit_parts(
    client: &Client,
    lists: &[Future<Vec<u64>>],
    parts: &[Vec<(usize, i64, usize)>],
) -> Vec<Future<Vec<u64>>> {
    let mut cuts = Packed::default();
    for parts in parts {
        let runs = parts.iter().enumerate();
        let runs = runs.map(|(piece, &(from, step, count))| part::Run { piece, from, step, count });
        let (assembly, _) = Assembly::new(vec![runs.collect()]);
        let bytes = codec::to_bytes(&Cut { element_bytes: 8, align: 8, assembly });
        cuts.push(&bytes);
    }
    let mut tasks = Vec::new();
    lists.iter().for_each(|list| Tasks::push(&mut tasks, list.task()));
    let columns = vec![Column::Parts { lists: vec![tasks; parts.len()], cuts }];
    let code = Code::of_function(take_parts);
    client.submit_layer_of(code, parts.len() as u32, columns)
}

fn take_parts(parts: Parts) -> Vec<u64> {
    let get = |place| parts.get::<Vec<u64>>(place).unwrap_or_else(|words| panic!("{words}"));
    let lists: Vec<(Arc<Vec<u64>>, bool)> = (0..parts.len()).map(get).collect();
    let shapes: Vec<[usize; 1]> = lists.iter().map(|(list, _)| [list.len()]).collect();
    let sources = lists.iter().zip(&shapes);
    let sources: Vec<Source<'_, u64>> =
        sources.map(|((elements, is_part), shape)| Source { elements, shape, is_part: *is_part }).collect();
    parts.assembly().assemble(&sources)
}
