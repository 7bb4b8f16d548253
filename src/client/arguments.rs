//! What may be passed for a task's parameters, and how it becomes columns of a layer.
//!
//! For a parameter that takes a `T` (or borrows or shares one) pass a `T`, a [`Future<T>`], or a
//! reference to one; for a list (`Vec<T>`, `&[T]`, `Vec<Shared<T>>`), a list of futures, too. All
//! arguments of a task are `()`, one bare argument, or a tuple; the compiler checks that they fit.
//!
//! [`Future<T>`]: super::Future

use super::{
    Client,
    delayed::Call,
    future::Future,
    table::{Progress, Table, Tracked},
};
use crate::{
    ids::Code,
    ids::{TaskId, Tasks},
    message::{Column, Finished, Held},
    packed::Packed,
    task::Descriptor,
    value::{self, Data, Value},
};
use std::{fmt, sync::Arc};

/// The arguments of the tasks of a layer, as they are collected. Argument by argument of one task,
/// then of the next.
pub struct Columns<'a> {
    /// Nobody, where the arguments are only noted for later.
    client: Option<&'a Client>,
    small_bytes_max: usize,
    /// What was noted.
    noted: Vec<Noted>,
    columns: Vec<Building>,
    next: usize,
    /// Futures that must live until the layer is submitted.
    kept: Vec<(Arc<Tracked>, u32)>,
    /// The first value that could not be encoded.
    pub(crate) failure: Option<String>,
}

/// An argument that is kept until its call is made.
#[derive(Debug)]
pub(crate) enum Noted {
    /// Encoded.
    Small(Vec<u8>),
    Large(Value),
    Future(Future<Self>),
    /// The result of a call that is not made yet.
    Call(Arc<Call>),
    /// Futures and calls, and how a list is made of their values.
    List(Vec<Self>, Code),
}

/// What is wrong with a future that a client cannot know.
pub(crate) const OF_ANOTHER_RUN: &str = "a future of another run is passed, which may have ended: \
                                         pass its value, or submit to the client that made it";

/// Values up to this size are noted encoded.
const NOTED_BYTES_MAX: usize = 512;

#[derive(Debug)]
enum Building {
    Each(Packed),
    Values(Vec<TaskId>),
    Lists(Vec<Vec<Tasks>>, Code),
}

impl<'a> Columns<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self::with(Some(client), client.shared.small_bytes_max)
    }

    /// Takes the arguments of one call apart, for later.
    pub(crate) fn note<P>(arguments: impl Arguments<P>) -> Result<Vec<Noted>, String> {
        let mut columns = Columns::with(None, NOTED_BYTES_MAX);
        arguments.add_to(&mut columns);
        match columns.failure.take() {
            Some(words) => Err(words),
            None => Ok(std::mem::take(&mut columns.noted)),
        }
    }

    fn with(client: Option<&'a Client>, small_bytes_max: usize) -> Self {
        Self {
            client,
            small_bytes_max,
            noted: Vec::new(),
            columns: Vec::new(),
            next: 0,
            kept: Vec::new(),
            failure: None,
        }
    }

    fn table(&self) -> &'a Arc<Table> {
        self.client.expect("what is noted for later needs no table").table()
    }

    /// The arguments of one more task, which were noted before; `result_of` has submitted the calls
    /// whose results they are.
    pub(crate) fn push_noted(&mut self, noted: &[Noted], result_of: &dyn Fn(&Arc<Call>) -> Future<Noted>) {
        self.next = 0;
        for argument in noted {
            match argument {
                Noted::Small(bytes) => self.small(bytes),
                Noted::Large(value) => self.large(value.clone()),
                Noted::Future(future) => self.future(future.tracked(), future.index(), true),
                Noted::Call(call) => {
                    let future = result_of(call);
                    self.future(future.tracked(), future.index(), true);
                }
                Noted::List(items, collect) => {
                    let mut tasks = Vec::new();
                    for item in items {
                        let future = match item {
                            Noted::Call(call) => result_of(call),
                            Noted::Future(future) => future.clone(),
                            _ => unreachable!("a list is of futures or calls"),
                        };
                        self.check_run(future.tracked());
                        Tasks::push(&mut tasks, future.task());
                        future.tracked().add_reference(future.index());
                        self.kept.push((Arc::clone(future.tracked()), future.index()));
                    }
                    self.list_of(tasks, *collect);
                }
            }
        }
    }

    /// A call that was not made yet.
    pub(crate) fn call(&mut self, call: &Arc<Call>) {
        match self.client {
            None => self.noted.push(Noted::Call(Arc::clone(call))),
            Some(client) => {
                let future = call.submit(client);
                self.future(future.tracked(), future.index(), true);
            }
        }
    }

    /// A list of calls that were not made yet.
    pub(crate) fn calls<T: Data>(&mut self, calls: Vec<Arc<Call>>) {
        let collect = Code::of(const { Descriptor::of_list::<T>() });
        match self.client {
            None => self.noted.push(Noted::List(calls.into_iter().map(Noted::Call).collect(), collect)),
            Some(client) => {
                let futures = Call::submit_all(client, &calls);
                let items: Vec<Noted> = futures.into_iter().map(Noted::Future).collect();
                let place = self.next;
                self.push_noted(&[Noted::List(items, collect)], &|_| unreachable!("all are futures"));
                self.next = place + 1;
            }
        }
    }

    /// The arguments of one more task.
    pub(crate) fn push<P>(&mut self, arguments: impl Arguments<P>) {
        self.next = 0;
        arguments.add_to(self);
    }

    fn value<T: Data>(&mut self, value: T) {
        let mut small = Vec::new();
        match value::encode(value, self.small_bytes_max, &mut small) {
            Ok(None) if self.client.is_none() => self.noted.push(Noted::Small(small)),
            Ok(Some(value)) if self.client.is_none() => self.noted.push(Noted::Large(value)),
            Ok(None) => self.small(&small),
            Ok(Some(value)) => self.large(value),
            Err(words) => {
                self.failure.get_or_insert(words);
                self.small(&[]);
            }
        }
    }

    fn small(&mut self, bytes: &[u8]) {
        let column = self.next;
        self.next += 1;
        match self.columns.get_mut(column) {
            None => self.columns.push(Building::Each([bytes].into_iter().collect())),
            Some(Building::Each(values)) => values.push(bytes),
            Some(_) => {
                let given = self.give([bytes].into_iter().collect());
                if let Some(Building::Values(tasks)) = self.columns.get_mut(column) {
                    tasks.push(given.first);
                }
            }
        }
    }

    fn large(&mut self, value: Value) {
        let client = self.client.expect("noted elsewhere");
        let holder = client.next_worker();
        let tracked = self.table().track_held(Held { task: TaskId(0), holder, size: value.size() });
        client.set_key_of_large(&tracked, &value);
        let task = tracked.tasks.first;
        self.table().lend(task, value, &[holder]);
        tracked.add_reference(0);
        self.kept.push((tracked, 0));
        self.task(task);
    }

    /// The argument of the task before, once more.
    pub(crate) fn again(&mut self) {
        let column = self.next;
        self.next += 1;
        match self.columns.get_mut(column).expect("the task before has one") {
            Building::Each(values) => {
                let bytes = values.at(values.len() - 1).to_vec();
                values.push(&bytes);
            }
            Building::Values(tasks) => tasks.extend(tasks.last().copied()),
            Building::Lists(lists, _) => lists.extend(lists.last().cloned()),
        }
    }

    /// What identifies a task in one run may be another task's in another run.
    fn check_run(&mut self, tracked: &Tracked) {
        if self.client.is_some_and(|client| !tracked.is_of_run_of(client.table())) {
            self.failure.get_or_insert_with(|| OF_ANOTHER_RUN.into());
        }
    }

    fn future(&mut self, tracked: &Arc<Tracked>, index: u32, owned: bool) {
        self.check_run(tracked);
        if owned {
            tracked.add_reference(index);
            self.kept.push((Arc::clone(tracked), index));
        }
        self.task(tracked.tasks.first.plus(index));
    }

    fn task(&mut self, task: TaskId) {
        let column = self.next;
        self.next += 1;
        if let Some(Building::Each(values)) = self.columns.get_mut(column) {
            // Values so far, and now a future: the values become values of the scheduler's.
            let values = std::mem::take(values);
            let given = self.give(values);
            self.columns[column] = Building::Values(given.iter().collect());
        }
        match self.columns.get_mut(column) {
            None => self.columns.push(Building::Values(vec![task])),
            Some(Building::Values(tasks)) => tasks.push(task),
            Some(_) => unreachable!("a parameter is a value or a list"),
        }
    }

    /// Makes values of the client's own of encoded ones.
    fn give(&mut self, values: Packed) -> Tasks {
        let tracked = self.table().track(values.len() as u32, &Progress::Small(Default::default()));
        self.client.iter().for_each(|client| client.set_keys_of_small(&tracked, &values));
        let tasks = tracked.tasks;
        self.table().give(Finished { first: tasks.first, values });
        for index in 0..tasks.count {
            tracked.add_reference(index);
            self.kept.push((Arc::clone(&tracked), index));
        }
        tasks
    }

    fn list_of(&mut self, tasks: Vec<Tasks>, collect: Code) {
        let column = self.next;
        self.next += 1;
        match self.columns.get_mut(column) {
            None => self.columns.push(Building::Lists(vec![tasks], collect)),
            Some(Building::Lists(lists, _)) => lists.push(tasks),
            Some(_) => unreachable!("a parameter is a value or a list"),
        }
    }

    /// The columns of a layer.
    pub(crate) fn finish(&mut self) -> Vec<Column> {
        let finish = |column: Building| match column {
            Building::Each(values) => Column::Each(values),
            Building::Values(tasks) if tasks.len() > 1 => strided(tasks),
            Building::Values(tasks) => Column::values(tasks),
            Building::Lists(lists, collect) => Column::Lists { lists, collect },
        };
        std::mem::take(&mut self.columns).into_iter().map(finish).collect()
    }
}

impl fmt::Debug for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.columns).finish()
    }
}

impl Drop for Columns<'_> {
    fn drop(&mut self) {
        for (tracked, index) in self.kept.drain(..) {
            tracked.drop_reference(index);
        }
    }
}

/// Tasks one after the other, or one again and again, need no list.
fn strided(tasks: Vec<TaskId>) -> Column {
    let first = tasks[0];
    let steps =
        |stride: u64| tasks.iter().enumerate().all(|(index, task)| task.0 == first.0 + index as u64 * stride);
    match [0, 1].into_iter().find(|stride| steps(*stride)) {
        Some(stride) => Column::stride(first, stride as u32),
        None => Column::values(tasks),
    }
}

/// What may be passed where a task takes a `T`. This trait is sealed: only this crate implements it.
#[diagnostic::on_unimplemented(
    message = "expected a `{T}` or a `Future<{T}>`, found `{Self}`",
    label = "the task takes `{T}` here"
)]
pub trait IntoArgument<T> {
    #[doc(hidden)]
    fn into_argument(self, columns: &mut Columns<'_>);
}

impl<T: Data> IntoArgument<T> for T {
    fn into_argument(self, columns: &mut Columns<'_>) {
        columns.value(self);
    }
}

impl<T: Data> IntoArgument<T> for Future<T> {
    fn into_argument(self, columns: &mut Columns<'_>) {
        match columns.client {
            None => columns.noted.push(Noted::Future(self.retype())),
            Some(_) => columns.future(self.tracked(), self.index(), true),
        }
    }
}

impl<T: Data> IntoArgument<T> for &Future<T> {
    fn into_argument(self, columns: &mut Columns<'_>) {
        match columns.client {
            None => columns.noted.push(Noted::Future(self.retype())),
            Some(_) => columns.future(self.tracked(), self.index(), false),
        }
    }
}

impl<T: Data> IntoArgument<Vec<T>> for Vec<Future<T>> {
    fn into_argument(self, columns: &mut Columns<'_>) {
        (&self[..]).into_argument(columns);
        if columns.client.is_some() {
            for future in &self {
                future.tracked().add_reference(future.index());
                columns.kept.push((Arc::clone(future.tracked()), future.index()));
            }
        }
    }
}

impl<T: Data> IntoArgument<Vec<T>> for &Vec<Future<T>> {
    fn into_argument(self, columns: &mut Columns<'_>) {
        self[..].into_argument(columns);
    }
}

impl<T: Data> IntoArgument<Vec<T>> for &[Future<T>] {
    fn into_argument(self, columns: &mut Columns<'_>) {
        let collect = Code::of(const { Descriptor::of_list::<T>() });
        if columns.client.is_none() {
            let items = self.iter().map(|future| Noted::Future(future.retype())).collect();
            return columns.noted.push(Noted::List(items, collect));
        }
        let mut tasks = Vec::new();
        for future in self {
            columns.check_run(future.tracked());
            Tasks::push(&mut tasks, future.task());
        }
        columns.list_of(tasks, collect);
    }
}

/// The arguments of one task: `()`, one bare argument, or a tuple of up to six. This trait is sealed: only this
/// crate implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not fit the task's parameters, `{P}`",
    label = "the task takes `{P}`",
    note = "pass `()` for no parameter, the bare argument for one, a tuple for several; each a value, a \
            future, or for a list a list of futures"
)]
pub trait Arguments<P> {
    #[doc(hidden)]
    fn add_to(self, columns: &mut Columns<'_>);
}

impl Arguments<()> for () {
    fn add_to(self, _: &mut Columns<'_>) {}
}

impl<X: IntoArgument<P>, P> Arguments<(P,)> for X {
    fn add_to(self, columns: &mut Columns<'_>) {
        self.into_argument(columns);
    }
}

macro_rules! tuples {
    ($(($($A:ident $P:ident $argument:ident),*))*) => { $(
        impl<$($A: IntoArgument<$P>, $P),*> Arguments<($($P,)*)> for ($($A,)*) {
            fn add_to(self, columns: &mut Columns<'_>) {
                let ($($argument,)*) = self;
                $($argument.into_argument(columns);)*
            }
        }
    )* };
}

tuples! {
    (A PA a, B PB b)
    (A PA a, B PB b, C PC c)
    (A PA a, B PB b, C PC c, D PD d)
    (A PA a, B PB b, C PC c, D PD d, E PE e)
    (A PA a, B PB b, C PC c, D PD d, E PE e, F PF f)
}
