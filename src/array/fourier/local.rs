//! Fourier transforms of the lanes of one block.
//!
//! The axis is brought to the end, so that its lanes are rows in order, and back.

use ndarray::{ArrayD, Axis, IxDyn};
use num_complex::Complex;
use realfft::RealFftPlanner;
use rustfft::{FftDirection, FftNum, FftPlanner};

/// The elements of each lane one after the other, and the shape that they have so.
fn rows<T: Clone>(block: &ArrayD<T>, axis: usize) -> (Vec<T>, Vec<usize>) {
    let mut view = block.view();
    view.swap_axes(axis, block.ndim() - 1);
    let shape = view.shape().to_vec();
    (view.iter().cloned().collect(), shape)
}

/// The block whose lanes along an axis are these rows, in order.
fn of_rows<T: Clone>(rows: Vec<T>, mut shape: Vec<usize>, length: usize, axis: usize) -> ArrayD<T> {
    let last = shape.len() - 1;
    shape[last] = length;
    let mut block = ArrayD::from_shape_vec(IxDyn(&shape), rows).expect("an element for each place");
    block.swap_axes(axis, last);
    block.as_standard_layout().into_owned()
}

/// The transform of each lane; the inverse one is divided by the length.
pub(super) fn complex<R: FftNum>(
    block: &ArrayD<Complex<R>>,
    axis: usize,
    is_inverse: bool,
) -> ArrayD<Complex<R>> {
    let length = block.len_of(Axis(axis));
    let (mut lanes, shape) = rows(block, axis);
    let direction = if is_inverse { FftDirection::Inverse } else { FftDirection::Forward };
    if !lanes.is_empty() {
        FftPlanner::new().plan_fft(length, direction).process(&mut lanes);
    }
    if is_inverse {
        let factor = one_over::<R>(length);
        lanes.iter_mut().for_each(|value| *value = *value * factor);
    }
    of_rows(lanes, shape, length, axis)
}

/// The first `length / 2 + 1` elements of the transform of each lane: the others are their conjugates.
pub(super) fn real<R: FftNum>(block: &ArrayD<R>, axis: usize) -> ArrayD<Complex<R>> {
    let length = block.len_of(Axis(axis));
    let (mut lanes, shape) = rows(block, axis);
    let transform = RealFftPlanner::new().plan_fft_forward(length);
    let half = length / 2 + 1;
    let mut halves = vec![Complex::new(R::zero(), R::zero()); lanes.len() / length * half];
    let mut scratch = transform.make_scratch_vec();
    for (lane, half) in lanes.chunks_exact_mut(length).zip(halves.chunks_exact_mut(half)) {
        transform.process_with_scratch(lane, half, &mut scratch).expect("lengths that were planned");
    }
    of_rows(halves, shape, half, axis)
}

/// The lanes of `length` real elements whose transforms begin with these; what is missing counts as
/// zero, and so do the imaginary parts of elements that are their own conjugates.
pub(super) fn of_halves<R: FftNum>(block: &ArrayD<Complex<R>>, axis: usize, length: usize) -> ArrayD<R> {
    let given = block.len_of(Axis(axis));
    let (lanes, shape) = rows(block, axis);
    let transform = RealFftPlanner::new().plan_fft_inverse(length);
    let zero = Complex::new(R::zero(), R::zero());
    let mut half = vec![zero; length / 2 + 1];
    let mut scratch = transform.make_scratch_vec();
    let mut values = vec![R::zero(); lanes.len() / given * length];
    let (factor, taken) = (one_over::<R>(length), given.min(half.len()));
    for (lane, values) in lanes.chunks_exact(given).zip(values.chunks_exact_mut(length)) {
        half.fill(zero);
        half[..taken].copy_from_slice(&lane[..taken]);
        half[0].im = R::zero();
        if length.is_multiple_of(2) {
            half[length / 2].im = R::zero();
        }
        transform.process_with_scratch(&mut half, values, &mut scratch).expect("lengths that were planned");
        values.iter_mut().for_each(|value| *value = *value * factor);
    }
    of_rows(values, shape, length, axis)
}

fn one_over<R: FftNum>(length: usize) -> R {
    R::one() / R::from_usize(length).expect("a length is a number")
}
