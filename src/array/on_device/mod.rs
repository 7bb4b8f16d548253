//! Blocks that devices make: which can be made there, and how the kernels read in OpenCL C. Pure.
//!
//! For fused kernels [`unfit`] decides, [`block`] and [`state`] print; for slices and new chunks
//! [`unfit_parts`]; for products [`unfit_product`]. The text depends on the expression alone:
//! numbers, lengths and strides are arguments, so that all blocks of an array, and the next array of the
//! same form, share a program. `run` has a device run it.
//!
//! Integers, generated arrays, comparisons, casts, `+ - * /` and square roots are what the CPU makes, bit
//! for bit; other functions are OpenCL's own, within a few units in the last place. Products of matrices are
//! made by `product`.

mod expression;
mod layout;
pub(crate) mod product;
mod reduction;
pub(crate) mod run;
mod source;

use crate::array::{
    DataType,
    graph::chunks::Grid,
    kernel::{
        Kernel, Operation, Scope,
        generate::{Distribution, Generator},
        reduce::{Reduction, State},
    },
};
pub(crate) use source::{Argument, Form, Printed, block, state};
use std::fmt;

/// What the devices of a run's workers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Devices {
    /// No worker has one.
    None,
    /// They have no 64-bit floats.
    Single,
    /// They have 64-bit floats.
    Double,
}

/// Why the CPU makes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    NoDevice,
    NoDoubles,
    TooLarge,
    /// It is made where what it is made of was made.
    Elsewhere,
    Lacks(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDevice => f.write_str("no worker has a device"),
            Self::NoDoubles => f.write_str("a device lacks 64-bit floats"),
            Self::TooLarge => f.write_str("blocks of 2^31 elements or more"),
            Self::Elsewhere => f.write_str("as were its blocks"),
            Self::Lacks(what) => write!(f, "devices have no {what}"),
        }
    }
}

/// Why the blocks of a kernel, or their reduction, are not for devices; `None` if they are.
pub(crate) fn unfit(kernel: &Kernel, reduction: Option<Reduction>, devices: Devices) -> Option<Unfit> {
    let needs_doubles = needs_doubles(&kernel.scope)
        || reduction.is_some_and(|reduction| state_needs_doubles(reduction, kernel.scope.data_type()));
    match devices {
        Devices::None => Some(Unfit::NoDevice),
        _ if is_too_large(&kernel.grid) => Some(Unfit::TooLarge),
        _ if let Some(what) = lacking(&kernel.scope) => Some(Unfit::Lacks(what)),
        Devices::Single if needs_doubles => Some(Unfit::NoDoubles),
        Devices::Single | Devices::Double => None,
    }
}

/// Why blocks are not put together on devices of parts of other blocks; `None` if they are. They are where
/// the others were made; only evenly spaced parts are copied there.
pub(crate) fn unfit_parts(
    data_type: DataType,
    grid: &Grid,
    are_even: bool,
    are_on_devices: bool,
    devices: Devices,
) -> Option<Unfit> {
    match devices {
        Devices::None => Some(Unfit::NoDevice),
        _ if !are_on_devices => Some(Unfit::Elsewhere),
        _ if is_too_large(grid) => Some(Unfit::TooLarge),
        _ if expression::family(data_type).is_none() => Some(Unfit::Lacks(data_type.to_string())),
        _ if !are_even => Some(Unfit::Lacks("lists of indices".into())),
        _ => None,
    }
}

/// Why products of matrices of this type, cut like this, are not for devices; `None` if they are.
pub(crate) fn unfit_product<'a>(
    data_type: DataType,
    grids: impl IntoIterator<Item = &'a Grid>,
    devices: Devices,
) -> Option<Unfit> {
    match devices {
        Devices::None => Some(Unfit::NoDevice),
        _ if grids.into_iter().any(is_too_large) => Some(Unfit::TooLarge),
        _ if expression::family(data_type).is_none() => Some(Unfit::Lacks(data_type.to_string())),
        Devices::Single if data_type == DataType::F64 => Some(Unfit::NoDoubles),
        _ => None,
    }
}

/// Whether blocks have more elements than a kernel counts.
fn is_too_large(grid: &Grid) -> bool {
    let elements = grid.0.iter().map(|axis| axis.size_max()).try_fold(1usize, usize::checked_mul);
    elements.is_none_or(|elements| elements >= 1 << 31)
}

/// What a scope has that no device has.
fn lacking(scope: &Scope) -> Option<String> {
    scope.steps.iter().find_map(|step| {
        let type_of = |index: usize| scope.steps[index].data_type;
        let named = |operator: String, of: DataType| format!("{} of {of}", operator.to_lowercase());
        if expression::family(step.data_type).is_none() {
            return Some(format!("{}", step.data_type));
        }
        match &step.operation {
            Operation::Generated {
                generator: generator @ Generator::Random { distribution, .. }, ..
            } => {
                let is_lacking = matches!(distribution, Distribution::Permutation { .. })
                    || distribution.rejection().is_some();
                is_lacking.then(|| generator.name().into())
            }
            Operation::Unary(operator, a) => expression::unary(*operator, type_of(*a), "a")
                .is_none()
                .then(|| named(format!("{operator:?}"), type_of(*a))),
            Operation::Binary(operator, a, _) => expression::binary(*operator, type_of(*a), "a", "b")
                .is_none()
                .then(|| named(format!("{operator:?}"), type_of(*a))),
            Operation::Fold { scope, .. } => lacking(scope),
            _ => None,
        }
    })
}

/// Whether 64-bit floats come up anywhere.
fn needs_doubles(scope: &Scope) -> bool {
    scope.steps.iter().any(|step| {
        step.data_type == DataType::F64
            || match &step.operation {
                Operation::Generated { generator, .. } => generator_needs_doubles(*generator, step.data_type),
                Operation::Fold { reduction, scope, .. } => {
                    needs_doubles(scope) || state_needs_doubles(*reduction, scope.data_type())
                }
                _ => false,
            }
    })
}

fn generator_needs_doubles(generator: Generator, data_type: DataType) -> bool {
    match generator {
        Generator::Integers { .. } | Generator::Eye { .. } => false,
        Generator::Reals { .. } | Generator::Linspace { .. } => true,
        Generator::Random { distribution, .. } => match distribution {
            Distribution::Uniform { .. } => data_type == DataType::F64,
            Distribution::Integers { .. } | Distribution::Permutation { .. } => false,
            _ => true,
        },
    }
}

fn state_needs_doubles(reduction: Reduction, data_type: DataType) -> bool {
    State::part_types(reduction, data_type).contains(&DataType::F64)
}

#[cfg(test)]
mod tests;
