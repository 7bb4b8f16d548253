//! Elementwise functions with several results, or with arguments of other types than their results.

use super::operators::{Join, Joined, Operand, cast_node, select};
use crate::array::{
    Array, Dimensions, Element, Float, Number, Ordered, Real,
    kernel::operators::{Binary, Unary},
};
use num_complex::Complex;

type RealOf<T> = <<T as Element>::Mean as Float>::Real;

impl<T: Number + Ordered, D: Dimensions> Array<T, D> {
    /// Returns the remainders of division rounded towards zero, with the signs of the elements: NumPy's `fmod`. The
    /// remainder of an integer divided by zero is 0.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    #[track_caller]
    pub fn fmod<R: Operand<T>>(&self, other: R) -> Array<T, Joined<D, R, T>>
    where
        D: Join<R::Dimensions>,
    {
        self.binary(Binary::TruncatedRemainder, other)
    }

    /// Returns the quotients, rounded down, and the remainders: NumPy's `divmod`.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let (quotients, rest) = client.arange(-7, 8, 7, 2).div_mod(3);
    /// assert_eq!(quotients.compute()?.as_slice().unwrap(), [-3, 0, 2]);
    /// assert_eq!(rest.compute()?.as_slice().unwrap(), [2, 0, 1]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn div_mod(&self, other: impl Operand<T>) -> (Array<T>, Array<T>) {
        let (own, other): (Array<T>, Array<T>) = (self.clone().into_dyn(), self.derive(other.node()));
        (own.floor_divide(&other), own.binary(Binary::Remainder, &other))
    }
}

impl<T: Real> Array<T> {
    /// Returns the fractions and the whole parts of the elements, both with the sign of the element: C's `modf`. An infinite
    /// element has the fraction 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let (fractions, whole) = client.linspace::<f64>(-1.5, 1.5, 3, 2).modf();
    /// assert_eq!(fractions.compute()?.as_slice().unwrap(), [-0.5, 0.0, 0.5]);
    /// assert_eq!(whole.compute()?.as_slice().unwrap(), [-1.0, 0.0, 1.0]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn modf(&self) -> (Self, Self) {
        let whole = self.trunc();
        let fraction = select(&self.is_infinite(), self.number(0.0), self - &whole);
        (fraction.copysign(self), whole)
    }

    /// Returns fractions and exponents of the elements, which are `fraction * 2^exponent`: C's `frexp`. A fraction has a
    /// magnitude from 1/2 to below 1 and the sign of the element. Zero, infinities and NaN are their own fractions, with
    /// the exponent 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.full(-24.0, [2], 1);
    /// let (fractions, exponents) = x.frexp();
    /// assert_eq!((fractions.compute()?[0], exponents.compute()?[0]), (-0.75, 5));
    /// assert_eq!(fractions.ldexp(&exponents).compute()?[0], -24.0);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn frexp(&self) -> (Self, Array<i32>) {
        (self.unary(Unary::Fraction), self.unary(Unary::Exponent))
    }

    /// Returns the elements times two to the power of `exponents`: C's `ldexp`.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    #[track_caller]
    pub fn ldexp(&self, exponents: impl Operand<i32>) -> Self {
        let exponents: Self = self.derive(cast_node(T::DATA_TYPE, &exponents.node()));
        self.binary(Binary::Scale, exponents)
    }

    /// Returns `log2(2^x + 2^other)` without intermediate overflow: NumPy's `logaddexp2`.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    #[track_caller]
    pub fn log_add_exp2(&self, other: impl Operand<T>) -> Self {
        let other: Self = self.derive(other.node());
        let larger = self.maximum(&other);
        let sum = &larger + (-(self - &other).abs()).exp2().ln_1p() * self.number(std::f64::consts::LOG2_E);
        // Infinities of one sign have no difference.
        select(&(self.eq(&other) & self.is_infinite()), larger, sum)
    }

    /// Returns 0 for negative elements, 1 for positive ones, `at_zero` for zero, and NaN for NaN: NumPy's `heaviside`.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    #[track_caller]
    pub fn heaviside(&self, at_zero: impl Operand<T>) -> Self {
        let at_zero: Self = self.derive(at_zero.node());
        let step = self.gt(self.number(0.0)).cast::<T>();
        select(&self.eq(self.number(0.0)), at_zero, select(&self.is_nan(), self, step))
    }
}

impl<T: Number> Array<T> {
    /// Returns the angles of the elements from the positive real axis, in radians: NumPy's `angle`. Those of real elements
    /// are 0 or pi.
    ///
    /// # Examples
    ///
    /// ```
    /// use num_complex::Complex;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.full(Complex::new(0.0, -2.0), [3], 2);
    /// assert_eq!(x.angle().to_degrees().compute()?[2], -90.0);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn angle(&self) -> Array<RealOf<T>> {
        let numbers = self.cast::<T::Mean>();
        numbers.imag().atan2(numbers.real())
    }
}

impl<T: Number + Ordered> Array<T> {
    /// Returns the elements to the power of `other` in 64 bits: NumPy's `float_power`.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// assert_eq!(client.arange(2, 4, 1, 2).float_power(-1).compute()?[0], 0.5);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn float_power(&self, other: impl Operand<T>) -> Array<f64> {
        let other: Self = self.derive(other.node());
        self.cast::<f64>().pow(other.cast::<f64>())
    }
}

macro_rules! complex_powers {
    ($($T:ty),*) => { $(
        impl Array<Complex<$T>> {
            /// Returns the elements to the power of `other` in 64 bits: NumPy's `float_power`.
            ///
            /// # Panics
            ///
            /// Panics if the shapes cannot be broadcast together.
            #[track_caller]
            pub fn float_power(&self, other: impl Operand<Complex<$T>>) -> Array<Complex<f64>> {
                let other: Self = self.derive(other.node());
                self.cast::<Complex<f64>>().pow(other.cast::<Complex<f64>>())
            }
        }
    )* };
}
complex_powers!(f32, f64);
