//! Fourier transforms.
//!
//! An axis that is cut is first made whole: blocks are cut along other axes instead. Each block is then transformed by
//! one task, with `rustfft` and `realfft`. These use what the processor has: between kinds of processors the last bits
//! of a transform may differ; between numbers of ranks they do not.
//!
//! - `options`: which axes, how long, how scaled.
//! - `lanes`: the tasks, and lanes larger than a block.
//! - `local`: the transforms of one block.

mod lanes;
mod local;
mod options;

pub use options::{Fourier, FourierNorm};

use crate::{
    array::{
        Array, Chunks, Element, Float, ShapeError, ShapeErrorKind, api::operators::cast_node, error::expect,
        select,
    },
    client::Client,
};
use lanes::{complex_node, halves_node, real_node, restored};

/// What a transform of such elements consists of.
type ComplexOf<T> = <<T as Element>::Mean as Float>::Complex;
/// What a transform gives that is known to be real.
type RealOf<T> = <<T as Element>::Mean as Float>::Real;

/// Transforms. `f32` and `Complex<f32>` are transformed in 32 bits, all other types in 64.
///
/// An axis is enough to say what is transformed: `x.fft(1)`. [`Fourier`] also has lengths and scaling, NumPy's `n` and
/// `norm`: `x.fft(Fourier::along(1).length(16).norm(FourierNorm::Ortho))`.
///
/// The axes may be cut. The array is then rechunked, so that blocks of as many elements have whole lanes, and the result
/// is rechunked to the chunks of this array. A lane that is larger than a block is joined into one block. If it also has
/// more than 2^16 elements, and its length is a product of two numbers that are no larger than a block, it stays cut, and
/// is transformed in two steps (the four-step algorithm of Bailey, 1990).
///
/// The methods panic, or their `try_` twins return a [`ShapeError`], if an axis has no elements or is not there, or a
/// length is zero.
impl<T: Element> Array<T> {
    /// Returns the discrete Fourier transform along an axis, the last one of the options: NumPy's `fft.fft`.
    ///
    /// The shape and the chunks stay, unless the options have a length.
    ///
    /// # Panics
    ///
    /// Panics if the axis has no elements or is not there, or the length is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use maniple::array::{Fourier, FourierNorm};
    /// use num_complex::Complex;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 8, 1, 3).cast::<f64>().reshape([2, 4]).rechunk([1, 2]);
    /// let y = x.fft(1);
    /// assert_eq!(y.chunks(), x.chunks());
    /// let y = y.compute()?;
    /// assert_eq!((y[[1, 0]], y[[1, 2]]), (Complex::new(22.0, 0.0), Complex::new(-2.0, 0.0)));
    /// let padded = x.fft(Fourier::along(1).length(16).norm(FourierNorm::Ortho));
    /// assert_eq!(padded.compute()?[[1, 0]].re, 22.0 / 4.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn fft(&self, transform: impl Into<Fourier>) -> Array<ComplexOf<T>> {
        expect("fft", self.try_fft(transform))
    }

    /// As [`fft`](Self::fft).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`fft`](Self::fft) panics.
    pub fn try_fft(&self, transform: impl Into<Fourier>) -> Result<Array<ComplexOf<T>>, ShapeError> {
        self.transformed("fft", &transform.into(), false)
    }

    /// Returns the inverse of [`fft`](Self::fft): NumPy's `fft.ifft`.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft).
    #[track_caller]
    pub fn ifft(&self, transform: impl Into<Fourier>) -> Array<ComplexOf<T>> {
        expect("ifft", self.try_ifft(transform))
    }

    /// As [`ifft`](Self::ifft).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`ifft`](Self::ifft) panics.
    pub fn try_ifft(&self, transform: impl Into<Fourier>) -> Result<Array<ComplexOf<T>>, ShapeError> {
        self.transformed("ifft", &transform.into(), true)
    }

    /// Returns the transform along several axes, one after the other: NumPy's `fft.fftn`; with two axes its `fft2`.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft), for each of the axes, and if there are not as many lengths.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([6, 4], 2);
    /// assert_eq!(x.fftn([0, 1]).compute()?[[0, 0]].re, 24.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn fftn(&self, transform: impl Into<Fourier>) -> Array<ComplexOf<T>> {
        expect("fftn", self.transformed("fftn", &transform.into(), false))
    }

    /// Returns the inverse of [`fftn`](Self::fftn): NumPy's `fft.ifftn` and `ifft2`.
    ///
    /// # Panics
    ///
    /// As [`fftn`](Self::fftn).
    #[track_caller]
    pub fn ifftn(&self, transform: impl Into<Fourier>) -> Array<ComplexOf<T>> {
        expect("ifftn", self.transformed("ifftn", &transform.into(), true))
    }

    /// Returns the real elements along an axis of which this is the [`rfft`](Array::rfft): NumPy's `fft.irfft`.
    ///
    /// They are `length`, or the length of the options; with neither, twice one less than there are here. Elements that
    /// are missing count as zero; of what would be more than half, none is looked at.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft).
    #[track_caller]
    pub fn irfft(&self, transform: impl Into<Fourier>, length: impl Into<Option<usize>>) -> Array<RealOf<T>> {
        expect("irfft", self.try_irfft(transform, length))
    }

    /// As [`irfft`](Self::irfft).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`irfft`](Self::irfft) panics.
    pub fn try_irfft(
        &self,
        transform: impl Into<Fourier>,
        length: impl Into<Option<usize>>,
    ) -> Result<Array<RealOf<T>>, ShapeError> {
        self.inverted("irfft", transform.into(), length.into())
    }

    /// As [`irfft`](Self::irfft) along the last of these axes, after [`ifftn`](Self::ifftn) along the others:
    /// NumPy's `fft.irfftn` and `irfft2`.
    ///
    /// # Panics
    ///
    /// As [`fftn`](Self::fftn), and if there are no axes.
    #[track_caller]
    pub fn irfftn(
        &self,
        transform: impl Into<Fourier>,
        length: impl Into<Option<usize>>,
    ) -> Array<RealOf<T>> {
        expect("irfftn", self.inverted("irfftn", transform.into(), length.into()))
    }

    /// Returns the transform along an axis of real elements, as far as it is not known from the rest: NumPy's `fft.rfft`.
    ///
    /// There are `length / 2 + 1` elements; the others are conjugates of these. The imaginary parts of complex elements
    /// are dropped.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft).
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).random::<f64>([6, 100], [2, 30]);
    /// let back = x.rfft(1).irfft(1, None);
    /// assert_eq!(x.rfft(1).shape(), [6, 51]);
    /// assert!((x - back).abs().max().compute()? < 1e-15);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn rfft(&self, transform: impl Into<Fourier>) -> Array<ComplexOf<T>> {
        expect("rfft", self.try_rfft(transform))
    }

    /// As [`rfft`](Self::rfft).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`rfft`](Self::rfft) panics.
    pub fn try_rfft(&self, transform: impl Into<Fourier>) -> Result<Array<ComplexOf<T>>, ShapeError> {
        self.halved("rfft", &transform.into())
    }

    /// As [`rfft`](Self::rfft) along the last of these axes, then [`fftn`](Self::fftn) along the others:
    /// NumPy's `fft.rfftn` and `rfft2`.
    ///
    /// # Panics
    ///
    /// As [`fftn`](Self::fftn), and if there are no axes.
    #[track_caller]
    pub fn rfftn(&self, transform: impl Into<Fourier>) -> Array<ComplexOf<T>> {
        expect("rfftn", self.halved("rfftn", &transform.into()))
    }

    /// Returns the transform along an axis of elements of which this is one half, and the other the conjugate of it in
    /// the opposite order: NumPy's `fft.hfft`. There are `length` elements, or as many as [`irfft`](Self::irfft) gives.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft).
    #[track_caller]
    pub fn hfft(&self, transform: impl Into<Fourier>, length: impl Into<Option<usize>>) -> Array<RealOf<T>> {
        expect("hfft", self.conj().inverted("hfft", transform.into().opposite(), length.into()))
    }

    /// Returns the inverse of [`hfft`](Self::hfft): NumPy's `fft.ihfft`.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft).
    #[track_caller]
    pub fn ihfft(&self, transform: impl Into<Fourier>) -> Array<ComplexOf<T>> {
        expect("ihfft", self.halved("ihfft", &transform.into().opposite())).conj()
    }

    /// The elements of a transform with the zero frequency moved to the middle of these axes: NumPy's
    /// `fft.fftshift`.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn fftshift(&self, axes: &[usize]) -> Self {
        for axis in axes {
            self.length("fftshift", *axis);
        }
        let shift = |array: Self, axis: &usize| array.roll((array.shape()[*axis] / 2) as i64, *axis);
        axes.iter().fold(self.clone(), shift)
    }

    /// The inverse of [`fftshift`](Self::fftshift).
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn ifftshift(&self, axes: &[usize]) -> Self {
        for axis in axes {
            self.length("ifftshift", *axis);
        }
        let shift = |array: Self, axis: &usize| array.roll(-((array.shape()[*axis] / 2) as i64), *axis);
        axes.iter().fold(self.clone(), shift)
    }

    fn transformed(
        &self,
        name: &'static str,
        transform: &Fourier,
        is_inverse: bool,
    ) -> Result<Array<ComplexOf<T>>, ShapeError> {
        let mut array: Array<ComplexOf<T>> = self.derive(cast_node(ComplexOf::<T>::DATA_TYPE, &self.node));
        for (axis, length) in transform.each(name, &self.shape())? {
            array = array.fitted(name, axis, length)?;
            let factor = transform.factor(array.shape()[axis], is_inverse);
            array = array.derive(complex_node(name, &array, axis, is_inverse, factor));
        }
        Ok(restored(&array, &self.node.grid))
    }

    fn halved(&self, name: &'static str, transform: &Fourier) -> Result<Array<ComplexOf<T>>, ShapeError> {
        let mut axes = transform.each(name, &self.shape())?;
        let Some((axis, length)) = axes.pop() else { return Err(options::no_axes(name)) };
        let array: Array<RealOf<T>> = self.derive(cast_node(RealOf::<T>::DATA_TYPE, &self.node));
        let array = array.fitted(name, axis, length)?;
        let factor = transform.factor(array.shape()[axis], false);
        let halves: Array<ComplexOf<T>> = array.derive(real_node(name, &array, axis, factor));
        let halves = halves.derive(halves.transformed(name, &transform.of(axes), false)?.node);
        Ok(restored(&halves, &self.node.grid))
    }

    fn inverted(
        &self,
        name: &'static str,
        transform: Fourier,
        length: Option<usize>,
    ) -> Result<Array<RealOf<T>>, ShapeError> {
        let mut axes = transform.each(name, &self.shape())?;
        let Some((axis, own_length)) = axes.pop() else { return Err(options::no_axes(name)) };
        let array = self.transformed(name, &transform.of(axes), true)?;
        let half = array.shape()[axis];
        if half == 0 {
            return Err(options::no_elements(name, axis, &self.shape()));
        }
        let length = length.or(own_length).unwrap_or(2 * (half - 1));
        if length == 0 {
            return Err(ShapeError::new(
                ShapeErrorKind::Empty,
                format!("{name} along axis {axis} of shape {:?} to no elements", self.shape()),
            ));
        }
        let array: Array<ComplexOf<T>> =
            array.derive(array.fitted(name, axis, Some((length / 2 + 1).min(half)))?.node);
        let factor = transform.factor(length, true);
        let node = halves_node(name, &array, axis, length, factor);
        Ok(restored(&array.derive(node), &self.node.grid))
    }

    /// The first elements along an axis, or zeros after them, so that there are this many; all of them by default.
    fn fitted(&self, name: &str, axis: usize, length: Option<usize>) -> Result<Self, ShapeError> {
        let shape = self.shape();
        match length.unwrap_or(shape[axis]) {
            0 if length.is_none() => Err(options::no_elements(name, axis, &shape)),
            0 => Err(ShapeError::new(
                ShapeErrorKind::Empty,
                format!("{name} along axis {axis} of shape {shape:?} to no elements"),
            )),
            length if length <= shape[axis] => Ok(self.split(&[length], axis).remove(0)),
            length => Ok(self.pad(axis, 0, length - shape[axis], T::default())),
        }
    }
}

impl Client {
    /// The frequencies of the elements of an [`fft`](Array::fft) of `length` elements that are `spacing`
    /// apart: zero, the positive, then the negative ones, in cycles per unit of the spacing. NumPy's
    /// `fft.fftfreq`.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// assert_eq!(client.fftfreq(5, 0.5, 2).compute()?.as_slice().unwrap(), [0.0, 0.4, 0.8, -0.8, -0.4]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn fftfreq(&self, length: usize, spacing: f64, chunks: impl Into<Chunks>) -> Array<f64> {
        let count = length as i64;
        let place = self.arange(0, count, 1, chunks);
        let number = select(&place.lt((count + 1) / 2), &place, &place - count);
        number.cast::<f64>() * (1.0 / (length as f64 * spacing))
    }

    /// The frequencies of the elements of an [`rfft`](Array::rfft) of `length` elements that are `spacing`
    /// apart: from zero on, `length / 2 + 1` of them. NumPy's `fft.rfftfreq`.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit.
    #[track_caller]
    pub fn rfftfreq(&self, length: usize, spacing: f64, chunks: impl Into<Chunks>) -> Array<f64> {
        let place = self.arange(0, (length / 2 + 1) as i64, 1, chunks);
        place.cast::<f64>() * (1.0 / (length as f64 * spacing))
    }
}
