//! How operations with tasks of their own submit them.

use crate::{
    client::{Client, Future, arguments::Arguments},
    error::Result,
    task::TaskFunction,
    value::Data,
};

/// What an operation submits its tasks with: the [`Client`]'s methods, and whether devices are to make the blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Submitter<'a> {
    client: &'a Client,
    is_on_device: bool,
}

impl<'a> Submitter<'a> {
    pub(crate) fn new(client: &'a Client, is_on_device: bool) -> Self {
        Self { client, is_on_device }
    }

    /// Whether devices are to make the blocks, where the operation knows how.
    pub(crate) fn is_on_device(&self) -> bool {
        self.is_on_device
    }

    /// As [`Client::submit`].
    pub(crate) fn submit<F, P, M>(&self, function: F, arguments: impl Arguments<P>) -> Future<F::Out>
    where
        F: TaskFunction<P, M, Out: Data>,
    {
        self.client.submit(function, arguments)
    }

    /// As [`Client::map`].
    pub(crate) fn map<F, P, M, I>(&self, function: F, items: I) -> Vec<Future<F::Out>>
    where
        F: TaskFunction<P, M, Out: Data>,
        I: IntoIterator,
        I::Item: Arguments<P>,
    {
        self.client.map(function, items)
    }

    /// As [`map`](Self::map), where devices are.
    pub(crate) fn map_on_devices<F, P, M, I>(&self, function: F, items: I) -> Vec<Future<F::Out>>
    where
        F: TaskFunction<P, M, Out: Data>,
        I: IntoIterator,
        I::Item: Arguments<P>,
    {
        self.client.on_own_device().map(function, items)
    }

    /// As [`Client::scatter`].
    pub(crate) fn scatter<T: Data>(&self, value: T) -> Result<Future<T>> {
        self.client.scatter(value)
    }
}
