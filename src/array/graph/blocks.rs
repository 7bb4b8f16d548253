//! The blocks of an array, as futures.

use crate::{
    array::{
        DataType, Element,
        graph::{chunks::Grid, node::Erased},
    },
    client::Future,
    device::DeviceArray,
};
use ndarray::ArrayD;
use std::sync::Arc;

/// The blocks of an array, in C order.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    pub(crate) data_type: DataType,
    pub(crate) grid: Grid,
    pub(crate) futures: Arc<Vec<Future<Erased>>>,
    /// Whether devices make them; who asks for them as they are on the host is given that.
    pub(crate) are_on_devices: bool,
}

impl Blocks {
    /// The futures with the type of their values.
    pub(crate) fn typed<T: Element>(&self) -> Vec<Future<ArrayD<T>>> {
        assert_eq!(self.data_type, T::DATA_TYPE, "blocks have one type");
        self.futures.iter().map(Future::retype).collect()
    }

    /// The futures with the type that their values have on devices.
    pub(crate) fn typed_on_device<T: Element>(&self) -> Vec<Future<DeviceArray<T::OnDevice>>> {
        assert_eq!(self.data_type, T::DATA_TYPE, "blocks have one type");
        self.futures.iter().map(Future::retype).collect()
    }
}
