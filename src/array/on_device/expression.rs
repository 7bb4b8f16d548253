//! Operations on elements as expressions in OpenCL C: which there are, and what they are called. Pure.
//!
//! Each says what the loops of `kernel::operators` say: integers wrap, as they are calculated without
//! signs, comparisons with NaN are false. `None`: a device does not have it.

use crate::array::{
    DataType,
    kernel::operators::{Binary, Unary},
};

/// OpenCL C's name of a type. Truth values are bytes.
pub(super) fn name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Bool | DataType::U8 => "uchar",
        DataType::U16 => "ushort",
        DataType::U32 => "uint",
        DataType::U64 => "ulong",
        DataType::I8 => "char",
        DataType::I16 => "short",
        DataType::I32 => "int",
        DataType::I64 => "long",
        DataType::F16 => "half",
        DataType::F32 => "float",
        DataType::F64 => "double",
        DataType::Complex32 | DataType::Complex64 => "complex",
    }
}

/// What kind of numbers a type has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Truth,
    Unsigned,
    Signed,
    Real,
}

pub(super) fn family(data_type: DataType) -> Option<Family> {
    match data_type {
        DataType::Bool => Some(Family::Truth),
        DataType::U8 | DataType::U16 | DataType::U32 | DataType::U64 => Some(Family::Unsigned),
        DataType::I8 | DataType::I16 | DataType::I32 | DataType::I64 => Some(Family::Signed),
        DataType::F32 | DataType::F64 => Some(Family::Real),
        DataType::F16 | DataType::Complex32 | DataType::Complex64 => None,
    }
}

/// The type in which integers wrap. That of small ones is as wide as `int`, to which C widens them.
pub(super) fn wrapping(data_type: DataType) -> &'static str {
    match data_type {
        DataType::U16 | DataType::I8 | DataType::I16 | DataType::I32 => "uint",
        DataType::I64 => "ulong",
        other => name(other),
    }
}

pub(super) fn unary(operator: Unary, data_type: DataType, a: &str) -> Option<String> {
    use Unary::{Absolute, Ceil, Conjugate, Floor, IsFinite, IsInfinite, IsNan, Negative, Not, Real};
    use Unary::{Round, Sign, Square, Truncate};
    let (own, wide) = (name(data_type), wrapping(data_type));
    let family = family(data_type)?;
    if family == Family::Real {
        return real(operator, own, a);
    }
    let is_number = family != Family::Truth;
    Some(match operator {
        Not if family == Family::Truth => format!("!{a}"),
        Not => format!("({own})~{a}"),
        Absolute if family == Family::Signed => format!("({own})({a} < 0 ? 0 - ({wide}){a} : ({wide}){a})"),
        Absolute | Conjugate | Real => a.into(),
        Negative if is_number => format!("({own})(0 - ({wide}){a})"),
        Sign if is_number => format!("({own})(({a} > 0) - ({a} < 0))"),
        Square if is_number => format!("({own})(({wide}){a} * ({wide}){a})"),
        Floor | Ceil | Round | Truncate if is_number => a.into(),
        IsNan | IsInfinite if is_number => "(uchar)0".into(),
        IsFinite if is_number => "(uchar)1".into(),
        _ => return None,
    })
}

fn real(operator: Unary, own: &str, a: &str) -> Option<String> {
    let function = match operator {
        Unary::Negative => return Some(format!("-{a}")),
        Unary::Sign => return Some(format!("(isnan({a}) ? {a} : ({own})(({a} > 0) - ({a} < 0)))")),
        Unary::Square => return Some(format!("{a} * {a}")),
        Unary::Reciprocal => return Some(format!("1 / {a}")),
        Unary::Real | Unary::Conjugate => return Some(a.into()),
        Unary::Imaginary => return Some(format!("({own})0")),
        Unary::Not | Unary::IsSignNegative | Unary::Fraction | Unary::Exponent | Unary::BesselI0 => {
            return None;
        }
        Unary::Absolute => "fabs",
        Unary::SquareRoot => "sqrt",
        Unary::CubeRoot => "cbrt",
        Unary::Exp => "exp",
        Unary::Exp2 => "exp2",
        Unary::ExpMinus1 => "expm1",
        Unary::Log => "log",
        Unary::Log2 => "log2",
        Unary::Log10 => "log10",
        Unary::Log1Plus => "log1p",
        Unary::Sin => "sin",
        Unary::Cos => "cos",
        Unary::Tan => "tan",
        Unary::ArcSin => "asin",
        Unary::ArcCos => "acos",
        Unary::ArcTan => "atan",
        Unary::Sinh => "sinh",
        Unary::Cosh => "cosh",
        Unary::Tanh => "tanh",
        Unary::ArcSinh => "asinh",
        Unary::ArcCosh => "acosh",
        Unary::ArcTanh => "atanh",
        Unary::Floor => "floor",
        Unary::Ceil => "ceil",
        Unary::Round => "rint",
        Unary::Truncate => "trunc",
        Unary::IsNan => "isnan",
        Unary::IsInfinite => "isinf",
        Unary::IsFinite => "isfinite",
    };
    Some(format!("{function}({a})"))
}

pub(super) fn binary(operator: Binary, data_type: DataType, a: &str, b: &str) -> Option<String> {
    let family = family(data_type)?;
    let comparison = match operator {
        Binary::Equal => "==",
        Binary::NotEqual => "!=",
        Binary::Less => "<",
        Binary::LessEqual => "<=",
        Binary::Greater => ">",
        Binary::GreaterEqual => ">=",
        _ => "",
    };
    if !comparison.is_empty() {
        return Some(format!("({a} {comparison} {b})"));
    }
    match family {
        Family::Truth => truths(operator, a, b),
        Family::Unsigned | Family::Signed => integers(operator, data_type, a, b),
        Family::Real => reals(operator, name(data_type), a, b),
    }
}

fn truths(operator: Binary, a: &str, b: &str) -> Option<String> {
    use Binary::{Add, And, FMaximum, FMinimum, Maximum, Minimum, Multiply, Or, Xor};
    let sign = match operator {
        And | Multiply | Minimum | FMinimum => "&",
        Or | Add | Maximum | FMaximum => "|",
        Xor => "^",
        _ => return None,
    };
    Some(format!("({a} {sign} {b})"))
}

fn integers(operator: Binary, data_type: DataType, a: &str, b: &str) -> Option<String> {
    let (own, wide) = (name(data_type), wrapping(data_type));
    let wrapped = |sign: &str| Some(format!("({own})(({wide}){a} {sign} ({wide}){b})"));
    let function = |name: &str| Some(format!("{name}_{own}({a}, {b})"));
    match operator {
        Binary::Add => wrapped("+"),
        Binary::Subtract => wrapped("-"),
        Binary::Multiply => wrapped("*"),
        Binary::And => wrapped("&"),
        Binary::Or => wrapped("|"),
        Binary::Xor => wrapped("^"),
        Binary::Minimum | Binary::FMinimum => Some(format!("({b} < {a} ? {b} : {a})")),
        Binary::Maximum | Binary::FMaximum => Some(format!("({b} > {a} ? {b} : {a})")),
        Binary::FloorDivide => function("floor_divide"),
        Binary::Remainder => function("remainder"),
        Binary::Power => function("power"),
        _ => None,
    }
}

fn reals(operator: Binary, own: &str, a: &str, b: &str) -> Option<String> {
    Some(match operator {
        Binary::Add => format!("{a} + {b}"),
        Binary::Subtract => format!("{a} - {b}"),
        Binary::Multiply => format!("{a} * {b}"),
        Binary::Divide => format!("{a} / {b}"),
        Binary::FloorDivide => format!("floor_divide_{own}({a}, {b})"),
        Binary::Remainder => format!("remainder_{own}({a}, {b})"),
        Binary::Power => format!("pow({a}, {b})"),
        Binary::Hypot => format!("hypot({a}, {b})"),
        Binary::ArcTan2 => format!("atan2({a}, {b})"),
        Binary::Minimum => format!("({a} < {b} || isnan({a}) ? {a} : {b})"),
        Binary::Maximum => format!("({a} > {b} || isnan({a}) ? {a} : {b})"),
        Binary::FMinimum => format!("({a} <= {b} || isnan({b}) ? {a} : {b})"),
        Binary::FMaximum => format!("({a} >= {b} || isnan({b}) ? {a} : {b})"),
        _ => return None,
    })
}

/// A value as another type: reals are cut off and saturate, any number but zero is true.
pub(super) fn cast(from: DataType, to: DataType, a: &str) -> Option<String> {
    let own = name(to);
    if from == to {
        return Some(a.into());
    }
    match (family(from)?, family(to)?) {
        (_, Family::Truth) => Some(format!("({a} != 0)")),
        (Family::Real, Family::Unsigned | Family::Signed) => Some(saturated(to, a)),
        _ => Some(format!("({own}){a}")),
    }
}

/// The bounds are powers of two or small, so that they are the same numbers in `float`.
fn saturated(to: DataType, a: &str) -> String {
    let (own, bounds) = match to {
        DataType::U8 => ("uchar", ("0", "0", "255", "255")),
        DataType::U16 => ("ushort", ("0", "0", "65535", "65535")),
        DataType::U32 => ("uint", ("0", "0", "0x1p32f", "UINT_MAX")),
        DataType::U64 => ("ulong", ("0", "0", "0x1p64f", "ULONG_MAX")),
        DataType::I8 => ("char", ("-128", "-128", "127", "127")),
        DataType::I16 => ("short", ("-32768", "-32768", "32767", "32767")),
        DataType::I32 => ("int", ("-0x1p31f", "INT_MIN", "0x1p31f", "INT_MAX")),
        _ => ("long", ("-0x1p63f", "LONG_MIN", "0x1p63f", "LONG_MAX")),
    };
    let (lower, least, upper, most) = bounds;
    format!(
        "(isnan({a}) ? ({own})0 : {a} <= {lower} ? ({own}){least} : {a} >= {upper} ? ({own}){most} : ({own}){a})"
    )
}
