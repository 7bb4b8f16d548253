//! Arrays of several element types that are made together.

use super::{
    ArrayCore,
    any::{AnyArray, Packed, with_array},
};
use crate::{
    client::{TaskOptions, chosen},
    errors,
};
use half::f16;
use maniple::{Array, SubmitOptions};
use num_complex::{Complex32, Complex64};
use pyo3::{exceptions::PyRuntimeError, prelude::*};

/// Arrays by their element types, each in order.
trait Group {
    /// Adds an array, if it has this type.
    fn add(&mut self, array: &AnyArray) -> bool;
    /// Removes the last array of the type that this one has.
    fn take(&mut self, like: &AnyArray) -> Option<AnyArray>;
}

impl<T: Packed> Group for Vec<Array<T>>
where
    AnyArray: From<Array<T>>,
{
    fn add(&mut self, array: &AnyArray) -> bool {
        T::array(array).map(|array| self.push(array.clone())).is_some()
    }
    fn take(&mut self, like: &AnyArray) -> Option<AnyArray> {
        T::array(like).and_then(|_| self.pop()).map(AnyArray::from)
    }
}

impl<A: Group, B: Group, C: Group, D: Group> Group for (A, B, C, D) {
    fn add(&mut self, array: &AnyArray) -> bool {
        self.0.add(array) || self.1.add(array) || self.2.add(array) || self.3.add(array)
    }
    fn take(&mut self, like: &AnyArray) -> Option<AnyArray> {
        let first = self.0.take(like).or_else(|| self.1.take(like));
        first.or_else(|| self.2.take(like)).or_else(|| self.3.take(like))
    }
}

impl<A: Group, B: Group> Group for (A, B) {
    fn add(&mut self, array: &AnyArray) -> bool {
        self.0.add(array) || self.1.add(array)
    }
    fn take(&mut self, like: &AnyArray) -> Option<AnyArray> {
        self.0.take(like).or_else(|| self.1.take(like))
    }
}

/// What the library makes together: lists of arrays of one type, in tuples of up to four.
type Groups = (
    (Vec<Array<bool>>, Vec<Array<u8>>, Vec<Array<u16>>, Vec<Array<u32>>),
    (Vec<Array<u64>>, Vec<Array<i8>>, Vec<Array<i16>>, Vec<Array<i32>>),
    (Vec<Array<i64>>, Vec<Array<f16>>, Vec<Array<f32>>, Vec<Array<f64>>),
    (Vec<Array<Complex32>>, Vec<Array<Complex64>>),
);

/// Has the blocks of arrays made and kept. What the arrays share is made once.
#[pyfunction]
#[pyo3(signature = (arrays, given = None))]
pub(crate) fn persist_arrays(
    py: Python<'_>,
    arrays: Vec<Py<ArrayCore>>,
    given: Option<TaskOptions>,
) -> PyResult<Vec<ArrayCore>> {
    let Some(first) = arrays.first() else { return Ok(Vec::new()) };
    let client = with_array!(Element, &first.get().0, x => x.client().clone())
        .unwrap_or_else(|_| unreachable!("all types are there"));
    let client = if given.is_some() { client.with(&chosen(SubmitOptions::new(), given)) } else { client };
    let mut groups = Groups::default();
    for array in &arrays {
        groups.add(&array.get().0);
    }
    let mut groups = py.detach(|| client.persist(&groups)).map_err(|error| errors::to_python(py, &error))?;
    let in_order = arrays.iter().rev().map(|array| groups.take(&array.get().0).map(ArrayCore));
    let in_order: Option<Vec<ArrayCore>> = in_order.collect();
    let mut in_order = in_order.ok_or_else(|| PyRuntimeError::new_err("an array was not persisted"))?;
    in_order.reverse();
    Ok(in_order)
}
