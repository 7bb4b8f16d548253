//! `maniple info`: what a run would find where it is started, and what is wrong there.

use maniple::{
    Rank, clusters,
    info::{Facts, Library, Place, Survey, findings, list},
};
use maniple_command::job::Walltime;
use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

/// The last lines of `maniple info --help`.
pub(crate) const AFTER_HELP: &str = "Exit status: 0 when nothing is wrong, 1 when something is. Every finding is a line that begins with 'wrong:' \
     and ends with what to do.";

pub(crate) fn run() -> Result<ExitCode, Box<dyn Error>> {
    let survey = Survey::take();
    if survey.rank != Rank(0) {
        // Rank 0 speaks for all, and launchers end all ranks when one fails.
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = io::stdout().lock();
    show(&survey, &mut out)?;
    let wrong = findings(&survey);
    writeln!(out)?;
    for finding in &wrong {
        writeln!(out, "wrong: {finding}")?;
    }
    if wrong.is_empty() {
        writeln!(out, "nothing is wrong")?;
    }
    Ok(ExitCode::from(u8::from(!wrong.is_empty())))
}

fn show(survey: &Survey, out: &mut impl Write) -> io::Result<()> {
    let first = &survey.facts[0];
    writeln!(out, "maniple    {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "features   {}", maniple::info::features().join(", "))?;
    writeln!(out, "MPI        {}", library(first.library.as_ref()))?;
    let launcher = first.launcher.as_ref().map(|(name, size)| format!("{name}, {size} ranks"));
    writeln!(out, "launcher   {}", launcher.as_deref().unwrap_or("none"))?;
    for (name, value) in &first.variables {
        writeln!(out, "           {name}={value}")?;
    }
    if let Some(left) = survey.time_left {
        writeln!(out, "time left  {}", Walltime(left.as_secs()))?;
    }
    if let Some(tools) = &first.build_tools {
        let launchers = tools.launchers.iter().map(|(name, family)| format!("{name} of {}", family.name()));
        let libclang = if tools.has_libclang { "libclang" } else { "no libclang" };
        let tools: Vec<String> = launchers.chain([libclang.to_string()]).collect();
        writeln!(out, "tools      {}", tools.join(", "))?;
    }
    if let Ok(cluster) = &survey.cluster {
        writeln!(out, "\n{cluster:#}")?;
    }
    survey.hosts().iter().try_for_each(|(facts, ranks)| show_host(facts, ranks, out))?;
    show_clusters(out)
}

/// The clusters that serve sessions; what is left of others is removed.
fn show_clusters(out: &mut impl Write) -> io::Result<()> {
    for path in clusters::remove_leftovers().unwrap_or_default() {
        writeln!(out, "\nremoved    {}: its cluster has ended", path.display())?;
    }
    let standing = clusters::list().unwrap_or_default();
    let names: Vec<&str> = standing.iter().map(|cluster| cluster.name.as_str()).collect();
    match names.is_empty() {
        true => Ok(()),
        false => writeln!(out, "\nclusters   {} (see 'maniple clusters')", names.join(", ")),
    }
}

fn library(library: Option<&Library>) -> String {
    let Some(Library { version, file, thread_level }) = library else {
        return "none: built without the feature mpi".into();
    };
    let file = file.as_ref().map(|file| format!(", {}", file.display())).unwrap_or_default();
    let level = thread_level.as_deref().unwrap_or("not initialised: one process does all");
    format!("{version}{file}\n           {level}")
}

fn show_host(facts: &Facts, ranks: &[Rank], out: &mut impl Write) -> io::Result<()> {
    let s = if ranks.len() == 1 { "" } else { "s" };
    writeln!(out, "\nhost {}: rank{s} {}", facts.host, list(ranks.iter().map(|rank| rank.0)))?;
    writeln!(out, "  cores    {} of CPUs {}", facts.core_count, list(facts.cpus.iter().copied()))?;
    let limit = facts.memory.cgroup_bytes.map(|bytes| format!(", limited to {} by its cgroup", gib(bytes)));
    writeln!(out, "  memory   {}{}", gib(facts.memory.host_bytes), limit.unwrap_or_default())?;
    for (name, place) in [("scratch", &facts.scratch), ("shared", &facts.shared_memory)] {
        let words = place.as_ref().map(|Place { path, file_system, bytes, free_bytes }| {
            format!("{}, {file_system}, {} of {} free", path.display(), gib(*free_bytes), gib(*bytes))
        });
        writeln!(out, "  {name:8} {}", words.as_deref().unwrap_or("none"))?;
    }
    match &facts.devices {
        Ok(devices) => devices.iter().try_for_each(|device| writeln!(out, "  OpenCL   {device}")),
        Err(words) => writeln!(out, "  OpenCL   none: {words}"),
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_listed_as_ranges() {
        assert_eq!(list([0, 1, 2, 5, 7, 8].into_iter()), "0-2,5,7-8");
        assert_eq!(list(std::iter::empty()), "");
    }
}
