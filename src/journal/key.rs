//! Pure: what tells a result from all others.
//!
//! A task's key follows from its function and all that it is given: values by their bytes, results of other
//! tasks by those tasks' keys. So it is the same in another run of the program, with any number of ranks.

use super::record::Key;
use crate::{
    ids::{TaskId, Tasks},
    message::{Column, Layer},
};

/// Hashes what a key is made of.
struct Hasher(blake3::Hasher);

impl Hasher {
    fn new(kind: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.add(0, kind.as_bytes());
        hasher
    }

    /// Adds bytes; no two lists of calls add the same.
    fn add(&mut self, tag: u8, bytes: &[u8]) {
        self.0.update(&[tag]);
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn finish(&self) -> Key {
        let mut key = Key([0; 16]);
        self.0.finalize_xof().fill(&mut key.0);
        key
    }
}

/// The key of a value that is given: its head and its body.
pub(crate) fn of_value(head: &[u8], body: &[u8]) -> Key {
    let mut hasher = Hasher::new("value");
    hasher.add(1, head);
    hasher.add(2, body);
    hasher.finish()
}

/// The keys of the tasks of a layer, where `key_of` tells those of what they need. A task has none if
/// something that it needs has none, or if it matters where it runs.
pub(crate) fn of_layer(layer: &Layer, key_of: impl Fn(TaskId) -> Option<Key>) -> Vec<Option<Key>> {
    if layer.options.as_ref().is_some_and(|options| options.one_each) {
        return vec![None; layer.tasks.count as usize];
    }
    let mut function = Hasher::new("task");
    let name = layer.code.name();
    function.add(1, name.as_bytes());
    // A function may return another type in another build, or be made fallible.
    function.add(4, layer.code.result_name().as_bytes());
    // All closures of one function have one name; so these are told apart within one build only.
    // What a module does may change while the program stays.
    if name.contains("{{closure}}") || layer.code.module != 0 {
        function.add(2, &layer.code.module.to_le_bytes());
        function.add(3, &layer.code.offset.to_le_bytes());
    }
    let task = |index: u32| {
        let mut hasher = Hasher(function.0.clone());
        let of_task = |hasher: &mut Hasher, task| key_of(task).map(|key| hasher.add(5, &key.0));
        for column in &layer.columns {
            let place = index as usize;
            match column {
                // Whether a value travels with the call, or is given before, depends on those beside it.
                Column::Same(bytes) => hasher.add(5, &of_value(&[], bytes).0),
                Column::Each(values) => hasher.add(5, &of_value(&[], values.at(place)).0),
                Column::Values(ids) => of_task(&mut hasher, ids.at(place))?,
                Column::Lists { lists, .. } | Column::Parts { lists, .. } => {
                    if let Column::Parts { cuts, .. } = column {
                        hasher.add(6, cuts.at(place));
                    }
                    let count: u64 = lists[place].iter().map(|tasks| u64::from(tasks.count)).sum();
                    hasher.add(7, &count.to_le_bytes());
                    for task in lists[place].iter().copied().flat_map(Tasks::iter) {
                        of_task(&mut hasher, task)?;
                    }
                }
            }
        }
        Some(hasher.finish())
    };
    (0..layer.tasks.count).map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::Code, message::Options, packed::Packed, rank::Rank, task::fallible};
    use std::collections::BTreeSet;

    fn double(x: u64) -> u64 {
        2 * x
    }

    fn halved(x: u64) -> Result<u64, String> {
        if x.is_multiple_of(2) { Ok(x / 2) } else { Err(format!("{x} is odd")) }
    }

    fn layer(first: u64, code: Code, count: u32, columns: Vec<Column>) -> Layer {
        let tasks = Tasks { first: TaskId::new(Rank(1), first), count };
        Layer { tasks, code, columns, level: 0, depth: 0, options: None }
    }

    fn bytes(strings: &[&[u8]]) -> Column {
        Column::Each(strings.iter().copied().collect::<Packed>())
    }

    fn key(byte: u8) -> Key {
        Key([byte; 16])
    }

    #[test]
    fn keys_follow_from_functions_and_arguments_and_from_nothing_else() {
        let known = |task: TaskId| (task.sequence() < 100).then(|| key(task.sequence() as u8));
        let of = |layer: &Layer| of_layer(layer, known);
        let two = of(&layer(100, Code::of_function(double), 2, vec![bytes(&[b"a", b"b"])]));
        assert_eq!(
            two[1],
            of(&layer(900, Code::of_function(double), 1, vec![Column::Same(b"b".to_vec())]))[0]
        );
        let task = |sequence: u64| TaskId::new(Rank(1), sequence);
        let lists = |lists: Vec<Vec<Tasks>>| Column::Lists { lists, collect: Code::of_function(double) };
        let others = [
            layer(0, Code::of_function(double), 1, vec![bytes(&[b"ab"])]),
            layer(0, Code::of_function(double), 1, vec![bytes(&[b"a"]), bytes(&[b"b"])]),
            layer(0, Code::of_function(double), 1, vec![bytes(&[b"a"]), bytes(&[b""]), bytes(&[b"b"])]),
            layer(0, Code::of_function(|x: u64| x), 1, vec![bytes(&[b"a"])]),
            layer(0, Code::of_function(|x: u64| x + 1), 1, vec![bytes(&[b"a"])]),
            layer(0, Code::of_function(halved), 1, vec![bytes(&[b"a"])]),
            layer(0, Code::of_function(fallible(halved)), 1, vec![bytes(&[b"a"])]),
            layer(0, Code::of_function(double), 1, vec![bytes(&[&key(3).0])]),
            layer(0, Code::of_function(double), 1, vec![Column::values(vec![task(3)])]),
            layer(0, Code::of_function(double), 1, vec![lists(vec![vec![Tasks::one(task(3))]])]),
            layer(0, Code::of_function(double), 1, vec![lists(vec![vec![]]), Column::values(vec![task(3)])]),
        ];
        let all: Vec<Key> = others.iter().flat_map(of).chain(two).map(Option::unwrap).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 13);
        let stride = of(&layer(0, Code::of_function(double), 2, vec![Column::stride(task(2), 1)]));
        assert_eq!(stride[1], of(&others[8])[0]);
    }

    #[test]
    fn what_needs_something_without_a_key_or_a_certain_worker_has_none() {
        let need = Column::values(vec![TaskId::new(Rank(1), 3)]);
        assert_eq!(of_layer(&layer(100, Code::of_function(double), 1, vec![need]), |_| None), [None]);
        let mut everywhere = layer(100, Code::of_function(double), 2, vec![bytes(&[b"a", b"a"])]);
        everywhere.options = Some(Box::new(Options { one_each: true, ..Options::default() }));
        assert_eq!(of_layer(&everywhere, |_| None), [None, None]);
    }
}
