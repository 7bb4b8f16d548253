//! How a task fails with an error of its own.

use super::inputs::{FallibleFunction, Inputs, TaskFunction};
use std::{any::type_name, error::Error, fmt::Write, panic, sync::Arc};

/// What [`fail`](crate::fail) was called with, on its way to the worker.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) detail: Arc<[u8]>,
}

/// A function whose errors fail its tasks; see [`fallible`].
#[derive(Clone, Copy, Debug)]
pub struct Fallible<F>(F);

/// Makes a task function of a function that returns a `Result<T, E>`. The task's value is the `T`; an error fails the
/// task, as a panic does, with [`Reason::Failed`](crate::Reason::Failed). `E` is any error, or a `String`; it need not implement
/// serde's traits. The message of the [`TaskError`](crate::TaskError) is that of the error and of its sources.
///
/// Without it a `Result` is a value like any other: the task succeeds, and tasks that need it receive
/// the `Err`.
///
/// # Examples
///
/// ```
/// use maniple::prelude::*;
/// use std::{fs, io, path::Path};
///
/// fn lines(path: &Path) -> io::Result<u64> {
///     Ok(fs::read_to_string(path)?.lines().count() as u64)
/// }
///
/// Runtime::builder().execute(|client| {
///     let count = client.submit(fallible(lines), Path::new("/no/such/file").to_path_buf());
///     let double = client.submit(|count: u64| 2 * count, &count);
///     let Err(Error::Task(error)) = double.result() else { panic!("there is no such file") };
///     assert_eq!(&*error.message, "No such file or directory (os error 2)");
///     Ok(())
/// })
/// # .unwrap()
/// ```
pub const fn fallible<F>(function: F) -> Fallible<F> {
    Fallible(function)
}

impl<F: FallibleFunction<P, M>, P, M> TaskFunction<P, M> for Fallible<F> {
    type Out = F::Out;
    fn name() -> &'static str {
        type_name::<F>()
    }
    fn call(self, inputs: &mut Inputs<'_>) -> Result<F::Out, String> {
        let failed = |error: Box<dyn Error + Send + Sync>| -> F::Out {
            panic::resume_unwind(Box::new(Failure { message: words(&*error), detail: Arc::default() }))
        };
        self.0.call(inputs).map(|result| result.unwrap_or_else(failed))
    }
}

/// The message of an error and of its sources.
fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let message = error.to_string();
        // Some errors have the message of their source in their own.
        if !words.ends_with(&message) {
            write!(words, ": {message}").expect("writing to a string");
        }
        source = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] std::num::ParseIntError);

    #[test]
    fn sources_are_told_once() {
        let source = || "x".parse::<u8>().unwrap_err();
        assert_eq!(words(&Outer("line 3", source())), "line 3: invalid digit found in string");
        let told = Outer("line 3: invalid digit found in string", source());
        assert_eq!(words(&told), "line 3: invalid digit found in string");
    }
}
