//! How a kernel on a device finds its elements: axes, strides, and which axes count as one. Pure.

use crate::array::kernel::{Follow, Operation, Scope};
use std::ops::Range;

/// The way through a block: axes outer first, those that are kept before those that are reduced.
pub(super) struct Layout {
    /// The lengths of the axes, neighbours that all leaves pass as one counted as one.
    pub(super) lengths: Vec<usize>,
    /// How many of them are kept.
    pub(super) kept: usize,
    /// The leaves of the scope and of the scopes in it, in the order of their steps.
    pub(super) leaves: Vec<Leaf>,
}

/// Where a leaf's elements are: `base`, and a stride for each axis, in elements.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    pub(super) base: i64,
    pub(super) strides: Vec<i64>,
    /// The axes of folds, by their number in the scope: number, length, stride.
    pub(super) folded: Vec<(usize, usize, i64)>,
}

/// A block, in the array that it is part of.
pub(super) struct Region<'a> {
    pub(super) starts: &'a [usize],
    pub(super) shape: &'a [usize],
    pub(super) whole: &'a [usize],
    /// Which axes are reduced; none where nothing is.
    pub(super) reduced: &'a [bool],
}

impl Layout {
    /// `inputs` are the shapes of the input blocks. The last leaf is the index along the reduced axes.
    pub(super) fn new(scope: &Scope, region: &Region<'_>, inputs: &[Vec<usize>]) -> Self {
        let mut leaves = Vec::new();
        collect(scope, region.starts, region.shape, inputs, region.shape.len(), &mut leaves);
        leaves.push(index_leaf(region));
        let is_reduced = |axis: &usize| region.reduced.get(*axis).copied().unwrap_or(false);
        let axes = (0..region.shape.len()).filter(|axis| region.shape[*axis] != 1);
        let (reduced, kept): (Vec<usize>, Vec<usize>) = axes.partition(is_reduced);
        Self::merged(&kept, &reduced, region.shape, leaves)
    }

    fn merged(kept: &[usize], reduced: &[usize], shape: &[usize], mut leaves: Vec<Leaf>) -> Self {
        let (kept, reduced) = (merged(kept, shape, &leaves), merged(reduced, shape, &leaves));
        let all: Vec<&(usize, usize)> = kept.iter().chain(&reduced).collect();
        for leaf in &mut leaves {
            leaf.strides = all.iter().map(|(axis, _)| leaf.strides[*axis]).collect();
        }
        Self { lengths: all.iter().map(|(_, length)| *length).collect(), kept: kept.len(), leaves }
    }

    /// How many places are kept, and how many elements go to each.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.lengths[..self.kept].iter().product(), self.lengths[self.kept..].iter().product())
    }
}

impl Leaf {
    fn new(follows: &[Follow], own: &[usize], offsets: &[usize], shape: &[usize], outer: usize) -> Self {
        let mut leaf = Self { base: 0, strides: vec![0; outer], folded: Vec::new() };
        let mut stride = 1;
        for (follow, length) in follows.iter().zip(own).rev() {
            leaf.base += follow.start * stride;
            if let Some(axis) = follow.axis {
                leaf.base += follow.step * offsets.get(axis).map_or(0, |offset| *offset as i64) * stride;
                match leaf.strides.get_mut(axis) {
                    Some(own) => *own += follow.step * stride,
                    None => leaf.folded.push((axis, shape[axis], follow.step * stride)),
                }
            }
            stride *= *length as i64;
        }
        leaf
    }

    /// Which elements are read, at most: from the first to behind the last.
    pub(super) fn span(&self, lengths: &[usize]) -> Range<i64> {
        let outer = lengths.iter().copied().zip(self.strides.iter().copied());
        let steps = outer.chain(self.folded.iter().map(|(_, length, stride)| (*length, *stride)));
        let (mut first, mut last) = (self.base, self.base);
        for (length, stride) in steps {
            let way = stride * (length as i64 - 1).max(0);
            (first, last) = (first + way.min(0), last + way.max(0));
        }
        first..last + 1
    }
}

/// The leaves of a scope whose axes have these lengths; the axes from `outer` on are those of folds.
fn collect(
    scope: &Scope,
    starts: &[usize],
    shape: &[usize],
    inputs: &[Vec<usize>],
    outer: usize,
    leaves: &mut Vec<Leaf>,
) {
    for step in &scope.steps {
        match &step.operation {
            Operation::Input { slot, follows } => {
                leaves.push(Leaf::new(follows, &inputs[*slot], &[], shape, outer));
            }
            Operation::Generated { shape: whole, follows, .. } => {
                leaves.push(Leaf::new(follows, whole, starts, shape, outer));
            }
            Operation::Fold { scope, lengths, .. } => {
                let shape: Vec<usize> = shape.iter().chain(lengths).copied().collect();
                collect(scope, starts, &shape, inputs, outer, leaves);
            }
            _ => {}
        }
    }
}

/// The index of an element along the reduced axes of the whole array.
fn index_leaf(region: &Region<'_>) -> Leaf {
    let mut leaf = Leaf { base: 0, strides: vec![0; region.shape.len()], folded: Vec::new() };
    let mut stride = 1;
    for axis in (0..region.shape.len()).rev() {
        if region.reduced.get(axis).copied().unwrap_or(false) {
            leaf.base += region.starts[axis] as i64 * stride;
            leaf.strides[axis] = stride;
            stride *= region.whole[axis] as i64;
        }
    }
    leaf
}

/// Of each stretch of axes that every leaf passes as one: the innermost axis, and the length of all.
fn merged(axes: &[usize], shape: &[usize], leaves: &[Leaf]) -> Vec<(usize, usize)> {
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for axis in axes.iter().copied() {
        let length = shape[axis];
        let follows_on =
            |outer: usize| leaves.iter().all(|l| l.strides[outer] == l.strides[axis] * length as i64);
        match merged.last_mut() {
            Some((outer, total)) if follows_on(*outer) => (*outer, *total) = (axis, *total * length),
            _ => merged.push((axis, length)),
        }
    }
    merged
}
