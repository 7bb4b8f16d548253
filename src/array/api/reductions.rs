//! Reductions: sums, means, extremes, over all axes or some.

use crate::array::{
    Array, DataType, Dimensions, Element, Float, Number, Ordered, Real, ShapeError, ShapeErrorKind,
    api::{
        create::one,
        operators::{binary_node, cast_node, constant, select_node},
    },
    element::{Sealed, with_type},
    error::expect,
    graph::{
        chunks::{AxisChunks, Grid},
        node::{Kind, Node},
    },
    kernel::{
        operators::Binary,
        reduce::{Reduce, Reduction},
    },
};
use ndarray::{Axis, Ix0};
use num_complex::Complex;
use std::sync::Arc;

/// How many states of blocks are put together at a time.
pub(crate) const FAN_IN: usize = 16;

/// The axes that a reduction goes over: `0`, `[0, 2]`, `Axis(1)`.
///
/// [`keep`](Self::keep) leaves them with length 1, [`fan_in`](Self::fan_in) sets the width of the
/// tree of tasks.
#[derive(Clone, Debug)]
pub struct Axes {
    pub(crate) axes: Option<Vec<usize>>,
    pub(crate) keep: bool,
    pub(crate) fan_in: usize,
}

impl Axes {
    /// These axes.
    pub fn of(axes: impl Into<Self>) -> Self {
        axes.into()
    }

    /// All axes.
    pub fn all() -> Self {
        Self { axes: None, keep: false, fan_in: FAN_IN }
    }

    /// The reduced axes stay, with length 1.
    #[must_use]
    pub fn keep(self) -> Self {
        Self { keep: true, ..self }
    }

    /// Up to this many neighbours are put together by one task; at least 2.
    #[must_use]
    pub fn fan_in(self, fan_in: usize) -> Self {
        Self { fan_in: fan_in.max(2), ..self }
    }

    pub(crate) fn flags(&self, ndim: usize) -> Result<Vec<bool>, ShapeError> {
        let Some(axes) = &self.axes else { return Ok(vec![true; ndim]) };
        let mut flags = vec![false; ndim];
        for axis in axes {
            let flag = flags.get_mut(*axis).ok_or_else(|| {
                ShapeError::new(
                    ShapeErrorKind::Axis,
                    format!("axis {axis} is out of bounds for an array of {ndim} dimensions"),
                )
            })?;
            if std::mem::replace(flag, true) {
                return Err(ShapeError::new(ShapeErrorKind::Axis, format!("axis {axis} is given twice")));
            }
        }
        Ok(flags)
    }

    /// How the result is cut, of an array cut like this with these axes reduced.
    pub(crate) fn result_grid(&self, grid: &Grid, reduced: &[bool]) -> Grid {
        let left = grid.0.iter().zip(reduced).filter_map(|(axis, reduced)| match reduced {
            false => Some(axis.clone()),
            true => self.keep.then(|| AxisChunks::regular(1, 1)),
        });
        Grid(left.collect())
    }
}

impl From<Vec<usize>> for Axes {
    fn from(axes: Vec<usize>) -> Self {
        Self { axes: Some(axes), ..Self::all() }
    }
}

impl From<usize> for Axes {
    fn from(axis: usize) -> Self {
        vec![axis].into()
    }
}

impl From<Axis> for Axes {
    fn from(axis: Axis) -> Self {
        axis.index().into()
    }
}

impl<const N: usize> From<[usize; N]> for Axes {
    fn from(axes: [usize; N]) -> Self {
        axes.to_vec().into()
    }
}

fn reduce_node(input: &Arc<Node>, reduction: Reduction, axes: &Axes) -> Result<Arc<Node>, ShapeError> {
    reduce_node_as(reduction.data_type(input.data_type), input, reduction, axes)
}

/// A reduction whose results are of this type: as precise a one as sums are taken in, or a narrower one.
fn reduce_node_as(
    data_type: DataType,
    input: &Arc<Node>,
    reduction: Reduction,
    axes: &Axes,
) -> Result<Arc<Node>, ShapeError> {
    let reduced = axes.flags(input.ndim())?;
    let needs_element = !matches!(
        reduction,
        Reduction::Sum | Reduction::Product | Reduction::Count | Reduction::Variance { .. }
    );
    let count: usize = input
        .grid
        .0
        .iter()
        .zip(&reduced)
        .filter(|(_, reduced)| **reduced)
        .map(|(axis, _)| axis.length())
        .product();
    let shape = input.shape();
    if needs_element && count == 0 {
        return Err(ShapeError::new(
            ShapeErrorKind::Empty,
            format!("{} of no elements: the array has shape {shape:?}", reduction.name()),
        ));
    }
    let grid = axes.result_grid(&input.grid, &reduced);
    if reduction == Reduction::Sum && count == 0 {
        let zero = with_type!(data_type, T => T::default().scalar());
        return Ok(Node::new(data_type, grid, Kind::Constant(zero)));
    }
    let kind =
        Kind::Reduce { input: Arc::clone(input), reduction, reduced, keep: axes.keep, fan_in: axes.fan_in };
    Ok(Node::new(data_type, grid, kind))
}

impl<T: Element, D: Dimensions> Array<T, D> {
    #[track_caller]
    fn reduce<U: Element, E: Dimensions>(&self, reduction: Reduction, axes: &Axes) -> Array<U, E> {
        self.derive(expect(reduction.name(), reduce_node(&self.node, reduction, axes)))
    }

    /// How many elements of each stretch along these axes there are.
    #[track_caller]
    fn count_along(&self, axes: &Axes) -> usize {
        let flags = expect("count_along", axes.flags(self.ndim()));
        self.shape().iter().zip(flags).filter(|(_, flag)| *flag).map(|(length, _)| length).product()
    }
}

macro_rules! reductions {
    ($($(#[$doc:meta])* $name:ident $name_axis:ident, $Trait:ident, $reduction:expr => $U:ty;)*) => { $(
        impl<T: $Trait, D: Dimensions> Array<T, D> {
            $(#[$doc])*
            /// Over all axes.
            #[track_caller]
            pub fn $name(&self) -> Array<$U, Ix0> {
                self.reduce($reduction, &Axes::all())
            }

            $(#[$doc])*
            /// Over some axes.
            ///
            /// # Panics
            ///
            /// Panics if there is no such axis.
            #[track_caller]
            pub fn $name_axis(&self, axes: impl Into<Axes>) -> Array<$U> {
                self.reduce($reduction, &axes.into())
            }
        }
    )* };
}

reductions! {
    /// The sum of the elements, in 64 bits for integers, with 64-bit intermediates for floats.
    sum sum_axis, Element, Reduction::Sum => T::Sum;
    /// The product of the elements.
    prod prod_axis, Element, Reduction::Product => T::Sum;
    /// The smallest element; NaN if there is a NaN. Panics if there are no elements.
    min min_axis, Ordered, Reduction::Minimum => T;
    /// The largest element; NaN if there is a NaN. Panics if there are no elements.
    max max_axis, Ordered, Reduction::Maximum => T;
    /// The smallest element that is not NaN; infinity if all are.
    nanmin nanmin_axis, Real, Reduction::FMinimum => T;
    /// The largest element that is not NaN; minus infinity if all are.
    nanmax nanmax_axis, Real, Reduction::FMaximum => T;
    /// How many elements are not zero.
    count_nonzero count_nonzero_axis, Element, Reduction::Count => i64;
    /// The index of the first smallest element, in C order over the reduced axes; a NaN is smallest.
    argmin argmin_axis, Ordered, Reduction::ArgMinimum { skip_nan: false } => i64;
    /// The index of the first largest element, in C order over the reduced axes; a NaN is largest.
    argmax argmax_axis, Ordered, Reduction::ArgMaximum { skip_nan: false } => i64;
    /// The index of the first smallest element that is not NaN; -1 if all are.
    nanargmin nanargmin_axis, Real, Reduction::ArgMinimum { skip_nan: true } => i64;
    /// The index of the first largest element that is not NaN; -1 if all are.
    nanargmax nanargmax_axis, Real, Reduction::ArgMaximum { skip_nan: true } => i64;
}

impl<D: Dimensions> Array<bool, D> {
    /// Whether any element is true.
    pub fn any(&self) -> Array<bool, Ix0> {
        self.count_nonzero().gt(0)
    }

    /// Whether any element is true, over some axes.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn any_axis(&self, axes: impl Into<Axes>) -> Array<bool> {
        self.count_nonzero_axis(axes).gt(0)
    }

    /// Whether all elements are true.
    pub fn all(&self) -> Array<bool, Ix0> {
        !(!self).any()
    }

    /// Whether all elements are true, over some axes.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn all_axis(&self, axes: impl Into<Axes>) -> Array<bool> {
        !(!self).any_axis(axes)
    }
}

impl<T: Element, D: Dimensions> Array<T, D> {
    #[track_caller]
    fn mean_over<E: Dimensions>(&self, axes: &Axes) -> Array<T::Mean, E> {
        let mean = <T::Mean as Element>::DATA_TYPE;
        let sum = expect("mean", self.wide_sum_node(&cast_node(mean, &self.node), axes));
        let count = constant(self.count_along(axes) as f64);
        let quotient = expect(
            "mean",
            binary_node(Binary::Divide, sum.data_type, Arc::clone(&sum), cast_node(sum.data_type, &count)),
        );
        self.derive(cast_node(mean, &quotient))
    }

    /// Sums that are not yet rounded to the type of the elements: `f64` of floats, or complex ones of these.
    fn wide_sum_node(&self, floats: &Arc<Node>, axes: &Axes) -> Result<Arc<Node>, ShapeError> {
        let wide = with_type!(floats.data_type, T => <T as Reduce>::Wide::DATA_TYPE);
        reduce_node_as(wide, floats, Reduction::Sum, axes)
    }

    /// The mean of all elements; NaN of none.
    pub fn mean(&self) -> Array<T::Mean, Ix0> {
        self.mean_over(&Axes::all())
    }

    /// Means over some axes.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn mean_axis(&self, axes: impl Into<Axes>) -> Array<T::Mean> {
        self.mean_over(&axes.into())
    }
}

/// The real numbers that the mean of such elements consists of.
type RealOf<T> = <<T as Element>::Mean as Float>::Real;

impl<T: Element, D: Dimensions> Array<T, D> {
    /// The variance, or its root. That of complex numbers is the sum of those of both parts.
    #[track_caller]
    fn spread<E: Dimensions>(
        &self,
        skip_nan: bool,
        is_deviation: bool,
        axes: &Axes,
        ddof: f64,
    ) -> Array<RealOf<T>, E> {
        let numbers = self.cast::<T::Mean>();
        if T::Mean::DATA_TYPE == RealOf::<T>::DATA_TYPE {
            let numbers: Array<RealOf<T>, D> = self.derive(numbers.node);
            return numbers.reduce(Reduction::Variance { ddof, skip_nan, is_deviation }, axes);
        }
        let reduction = Reduction::Variance { ddof, skip_nan, is_deviation: false };
        let part = |part: Array<RealOf<T>, D>| -> Array<RealOf<T>> { part.reduce(reduction, axes) };
        let sum = part(numbers.real()) + part(numbers.imag());
        let spread = if is_deviation { sum.sqrt() } else { sum };
        self.derive(spread.node)
    }
}

macro_rules! spreads {
    ($($Trait:ident $(#[$doc:meta])* $name:ident $name_ddof:ident $name_axis:ident $name_axis_ddof:ident: $skip_nan:expr, $is_deviation:expr;)*) => { $(
        impl<T: $Trait, D: Dimensions> Array<T, D> {
            $(#[$doc])*
            /// Over all axes, divided by the count of elements, as NumPy does by default.
            pub fn $name(&self) -> Array<RealOf<T>, Ix0> {
                self.$name_ddof(0.0)
            }

            $(#[$doc])*
            /// Over all axes; `ddof` degrees of freedom are subtracted from the count.
            pub fn $name_ddof(&self, ddof: f64) -> Array<RealOf<T>, Ix0> {
                self.spread($skip_nan, $is_deviation, &Axes::all(), ddof)
            }

            $(#[$doc])*
            /// Over some axes, divided by the count of elements, as NumPy does by default.
            ///
            /// # Panics
            ///
            /// Panics if there is no such axis.
            #[track_caller]
            pub fn $name_axis(&self, axes: impl Into<Axes>) -> Array<RealOf<T>> {
                self.$name_axis_ddof(axes, 0.0)
            }

            $(#[$doc])*
            /// Over some axes; `ddof` degrees of freedom are subtracted from the count.
            ///
            /// # Panics
            ///
            /// Panics if there is no such axis.
            #[track_caller]
            pub fn $name_axis_ddof(&self, axes: impl Into<Axes>, ddof: f64) -> Array<RealOf<T>> {
                self.spread($skip_nan, $is_deviation, &axes.into(), ddof)
            }
        }
    )* };
}

spreads! {
    Element
    /// Returns the variance of the elements: in 64 bits for integers, and of complex numbers the mean of the squared
    /// magnitudes of their distances from the mean.
    var var_ddof var_axis var_axis_ddof: false, false;
    Element
    /// Returns the standard deviation of the elements, the root of their [variance](Self::var).
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(1, 5, 1, 2);
    /// assert_eq!(x.std().compute()?, 1.25f64.sqrt());
    /// assert_eq!(x.std_ddof(1.0).compute()?, (5.0f64 / 3.0).sqrt());
    /// # Ok(()) }).unwrap();
    /// ```
    std std_ddof std_axis std_axis_ddof: false, true;
    Real
    /// Returns the variance of the elements that are not NaN.
    nanvar nanvar_ddof nanvar_axis nanvar_axis_ddof: true, false;
    Real
    /// Returns the standard deviation of the elements that are not NaN.
    nanstd nanstd_ddof nanstd_axis nanstd_axis_ddof: true, true;
}

impl<T: Real, D: Dimensions> Array<T, D> {
    /// The same elements, with this one in the place of those that are NaN.
    pub(crate) fn nan_as(&self, value: T) -> Array<T> {
        let inputs = vec![self.is_nan().node, constant(value), Arc::clone(&self.node)];
        self.derive(expect("where", select_node(T::DATA_TYPE, inputs)))
    }

    /// The sum of the elements that are not NaN.
    pub fn nansum(&self) -> Array<T, Ix0> {
        self.nan_as(T::default()).sum()
    }

    /// Sums of the elements that are not NaN, over some axes.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn nansum_axis(&self, axes: impl Into<Axes>) -> Array<T> {
        self.nan_as(T::default()).sum_axis(axes)
    }

    /// The product of the elements that are not NaN.
    pub fn nanprod(&self) -> Array<T, Ix0> {
        self.nan_as(one()).prod()
    }

    /// Products of the elements that are not NaN, over some axes.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn nanprod_axis(&self, axes: impl Into<Axes>) -> Array<T> {
        self.nan_as(one()).prod_axis(axes)
    }

    /// The mean of the elements that are not NaN; NaN if all are.
    pub fn nanmean(&self) -> Array<T, Ix0> {
        self.nanmean_over(&Axes::all())
    }

    #[track_caller]
    fn nanmean_over<E: Dimensions>(&self, axes: &Axes) -> Array<T, E> {
        let sum = expect("nanmean", self.wide_sum_node(&self.nan_as(T::default()).node, axes));
        let count = expect("nanmean", reduce_node(&(!self.is_nan()).node, Reduction::Count, axes));
        let quotient = expect(
            "nanmean",
            binary_node(Binary::Divide, DataType::F64, sum, cast_node(DataType::F64, &count)),
        );
        self.derive(cast_node(T::DATA_TYPE, &quotient))
    }

    /// Means of the elements that are not NaN, over some axes.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn nanmean_axis(&self, axes: impl Into<Axes>) -> Array<T> {
        self.nanmean_over(&axes.into())
    }
}

impl<T: Element> Array<T> {
    /// Absolute values as `f64`, whose squares are numbers also where `f32` has none.
    pub(crate) fn wide_magnitudes(&self) -> Array<f64> {
        match T::DATA_TYPE {
            DataType::Complex32 => self.cast::<Complex<f64>>().abs(),
            _ => self.abs().cast(),
        }
    }
}

impl<T: Number> Array<T> {
    /// The Euclidean norm of all elements taken as one vector, calculated with 64 bits.
    pub fn norm(&self) -> Array<<T::Mean as Float>::Real, Ix0> {
        self.wide_magnitudes().square().sum().sqrt().cast()
    }
}
