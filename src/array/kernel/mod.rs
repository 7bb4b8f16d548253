//! What one task does to make one block: a fused chain of operations, as data.
//!
//! A [`Kernel`] is a program in steps over the elements of a block. Each step is a leaf (an input
//! block, a generated array, a constant) or an operation on earlier steps. [`evaluate`] runs all
//! steps over a tile of some hundred elements at a time, so that nothing in between leaves the
//! cache; [`reduce`] takes the last step's elements in where only a reduction of them is wanted.
//!
//! Leaves know which of their axes follows which axis of the block: so transposes, broadcasts and,
//! for generated arrays, slices cost nothing.

pub(crate) mod evaluate;
pub(crate) mod generate;
mod half;
pub(crate) mod operators;
pub(crate) mod reduce;
mod tiles;
mod turn;

use crate::array::{DataType, element::Scalar, graph::chunks::Grid};
use generate::Generator;
use operators::{Binary, Unary};
use reduce::Reduction;
use serde::{Deserialize, Serialize};

/// The program that makes the blocks of one array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kernel {
    /// How the array of the last step is cut.
    pub(crate) grid: Grid,
    pub(crate) scope: Scope,
}

/// Steps over the same elements; the last one is the result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) steps: Vec<Step>,
}

impl Scope {
    pub(crate) fn data_type(&self) -> DataType {
        self.steps.last().expect("a scope has a result").data_type
    }

    /// The inputs that are used, and their types.
    pub(crate) fn input_types(&self) -> Vec<(usize, DataType)> {
        let types = self.steps.iter().flat_map(|step| match &step.operation {
            Operation::Input { slot, .. } => vec![(*slot, step.data_type)],
            Operation::Fold { scope, .. } => scope.input_types(),
            _ => Vec::new(),
        });
        types.collect()
    }
}

/// One step, and the type of its elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) data_type: DataType,
    pub(crate) operation: Operation,
}

/// Where the index along one axis of a leaf comes from: `start + step * index`, with the index along
/// an axis of the scope, or `start` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Follow {
    pub(crate) axis: Option<usize>,
    pub(crate) start: i64,
    pub(crate) step: i64,
}

impl Follow {
    /// The same index as along `axis`.
    pub(crate) fn axis(axis: usize) -> Self {
        Self { axis: Some(axis), start: 0, step: 1 }
    }

    /// Always this index.
    pub(crate) fn fixed(start: i64) -> Self {
        Self { axis: None, start, step: 0 }
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Operation {
    Constant(Scalar),
    /// An element of an input block; indices are counted from the block's start.
    Input {
        slot: usize,
        follows: Vec<Follow>,
    },
    /// An element of an array of this shape that is made by index; indices are counted from the
    /// array's start.
    Generated {
        generator: Generator,
        shape: Vec<usize>,
        follows: Vec<Follow>,
    },
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    /// Condition, where it holds, elsewhere.
    Select(usize, usize, usize),
    Cast(usize),
    /// The reduction of another scope's elements over its last axes, which have these lengths.
    Fold {
        reduction: Reduction,
        scope: Scope,
        lengths: Vec<usize>,
    },
}
