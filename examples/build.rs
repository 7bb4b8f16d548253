//! Gives the linker the search path of the MPI that Maniple was built with: two MPIs on one machine may have
//! libraries of the same name.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Set by Maniple's own build script, with its feature `mpi`.
    for path in env::var_os("DEP_MANIPLE_MPI_PATHS").iter().flat_map(env::split_paths) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", path.display());
    }
}
