//! How an array is cut into blocks. Pure.

use crate::array::{ShapeError, ShapeErrorKind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How one axis is cut.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum AxisChunks {
    /// Into pieces of one size, the last one maybe smaller.
    Regular { length: usize, size: usize },
    /// Before each of these places; the first is 0, the last the length.
    Listed(Vec<usize>),
}

impl AxisChunks {
    /// Pieces of `size` elements. An axis of no elements is one empty piece.
    pub(crate) fn regular(length: usize, size: usize) -> Self {
        Self::Regular { length, size: size.clamp(1, length.max(1)) }
    }

    /// Pieces of these sizes.
    pub(crate) fn listed(sizes: &[usize]) -> Self {
        let length: usize = sizes.iter().sum();
        let first = sizes.first().copied().unwrap_or(0);
        let is_regular = first > 0
            && sizes.iter().rev().skip(1).all(|size| *size == first)
            && sizes.last().is_some_and(|last| *last <= first && *last > 0);
        if is_regular || (length == 0 && sizes.len() <= 1) {
            return Self::regular(length, first);
        }
        let mut place = 0;
        let ends = sizes.iter().map(|size| {
            place += size;
            place
        });
        Self::Listed(std::iter::once(0).chain(ends).collect())
    }

    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Regular { length, .. } => *length,
            Self::Listed(places) => places.last().copied().unwrap_or(0),
        }
    }

    /// How many pieces there are; at least one.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Regular { length, size } => length.div_ceil(*size).max(1),
            Self::Listed(places) => (places.len() - 1).max(1),
        }
    }

    /// Where a piece starts, and its size.
    pub(crate) fn piece(&self, index: usize) -> (usize, usize) {
        match self {
            Self::Regular { length, size } => {
                let start = index * size;
                (start, (*size).min(length - start))
            }
            Self::Listed(places) if places.len() < 2 => (0, 0),
            Self::Listed(places) => (places[index], places[index + 1] - places[index]),
        }
    }

    /// The piece that holds an element, and the element's place in it.
    pub(crate) fn find(&self, element: usize) -> (usize, usize) {
        match self {
            Self::Regular { size, .. } => (element / size, element % size),
            Self::Listed(places) => {
                let piece = places.partition_point(|place| *place <= element) - 1;
                (piece, element - places[piece])
            }
        }
    }

    pub(crate) fn sizes(&self) -> Vec<usize> {
        (0..self.count()).map(|index| self.piece(index).1).collect()
    }

    pub(crate) fn size_max(&self) -> usize {
        match self {
            Self::Regular { length, size } => (*size).min(*length),
            Self::Listed(_) => self.sizes().into_iter().max().unwrap_or(0),
        }
    }

    /// The places where either is cut.
    pub(crate) fn common(&self, other: &Self) -> Self {
        if self == other {
            return self.clone();
        }
        let mut places: Vec<usize> = vec![0];
        for chunks in [self, other] {
            places.extend((0..chunks.count()).map(|index| {
                let (start, size) = chunks.piece(index);
                start + size
            }));
        }
        places.sort_unstable();
        places.dedup();
        let sizes: Vec<usize> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        Self::listed(if sizes.is_empty() { &[0] } else { &sizes })
    }
}

/// Which piece of an axis of an input a block of another array is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The one with the block's own place along this axis of that array.
    Follows(usize),
    /// Always this one: the only one, or the one that holds the element that is repeated.
    Fixed(usize),
}

impl Piece {
    /// The piece that holds the first element, which is repeated: empty ones may lie before it.
    pub(crate) fn repeated(chunks: &AxisChunks) -> Self {
        Self::Fixed(if chunks.length() == 0 { 0 } else { chunks.find(0).0 })
    }

    /// The piece for the block with these coordinates.
    pub(crate) fn of(self, coordinates: &[usize]) -> usize {
        match self {
            Self::Follows(axis) => coordinates[axis],
            Self::Fixed(piece) => piece,
        }
    }
}

/// How an array is cut: axis by axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Grid(pub(crate) Vec<AxisChunks>);

impl Grid {
    pub(crate) fn shape(&self) -> Vec<usize> {
        self.0.iter().map(AxisChunks::length).collect()
    }

    /// How many blocks there are along each axis.
    pub(crate) fn counts(&self) -> Vec<usize> {
        self.0.iter().map(AxisChunks::count).collect()
    }

    /// How many blocks there are.
    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(AxisChunks::count).product()
    }

    /// The coordinates of the block at a place in C order.
    pub(crate) fn coordinates(&self, mut block: usize) -> Vec<usize> {
        let mut coordinates = vec![0; self.0.len()];
        for (axis, chunks) in self.0.iter().enumerate().rev() {
            coordinates[axis] = block % chunks.count();
            block /= chunks.count();
        }
        coordinates
    }

    /// The place in C order of the block with these coordinates.
    pub(crate) fn place(&self, coordinates: &[usize]) -> usize {
        self.0.iter().zip(coordinates).fold(0, |place, (chunks, index)| place * chunks.count() + index)
    }

    /// The blocks that a reduction over these axes puts together for each block of its result, in C order.
    pub(crate) fn groups(&self, reduced: &[bool]) -> Vec<Vec<usize>> {
        let counts = self.counts();
        let kept = |axis: usize| if reduced[axis] { 1 } else { counts[axis] };
        let mut groups = vec![Vec::new(); (0..counts.len()).map(kept).product()];
        for block in 0..self.count() {
            let coordinates = self.coordinates(block);
            let place = (0..counts.len()).fold(0, |place, axis| {
                place * kept(axis) + if reduced[axis] { 0 } else { coordinates[axis] }
            });
            groups[place].push(block);
        }
        groups
    }

    /// The blocks of each line along an axis, in order.
    pub(crate) fn lines(&self, axis: usize) -> Vec<Vec<usize>> {
        let along: Vec<bool> = (0..self.0.len()).map(|own| own == axis).collect();
        self.groups(&along)
    }

    /// A grid of the same shape for work on whole lanes along an axis: no block has more elements than the largest
    /// one of this grid. Either its blocks have whole lanes, or each has a part of one lane.
    pub(crate) fn along(&self, axis: usize) -> Self {
        let (length, size) = (self.0[axis].length(), self.0[axis].size_max());
        let wide = |own: usize| own != axis && self.0[own].size_max() > 1;
        if self.0[axis].count() == 1 || length * self.block_size_max() == 0 || !(0..self.0.len()).any(wide) {
            return self.clone();
        }
        // As many times as long, as many times as thin.
        let (mut times, mut room) = (length.div_ceil(size), self.block_size_max());
        let mut grid = self.clone();
        for own in (0..self.0.len()).filter(|own| wide(*own)) {
            let whole = self.0[own].size_max();
            let thin = (whole / times).max(1);
            times = times.div_ceil(whole / thin);
            if thin < whole {
                grid.0[own] = AxisChunks::regular(self.0[own].length(), thin);
            }
        }
        for own in (0..self.0.len()).filter(|own| *own != axis) {
            room /= grid.0[own].size_max();
        }
        grid.0[axis] = AxisChunks::regular(length, room.min(length));
        grid
    }

    /// Where a block starts, and its shape.
    pub(crate) fn region(&self, block: usize) -> (Vec<usize>, Vec<usize>) {
        let coordinates = self.coordinates(block);
        self.0.iter().zip(coordinates).map(|(chunks, index)| chunks.piece(index)).unzip()
    }

    pub(crate) fn block_size_max(&self) -> usize {
        self.0.iter().map(AxisChunks::size_max).product()
    }

    /// How many parts of blocks go into blocks of another grid of the same shape.
    fn part_count(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).map(|(own, other)| own.common(other).count()).product()
    }

    /// A grid between this one and another of the same shape, if two steps are better than one: if the
    /// one has so many parts that moving each costs more than moving all elements once more.
    ///
    /// Its blocks are as long along each axis as the geometric mean of both; so n parts of n blocks
    /// become the square root of n, twice.
    pub(crate) fn on_the_way_to(&self, other: &Self, element_bytes: usize) -> Option<Self> {
        let parts = self.part_count(other);
        let bytes = self.shape().iter().product::<usize>() * element_bytes;
        let are_small =
            bytes / parts.max(1) < PART_BYTES_MIN && parts > PARTS_FREE * (self.count() + other.count());
        let are_many = parts / self.count().min(other.count()).max(1) > PARTS_OF_BLOCK_MAX;
        if !are_small && !are_many {
            return None;
        }
        let between = self.0.iter().zip(&other.0).map(|(own, other)| {
            let (low, high) = (own.size_max().min(other.size_max()), own.size_max().max(other.size_max()));
            let mean = ((low.max(1) as f64) * high as f64).sqrt();
            // Cut where the smaller ones are.
            let size = (mean / low.max(1) as f64).round() as usize * low;
            AxisChunks::regular(own.length(), size)
        });
        let between = Self(between.collect());
        (self.part_count(&between) + between.part_count(other) < parts / 2).then_some(between)
    }
}

/// Parts of this size are moved as fast as larger ones.
const PART_BYTES_MIN: usize = 8 << 10;
/// So many parts for each block never cost more than the blocks themselves.
const PARTS_FREE: usize = 16;
/// The most parts that a block is cut into, or made of: all of them may be on their way at once.
const PARTS_OF_BLOCK_MAX: usize = 4096;

/// The bytes of the largest element that an array may have.
pub(crate) const ELEMENT_BYTES_MAX: usize = 16;

/// The number of elements of an array of this shape.
///
/// # Errors
///
/// [`ShapeError`] if the array is too big: no number says how many bytes it has, even if its axes without
/// elements had some.
pub(crate) fn checked_size(shape: &[usize], element_bytes: usize) -> Result<usize, ShapeError> {
    let lengths = shape.iter().filter(|length| **length > 0);
    let bytes = lengths.copied().try_fold(element_bytes.max(1), usize::checked_mul);
    match bytes.filter(|bytes| isize::try_from(*bytes).is_ok()) {
        Some(_) => Ok(shape.iter().product()),
        None => Err(ShapeError::new(
            ShapeErrorKind::TooLarge,
            format!(
                "the array is too big: shape {shape:?} with elements of {element_bytes} bytes has more than {} bytes",
                isize::MAX
            ),
        )),
    }
}

/// The sum of lengths.
///
/// # Errors
///
/// [`ShapeError`] if no number holds it.
pub(crate) fn checked_sum(lengths: &[usize]) -> Result<usize, ShapeError> {
    let sum = lengths.iter().copied().try_fold(0, usize::checked_add);
    sum.ok_or_else(|| {
        ShapeError::new(
            ShapeErrorKind::TooLarge,
            format!("the array is too big: an axis of the lengths {lengths:?}"),
        )
    })
}

/// How an array is to be cut, as a user says it.
///
/// ```
/// use maniple::array::{Chunks, chunks};
/// let _all_axes: Chunks = 1000.into();
/// let _an_axis_each: Chunks = chunks([1000, 2]);
/// let _lists: Chunks = vec![vec![5, 5, 7], vec![10]].into();
/// let _by_size: Chunks = Chunks::Auto;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chunks {
    /// About 128 MiB a block, cut along all axes alike.
    #[default]
    Auto,
    /// Blocks of this size along every axis.
    Every(usize),
    /// Blocks of these sizes, one an axis. `usize::MAX` leaves an axis whole.
    Sizes(Vec<usize>),
    /// The sizes of all pieces of each axis.
    Lists(Vec<Vec<usize>>),
}

/// Blocks of these sizes, one an axis: `chunks([1000, 2])`.
pub fn chunks(sizes: impl Into<Vec<usize>>) -> Chunks {
    Chunks::Sizes(sizes.into())
}

impl From<usize> for Chunks {
    fn from(size: usize) -> Self {
        Self::Every(size)
    }
}

impl<const N: usize> From<[usize; N]> for Chunks {
    fn from(sizes: [usize; N]) -> Self {
        Self::Sizes(sizes.into())
    }
}

impl From<Vec<usize>> for Chunks {
    fn from(sizes: Vec<usize>) -> Self {
        Self::Sizes(sizes)
    }
}

impl From<(usize, usize)> for Chunks {
    fn from((rows, columns): (usize, usize)) -> Self {
        Self::Sizes(vec![rows, columns])
    }
}

impl From<Vec<Vec<usize>>> for Chunks {
    fn from(lists: Vec<Vec<usize>>) -> Self {
        Self::Lists(lists)
    }
}

/// The bytes of a block that nobody gave a size for.
const AUTO_BLOCK_BYTES: usize = 128 << 20;

impl Chunks {
    /// The grid of an array of this shape, with elements of `element_bytes` bytes.
    pub(crate) fn grid(&self, shape: &[usize], element_bytes: usize) -> Result<Grid, ShapeError> {
        let rank_error = |count: usize| {
            ShapeError::new(
                ShapeErrorKind::Chunks,
                format!(
                    "chunks are given for {count} axes, the array of shape {shape:?} has {}",
                    shape.len()
                ),
            )
        };
        checked_size(shape, element_bytes)?;
        let sizes = match self {
            Self::Auto => auto_sizes(shape, element_bytes),
            Self::Every(size) => vec![*size; shape.len()],
            Self::Sizes(sizes) => sizes.clone(),
            Self::Lists(lists) => {
                if lists.len() != shape.len() {
                    return Err(rank_error(lists.len()));
                }
                let fits = |(sizes, length): (&Vec<usize>, &usize)| checked_sum(sizes) == Ok(*length);
                if !lists.iter().zip(shape).all(fits) {
                    return Err(ShapeError::new(
                        ShapeErrorKind::Chunks,
                        format!("chunks {lists:?} do not add up to the shape {shape:?}"),
                    ));
                }
                return Ok(Grid(lists.iter().map(|sizes| AxisChunks::listed(sizes)).collect()));
            }
        };
        if sizes.len() != shape.len() {
            return Err(rank_error(sizes.len()));
        }
        if let Some(axis) = sizes.iter().position(|size| *size == 0) {
            return Err(ShapeError::new(
                ShapeErrorKind::Chunks,
                format!("chunks of size 0 along axis {axis} of shape {shape:?}"),
            ));
        }
        Ok(Grid(shape.iter().zip(sizes).map(|(length, size)| AxisChunks::regular(*length, size)).collect()))
    }
}

/// Sizes for blocks of about [`AUTO_BLOCK_BYTES`], cut along all long axes alike.
fn auto_sizes(shape: &[usize], element_bytes: usize) -> Vec<usize> {
    let mut sizes = shape.to_vec();
    let elements_max = (AUTO_BLOCK_BYTES / element_bytes.max(1)).max(1);
    // The axes that are shorter than their share stay whole; the others share what is left.
    let mut open: Vec<usize> = (0..shape.len()).collect();
    open.sort_by_key(|axis| shape[*axis]);
    let mut left = elements_max as f64;
    while !open.is_empty() {
        let share = left.powf(1.0 / open.len() as f64);
        let axis = open.remove(0);
        sizes[axis] = (shape[axis] as f64).min(share.floor()).max(1.0) as usize;
        left /= sizes[axis] as f64;
    }
    sizes
}

impl fmt::Display for Grid {
    /// As Dask writes `chunks`: `((5, 5, 2), (10,))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tuple = |items: Vec<String>| match items.as_slice() {
            [one] => format!("({one},)"),
            items => format!("({})", items.join(", ")),
        };
        let axis =
            |chunks: &AxisChunks| tuple(chunks.sizes().into_iter().map(|size| size.to_string()).collect());
        f.write_str(&tuple(self.0.iter().map(axis).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_an_axis() {
        for chunks in [
            AxisChunks::regular(17, 5),
            AxisChunks::listed(&[3, 9, 1, 4]),
            AxisChunks::regular(0, 5),
            AxisChunks::listed(&[5, 5, 7]),
        ] {
            let mut next = 0;
            for index in 0..chunks.count() {
                let (start, size) = chunks.piece(index);
                assert_eq!(start, next);
                (start..start + size).for_each(|at| assert_eq!(chunks.find(at), (index, at - start)));
                next += size;
            }
            assert_eq!(next, chunks.length());
            assert_eq!(AxisChunks::listed(&chunks.sizes()), chunks);
        }
    }

    #[test]
    fn grids_print_as_dask_does() {
        let grid = Chunks::Every(5).grid(&[17], 8).unwrap();
        assert_eq!(grid.to_string(), "((5, 5, 5, 2),)");
        let grid = chunks([10, 5]).grid(&[15, 15], 8).unwrap();
        assert_eq!(grid.to_string(), "((10, 5), (5, 5, 5))");
        assert_eq!(
            (0..6).map(|block| grid.place(&grid.coordinates(block))).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4, 5]
        );
        assert_eq!(grid.region(5), (vec![10, 10], vec![5, 5]));
    }

    #[test]
    fn auto_chunks_are_near_their_size() {
        for shape in [vec![1 << 30], vec![6_250_000_000, 2], vec![100_000, 100_000], vec![3, 4]] {
            let grid = Chunks::Auto.grid(&shape, 8).unwrap();
            let bytes = grid.block_size_max() * 8;
            assert!(bytes <= AUTO_BLOCK_BYTES, "{shape:?} {bytes}");
            assert!(bytes > AUTO_BLOCK_BYTES / 4 || grid.count() == 1, "{shape:?} {bytes}");
        }
    }

    #[test]
    fn common_cuts_are_those_of_both() {
        let common = AxisChunks::regular(12, 5).common(&AxisChunks::regular(12, 4));
        assert_eq!(common.sizes(), [4, 1, 3, 2, 2]);
        assert_eq!(AxisChunks::regular(0, 5).common(&AxisChunks::listed(&[0])).sizes(), [0]);
    }

    #[test]
    fn many_small_parts_go_in_two_steps() {
        let grid = |sizes: [usize; 2]| chunks(sizes).grid(&[10_000, 10_000], 8).unwrap();
        let (rows, columns) = (grid([10, 10_000]), grid([10_000, 10]));
        assert_eq!(rows.part_count(&columns), 1_000_000);
        let between = rows.on_the_way_to(&columns, 8).unwrap();
        assert!(rows.part_count(&between) + between.part_count(&columns) < 70_000);
        assert!(between.block_size_max() < 110_000, "no block is larger");
        assert_eq!(between.on_the_way_to(&columns, 8), None, "two steps are enough");
        let (rows, columns) = (grid([1000, 10_000]), grid([10_000, 1000]));
        assert_eq!(rows.on_the_way_to(&columns, 8), None, "100 parts are few");
        let whole = grid([10_000, 10_000]);
        let squares = grid([100, 100]);
        assert_eq!(squares.on_the_way_to(&whole, 8), None, "there is nothing to be saved");
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let words = |chunks: Chunks, shape: &[usize]| chunks.grid(shape, 8).unwrap_err().to_string();
        assert!(words(chunks([1, 2, 3]), &[4, 4]).contains("3 axes"));
        assert!(words(chunks([0, 2]), &[4, 4]).contains("size 0"));
        assert!(words(vec![vec![1, 2], vec![4]].into(), &[4, 4]).contains("do not add up"));
    }
}
