//! What a machine is like: its scheduler, its nodes, and what its jobs must say.
//!
//! Sites are tables of TOML. Those built in come first, then the user's file, then the one named on
//! the command line: a key of a later file replaces that of an earlier one.

use super::{JobError, Launcher, Memory, Shell, System, Walltime};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// The sites that every installation knows.
const BUILT_IN: &str = include_str!("sites.toml");

/// What a machine is like. What it does not say, a request must, or nobody.
///
/// `resources`, `directives`, `account_directive` and `launch` may hold placeholders: see
/// [`Plan`](super::Plan).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// What it is, in a line.
    #[serde(default)]
    pub title: String,
    /// Its scheduler.
    pub scheduler: System,
    /// What starts the ranks.
    pub launcher: Option<Launcher>,
    /// Name or path of the launcher's program.
    pub mpiexec: Option<String>,
    /// The launcher and its options, where every node gets the same number of ranks.
    pub launch: Option<String>,
    /// CPUs of a node, as the scheduler counts them.
    pub cpus_per_node: Option<u32>,
    /// Memory of a node.
    pub memory_per_node: Option<Memory>,
    /// GPUs of a node.
    pub gpus_per_node: Option<u32>,
    /// Workers on each node.
    pub workers_per_node: Option<u32>,
    /// Whether ranks 0 and 1 work too.
    #[serde(default)]
    pub inclusive: bool,
    /// Threads of a worker.
    pub threads: Option<u32>,
    /// Memory of a worker.
    pub memory: Option<Memory>,
    /// How long a job may run.
    pub walltime: Option<Walltime>,
    /// Queue, or partition.
    pub queue: Option<String>,
    /// Account, or project.
    pub account: Option<String>,
    /// How the account is said, such as `-P {account}`.
    pub account_directive: Option<String>,
    /// Whether the scheduler takes no job without an account.
    #[serde(default)]
    pub account_required: bool,
    /// The shell of scripts.
    pub shell: Option<Shell>,
    /// How nodes are asked for, instead of the scheduler's usual way.
    pub resources: Option<Vec<String>>,
    /// Further directives.
    #[serde(default)]
    pub directives: Vec<String>,
    /// Directives that contain one of these are left out.
    #[serde(default)]
    pub skip_directives: Vec<String>,
    /// Modules to load.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Lines before the program.
    #[serde(default)]
    pub prologue: Vec<String>,
    /// Environment variables of the program.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Directory of each node for what does not fit in memory.
    pub local_directory: Option<String>,
}

impl Site {
    /// A site about which nothing is known but its scheduler.
    pub fn generic(scheduler: System) -> Self {
        let table = Table::from_iter([("scheduler".to_string(), Value::String(scheduler.name().into()))]);
        table.try_into().expect("a scheduler is all that a site must have")
    }

    /// Checks that the site, known by this name, runs the scheduler asked for.
    ///
    /// # Errors
    ///
    /// Fails if it runs another.
    pub fn must_run(&self, name: &str, asked: System) -> Result<(), JobError> {
        if self.scheduler == asked {
            return Ok(());
        }
        Err(JobError::OtherScheduler { site: name.into(), runs: self.scheduler, asked })
    }
}

/// All known sites.
#[derive(Clone, Debug)]
pub struct Sites {
    table: Table,
}

impl Sites {
    /// The sites built in.
    pub fn built_in() -> Self {
        Self { table: BUILT_IN.parse().expect("the built-in sites are TOML: a test reads them") }
    }

    /// The sites built in, and over them those of the user's file, if there is one, and of
    /// `config`.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or does not hold sites.
    pub fn read(config: Option<&Path>) -> Result<Self, JobError> {
        let mut sites = Self::built_in();
        if let Some(path) = Self::user_file() {
            match fs::read_to_string(&path) {
                Ok(text) => sites.add(&path, &text)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(JobError::SiteFile { path, message: error.to_string() }),
            }
        }
        if let Some(path) = config {
            let text = fs::read_to_string(path)
                .map_err(|error| JobError::SiteFile { path: path.into(), message: error.to_string() })?;
            sites.add(path, &text)?;
        }
        Ok(sites)
    }

    /// The user's file of sites: `maniple/sites.toml` in `$XDG_CONFIG_HOME`, else in `~/.config`.
    pub fn user_file() -> Option<PathBuf> {
        let config = env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
        let config = config.or_else(|| env::home_dir().map(|home| home.join(".config")));
        config.map(|config| config.join("maniple/sites.toml"))
    }

    /// Lays the sites of a text over these. `path` says where the text comes from.
    ///
    /// # Errors
    ///
    /// Fails if the text is not TOML, or a site in it has a key or a value without meaning.
    pub fn add(&mut self, path: &Path, text: &str) -> Result<(), JobError> {
        let fail = |message: String| JobError::SiteFile { path: path.into(), message: one_line(&message) };
        let table: Table = text.parse().map_err(|error: toml::de::Error| fail(error.to_string()))?;
        let changed: Vec<String> = table.keys().cloned().collect();
        overlay(&mut self.table, table);
        for name in changed {
            let devices = self.devices(&name).into_iter().map(Some).chain([None]);
            for device in devices {
                self.site(&name, device.as_deref()).map_err(|error| match error {
                    JobError::SiteFile { message, .. } => fail(message),
                    error => fail(format!("{name}: {error}")),
                })?;
            }
        }
        Ok(())
    }

    /// The names of all sites, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.table.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The names of the devices that a site has settings for.
    pub fn devices(&self, name: &str) -> Vec<String> {
        let devices = self.table.get(name).and_then(|site| site.get("device")).and_then(Value::as_table);
        devices.map(|devices| devices.keys().cloned().collect()).unwrap_or_default()
    }

    /// A site, with its settings for a device laid over it.
    ///
    /// # Errors
    ///
    /// Fails if there is no such site.
    pub fn site(&self, name: &str, device: Option<&str>) -> Result<Site, JobError> {
        let mut site = self.table_of(name)?.clone();
        let devices = site.remove("device");
        let settings = device.and_then(|device| devices?.get(device)?.as_table().cloned());
        overlay(&mut site, settings.unwrap_or_default());
        site.try_into().map_err(|error: toml::de::Error| JobError::SiteFile {
            path: Self::user_file().unwrap_or_default(),
            message: one_line(&format!("{name}: {error}")),
        })
    }

    /// A site as TOML.
    ///
    /// # Errors
    ///
    /// Fails if there is no such site.
    pub fn show(&self, name: &str) -> Result<String, JobError> {
        let site = Table::from_iter([(name.to_string(), Value::Table(self.table_of(name)?.clone()))]);
        Ok(toml::to_string(&site).expect("what was read as TOML can be written"))
    }

    fn table_of(&self, name: &str) -> Result<&Table, JobError> {
        let unknown = || JobError::UnknownSite { name: name.into(), known: self.names().join(", ") };
        self.table.get(name).and_then(Value::as_table).ok_or_else(unknown)
    }
}

/// Lays one table over another: tables are merged, everything else is replaced.
fn overlay(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_site_can_be_read_for_every_device() {
        let sites = Sites::built_in();
        assert_eq!(sites.names(), ["aurora", "gadi", "kay", "sophia", "vortex"]);
        for name in sites.names() {
            let plain = sites.site(name, None).unwrap();
            assert!(!plain.title.is_empty() && plain.cpus_per_node.is_some(), "{name}");
            for device in sites.devices(name) {
                sites.site(name, Some(&device)).unwrap();
            }
            assert!(sites.show(name).unwrap().parse::<Table>().is_ok());
        }
    }

    #[test]
    fn a_device_changes_what_a_site_says() {
        let sites = Sites::built_in();
        let tile = sites.site("aurora", Some("tile")).unwrap();
        assert_eq!(tile.workers_per_node, Some(12));
        assert_eq!(tile.environment["ZE_FLAT_DEVICE_HIERARCHY"], "FLAT");
        assert_eq!(sites.site("aurora", Some("cpu")).unwrap().workers_per_node, Some(104));
        assert_eq!(sites.site("aurora", Some("fpga")).unwrap().workers_per_node, None);
    }

    #[test]
    fn a_later_file_replaces_keys_and_adds_sites() {
        let mut sites = Sites::built_in();
        let text = "[kay]\nqueue = 'ProdQ'\n[mine]\nscheduler = 'slurm'\nmemory_per_node = '64GB'\n";
        sites.add(Path::new("mine.toml"), text).unwrap();
        let kay = sites.site("kay", None).unwrap();
        assert_eq!((kay.queue.as_deref(), kay.cpus_per_node), (Some("ProdQ"), Some(40)));
        assert_eq!(sites.site("mine", None).unwrap().memory_per_node, Some("64GB".parse().unwrap()));
    }

    #[test]
    fn a_mistake_in_a_file_is_told_with_the_file() {
        let message = |text| Sites::built_in().add(Path::new("mine.toml"), text).unwrap_err().to_string();
        assert!(message("[mine").starts_with("cannot read sites from mine.toml: "));
        assert!(
            message("[mine]\nscheduler = 'lsf'").contains("slurm"),
            "{}",
            message("[mine]\nscheduler = 'lsf'")
        );
        assert!(message("[kay]\nquue = 'x'").contains("quue"));
        assert!(message("[kay]\nwalltime = '1x'").contains("is not a length of time"));
        assert!(message("[kay.device.gpu]\nthreads = 'x'").contains("u32"));
        assert!(message("kay = 3").contains("kay"));
        assert!(!message("[mine").contains('\n'));
    }

    #[test]
    fn an_unknown_site_is_told_with_the_known_ones() {
        let error = Sites::built_in().site("nersc", None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no site 'nersc'; known are: aurora, gadi, kay, sophia, vortex"
        );
        assert_eq!(error.exit_status(), 2);
    }
}
