//! Which elements of an array are wanted, and where they lie in its pieces: slices, lists of indices, new
//! chunks. Pure.

use crate::{
    array::graph::chunks::{AxisChunks, Grid},
    part::{Assembly, Run},
};
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

/// How one block is gathered.
pub(crate) struct Gathered {
    pub(crate) assembly: Assembly,
    /// The blocks of the source that are needed.
    pub(crate) inputs: Vec<usize>,
    /// Whether it is one of them, as it is.
    pub(crate) is_whole: bool,
}

impl Gathered {
    /// Of a block of `grid`, whose elements are selected from an array that is cut like `source`.
    pub(crate) fn new(grid: &Grid, block: usize, source: &Grid, selections: &[Selection]) -> Self {
        let (starts, shape) = grid.region(block);
        let runs = selections
            .iter()
            .zip(&source.0)
            .enumerate()
            .map(|(axis, (selection, chunks))| selection.runs(chunks, starts[axis], shape[axis]));
        let (assembly, wanted) = Assembly::new(runs.collect());
        let place = |input: usize| {
            let piece = assembly.piece(input);
            let own: Vec<usize> = piece.iter().zip(&wanted).map(|(piece, wanted)| wanted[*piece]).collect();
            source.place(&own)
        };
        let inputs: Vec<usize> = (0..assembly.input_count()).map(place).collect();
        let is_whole = match inputs.as_slice() {
            [place] => assembly.is_identity(&source.region(*place).1),
            _ => false,
        };
        Self { assembly, inputs, is_whole }
    }
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
