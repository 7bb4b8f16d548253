//! What users call: each method makes a node of the expression, and few compute anything.

pub(super) mod assign;
pub(super) mod blockwise;
pub(super) mod choice;
pub(super) mod covariance;
pub(super) mod create;
pub(super) mod derived;
pub(super) mod explain;
#[cfg(feature = "fourier")]
pub(super) mod fourier;
pub(super) mod groups;
pub(super) mod index;
pub(super) mod linear_algebra;
pub(super) mod operators;
pub(super) mod order;
pub(super) mod overlap;
pub(super) mod quantile;
pub(super) mod reduction;
pub(super) mod reductions;
pub(super) mod scan;
pub(super) mod search;
pub(super) mod sets;
pub(super) mod shape;
pub(super) mod statistics;
pub(super) mod together;
pub(super) mod unique;
