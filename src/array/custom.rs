//! Operations with tasks of their own: users' functions on blocks, and what is built like them.

use super::{
    Array, Element,
    chunks::Grid,
    lower::Blocks,
    node::{Custom, Erased, Kind, Node},
    submitter::Submitter,
};
use crate::{
    client::{Client, Future},
    error::Result,
    task::{TaskFunction, inputs::Captureless},
};
use ndarray::{ArrayD, IxDyn};
use std::sync::Arc;

/// An array that tasks of its own make. `submit` is given the blocks of the inputs when the array is
/// computed, and returns its blocks, in C order.
pub(super) fn custom_node<T: Element>(
    name: &'static str,
    inputs: Vec<Arc<Node>>,
    grid: Grid,
    submit: impl Fn(&Submitter<'_>, &[Blocks]) -> Result<Vec<Future<ArrayD<T>>>> + Send + Sync + 'static,
) -> Arc<Node> {
    let submit = move |client: &Submitter<'_>, inputs: &[Blocks]| Ok(vec![erased(&submit(client, inputs)?)]);
    let custom = Custom { name, inputs, submit: Box::new(submit) };
    Node::new(T::DATA_TYPE, grid, Kind::Output(Arc::new(custom), 0))
}

/// Futures of blocks, whatever their elements.
pub(super) fn erased<T: Element>(blocks: &[Future<ArrayD<T>>]) -> Vec<Future<Erased>> {
    blocks.iter().map(Future::retype).collect()
}

pub(super) fn from_function<T, F>(client: &Client, function: F, grid: Grid) -> Array<T>
where
    T: Element,
    F: Fn(&[usize]) -> T + Copy + Send + Sync + 'static,
{
    let function = Captureless::of(function);
    let regions: Vec<(Vec<usize>, Vec<usize>)> = (0..grid.count()).map(|block| grid.region(block)).collect();
    let node = custom_node("from_function", Vec::new(), grid, move |client, _| {
        let regions = regions.iter().map(|(starts, shape)| (function, starts.clone(), shape.clone()));
        Ok(client.map(function_block::<T, F>, regions))
    });
    Array::new(client, node)
}

fn function_block<T, F>(function: Captureless<F>, starts: Vec<usize>, shape: Vec<usize>) -> ArrayD<T>
where
    T: Element,
    F: Fn(&[usize]) -> T + Copy + Send + Sync + 'static,
{
    let function = function.get();
    let mut index = vec![0; starts.len()];
    ArrayD::from_shape_fn(IxDyn(&shape), |place: IxDyn| {
        for (axis, index) in index.iter_mut().enumerate() {
            *index = starts[axis] + place[axis];
        }
        function(&index)
    })
}

impl<T: Element> Array<T> {
    /// Has `function` called for each block. What it returns must have the block's shape.
    ///
    /// The function is a `fn` or a closure that captures nothing.
    ///
    /// ```
    /// use ndarray::ArrayD;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([4, 4], 2);
    /// let y = x.map_blocks(|block: &ArrayD<f64>| block * 2.0);
    /// assert_eq!(y.sum().compute()?, 32.0);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn map_blocks<U, F, M>(&self, function: F) -> Array<U>
    where
        U: Element,
        F: TaskFunction<(ArrayD<T>,), M, Out = ArrayD<U>> + Sync,
        M: 'static,
    {
        self.map_blocks_to(function, self.node.grid.clone())
    }

    fn map_blocks_to<U, F, M>(&self, function: F, grid: Grid) -> Array<U>
    where
        U: Element,
        F: TaskFunction<(ArrayD<T>,), M, Out = ArrayD<U>> + Sync,
        M: 'static,
    {
        let inputs = vec![Arc::clone(&self.node)];
        let node = custom_node("map_blocks", inputs, grid, move |client, inputs| {
            Ok(client.map(function, inputs[0].typed::<T>()))
        });
        self.derive(node)
    }
}
