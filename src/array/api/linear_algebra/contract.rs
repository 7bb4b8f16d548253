//! Which axes of two arrays are multiplied and summed: all products are contractions of labelled axes.

use super::product::{Layout, product_node};
use crate::array::{
    Array, DataType, Float, ShapeError, ShapeErrorKind,
    error::expect,
    graph::chunks::{AxisChunks, Grid, checked_size},
};
use ndarray::Ix0;

/// An axis. Axes with the same label are multiplied element by element.
pub(super) type Label = u32;

impl<T: Float> Array<T> {
    /// The product of matrices; of stacks of matrices, whose first axes are broadcast; of a matrix and
    /// a vector. As NumPy's `@`.
    ///
    /// Best cut into blocks of 1000 to 2000 rows and columns: one task makes one block of the result.
    ///
    /// # Panics
    ///
    /// Panics if the shapes do not fit.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([300, 200], 100);
    /// assert_eq!(x.matmul(&x.t()).compute()?[[0, 299]], 200.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn matmul(&self, other: &Self) -> Self {
        expect("matmul", self.try_matmul(other))
    }

    /// As [`matmul`](Self::matmul).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the shapes do not fit.
    pub fn try_matmul(&self, other: &Self) -> Result<Self, ShapeError> {
        let (left, right) = (self.shape(), other.shape());
        let error = || {
            ShapeError::new(
                ShapeErrorKind::Mismatch,
                format!("matmul of shapes {left:?} and {right:?}, which do not fit"),
            )
        };
        if left.is_empty() || right.is_empty() || left[left.len() - 1] != right[right.len().max(2) - 2] {
            return Err(error());
        }
        let stack = |shape: &[usize]| shape[..shape.len().saturating_sub(2)].to_vec();
        let batch = broadcast(&stack(&left), &stack(&right)).ok_or_else(error)?;
        let (rows, inner, columns) = (0, 1, 2);
        let stacked: Vec<Label> = (3..3 + batch.len() as Label).collect();
        let prepare = |array: &Self, matrix: [Label; 2], vector: Label| {
            let shape = array.shape();
            if shape.len() == 1 {
                return Ok((array.clone(), vec![vector]));
            }
            let whole = [&batch, &shape[shape.len() - 2..]].concat();
            let array = if whole == shape { array.clone() } else { array.try_broadcast_to(whole)? };
            Ok((array, [&stacked[..], &matrix].concat()))
        };
        let (first, first_labels) = prepare(self, [rows, inner], inner)?;
        let (second, second_labels) = prepare(other, [inner, columns], inner)?;
        let mut output = stacked.clone();
        output.extend((left.len() > 1).then_some(rows));
        output.extend((right.len() > 1).then_some(columns));
        contract(&first, &second, &first_labels, &second_labels, &output)
    }

    /// NumPy's `dot`: the product of matrices and vectors; of more axes, sums over the last axis of this
    /// array and the last but one of the other; with an array without axes, products of elements.
    ///
    /// # Panics
    ///
    /// Panics if the shapes do not fit.
    #[track_caller]
    pub fn dot(&self, other: &Self) -> Self {
        if self.ndim() == 0 || other.ndim() == 0 {
            return self * other;
        }
        self.over_axes("dot", other, &[self.ndim() - 1], &[other.ndim().max(2) - 2])
    }

    /// The sums over the last axes of both: all products of rows; with an array without axes, products of
    /// elements.
    ///
    /// # Panics
    ///
    /// Panics if the last axes differ in length.
    #[track_caller]
    pub fn inner(&self, other: &Self) -> Self {
        if self.ndim() == 0 || other.ndim() == 0 {
            return self * other;
        }
        self.over_axes("inner", other, &[self.ndim() - 1], &[other.ndim() - 1])
    }

    /// The sums over pairs of axes, `axes[i]` of this array with `other_axes[i]` of the other. The axes
    /// of the result are those that are left, first this array's.
    ///
    /// # Panics
    ///
    /// Panics if the pairs differ in length, there are no such axes, or an axis is given twice.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([3, 4, 5], 2);
    /// let y = client.ones::<f64>([5, 3, 2], 2);
    /// assert_eq!(x.tensordot(&y, &[2, 0], &[0, 1]).compute()?[[3, 1]], 15.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn tensordot(&self, other: &Self, axes: &[usize], other_axes: &[usize]) -> Self {
        self.over_axes("tensordot", other, axes, other_axes)
    }

    #[track_caller]
    fn over_axes(&self, name: &str, other: &Self, axes: &[usize], other_axes: &[usize]) -> Self {
        let (left, right) = (self.shape(), other.shape());
        let is_once = |axes: &[usize]| (1..axes.len()).all(|place| !axes[..place].contains(&axes[place]));
        let is_fit = axes.len() == other_axes.len()
            && is_once(axes)
            && is_once(other_axes)
            && axes
                .iter()
                .zip(other_axes)
                .all(|(own, other)| left.get(*own).is_some_and(|length| right.get(*other) == Some(length)));
        assert!(
            is_fit,
            "{name} of shapes {left:?} and {right:?} over axes {axes:?} and {other_axes:?}, which do not fit"
        );
        let own: Vec<Label> = (0..left.len() as Label).collect();
        let mut others: Vec<Label> = (0..right.len()).map(|axis| (left.len() + axis) as Label).collect();
        axes.iter().zip(other_axes).for_each(|(own, other)| others[*other] = *own as Label);
        let is_left = |label: &Label| {
            let is_summed = axes.contains(&(*label as usize));
            !is_summed
        };
        let output: Vec<Label> = own.iter().chain(&others).copied().filter(is_left).collect();
        expect(name, contract(self, other, &own, &others, &output))
    }

    /// All products of an element of this array and one of the other, as a matrix.
    #[track_caller]
    pub fn outer(&self, other: &Self) -> Self {
        self.ravel().expand_dims(1) * other.ravel()
    }

    /// The conjugate transpose of a matrix.
    pub fn adjoint(&self) -> Self {
        match T::DATA_TYPE {
            DataType::Complex32 | DataType::Complex64 => self.conj().transpose(),
            _ => self.transpose(),
        }
    }

    /// The sum of the products of elements at the same place, those of this array conjugated.
    ///
    /// # Panics
    ///
    /// Panics if the numbers of elements differ.
    #[track_caller]
    pub fn vdot(&self, other: &Self) -> Array<T, Ix0> {
        let (left, right) = (self.shape(), other.shape());
        assert!(self.size() == other.size(), "vdot of shapes {left:?} and {right:?}, which do not fit");
        match left == right {
            true => (self.conj() * other).sum(),
            false => (self.ravel().conj() * other.ravel()).sum(),
        }
    }
}

/// The shape that two shapes are broadcast to.
fn broadcast(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let ndim = left.len().max(right.len());
    let length = |shape: &[usize], axis: usize| match (axis + shape.len()).checked_sub(ndim) {
        Some(own) => shape[own],
        None => 1,
    };
    let axis = |axis| match (length(left, axis), length(right, axis)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    };
    (0..ndim).map(axis).collect()
}

/// The sum of products over all labels that the output does not have.
pub(super) fn contract<T: Float>(
    left: &Array<T>,
    right: &Array<T>,
    left_labels: &[Label],
    right_labels: &[Label],
    output: &[Label],
) -> Result<Array<T>, ShapeError> {
    check(left, right, left_labels, right_labels, output)?;
    let (left, left_labels) = without_own(left, left_labels, right_labels, output);
    let (right, right_labels) = without_own(right, right_labels, &left_labels, output);
    let of = |labels: &[Label], chosen: &dyn Fn(Label) -> bool| -> Vec<Label> {
        labels.iter().copied().filter(|label| chosen(*label)).collect()
    };
    let batch = of(output, &|label| left_labels.contains(&label) && right_labels.contains(&label));
    let inner = of(&left_labels, &|label| !output.contains(&label));
    let rows = of(&left_labels, &|label| !right_labels.contains(&label));
    let columns = of(&right_labels, &|label| !left_labels.contains(&label));
    let made = [batch.clone(), rows.clone(), columns.clone()].concat();
    let length = |label: &Label| {
        let of = |array: &Array<T>, labels: &[Label]| {
            labels.iter().position(|own| own == label).map(|axis| array.shape()[axis])
        };
        of(&left, &left_labels).or_else(|| of(&right, &right_labels)).unwrap_or(1)
    };
    checked_size(&made.iter().map(length).collect::<Vec<_>>(), size_of::<T>())?;
    let product = if inner.is_empty() || (rows.is_empty() && columns.is_empty()) {
        // No work that a product of blocks could save: elements are multiplied, and fused with the rest.
        let all = [made.clone(), inner.clone()].concat();
        let product = arrange(&left, &left_labels, &all) * arrange(&right, &right_labels, &all);
        match inner.is_empty() {
            true => product,
            false => product.sum_axis((made.len()..all.len()).collect::<Vec<_>>()),
        }
    } else {
        let left = arrange(&left, &left_labels, &[&batch[..], &rows, &inner].concat());
        let right = arrange(&right, &right_labels, &[&batch[..], &inner, &columns].concat());
        let layout = Layout { batch: batch.len(), inner: inner.len() };
        multiply(&left, &right, layout)
    };
    Ok(arrange(&product, &made, output))
}

fn check<T: Float>(
    left: &Array<T>,
    right: &Array<T>,
    left_labels: &[Label],
    right_labels: &[Label],
    output: &[Label],
) -> Result<(), ShapeError> {
    let name = |label: Label| char::from_u32(label).unwrap_or('?');
    let (own, other) = (left.shape(), right.shape());
    let shapes = format!("shapes {own:?} and {other:?}");
    for (shape, labels) in [(&own, left_labels), (&other, right_labels)] {
        if shape.len() != labels.len() {
            let words = format!("{} axes are named for the shape {shape:?}", labels.len());
            return Err(ShapeError::new(ShapeErrorKind::Subscripts, words));
        }
    }
    for labels in [left_labels, right_labels, output] {
        let twice = labels.iter().enumerate().find(|(place, label)| labels[..*place].contains(label));
        if let Some((_, label)) = twice {
            let words = format!("{:?} is there twice; diagonals are not taken", name(*label));
            return Err(ShapeError::new(ShapeErrorKind::Subscripts, words));
        }
    }
    if let Some(label) = output.iter().find(|label| ![left_labels, right_labels].concat().contains(label)) {
        return Err(ShapeError::new(
            ShapeErrorKind::Subscripts,
            format!("{:?} of the result is in no operand", name(*label)),
        ));
    }
    for (label, length) in left_labels.iter().zip(&own) {
        let there = right_labels.iter().position(|other| other == label);
        if there.is_some_and(|axis| other[axis] != *length) {
            return Err(ShapeError::new(
                ShapeErrorKind::Mismatch,
                format!("{shapes} do not fit along {:?}", name(*label)),
            ));
        }
    }
    Ok(())
}

/// The array summed over the axes that neither the other operand nor the output has.
pub(super) fn without_own<T: Float>(
    array: &Array<T>,
    labels: &[Label],
    others: &[Label],
    output: &[Label],
) -> (Array<T>, Vec<Label>) {
    let is_used = |label: &Label| others.contains(label) || output.contains(label);
    let unused: Vec<usize> = (0..labels.len()).filter(|axis| !is_used(&labels[*axis])).collect();
    match unused.is_empty() {
        true => (array.clone(), labels.to_vec()),
        false => (array.sum_axis(unused), labels.iter().copied().filter(is_used).collect()),
    }
}

/// The array with its axes in the order of `wanted`; those it has not have length 1.
pub(super) fn arrange<T: Float>(array: &Array<T>, labels: &[Label], wanted: &[Label]) -> Array<T> {
    let axes: Vec<Option<usize>> =
        wanted.iter().map(|label| labels.iter().position(|own| own == label)).collect();
    array.derive(crate::array::api::index::view_node(&array.node, &axes))
}

/// The product of arrays whose axes are in order, cut alike where they must be.
fn multiply<T: Float>(left: &Array<T>, right: &Array<T>, layout: Layout) -> Array<T> {
    let Layout { batch, inner } = layout;
    let rows = left.ndim() - inner;
    let (mut left_grid, mut right_grid) = (left.node.grid.clone(), right.node.grid.clone());
    // Of two ways to cut an axis the finer one is taken: no task then needs more memory.
    let finer = |a: &AxisChunks, b: &AxisChunks| if a.count() < b.count() { b.clone() } else { a.clone() };
    for axis in 0..batch + inner {
        let own = if axis < batch { axis } else { rows + axis - batch };
        let common = finer(&left_grid.0[own], &right_grid.0[axis]);
        (left_grid.0[own], right_grid.0[axis]) = (common.clone(), common);
    }
    let cut = |array: &Array<T>, grid: &Grid| array.node.rechunk(grid);
    left.derive(product_node::<T>(&cut(left, &left_grid), &cut(right, &right_grid), layout))
}
