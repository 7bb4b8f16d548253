//! Arrays in files, and arrays of the blocks that ranks hand over.

pub(super) mod identity;
pub(super) mod npy;
mod npy_header;
mod rank_blocks;
#[cfg(feature = "zarr")]
mod zarr;
