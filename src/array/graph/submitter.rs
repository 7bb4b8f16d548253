//! How operations with tasks of their own submit them: with the options of the computation at hand.

use crate::{
    client::{Client, Future, SubmitOptions, arguments::Arguments},
    error::Result,
    task::TaskFunction,
    value::Data,
};

/// What an operation submits its tasks with: the [`Client`]'s methods, for tasks that all have the
/// options that the array is computed with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Submitter<'a> {
    client: &'a Client,
    options: &'a SubmitOptions,
    is_on_device: bool,
}

impl<'a> Submitter<'a> {
    pub(crate) fn new(client: &'a Client, options: &'a SubmitOptions, is_on_device: bool) -> Self {
        Self { client, options, is_on_device }
    }

    /// Whether devices are to make the blocks, where the operation knows how.
    pub(crate) fn is_on_device(&self) -> bool {
        self.is_on_device
    }

    /// As [`Client::submit`].
    pub(crate) fn submit<F, P, M>(&self, function: F, arguments: impl Arguments<P>) -> Future<F::Out>
    where
        F: TaskFunction<P, M>,
    {
        self.client.submit_with(self.options, function, arguments)
    }

    /// As [`Client::map`].
    pub(crate) fn map<F, P, M, I>(&self, function: F, items: I) -> Vec<Future<F::Out>>
    where
        F: TaskFunction<P, M>,
        I: IntoIterator,
        I::Item: Arguments<P>,
    {
        self.client.map_with(self.options, function, items)
    }

    /// As [`map`](Self::map), where devices are.
    pub(crate) fn map_on_devices<F, P, M, I>(&self, function: F, items: I) -> Vec<Future<F::Out>>
    where
        F: TaskFunction<P, M>,
        I: IntoIterator,
        I::Item: Arguments<P>,
    {
        self.client.map_with(&self.options.on_device(), function, items)
    }

    /// As [`Client::scatter`].
    pub(crate) fn scatter<T: Data>(&self, value: T) -> Result<Future<T>> {
        self.client.scatter(value)
    }
}
