//! The `#SBATCH` and `#PBS` lines of a script.

use super::{
    JobError, Memory, Plan, System,
    family::{self, asked, replaces},
};

/// Room for the scheduler and the driver, where the workers do not take the whole node.
const EXTRA_MEMORY: Memory = Memory(2 << 30);

impl Plan {
    /// The directives, whole lines, in the order in which they are printed.
    pub(super) fn directives(&self) -> Result<Vec<String>, JobError> {
        let (mut generated, prefix) = match self.system {
            System::Slurm => (self.slurm()?, "#SBATCH"),
            System::Pbs | System::Torque => (self.pbs()?, "#PBS"),
        };
        let (of_site, of_user) = self.own_directives()?;
        generated = self.without(generated, &of_site);
        generated.extend(of_site);
        let is_skipped = |line: &String| self.request.skip_directives.iter().any(|text| line.contains(text));
        generated.retain(|line| !is_skipped(line));
        let mut lines = self.without(generated, &of_user);
        lines.extend(of_user);
        if let Some(line) = lines.iter().find(|line| line.chars().any(char::is_control)) {
            let message = format!("a directive must be one line of text: {line:?}");
            return Err(JobError::option("--directive", message));
        }
        let account = self.account_directive()?.filter(|_| self.site.account_required);
        let mut printed = Vec::new();
        for line in lines {
            if account.as_ref() == Some(&line) {
                printed.push("# Edit the account: this site takes no job without one.".into());
            }
            printed.push(format!("{prefix} {line}"));
        }
        Ok(printed)
    }

    /// The directives that the site, and those that the user spelt out. The request has both.
    fn own_directives(&self) -> Result<(Vec<String>, Vec<String>), JobError> {
        let filled = self.request.directives.iter().map(|directive| self.fill("--directive", directive));
        let mut of_site = filled.collect::<Result<Vec<_>, _>>()?;
        let of_user = of_site.split_off(self.site.directives.len().min(of_site.len()));
        Ok((of_site, of_user))
    }

    /// These lines without what `directives` say in their place. What the user spelt out as resources stays.
    fn without(&self, lines: Vec<String>, directives: &[String]) -> Vec<String> {
        let asked: Vec<_> = directives.iter().flat_map(|directive| asked(self.system, directive)).collect();
        let is_replaced = |line: &str| {
            let generated = family::asked(self.system, line);
            generated.iter().any(|one| asked.iter().any(|user| replaces(self.system, user, one)))
        };
        let spelt_out = self.request.resource_spec.as_ref().and_then(|spec| self.fill("", spec).ok());
        let is_spelt_out =
            |line: &str| spelt_out.as_ref().is_some_and(|spec| line.trim_start_matches("-l ") == spec);
        lines.into_iter().filter(|line| is_spelt_out(line) || !is_replaced(line)).collect()
    }

    /// Whether the site demands an account and none is given: the script then has a line to be edited.
    pub fn lacks_account(&self) -> bool {
        let names = self.own_directives().map(|(of_site, of_user)| [of_site, of_user].concat());
        let is_account = |directive: &String| {
            let named = asked(self.system, directive);
            named.iter().any(|asked| ["account", "-A"].contains(&asked.name.as_str()))
        };
        self.site.account_required
            && self.request.account.is_none()
            && !names.unwrap_or_default().iter().any(is_account)
    }

    fn slurm(&self) -> Result<Vec<String>, JobError> {
        let request = &self.request;
        let mut lines = vec![format!("--job-name={}", slurm_quote(request.job_name()))];
        let mut say = |name: &str, value: Option<&String>| {
            lines.extend(value.map(|value| format!("--{name}={}", slurm_quote(value))));
        };
        say("partition", request.queue.as_ref());
        say("time", request.walltime.map(|walltime| walltime.to_string()).as_ref());
        say("output", request.output.as_ref());
        say("array", request.array.as_ref());
        say("mail-user", request.mail.as_ref());
        say("mail-type", request.mail.as_ref().map(|_| "END,FAIL".to_string()).as_ref());
        lines.extend(self.account_directive()?);
        lines.extend(self.resources(&self.slurm_resources())?);
        Ok(lines)
    }

    fn slurm_resources(&self) -> Vec<String> {
        let mut resources = vec![
            format!("--nodes={}", self.layout.nodes),
            format!("--ntasks-per-node={}", self.layout.slots_per_node),
        ];
        resources.extend(self.layout.threads.map(|threads| format!("--cpus-per-task={threads}")));
        resources
            .extend(self.memory_asked_per_node().map(|memory| format!("--mem={}", memory.binary("G", "M"))));
        resources.extend(self.gpus_asked_per_node().map(|gpus| format!("--gpus-per-node={gpus}")));
        resources
    }

    fn pbs(&self) -> Result<Vec<String>, JobError> {
        let request = &self.request;
        let name = request.job_name();
        if name.contains(char::is_whitespace) {
            return Err(JobError::option(
                "--name",
                format!("{} takes no name with blanks: '{name}'", self.system),
            ));
        }
        let mut lines = vec![format!("-N {name}")];
        let array = if self.system == System::Torque { "-t" } else { "-J" };
        let mut say = |letter: &str, value: Option<&String>| {
            lines.extend(value.map(|value| format!("{letter} {value}")));
        };
        say("-q", request.queue.as_ref());
        say("-l", request.walltime.map(|walltime| format!("walltime={walltime}")).as_ref());
        lines.push("-j oe".into());
        let mut say = |letter: &str, value: Option<&String>| {
            lines.extend(value.map(|value| format!("{letter} {value}")));
        };
        say("-o", request.output.as_ref());
        say(array, request.array.as_ref());
        say("-M", request.mail.as_ref());
        say("-m", request.mail.as_ref().map(|_| "ae".to_string()).as_ref());
        lines.extend(self.account_directive()?);
        let usual =
            if self.system == System::Torque { self.torque_resources() } else { self.pbs_resources() };
        lines.extend(self.resources(&usual)?.into_iter().map(|resource| format!("-l {resource}")));
        Ok(lines)
    }

    fn pbs_resources(&self) -> Vec<String> {
        let mut chunk = format!("select={}:ncpus={}", self.layout.nodes, self.cpus_asked_per_node());
        chunk += &format!(":mpiprocs={}", self.layout.slots_per_node);
        if let Some(memory) = self.memory_asked_per_node() {
            chunk += &format!(":mem={}", memory.binary("gb", "mb"));
        }
        if let Some(gpus) = self.gpus_asked_per_node() {
            chunk += &format!(":ngpus={gpus}");
        }
        let place = (self.layout.nodes > 1).then(|| "place=scatter".to_string());
        [chunk].into_iter().chain(place).collect()
    }

    fn torque_resources(&self) -> Vec<String> {
        let mut resources = vec![format!("nodes={}:ppn={}", self.layout.nodes, self.cpus_asked_per_node())];
        resources.extend(self.memory_asked().map(|memory| format!("mem={}", memory.binary("gb", "mb"))));
        resources
    }

    fn account_directive(&self) -> Result<Option<String>, JobError> {
        if self.request.account.is_none() && !self.site.account_required {
            return Ok(None);
        }
        let usual = if self.system == System::Slurm { "--account={account}" } else { "-A {account}" };
        self.fill("account_directive", self.site.account_directive.as_deref().unwrap_or(usual)).map(Some)
    }

    /// The resources that the user spelt out, else those that the site does, else the usual.
    fn resources(&self, usual: &[String]) -> Result<Vec<String>, JobError> {
        if let Some(spec) = &self.request.resource_spec {
            return Ok(vec![self.fill("--resource-spec", spec)?]);
        }
        let resources = self.site.resources.as_deref().unwrap_or(usual);
        resources.iter().map(|resource| self.fill("resources", resource)).collect()
    }

    fn cpus_asked_per_node(&self) -> u32 {
        let workers = self.layout.slots_per_node.saturating_mul(self.layout.threads.unwrap_or(1));
        self.request.cpus_per_node.unwrap_or(workers)
    }

    /// What the workers of the fullest node need, or the whole node.
    fn memory_asked_per_node(&self) -> Option<Memory> {
        let node = self.request.memory_per_node;
        let (Some(memory), true) = (self.layout.memory, self.asked_for_memory) else { return node };
        let workers = Memory(memory.0.saturating_mul(self.layout.slots_per_node.into()));
        let extra = if self.layout.shares_slots() { EXTRA_MEMORY.0 } else { 0 };
        let all = Memory(workers.0.saturating_add(extra));
        Some(node.map_or(all, |node| all.min(node)))
    }

    fn memory_asked(&self) -> Option<Memory> {
        let nodes = u64::from(self.layout.nodes);
        self.memory_asked_per_node().map(|memory| Memory(memory.0.saturating_mul(nodes)))
    }

    fn gpus_asked_per_node(&self) -> Option<u32> {
        let has_device = self.request.device.as_deref().is_some_and(|device| device != "cpu");
        self.request.gpus_per_node.filter(|_| has_device)
    }

    /// Replaces the placeholders in a text.
    pub(super) fn fill(&self, option: &'static str, text: &str) -> Result<String, JobError> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| JobError::option(option, format!("a brace is not closed in '{text}'")))?;
            let value = self.value_of(name).ok_or_else(|| {
                JobError::option(option, format!("there is no value for {{{name}}} in '{text}'"))
            })?;
            filled.extend([before, &value]);
            rest = after;
        }
        Ok(filled + rest)
    }

    fn value_of(&self, name: &str) -> Option<String> {
        let layout = &self.layout;
        let binary = |memory: Memory| match self.system {
            System::Slurm => memory.binary("G", "M"),
            System::Pbs | System::Torque => memory.binary("gb", "mb"),
        };
        let number = match name {
            "nodes" => layout.nodes,
            "ranks" => layout.ranks,
            "ranks_per_node" => layout.ranks_per_node,
            "workers" => layout.workers(),
            "workers_per_node" => layout.workers_per_node_max(),
            "threads" => layout.threads?,
            "cpus_per_node" => self.cpus_asked_per_node(),
            "cpus" => self.cpus_asked_per_node().saturating_mul(layout.nodes),
            "gpus_per_node" => self.request.gpus_per_node?,
            "memory_per_node" => return self.memory_asked_per_node().map(binary),
            "memory" => return self.memory_asked().map(binary),
            "account" => {
                let to_edit = || self.site.account_required.then(|| "PROJECT".to_string());
                return self.request.account.clone().or_else(to_edit);
            }
            _ => return None,
        };
        Some(number.to_string())
    }
}

/// Quotes a value as `sbatch` reads directives.
fn slurm_quote(text: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !"'\"\\#".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
