//! Prepares what the linker is to find: the MPI that this was built with, and no OpenCL.
//!
//! Two MPIs on one machine may have libraries of the same name. Without a search path in the program
//! the loader takes the system's, whichever `mpicc` was used.
//!
//! OpenCL is opened when a program asks for it (`src/device/loader.rs`), but the `ocl` crate asks the
//! linker for a library of its name: it gets an empty one.

use std::{env, fs, path::Path};

/// An archive without members.
const EMPTY_ARCHIVE: &[u8] = b"!<arch>\n";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var_os("OUT_DIR").expect("cargo sets it");
    let archive = Path::new(&folder).join("libOpenCL.a");
    fs::write(&archive, EMPTY_ARCHIVE).expect("cargo's folder can be written");
    println!("cargo::rustc-link-search=native={}", Path::new(&folder).display());
    #[cfg(feature = "mpi")]
    search_path();
}

#[cfg(feature = "mpi")]
fn search_path() {
    for variable in ["MPICC", "MPI_PKG_CONFIG", "CRAY_MPICH_DIR", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    // If there is no MPI, `mpi-sys` says so at length.
    for path in build_probe_mpi::probe().iter().flat_map(|library| &library.lib_paths) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", path.display());
    }
}
