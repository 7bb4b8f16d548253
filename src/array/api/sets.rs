//! Arrays as sets of their elements.

use crate::{
    array::{
        Array, Ordered,
        api::{
            order::{is_nan, order},
            reduction::tree,
            reductions::FAN_IN,
            shape::concatenate,
        },
        graph::custom::custom_node,
    },
    error::Result,
    task::Shared,
};
use ndarray::{ArrayD, IxDyn};

impl<T: Ordered> Array<T> {
    /// Returns whether each element is equal to some element of `test`: NumPy's `isin`. NaN is equal to nothing. The
    /// result has the shape and the chunks of this array.
    ///
    /// Each block of `test` is reduced to its different elements. A task for each pair of blocks then looks these up,
    /// and a tree combines what the tasks of a block found.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let even = client.arange(0, 100, 2, 20);
    /// let found = client.arange(98, 102, 1, 2).is_in(&even);
    /// assert_eq!(found.compute()?.as_slice().unwrap(), [true, false, false, false]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn is_in(&self, test: &Self) -> Array<bool> {
        let inputs = vec![self.node.clone(), test.node.clone()];
        let node = custom_node("is_in", inputs, self.node.grid.clone(), move |client, inputs| {
            let blocks = inputs[0].typed::<T>();
            let sets = client.map(set_of::<T>, inputs[1].typed::<T>());
            let pairs = blocks.iter().flat_map(|block| sets.iter().map(move |set| (block, set)));
            let found = client.map(found_in::<T>, pairs);
            let groups = found.chunks(sets.len()).map(<[_]>::to_vec).collect();
            Ok(tree(client, groups, FAN_IN, |client, parts| client.map(found_in_any, parts)))
        });
        self.derive(node)
    }

    /// Returns the different elements of two arrays in ascending order, NaN last and once: NumPy's `union1d`. It
    /// computes at once, as [`unique_all`](Self::unique_all).
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let union = client.arange(0, 3, 1, 2).union1d(&client.arange(2, 5, 1, 2))?;
    /// assert_eq!(union.compute()?.as_slice().unwrap(), [0, 1, 2, 3, 4]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn union1d(&self, other: &Self) -> Result<Self> {
        concatenate(&[&self.ravel(), &other.ravel()], 0).unique_values()
    }

    /// Returns the different elements that two arrays have in common, in ascending order: NumPy's `intersect1d`. NaN is
    /// equal to nothing. It computes at once, as [`unique_all`](Self::unique_all).
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let common = client.arange(0, 6, 1, 2).intersect1d(&client.arange(9, 2, -1, 2))?;
    /// assert_eq!(common.compute()?.as_slice().unwrap(), [3, 4, 5]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn intersect1d(&self, other: &Self) -> Result<Self> {
        let values = self.unique_values()?;
        values.mask(&values.is_in(other))
    }

    /// Returns the different elements of this array that the other one does not have, in ascending order, NaN last and
    /// once: NumPy's `setdiff1d`. It computes at once, as [`unique_all`](Self::unique_all).
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let rest = client.arange(0, 6, 1, 2).setdiff1d(&client.arange(9, 2, -1, 2))?;
    /// assert_eq!(rest.compute()?.as_slice().unwrap(), [0, 1, 2]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn setdiff1d(&self, other: &Self) -> Result<Self> {
        let values = self.unique_values()?;
        values.mask(&!values.is_in(other))
    }
}

/// The different elements of a block in ascending order, without NaN.
fn set_of<T: Ordered>(block: &ArrayD<T>) -> ArrayD<T> {
    let mut values: Vec<T> = block.iter().copied().filter(|value| !is_nan(value)).collect();
    values.sort_unstable_by(order);
    values.dedup();
    ArrayD::from_shape_vec(IxDyn(&[values.len()]), values).expect("an element for each place")
}

fn found_in<T: Ordered>(block: &ArrayD<T>, set: &ArrayD<T>) -> ArrayD<bool> {
    let set = set.as_slice().expect("a set is in one piece");
    block.mapv(|value| set.binary_search_by(|other| order(other, &value)).is_ok())
}

fn found_in_any(parts: Vec<Shared<ArrayD<bool>>>) -> ArrayD<bool> {
    let mut found = (*parts[0]).clone();
    parts[1..].iter().for_each(|part| found.zip_mut_with(part, |found, other| *found |= *other));
    found
}
