//! What is known of each task beside the run: which value it has, or with which error it fails.

use maniple::{
    Error, Future, Reason, SubmitOptions, TaskError,
    internals::{comm::simulated::Random, ids::TaskId, simulation::poll},
};
use std::{any::type_name_of_val, time::Duration};

/// Limits for tasks, in nanoseconds of the simulated clock.
const LIMITS: [u64; 3] = [50, 20_000, 2_000_000];

/// The name that errors give a function.
pub(super) fn name<F>(function: &F) -> String {
    type_name_of_val(function).to_string()
}

/// What a task can come to, if all that it needs has a value.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    Value,
    Fails(Failure),
}

/// A failure as the model knows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    pub(super) function: String,
    pub(super) dependents: Vec<String>,
    /// How its words begin.
    pub(super) words: String,
    /// How often the task was tried, where that is certain.
    pub(super) attempts: Option<u32>,
}

impl Failure {
    pub(super) fn of(error: &TaskError) -> Self {
        Self {
            reason: error.reason.clone(),
            function: error.function.clone(),
            dependents: error.dependents.clone(),
            words: error.message.to_string(),
            attempts: None,
        }
    }

    pub(super) fn is(&self, error: &TaskError) -> bool {
        self.reason == error.reason
            && self.function == error.function
            && self.dependents == error.dependents
            && error.message.starts_with(&self.words)
            && self.attempts.is_none_or(|attempts| attempts == error.attempts)
    }
}

#[derive(Debug)]
pub(super) enum Hold {
    Number(Future<u64>),
    List(Future<Vec<u64>>),
}

impl Hold {
    /// The value as a list, once it is here.
    pub(super) fn poll(&self, asked: &mut bool) -> Option<Result<Vec<u64>, Error>> {
        match self {
            Self::Number(future) => poll(future, asked).map(|result| result.map(|value| vec![value])),
            Self::List(future) => poll(future, asked),
        }
    }
}

/// A task, or a value of the driver's, and what the model knows of it.
pub(super) struct Entry {
    pub(super) id: TaskId,
    pub(super) name: String,
    pub(super) needs: Vec<usize>,
    pub(super) value: Vec<u64>,
    pub(super) fate: Fate,
    /// How long it is expected to run.
    pub(super) expected_nanoseconds: u64,
    /// Whether its time is limited.
    pub(super) is_limited: bool,
    /// Whether it was submitted after everybody knew that no more tasks begin.
    pub(super) is_too_late: bool,
    pub(super) is_cancelled: bool,
    /// Whether only some workers may run it.
    pub(super) is_bound: bool,
    pub(super) hold: Option<Hold>,
    pub(super) asked: bool,
    pub(super) is_read: bool,
    pub(super) answer: Option<Result<Vec<u64>, TaskError>>,
}

/// Options, and what they mean for the model.
pub(super) struct Chosen {
    pub(super) options: SubmitOptions,
    pub(super) label: Option<String>,
    pub(super) retries: u32,
    /// Why it can run nowhere.
    pub(super) refusal: Option<String>,
    pub(super) expected_nanoseconds: u64,
    pub(super) is_limited: bool,
    pub(super) ranks: Vec<u32>,
}

impl Chosen {
    pub(super) fn limit(&mut self, limiting: &mut Random) {
        let limit = Duration::from_nanos(*limiting.choose(&LIMITS));
        self.options = std::mem::take(&mut self.options).timeout(limit);
        self.is_limited = true;
    }
}

impl Entry {
    /// Its failure when its time is over.
    pub(super) fn overdue(&self, attempts: Option<u32>) -> Failure {
        let (function, words) = (self.name.clone(), String::new());
        Failure { reason: Reason::Timeout, function, dependents: Vec::new(), words, attempts }
    }

    /// Whether it may have a value, and how it may fail, given the same of what it needs.
    pub(super) fn possible(&self, known: &[(bool, Vec<Failure>)], time_left: u64) -> (bool, Vec<Failure>) {
        if let Fate::Fails(failure @ Failure { reason: Reason::NoWorker, .. }) = &self.fate {
            return (false, vec![failure.clone()]);
        }
        let mut failures = Vec::new();
        for need in &self.needs {
            for failure in &known[*need].1 {
                let mut failure = failure.clone();
                failure.dependents.push(self.name.clone());
                failures.push(failure);
            }
        }
        if self.is_cancelled && self.name != "a value" {
            let function = self.name.clone();
            let (reason, words) = (Reason::Cancelled, String::new());
            failures.push(Failure { reason, function, dependents: Vec::new(), words, attempts: None });
        }
        let is_late = self.expected_nanoseconds >= time_left && self.name != "a value";
        if is_late {
            let (function, words) = (self.name.clone(), String::new());
            let reason = Reason::Stopping;
            failures.push(Failure { reason, function, dependents: Vec::new(), words, attempts: None });
        }
        let all_have_values = self.needs.iter().all(|need| known[*need].0);
        if self.is_limited && all_have_values {
            failures.push(self.overdue(None));
        }
        match &self.fate {
            Fate::Fails(failure) if all_have_values => failures.push(failure.clone()),
            _ => {}
        }
        (all_have_values && matches!(self.fate, Fate::Value) && !(is_late && self.is_too_late), failures)
    }
}
