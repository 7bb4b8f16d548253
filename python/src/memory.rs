//! Values of the runtime as Python buffers, without a copy: NumPy arrays are views of them.

use maniple::{Shared, array::Element, ndarray::ArrayD};
use pyo3::{exceptions::PyBufferError, ffi, prelude::*};
use std::{
    any::Any,
    ffi::{c_int, c_void},
    ptr::null_mut,
};

/// The bytes of a value. They live as long as a view of them.
#[pyclass(frozen, module = "maniple")]
pub(crate) struct Memory {
    pointer: *mut c_void,
    length: usize,
    /// Whether other tasks see the same bytes.
    is_read_only: bool,
    /// What the bytes belong to. Nothing but views uses it.
    _owner: Box<dyn Any + Send + Sync>,
}

// SAFETY: Rust neither reads nor writes bytes that Python can change; Python does so through views, as it does with a
// `bytearray`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Read-only bytes that others use, too.
    pub(crate) fn shared(bytes: Shared<Vec<u8>>) -> Self {
        let (pointer, length) = (bytes.as_ptr().cast_mut().cast(), bytes.len());
        Self { pointer, length, is_read_only: true, _owner: Box::new(bytes) }
    }

    /// Elements that Python may change.
    pub(crate) fn own<T: Copy + Send + Sync + 'static>(mut elements: Vec<T>) -> Self {
        // The memory of a vector does not move with it.
        let (pointer, length) = (elements.as_mut_ptr().cast(), size_of_val(elements.as_slice()));
        Self { pointer, length, is_read_only: false, _owner: Box::new(elements) }
    }

    /// A read-only block that others use, too. Its elements are copied if they are not in C order.
    pub(crate) fn shared_block<T: Element>(block: Shared<ArrayD<T>>) -> Self {
        match block.as_slice() {
            Some(elements) => {
                let (pointer, length) = (elements.as_ptr().cast_mut().cast(), size_of_val(elements));
                Self { pointer, length, is_read_only: true, _owner: Box::new(block) }
            }
            None => Self::own(block.iter().copied().collect::<Vec<T>>()),
        }
    }
}

#[pymethods]
impl Memory {
    /// Fills in a view of all bytes.
    ///
    /// # Safety
    ///
    /// Python calls it with a view to be filled in.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("there is no view to fill in"));
        }
        let Self { pointer, length, is_read_only, .. } = slf.get();
        // SAFETY: the bytes are valid for `length` as long as the object, to which the view gets a reference, and
        // nothing is written where it is read-only. The call fills in all of the view, or sets an exception.
        let status = unsafe {
            (*view).obj = null_mut();
            let length = *length as ffi::Py_ssize_t;
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), *pointer, length, c_int::from(*is_read_only), flags)
        };
        if status == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }

    fn __len__(&self) -> usize {
        self.length
    }
}
