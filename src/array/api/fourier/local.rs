//! Fourier transforms of the lanes of one block.

use ndarray::{ArrayD, Axis, IxDyn};
use num_complex::Complex;
use realfft::{RealFftPlanner, num_traits::Zero};
use rustfft::{FftDirection, FftNum, FftPlanner};

/// How many neighbouring lanes are taken out of a block together: their elements share cache lines.
const LANES: usize = 16;

/// The transform of each lane, multiplied by `factor`.
pub(super) fn complex<R: FftNum>(
    block: &ArrayD<Complex<R>>,
    axis: usize,
    is_inverse: bool,
    factor: f64,
) -> ArrayD<Complex<R>> {
    let length = block.len_of(Axis(axis));
    let direction = if is_inverse { FftDirection::Inverse } else { FftDirection::Forward };
    let transform = FftPlanner::new().plan_fft(length, direction);
    let mut scratch = vec![Complex::zero(); transform.get_inplace_scratch_len()];
    let factor = Factor::<R>::new(factor);
    by_lanes(block, axis, length, |lane, result| {
        result.copy_from_slice(lane);
        transform.process_with_scratch(result, &mut scratch);
        factor.apply(result);
    })
}

/// The transform of each lane, whose element at place `p` is then multiplied by the root of unity of order `whole` to
/// the power `p` times the place along the next axis, where the block begins at `start`.
pub(super) fn twisted<R: FftNum>(
    block: &ArrayD<Complex<R>>,
    axis: usize,
    is_inverse: bool,
    start: usize,
    whole: usize,
) -> ArrayD<Complex<R>> {
    let roots = Roots::new(whole, is_inverse);
    let mut result = complex(block, axis, is_inverse, 1.0);
    let (length, columns) = (result.len_of(Axis(axis)), result.len_of(Axis(axis + 1)));
    let inner: usize = result.shape()[axis + 2..].iter().product();
    let elements = result.as_slice_mut().expect("made in order");
    for (place, elements) in elements.chunks_exact_mut(inner.max(1)).enumerate() {
        let (row, column) = (place / columns % length, start + place % columns);
        let root = roots.power((row as u128 * column as u128 % whole as u128) as usize);
        let number = |part: f64| R::from_f64(part).expect("a part of a root of unity is a number");
        let root = Complex::new(number(root.re), number(root.im));
        elements.iter_mut().for_each(|value| *value = *value * root);
    }
    result
}

/// The powers of a root of unity: each is the product of two that are in tables.
struct Roots {
    step: usize,
    small: Vec<Complex<f64>>,
    large: Vec<Complex<f64>>,
}

impl Roots {
    fn new(order: usize, is_inverse: bool) -> Self {
        let step = order.isqrt().max(1);
        let full = if is_inverse { 1.0 } else { -1.0 } * std::f64::consts::TAU;
        let root = |power: usize| Complex::cis(full * (power as f64 / order as f64));
        Self {
            step,
            small: (0..step).map(root).collect(),
            large: (0..=order / step).map(|power| root(power * step)).collect(),
        }
    }

    fn power(&self, power: usize) -> Complex<f64> {
        self.large[power / self.step] * self.small[power % self.step]
    }
}

/// What the elements of a transform are multiplied by; `None` is one.
struct Factor<R>(Option<R>);

impl<R: FftNum> Factor<R> {
    fn new(factor: f64) -> Self {
        Self((factor != 1.0).then(|| R::from_f64(factor).expect("a factor is a number")))
    }

    fn apply<V: Copy + std::ops::Mul<R, Output = V>>(&self, values: &mut [V]) {
        if let Some(factor) = self.0 {
            values.iter_mut().for_each(|value| *value = *value * factor);
        }
    }
}

/// The first `length / 2 + 1` elements of the transform of each lane, multiplied by `factor`: the others are their
/// conjugates.
pub(super) fn real<R: FftNum>(block: &ArrayD<R>, axis: usize, factor: f64) -> ArrayD<Complex<R>> {
    let length = block.len_of(Axis(axis));
    let transform = RealFftPlanner::new().plan_fft_forward(length);
    let mut scratch = transform.make_scratch_vec();
    let factor = Factor::<R>::new(factor);
    by_lanes(block, axis, length / 2 + 1, |lane, half| {
        transform.process_with_scratch(lane, half, &mut scratch).expect("lengths that were planned");
        factor.apply(half);
    })
}

/// The lanes of `length` real elements whose transforms begin with these, multiplied by `factor`; what is missing counts
/// as zero, and so do the imaginary parts of elements that are their own conjugates.
pub(super) fn of_halves<R: FftNum>(
    block: &ArrayD<Complex<R>>,
    axis: usize,
    length: usize,
    factor: f64,
) -> ArrayD<R> {
    let transform = RealFftPlanner::new().plan_fft_inverse(length);
    let mut scratch = transform.make_scratch_vec();
    let mut half = vec![Complex::zero(); length / 2 + 1];
    let taken = block.len_of(Axis(axis)).min(half.len());
    let factor = Factor::<R>::new(factor);
    by_lanes(block, axis, length, |lane, result| {
        half.fill(Complex::zero());
        half[..taken].copy_from_slice(&lane[..taken]);
        half[0].im = R::zero();
        if length.is_multiple_of(2) {
            half[length / 2].im = R::zero();
        }
        transform.process_with_scratch(&mut half, result, &mut scratch).expect("lengths that were planned");
        factor.apply(result);
    })
}

/// The block in which each lane along an axis is replaced by the `length` elements that `transform` writes.
fn by_lanes<T: Copy + Zero, U: Copy + Zero>(
    block: &ArrayD<T>,
    axis: usize,
    length: usize,
    mut transform: impl FnMut(&mut [T], &mut [U]),
) -> ArrayD<U> {
    let block = block.as_standard_layout();
    let source = block.as_slice().expect("standard layout");
    let mut shape = block.shape().to_vec();
    let given = std::mem::replace(&mut shape[axis], length);
    let inner: usize = shape[axis + 1..].iter().product();
    let mut result = vec![U::zero(); shape.iter().product()];
    let (mut lanes, mut results) = (vec![T::zero(); LANES * given], vec![U::zero(); LANES * length]);
    let slabs =
        source.chunks_exact((given * inner).max(1)).zip(result.chunks_exact_mut((length * inner).max(1)));
    for (source, result) in slabs {
        if inner == 1 {
            lanes[..given].copy_from_slice(source);
            transform(&mut lanes[..given], result);
            continue;
        }
        for first in (0..inner).step_by(LANES) {
            let count = LANES.min(inner - first);
            for (place, row) in source.chunks_exact(inner).enumerate() {
                let row = &row[first..first + count];
                row.iter().enumerate().for_each(|(lane, value)| lanes[lane * given + place] = *value);
            }
            let pairs = lanes.chunks_exact_mut(given).zip(results.chunks_exact_mut(length));
            pairs.take(count).for_each(|(lane, result)| transform(lane, result));
            for (place, row) in result.chunks_exact_mut(inner).enumerate() {
                let row = &mut row[first..first + count];
                row.iter_mut().enumerate().for_each(|(lane, value)| *value = results[lane * length + place]);
            }
        }
    }
    ArrayD::from_shape_vec(IxDyn(&shape), result).expect("an element for each place")
}
