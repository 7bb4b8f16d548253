//! Layers that are submitted one after the other, as one.

use crate::message::{Column, Ids, Layer};

/// Adds a layer to the one submitted before it, if the two are of one kind: so tasks that are
/// submitted one by one, faster than they can be sent, travel together.
pub(super) fn append(last: &mut Layer, layer: &Layer) -> bool {
    const COUNT_MAX: u32 = 4096;
    let follows = last.tasks.first.plus(last.tasks.count) == layer.tasks.first;
    let like = |(a, b): (&Column, &Column)| match (a, b) {
        (Column::Each(_), Column::Each(_))
        | (Column::Values(Ids::Listed(_)), Column::Values(Ids::Listed(_))) => true,
        (Column::Lists { collect: a, .. }, Column::Lists { collect: b, .. }) => a == b,
        _ => false,
    };
    if !follows
        || last.code != layer.code
        || last.level != layer.level
        || last.depth != layer.depth
        || last.options.is_some()
        || layer.options.is_some()
        || last.tasks.count >= COUNT_MAX
        || layer.tasks.count != 1
        || last.columns.len() != layer.columns.len()
        || !last.columns.iter().zip(&layer.columns).all(like)
    {
        return false;
    }
    last.tasks.count += 1;
    for (last, column) in last.columns.iter_mut().zip(&layer.columns) {
        match (last, column) {
            (Column::Each(last), Column::Each(values)) => last.push(values.at(0)),
            (Column::Values(Ids::Listed(last)), Column::Values(values)) => last.push(values.at(0)),
            (Column::Lists { lists: last, .. }, Column::Lists { lists, .. }) => last.push(lists[0].clone()),
            _ => unreachable!("checked above"),
        }
    }
    true
}
