//! Elementwise operations, as users write them: operators, and methods with NumPy's names.

use crate::array::{
    Array, DataType, Dimensions, Element, Float, Integer, Number, Ordered, Real, ShapeError,
    error::expect,
    graph::{
        chunks::Grid,
        node::{Kind, Node},
    },
    kernel::operators::{Binary, Unary, convert},
};
use half::f16;
use ndarray::{Ix0, IxDyn};
use num_complex::Complex;
use std::{
    ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Rem, Shl, Shr, Sub},
    sync::Arc,
};

/// What may stand on the other side of an operation on an array of `T`s: an array, a reference to
/// one, or a number.
pub trait Operand<T: Element> {
    /// The dimensions it has.
    type Dimensions: Dimensions;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate calls it")]
    fn node(&self) -> Arc<Node>;
}

impl<T: Element, D: Dimensions> Operand<T> for Array<T, D> {
    type Dimensions = D;
    #[allow(private_interfaces, reason = "see the trait")]
    fn node(&self) -> Arc<Node> {
        Arc::clone(&self.node)
    }
}

impl<T: Element, D: Dimensions> Operand<T> for &Array<T, D> {
    type Dimensions = D;
    #[allow(private_interfaces, reason = "see the trait")]
    fn node(&self) -> Arc<Node> {
        Arc::clone(&self.node)
    }
}

/// The dimensions of what comes out of an operation on two arrays.
pub trait Join<E>: Dimensions {
    /// Those of the result.
    type Output: Dimensions;
}

impl Join<Self> for Ix0 {
    type Output = Self;
}
impl Join<IxDyn> for Ix0 {
    type Output = IxDyn;
}
impl Join<Ix0> for IxDyn {
    type Output = Self;
}
impl Join<Self> for IxDyn {
    type Output = Self;
}

pub(crate) fn constant<T: Element>(value: T) -> Arc<Node> {
    Node::new(T::DATA_TYPE, Grid(Vec::new()), Kind::Constant(value.scalar()))
}

pub(crate) fn unary_node(operator: Unary, data_type: DataType, input: &Arc<Node>) -> Arc<Node> {
    Node::new(data_type, input.grid.clone(), Kind::Unary(operator, Arc::clone(input)))
}

pub(crate) fn binary_node(
    operator: Binary,
    data_type: DataType,
    left: Arc<Node>,
    right: Arc<Node>,
) -> Result<Arc<Node>, ShapeError> {
    if let (Binary::Power, Kind::Constant(exponent), 0) = (operator, &right.kind, right.ndim())
        && convert::<Complex<f64>>(*exponent) == Complex::new(2.0, 0.0)
    {
        return Ok(unary_node(Unary::Square, data_type, &left));
    }
    Node::elementwise(data_type, vec![left, right], |inputs| {
        let [left, right] = inputs.try_into().expect("two were given");
        Kind::Binary(operator, left, right)
    })
}

pub(crate) fn cast_node(data_type: DataType, input: &Arc<Node>) -> Arc<Node> {
    if input.data_type == data_type {
        return Arc::clone(input);
    }
    Node::new(data_type, input.grid.clone(), Kind::Cast(Arc::clone(input)))
}

pub(super) type Joined<D, R, T> = <D as Join<<R as Operand<T>>::Dimensions>>::Output;

impl<T: Element, D: Dimensions> Array<T, D> {
    pub(super) fn unary<U: Element>(&self, operator: Unary) -> Array<U, D> {
        self.derive(unary_node(operator, U::DATA_TYPE, &self.node))
    }

    fn try_binary<U: Element, R: Operand<T>>(
        &self,
        operator: Binary,
        right: R,
    ) -> Result<Array<U, Joined<D, R, T>>, ShapeError>
    where
        D: Join<R::Dimensions>,
    {
        Ok(self.derive(binary_node(operator, U::DATA_TYPE, Arc::clone(&self.node), right.node())?))
    }

    #[track_caller]
    pub(super) fn binary<U: Element, R: Operand<T>>(
        &self,
        operator: Binary,
        right: R,
    ) -> Array<U, Joined<D, R, T>>
    where
        D: Join<R::Dimensions>,
    {
        let name = format!("{operator:?}").to_lowercase();
        expect(&name, self.try_binary(operator, right))
    }

    /// The elements as another type. Floats are cut off to integers and saturate; any number but zero
    /// is `true`; an imaginary part is dropped.
    pub fn cast<U: Element>(&self) -> Array<U, D> {
        self.derive(cast_node(U::DATA_TYPE, &self.node))
    }

    /// Absolute values; of complex numbers, their real magnitude.
    pub fn abs(&self) -> Array<T::Magnitude, D> {
        self.unary(Unary::Absolute)
    }

    /// Which elements are NaN.
    pub fn is_nan(&self) -> Array<bool, D>
    where
        T: Number,
    {
        self.unary(Unary::IsNan)
    }

    /// Which elements are infinite.
    pub fn is_infinite(&self) -> Array<bool, D>
    where
        T: Number,
    {
        self.unary(Unary::IsInfinite)
    }

    /// Which elements are neither infinite nor NaN.
    pub fn is_finite(&self) -> Array<bool, D>
    where
        T: Number,
    {
        self.unary(Unary::IsFinite)
    }

    /// The complex conjugates.
    pub fn conj(&self) -> Self {
        self.unary(Unary::Conjugate)
    }

    /// The squares of the elements.
    pub fn square(&self) -> Self
    where
        T: Number,
    {
        self.unary(Unary::Square)
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident, $Trait:ident, $kind:ident $operator:ident -> $U:ty;)*) => { $(
        methods!(@$kind $(#[$doc])* $name, $Trait, $operator, $U);
    )* };
    (@Unary $(#[$doc:meta])* $name:ident, $Trait:ident, $operator:ident, $U:ty) => {
        impl<T: $Trait, D: Dimensions> Array<T, D> {
            $(#[$doc])*
            pub fn $name(&self) -> Array<$U, D> {
                self.unary(Unary::$operator)
            }
        }
    };
    (@Binary $(#[$doc:meta])* $name:ident, $Trait:ident, $operator:ident, $U:ty) => {
        impl<T: $Trait, D: Dimensions> Array<T, D> {
            $(#[$doc])*
            ///
            /// # Panics
            ///
            /// Panics if the shapes cannot be broadcast together.
            #[track_caller]
            pub fn $name<R: Operand<T>>(&self, other: R) -> Array<$U, Joined<D, R, T>>
            where
                D: Join<R::Dimensions>,
            {
                self.binary(Binary::$operator, other)
            }
        }
    };
}

methods! {
    /// -1, 0 or 1, as the elements are less than, equal to or more than zero; NaN of NaN.
    sign, Ordered, Unary Sign -> T;
    /// Rounded down.
    floor, Real, Unary Floor -> T;
    /// Rounded up.
    ceil, Real, Unary Ceil -> T;
    /// Rounded to the nearest integer, halves to the even one, as NumPy does.
    round, Real, Unary Round -> T;
    /// Rounded towards zero.
    trunc, Real, Unary Truncate -> T;
    /// Square roots.
    sqrt, Float, Unary SquareRoot -> T;
    /// Cube roots.
    cbrt, Real, Unary CubeRoot -> T;
    /// One over each element.
    recip, Float, Unary Reciprocal -> T;
    /// e to the power of each element.
    exp, Float, Unary Exp -> T;
    /// 2 to the power of each element.
    exp2, Real, Unary Exp2 -> T;
    /// `exp(x) - 1`, exact near zero.
    exp_m1, Real, Unary ExpMinus1 -> T;
    /// Natural logarithms.
    ln, Float, Unary Log -> T;
    /// Logarithms to the base 2.
    log2, Real, Unary Log2 -> T;
    /// Logarithms to the base 10.
    log10, Real, Unary Log10 -> T;
    /// `ln(1 + x)`, exact near zero.
    ln_1p, Real, Unary Log1Plus -> T;
    /// Sines; the elements are in radians.
    sin, Float, Unary Sin -> T;
    /// Cosines; the elements are in radians.
    cos, Float, Unary Cos -> T;
    /// Tangents; the elements are in radians.
    tan, Float, Unary Tan -> T;
    /// Inverse sines, in radians.
    asin, Float, Unary ArcSin -> T;
    /// Inverse cosines, in radians.
    acos, Float, Unary ArcCos -> T;
    /// Inverse tangents, in radians.
    atan, Float, Unary ArcTan -> T;
    /// Hyperbolic sines.
    sinh, Float, Unary Sinh -> T;
    /// Hyperbolic cosines.
    cosh, Float, Unary Cosh -> T;
    /// Hyperbolic tangents.
    tanh, Float, Unary Tanh -> T;
    /// Inverse hyperbolic sines.
    asinh, Float, Unary ArcSinh -> T;
    /// Inverse hyperbolic cosines.
    acosh, Float, Unary ArcCosh -> T;
    /// Inverse hyperbolic tangents.
    atanh, Float, Unary ArcTanh -> T;
    /// Real parts.
    real, Float, Unary Real -> T::Real;
    /// Imaginary parts.
    imag, Float, Unary Imaginary -> T::Real;
    /// Whether the sign is minus, that of zero and NaN included: NumPy's `signbit`.
    is_sign_negative, Real, Unary IsSignNegative -> bool;
    /// The modified Bessel function of the first kind of order zero.
    i0, Real, Unary BesselI0 -> T;

    /// Where the elements are equal; never NaN.
    eq, Element, Binary Equal -> bool;
    /// Where the elements differ.
    ne, Element, Binary NotEqual -> bool;
    /// Where the elements are less.
    lt, Ordered, Binary Less -> bool;
    /// Where the elements are less or equal.
    le, Ordered, Binary LessEqual -> bool;
    /// Where the elements are greater.
    gt, Ordered, Binary Greater -> bool;
    /// Where the elements are greater or equal.
    ge, Ordered, Binary GreaterEqual -> bool;
    /// To the power of `other`. Integers wrap; negative exponents of integers give 0.
    pow, Number, Binary Power -> T;
    /// The smaller of two elements; NaN if either is.
    minimum, Ordered, Binary Minimum -> T;
    /// The larger of two elements; NaN if either is.
    maximum, Ordered, Binary Maximum -> T;
    /// The smaller of two elements; the other one if one is NaN.
    fmin, Ordered, Binary FMinimum -> T;
    /// The larger of two elements; the other one if one is NaN.
    fmax, Ordered, Binary FMaximum -> T;
    /// Quotients, rounded down.
    floor_divide, Ordered, Binary FloorDivide -> T;
    /// `sqrt(x² + other²)` without overflow in between.
    hypot, Real, Binary Hypot -> T;
    /// The angle of the point (`other`, x) from the x axis, in radians.
    atan2, Real, Binary ArcTan2 -> T;
    /// The elements moved by `other` bits to the left. Bits that leave are lost; no bit is left of a move by as many
    /// bits as a number has, or by a negative count.
    shift_left, Integer, Binary ShiftLeft -> T;
    /// The elements moved by `other` bits to the right, negative ones rounded down. What is moved by as many bits as a
    /// number has, or by a negative count, is 0, or -1 if it is negative.
    shift_right, Integer, Binary ShiftRight -> T;
    /// The elements with the sign of `other`.
    copysign, Real, Binary CopySign -> T;
    /// The next number of the type in the direction of `other`.
    next_after, Real, Binary NextAfter -> T;
}

impl<T: Ordered, D: Dimensions> Array<T, D> {
    /// The elements, none below `low`, none above `high`.
    pub fn clip(&self, low: T, high: T) -> Self {
        // Of two equal operands, such as zeros of either sign, these operations return the second one.
        let node = binary_node(Binary::Maximum, T::DATA_TYPE, constant(low), Arc::clone(&self.node));
        let node = node.and_then(|node| binary_node(Binary::Minimum, T::DATA_TYPE, constant(high), node));
        self.derive(expect("clip", node))
    }
}

impl<T: Element, D: Dimensions> Array<T, D> {
    /// As `self + other`.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the shapes cannot be broadcast together.
    pub fn try_add<R: Operand<T>>(&self, other: R) -> Result<Array<T, Joined<D, R, T>>, ShapeError>
    where
        T: Number,
        D: Join<R::Dimensions>,
    {
        self.try_binary(Binary::Add, other)
    }

    /// As `self - other`.
    ///
    /// # Errors
    ///
    /// As [`try_add`](Self::try_add).
    pub fn try_sub<R: Operand<T>>(&self, other: R) -> Result<Array<T, Joined<D, R, T>>, ShapeError>
    where
        T: Number,
        D: Join<R::Dimensions>,
    {
        self.try_binary(Binary::Subtract, other)
    }

    /// As `self * other`.
    ///
    /// # Errors
    ///
    /// As [`try_add`](Self::try_add).
    pub fn try_mul<R: Operand<T>>(&self, other: R) -> Result<Array<T, Joined<D, R, T>>, ShapeError>
    where
        T: Number,
        D: Join<R::Dimensions>,
    {
        self.try_binary(Binary::Multiply, other)
    }

    /// As `self / other`.
    ///
    /// # Errors
    ///
    /// As [`try_add`](Self::try_add).
    pub fn try_div<R: Operand<T>>(&self, other: R) -> Result<Array<T, Joined<D, R, T>>, ShapeError>
    where
        T: Float,
        D: Join<R::Dimensions>,
    {
        self.try_binary(Binary::Divide, other)
    }
}

/// The smaller of each two elements; NaN if either is.
///
/// # Panics
///
/// Panics if the shapes cannot be broadcast together.
#[track_caller]
pub fn minimum<T: Ordered>(left: &Array<T>, right: impl Operand<T, Dimensions = IxDyn>) -> Array<T> {
    left.minimum(right)
}

/// The larger of each two elements; NaN if either is.
///
/// # Panics
///
/// Panics if the shapes cannot be broadcast together.
#[track_caller]
pub fn maximum<T: Ordered>(left: &Array<T>, right: impl Operand<T, Dimensions = IxDyn>) -> Array<T> {
    left.maximum(right)
}

/// NumPy's `where`: elements of `yes` where `condition` holds, of `no` elsewhere.
///
/// # Panics
///
/// Panics if the shapes cannot be broadcast together.
///
/// ```
/// # use maniple::array::select;
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.arange(0, 6, 1, 2);
/// let even_or_zero = select(&(&x % 2).eq(0), &x, 0);
/// assert_eq!(even_or_zero.compute()?.as_slice().unwrap(), [0, 0, 2, 0, 4, 0]);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn select<T: Element>(condition: &Array<bool>, yes: impl Operand<T>, no: impl Operand<T>) -> Array<T> {
    let inputs = vec![Arc::clone(&condition.node), yes.node(), no.node()];
    condition.derive(expect("select", select_node(T::DATA_TYPE, inputs)))
}

/// Of the condition, what is taken where it holds, and what elsewhere.
pub(crate) fn select_node(data_type: DataType, inputs: Vec<Arc<Node>>) -> Result<Arc<Node>, ShapeError> {
    Node::elementwise(data_type, inputs, |inputs| {
        let [condition, yes, no] = inputs.try_into().expect("three were given");
        Kind::Select(condition, yes, no)
    })
}

macro_rules! operators {
    ($($Trait:ident $method:ident $Bound:ident $operator:ident;)*) => { $(
        impl<T: $Bound, D: Join<R::Dimensions>, R: Operand<T>> $Trait<R> for Array<T, D> {
            type Output = Array<T, Joined<D, R, T>>;
            #[track_caller]
            fn $method(self, right: R) -> Self::Output {
                self.binary(Binary::$operator, right)
            }
        }
        impl<T: $Bound, D: Join<R::Dimensions>, R: Operand<T>> $Trait<R> for &Array<T, D> {
            type Output = Array<T, Joined<D, R, T>>;
            #[track_caller]
            fn $method(self, right: R) -> Self::Output {
                self.binary(Binary::$operator, right)
            }
        }
    )* };
}

operators! {
    Add add Number Add;
    Sub sub Number Subtract;
    Mul mul Number Multiply;
    Div div Float Divide;
    Rem rem Ordered Remainder;
    BitAnd bitand Ordered And;
    BitOr bitor Ordered Or;
    BitXor bitxor Ordered Xor;
    Shl shl Integer ShiftLeft;
    Shr shr Integer ShiftRight;
}

impl<T: Number, D: Dimensions> Neg for Array<T, D> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary(Unary::Negative)
    }
}

impl<T: Number, D: Dimensions> Neg for &Array<T, D> {
    type Output = Array<T, D>;
    fn neg(self) -> Array<T, D> {
        self.unary(Unary::Negative)
    }
}

macro_rules! not {
    ($($T:ty),*) => { $(
        impl<D: Dimensions> Not for Array<$T, D> {
            type Output = Self;
            fn not(self) -> Self {
                self.unary(Unary::Not)
            }
        }
        impl<D: Dimensions> Not for &Array<$T, D> {
            type Output = Array<$T, D>;
            fn not(self) -> Array<$T, D> {
                self.unary(Unary::Not)
            }
        }
    )* };
}
not!(bool, u8, u16, u32, u64, i8, i16, i32, i64);

macro_rules! scalars {
    ($($T:ty),*) => { $(
        impl Operand<$T> for $T {
            type Dimensions = Ix0;
            #[allow(private_interfaces, reason = "see the trait")]
            fn node(&self) -> Arc<Node> {
                constant(*self)
            }
        }
    )* };
}
scalars!(bool, u8, u16, u32, u64, i8, i16, i32, i64, f16, f32, f64, Complex<f32>, Complex<f64>);

macro_rules! scalar_left {
    ($($T:ty: $($Trait:ident $method:ident $operator:ident),*;)*) => { $($(
        impl<D: Dimensions> $Trait<Array<$T, D>> for $T {
            type Output = Array<$T, D>;
            fn $method(self, right: Array<$T, D>) -> Array<$T, D> {
                self.$method(&right)
            }
        }
        impl<D: Dimensions> $Trait<&Array<$T, D>> for $T {
            type Output = Array<$T, D>;
            fn $method(self, right: &Array<$T, D>) -> Array<$T, D> {
                let left = constant(self);
                right.derive(expect(stringify!($method), binary_node(Binary::$operator, <$T>::DATA_TYPE, left, Arc::clone(&right.node))))
            }
        }
    )*)* };
}

scalar_left! {
    u8: Add add Add, Sub sub Subtract, Mul mul Multiply, Rem rem Remainder;
    u16: Add add Add, Sub sub Subtract, Mul mul Multiply, Rem rem Remainder;
    u32: Add add Add, Sub sub Subtract, Mul mul Multiply, Rem rem Remainder;
    u64: Add add Add, Sub sub Subtract, Mul mul Multiply, Rem rem Remainder;
    i8: Add add Add, Sub sub Subtract, Mul mul Multiply, Rem rem Remainder;
    i16: Add add Add, Sub sub Subtract, Mul mul Multiply, Rem rem Remainder;
    i32: Add add Add, Sub sub Subtract, Mul mul Multiply, Rem rem Remainder;
    i64: Add add Add, Sub sub Subtract, Mul mul Multiply, Rem rem Remainder;
    f32: Add add Add, Sub sub Subtract, Mul mul Multiply, Div div Divide, Rem rem Remainder;
    f64: Add add Add, Sub sub Subtract, Mul mul Multiply, Div div Divide, Rem rem Remainder;
    Complex<f32>: Add add Add, Sub sub Subtract, Mul mul Multiply, Div div Divide;
    Complex<f64>: Add add Add, Sub sub Subtract, Mul mul Multiply, Div div Divide;
}
