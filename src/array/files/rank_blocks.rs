//! Arrays of the blocks that the ranks of an MPI program have, and back.

use crate::{
    array::{
        Array, Element,
        api::create::blocks_node,
        error::expect,
        graph::chunks::{AxisChunks, Grid},
    },
    client::{Client, Future},
    error::Result,
};
use ndarray::ArrayD;

impl Client {
    /// The array of the blocks that ranks have handed over
    /// ([`execute_with_parts`](crate::Builder::execute_with_parts)). `ranks` is how many there are along each
    /// axis; they are counted in C order, as MPI's Cartesian communicators do. The blocks stay where they are.
    ///
    /// Their shapes are asked for at once: blocks may differ, but those side by side fit each other.
    ///
    /// # Errors
    ///
    /// As [`Future::result`]; and, naming the rank, if a block does not fit the others.
    ///
    /// # Panics
    ///
    /// Panics if there are not as many blocks as ranks, or no axis.
    ///
    /// ```
    /// use ndarray::{ArrayD, IxDyn};
    /// // Every rank has two rows of a matrix; on one rank that is all of it.
    /// let mine = ArrayD::from_elem(IxDyn(&[2, 3]), 5.0);
    /// let scaled = maniple::Runtime::builder().execute_with_parts(mine, |client, blocks| {
    ///     let x = client.from_rank_blocks(&blocks, [blocks.len(), 1])?;
    ///     (&x / x.max()).to_rank_blocks()
    /// })?;
    /// assert_eq!(scaled, ArrayD::<f64>::ones(IxDyn(&[2, 3])));
    /// # Ok::<(), maniple::Error>(())
    /// ```
    #[track_caller]
    pub fn from_rank_blocks<T: Element>(
        &self,
        blocks: &[Future<ArrayD<T>>],
        ranks: impl Into<Vec<usize>>,
    ) -> Result<Array<T>> {
        let ranks: Vec<usize> = ranks.into();
        assert!(
            !ranks.is_empty()
                && ranks.iter().try_fold(1, |count: usize, own| count.checked_mul(*own))
                    == Some(blocks.len()),
            "from_rank_blocks: {} blocks in a grid of {ranks:?} ranks",
            blocks.len()
        );
        let shapes = self.map(|block: &ArrayD<T>| block.shape().to_vec(), blocks);
        let grid = grid_of::<T>(&self.gather(&shapes)?, &ranks)?;
        Ok(Array::new(self, blocks_node::<T>(grid, blocks)))
    }
}

/// How the array is cut whose blocks have these shapes.
fn grid_of<T>(shapes: &[Vec<usize>], ranks: &[usize]) -> Result<Grid> {
    let counted = Grid(ranks.iter().map(|count| AxisChunks::regular(*count, 1)).collect());
    // The first block along each axis tells how its line is cut.
    let size = |axis: usize, place: usize| {
        let mut coordinates = vec![0; ranks.len()];
        coordinates[axis] = place;
        shapes[counted.place(&coordinates)].get(axis).copied().unwrap_or(0)
    };
    let sizes = |axis: usize| (0..ranks[axis]).map(|place| size(axis, place)).collect::<Vec<_>>();
    let cuts: Vec<Vec<usize>> = (0..ranks.len()).map(sizes).collect();
    for (rank, shape) in shapes.iter().enumerate() {
        let due: Vec<usize> =
            counted.coordinates(rank).iter().zip(&cuts).map(|(place, sizes)| sizes[*place]).collect();
        if *shape != due {
            let words = format!(
                "the block of rank {rank} has shape {shape:?}; {due:?} would fit the others in a grid of {ranks:?}"
            );
            return Err(words.into());
        }
    }
    let whole: Vec<usize> = cuts.iter().map(|sizes| sizes.iter().sum()).collect();
    let grid = crate::array::Chunks::Lists(cuts).grid(&whole, size_of::<T>());
    Ok(expect("from_rank_blocks", grid))
}

impl<T: Element> Array<T> {
    /// The blocks as futures, one for each rank that works, to be given back to the ranks by
    /// [`execute_with_parts`](crate::Builder::execute_with_parts). An array that was made
    /// [of the ranks' blocks](Client::from_rank_blocks) and is cut as it was, gives each rank the block at the
    /// place of its own.
    ///
    /// # Errors
    ///
    /// As [`persist`](Self::persist).
    pub fn to_rank_blocks(&self) -> Result<Vec<Future<ArrayD<T>>>> {
        self.to_futures()
    }
}
