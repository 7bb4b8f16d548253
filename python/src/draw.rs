//! Pictures of delayed calls.

use crate::errors;
use maniple::{Delayed, SubmitOptions, delayed};
use pyo3::{exceptions::PyValueError, prelude::*};

/// Stands for a call of a Python function in a picture.
fn call(_needed: Vec<u8>) -> u8 {
    0
}

/// Writes a picture of calls, each with a name and the places of earlier ones that it needs: of `roots` and what they
/// need.
#[pyfunction]
pub(crate) fn draw_calls(
    py: Python<'_>,
    calls: Vec<(String, Vec<usize>)>,
    roots: Vec<usize>,
    path: &str,
) -> PyResult<()> {
    let mut drawn: Vec<Delayed<u8>> = Vec::new();
    let among = |drawn: &[Delayed<u8>], places: &[usize]| -> PyResult<Vec<Delayed<u8>>> {
        let found: Option<Vec<_>> = places.iter().map(|place| drawn.get(*place).cloned()).collect();
        found.ok_or_else(|| PyValueError::new_err("a call needs a later one"))
    };
    for (name, needed) in calls {
        let next = delayed(call, among(&drawn, &needed)?).with(&SubmitOptions::new().label(name));
        drawn.push(next);
    }
    Delayed::visualize_all(&among(&drawn, &roots)?, path).map_err(|error| errors::to_python(py, &error))
}
