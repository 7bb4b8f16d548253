# Licensed under either of MIT or Apache-2.0, at your choice.

from spack.package import *


class Maniple(CargoPackage):
    """An MPI-native SPMD task runtime in Rust: rank 0 schedules, rank 1 drives, ranks 2 and up work."""

    license("MIT OR Apache-2.0")

    # No download address yet: `spack dev-build maniple@0.1.0` in a clone.
    version("0.1.0")

    variant("mpi", default=True, description="Ranks as MPI processes")

    depends_on("c", type="build")
    depends_on("rust@1.89:", type="build")
    depends_on("mpi", when="+mpi")
    depends_on("llvm+clang", type="build", when="+mpi")
    depends_on("pkgconfig", type="build", when="+mpi")

    # The command `maniple`; the library is a dependency of programs, built with them.
    build_directory = "command"

    @property
    def build_args(self):
        return [] if self.spec.satisfies("+mpi") else ["--no-default-features"]

    def setup_build_environment(self, env):
        if self.spec.satisfies("+mpi"):
            env.set("MPICC", self.spec["mpi"].mpicc)
            env.set("LIBCLANG_PATH", self.spec["llvm"].prefix.lib)
