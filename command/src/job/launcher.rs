//! The command that starts the ranks.

use super::{JobError, Layout, System};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What starts the ranks of a job. It must belong to the MPI library that the program is linked
/// with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Launcher {
    /// Open MPI's mpirun
    #[value(name = "openmpi")]
    #[serde(rename = "openmpi")]
    OpenMpi,
    /// The mpiexec (Hydra) of MPICH, MVAPICH and Intel MPI
    Mpich,
    /// The mpiexec of HPE Cray PALS
    Pals,
    /// Slurm's srun with its default plug-in for MPI
    Srun,
    /// Slurm's srun with PMIx, for Open MPI
    SrunPmix,
    /// Slurm's srun with PMI-2, for MPICH
    SrunPmi2,
}

impl FromStr for Launcher {
    type Err = JobError;

    /// Reads a name as `--launcher` takes it.
    fn from_str(text: &str) -> Result<Self, JobError> {
        <Self as ValueEnum>::from_str(text, false).map_err(|_| {
            let names = Self::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let names: Vec<String> = names.map(|value| value.get_name().into()).collect();
            JobError::option("launcher", format!("'{text}' is not one of {}", names.join(", ")))
        })
    }
}

/// The part of a script that starts the ranks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Launch {
    /// The words before the program.
    pub(super) command: String,
    /// How the file `$hosts` is written before, if there must be one.
    pub(super) hosts: Option<String>,
}

impl Launch {
    /// Has the launcher let the others live when a rank is lost.
    pub(super) fn survive(&mut self, launcher: Launcher) -> Result<(), JobError> {
        let flag = match launcher {
            Launcher::OpenMpi => " --enable-recovery -x OMPI_MCA_orte_enable_recovery=1",
            Launcher::Mpich => " -disable-auto-cleanup",
            // Slurm's plug-in for PMI-2 lets them live unless told otherwise, also by its WaitTime.
            Launcher::SrunPmi2 => " --kill-on-bad-exit=0 --wait=0",
            Launcher::Pals | Launcher::Srun | Launcher::SrunPmix => {
                let message = "this launcher ends all ranks when one is lost: use --launcher openmpi, mpich or \
                               srun-pmi2";
                return Err(JobError::option("--survive", message));
            }
        };
        // After the options that say where the ranks are: a site may have its own way to begin.
        let end = self.command.find(" -x ").unwrap_or(self.command.len());
        self.command.insert_str(end, flag);
        Ok(())
    }
}

impl Launcher {
    /// The default: Open MPI's `mpirun` knows both Slurm's and PBS's nodes.
    pub const DEFAULT: Self = Self::OpenMpi;

    fn program(self) -> &'static str {
        match self {
            Self::OpenMpi => "mpirun",
            Self::Mpich | Self::Pals => "mpiexec",
            Self::Srun | Self::SrunPmix | Self::SrunPmi2 => "srun",
        }
    }

    fn is_srun(self) -> bool {
        matches!(self, Self::Srun | Self::SrunPmix | Self::SrunPmi2)
    }

    /// The command for a layout.
    ///
    /// `template` is a site's own way where all nodes get the same number of ranks. `exported`
    /// names the variables that must reach ranks on other nodes.
    pub(super) fn launch(
        self,
        layout: &Layout,
        system: System,
        mpiexec: Option<&str>,
        template: Option<&str>,
        exported: &[&str],
    ) -> Result<Launch, JobError> {
        if self.is_srun() && system != System::Slurm {
            let message = format!("srun starts ranks under Slurm only, not under {system}");
            return Err(JobError::option("--launcher", message));
        }
        if self == Self::Pals && !layout.is_even() {
            let message = "PALS puts the same number of ranks on every node: ask for --inclusive, \
                           or for --ranks-per-node with the scheduler and the driver among them";
            return Err(JobError::option("--workers-per-node", message));
        }
        let placed = match (template, layout.is_even()) {
            (Some(template), true) => template.to_string(),
            _ => format!("{} {}", mpiexec.unwrap_or(self.program()), self.placement(layout)),
        };
        let mut words = vec![placed];
        words.extend(self.common(exported));
        let mut command = words.join(" ");
        if self == Self::Mpich {
            // Hydra starts one helper a node by srun, which warns when this asks for more.
            let unset = if system == System::Slurm { "-u SLURM_NTASKS_PER_NODE " } else { "" };
            // Intel MPI and MVAPICH2 bind ranks to fewer cores than a worker has threads.
            command = format!("env {unset}I_MPI_PIN=off MV2_ENABLE_AFFINITY=0 {command}");
        }
        if self.is_srun() && !layout.is_even() {
            // The number that sbatch was told is the workers', and srun would warn that the ranks
            // are others.
            command = format!("env -u SLURM_NTASKS_PER_NODE SLURM_HOSTFILE=\"$hosts\" {command}");
        }
        Ok(Launch { command, hosts: (!layout.is_even()).then(|| self.hosts(layout, system)) })
    }

    /// The options that say how many ranks there are, and where.
    fn placement(self, layout: &Layout) -> String {
        let Layout { ranks, nodes, .. } = *layout;
        let each = layout.ranks_per_node;
        let (is_even, shares) = (layout.is_even(), layout.shares_slots());
        let threads = layout.threads.unwrap_or(1);
        match self {
            Self::OpenMpi if !is_even => {
                format!("-n {ranks} --hostfile \"$hosts\" --map-by seq:OVERSUBSCRIBE")
            }
            // Where a scheduler lists a node once, Open MPI thinks that it has room for one rank.
            Self::OpenMpi => format!("-n {ranks} --map-by ppr:{each}:node:OVERSUBSCRIBE"),
            Self::Mpich if !is_even => format!("-n {ranks} -f \"$hosts\""),
            Self::Mpich => format!("-n {ranks} -ppn {each}"),
            Self::Pals if shares => format!("-n {ranks} --ppn {each} --cpu-bind none"),
            Self::Pals => format!("-n {ranks} --ppn {each} --depth {threads} --cpu-bind depth"),
            Self::Srun | Self::SrunPmix | Self::SrunPmi2 => {
                let plug_in = match self {
                    Self::SrunPmix => "--mpi=pmix ",
                    Self::SrunPmi2 => "--mpi=pmi2 ",
                    _ => "",
                };
                let place = if is_even {
                    format!("--nodes={nodes} --ntasks-per-node={each}")
                } else {
                    "--distribution=arbitrary".into()
                };
                let share = if shares { " --overcommit --cpu-bind=none" } else { "" };
                format!("{plug_in}--ntasks={ranks} {place} --cpus-per-task={threads}{share}")
            }
        }
    }

    /// The options that do not depend on the layout.
    fn common(self, exported: &[&str]) -> Vec<String> {
        match self {
            // Open MPI binds a whole worker to one core or socket, and passes on only what is
            // named.
            Self::OpenMpi => {
                let exported = exported.iter().map(|name| format!("-x {name}"));
                ["--bind-to none".to_string()].into_iter().chain(exported).collect()
            }
            // A site can have told sbatch to export nothing, and srun would follow.
            Self::Srun | Self::SrunPmix | Self::SrunPmi2 => vec!["--export=ALL".into()],
            Self::Mpich | Self::Pals => Vec::new(),
        }
    }

    /// The commands that list hosts: the first takes the scheduler and the driver besides its
    /// workers.
    fn hosts(self, layout: &Layout, system: System) -> String {
        let nodes = match system {
            System::Slurm => "scontrol show hostnames",
            System::Pbs | System::Torque => "uniq \"$PBS_NODEFILE\"",
        };
        let count = format!("(NR == 1 ? {} : {})", layout.first_node_ranks, layout.ranks_per_node);
        if self == Self::Mpich {
            return format!("{nodes} | awk '{{ print $1 \":\" {count} }}' > \"$hosts\"");
        }
        format!(
            "{nodes} | awk '{{ for (i = 0; i < {count}; i++) print }}' | head -n {} > \"$hosts\"",
            layout.ranks
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::Wanted;
    use super::*;

    fn launch(launcher: Launcher, wanted: Wanted, system: System) -> Launch {
        let layout = Layout::new(&wanted).unwrap();
        launcher.launch(&layout, system, None, None, &["MANIPLE_THREADS"]).unwrap()
    }

    const EVEN: Wanted = Wanted {
        nodes: Some(2),
        ranks: Some(6),
        threads: Some(4),
        workers: None,
        workers_per_node: None,
        ranks_per_node: None,
        inclusive: false,
        memory: None,
        cpus_per_node: None,
        memory_per_node: None,
    };
    const EXTRA: Wanted = Wanted { ranks: None, workers_per_node: Some(6), ..EVEN };

    #[test]
    fn even_ranks_need_no_list_of_hosts() {
        let table = [
            (
                Launcher::OpenMpi,
                "mpirun -n 6 --map-by ppr:3:node:OVERSUBSCRIBE --bind-to none -x MANIPLE_THREADS",
            ),
            (
                Launcher::Mpich,
                "env -u SLURM_NTASKS_PER_NODE I_MPI_PIN=off MV2_ENABLE_AFFINITY=0 mpiexec -n 6 -ppn 3",
            ),
            (Launcher::Pals, "mpiexec -n 6 --ppn 3 --depth 4 --cpu-bind depth"),
            (
                Launcher::SrunPmix,
                "srun --mpi=pmix --ntasks=6 --nodes=2 --ntasks-per-node=3 --cpus-per-task=4 --export=ALL",
            ),
        ];
        for (launcher, command) in table {
            let launch = launch(launcher, EVEN, System::Slurm);
            assert_eq!(launch, Launch { command: command.into(), hosts: None });
        }
    }

    #[test]
    fn the_first_node_takes_two_ranks_more() {
        let open_mpi = launch(Launcher::OpenMpi, EXTRA, System::Pbs);
        assert!(
            open_mpi.command.starts_with("mpirun -n 14 --hostfile \"$hosts\" --map-by seq:OVERSUBSCRIBE")
        );
        assert_eq!(
            open_mpi.hosts.unwrap(),
            "uniq \"$PBS_NODEFILE\" | awk '{ for (i = 0; i < (NR == 1 ? 8 : 6); i++) print }' \
             | head -n 14 > \"$hosts\""
        );
        let mpich = launch(Launcher::Mpich, EXTRA, System::Slurm);
        assert_eq!(
            mpich.hosts.unwrap(),
            "scontrol show hostnames | awk '{ print $1 \":\" (NR == 1 ? 8 : 6) }' > \"$hosts\""
        );
        let srun = launch(Launcher::SrunPmi2, EXTRA, System::Slurm);
        let command = "env -u SLURM_NTASKS_PER_NODE SLURM_HOSTFILE=\"$hosts\" srun --mpi=pmi2 \
                       --ntasks=14 --distribution=arbitrary";
        assert!(srun.command.starts_with(command), "{}", srun.command);
    }

    #[test]
    fn launchers_are_told_to_let_the_others_live() {
        let surviving = |launcher: Launcher| {
            let mut launch = launch(launcher, EVEN, System::Slurm);
            launch.survive(launcher).map(|()| launch.command)
        };
        assert_eq!(
            surviving(Launcher::OpenMpi).unwrap(),
            "mpirun -n 6 --map-by ppr:3:node:OVERSUBSCRIBE --bind-to none --enable-recovery \
             -x OMPI_MCA_orte_enable_recovery=1 -x MANIPLE_THREADS"
        );
        assert!(surviving(Launcher::Mpich).unwrap().ends_with("-ppn 3 -disable-auto-cleanup"));
        assert!(surviving(Launcher::SrunPmi2).unwrap().ends_with(" --kill-on-bad-exit=0 --wait=0"));
        assert!(surviving(Launcher::SrunPmix).unwrap_err().to_string().contains("--survive"));
    }

    #[test]
    fn what_a_launcher_cannot_do_is_refused() {
        let layout = Layout::new(&EXTRA).unwrap();
        let error = Launcher::Pals.launch(&layout, System::Pbs, None, None, &[]).unwrap_err();
        assert!(error.to_string().contains("ask for --inclusive"));
        let error = Launcher::SrunPmix.launch(&layout, System::Pbs, None, None, &[]).unwrap_err();
        assert!(error.to_string().contains("not under PBS"));
    }
}
