//! Arrays in files, and arrays of the blocks that ranks hand over.

#[cfg(feature = "hdf5")]
pub(super) mod hdf5;
pub(super) mod identity;
pub(super) mod npy;
mod npy_header;
mod rank_blocks;
#[cfg(feature = "zarr")]
mod zarr;
