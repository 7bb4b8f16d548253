//! Axes that are named by letters: which blocks of several arrays belong together. Pure.

use crate::array::{
    ShapeError, ShapeErrorKind,
    graph::chunks::{AxisChunks, Grid, Piece},
};

/// The name of an axis.
pub(super) type Label = char;

/// The names of the axes of each array, and of the result.
#[derive(Debug, PartialEq)]
pub(super) struct Labels {
    pub(super) arrays: Vec<Vec<Label>>,
    pub(super) result: Vec<Label>,
}

impl Labels {
    /// Reads `"ik,kj->ij"`, for so many arrays.
    pub(super) fn parse(subscripts: &str, count: usize) -> Result<Self, ShapeError> {
        let words: String = subscripts.chars().filter(|letter| !letter.is_whitespace()).collect();
        let form = || {
            ShapeError::new(
                ShapeErrorKind::Subscripts,
                format!(
                    "blockwise {subscripts:?}: {count} arrays and the result are due, a letter for each axis, \
                 as in \"ij,jk->ik\""
                ),
            )
        };
        let (arrays, result) = words.split_once("->").ok_or_else(form)?;
        let arrays: Vec<Vec<Label>> = arrays.split(',').map(|array| array.chars().collect()).collect();
        let result: Vec<Label> = result.chars().collect();
        let is_letters = arrays.iter().flatten().chain(&result).all(char::is_ascii_alphabetic);
        if arrays.len() != count || !is_letters {
            return Err(form());
        }
        for labels in arrays.iter().chain([&result]) {
            let twice = labels.iter().enumerate().find(|(place, label)| labels[..*place].contains(label));
            if let Some((_, label)) = twice {
                return Err(ShapeError::new(
                    ShapeErrorKind::Subscripts,
                    format!("blockwise {subscripts:?}: {label:?} is there twice"),
                ));
            }
        }
        Ok(Self { arrays, result })
    }

    /// The last axes of all arrays have the same names, as operators broadcast them.
    pub(super) fn trailing(ndims: &[usize]) -> Self {
        let ndim = ndims.iter().copied().max().unwrap_or(0);
        let label = |axis: usize| char::from_u32('a' as u32 + axis as u32).expect("arrays have few axes");
        let result: Vec<Label> = (0..ndim).map(label).collect();
        Self { arrays: ndims.iter().map(|own| result[ndim - own..].to_vec()).collect(), result }
    }
}

/// How one axis of the operation is cut: one letter.
struct Axis {
    label: Label,
    chunks: AxisChunks,
}

/// How the arrays are cut for an operation, and its result.
#[derive(Debug)]
pub(super) struct Alignment {
    /// How each array is to be cut.
    pub(super) arrays: Vec<Grid>,
    pub(super) result: Grid,
    /// For each axis of each array, which of its pieces a block of the result is made of.
    follows: Vec<Vec<Piece>>,
}

impl Alignment {
    /// `sizes` are those of the result's blocks where they are not the arrays'; what is not virtual says how
    /// the others are cut.
    pub(super) fn new(
        labels: &Labels,
        grids: &[(&Grid, bool)],
        sizes: &[(Label, Vec<usize>)],
    ) -> Result<Self, ShapeError> {
        for (labels, (grid, _)) in labels.arrays.iter().zip(grids) {
            if labels.len() != grid.0.len() {
                return Err(ShapeError::new(
                    ShapeErrorKind::Subscripts,
                    format!("{} axes are named for the shape {:?}", labels.len(), grid.shape()),
                ));
            }
        }
        let axes = axes(labels, grids)?;
        let find = |label: Label| axes.iter().find(|axis| axis.label == label);
        let result = labels.result.iter().map(|label| {
            let given = sizes.iter().find(|(own, _)| own == label).map(|(_, sizes)| sizes);
            match (find(*label), given) {
                (Some(axis), None) => Ok(axis.chunks.clone()),
                (Some(axis), Some(sizes)) if sizes.len() == axis.chunks.count() => {
                    Ok(AxisChunks::listed(sizes))
                }
                (Some(axis), Some(sizes)) => Err(ShapeError::new(
                    ShapeErrorKind::Chunks,
                    format!(
                        "{} sizes of blocks along {label:?}, which is cut into {}",
                        sizes.len(),
                        axis.chunks.count()
                    ),
                )),
                (None, Some(sizes)) if sizes.len() == 1 => Ok(AxisChunks::regular(sizes[0], sizes[0])),
                (None, _) => Err(ShapeError::new(
                    ShapeErrorKind::Chunks,
                    format!("{label:?} of the result is in no array: the size of its one block is due"),
                )),
            }
        });
        let result = Grid(result.collect::<Result<_, _>>()?);
        if let Some((label, _)) = sizes.iter().find(|(label, _)| !labels.result.contains(label)) {
            return Err(ShapeError::new(
                ShapeErrorKind::Chunks,
                format!("sizes of blocks along {label:?}, which the result has not"),
            ));
        }
        let (mut arrays, mut follows) = (Vec::new(), Vec::new());
        for (labels_of, (grid, _)) in labels.arrays.iter().zip(grids) {
            let mut cut = Vec::new();
            let mut follow = Vec::new();
            for (label, own) in labels_of.iter().zip(&grid.0) {
                let common = &find(*label).expect("every letter of an array is there").chunks;
                let is_repeated = own.length() == 1 && common.length() != 1;
                let chunks = if is_repeated { own.clone() } else { common.clone() };
                let place = labels.result.iter().position(|of_result| of_result == label);
                follow.push(match place.filter(|_| chunks.count() > 1) {
                    Some(axis) if !is_repeated => Piece::Follows(axis),
                    _ => Piece::repeated(&chunks),
                });
                cut.push(chunks);
            }
            arrays.push(Grid(cut));
            follows.push(follow);
        }
        Ok(Self { arrays, result, follows })
    }

    /// The places of the blocks of each array that a block of the result is made of.
    pub(super) fn places(&self, block: usize) -> Vec<usize> {
        let coordinates = self.result.coordinates(block);
        let place = |(follows, grid): (&Vec<Piece>, &Grid)| {
            let own: Vec<usize> = follows.iter().map(|piece| piece.of(&coordinates)).collect();
            grid.place(&own)
        };
        self.follows.iter().zip(&self.arrays).map(place).collect()
    }
}

/// Each letter of the arrays, and how they are cut along it: wherever one of them is; along what the result
/// has not, not at all.
fn axes(labels: &Labels, grids: &[(&Grid, bool)]) -> Result<Vec<Axis>, ShapeError> {
    let all = || {
        labels.arrays.iter().zip(grids).flat_map(|(labels, (grid, is_virtual))| {
            labels.iter().zip(&grid.0).map(|(label, chunks)| (*label, chunks, *is_virtual))
        })
    };
    let mut axes: Vec<Axis> = Vec::new();
    for (label, ..) in all() {
        if axes.iter().any(|axis| axis.label == label) {
            continue;
        }
        let own = || all().filter(move |(other, ..)| *other == label);
        let lengths = || own().map(|(_, chunks, _)| chunks.length());
        let length = lengths().find(|length| *length != 1).unwrap_or(1);
        if lengths().any(|other| other != 1 && other != length) {
            let shapes: Vec<String> = grids.iter().map(|(grid, _)| format!("{:?}", grid.shape())).collect();
            return Err(ShapeError::new(
                ShapeErrorKind::Mismatch,
                format!("the blocks of shapes {} do not fit along {label:?}", shapes.join(" and ")),
            ));
        }
        let fitting = || own().filter(|(_, chunks, _)| chunks.length() == length);
        let of_blocks = fitting().filter(|(.., is_virtual)| !is_virtual).map(|(_, chunks, _)| chunks.clone());
        let chunks = match labels.result.contains(&label) {
            false => AxisChunks::regular(length, length),
            true => of_blocks
                .reduce(|a, b| a.common(&b))
                .or_else(|| fitting().map(|(_, chunks, _)| chunks.clone()).next())
                .expect("some array has this length"),
        };
        axes.push(Axis { label, chunks });
    }
    Ok(axes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(sizes: &[&[usize]]) -> Grid {
        Grid(sizes.iter().map(|sizes| AxisChunks::listed(sizes)).collect())
    }

    #[test]
    fn letters_are_read() {
        let labels = Labels::parse("ik, kj -> ij", 2).unwrap();
        assert_eq!(labels.arrays, [['i', 'k'], ['k', 'j']]);
        assert_eq!(labels.result, ['i', 'j']);
        assert_eq!(Labels::trailing(&[2, 1]), Labels::parse("ab,b->ab", 2).unwrap());
        assert!(Labels::parse("->", 1).unwrap().arrays[0].is_empty());
        for wrong in ["ij", "ij->ij", "i1,j->i", "ii,j->i", "i,j->jj"] {
            assert!(Labels::parse(wrong, 2).is_err(), "{wrong}");
        }
    }

    #[test]
    fn blocks_that_belong_together_are_found() {
        let (left, right) = (grid(&[&[2, 3], &[4, 4]]), grid(&[&[8], &[5, 1]]));
        let labels = Labels::parse("ik,kj->ij", 2).unwrap();
        let aligned = Alignment::new(&labels, &[(&left, false), (&right, false)], &[]).unwrap();
        // What is summed over is whole.
        assert_eq!(aligned.arrays, [grid(&[&[2, 3], &[8]]), grid(&[&[8], &[5, 1]])]);
        assert_eq!(aligned.result, grid(&[&[2, 3], &[5, 1]]));
        let places: Vec<Vec<usize>> = (0..4).map(|block| aligned.places(block)).collect();
        assert_eq!(places, [[0, 0], [0, 1], [1, 0], [1, 1]]);
    }

    #[test]
    fn arrays_are_cut_alike_and_short_axes_repeated() {
        let (left, right) = (grid(&[&[1], &[6]]), grid(&[&[2, 2], &[4, 2]]));
        let labels = Labels::trailing(&[2, 2]);
        let aligned = Alignment::new(&labels, &[(&left, false), (&right, false)], &[]).unwrap();
        assert_eq!(aligned.arrays, [grid(&[&[1], &[4, 2]]), right.clone()]);
        assert_eq!((0..4).map(|block| aligned.places(block)[0]).collect::<Vec<_>>(), [0, 1, 0, 1]);
        let error = |right: &Grid, sizes: &[(char, Vec<usize>)]| {
            Alignment::new(&labels, &[(&left, false), (right, false)], sizes).unwrap_err().to_string()
        };
        assert!(error(&grid(&[&[4], &[5]]), &[]).contains("[1, 6] and [4, 5]"));
        assert!(error(&right, &[('a', vec![1])]).contains("cut into 2"));
        assert!(error(&right, &[('z', vec![1])]).contains("has not"));
    }
}
