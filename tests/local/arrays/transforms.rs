//! Fourier transforms, compared with their definition, and of lanes that are cut with those that are not.

use crate::arrays::{blocks::panic_of, pair, with_client};
use maniple::array::{Fourier, FourierNorm};
use ndarray::{ArrayD, Axis, Slice};
use num_complex::Complex;
use proptest::prelude::*;

/// The transform of the lanes along an axis, by its definition.
fn transform(x: &ArrayD<Complex<f64>>, axis: usize) -> ArrayD<Complex<f64>> {
    let length = x.len_of(Axis(axis));
    ArrayD::from_shape_fn(x.raw_dim(), |place| {
        let term = |other: usize| {
            let mut from = place.clone();
            from[axis] = other;
            let turns = (place[axis] * other % length) as f64 / length as f64;
            x[&from] * Complex::cis(-2.0 * std::f64::consts::PI * turns)
        };
        (0..length).map(term).sum()
    })
}

#[test]
fn transforms_are_what_they_are_defined_to_be() {
    fn is_near<T: Copy + Into<Complex<f64>>>(own: &ArrayD<T>, wanted: &ArrayD<Complex<f64>>) -> bool {
        let near = |(own, wanted): (&T, &Complex<f64>)| ((*own).into() - wanted).norm() < 1e-10;
        own.shape() == wanted.shape() && own.iter().zip(wanted).all(near)
    }
    with_client(|client| {
        // As many lanes side by side as are taken together, fewer and more.
        let axes = prop::collection::vec((1usize..20, 1usize..40), 1..4);
        proptest!(ProptestConfig::with_cases(24), |(axes in axes, seed: u64, axis: usize)| {
            let (shape, chunk): (Vec<usize>, Vec<usize>) = axes.into_iter().unzip();
            let axis = axis % shape.len();
            let (local, x) = pair(client, &shape, &chunk, seed);
            let wanted = transform(&local.mapv(Complex::from), axis);
            prop_assert!(is_near(&x.fft(axis).compute().unwrap(), &wanted));
            let half = wanted.slice_axis(Axis(axis), Slice::from(..shape[axis] / 2 + 1)).to_owned();
            prop_assert!(is_near(&x.rfft(axis).compute().unwrap(), &half));
            let local = local.mapv(Complex::from);
            prop_assert!(is_near(&x.fft(axis).ifft(axis).compute().unwrap(), &local));
            let back = x.rfft(axis).irfft(axis, shape[axis]).compute().unwrap();
            prop_assert!(is_near(&back, &local));
            let turned = x.cast::<Complex<f64>>() * Complex::new(0.0, 2.0);
            let turned = turned.fft(axis).compute().unwrap();
            prop_assert!(is_near(&turned, &wanted.mapv(|value| value * Complex::new(0.0, 2.0))));
        });
        let (local, x) = pair(client, &[3, 50, 6], &[2, 50, 6], 1);
        let wanted = transform(&transform(&local.mapv(Complex::from), 2), 1);
        assert!(is_near(&x.fftn([1, 2]).compute().unwrap(), &wanted));
        let back = x.rfftn([1, 2]).irfftn([1, 2], None).compute().unwrap();
        assert!((back - local).iter().all(|difference| difference.abs() < 1e-12));
    });
}

#[test]
fn lanes_that_are_larger_than_a_block_stay_cut() {
    with_client(|client| {
        // 3 times 2^15 elements are 256 rows of 384; blocks have room for a row.
        let length = 3 << 15;
        let x = client.random(1).normal::<f64>(0.0, 1.0, [2, length], vec![1, 1 << 13]).persist().unwrap();
        let whole = x.rechunk([1, length]);
        let y = x.fft(1);
        assert_eq!(y.chunks(), x.chunks());
        assert_eq!(y.explain().matches("fft from step").count(), 2, "{}", y.explain());
        let y = y.persist().unwrap();
        let is_near = |difference: f64| assert!(difference < 1e-10, "{difference}");
        is_near((&y - whole.fft(1)).abs().max().compute().unwrap());
        is_near((y.ifft(1).real() - &x).abs().max().compute().unwrap());
        let half = x.rfft(Fourier::along(1).norm(FourierNorm::Ortho));
        assert_eq!(half.shape(), [2, length / 2 + 1]);
        let wanted = whole.rfft(Fourier::along(1).norm(FourierNorm::Ortho));
        is_near((&half - wanted).abs().max().compute().unwrap());
        let back = half.irfft(Fourier::along(1).norm(FourierNorm::Ortho), None);
        is_near((back - &x).abs().max().compute().unwrap());
        let columns = x.t().fft(0);
        is_near((columns.t() - &y).abs().max().compute().unwrap());
        // A prime number is no product: the lane is joined.
        let prime = x.slice(ndarray::s![0, ..(1 << 16) + 1]);
        let wanted = prime.rechunk(usize::MAX).fft(0);
        is_near((prime.fft(0) - wanted).abs().max().compute().unwrap());
    });
}

#[test]
fn a_transform_that_there_is_not_says_so() {
    with_client(|client| {
        let x = client.ones::<f64>([4, 6], [4, 3]);
        let error = x.try_fft(2).unwrap_err().to_string();
        assert_eq!(error, "fft along axis 2 of shape [4, 6], which has no such axis");
        assert_eq!(panic_of(|| x.rfft(2)), error.replace("fft along", "rfft along"));
        assert!(x.try_irfft(0, 0).unwrap_err().to_string().contains("no elements"));
        assert!(x.try_fft(Fourier::along(0).length(0)).unwrap_err().to_string().contains("no elements"));
        assert!(client.ones::<f64>([0], 1).try_fft(0).unwrap_err().to_string().contains("no elements"));
        let uneven = panic_of(|| x.fftn(Fourier::along([0, 1]).length(3)));
        assert_eq!(uneven, "fftn along axes [0, 1] to lengths [3], which are not as many");
        let narrow = x.cast::<f32>().fft(0);
        assert_eq!(narrow.dtype().name(), "complex64");
        assert_eq!(narrow.compute().unwrap()[[0, 5]].re, 4.0);
        assert_eq!(client.ones::<f64>([0, 4], [1, 4]).fft(1).compute().unwrap().shape(), [0, 4]);
        assert_eq!(client.ones::<f64>([0], 1).fft(Fourier::along(0).length(3)).compute().unwrap().len(), 3);
        assert_eq!(client.ones::<bool>([4], 4).rfft(0).compute().unwrap()[[0]].re, 4.0);
    });
}
