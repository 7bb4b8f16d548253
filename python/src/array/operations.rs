//! Operations by NumPy's names: which of the library's each is, and for which element types.
//!
//! Each returns the array, or the type of elements that has no such operation.

use super::any::{AnyArray, Packed, of_type, with_array};
use maniple::{
    Array,
    array::{Axes, DataType},
};
use pyo3::{exceptions::PyNotImplementedError, prelude::*};

/// The exception for a name that is not known.
pub(super) fn unknown(name: &str) -> PyErr {
    PyNotImplementedError::new_err(format!("{name} is not available for arrays"))
}

/// The other array, which must have elements of the same type.
pub(super) fn like<'a, T: Packed>(_: &Array<T>, other: &'a AnyArray) -> PyResult<&'a Array<T>> {
    of_type(other)
}

pub(super) fn unary(name: &str, any: &AnyArray) -> PyResult<Result<AnyArray, DataType>> {
    Ok(match name {
        "absolute" => with_array!(Element, any, x => x.abs().into()),
        "negative" => with_array!(Number, any, x => (-x).into()),
        "logical_not" => of_type::<bool>(any).map(|x| Ok((!x).into()))?,
        "conjugate" => with_array!(Element, any, x => x.conj().into()),
        "square" => with_array!(Number, any, x => x.square().into()),
        "sign" => with_array!(Ordered, any, x => x.sign().into()),
        "isnan" => with_array!(Number, any, x => x.is_nan().into()),
        "isinf" => with_array!(Number, any, x => x.is_infinite().into()),
        "isfinite" => with_array!(Number, any, x => x.is_finite().into()),
        "floor" => with_array!(Real, any, x => x.floor().into()),
        "ceil" => with_array!(Real, any, x => x.ceil().into()),
        "trunc" => with_array!(Real, any, x => x.trunc().into()),
        "rint" => with_array!(Real, any, x => x.round().into()),
        "sqrt" => with_array!(Float, any, x => x.sqrt().into()),
        "cbrt" => with_array!(Real, any, x => x.cbrt().into()),
        "reciprocal" => with_array!(Float, any, x => x.recip().into()),
        "exp" => with_array!(Float, any, x => x.exp().into()),
        "exp2" => with_array!(Real, any, x => x.exp2().into()),
        "expm1" => with_array!(Real, any, x => x.exp_m1().into()),
        "log" => with_array!(Float, any, x => x.ln().into()),
        "log2" => with_array!(Real, any, x => x.log2().into()),
        "log10" => with_array!(Real, any, x => x.log10().into()),
        "log1p" => with_array!(Real, any, x => x.ln_1p().into()),
        "sin" => with_array!(Float, any, x => x.sin().into()),
        "cos" => with_array!(Float, any, x => x.cos().into()),
        "tan" => with_array!(Float, any, x => x.tan().into()),
        "arcsin" => with_array!(Float, any, x => x.asin().into()),
        "arccos" => with_array!(Float, any, x => x.acos().into()),
        "arctan" => with_array!(Float, any, x => x.atan().into()),
        "sinh" => with_array!(Float, any, x => x.sinh().into()),
        "cosh" => with_array!(Float, any, x => x.cosh().into()),
        "tanh" => with_array!(Float, any, x => x.tanh().into()),
        "arcsinh" => with_array!(Float, any, x => x.asinh().into()),
        "arccosh" => with_array!(Float, any, x => x.acosh().into()),
        "arctanh" => with_array!(Float, any, x => x.atanh().into()),
        "degrees" => with_array!(Real, any, x => x.to_degrees().into()),
        "radians" => with_array!(Real, any, x => x.to_radians().into()),
        "real" => with_array!(Float, any, x => x.real().into()),
        "imag" => with_array!(Float, any, x => x.imag().into()),
        other => return Err(unknown(other)),
    })
}

pub(super) fn binary(name: &str, left: &AnyArray, right: &AnyArray) -> PyResult<Result<AnyArray, DataType>> {
    Ok(match name {
        "add" => with_array!(Number, left, x => (x + like(x, right)?).into()),
        "subtract" => with_array!(Number, left, x => (x - like(x, right)?).into()),
        "multiply" => with_array!(Number, left, x => (x * like(x, right)?).into()),
        "divide" => with_array!(Float, left, x => (x / like(x, right)?).into()),
        "remainder" => with_array!(Ordered, left, x => (x % like(x, right)?).into()),
        "floor_divide" => with_array!(Ordered, left, x => x.floor_divide(like(x, right)?).into()),
        "power" => with_array!(Number, left, x => x.pow(like(x, right)?).into()),
        "bitwise_and" => with_array!(Ordered, left, x => (x & like(x, right)?).into()),
        "bitwise_or" => with_array!(Ordered, left, x => (x | like(x, right)?).into()),
        "bitwise_xor" => with_array!(Ordered, left, x => (x ^ like(x, right)?).into()),
        "equal" => with_array!(Element, left, x => x.eq(like(x, right)?).into()),
        "not_equal" => with_array!(Element, left, x => x.ne(like(x, right)?).into()),
        "less" => with_array!(Ordered, left, x => x.lt(like(x, right)?).into()),
        "less_equal" => with_array!(Ordered, left, x => x.le(like(x, right)?).into()),
        "greater" => with_array!(Ordered, left, x => x.gt(like(x, right)?).into()),
        "greater_equal" => with_array!(Ordered, left, x => x.ge(like(x, right)?).into()),
        "minimum" => with_array!(Ordered, left, x => x.minimum(like(x, right)?).into()),
        "maximum" => with_array!(Ordered, left, x => x.maximum(like(x, right)?).into()),
        "fmin" => with_array!(Ordered, left, x => x.fmin(like(x, right)?).into()),
        "fmax" => with_array!(Ordered, left, x => x.fmax(like(x, right)?).into()),
        "hypot" => with_array!(Real, left, x => x.hypot(like(x, right)?).into()),
        "arctan2" => with_array!(Real, left, x => x.atan2(like(x, right)?).into()),
        "logaddexp" => with_array!(Real, left, x => x.log_add_exp(like(x, right)?).into()),
        other => return Err(unknown(other)),
    })
}

pub(super) fn reduce(
    name: &str,
    any: &AnyArray,
    axes: Axes,
    ddof: f64,
) -> PyResult<Result<AnyArray, DataType>> {
    Ok(match name {
        "sum" => with_array!(Element, any, x => x.sum_axis(axes).into()),
        "prod" => with_array!(Element, any, x => x.prod_axis(axes).into()),
        "mean" => with_array!(Element, any, x => x.mean_axis(axes).into()),
        "std" => with_array!(Real, any, x => x.std_axis_ddof(axes, ddof).into()),
        "var" => with_array!(Real, any, x => x.var_axis_ddof(axes, ddof).into()),
        "min" => with_array!(Ordered, any, x => x.min_axis(axes).into()),
        "max" => with_array!(Ordered, any, x => x.max_axis(axes).into()),
        "any" => of_type::<bool>(any).map(|x| Ok(x.any_axis(axes).into()))?,
        "all" => of_type::<bool>(any).map(|x| Ok(x.all_axis(axes).into()))?,
        "argmin" => with_array!(Ordered, any, x => x.argmin_axis(axes).into()),
        "argmax" => with_array!(Ordered, any, x => x.argmax_axis(axes).into()),
        "count_nonzero" => with_array!(Element, any, x => x.count_nonzero_axis(axes).into()),
        "nansum" => with_array!(Real, any, x => x.nansum_axis(axes).into()),
        "nanprod" => with_array!(Real, any, x => x.nanprod_axis(axes).into()),
        "nanmean" => with_array!(Real, any, x => x.nanmean_axis(axes).into()),
        "nanstd" => with_array!(Real, any, x => x.nanstd_axis_ddof(axes, ddof).into()),
        "nanvar" => with_array!(Real, any, x => x.nanvar_axis_ddof(axes, ddof).into()),
        "nanmin" => with_array!(Real, any, x => x.nanmin_axis(axes).into()),
        "nanmax" => with_array!(Real, any, x => x.nanmax_axis(axes).into()),
        other => return Err(unknown(other)),
    })
}
