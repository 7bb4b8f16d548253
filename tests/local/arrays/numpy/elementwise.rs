//! Elementwise operations of the table's programs.

use super::{
    operations::Built,
    table::Step,
    value::{Value, any, on, on_two, read_one},
};
use maniple::{array::select, half::f16};
use num_complex::Complex;

/// An operation on one array; `None` if there is none of this name.
pub(super) fn unary(step: &Step, x: &Value) -> Option<Built> {
    macro_rules! of_numbers { ($x:ident => $code:expr) => { on!(x, [U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64], $x => $code) }; }
    macro_rules! of_ordered { ($x:ident => $code:expr) => { on!(x, [U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], $x => $code) }; }
    macro_rules! of_floats { ($x:ident => $code:expr) => { on!(x, [F32 F64 C32 C64], $x => $code) }; }
    macro_rules! of_reals { ($x:ident => $code:expr) => { on!(x, [F32 F64], $x => $code) }; }
    Some(match step.operation.as_str() {
        "negative" => of_numbers!(x => -x),
        "square" => of_numbers!(x => x.square()),
        "isnan" => of_numbers!(x => x.is_nan()),
        "isinf" => of_numbers!(x => x.is_infinite()),
        "isfinite" => of_numbers!(x => x.is_finite()),
        "absolute" => any!(x, x => x.abs()),
        "conjugate" => of_numbers!(x => x.conj()),
        "sign" => of_ordered!(x => x.sign()),
        "invert" => on!(x, [Bool], x => !x),
        "clip" => of_ordered!(x => x.clip(read_one(&step.words[..1]), read_one(&step.words[1..]))),
        "floor" => of_reals!(x => x.floor()),
        "ceil" => of_reals!(x => x.ceil()),
        "rint" => of_reals!(x => x.round()),
        "trunc" => of_reals!(x => x.trunc()),
        "cbrt" => of_reals!(x => x.cbrt()),
        "exp2" => of_reals!(x => x.exp2()),
        "expm1" => of_reals!(x => x.exp_m1()),
        "log2" => of_reals!(x => x.log2()),
        "log10" => of_reals!(x => x.log10()),
        "log1p" => of_reals!(x => x.ln_1p()),
        "arcsin" => of_reals!(x => x.asin()),
        "arccos" => of_reals!(x => x.acos()),
        "arctan" => of_reals!(x => x.atan()),
        "arcsinh" => of_reals!(x => x.asinh()),
        "arccosh" => of_reals!(x => x.acosh()),
        "arctanh" => of_reals!(x => x.atanh()),
        "sqrt" => of_floats!(x => x.sqrt()),
        "reciprocal" => of_floats!(x => x.recip()),
        "exp" => of_floats!(x => x.exp()),
        "log" => of_floats!(x => x.ln()),
        "sin" => of_floats!(x => x.sin()),
        "cos" => of_floats!(x => x.cos()),
        "tan" => of_floats!(x => x.tan()),
        "sinh" => of_floats!(x => x.sinh()),
        "cosh" => of_floats!(x => x.cosh()),
        "tanh" => of_floats!(x => x.tanh()),
        "real" => of_floats!(x => x.real()),
        "imag" => of_floats!(x => x.imag()),
        "cast" => match step.words[0].as_str() {
            "bool" => any!(x, x => x.cast::<bool>()),
            "uint8" => any!(x, x => x.cast::<u8>()),
            "uint16" => any!(x, x => x.cast::<u16>()),
            "uint32" => any!(x, x => x.cast::<u32>()),
            "uint64" => any!(x, x => x.cast::<u64>()),
            "int8" => any!(x, x => x.cast::<i8>()),
            "int16" => any!(x, x => x.cast::<i16>()),
            "int32" => any!(x, x => x.cast::<i32>()),
            "int64" => any!(x, x => x.cast::<i64>()),
            "float16" => any!(x, x => x.cast::<f16>()),
            "float32" => any!(x, x => x.cast::<f32>()),
            "float64" => any!(x, x => x.cast::<f64>()),
            "complex64" => any!(x, x => x.cast::<Complex<f32>>()),
            _ => any!(x, x => x.cast::<Complex<f64>>()),
        },
        _ => return None,
    })
}

/// An operation on two arrays.
pub(super) fn binary(step: &Step, x: &Value, y: &Value) -> Option<Built> {
    macro_rules! of_all { ($x:ident $y:ident => $code:expr) => { on_two!(x, y, [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64], $x $y => $code) }; }
    macro_rules! of_numbers { ($x:ident $y:ident => $code:expr) => { on_two!(x, y, [U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64], $x $y => $code) }; }
    macro_rules! of_ordered { ($x:ident $y:ident => $code:expr) => { on_two!(x, y, [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], $x $y => $code) }; }
    macro_rules! of_bits { ($x:ident $y:ident => $code:expr) => { on_two!(x, y, [Bool U8 U16 U32 U64 I8 I16 I32 I64], $x $y => $code) }; }
    macro_rules! of_floats { ($x:ident $y:ident => $code:expr) => { on_two!(x, y, [F32 F64 C32 C64], $x $y => $code) }; }
    macro_rules! of_reals { ($x:ident $y:ident => $code:expr) => { on_two!(x, y, [F32 F64], $x $y => $code) }; }
    Some(match step.operation.as_str() {
        "add" => of_numbers!(x y => x + y),
        "subtract" => of_numbers!(x y => x - y),
        "multiply" => of_numbers!(x y => x * y),
        "divide" => of_floats!(x y => x / y),
        "remainder" => of_ordered!(x y => x % y),
        "floor_divide" => of_ordered!(x y => x.floor_divide(y)),
        "bitwise_and" => of_bits!(x y => x & y),
        "bitwise_or" => of_bits!(x y => x | y),
        "bitwise_xor" => of_bits!(x y => x ^ y),
        "equal" => of_all!(x y => x.eq(y)),
        "not_equal" => of_all!(x y => x.ne(y)),
        "less" => of_ordered!(x y => x.lt(y)),
        "less_equal" => of_ordered!(x y => x.le(y)),
        "greater" => of_ordered!(x y => x.gt(y)),
        "greater_equal" => of_ordered!(x y => x.ge(y)),
        "power" => of_numbers!(x y => x.pow(y)),
        "minimum" => of_ordered!(x y => x.minimum(y)),
        "maximum" => of_ordered!(x y => x.maximum(y)),
        "fmin" => of_ordered!(x y => x.fmin(y)),
        "fmax" => of_ordered!(x y => x.fmax(y)),
        "hypot" => of_reals!(x y => x.hypot(y)),
        "arctan2" => of_reals!(x y => x.atan2(y)),
        _ => return None,
    })
}

/// NumPy's `where`.
pub(super) fn choose(condition: &Value, yes: &Value, no: &Value) -> Built {
    let Value::Bool(condition) = condition else { return Err("a condition is of bool".into()) };
    on_two!(yes, no, [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64], x y => select(condition, x, y))
}
