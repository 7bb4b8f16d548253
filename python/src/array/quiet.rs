//! Panics of the library as Python exceptions.

use pyo3::{exceptions::PyValueError, prelude::*};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    /// Whether a panic on this thread is caught here.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Makes an array. A panic, by which the library reports shapes that do not fit, is a `ValueError` and prints nothing.
pub(super) fn caught<R>(make: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_CAUGHT.get() {
                print(info);
            }
        }));
    });
    let outer = IS_CAUGHT.replace(true);
    let made = catch_unwind(AssertUnwindSafe(make));
    IS_CAUGHT.set(outer);
    made.unwrap_or_else(|panic| {
        let words =
            panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
        Err(PyValueError::new_err(words.unwrap_or("the operation panicked").to_string()))
    })
}
