//! `maniple job`: prints a script, submits it, follows the job.

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use maniple::clusters;
use maniple_command::job::{Outcome, Plan, Request, Shell, Site, Sites, Status, Submitted, System, Variable};
use std::{
    env,
    error::Error,
    io::{self, IsTerminal, Write},
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How often a job is asked for that is waited for.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// The exit status, as of a shell, of a program that SIGINT ends.
const INTERRUPTED: u8 = 130;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    system: Batch,
}

#[derive(Subcommand)]
enum Batch {
    /// A job for Slurm
    #[command(after_help = AFTER_HELP)]
    Slurm(JobOptions),
    /// A job for PBS Professional or OpenPBS
    #[command(after_help = AFTER_HELP)]
    Pbs(JobOptions),
    /// A job for Torque
    #[command(after_help = AFTER_HELP)]
    Torque(JobOptions),
}

const AFTER_HELP: &str = "\
With --wait the exit status is that of the job; 124 if it met its walltime, 143 if it was cancelled, 128 and \
the signal if a signal ended it. 2 is a mistake in the options.";

#[derive(Args)]
struct JobOptions {
    /// Site whose nodes and rules count: see 'maniple sites'
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// File of sites, over the user's and those built in
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Submit the script and print the job's id, instead of the script
    #[arg(long)]
    submit: bool,
    /// Follow the submitted job to its end, and end with its exit status
    #[arg(long, requires = "submit")]
    wait: bool,
    /// Have the program serve sessions (see 'maniple clusters'): WORDS as in MANIPLE_SERVE
    #[arg(long, value_name = "WORDS", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    serve: Option<String>,
    /// Wait until the submitted job can be connected to, and print its connection file
    #[arg(long, requires_all = ["submit", "serve"], conflicts_with = "wait")]
    wait_ready: bool,
    /// Print the script and say what would be done with it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    request: Request,
}

pub(crate) fn run(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let (system, mut options) = match options.system {
        Batch::Slurm(options) => (System::Slurm, options),
        Batch::Pbs(options) => (System::Pbs, options),
        Batch::Torque(options) => (System::Torque, options),
    };
    if let Some(words) = options.serve.take() {
        options.request.environment.push(Variable { name: "MANIPLE_SERVE".into(), value: words });
    }
    let site = site(system, &options)?;
    let program = options.request.command[0].clone();
    let walltime = options.request.walltime.or(site.walltime);
    let plan = Plan::new(system, options.request, site)?;
    let script = plan.script(Some(&command_line()))?;
    if plan.lacks_account() {
        let site = options.site.as_deref().unwrap_or_default();
        let words = format!("site '{site}' takes no job without an account: name yours with --account");
        if options.submit && !options.dry_run {
            return Err(words.into());
        }
        eprintln!("Warning: {words}, or edit the line of the script");
    }
    if options.dry_run || !options.submit {
        io::stdout().write_all(script.as_bytes())?;
        if options.dry_run {
            eprintln!("dry run: '{}' would be given this script", system.submit_program());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let job = Submitted::from_script(system, &script)?;
    writeln!(io::stdout(), "{job}")?;
    if options.wait_ready {
        let file = wait_until_ready(&job, &program)?;
        writeln!(io::stdout(), "{}", file.display())?;
    }
    if !options.wait {
        return Ok(ExitCode::SUCCESS);
    }
    let total = walltime.map(|walltime| format!(" of {walltime}")).unwrap_or_default();
    Ok(match follow(&job, &total)? {
        Some(outcome) => {
            eprintln!("job {job} {outcome}");
            ExitCode::from(outcome.exit_status())
        }
        None => {
            eprintln!("job {job} goes on; to end it: {} {job}", system.cancel_program());
            ExitCode::from(INTERRUPTED)
        }
    })
}

fn site(system: System, options: &JobOptions) -> Result<Site, Box<dyn Error>> {
    let sites = Sites::read(options.config.as_deref())?;
    let Some(name) = &options.site else { return Ok(Site::generic(system)) };
    let site = sites.site(name, options.request.device.as_deref())?;
    site.must_run(name, system)?;
    Ok(site)
}

/// Waits until a job can be connected to. Returns its connection file.
fn wait_until_ready(job: &Submitted, program: &str) -> Result<PathBuf, Box<dyn Error>> {
    let name = clusters::name_of_job(program, &job.to_string());
    loop {
        if let Ok(cluster) = clusters::wait_ready(&name, ASK_EVERY) {
            return Ok(cluster.file);
        }
        if let Status::Ended(outcome) = job.status()? {
            return Err(format!("job {job} {outcome} before it could be connected to").into());
        }
    }
}

/// Follows a job until it is over or the user interrupts. A terminal gets one line that changes, a
/// file one line for each change.
fn follow(job: &Submitted, total: &str) -> Result<Option<Outcome>, Box<dyn Error>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))?;
    let line = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {msg}").expect("the template is fixed and valid"),
    );
    let is_terminal = io::stderr().is_terminal();
    let mut last = None;
    let outcome = job.wait(|status| {
        if is_terminal {
            let total = if matches!(status, Status::Running { elapsed: Some(_) }) { total } else { "" };
            line.set_message(format!("job {job} {status}{total}"));
            line.tick();
        } else if last != Some(std::mem::discriminant(status)) {
            last = Some(std::mem::discriminant(status));
            eprintln!(
                "job {job} {}",
                if matches!(status, Status::Queued { .. }) { "is queued" } else { "runs" }
            );
        }
        if interrupted.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    line.finish_and_clear();
    Ok(outcome?)
}

/// The command line that makes this script again: without what only says what to do with it.
fn command_line() -> String {
    let shell = Shell::default();
    let mut is_option = true;
    let words = env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).filter(|word| {
        is_option &= word != "--";
        !(is_option && ["--submit", "--wait", "--wait-ready", "--dry-run"].contains(&word.as_str()))
    });
    let words: Vec<_> = words.map(|word| shell.quote(&word)).collect();
    format!("maniple {}", words.join(" "))
}
