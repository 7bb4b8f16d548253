//! Calls that are made later: graphs that are built first, shared, looked at, and computed when asked.

use super::{
    Client, Future, SubmitOptions,
    arguments::{Arguments, Columns, IntoArgument, Noted},
};
use crate::{
    error::Result,
    ids::Code,
    picture::Picture,
    task::{Descriptor, TaskFunction},
    value::Data,
};
use rustc_hash::FxHashMap;
use std::{cell::RefCell, fmt, marker::PhantomData, path::Path, sync::Arc};

/// A call that is not made yet; see [`delayed`]. Cloning is cheap, and shares the call.
#[must_use = "a delayed call is made when it is computed"]
pub struct Delayed<T> {
    call: Arc<Call>,
    marker: PhantomData<fn() -> T>,
}

impl<T> Clone for Delayed<T> {
    fn clone(&self) -> Self {
        Self { call: Arc::clone(&self.call), marker: PhantomData }
    }
}

impl<T> fmt::Debug for Delayed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delayed({})", self.call.name())
    }
}

/// A call of a function with arguments, to be made when it is computed. Nothing is sent.
///
/// What it returns stands wherever a task takes a `T`, also in other delayed calls: so graphs are
/// built. The function and the arguments are as for [`Client::submit`].
///
/// ```
/// use maniple::prelude::*;
/// fn increment(x: i64) -> i64 { x + 1 }
/// fn add(a: i64, b: i64) -> i64 { a + b }
///
/// # maniple::Runtime::builder().execute(|client| {
/// let (a, b) = (delayed(increment, 1), delayed(increment, 2));
/// let total = delayed(add, (&a, &b));
/// assert_eq!(total.compute(client)?, 5);
/// assert_eq!(client.compute_all(&[a, b, total])?, [2, 3, 5]);
/// # Ok(()) }).unwrap();
/// ```
pub fn delayed<F, P, M>(function: F, arguments: impl Arguments<P>) -> Delayed<F::Out>
where
    F: TaskFunction<P, M, Out: Data>,
{
    let (code, misfit) = function.place(const { Descriptor::of::<F, P, M>() });
    let arguments = misfit.map_or_else(|| Columns::note(arguments), Err);
    let call = Call { code, arguments, options: None };
    Delayed { call: Arc::new(call), marker: PhantomData }
}

impl<T: Data> Delayed<T> {
    /// The same call with options for its task, instead of the [client's](Client::with): a label, retries, where it may run.
    pub fn with(self, options: &SubmitOptions) -> Self {
        let arguments = self.call.arguments.as_ref().map(|noted| noted.iter().map(Noted::share).collect());
        let arguments = arguments.map_err(Clone::clone);
        let call = Call { code: self.call.code, arguments, options: Some(options.clone()) };
        Self { call: Arc::new(call), marker: PhantomData }
    }

    /// Has the call made, after all that it needs. Returns at once.
    pub fn submit(&self, client: &Client) -> Future<T> {
        self.call.submit(client).retype()
    }

    /// Has the call made, after all that it needs, and waits for its value.
    ///
    /// # Errors
    ///
    /// As [`Future::result`].
    pub fn compute(&self, client: &Client) -> Result<T> {
        self.submit(client).result()
    }

    /// Writes a picture of the graph: as SVG, or as a DOT file for Graphviz if the name ends so.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::Error::File) if it cannot be written.
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<()> {
        Self::visualize_all(std::slice::from_ref(self), path)
    }

    /// Writes a picture of the graph of several calls, as [`visualize`](Self::visualize). What they share is drawn once.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::Error::File) if it cannot be written.
    ///
    /// ```
    /// use maniple::prelude::*;
    /// fn increment(x: i64) -> i64 { x + 1 }
    ///
    /// let first = delayed(increment, 1);
    /// let both = [delayed(increment, &first), delayed(increment, &first)];
    /// let path = std::env::temp_dir().join(format!("maniple-doc-{}.dot", std::process::id()));
    /// Delayed::visualize_all(&both, &path)?;
    /// assert_eq!(std::fs::read_to_string(&path)?.matches("->").count(), 2);
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn visualize_all(delayed: &[Self], path: impl AsRef<Path>) -> Result<()> {
        let calls: Vec<Arc<Call>> = delayed.iter().map(|delayed| Arc::clone(&delayed.call)).collect();
        picture(&calls).write(path.as_ref())
    }
}

impl Client {
    /// Has delayed calls made, those that they share once, and waits for their values, in order.
    ///
    /// # Errors
    ///
    /// As [`Future::result`], of the first call that has one.
    pub fn compute_all<T: Data>(&self, delayed: &[Delayed<T>]) -> Result<Vec<T>> {
        self.gather(&self.submit_all(delayed))
    }

    /// Has delayed calls made, those that they share once. Returns at once.
    pub fn submit_all<T: Data>(&self, delayed: &[Delayed<T>]) -> Vec<Future<T>> {
        let calls: Vec<Arc<Call>> = delayed.iter().map(|delayed| Arc::clone(&delayed.call)).collect();
        Call::submit_all(self, &calls).iter().map(Future::retype).collect()
    }
}

impl<T: Data> IntoArgument<T> for Delayed<T> {
    fn into_argument(self, columns: &mut Columns<'_>) {
        columns.call(&self.call);
    }
}

impl<T: Data> IntoArgument<T> for &Delayed<T> {
    fn into_argument(self, columns: &mut Columns<'_>) {
        columns.call(&self.call);
    }
}

impl<T: Data> IntoArgument<Vec<T>> for &[Delayed<T>] {
    fn into_argument(self, columns: &mut Columns<'_>) {
        columns.calls::<T>(self.iter().map(|delayed| Arc::clone(&delayed.call)).collect());
    }
}

impl<T: Data> IntoArgument<Vec<T>> for &Vec<Delayed<T>> {
    fn into_argument(self, columns: &mut Columns<'_>) {
        self[..].into_argument(columns);
    }
}

impl<T: Data> IntoArgument<Vec<T>> for Vec<Delayed<T>> {
    fn into_argument(self, columns: &mut Columns<'_>) {
        self[..].into_argument(columns);
    }
}

/// A call that is not made yet.
#[derive(Debug)]
pub(crate) struct Call {
    code: Code,
    /// Or why they cannot be encoded.
    arguments: Result<Vec<Noted>, String>,
    /// Those of the client, if there are none.
    options: Option<SubmitOptions>,
}

/// A long chain is dropped link by link, not each within the drop of the next.
impl Drop for Call {
    fn drop(&mut self) {
        let mut open = std::mem::replace(&mut self.arguments, Ok(Vec::new())).unwrap_or_default();
        while let Some(noted) = open.pop() {
            match noted {
                Noted::Call(call) => {
                    if let Some(mut call) = Arc::into_inner(call) {
                        open.append(call.arguments.as_mut().unwrap_or(&mut Vec::new()));
                    }
                }
                Noted::List(mut items, _) => open.append(&mut items),
                Noted::Small(_) | Noted::Large(_) | Noted::Future(_) => {}
            }
        }
    }
}

impl Call {
    fn name(&self) -> String {
        let name =
            self.options.as_ref().map_or_else(|| self.code.name(), |options| options.label_or(self.code));
        // `module::function` reads better than its whole path; a closure is named by its function.
        name.rsplit("::").take(if name.ends_with("}}") { 2 } else { 1 }).last().unwrap_or(name).to_string()
    }

    /// The calls whose results this one needs.
    fn needs(&self) -> Vec<&Arc<Self>> {
        fn add<'a>(noted: &'a [Noted], needs: &mut Vec<&'a Arc<Call>>) {
            for argument in noted {
                match argument {
                    Noted::Call(call) => needs.push(call),
                    Noted::List(items, _) => add(items, needs),
                    Noted::Small(_) | Noted::Large(_) | Noted::Future(_) => {}
                }
            }
        }
        let mut needs = Vec::new();
        add(self.arguments.as_deref().unwrap_or_default(), &mut needs);
        needs
    }

    pub(crate) fn submit(self: &Arc<Self>, client: &Client) -> Future<Noted> {
        Self::submit_all(client, &[Arc::clone(self)]).swap_remove(0)
    }

    /// Submits these calls and what they need, each once, what is needed first.
    pub(crate) fn submit_all(client: &Client, calls: &[Arc<Self>]) -> Vec<Future<Noted>> {
        let known: RefCell<FxHashMap<*const Self, Future<Noted>>> = RefCell::default();
        let result_of = |call: &Arc<Self>| known.borrow()[&Arc::as_ptr(call)].clone();
        let order = in_order(calls);
        let levels = levels(&order);
        for (call, level) in order.iter().zip(levels) {
            let mut columns = Columns::new(client);
            match &call.arguments {
                Ok(arguments) => columns.push_noted(arguments, &result_of),
                Err(words) => columns.failure = Some(words.clone()),
            }
            let tracked = client.submit_call(call.code, call.options.as_ref(), level, &mut columns);
            let future = Future::new(client.clone(), &tracked, 0);
            known.borrow_mut().insert(Arc::as_ptr(call), future);
        }
        calls.iter().map(result_of).collect()
    }
}

/// The calls and all that they need, each once, what is needed before who needs it.
fn in_order(calls: &[Arc<Call>]) -> Vec<Arc<Call>> {
    let mut order = Vec::new();
    // Whether all that a call needs was looked at.
    let mut seen: FxHashMap<*const Call, ()> = FxHashMap::default();
    let mut open: Vec<(Arc<Call>, bool)> = calls.iter().rev().map(|call| (Arc::clone(call), false)).collect();
    while let Some((call, is_ready)) = open.pop() {
        if is_ready {
            order.push(call);
            continue;
        }
        if seen.insert(Arc::as_ptr(&call), ()).is_some() {
            continue;
        }
        let needs: Vec<Arc<Call>> = call.needs().into_iter().map(Arc::clone).collect();
        open.push((call, true));
        open.extend(needs.into_iter().rev().map(|need| (need, false)));
    }
    order
}

/// How many calls follow each one at most.
fn levels(order: &[Arc<Call>]) -> Vec<u32> {
    let mut levels: FxHashMap<*const Call, u32> = FxHashMap::default();
    for call in order.iter().rev() {
        let next = levels.get(&Arc::as_ptr(call)).copied().unwrap_or(0) + 1;
        for need in call.needs() {
            let level = levels.entry(Arc::as_ptr(need)).or_default();
            *level = next.max(*level);
        }
    }
    order.iter().map(|call| levels.get(&Arc::as_ptr(call)).copied().unwrap_or(0)).collect()
}

fn picture(calls: &[Arc<Call>]) -> Picture {
    let order = in_order(calls);
    let place = |call: &Arc<Call>| order.iter().position(|other| Arc::ptr_eq(other, call));
    let mut picture = Picture::default();
    for call in &order {
        picture.add(call.name(), call.needs().into_iter().filter_map(place).collect());
    }
    picture
}

impl Noted {
    /// The same argument again.
    fn share(&self) -> Self {
        match self {
            Self::Small(bytes) => Self::Small(bytes.clone()),
            Self::Large(value) => Self::Large(value.clone()),
            Self::Future(future) => Self::Future(future.clone()),
            Self::Call(call) => Self::Call(Arc::clone(call)),
            Self::List(items, collect) => Self::List(items.iter().map(Self::share).collect(), *collect),
        }
    }
}
