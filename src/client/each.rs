//! Items for the tasks of a [`map`](super::Client::map), with arguments that all of them take.

use super::arguments::{Arguments, Columns, IntoArgument};

/// Items of which each becomes a task's arguments; see [`each`].
#[derive(Clone, Debug)]
#[must_use = "`map` takes it"]
pub struct Each<I>(I);

/// Items, and an argument that is the same for all of them; see [`Each::with`].
#[derive(Clone, Debug)]
#[must_use = "`map` takes it"]
pub struct EachWith<I, A> {
    items: I,
    argument: A,
}

/// Takes items for [`Client::map`](super::Client::map), to which [`with`](Each::with) adds arguments that all tasks
/// take alike.
///
/// ```
/// use maniple::prelude::*;
///
/// fn interpolate(x: f64, table: &[f64], scale: f64) -> f64 {
///     scale * table[x as usize]
/// }
///
/// # maniple::Runtime::builder().execute(|client| {
/// let table: Vec<f64> = (0..1000).map(f64::from).collect();
/// let values = client.map(interpolate, each([1.0, 2.0, 3.0]).with(table).with(10.0));
/// assert_eq!(client.gather(&values)?, [10.0, 20.0, 30.0]);
/// # Ok(()) }).unwrap();
/// ```
pub fn each<I: IntoIterator>(items: I) -> Each<I> {
    Each(items)
}

impl<I: IntoIterator> Each<I> {
    /// Adds an argument, which follows those of the items: a value, or a future of one. It is sent once to each
    /// worker that needs it, however many items there are, or with each task if it is small.
    pub fn with<A>(self, argument: A) -> EachWith<I, A> {
        EachWith { items: self.0, argument }
    }
}

impl<I: IntoIterator, A> EachWith<I, A> {
    /// Adds another argument after this one.
    pub fn with<B>(self, argument: B) -> EachWith<Self, B> {
        EachWith { items: self, argument }
    }
}

impl<I: IntoIterator, A> IntoIterator for EachWith<I, A> {
    type Item = ItemWith<I::Item, A>;
    type IntoIter = ItemsWith<I::IntoIter, A>;
    fn into_iter(self) -> Self::IntoIter {
        ItemsWith { items: self.items.into_iter(), argument: Some(self.argument) }
    }
}

/// The items of an [`EachWith`].
#[derive(Debug)]
pub struct ItemsWith<I, A> {
    items: I,
    /// For the first item.
    argument: Option<A>,
}

/// The arguments of one task: those of the item, and one more, which is that of the task before if it is `None`.
#[derive(Debug)]
pub struct ItemWith<X, A>(X, Option<A>);

impl<I: Iterator, A> Iterator for ItemsWith<I, A> {
    type Item = ItemWith<I::Item, A>;
    fn next(&mut self) -> Option<Self::Item> {
        let item = self.items.next()?;
        Some(ItemWith(item, self.argument.take()))
    }
}

macro_rules! items {
    ($(($($P:ident)*) $Last:ident)*) => { $(
        impl<X: Arguments<($($P,)*)>, A: IntoArgument<$Last>, $($P,)* $Last> Arguments<($($P,)* $Last)>
            for ItemWith<X, A>
        {
            fn add_to(self, columns: &mut Columns<'_>) {
                self.0.add_to(columns);
                match self.1 {
                    Some(argument) => argument.into_argument(columns),
                    None => columns.again(),
                }
            }
        }
    )* };
}

items! {
    (P) Q
    (P Q) R
    (P Q R) S
    (P Q R S) T
    (P Q R S T) U
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Runtime, client::Future};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::atomic::{AtomicUsize, Ordering};

    static ENCODED: AtomicUsize = AtomicUsize::new(0);

    /// A large value that counts how often it is encoded.
    struct Table(Vec<u64>);

    impl Serialize for Table {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            ENCODED.fetch_add(1, Ordering::Relaxed);
            self.0.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Table {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Vec::deserialize(deserializer).map(Self)
        }
    }

    fn look_up(x: u64, y: u64, table: &Table, offsets: &[u64], factor: u64) -> u64 {
        (table.0[x as usize] + y + offsets.iter().sum::<u64>()) * factor
    }

    #[test]
    fn all_tasks_take_the_same_arguments_which_are_encoded_once() {
        Runtime::builder()
            .execute(|client| {
                let factor = client.submit(|| 2, ());
                let offsets: Vec<Future<u64>> = client.map(|x: u64| x, 0..3);
                let pairs = (0..100).zip(100..200);
                let table = Table((0..10_000).collect());
                let sums = each(pairs).with(table).with(&offsets).with(&factor);
                let sums = client.gather(&client.map(look_up, sums))?;
                assert_eq!(sums, (0..100).map(|x| (x + x + 100 + 3) * 2).collect::<Vec<u64>>());
                Ok(())
            })
            .unwrap();
        // To know its size, to check that it can be read, and to send it.
        assert!((1..=3).contains(&ENCODED.load(Ordering::Relaxed)), "{ENCODED:?}");
    }

    #[test]
    fn without_items_there_are_no_tasks() {
        let none = |client: &crate::Client| {
            let none = client.map(|x: u64, y: u64| x + y, each(Vec::<u64>::new()).with(1));
            client.gather(&none)
        };
        assert_eq!(Runtime::builder().execute(none).unwrap(), Vec::<u64>::new());
    }
}
