//! The `maniple` program: what is done outside of a run.

mod clusters;
mod info;
mod job;
mod report;
mod sites;

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;
use maniple_command::job::JobError;
use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Makes and follows batch jobs of programs that run on maniple
#[derive(Parser)]
#[command(name = "maniple", version, arg_required_else_help = true)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the script of a batch job, submit it, follow it to its end
    Job(Box<job::Options>),
    /// Show the clusters that programs can connect to, end one, wait for one
    Clusters(clusters::Options),
    /// Show what a run would find here, and what is wrong: 'mpirun -n 4 maniple info'
    #[command(after_help = info::AFTER_HELP)]
    Info,
    /// Make the report of a run from its trace, or from what is left of a run that was killed
    Report(report::Options),
    /// List the sites whose schedulers and nodes are known
    Sites(sites::Options),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man {
        /// Write one page for each subcommand into this directory instead
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return refuse(&error),
    };
    let outcome = match options.command {
        Command::Job(options) => job::run(*options),
        Command::Clusters(options) => clusters::run(options),
        Command::Info => info::run(),
        Command::Report(options) => report::run(&options),
        Command::Sites(options) => sites::run(&options),
        Command::Completions { shell } => completions(shell),
        Command::Man { directory } => manual(directory),
    };
    outcome.unwrap_or_else(|error| {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("maniple: {error}");
        ExitCode::from(error.downcast_ref().map_or(1, JobError::exit_status))
    })
}

/// Prints help in full, and a mistake in one line.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if is_help {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    // Our own types say what is wrong and what to write instead; clap repeats the option and the
    // value around it.
    let cause = error.source().and_then(|source| source.downcast_ref::<JobError>());
    let option = error.get(clap::error::ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let option = option.split_whitespace().next().unwrap_or_default();
    if let Some(JobError::Option { message, .. }) = cause {
        eprintln!("maniple: {option}: {message}");
        return ExitCode::from(2);
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let message = lines.collect::<Vec<_>>().join(" ");
    let usage = text.lines().find_map(|line| line.trim().strip_prefix("Usage: "));
    let usage = usage.filter(|_| error.kind() == ErrorKind::MissingRequiredArgument);
    let usage = usage.map(|usage| format!("; usage: {usage}")).unwrap_or_default();
    eprintln!("maniple: {}{usage}", message.trim_start_matches("error: "));
    ExitCode::from(2)
}

fn completions(shell: Shell) -> Result<ExitCode, Box<dyn Error>> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "maniple", &mut text);
    io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn manual(directory: Option<PathBuf>) -> Result<ExitCode, Box<dyn Error>> {
    let command = Options::command();
    match directory {
        Some(directory) => clap_mangen::generate_to(command, directory)?,
        None => clap_mangen::Man::new(command).render(&mut io::stdout())?,
    }
    Ok(ExitCode::SUCCESS)
}
