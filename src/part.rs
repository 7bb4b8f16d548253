//! Regions of arrays: which elements make up a block, and which of them a rank requests from another. Pure.
//!
//! A task that takes little of each of many blocks names what it takes ([`Assembly`]); a block that
//! lies on another rank is not moved: the rank that has it cuts the part out ([`Cut`]) and sends that.

use crate::ids::Size;
use serde::{Deserialize, Serialize};

/// Evenly spaced indices in one piece of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which piece; in an [`Assembly`], which of those that came.
    pub piece: usize,
    /// The first index.
    pub from: usize,
    /// How far the next index is away.
    pub step: i64,
    /// How many indices.
    pub count: usize,
}

/// How one block is put together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assembly {
    /// The runs along each axis.
    pub axes: Vec<Vec<Run>>,
    /// How many pieces come along each axis; the inputs are all their combinations in C order.
    pub pieces: Vec<usize>,
}

/// Which elements of a value are wanted, and what an element is. One is the whole input of a task, made
/// of parts of many values; or the part of one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// How many bytes an element has.
    pub element_bytes: u8,
    /// How an element is aligned.
    pub align: u8,
    /// Which elements.
    pub assembly: Assembly,
}

/// An input of an [`Assembly`]: a block, or the part of it that is wanted.
#[derive(Debug)]
pub(crate) struct Source<'a, T> {
    /// In C order.
    pub(crate) elements: &'a [T],
    pub(crate) shape: &'a [usize],
    pub(crate) is_part: bool,
}

impl Assembly {
    /// Of these runs; also tells which pieces must come along each axis.
    pub(crate) fn new(mut axes: Vec<Vec<Run>>) -> (Self, Vec<Vec<usize>>) {
        let mut wanted = Vec::with_capacity(axes.len());
        for runs in &mut axes {
            let mut pieces: Vec<usize> = runs.iter().map(|run| run.piece).collect();
            pieces.sort_unstable();
            pieces.dedup();
            for run in runs {
                run.piece = pieces.binary_search(&run.piece).expect("it was just put there");
            }
            wanted.push(pieces);
        }
        (Self { axes, pieces: wanted.iter().map(Vec::len).collect() }, wanted)
    }

    /// The shape of the block.
    pub(crate) fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(|runs| runs.iter().map(|run| run.count).sum()).collect()
    }

    /// How many values come.
    pub(crate) fn input_count(&self) -> usize {
        self.pieces.iter().product()
    }

    /// The place along each axis of the input at `place`.
    pub(crate) fn piece(&self, mut place: usize) -> Vec<usize> {
        let mut piece = vec![0; self.pieces.len()];
        for (axis, count) in self.pieces.iter().enumerate().rev() {
            piece[axis] = place % count;
            place /= count;
        }
        piece
    }

    /// What is taken of the input at `place`, as an assembly of its own.
    pub(crate) fn part(&self, place: usize) -> Self {
        let piece = self.piece(place);
        let of_piece = |(runs, piece): (&Vec<Run>, &usize)| {
            let own = runs.iter().filter(|run| run.piece == *piece);
            own.map(|run| Run { piece: 0, ..*run }).collect()
        };
        Self { axes: self.axes.iter().zip(&piece).map(of_piece).collect(), pieces: vec![1; piece.len()] }
    }

    /// The runs along each axis where an input has come as its [`part`](Self::part).
    fn axes_of_parts(&self) -> Vec<Vec<Run>> {
        let mut axes = self.axes.clone();
        for (runs, pieces) in axes.iter_mut().zip(&self.pieces) {
            let mut taken = vec![0; *pieces];
            for run in runs {
                (run.from, run.step) = (taken[run.piece], 1);
                taken[run.piece] += run.count;
            }
        }
        axes
    }

    /// Whether the one input is the block as it is.
    pub(crate) fn is_identity(&self, shape: &[usize]) -> bool {
        let is_whole = |(runs, length): (&Vec<Run>, &usize)| match runs.as_slice() {
            [run] => run.is_whole(*length),
            _ => false,
        };
        self.axes.iter().zip(shape).all(is_whole)
    }

    /// Whether the one input, of this shape, has all the elements.
    pub(crate) fn fits(&self, shape: &[usize]) -> bool {
        let inside = |run: &Run, length: usize| {
            let steps = i64::try_from(run.count).ok()? - 1;
            let last = run.step.checked_mul(steps)?.checked_add(i64::try_from(run.from).ok()?)?;
            // No element is taken again and again.
            if run.step == 0 && run.count > 1 {
                return None;
            }
            let is_inside = run.from < length && (0..length as i64).contains(&last);
            Some((run.count == 0 || is_inside) && run.piece == 0)
        };
        self.axes.len() == shape.len()
            && self.pieces.len() == shape.len()
            && self.pieces.iter().all(|count| *count == 1)
            && self
                .axes
                .iter()
                .zip(shape)
                .all(|(runs, length)| runs.iter().all(|run| inside(run, *length) == Some(true)))
    }

    /// Where the elements lie in the one input, if they follow each other there.
    fn stretch(&self, shape: &[usize]) -> Option<std::ops::Range<usize>> {
        if self.shape().contains(&0) {
            // Wherever they would begin, there are none.
            return Some(0..0);
        }
        let (mut start, mut count) = (0, 1);
        for (runs, length) in self.axes.iter().zip(shape) {
            let [run] = runs.as_slice() else { return None };
            // Before the first axis of which more than one index is taken, each takes one; after it, all.
            if !run.is_whole(*length) && (count != 1 || (run.step != 1 && run.count > 1)) {
                return None;
            }
            (start, count) = (start * length + run.from, count * run.count);
        }
        Some(start..start + count)
    }

    /// Puts the block together: its elements in C order.
    pub(crate) fn assemble<T: Copy>(&self, sources: &[Source<'_, T>]) -> Vec<T> {
        let count = self.shape().iter().product();
        let mut output = Vec::with_capacity(count);
        if count > 0 {
            Assembler::new(self, sources, &mut output).fill(&mut Vec::new());
        }
        output
    }
}

impl Run {
    /// Whether it is all of an axis, in order.
    fn is_whole(&self, length: usize) -> bool {
        self.from == 0 && (self.step == 1 || self.count == 1) && self.count == length
    }
}

/// An assembly at work.
struct Assembler<'a, T> {
    assembly: &'a Assembly,
    /// The runs where an input has come as a part.
    of_parts: Vec<Vec<Run>>,
    sources: &'a [Source<'a, T>],
    strides: Vec<Vec<usize>>,
    /// The axes after these are taken whole from every input.
    open: usize,
    /// How many elements these axes have together.
    inner: usize,
    output: &'a mut Vec<T>,
}

impl<'a, T: Copy> Assembler<'a, T> {
    fn new(assembly: &'a Assembly, sources: &'a [Source<'a, T>], output: &'a mut Vec<T>) -> Self {
        let is_whole = |axis: usize| match assembly.axes[axis].as_slice() {
            [run] => sources.iter().all(|source| run.is_whole(source.shape[axis])),
            _ => false,
        };
        let mut open = assembly.axes.len();
        let mut inner = 1;
        while open > 0 && is_whole(open - 1) {
            open -= 1;
            inner *= sources[0].shape[open];
        }
        let strides = |source: &Source<'_, T>| {
            let mut strides = vec![1; source.shape.len()];
            for axis in (1..strides.len()).rev() {
                strides[axis - 1] = strides[axis] * source.shape[axis];
            }
            strides
        };
        let strides = sources.iter().map(strides).collect();
        Self { assembly, of_parts: assembly.axes_of_parts(), sources, strides, open, inner, output }
    }

    /// Writes all that lies under a choice of a run, and of a step in it, along the first axes.
    fn fill(&mut self, choice: &mut Vec<(usize, usize)>) {
        let axis = choice.len();
        if self.open == 0 {
            return self.output.extend_from_slice(&self.sources[0].elements[..self.inner]);
        }
        for run in 0..self.assembly.axes[axis].len() {
            if axis + 1 == self.open {
                self.copy(choice, run);
                continue;
            }
            for step in 0..self.assembly.axes[axis][run].count {
                choice.push((run, step));
                self.fill(choice);
                choice.pop();
            }
        }
    }

    /// Copies a run along the last open axis.
    fn copy(&mut self, choice: &[(usize, usize)], last: usize) {
        let axis = choice.len();
        let mut input = 0;
        for (axis, run) in choice.iter().map(|(run, _)| *run).chain([last]).enumerate() {
            input = input * self.assembly.pieces[axis] + self.assembly.axes[axis][run].piece;
        }
        let source = &self.sources[input];
        let axes = if source.is_part { &self.of_parts } else { &self.assembly.axes };
        let strides = &self.strides[input];
        let at = |run: &Run, step: usize| (run.from as i64 + run.step * step as i64) as usize;
        let base: usize = choice
            .iter()
            .zip(axes)
            .zip(strides)
            .map(|(((run, step), runs), stride)| at(&runs[*run], *step) * stride)
            .sum();
        let run = &axes[axis][last];
        if run.count == 0 {
            // It may begin beyond all elements.
            return;
        }
        let inner = self.inner;
        if run.step == 1 {
            let start = base + run.from * inner;
            return self.output.extend_from_slice(&source.elements[start..start + run.count * inner]);
        }
        let starts = (0..run.count).map(|step| base + at(run, step) * inner);
        match inner {
            1 => self.output.extend(starts.map(|start| source.elements[start])),
            _ => {
                starts.for_each(|start| self.output.extend_from_slice(&source.elements[start..start + inner]))
            }
        }
    }
}

/// The bytes of a part.
#[derive(Debug)]
pub(crate) enum PartBytes {
    /// They follow each other in the value.
    Stretch(std::ops::Range<usize>),
    Copied(Vec<u8>),
}

impl Cut {
    /// What is taken of the input at `place`.
    pub(crate) fn part(&self, place: usize) -> Self {
        Self { assembly: self.assembly.part(place), ..*self }
    }

    /// How large the elements are together.
    pub(crate) fn size(&self) -> Size {
        let count: usize = self.assembly.shape().iter().product();
        Size { bytes: (count * usize::from(self.element_bytes)) as u64, align: self.align }
    }

    /// The elements, out of the bytes of a value of this shape.
    ///
    /// # Errors
    ///
    /// Says so if the value has no such elements.
    pub(crate) fn of_bytes(&self, bytes: &[u8], shape: &[usize]) -> Result<PartBytes, String> {
        let width = usize::from(self.element_bytes);
        let whole = shape.iter().try_fold(width, |bytes, length| bytes.checked_mul(*length));
        if whole != Some(bytes.len()) || !self.assembly.fits(shape) {
            return Err(format!("a value of shape {shape:?} and {} bytes has no part {self:?}", bytes.len()));
        }
        if let Some(elements) = self.assembly.stretch(shape) {
            return Ok(PartBytes::Stretch(elements.start * width..elements.end * width));
        }
        fn copied<const WIDTH: usize>(cut: &Cut, bytes: &[u8], shape: &[usize]) -> Vec<u8> {
            let (elements, _) = bytes.as_chunks::<WIDTH>();
            let part = cut.assembly.assemble(&[Source { elements, shape, is_part: false }]);
            part.into_flattened()
        }
        let copied = match width {
            1 => copied::<1>,
            2 => copied::<2>,
            4 => copied::<4>,
            8 => copied::<8>,
            16 => copied::<16>,
            _ => return Err(format!("no element has {width} bytes")),
        };
        Ok(PartBytes::Copied(copied(self, bytes, shape)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, ArrayD, Axis, IxDyn, concatenate};

    fn numbers(shape: &[usize]) -> ArrayD<u32> {
        let count: usize = shape.iter().product();
        Array::from_iter(0..count as u32).into_shape_with_order(IxDyn(shape)).unwrap()
    }

    fn run(piece: usize, from: usize, step: i64, count: usize) -> Run {
        Run { piece, from, step, count }
    }

    /// The elements that `ndarray` finds.
    fn select(array: &ArrayD<u32>, axes: &[Vec<Run>]) -> ArrayD<u32> {
        let mut array = array.clone();
        for (axis, runs) in axes.iter().enumerate() {
            let indices: Vec<usize> = runs
                .iter()
                .flat_map(|run| {
                    (0..run.count).map(|step| (run.from as i64 + run.step * step as i64) as usize)
                })
                .collect();
            array = array.select(Axis(axis), &indices);
        }
        array.as_standard_layout().into_owned()
    }

    #[test]
    fn parts_are_what_ndarray_selects() {
        let array = numbers(&[6, 7, 5]);
        let all = |length| vec![run(0, 0, 1, length)];
        let cuts = [
            vec![all(6), all(7), all(5)],
            vec![vec![run(0, 2, 1, 3)], all(7), all(5)],
            vec![vec![run(0, 2, 1, 1)], vec![run(0, 1, 1, 4)], all(5)],
            vec![vec![run(0, 5, -2, 3)], vec![run(0, 0, 3, 3)], vec![run(0, 4, -1, 5)]],
            vec![vec![run(0, 1, 1, 2), run(0, 0, 1, 1)], all(7), vec![run(0, 1, 1, 2)]],
            vec![all(6), vec![run(0, 6, 1, 1), run(0, 0, 2, 3)], all(5)],
            // Where nothing is taken from may be anywhere.
            vec![all(6), vec![run(0, 900, 1, 0), run(0, 1, 1, 2)], all(5)],
        ];
        let mut stretches = 0;
        for axes in cuts {
            let expected = select(&array, &axes);
            let cut = Cut { element_bytes: 4, align: 4, assembly: Assembly { axes, pieces: vec![1; 3] } };
            let bytes: &[u8] = bytemuck::cast_slice(array.as_slice().unwrap());
            let part = match cut.of_bytes(bytes, &[6, 7, 5]).unwrap() {
                PartBytes::Stretch(range) => {
                    stretches += 1;
                    bytes[range].to_vec()
                }
                PartBytes::Copied(bytes) => bytes,
            };
            assert_eq!(part.len() as u64, cut.size().bytes);
            let elements: Vec<u32> = bytemuck::allocation::pod_collect_to_vec(&part);
            assert_eq!(elements, expected.iter().copied().collect::<Vec<_>>(), "{cut:?}");
            assert_eq!(cut.assembly.shape(), expected.shape());
        }
        assert_eq!(stretches, 3, "what follows each other is not copied");
    }

    #[test]
    fn a_block_is_the_same_of_blocks_and_of_parts() {
        let (left, right) = (numbers(&[4, 3]), numbers(&[4, 5]).mapv(|x| x + 100));
        let rows = vec![run(0, 3, -1, 2), run(0, 0, 1, 1)];
        let (assembly, wanted) =
            Assembly::new(vec![rows, vec![run(7, 1, 1, 2), run(9, 4, -2, 3), run(7, 0, 1, 1)]]);
        assert_eq!(wanted, [vec![0], vec![7, 9]]);
        let both = concatenate(Axis(1), &[left.view(), right.view()]).unwrap();
        let expected: Vec<u32> =
            both.select(Axis(0), &[3, 2, 0]).select(Axis(1), &[1, 2, 7, 5, 3, 0]).iter().copied().collect();
        let blocks = [left, right];
        for parts in [[false, false], [true, false], [false, true], [true, true]] {
            let inputs: Vec<ArrayD<u32>> = (0..2)
                .map(|place| match parts[place] {
                    true => select(&blocks[place], &assembly.part(place).axes),
                    false => blocks[place].clone(),
                })
                .collect();
            let sources: Vec<Source<'_, u32>> = inputs
                .iter()
                .zip(parts)
                .map(|(input, is_part)| Source {
                    elements: input.as_slice().unwrap(),
                    shape: input.shape(),
                    is_part,
                })
                .collect();
            assert_eq!(assembly.assemble(&sources), expected, "{parts:?}");
        }
    }

    #[test]
    fn a_part_that_a_value_does_not_have_is_refused() {
        let cut = |axes: Vec<Vec<Run>>| {
            let pieces = vec![1; axes.len()];
            Cut { element_bytes: 1, align: 1, assembly: Assembly { axes, pieces } }
        };
        let bytes = [0; 12];
        for axes in [
            vec![vec![run(0, 0, 1, 12)]],
            vec![vec![run(0, 0, 1, 4)], vec![run(0, 0, 1, 3)]],
            vec![vec![run(0, 2, -2, 3)], vec![run(0, 0, 1, 3)]],
            vec![vec![run(0, 1, i64::MAX, 3)], vec![run(0, 0, 1, 3)]],
            vec![vec![run(1, 0, 1, 3)], vec![run(0, 0, 1, 3)]],
        ] {
            assert!(cut(axes.clone()).of_bytes(&bytes, &[3, 4]).is_err(), "{axes:?}");
        }
        assert!(cut(vec![vec![run(0, 0, 1, 1)]]).of_bytes(&bytes, &[13]).is_err());
    }
}
