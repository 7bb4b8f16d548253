//! `maniple sites`: which sites are known, and what is known of one.

use maniple_command::job::Sites;
use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// File of sites, over the user's and those built in
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print what is known of a site, as it would be written in a file of sites
    Show {
        /// The site
        name: String,
    },
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let sites = Sites::read(options.config.as_deref())?;
    let mut out = io::stdout().lock();
    match &options.command {
        Some(Command::Show { name }) => write!(out, "{}", sites.show(name)?)?,
        None => {
            for name in sites.names() {
                let site = sites.site(name, None)?;
                writeln!(out, "{name:12} {:8} {}", site.scheduler.name(), site.title)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
