//! How a block is put together from parts of others: slices, lists of indices, new chunks. Pure, but
//! for the copying.

use super::{Element, chunks::AxisChunks, kernel::evaluate::Memory};
use ndarray::{ArrayD, ArrayView, ArrayViewMut, Axis, IxDyn, Slice};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which indices of an axis are wanted, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    Range { start: usize, step: i64, count: usize },
    List(Arc<[usize]>),
}

impl Selection {
    /// All of an axis.
    pub(crate) fn whole(length: usize) -> Self {
        Self::Range { start: 0, step: 1, count: length }
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        match self {
            Self::Range { count, .. } => *count,
            Self::List(list) => list.len(),
        }
    }

    pub(crate) fn at(&self, place: usize) -> usize {
        match self {
            Self::Range { start, step, .. } => (*start as i64 + step * place as i64) as usize,
            Self::List(list) => list[place],
        }
    }

    /// The pieces of what is selected from an axis cut like this: the parts of its pieces.
    pub(crate) fn chunks(&self, chunks: &AxisChunks) -> AxisChunks {
        if *self == Self::whole(chunks.length()) {
            return chunks.clone();
        }
        match self {
            // No piece of the result shall be larger than those there are.
            Self::List(list) => AxisChunks::regular(list.len(), chunks.size_max()),
            Self::Range { count, .. } => {
                let mut sizes: Vec<usize> = Vec::new();
                let mut last = None;
                let mut place = 0;
                while place < *count {
                    let run = self.run(chunks, place, *count);
                    match last == Some(run.piece) {
                        true => *sizes.last_mut().expect("a piece was begun") += run.count,
                        false => sizes.push(run.count),
                    }
                    last = Some(run.piece);
                    place += run.count;
                }
                AxisChunks::listed(if sizes.is_empty() { &[0] } else { &sizes })
            }
        }
    }

    /// The selected indices from `place` on, before `end`, that lie evenly in one piece.
    fn run(&self, chunks: &AxisChunks, place: usize, end: usize) -> Run {
        let (piece, from) = chunks.find(self.at(place));
        let (first, size) = chunks.piece(piece);
        match self {
            Self::Range { step, .. } => {
                let left = match step {
                    0 => usize::MAX,
                    step if *step > 0 => (size - 1 - from) / *step as usize + 1,
                    step => from / step.unsigned_abs() as usize + 1,
                };
                Run { piece, from, step: *step, count: left.min(end - place) }
            }
            Self::List(list) => {
                let inside = |index: usize| (first..first + size).contains(&index);
                let step = match list.get(place + 1).filter(|next| place + 1 < end && inside(**next)) {
                    Some(next) => *next as i64 - list[place] as i64,
                    None => 1,
                };
                let even = |at: &usize| inside(list[*at]) && list[*at] as i64 - list[at - 1] as i64 == step;
                let count = if step == 0 { 1 } else { 1 + (place + 1..end).take_while(even).count() };
                Run { piece, from, step, count }
            }
        }
    }

    /// What a piece of the result, of `count` indices from `start`, consists of.
    pub(crate) fn runs(&self, chunks: &AxisChunks, start: usize, count: usize) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut place = start;
        while place < start + count {
            let run = self.run(chunks, place, start + count);
            place += run.count;
            runs.push(run);
        }
        runs
    }
}

/// Evenly spaced indices in one piece of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Which piece; in an [`Assembly`], which of those that came.
    pub(crate) piece: usize,
    pub(crate) from: usize,
    pub(crate) step: i64,
    pub(crate) count: usize,
}

/// Copies the combination of runs to where it goes.
type Copy<'a, T> = dyn Fn(&[Run], &mut ArrayViewMut<'_, T, IxDyn>) + 'a;

/// How one block is put together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Assembly {
    /// The runs along each axis.
    pub(crate) axes: Vec<Vec<Run>>,
    /// How many pieces come along each axis; the inputs are all their combinations in C order.
    pub(crate) pieces: Vec<usize>,
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

    pub(crate) fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(|runs| runs.iter().map(|run| run.count).sum()).collect()
    }

    /// What is taken of the piece with this place along each axis, as an assembly of its own.
    pub(crate) fn part(&self, piece: &[usize]) -> Self {
        let of_piece = |(runs, piece): (&Vec<Run>, &usize)| {
            let own = runs.iter().filter(|run| run.piece == *piece);
            own.map(|run| Run { piece: 0, ..*run }).collect()
        };
        Self { axes: self.axes.iter().zip(piece).map(of_piece).collect(), pieces: vec![1; piece.len()] }
    }

    /// The same, where each piece has come as its [`part`](Self::part).
    pub(crate) fn of_parts(&self) -> Self {
        let mut axes = self.axes.clone();
        for (runs, pieces) in axes.iter_mut().zip(&self.pieces) {
            let mut taken = vec![0; *pieces];
            for run in runs {
                (run.from, run.step) = (taken[run.piece], 1);
                taken[run.piece] += run.count;
            }
        }
        Self { axes, pieces: self.pieces.clone() }
    }

    /// Whether the one input is the block as it is.
    pub(crate) fn is_identity(&self, shape: &[usize]) -> bool {
        let is_whole = |(runs, length): (&Vec<Run>, &usize)| match runs.as_slice() {
            [run] => run.from == 0 && (run.step == 1 || run.count == 1) && run.count == *length,
            _ => false,
        };
        self.axes.iter().zip(shape).all(is_whole)
    }

    /// Puts the block together.
    pub(crate) fn assemble<T: Element>(&self, inputs: &[Memory], shapes: &[Vec<usize>]) -> ArrayD<T> {
        let view = |input: usize| {
            let shape = IxDyn(&shapes[input]);
            ArrayView::from_shape(shape, inputs[input].slice::<T>()).expect("memory of that shape")
        };
        if self.axes.iter().all(|runs| runs.len() == 1) {
            let part = view(0);
            return part.slice_each_axis(|axis| slice(&self.axes[axis.axis.index()][0])).to_owned();
        }
        let mut block = ArrayD::from_elem(self.shape(), T::default());
        self.copy(
            &mut block.view_mut(),
            0,
            &mut vec![],
            &|choice, target: &mut ArrayViewMut<'_, T, IxDyn>| {
                let input = choice
                    .iter()
                    .zip(&self.pieces)
                    .fold(0, |place, (run, pieces)| place * pieces + run.piece);
                target.assign(&view(input).slice_each_axis(|axis| slice(&choice[axis.axis.index()])));
            },
        );
        block
    }

    /// Calls `copy` with each combination of runs and where it goes.
    fn copy<T: Element>(
        &self,
        target: &mut ArrayViewMut<'_, T, IxDyn>,
        axis: usize,
        choice: &mut Vec<Run>,
        copy: &Copy<'_, T>,
    ) {
        if axis == self.axes.len() {
            return copy(choice, target);
        }
        let mut start = 0;
        for run in &self.axes[axis] {
            let range = Slice::from(start..start + run.count);
            choice.push(*run);
            self.copy(&mut target.slice_axis_mut(Axis(axis), range), axis + 1, choice, copy);
            choice.pop();
            start += run.count;
        }
    }
}

/// A run as `ndarray` writes it: a range, and a step that reverses it if negative.
fn slice(run: &Run) -> Slice {
    let last = run.from as i64 + run.step * (run.count as i64 - 1);
    let (low, high) = (last.min(run.from as i64), last.max(run.from as i64));
    Slice::new(low as isize, Some(high as isize + 1), if run.count == 1 { 1 } else { run.step as isize })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_give_the_selected_indices() {
        let chunks = AxisChunks::listed(&[5, 3, 9]);
        let selections = [
            Selection::whole(17),
            Selection::Range { start: 16, step: -3, count: 6 },
            Selection::Range { start: 1, step: 4, count: 4 },
            Selection::List([3, 3, 9, 10, 11, 0, 16, 8, 8, 2, 1, 0].into()),
            Selection::List([].into()),
        ];
        for selection in selections {
            let result = selection.chunks(&chunks);
            assert_eq!(result.length(), selection.count());
            for piece in 0..result.count() {
                let (start, count) = result.piece(piece);
                let runs = selection.runs(&chunks, start, count);
                let indices = runs.iter().flat_map(|run| {
                    let (first, size) = chunks.piece(run.piece);
                    (0..run.count).map(move |step| {
                        let place = run.from as i64 + run.step * step as i64;
                        assert!((0..size as i64).contains(&place), "{run:?}");
                        first + place as usize
                    })
                });
                let wanted: Vec<usize> = (start..start + count).map(|place| selection.at(place)).collect();
                assert_eq!(indices.collect::<Vec<_>>(), wanted, "{selection:?}");
            }
        }
    }
}
