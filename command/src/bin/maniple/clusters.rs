//! `maniple clusters`: the clusters of this user that serve sessions.

use clap::{Args, Subcommand};
use maniple::clusters::{self, ServingCluster};
use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// End a cluster; its sessions are told
    Stop {
        /// The name that `maniple clusters` shows, or a connection file
        name: PathBuf,
    },
    /// Wait until a cluster can be connected to
    Wait {
        /// The name that `maniple clusters` shows, or a connection file
        name: PathBuf,
        /// How long to wait, in seconds
        #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
        timeout: u64,
    },
}

pub(crate) fn run(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    match options.command {
        None => show(&clusters::list()?)?,
        Some(Command::Stop { name }) => clusters::stop(name, Duration::from_secs(60))?,
        Some(Command::Wait { name, timeout }) => {
            let cluster = clusters::wait_ready(name, Duration::from_secs(timeout))?;
            writeln!(io::stdout(), "{}", cluster.file.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(clusters: &[ServingCluster]) -> io::Result<()> {
    let mut out = io::stdout();
    if clusters.is_empty() {
        return writeln!(out, "no cluster serves: start a program with --serve");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
    let widest = |text: fn(&ServingCluster) -> &str, least| {
        clusters.iter().map(|cluster| text(cluster).len()).max().unwrap_or(0).max(least)
    };
    let (name, host) = (widest(|cluster| &cluster.name, 4), widest(|cluster| &cluster.host, 4));
    writeln!(
        out,
        "{:name$}  {:host$}  {:>5} {:>7} {:>7} {:>7} {:>9} {:>9} {:>8}  job",
        "name", "host", "ranks", "workers", "threads", "devices", "age", "left", "sessions"
    )?;
    for cluster in clusters {
        let sessions = cluster.sessions.map_or("?".into(), |sessions| sessions.to_string());
        let left = cluster.ends.map_or("-".into(), |ends| clock(ends - now));
        writeln!(
            out,
            "{:name$}  {:host$}  {:>5} {:>7} {:>7} {:>7} {:>9} {left:>9} {sessions:>8}  {}",
            cluster.name,
            cluster.host,
            cluster.ranks,
            cluster.workers,
            cluster.threads,
            cluster.devices,
            clock(now - cluster.started),
            cluster.job.as_deref().unwrap_or("-"),
        )?;
    }
    Ok(())
}

/// Seconds as hours, minutes and seconds.
fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
