//! Prepares what the linker is to find: the MPI that this was built with, the site's BLAS, and no OpenCL.
//!
//! Two MPIs on one machine may have libraries of the same name. Without a search path in the program
//! the loader takes the system's, whichever `mpicc` was used.
//!
//! OpenCL is opened when a program asks for it (`src/device/loader.rs`), but the `ocl` crate asks the
//! linker for a library of its name: it gets an empty one.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "opencl")]
    empty_opencl();
    // That of this package, which a profile of the user's may set apart from that of the program.
    let level = std::env::var("OPT_LEVEL").expect("cargo sets it");
    println!("cargo::rustc-env=MANIPLE_OPT_LEVEL={level}");
    println!("cargo::rustc-env=MANIPLE_BUILD={}", build());
    #[cfg(feature = "blas")]
    link_blas();
    #[cfg(feature = "mpi")]
    search_path();
}

/// Links the library or libraries that `MANIPLE_BLAS` names (`mkl_rt`, `"blis"`, `"cblas blas"`), from the folder
/// `MANIPLE_BLAS_DIR` if that is set.
#[cfg(feature = "blas")]
fn link_blas() {
    for variable in ["MANIPLE_BLAS", "MANIPLE_BLAS_DIR"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if let Ok(folder) = std::env::var("MANIPLE_BLAS_DIR") {
        println!("cargo::rustc-link-search=native={folder}");
    }
    let names = std::env::var("MANIPLE_BLAS").unwrap_or_else(|_| "openblas".to_string());
    for name in names.split_whitespace() {
        println!("cargo::rustc-link-lib=dylib={name}");
    }
}

/// What a module and a program must have in common: version, features and source of this library, and the compiler.
fn build() -> String {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let compiler = std::process::Command::new(variable("RUSTC")).arg("--version").output();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    let mut features: Vec<String> = std::env::vars()
        .filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase()))
        .filter(|name| name != "default")
        .collect();
    features.sort();
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let mut hasher = std::hash::DefaultHasher::new();
    hash_sources(std::path::Path::new("src"), &mut hasher);
    let source = std::hash::Hasher::finish(&hasher);
    let (version, compiler) = (variable("CARGO_PKG_VERSION"), compiler.unwrap_or_default());
    format!("maniple {version} (source {source:016x}; {}) by {compiler}", features.join(" "))
}

fn hash_sources(folder: &std::path::Path, hasher: &mut impl std::hash::Hasher) {
    let entries = std::fs::read_dir(folder).expect("the sources can be read");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the sources can be read").path()).collect();
    paths.sort();
    for path in paths {
        hasher.write(path.as_os_str().as_encoded_bytes());
        if path.is_dir() {
            hash_sources(&path, hasher);
        } else {
            hasher.write(&std::fs::read(&path).expect("the sources can be read"));
        }
    }
}

#[cfg(feature = "opencl")]
fn empty_opencl() {
    // An archive without members.
    const EMPTY_ARCHIVE: &[u8] = b"!<arch>\n";
    let folder = std::env::var_os("OUT_DIR").expect("cargo sets it");
    let folder = std::path::Path::new(&folder);
    std::fs::write(folder.join("libOpenCL.a"), EMPTY_ARCHIVE).expect("cargo's folder can be written");
    println!("cargo::rustc-link-search=native={}", folder.display());
}

#[cfg(feature = "mpi")]
fn search_path() {
    for variable in ["MPICC", "MPI_PKG_CONFIG", "CRAY_MPICH_DIR", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    // If there is no MPI, `mpi-sys` says so at length.
    let libraries = build_probe_mpi::probe();
    let paths: Vec<_> = libraries.iter().flat_map(|library| &library.lib_paths).collect();
    for path in &paths {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", path.display());
    }
    // Cargo applies that to this package only. Build scripts of others get the paths in `DEP_MANIPLE_MPI_PATHS`.
    if let Ok(paths) = std::env::join_paths(paths) {
        println!("cargo::metadata=MPI_PATHS={}", paths.display());
    }
}
