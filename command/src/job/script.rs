//! The text of a job script.

use super::{JobError, Launcher, Layout, Memory, Request, Shell, Site, System, shell::is_variable_name};

/// A job that is fully decided: what is asked for, where, and with which layout.
///
/// Placeholders in a site's or a user's text stand for what was computed:
///
/// | placeholder | value |
/// |---|---|
/// | `{nodes}` | nodes |
/// | `{ranks}`, `{workers}` | ranks and workers altogether |
/// | `{ranks_per_node}`, `{workers_per_node}` | the same on a node |
/// | `{threads}` | threads of a worker |
/// | `{cpus_per_node}`, `{memory_per_node}`, `{gpus_per_node}` | what is asked of a node |
/// | `{cpus}`, `{memory}` | what is asked of all nodes together |
/// | `{account}` | the account |
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) system: System,
    pub(super) request: Request,
    pub(super) site: Site,
    pub(super) layout: Layout,
    /// Whether the user, or the site, said how much memory a worker needs.
    pub(super) asked_for_memory: bool,
}

impl Plan {
    /// Decides a job.
    ///
    /// # Errors
    ///
    /// Fails if the request contradicts itself or the site.
    pub fn new(system: System, request: Request, site: Site) -> Result<Self, JobError> {
        site.must_run(&site.title, system)?;
        if request.command.is_empty() {
            return Err(JobError::option("PROGRAM", "no program is named: write it after --"));
        }
        if let Some(variable) = request.environment.iter().find(|variable| !is_variable_name(&variable.name))
        {
            let message = format!("'{}' is not the name of an environment variable", variable.name);
            return Err(JobError::option("--env", message));
        }
        if let Some(text) = request.command.iter().find(|text| text.contains('\0')) {
            return Err(JobError::option("PROGRAM", format!("{text:?} holds a zero byte")));
        }
        let request = request.at(&site);
        let layout = Layout::new(&(&request).into())?;
        let asked_for_memory = request.memory.is_some();
        Ok(Self { system, request, site, layout, asked_for_memory })
    }

    /// The layout of the ranks.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The script. `made_by` is the command line that made it, for its head.
    ///
    /// # Errors
    ///
    /// Fails if the launcher cannot do what is asked, or a text holds a placeholder without value.
    pub fn script(&self, made_by: Option<&str>) -> Result<String, JobError> {
        let shell = self.request.shell.clone().unwrap_or_default();
        let mut lines = vec![shell.to_string()];
        lines.extend(self.head(made_by).into_iter().map(|line| format!("# {line}")));
        lines.extend(self.directives()?);
        lines.push(String::new());
        lines.extend(self.preparation(&shell));
        lines.extend(self.run(&shell)?);
        Ok(lines.join("\n") + "\n")
    }

    /// The comments at the head: the layout, and what a user may want to edit.
    fn head(&self, made_by: Option<&str>) -> Vec<String> {
        let table = self.layout.table();
        let mut lines = vec![format!("{}: {}", one_line(self.request.job_name()), table[0])];
        lines.extend(table[1..].iter().map(|line| format!("  {line}")));
        let request = &self.request;
        let parts = [
            (request.account.is_some() || self.lacks_account(), "account"),
            (request.queue.is_some(), "queue"),
            (request.walltime.is_some(), "walltime"),
            (self.site.resources.is_some(), "resources"),
            (!request.modules.is_empty(), "modules"),
            (true, "program"),
        ];
        let parts: Vec<_> =
            parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
        lines.push(format!("Edit: {}. Submit: {} FILE", parts.join(", "), self.system.submit_program()));
        if let Some(made_by) = made_by {
            lines.push("For another size, make it anew by:".into());
            lines.push(format!("  {}", one_line(made_by)));
        }
        lines
    }

    /// The lines before the program: where it runs, with which modules and variables.
    fn preparation(&self, shell: &Shell) -> Vec<String> {
        let mut lines = Vec::new();
        if self.system != System::Slurm {
            lines.push("cd \"$PBS_O_WORKDIR\"".into());
        }
        if !self.request.modules.is_empty() {
            let modules: Vec<_> = self.request.modules.iter().map(|module| shell.quote(module)).collect();
            lines.push(format!("module load {}", modules.join(" ")));
        }
        lines.extend(self.request.prologue.iter().cloned());
        lines.extend(self.variables(shell).iter().map(|(name, quoted)| shell.set(name, quoted)));
        lines
    }

    /// The names and quoted values of what the program is told by its environment.
    fn variables(&self, shell: &Shell) -> Vec<(&str, String)> {
        let request = &self.request;
        let options = [
            ("MANIPLE_THREADS", self.layout.threads.map(|threads| threads.to_string())),
            ("MANIPLE_MEMORY_LIMIT", self.layout.memory.as_ref().map(Memory::to_string)),
            ("MANIPLE_INCLUSIVE", request.inclusive.then(|| "1".to_string())),
            ("MANIPLE_DEVICE", request.device.as_ref().map(|device| shell.quote(device))),
            ("MANIPLE_LOCAL_DIRECTORY", request.local_directory.as_ref().map(|path| shell.quote_path(path))),
            ("MANIPLE_SURVIVE", request.survive.then(|| "1".to_string())),
            // When the job ends, rather than how long it may take: several runs may follow each other.
            ("MANIPLE_END_TIME", request.walltime.map(|walltime| shell.end_time(walltime))),
        ];
        let variables = request.environment.iter();
        let is_free = |name: &str| variables.clone().all(|variable| variable.name != name);
        let options = options.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let options = options.filter(|(name, _)| is_free(name)).collect::<Vec<_>>().into_iter();
        let variables = variables.map(|variable| (variable.name.as_str(), shell.quote(&variable.value)));
        options.chain(variables).collect()
    }

    /// The lines that run the program, and end with its exit status.
    fn run(&self, shell: &Shell) -> Result<Vec<String>, JobError> {
        let launcher = self.request.launcher.unwrap_or(Launcher::DEFAULT);
        let template = self.site.launch.as_ref().filter(|_| self.request.mpiexec.is_none());
        let template = template.map(|template| self.fill("launch", template)).transpose()?;
        let variables = self.variables(shell);
        let exported: Vec<_> = variables.iter().map(|(name, _)| *name).collect();
        let mpiexec = self.request.mpiexec.as_deref().map(|program| shell.quote(program));
        let mut launch =
            launcher.launch(&self.layout, self.system, mpiexec.as_deref(), template.as_deref(), &exported)?;
        if self.request.survive {
            launch.survive(launcher)?;
        }
        let program: Vec<_> = self.request.command.iter().map(|word| shell.quote(word)).collect();

        let command = wrapped(&launch.command, &program.join(" "));
        let mut lines = Vec::new();
        if let Some(hosts) = &launch.hosts {
            lines.push(shell.keep_output("hosts", "mktemp"));
            lines.push(hosts.clone());
        }
        let must_remove = launch.hosts.is_some() && shell.outlives_signals().is_some();
        if self.request.epilogue.is_empty() && !must_remove {
            // Nothing comes after, so the launcher takes the script's place: signals reach it, and
            // its status counts.
            lines.push(format!("exec {command}"));
            return Ok(lines);
        }
        lines.extend(shell.outlives_signals().map(str::to_string));
        lines.extend([command, shell.keep_status().into()]);
        lines.extend(launch.hosts.map(|_| "rm -f \"$hosts\"".to_string()));
        lines.extend(self.request.epilogue.iter().cloned());
        lines.push("exit $run_status".into());
        Ok(lines)
    }
}

/// The launcher and the program on one line, or on several where that would be too long to read.
fn wrapped(launch: &str, program: &str) -> String {
    const WIDTH_MAX: usize = 100;
    if launch.len() + program.len() < WIDTH_MAX {
        return format!("{launch} {program}");
    }
    let (launch, exported) = launch.split_at(launch.find(" -x ").unwrap_or(launch.len()));
    let exported = if exported.is_empty() { String::new() } else { format!(" \\\n   {exported}") };
    format!("{launch}{exported} \\\n    {program}")
}

/// The same text without what would end a comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Sites, Variable};
    use super::*;

    fn script(system: System, request: Request) -> String {
        Plan::new(system, request, Site::generic(system)).unwrap().script(None).unwrap()
    }

    #[test]
    fn a_slurm_script_says_what_is_needed_and_no_more() {
        let request = Request {
            nodes: Some(2),
            workers_per_node: Some(6),
            threads: Some(8),
            walltime: Some("90m".parse().unwrap()),
            ..Request::program(["./pi", "--samples", "1e12"])
        };
        let expected = "\
#!/bin/bash
# pi: 14 ranks on 2 nodes, 12 workers of 8 threads
#   node 1: scheduler, driver, 6 workers
#   node 2: 6 workers
# Edit: walltime, program. Submit: sbatch FILE
#SBATCH --job-name=pi
#SBATCH --time=01:30:00
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=6
#SBATCH --cpus-per-task=8

export MANIPLE_THREADS=8
export MANIPLE_END_TIME=$(date -d '+5400 seconds' +%s)
hosts=$(mktemp)
scontrol show hostnames | awk '{ for (i = 0; i < (NR == 1 ? 8 : 6); i++) print }' | head -n 14 > \"$hosts\"
trap : INT TERM USR1
mpirun -n 14 --hostfile \"$hosts\" --map-by seq:OVERSUBSCRIBE --bind-to none \\
    -x MANIPLE_THREADS -x MANIPLE_END_TIME \\
    ./pi --samples 1e12
run_status=$?
rm -f \"$hosts\"
exit $run_status
";
        assert_eq!(script(System::Slurm, request), expected);
    }

    #[test]
    fn every_directive_has_its_notation() {
        let request = Request {
            nodes: Some(2),
            ranks_per_node: Some(4),
            threads: Some(2),
            memory: Some("2GiB".parse().unwrap()),
            device: Some("gpu".into()),
            gpus_per_node: Some(4),
            queue: Some("long".into()),
            account: Some("ab12".into()),
            name: Some("my-run".into()),
            output: Some("run.log".into()),
            array: Some("0-9".into()),
            mail: Some("me@example.org".into()),
            directives: vec!["--reservation=now".into()],
            skip_directives: vec!["mail-type".into()],
            ..Request::program(["./pi"])
        };
        let directives = |system| {
            let plan = Plan::new(system, request.clone(), Site::generic(system)).unwrap();
            plan.directives().unwrap().join("\n")
        };
        assert_eq!(
            directives(System::Slurm),
            "#SBATCH --job-name=my-run\n#SBATCH --partition=long\n#SBATCH --output=run.log\n\
             #SBATCH --array=0-9\n\
             #SBATCH --mail-user=me@example.org\n#SBATCH --account=ab12\n#SBATCH --nodes=2\n\
             #SBATCH --ntasks-per-node=4\n#SBATCH --cpus-per-task=2\n#SBATCH --mem=8G\n\
             #SBATCH --gpus-per-node=4\n\
             #SBATCH --reservation=now"
        );
        assert_eq!(
            directives(System::Pbs),
            "#PBS -N my-run\n#PBS -q long\n#PBS -j oe\n#PBS -o run.log\n#PBS -J 0-9\n#PBS -M me@example.org\n\
             #PBS -m ae\n#PBS -A ab12\n#PBS -l select=2:ncpus=8:mpiprocs=4:mem=8gb:ngpus=4\n\
             #PBS -l place=scatter\n\
             #PBS --reservation=now"
        );
        assert!(directives(System::Torque).contains("#PBS -t 0-9"));
        assert!(directives(System::Torque).contains("#PBS -l nodes=2:ppn=8\n#PBS -l mem=16gb"));
    }

    fn directives(system: System, request: Request, site: Site) -> String {
        Plan::new(system, request, site).unwrap().directives().unwrap().join("\n") + "\n"
    }

    #[test]
    fn what_a_user_spells_out_takes_the_place_of_what_is_generated_and_stays() {
        let request = Request {
            nodes: Some(2),
            ranks_per_node: Some(4),
            memory: Some("12GB".parse().unwrap()),
            directives: vec!["--mem-per-cpu=4G".into(), "-J mine".into()],
            skip_directives: vec!["mem".into(), "ntasks".into()],
            ..Request::program(["./pi"])
        };
        let slurm = directives(System::Slurm, request.clone(), Site::generic(System::Slurm));
        assert_eq!(slurm, "#SBATCH --nodes=2\n#SBATCH --mem-per-cpu=4G\n#SBATCH -J mine\n");
        let mut site = Sites::built_in().site("gadi", None).unwrap();
        site.directives = vec!["-l storage=scratch/a".into(), "-l jobfs=1gb".into()];
        let request = Request {
            directives: vec!["-l mem=64gb".into(), "-l storage=scratch/b".into()],
            skip_directives: Vec::new(),
            ..request
        };
        let pbs = directives(System::Pbs, request.clone(), site.clone());
        assert!(pbs.contains("-l ncpus=96\n") && pbs.contains("-l jobfs=1gb\n"), "{pbs}");
        assert_eq!(pbs.matches("mem=").count(), 1, "{pbs}");
        assert!(pbs.contains("-l mem=64gb\n") && !pbs.contains("scratch/a"), "{pbs}");
        let request = Request {
            resource_spec: Some("select=3:mem=1gb".into()),
            directives: vec!["-l mem=64gb".into()],
            ..request
        };
        assert!(directives(System::Pbs, request, site).contains("-l select=3:mem=1gb\n"));
    }

    #[test]
    fn a_site_that_demands_an_account_has_the_line_to_be_edited() {
        let site = Sites::built_in().site("aurora", None).unwrap();
        let ask = |account: Option<&str>, directives: &[&str]| {
            let request = Request {
                account: account.map(String::from),
                workers_per_node: Some(2),
                nodes: Some(1),
                resource_spec: Some("select=1".into()),
                directives: directives.iter().map(ToString::to_string).collect(),
                ..Request::program(["./pi"])
            };
            Plan::new(System::Pbs, request, site.clone()).unwrap()
        };
        let mark = "# Edit the account: this site takes no job without one.\n#PBS -A ";
        let (none, given, spelt_out) = (ask(None, &[]), ask(Some("mine"), &[]), ask(None, &["-A mine"]));
        assert!(none.lacks_account() && !given.lacks_account() && !spelt_out.lacks_account());
        let text = none.script(None).unwrap();
        assert!(text.contains(&format!("{mark}PROJECT\n")) && text.contains("# Edit: account"), "{text}");
        assert!(text.contains("#PBS -l filesystems=home:flare\n"), "{text}");
        assert!(given.script(None).unwrap().contains(&format!("{mark}mine\n")));
        let text = spelt_out.script(None).unwrap();
        assert!(text.contains("#PBS -A mine\n") && !text.contains("PROJECT"), "{text}");
    }

    #[test]
    fn the_words_of_a_user_stay_words() {
        let request = Request {
            environment: vec![Variable { name: "WORDS".into(), value: "it's $5!".into() }],
            name: Some("two words".into()),
            ..Request::program(["./pi", "a b", "*", "$HOME"])
        };
        let script = script(System::Slurm, request);
        assert!(script.contains("#SBATCH --job-name=\"two words\"\n"), "{script}");
        assert!(script.contains("export WORDS='it'\\''s $5!'\n"), "{script}");
        assert!(script.ends_with("./pi 'a b' '*' '$HOME'\n"), "{script}");
    }

    #[test]
    fn a_line_break_cannot_leave_a_directive_or_a_comment() {
        let bad = |request: Request| {
            let plan = Plan::new(System::Slurm, request, Site::generic(System::Slurm)).unwrap();
            plan.script(None).unwrap_err().to_string()
        };
        let request = Request { queue: Some("a\nrm -rf x".into()), ..Request::program(["./pi"]) };
        assert!(bad(request).contains("must be one line"));
        let request = Request { name: Some("x".into()), ..Request::program(["./p\ni"]) };
        let plan = Plan::new(System::Slurm, request, Site::generic(System::Slurm)).unwrap();
        let script = plan.script(Some("maniple job slurm --name x -- './p\ni'")).unwrap();
        assert!(script.contains("--name x -- './p i'\n"), "{script}");
    }

    #[test]
    fn a_placeholder_without_value_is_told() {
        let site = Sites::built_in().site("gadi", None).unwrap();
        let request = Request { resource_spec: Some("select={nodez}".into()), ..Request::program(["./pi"]) };
        let error = Plan::new(System::Pbs, request, site).unwrap().script(None).unwrap_err();
        assert_eq!(error.to_string(), "--resource-spec: there is no value for {nodez} in 'select={nodez}'");
    }
}
