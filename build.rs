//! Lets the programs of this package find, when they run, the MPI that they were built with.
//!
//! Two MPIs on one machine may have libraries of the same name. Without a search path in the program
//! the loader takes the system's, whichever `mpicc` was used.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
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
