//! Modules: shared libraries of task functions that are loaded while a cluster stands.
//!
//! A module is a `cdylib` that is linked with a copy of this library and says with [`module!`](crate::module!) which
//! functions it offers. [`Client::load_module`] sends the file to all workers; each checks it ([`file`]) and loads it
//! ([`load`]). From then on its functions are named like those of the program: by the module's build id and an offset.
//!
//! Program and module have the same types of this library, which is checked before anything of the module is called
//! ([`image`](crate::image)). But they have two copies of its statics, of its thread-locals and of the standard library.
//! So a function of a module is called through its own copy, which gets the context of the task and catches panics
//! ([`call`](crate::current::call)); memory comes from the program's allocator ([`offer`]); and values of users' types
//! are passed as bytes. A module is never unloaded.

mod file;
mod function;
mod load;
pub mod offer;

use crate::{
    client::{Client, SubmitOptions},
    current::current,
    error::{Error, Result},
    image,
};
pub use function::ModuleFunction;
pub(crate) use load::call_of;
use std::{fs, path::Path, sync::Arc};

/// A shared library of task functions that has been [loaded](Client::load_module).
#[derive(Clone, Copy, Debug)]
pub struct Module {
    loaded: load::Loaded,
}

impl Module {
    /// The names of its functions.
    pub fn functions(&self) -> impl Iterator<Item = &'static str> {
        self.loaded.functions.iter().map(|export| export.name)
    }

    /// Finds a function. `F` is its type, as a function pointer: `module.function::<fn(&[f64]) -> f64>("mean")`. A call
    /// fails where the types of the function in the module are other ones.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if the module has no function of this name.
    pub fn function<F>(&self, name: &str) -> Result<ModuleFunction<F>> {
        let export = self.loaded.functions.iter().find(|export| export.name == name);
        export.map(ModuleFunction::new).ok_or_else(|| {
            let names: Vec<&str> = self.functions().collect();
            Error::Option(format!("the module has no function {name:?}: it has {}", names.join(", ")))
        })
    }
}

impl Client {
    /// Loads a module, a shared library of task functions, on all workers and in this process. A cluster that has stood
    /// for hours can so run a function that was compiled a minute ago. The driver of a run can load modules, too.
    ///
    /// A module is a package with `crate-type = ["cdylib"]`, a member of the program's workspace, that depends on this
    /// library and names its functions in [`module!`](crate::module!). It is built with the features and the profile of the
    /// program. A module with the same build id as one that is loaded is that one. An edited module is another one: it is
    /// loaded besides, and both stay until the end.
    ///
    /// ```no_run
    /// # maniple::Runtime::builder().execute(|client| {
    /// let module = client.load_module("target/release/libtasks.so")?;
    /// let mean = module.function::<fn(&[f64]) -> f64>("mean")?;
    /// assert_eq!(client.submit(mean, vec![1.0, 2.0, 6.0]).result()?, 3.0);
    /// # Ok(()) }).unwrap();
    /// ```
    ///
    /// # Safety and trust
    ///
    /// The file is code, and runs with all rights of this process and of the workers' processes. It is refused if it was
    /// not built with the same version, source and features of this library by the same compiler, which is all that
    /// memory safety rests on beside the module's own code. Values of the user's types are passed to and from a module
    /// as bytes, so that program and module may have different versions of such a type.
    ///
    /// A function of a module can use [`current`](crate::current()), its client, arrays and [`fail`](crate::fail), as any
    /// other. Its statics, its log lines (`MANIPLE_LOG`) and its thread pool of `rayon` are its own. A list of futures is
    /// passed to it as `Vec<Shared<T>>`, or if `T` is a number.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file cannot be read. [`Error::Option`] if it is refused: modules are not
    /// [allowed](crate::Builder::allow_modules), it is no module, it is damaged, or it was built with another library or
    /// compiler. [`Error::Task`] if a worker failed meanwhile.
    pub fn load_module(&self, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        let refused = |words| Error::Option(format!("the module {} is not loaded: {words}", path.display()));
        let bytes = fs::read(path).map_err(|error| Error::File {
            message: "the module cannot be read".into(),
            path: path.into(),
            source: Arc::new(error),
        })?;
        if !image::is_home() {
            return Err(refused("a function of a module cannot load modules".into()));
        }
        file::check(&bytes).map_err(refused)?;
        let everywhere = self.broadcast(bytes.clone())?;
        // Before tasks that wait: these may need it.
        let first = self.with(&SubmitOptions::new().priority(i32::MAX).label("load_module"));
        let answers = first.gather(&first.run_on_workers(load_here, &everywhere))?;
        answers.into_iter().collect::<Result<Vec<()>, String>>().map_err(refused)?;
        load::load(&bytes).map(|loaded| Module { loaded }).map_err(refused)
    }
}

/// Loads a module on the worker of this task, if that is allowed.
fn load_here(bytes: &[u8]) -> Result<(), String> {
    let task = current();
    let host = || task.client().cluster().ranks().get(task.rank().index()).map(|rank| rank.host.clone());
    match task.client().process() {
        Some(process) if process.allows_modules() => load::load(bytes)
            .map(drop)
            .map_err(|words| format!("{words} (rank {} on {})", task.rank(), host().unwrap_or_default())),
        _ => {
            Err("start the cluster with --allow-modules, or MANIPLE_ALLOW_MODULES=1, to permit modules"
                .into())
        }
    }
}
