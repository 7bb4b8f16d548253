//! What the environment says about the launcher of this process.
//!
//! A process of a worker that the program itself has started counts as launched, too.
//!
//! An MPI program started by another library's launcher becomes N worlds of one rank each, and
//! neither the launcher nor MPI complains. The launcher's variables tell how many ranks were meant.
//! This module reads them, and nothing else: it works without MPI.

use super::processes::Membership;
use std::env;

/// Slurm's launcher.
const SRUN: &str = "srun";

/// The launcher that started this process, and how many ranks it announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The launcher's name, for people.
    pub name: &'static str,
    /// How many ranks it started.
    pub size: u32,
}

impl Launcher {
    /// The launcher of this process, if one announces itself.
    pub fn of_this_process() -> Option<Self> {
        if let Some(Membership { size, .. }) = Membership::of_this_process() {
            return Some(Self { name: "maniple", size });
        }
        Self::find(|name| env::var(name).ok())
    }

    /// The number of this process among those that the launcher started, if the launcher says.
    pub fn rank_of_this_process() -> Option<u32> {
        if let Some(Membership { rank, .. }) = Membership::of_this_process() {
            return Some(rank.0);
        }
        let names =
            ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PALS_RANKID", "MV2_COMM_WORLD_RANK", "SLURM_PROCID"];
        names.iter().find_map(|name| env::var(name).ok()?.parse().ok())
    }

    /// Whether this is `srun` without a plug-in for MPI: then no library learns from it of other ranks.
    pub(crate) fn is_without_pmi(self) -> bool {
        let mut names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        self.name == SRUN && !names.any(|name| name.starts_with("PMI_") || name.starts_with("PMIX_"))
    }

    /// How to start ranks so that they know of each other.
    pub(crate) fn remedy(self) -> &'static str {
        match self.name {
            SRUN => {
                "start it with srun --mpi=pmix for Open MPI, --mpi=pmi2 for MPICH (srun --mpi=list shows \
                 what there is), or with the launcher of that library"
            }
            _ => "start it with the launcher of that library, or build it with the other one (MPICC)",
        }
    }

    /// The launcher that these variables announce.
    ///
    /// An inner launcher wins over an outer one: `mpirun` within a Slurm step counts as `mpirun`.
    pub(crate) fn find(lookup: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let number = |name: &str| lookup(name).and_then(|text| text.trim().parse::<u32>().ok());
        let in_slurm_step = lookup("SLURM_PROCID").is_some() && lookup("SLURM_STEP_ID").is_some();
        let pmi_name = match () {
            () if in_slurm_step => SRUN,
            () if lookup("PALS_RANKID").is_some() => "mpiexec of PALS",
            () => "mpiexec of MPICH or Intel MPI",
        };
        let announced = [
            ("mpirun of Open MPI", number("OMPI_COMM_WORLD_SIZE")),
            ("mpirun of MVAPICH2", number("MV2_COMM_WORLD_SIZE")),
            (pmi_name, number("PMI_SIZE")),
            ("mpiexec of PALS", number("PALS_SIZE").filter(|_| lookup("PALS_RANKID").is_some())),
            // A batch script, too, has SLURM_NTASKS and SLURM_PROCID, but is no step of `srun`.
            (SRUN, slurm_step_size(number).filter(|_| in_slurm_step)),
        ];
        announced.into_iter().find_map(|(name, size)| Some(Self { name, size: size? }))
    }
}

/// The size of the Slurm step; that of the whole job stands in for it in old versions.
fn slurm_step_size(number: impl Fn(&str) -> Option<u32>) -> Option<u32> {
    number("SLURM_STEP_NUM_TASKS").or_else(|| number("SLURM_NTASKS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Option<(&'static str, u32)> {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Launcher::find(lookup).map(|launcher| (launcher.name, launcher.size))
    }

    #[test]
    fn launchers_announce_their_size() {
        assert_eq!(find(&[("OMPI_COMM_WORLD_SIZE", "4")]), Some(("mpirun of Open MPI", 4)));
        assert_eq!(find(&[("MV2_COMM_WORLD_SIZE", "3")]), Some(("mpirun of MVAPICH2", 3)));
        assert_eq!(find(&[("PMI_SIZE", "2")]), Some(("mpiexec of MPICH or Intel MPI", 2)));
        assert_eq!(find(&[("PMI_SIZE", "24"), ("PALS_RANKID", "0")]), Some(("mpiexec of PALS", 24)));
        assert_eq!(find(&[("PALS_SIZE", "24"), ("PALS_RANKID", "0")]), Some(("mpiexec of PALS", 24)));
    }

    #[test]
    fn a_step_of_srun_is_a_launch() {
        let step = [("SLURM_NTASKS", "8"), ("SLURM_PROCID", "3"), ("SLURM_STEP_ID", "0")];
        assert_eq!(find(&step), Some(("srun", 8)));
        let smaller = [&step[..], &[("SLURM_STEP_NUM_TASKS", "2")]].concat();
        assert_eq!(find(&smaller), Some(("srun", 2)));
        let with_pmi = [&step[..], &[("PMI_SIZE", "8")]].concat();
        assert_eq!(find(&with_pmi), Some(("srun", 8)));
    }

    #[test]
    fn a_batch_script_is_no_launch() {
        assert_eq!(find(&[("SLURM_NTASKS", "8"), ("SLURM_PROCID", "0")]), None);
        assert_eq!(find(&[("SLURM_NTASKS", "8"), ("SLURM_STEP_ID", "0")]), None);
        assert_eq!(find(&[]), None);
    }

    #[test]
    fn the_inner_launcher_wins() {
        let variables = [
            ("SLURM_NTASKS", "8"),
            ("SLURM_PROCID", "0"),
            ("SLURM_STEP_ID", "0"),
            ("OMPI_COMM_WORLD_SIZE", "4"),
        ];
        assert_eq!(find(&variables), Some(("mpirun of Open MPI", 4)));
    }

    #[test]
    fn nonsense_is_ignored() {
        assert_eq!(find(&[("OMPI_COMM_WORLD_SIZE", "many"), ("PMI_SIZE", "2")]).unwrap().1, 2);
    }
}
