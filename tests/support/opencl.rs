//! What tests need to know of the OpenCL that is installed: PoCL, in general.

use maniple::device::{self, DeviceKind};
use std::{env, path::Path};

/// Whether there is an OpenCL for CPUs. With `MANIPLE_REQUIRE_OPENCL` there must be.
pub(crate) fn is_installed() -> bool {
    if !maniple::info::features().contains(&"opencl") {
        println!("skipped: built without the feature opencl");
        return false;
    }
    let found =
        device::list().is_ok_and(|devices| devices.iter().any(|device| device.kind == DeviceKind::Cpu));
    if !found {
        assert!(env::var_os("MANIPLE_REQUIRE_OPENCL").is_none(), "no OpenCL for CPUs is installed");
        println!("skipped: no OpenCL for CPUs is installed");
    }
    found
}

/// Whether the processor has halves to bind two workers to.
pub(crate) fn has_tiles() -> bool {
    is_installed() && device::list().is_ok_and(|devices| devices[0].tile_count == 2)
}

/// Arguments of `/bin/sh` with which each rank runs a program with a cache of its own below `caches`:
/// PoCL's is not made for several processes.
pub(crate) fn with_own_caches<'a>(caches: &'a Path, program: &'a Path, args: &[&'a str]) -> Vec<&'a str> {
    let script = "export POCL_CACHE_DIR=\"$0/$$\"; mkdir \"$POCL_CACHE_DIR\" && exec \"$@\"";
    let text = |path: &'a Path| path.to_str().expect("a path in UTF-8");
    [&["-c", script, text(caches), text(program)], args].concat()
}
