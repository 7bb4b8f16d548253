//! Operations with tasks of their own.

use crate::{
    array::{
        Array, Element,
        files::identity::FileId,
        graph::{
            blocks::Blocks,
            chunks::Grid,
            node::{Custom, Erased, Kind, Node},
            submitter::Submitter,
        },
    },
    client::{Client, Future},
    error::Result,
    task::inputs::Captureless,
};
use ndarray::{ArrayD, IxDyn};
use std::sync::Arc;

/// An array that tasks of its own make. `submit` is given the blocks of the inputs when the array is
/// computed, and returns its blocks, in C order.
pub(crate) fn custom_node<T: Element>(
    name: &'static str,
    inputs: Vec<Arc<Node>>,
    grid: Grid,
    submit: impl Fn(&Submitter<'_>, &[Blocks]) -> Result<Vec<Future<ArrayD<T>>>> + Send + Sync + 'static,
) -> Arc<Node> {
    output_node(name, inputs, None, grid, submit)
}

/// An array that tasks of its own read from a file or a directory.
pub(crate) fn file_node<T: Element>(
    name: &'static str,
    source: FileId,
    grid: Grid,
    submit: impl Fn(&Submitter<'_>) -> Result<Vec<Future<ArrayD<T>>>> + Send + Sync + 'static,
) -> Arc<Node> {
    output_node(name, Vec::new(), Some(source), grid, move |client, _| submit(client))
}

fn output_node<T: Element>(
    name: &'static str,
    inputs: Vec<Arc<Node>>,
    source: Option<FileId>,
    grid: Grid,
    submit: impl Fn(&Submitter<'_>, &[Blocks]) -> Result<Vec<Future<ArrayD<T>>>> + Send + Sync + 'static,
) -> Arc<Node> {
    let submit = move |client: &Submitter<'_>, inputs: &[Blocks]| Ok(vec![erased(&submit(client, inputs)?)]);
    let custom = Custom { name, inputs, is_product: false, source, submit: Box::new(submit) };
    Node::new(T::DATA_TYPE, grid, Kind::Output(Arc::new(custom), 0))
}

/// Futures of blocks, whatever their elements.
pub(crate) fn erased<T: Element>(blocks: &[Future<ArrayD<T>>]) -> Vec<Future<Erased>> {
    blocks.iter().map(Future::retype).collect()
}

pub(crate) fn from_function<T, F>(client: &Client, function: F, grid: Grid) -> Array<T>
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
