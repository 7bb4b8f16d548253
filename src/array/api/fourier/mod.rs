//! Fourier transforms along axes that are not cut.
//!
//! Each block is transformed by one task, with `rustfft` and `realfft`. These use what the processor has:
//! between kinds of processors the last bits of a transform may differ; between numbers of ranks they do
//! not.
//!
//! `local`: the transforms of one block.

mod local;

use crate::{
    array::{
        Array, DataType, Element, Float, Real, ShapeError, ShapeErrorKind,
        api::operators::cast_node,
        error::expect,
        graph::{
            chunks::{AxisChunks, Chunks},
            custom::custom_node,
            node::Node,
        },
        select,
    },
    client::Client,
};
use num_complex::Complex;
use rustfft::FftNum;
use std::sync::Arc;

/// What a transform of such elements consists of.
type ComplexOf<T> = <<T as Element>::Mean as Float>::Complex;
/// What a transform gives that is known to be real.
type RealOf<T> = <<T as Element>::Mean as Float>::Real;

/// Transforms. In the forward direction nothing is scaled, inverse ones are divided by the number of
/// elements that they go over, as in NumPy. `f32` and `Complex<f32>` are transformed in 32 bits, all other
/// types in 64.
///
/// Axes that are transformed lie in one chunk: the methods panic, or their `try_` twins return a
/// [`ShapeError`], that asks for a [`rechunk`](Array::rechunk), if one is cut, has no elements, or is not there.
impl<T: Element> Array<T> {
    /// The discrete Fourier transform along an axis: NumPy's `fft.fft`. The shape stays.
    ///
    /// # Panics
    ///
    /// Panics if the axis is cut into several chunks, has no elements or is not there.
    ///
    /// ```
    /// use num_complex::Complex;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 8, 1, 8).cast::<f64>().reshape([2, 4]).rechunk([1, 4]);
    /// let y = x.fft(1).compute()?;
    /// assert_eq!((y[[1, 0]], y[[1, 2]]), (Complex::new(22.0, 0.0), Complex::new(-2.0, 0.0)));
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn fft(&self, axis: usize) -> Array<ComplexOf<T>> {
        expect("fft", self.try_fft(axis))
    }

    /// As [`fft`](Self::fft).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`fft`](Self::fft) panics.
    pub fn try_fft(&self, axis: usize) -> Result<Array<ComplexOf<T>>, ShapeError> {
        self.transformed("fft", &[axis], false)
    }

    /// The inverse of [`fft`](Self::fft): NumPy's `fft.ifft`.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft).
    #[track_caller]
    pub fn ifft(&self, axis: usize) -> Array<ComplexOf<T>> {
        expect("ifft", self.try_ifft(axis))
    }

    /// As [`ifft`](Self::ifft).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`ifft`](Self::ifft) panics.
    pub fn try_ifft(&self, axis: usize) -> Result<Array<ComplexOf<T>>, ShapeError> {
        self.transformed("ifft", &[axis], true)
    }

    /// The transform along several axes, one after the other: NumPy's `fft.fftn`; with two axes its `fft2`.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft), for each of the axes.
    #[track_caller]
    pub fn fftn(&self, axes: &[usize]) -> Array<ComplexOf<T>> {
        expect("fftn", self.transformed("fftn", axes, false))
    }

    /// The inverse of [`fftn`](Self::fftn): NumPy's `fft.ifftn` and `ifft2`.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft), for each of the axes.
    #[track_caller]
    pub fn ifftn(&self, axes: &[usize]) -> Array<ComplexOf<T>> {
        expect("ifftn", self.transformed("ifftn", axes, true))
    }

    /// The real elements along an axis of which this is the [`rfft`](Array::rfft): NumPy's `fft.irfft`.
    /// They are `length`, or, with `None`, twice one less than there are here. Elements that are missing
    /// count as zero; of what would be more than half, none is looked at.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft), and if the length is zero.
    #[track_caller]
    pub fn irfft(&self, axis: usize, length: impl Into<Option<usize>>) -> Array<RealOf<T>> {
        expect("irfft", self.try_irfft(axis, length))
    }

    /// As [`irfft`](Self::irfft).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`irfft`](Self::irfft) panics.
    pub fn try_irfft(
        &self,
        axis: usize,
        length: impl Into<Option<usize>>,
    ) -> Result<Array<RealOf<T>>, ShapeError> {
        let node = joined("irfft", &self.node, axis)?;
        let length = length.into().unwrap_or(2 * (self.shape()[axis] - 1));
        if length == 0 {
            return Err(ShapeError::new(
                ShapeErrorKind::Empty,
                format!("irfft along axis {axis} of shape {:?} to no elements", self.shape()),
            ));
        }
        let input = cast_node(ComplexOf::<T>::DATA_TYPE, &node);
        Ok(self.derive(of_halves_node(&input, axis, length)))
    }

    /// As [`irfft`](Self::irfft) along the last of these axes, after [`ifftn`](Self::ifftn) along the others:
    /// NumPy's `fft.irfftn` and `irfft2`.
    ///
    /// # Panics
    ///
    /// As [`irfft`](Self::irfft), for each of the axes, and if there are none.
    #[track_caller]
    pub fn irfftn(&self, axes: &[usize], length: impl Into<Option<usize>>) -> Array<RealOf<T>> {
        let Some((last, others)) = axes.split_last() else { panic!("irfftn: axes are empty") };
        let inner = expect("irfftn", self.transformed("irfftn", others, true));
        inner.derive(expect("irfftn", inner.try_irfft(*last, length)).node)
    }

    /// The transform along an axis of real elements: half of it, and the middle; the rest are conjugates of
    /// these. NumPy's `fft.rfft`: `length / 2 + 1` elements.
    ///
    /// The imaginary parts of complex elements are dropped.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft).
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).random::<f64>([6, 100], [2, 100]);
    /// let back = x.rfft(1).irfft(1, None);
    /// assert_eq!(x.rfft(1).shape(), [6, 51]);
    /// assert!((x - back).abs().max().compute()? < 1e-15);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn rfft(&self, axis: usize) -> Array<ComplexOf<T>> {
        expect("rfft", self.try_rfft(axis))
    }

    /// As [`rfft`](Self::rfft).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`rfft`](Self::rfft) panics.
    pub fn try_rfft(&self, axis: usize) -> Result<Array<ComplexOf<T>>, ShapeError> {
        let node = joined("rfft", &self.node, axis)?;
        let input = cast_node(RealOf::<T>::DATA_TYPE, &node);
        Ok(self.derive(real_node(&input, axis)))
    }

    /// As [`rfft`](Self::rfft) along the last of these axes, then [`fftn`](Self::fftn) along the others:
    /// NumPy's `fft.rfftn` and `rfft2`.
    ///
    /// # Panics
    ///
    /// As [`fft`](Self::fft), for each of the axes, and if there are none.
    #[track_caller]
    pub fn rfftn(&self, axes: &[usize]) -> Array<ComplexOf<T>> {
        let Some((last, others)) = axes.split_last() else { panic!("rfftn: axes are empty") };
        let halves = expect("rfftn", self.try_rfft(*last));
        halves.derive(expect("rfftn", halves.transformed("rfftn", others, false)).node)
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
        axes: &[usize],
        is_inverse: bool,
    ) -> Result<Array<ComplexOf<T>>, ShapeError> {
        let mut node = cast_node(ComplexOf::<T>::DATA_TYPE, &self.node);
        for axis in axes {
            node = joined(name, &node, *axis)?;
            node = complex_node(name, &node, *axis, is_inverse);
        }
        Ok(self.derive(node))
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

/// The array with an axis in one chunk. Empty chunks beside the one that has all elements are dropped.
///
/// # Errors
///
/// [`ShapeError`] if there is no such axis, it has no elements, or several chunks have some.
fn joined(name: &str, node: &Arc<Node>, axis: usize) -> Result<Arc<Node>, ShapeError> {
    let shape = node.shape();
    let error = |kind, words: String| {
        Err(ShapeError::new(kind, format!("{name} along axis {axis} of shape {shape:?}, {words}")))
    };
    let Some(chunks) = node.grid.0.get(axis) else {
        return error(ShapeErrorKind::Axis, "which has no such axis".into());
    };
    let length = chunks.length();
    match chunks.sizes().into_iter().filter(|size| *size > 0).count() {
        0 => error(ShapeErrorKind::Empty, "which has no elements".into()),
        1 => {
            let mut grid = node.grid.clone();
            grid.0[axis] = AxisChunks::regular(length, length);
            Ok(node.rechunk(&grid))
        }
        count => error(
            ShapeErrorKind::Chunks,
            format!("which is cut into {count} chunks: rechunk axis {axis} into one chunk"),
        ),
    }
}

// These three are not generic, so that the transforms are compiled in this crate only.

fn complex_node(name: &'static str, input: &Arc<Node>, axis: usize, is_inverse: bool) -> Arc<Node> {
    match input.data_type {
        DataType::Complex32 => complex_node_of::<f32>(name, input, axis, is_inverse),
        _ => complex_node_of::<f64>(name, input, axis, is_inverse),
    }
}

fn real_node(input: &Arc<Node>, axis: usize) -> Arc<Node> {
    match input.data_type {
        DataType::F32 => real_node_of::<f32>(input, axis),
        _ => real_node_of::<f64>(input, axis),
    }
}

fn of_halves_node(input: &Arc<Node>, axis: usize, length: usize) -> Arc<Node> {
    match input.data_type {
        DataType::Complex32 => of_halves_node_of::<f32>(input, axis, length),
        _ => of_halves_node_of::<f64>(input, axis, length),
    }
}

fn complex_node_of<R: Real + FftNum>(
    name: &'static str,
    input: &Arc<Node>,
    axis: usize,
    is_inverse: bool,
) -> Arc<Node>
where
    Complex<R>: Element,
{
    custom_node(name, vec![Arc::clone(input)], input.grid.clone(), move |client, inputs| {
        let blocks = inputs[0].typed::<Complex<R>>().into_iter().map(|block| (block, axis, is_inverse));
        Ok(client.map(local::complex::<R>, blocks))
    })
}

fn real_node_of<R: Real + FftNum>(input: &Arc<Node>, axis: usize) -> Arc<Node>
where
    Complex<R>: Element,
{
    let mut grid = input.grid.clone();
    let half = grid.0[axis].length() / 2 + 1;
    grid.0[axis] = AxisChunks::regular(half, half);
    custom_node("rfft", vec![Arc::clone(input)], grid, move |client, inputs| {
        Ok(client.map(local::real::<R>, inputs[0].typed::<R>().into_iter().map(|block| (block, axis))))
    })
}

fn of_halves_node_of<R: Real + FftNum>(input: &Arc<Node>, axis: usize, length: usize) -> Arc<Node>
where
    Complex<R>: Element,
{
    let mut grid = input.grid.clone();
    grid.0[axis] = AxisChunks::regular(length, length);
    custom_node("irfft", vec![Arc::clone(input)], grid, move |client, inputs| {
        let blocks = inputs[0].typed::<Complex<R>>().into_iter().map(|block| (block, axis, length));
        Ok(client.map(local::of_halves::<R>, blocks))
    })
}
