//! Linear algebra: products of arrays, and factorizations of matrices.
//!
//! Each operation is layers of tasks over blocks, whose work is done by a local library on the one thread
//! of the task: `faer`'s factorizations, and the products of `gemm`.
//!
//! - `contract`: which axes of two arrays are multiplied: `matmul`, `tensordot` ... - `einsum`: by letters.
//! - `product`: the tasks of such a product. - `gemm`: a product of two blocks. - `diagonal`: diagonals, and matrices made of them.
//! - `norm`: norms of any order.
//! - `qr`: tall matrices by a tree of row blocks, others by block columns. - `thin`: one block of a tall matrix. - `svd`: through QR.
//! - `spectral`: eigenvalues, and functions of matrices.
//! - `cholesky`, `lu`, `triangular`: by block columns. - `columns`: what these share.
//! - `local`: factorizations of one matrix.
//!
//! Where an operation works by block columns, one of them must fit into the memory of a worker.

mod contract;
mod diagonal;
mod einsum;
mod gemm;
mod norm;
mod product;

#[cfg(feature = "linear-algebra")]
mod cholesky;
#[cfg(feature = "linear-algebra")]
mod columns;
#[cfg(feature = "linear-algebra")]
mod local;
#[cfg(feature = "linear-algebra")]
mod lu;
#[cfg(feature = "linear-algebra")]
mod qr;
#[cfg(feature = "linear-algebra")]
mod spectral;
#[cfg(feature = "linear-algebra")]
mod svd;
#[cfg(feature = "linear-algebra")]
mod thin;
#[cfg(feature = "linear-algebra")]
mod triangular;

pub use einsum::{einsum, try_einsum};
pub use norm::Norm;
#[cfg(feature = "linear-algebra")]
pub use {lu::Lu, svd::LeastSquares};
