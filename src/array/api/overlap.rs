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
        let mut source = self.clone();
        if let Boundary::Constant(value) = boundary {
            for (axis, depth) in depths.iter().enumerate() {
                source = source.pad(axis, *depth, *depth, value);
            }
        }
        let axes =
            self.node.grid.0.iter().zip(depths).map(|(chunks, depth)| Seen::new(chunks, *depth, boundary));
        let axes: Vec<Seen> = axes.collect();
        let trims: Vec<Vec<(usize, usize)>> = (0..self.node.grid.count())
            .map(|block| {
                let coordinates = self.node.grid.coordinates(block);
                axes.iter().zip(coordinates).map(|(axis, piece)| axis.trims[piece]).collect()
            })
            .collect();
        let grid = Grid(axes.iter().map(|axis| AxisChunks::listed(&axis.sizes)).collect());
        let selections = axes.into_iter().map(|axis| Selection::List(axis.indices.into())).collect();
        let seen = Node::new(T::DATA_TYPE, grid, Kind::Gather(source.node, selections));
        let function = Captureless::of(function);
        let node = custom_node("map_overlap", vec![seen], self.node.grid.clone(), move |client, inputs| {
            let blocks = inputs[0].typed::<T>();
            let calls = blocks.into_iter().zip(&trims).map(|(block, trims)| (function, block, trims.clone()));
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
    /// How many are seen before and after each block.
    trims: Vec<(usize, usize)>,
}

impl Seen {
    fn new<T: Copy>(chunks: &AxisChunks, depth: usize, boundary: Boundary<T>) -> Self {
        let length = chunks.length() as i64;
        let index = |place: i64| match boundary {
            Boundary::None => place,
            // The array was padded.
            Boundary::Constant(_) => place + depth as i64,
            Boundary::Nearest => place.clamp(0, length - 1),
            Boundary::Periodic => place.rem_euclid(length),
            Boundary::Reflect if place < 0 => -1 - place,
            Boundary::Reflect if place >= length => 2 * length - 1 - place,
            Boundary::Reflect => place,
        };
        let mut seen = Self { indices: Vec::new(), sizes: Vec::new(), trims: Vec::new() };
        for piece in 0..chunks.count() {
            let (start, size) = chunks.piece(piece);
            let (before, after) = match boundary {
                Boundary::None => (depth.min(start), depth.min(length as usize - start - size)),
                _ => (depth, depth),
            };
            let places = start as i64 - before as i64..(start + size + after) as i64;
            seen.sizes.push(before + size + after);
            seen.trims.push((before, after));
            seen.indices.extend(places.map(|place| index(place) as usize));
        }
        seen
    }
}

fn trimmed<T, U, F>(function: Captureless<F>, block: &ArrayD<T>, trims: Vec<(usize, usize)>) -> ArrayD<U>
where
    T: Element,
    U: Element,
    F: Fn(&ArrayD<T>) -> ArrayD<U> + Copy + Send + Sync + 'static,
{
    let result = function.get()(block);
    assert_eq!(result.shape(), block.shape(), "the function returns the shape that it was given");
    let inside = result.slice_each_axis(|axis| {
        let (before, after) = trims[axis.axis.index()];
        Slice::from(before..axis.len - after)
    });
    inside.as_standard_layout().into_owned()
}
