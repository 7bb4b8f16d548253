//! Bytes of a value as a Python buffer, without a copy: NumPy arrays are views of it.

use maniple::Shared;
use pyo3::{exceptions::PyBufferError, ffi, prelude::*};
use std::{
    cell::UnsafeCell,
    ffi::{c_int, c_void},
    ptr::null_mut,
};

/// The bytes of a packet. They live as long as a view of them.
#[pyclass(frozen, module = "maniple")]
pub(crate) struct Memory(Owner);

enum Owner {
    /// The runtime's own: other tasks see the same bytes, so views of it are read-only.
    Shared(Shared<Vec<u8>>),
    /// Python's alone.
    Own(UnsafeCell<Vec<u8>>),
}

// SAFETY: Rust reads and writes the bytes of `Own` never; Python does through views, as it does with a `bytearray`.
unsafe impl Sync for Owner {}

impl Memory {
    /// Read-only bytes that others use, too.
    pub(crate) fn shared(bytes: Shared<Vec<u8>>) -> Self {
        Self(Owner::Shared(bytes))
    }

    /// Bytes that Python may change.
    pub(crate) fn own(bytes: Vec<u8>) -> Self {
        Self(Owner::Own(UnsafeCell::new(bytes)))
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
        let (pointer, length, is_read_only): (*mut c_void, usize, bool) = match &slf.get().0 {
            Owner::Shared(bytes) => (bytes.as_ptr().cast_mut().cast(), bytes.len(), true),
            // SAFETY: no other reference to the vector exists, and its memory does not move.
            Owner::Own(bytes) => unsafe { ((*bytes.get()).as_mut_ptr().cast(), (*bytes.get()).len(), false) },
        };
        // SAFETY: the bytes are valid for `length` as long as the object, to which the view gets a reference, and
        // nothing is written where it is read-only. The call fills in all of the view, or sets an exception.
        let status = unsafe {
            (*view).obj = null_mut();
            let length = length as ffi::Py_ssize_t;
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), pointer, length, c_int::from(is_read_only), flags)
        };
        if status == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }

    fn __len__(&self) -> usize {
        match &self.0 {
            Owner::Shared(bytes) => bytes.len(),
            // SAFETY: the length is read while no view can change it: views change bytes only.
            Owner::Own(bytes) => unsafe { (*bytes.get()).len() },
        }
    }
}
