//! Batch jobs, of which the Python classes make clusters.

use maniple::info::{Family, Library};
use maniple_command::job::{JobError, Launcher, Plan, Request, Site, Sites, Status, Submitted, System};
use pyo3::{
    exceptions::{PyRuntimeError, PyValueError},
    prelude::*,
};

/// What a job is to be like.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct JobOptions {
    command: Vec<String>,
    nodes: u32,
    workers_per_node: u32,
    threads: u32,
    cpus_per_node: u32,
    memory_per_node: Option<String>,
    walltime: Option<String>,
    queue: Option<String>,
    account: Option<String>,
    name: Option<String>,
    output: Option<String>,
    resource_spec: Option<String>,
    directives: Vec<String>,
    skip_directives: Vec<String>,
    shell: Option<String>,
    prologue: Vec<String>,
    local_directory: Option<String>,
    launcher: Option<String>,
    site: Option<String>,
}

fn to_python(error: JobError) -> PyErr {
    match error {
        JobError::Option { .. } | JobError::NodeTooSmall { .. } | JobError::UnknownSite { .. } => {
            PyValueError::new_err(error.to_string())
        }
        other => PyRuntimeError::new_err(other.to_string()),
    }
}

fn system(name: &str) -> System {
    match name {
        "slurm" => System::Slurm,
        "torque" => System::Torque,
        _ => System::Pbs,
    }
}

/// The launcher that belongs to the MPI of this package, if it is not the default one.
fn own_launcher() -> Option<Launcher> {
    (Library::of_this_program()?.family()? == Family::Mpich).then_some(Launcher::Mpich)
}

fn parsed<T: std::str::FromStr<Err = JobError>>(text: Option<&str>) -> PyResult<Option<T>> {
    text.map(str::parse).transpose().map_err(to_python)
}

/// The script of a job.
#[pyfunction]
pub(crate) fn job_script(system_name: &str, options: JobOptions) -> PyResult<String> {
    let system = system(system_name);
    let site = match &options.site {
        None => Site::generic(system),
        Some(name) => {
            let site = Sites::read(None).and_then(|sites| sites.site(name, None)).map_err(to_python)?;
            site.must_run(name, system).map_err(to_python)?;
            site
        }
    };
    let launcher = match parsed(options.launcher.as_deref())? {
        None if site.launcher.is_none() => own_launcher(),
        named => named,
    };
    let request = Request {
        nodes: Some(options.nodes),
        workers_per_node: Some(options.workers_per_node),
        threads: Some(options.threads),
        cpus_per_node: Some(options.cpus_per_node),
        memory_per_node: parsed(options.memory_per_node.as_deref())?,
        walltime: parsed(options.walltime.as_deref())?,
        queue: options.queue,
        account: options.account,
        name: options.name,
        output: options.output,
        resource_spec: options.resource_spec,
        directives: options.directives,
        skip_directives: options.skip_directives,
        shell: parsed(options.shell.as_deref())?,
        prologue: options.prologue,
        local_directory: options.local_directory,
        launcher,
        ..Request::program(options.command)
    };
    Plan::new(system, request, site).and_then(|plan| plan.script(None)).map_err(to_python)
}

/// Submits a script. Returns the name that the scheduler gives the job.
#[pyfunction]
pub(crate) fn job_submit(py: Python<'_>, system_name: &str, script: &str) -> PyResult<String> {
    let submitted = py.detach(|| Submitted::from_script(system(system_name), script));
    submitted.map(|job| job.id().into()).map_err(to_python)
}

/// How a job stands: "queued", "running" or "ended", and more about that in words.
#[pyfunction]
pub(crate) fn job_status(py: Python<'_>, system_name: &str, id: &str) -> PyResult<(&'static str, String)> {
    let status = py.detach(|| Submitted::with_id(system(system_name), id).status());
    Ok(match status {
        Ok(Status::Queued { reason }) => ("queued", reason),
        Ok(Status::Running { .. }) => ("running", String::new()),
        Ok(Status::Ended(outcome)) => ("ended", outcome.to_string()),
        Ok(_) => ("queued", String::new()),
        Err(error @ JobError::Forgotten { .. }) => ("ended", error.to_string()),
        Err(error) => return Err(to_python(error)),
    })
}

/// Cancels a job.
#[pyfunction]
pub(crate) fn job_cancel(py: Python<'_>, system_name: &str, id: &str) -> PyResult<()> {
    py.detach(|| Submitted::with_id(system(system_name), id).cancel()).map_err(to_python)
}
