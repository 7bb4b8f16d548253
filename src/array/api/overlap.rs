//! Functions of blocks that see a little of their neighbours: stencils.

use crate::{
    array::{
        Array, Element,
        graph::{
            chunks::{AxisChunks, Grid},
            custom::custom_node,
            gather::Selection,
            node::{Kind, Node},
        },
    },
    task::inputs::Captureless,
};
use ndarray::{ArrayD, Slice};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What lies beyond the ends of an array.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Boundary<T> {
    /// Nothing: blocks at the ends see less.
    None,
    /// This value.
    Constant(T),
    /// The elements at the end again, in the opposite order.
    Reflect,
    /// The last element again and again.
    Nearest,
    /// What lies at the other end.
    Periodic,
}

impl<T: Element> Array<T> {
    /// Has `function` called for each block with `depths` more elements of its neighbours on either side
    /// of each axis, and cuts as many off what it returns, which must have the shape that it was given.
    ///
    /// Only what is seen of neighbours travels. The function is a `fn` or a closure that captures
    /// nothing.
    ///
    /// # Panics
    ///
    /// Panics if there is not one depth for each axis, or a depth is more than the length of its axis.
    ///
    /// ```
    /// use maniple::array::Boundary;
    /// use ndarray::ArrayD;
    /// # maniple::Runtime::builder().execute(|client| {
    /// fn average(x: &ArrayD<f64>) -> ArrayD<f64> {
    ///     let at = |i: usize| x[[i.min(x.len() - 1)]];
    ///     ArrayD::from_shape_fn(x.raw_dim(), |i| (at(i[0].max(1) - 1) + at(i[0]) + at(i[0] + 1)) / 3.0)
    /// }
    /// let x = client.arange(0, 9, 1, 3).cast::<f64>();
    /// let y = x.map_overlap(average, &[1], Boundary::Periodic);
    /// assert_eq!(y.compute()?[[0]], (8.0 + 0.0 + 1.0) / 3.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn map_overlap<U, F>(&self, function: F, depths: &[usize], boundary: Boundary<T>) -> Array<U>
    where
        U: Element,
        F: Fn(&ArrayD<T>) -> ArrayD<U> + Copy + Send + Sync + 'static,
    {
        let shape = self.shape();
        assert!(
            depths.len() == shape.len(),
            "map_overlap: depths are {depths:?}, there must be one for each axis of shape {shape:?}"
        );
        for (axis, (depth, length)) in depths.iter().zip(&shape).enumerate() {
            assert!(
                depth <= length,
                "map_overlap: depth {depth} is more than axis {axis} of shape {shape:?} has"
            );
        }
        let axes =
            self.node.grid.0.iter().zip(depths).map(|(chunks, depth)| Seen::new(chunks, *depth, boundary));
        let axes: Vec<Seen> = axes.collect();
        let margins: Vec<Vec<Margins>> = (0..self.node.grid.count())
            .map(|block| {
                let coordinates = self.node.grid.coordinates(block);
                axes.iter().zip(coordinates).map(|(axis, piece)| axis.margins[piece]).collect()
            })
            .collect();
        let grid = Grid(axes.iter().map(|axis| AxisChunks::listed(&axis.sizes)).collect());
        let selections = axes.into_iter().map(|axis| Selection::List(axis.indices.into())).collect();
        let seen = Node::new(T::DATA_TYPE, grid, Kind::Gather(Arc::clone(&self.node), selections));
        let function = Captureless::of(function);
        let beyond = match boundary {
            Boundary::Constant(value) => Some(value),
            _ => None,
        };
        let node = custom_node("map_overlap", vec![seen], self.node.grid.clone(), move |client, inputs| {
            let blocks = inputs[0].typed::<T>();
            let calls = blocks.into_iter().zip(&margins);
            let calls = calls.map(|(block, margins)| (function, block, margins.clone(), beyond));
            Ok(client.map(trimmed::<T, U, F>, calls))
        });
        self.derive(node)
    }
}

/// What the blocks see along one axis.
struct Seen {
    /// Of all blocks, one after the other.
    indices: Vec<usize>,
    sizes: Vec<usize>,
    /// Of each block.
    margins: Vec<Margins>,
}

/// What a block sees along one axis before and after its own elements: those of its neighbours, and the constant
/// beyond the ends of the array, which its task adds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Margins {
    seen: (usize, usize),
    added: (usize, usize),
}

impl Margins {
    /// How many elements the function is given before and after those of the block.
    fn trims(self) -> (usize, usize) {
        (self.seen.0 + self.added.0, self.seen.1 + self.added.1)
    }
}

impl Seen {
    fn new<T: Copy>(chunks: &AxisChunks, depth: usize, boundary: Boundary<T>) -> Self {
        let length = chunks.length() as i64;
        let index = |place: i64| match boundary {
            Boundary::None | Boundary::Constant(_) => place,
            Boundary::Nearest => place.clamp(0, length - 1),
            Boundary::Periodic => place.rem_euclid(length),
            Boundary::Reflect if place < 0 => -1 - place,
            Boundary::Reflect if place >= length => 2 * length - 1 - place,
            Boundary::Reflect => place,
        };
        let mut seen = Self { indices: Vec::new(), sizes: Vec::new(), margins: Vec::new() };
        for piece in 0..chunks.count() {
            let (start, size) = chunks.piece(piece);
            let inside = (depth.min(start), depth.min(length as usize - start - size));
            let margins = match boundary {
                Boundary::None => Margins { seen: inside, added: (0, 0) },
                Boundary::Constant(_) => {
                    Margins { seen: inside, added: (depth - inside.0, depth - inside.1) }
                }
                _ => Margins { seen: (depth, depth), added: (0, 0) },
            };
            let (before, after) = margins.seen;
            let places = start as i64 - before as i64..(start + size + after) as i64;
            seen.sizes.push(before + size + after);
            seen.margins.push(margins);
            seen.indices.extend(places.map(|place| index(place) as usize));
        }
        seen
    }
}

/// What a function returns for a block and its margins, without these.
fn trimmed<T, U, F>(
    function: Captureless<F>,
    block: &ArrayD<T>,
    margins: Vec<Margins>,
    beyond: Option<T>,
) -> ArrayD<U>
where
    T: Element,
    U: Element,
    F: Fn(&ArrayD<T>) -> ArrayD<U> + Copy + Send + Sync + 'static,
{
    let padded = beyond.and_then(|value| padded(block, &margins, value));
    let block = padded.as_ref().unwrap_or(block);
    let result = function.get()(block);
    assert_eq!(result.shape(), block.shape(), "the function returns the shape that it was given");
    let inside = result.slice_each_axis(|axis| {
        let (before, after) = margins[axis.axis.index()].trims();
        Slice::from(before..axis.len - after)
    });
    inside.as_standard_layout().into_owned()
}

/// A block with a constant beyond the ends of the array; `None` if it lies at none of them.
fn padded<T: Element>(block: &ArrayD<T>, margins: &[Margins], value: T) -> Option<ArrayD<T>> {
    if margins.iter().all(|margins| margins.added == (0, 0)) {
        return None;
    }
    let lengths = block.shape().iter().zip(margins);
    let shape: Vec<usize> = lengths.map(|(length, own)| length + own.added.0 + own.added.1).collect();
    let mut padded = ArrayD::from_elem(shape, value);
    padded
        .slice_each_axis_mut(|axis| {
            let (before, after) = margins[axis.axis.index()].added;
            Slice::from(before..axis.len - after)
        })
        .assign(block);
    Some(padded)
}
