//! Reductions that users write: a state for each block, put together in a tree by block index.

use crate::{
    array::{
        Array, Axes, Element,
        error::expect,
        graph::{custom::custom_node, submitter::Submitter},
    },
    client::Future,
    task::{Shared, inputs::Captureless},
    value::Data,
};
use ndarray::{ArrayD, IxDyn};

impl<T: Element> Array<T> {
    /// A reduction of a user's own over some axes.
    ///
    /// `chunk` makes a state of each block, of any type that travels; it is told the axes that are reduced.
    /// `combine` makes one state of two neighbours, the earlier one first, again and again, in a tree whose
    /// shape depends on the blocks alone: the same bits come out for any number of ranks. `aggregate` makes
    /// the elements of the result of the last state: as many, in C order, as the block has along the axes that
    /// are not reduced. The functions are `fn`s or closures that capture nothing.
    ///
    /// [`Axes::keep`] keeps the reduced axes with length 1, [`Axes::fan_in`] says how many states one task
    /// puts together.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis. A task fails if `aggregate` gives more or fewer elements.
    ///
    /// ```
    /// use ndarray::{ArrayD, arr0};
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 100, 1, 7);
    /// let spread = x.reduction(
    ///     |block: &ArrayD<i64>, _: &[usize]| {
    ///         block.iter().fold((i64::MAX, i64::MIN), |(low, high), x| (low.min(*x), high.max(*x)))
    ///     },
    ///     |a: (i64, i64), b: &(i64, i64)| (a.0.min(b.0), a.1.max(b.1)),
    ///     |(low, high): (i64, i64)| arr0(high - low).into_dyn(),
    ///     0,
    /// );
    /// assert_eq!(spread.compute()?.sum(), 99);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn reduction<S, U, C, B, G>(
        &self,
        chunk: C,
        combine: B,
        aggregate: G,
        axes: impl Into<Axes>,
    ) -> Array<U>
    where
        S: Data + Clone,
        U: Element,
        C: Fn(&ArrayD<T>, &[usize]) -> S + Copy + Send + Sync + 'static,
        B: Fn(S, &S) -> S + Copy + Send + Sync + 'static,
        G: Fn(S) -> ArrayD<U> + Copy + Send + Sync + 'static,
    {
        let axes = axes.into();
        let reduced = expect("reduction", axes.flags(self.ndim()));
        let grid = axes.result_grid(&self.node.grid, &reduced);
        let listed: Vec<usize> = (0..reduced.len()).filter(|axis| reduced[*axis]).collect();
        let (chunk, combine, aggregate) =
            (Captureless::of(chunk), Captureless::of(combine), Captureless::of(aggregate));
        let (result, fan_in) = (grid.clone(), axes.fan_in);
        let node = custom_node("reduction", vec![self.node.clone()], grid, move |client, inputs| {
            let blocks = inputs[0].typed::<T>().into_iter().map(|block| (chunk, block, listed.clone()));
            let states = client.map(chunk_state::<T, S, C>, blocks);
            let groups = inputs[0].grid.groups(&reduced);
            let groups =
                groups.iter().map(|group| group.iter().map(|block| states[*block].clone()).collect());
            let join = |client: &Submitter<'_>, parts: Vec<Vec<Future<S>>>| {
                client.map(combined::<S, B>, parts.into_iter().map(|part| (combine, part)))
            };
            let whole = tree(client, groups.collect(), fan_in, join);
            let shapes = (0..result.count()).map(|block| result.region(block).1);
            let calls = whole.into_iter().zip(shapes).map(|(state, shape)| (aggregate, state, shape));
            Ok(client.map(aggregated::<S, U, G>, calls))
        });
        self.derive(node)
    }
}

/// Puts the parts of each group together, up to `fan_in` neighbours at a time, until each is one.
pub(crate) fn tree<S: Clone>(
    client: &Submitter<'_>,
    mut groups: Vec<Vec<S>>,
    fan_in: usize,
    join: impl Fn(&Submitter<'_>, Vec<Vec<S>>) -> Vec<S>,
) -> Vec<S> {
    while groups.iter().any(|group| group.len() > 1) {
        let parts = groups.iter().flat_map(|group| group.chunks(fan_in).map(<[S]>::to_vec)).collect();
        let mut joined = join(client, parts).into_iter();
        let next = groups.iter().map(|group| joined.by_ref().take(group.len().div_ceil(fan_in)).collect());
        groups = next.collect();
    }
    groups.into_iter().flatten().collect()
}

fn chunk_state<T, S, C>(chunk: Captureless<C>, block: &ArrayD<T>, axes: Vec<usize>) -> S
where
    C: Fn(&ArrayD<T>, &[usize]) -> S + Copy,
{
    chunk.get()(block, &axes)
}

fn combined<S: Clone, B>(combine: Captureless<B>, states: Vec<Shared<S>>) -> S
where
    B: Fn(S, &S) -> S + Copy,
{
    let mut states = states.iter();
    let first = (**states.next().expect("a group has a state")).clone();
    states.fold(first, |state, next| combine.get()(state, next))
}

fn aggregated<S, U: Element, G>(aggregate: Captureless<G>, state: S, shape: Vec<usize>) -> ArrayD<U>
where
    G: Fn(S) -> ArrayD<U> + Copy,
{
    let block = aggregate.get()(state);
    assert!(
        block.len() == shape.iter().product::<usize>(),
        "aggregate returned a block of shape {:?} where the elements of one of shape {shape:?} are due",
        block.shape()
    );
    block.to_shape(IxDyn(&shape)).expect("as many elements").into_owned()
}
