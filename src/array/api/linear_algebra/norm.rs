//! Norms of vectors and of matrices, of any order.

use crate::array::{
    Array, Axes, Element, Float, ShapeError, ShapeErrorKind,
    api::{index::view_node, operators::constant},
    error::expect,
};
use ndarray::Ix0;

/// Which norm [`Array::norm_axis`] takes; a number is an order.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Norm {
    /// Of a vector: the root of this order of the sum of the magnitudes to this power; infinity is the largest
    /// magnitude, minus infinity the smallest, 0 how many are not zero.
    ///
    /// Of a matrix: 1 and infinity are the largest sum of a column and of a row of magnitudes, 2 is the largest
    /// singular value; -1, minus infinity and -2 are the smallest ones.
    Order(f64),
    /// Of a matrix, the square root of the sum of all squared magnitudes.
    Frobenius,
    /// Of a matrix, the sum of the singular values.
    Nuclear,
}

impl From<f64> for Norm {
    fn from(order: f64) -> Self {
        Self::Order(order)
    }
}

type RealOf<T> = <<T as Element>::Mean as Float>::Real;

impl<T: Element> Array<T> {
    /// The norms of the vectors along one axis, or of the matrices whose rows and columns are counted along
    /// two: NumPy's `linalg.norm` with an order. [`Axes::all`] takes the axes that a vector or a matrix has.
    ///
    /// Singular values (orders 2 and -2, and [`Norm::Nuclear`]) are those of a matrix alone, not of stacks of them,
    /// and want the feature `linear-algebra`.
    ///
    /// # Panics
    ///
    /// Panics where [`try_norm_axis`](Self::try_norm_axis) returns an error.
    ///
    /// ```
    /// use maniple::array::{Axes, Norm};
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(-4, 5, 1, 9).reshape([3, 3]).rechunk(2);
    /// assert_eq!(x.norm_axis(1.0, 1).compute()?.as_slice().unwrap(), [9.0, 2.0, 9.0]);
    /// assert_eq!(x.norm_axis(f64::INFINITY, Axes::all()).compute()?.sum(), 9.0);
    /// assert_eq!(x.norm_axis(Norm::Frobenius, [0, 1]).compute()?.sum(), 60_f64.sqrt());
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn norm_axis(&self, norm: impl Into<Norm>, axes: impl Into<Axes>) -> Array<RealOf<T>> {
        expect("norm_axis", self.try_norm_axis(norm, axes))
    }

    /// As [`norm_axis`](Self::norm_axis).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if there is no such axis, there are not one or two of them, or there is no such norm of a
    /// vector or of a matrix; and if it is of elements that are not there.
    pub fn try_norm_axis(
        &self,
        norm: impl Into<Norm>,
        axes: impl Into<Axes>,
    ) -> Result<Array<RealOf<T>>, ShapeError> {
        let (norm, axes) = (norm.into(), axes.into());
        axes.flags(self.ndim())?;
        let listed = axes.axes.clone().unwrap_or_else(|| (0..self.ndim()).collect());
        let shape = self.shape();
        let none = |what: &str| {
            let words =
                format!("a norm of a {what} of axes {listed:?} of shape {shape:?}: there is none {norm:?}");
            ShapeError::new(ShapeErrorKind::Unsupported, words)
        };
        let of_none = listed.iter().any(|axis| shape[*axis] == 0);
        let is_zero = match (listed.len(), norm) {
            (1 | 2, Norm::Order(f64::INFINITY)) | (2, Norm::Nuclear) => of_none,
            (2, Norm::Order(order)) => of_none && (order == 1.0 || order == 2.0),
            _ => false,
        };
        let result = match (listed.as_slice(), norm) {
            // As NumPy: the largest of no magnitudes is zero, the smallest is not known.
            _ if is_zero => self.wide_magnitudes().sum_axis(Axes::of(listed.clone()).keep()).cast(),
            ([_], Norm::Order(f64::NEG_INFINITY)) if of_none => {
                return Err(none("vector without elements"));
            }
            ([axis], Norm::Order(order)) => self.wide_magnitudes().vector_norm(*axis, order).cast(),
            ([_], _) => return Err(none("vector")),
            ([..], _) if listed.len() != 2 => return Err(none("vector or matrix")),
            ([rows, columns], Norm::Frobenius) => {
                self.wide_magnitudes().square().sum_axis(both(*rows, *columns)).sqrt().cast()
            }
            ([rows, columns], Norm::Order(order)) if order.abs() == 1.0 || order.is_infinite() => {
                let (summed, chosen) = if order.is_infinite() { (columns, rows) } else { (rows, columns) };
                if shape[*chosen] == 0 {
                    return Err(none("matrix without elements"));
                }
                let sums = self.wide_magnitudes().sum_axis(Axes::of(*summed).keep());
                match order > 0.0 {
                    true => sums.max_axis(Axes::of(*chosen).keep()).cast(),
                    false => sums.min_axis(Axes::of(*chosen).keep()).cast(),
                }
            }
            (_, Norm::Order(order)) if order.abs() != 2.0 => return Err(none("matrix")),
            _ => self.of_singular_values(norm)?,
        };
        if axes.keep {
            return Ok(result);
        }
        let left: Vec<Option<usize>> =
            (0..result.ndim()).filter(|axis| !listed.contains(axis)).map(Some).collect();
        Ok(result.derive(view_node(&result.node, &left)))
    }

    #[cfg(feature = "linear-algebra")]
    fn of_singular_values(&self, norm: Norm) -> Result<Array<RealOf<T>>, ShapeError> {
        let shape = self.shape();
        if shape.len() != 2 || shape.contains(&0) {
            return Err(ShapeError::new(
                ShapeErrorKind::Unsupported,
                format!("singular values are those of a matrix with elements, not of shape {shape:?}"),
            ));
        }
        let values = self.cast::<T::Mean>().svd().1;
        let keep = || Axes::of(0).keep();
        let result = match norm {
            Norm::Order(order) if order > 0.0 => values.max_axis(keep()),
            Norm::Order(_) => values.min_axis(keep()),
            _ => values.sum_axis(keep()),
        };
        Ok(result.expand_dims(0))
    }

    #[cfg(not(feature = "linear-algebra"))]
    fn of_singular_values(&self, norm: Norm) -> Result<Array<RealOf<T>>, ShapeError> {
        Err(ShapeError::new(
            ShapeErrorKind::Unsupported,
            format!("the norm {norm:?} wants the feature linear-algebra: it is of singular values"),
        ))
    }
}

fn both(rows: usize, columns: usize) -> Axes {
    Axes::of([rows, columns]).keep()
}

impl Array<f64> {
    /// The norm of order `order` of lanes of magnitudes; the axis stays, with length 1.
    fn vector_norm(&self, axis: usize, order: f64) -> Self {
        let axes = Axes::of(axis).keep();
        let number = |number: f64| -> Array<f64, Ix0> { self.derive(constant(number)) };
        match order {
            f64::INFINITY => self.max_axis(axes),
            f64::NEG_INFINITY => self.min_axis(axes),
            0.0 => self.count_nonzero_axis(axes).cast(),
            1.0 => self.sum_axis(axes),
            2.0 => self.square().sum_axis(axes).sqrt(),
            order => self.pow(number(order)).sum_axis(axes).pow(number(1.0 / order)),
        }
    }
}
