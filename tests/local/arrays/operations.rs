//! Scans, stencils, order and frequency of chunked arrays, against `ndarray` and plain loops.

use crate::arrays::{pair, random, shapes, with_client};
use maniple::array::Boundary;
use ndarray::{ArrayD, Axis, Dimension, IxDyn, Slice};
use proptest::prelude::*;

#[test]
fn scans_and_differences() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(20), |((shape, chunk) in shapes(2..11, 1..6, 1..3), seed: u64, axis: usize)| {
            let (local, array) = pair(client, &shape, &chunk, seed);
            let axis = axis % shape.len();
            let mut sums = local.clone();
            sums.accumulate_axis_inplace(Axis(axis), |a, b| *b += a);
            prop_assert_eq!(array.cumsum(axis).compute().unwrap(), sums);
            let mut products = local.clone();
            products.accumulate_axis_inplace(Axis(axis), |a, b| *b *= a);
            prop_assert_eq!(array.cumprod(axis).compute().unwrap(), products);
            let part = |range: Slice| local.slice_axis(Axis(axis), range).to_owned();
            prop_assert_eq!(array.diff(axis).compute().unwrap(), part(Slice::from(1..)) - part(Slice::from(..-1)));
            let slopes = array.gradient(axis).compute().unwrap();
            prop_assert_eq!(slopes.shape(), &shape[..]);
            let inside = (part(Slice::from(2..)) - part(Slice::from(..-2))) / 2.0;
            prop_assert_eq!(slopes.slice_axis(Axis(axis), Slice::new(1, Some(-1), 1)).to_owned(), inside);
        });
    });
}

/// The sum of each element and its neighbours two places away along all axes, as far as they are there.
fn neighbours(block: &ArrayD<f64>) -> ArrayD<f64> {
    ArrayD::from_shape_fn(block.raw_dim(), |index| {
        let mut sum = block[&index];
        for axis in 0..index.ndim() {
            for distance in [-2isize, 2] {
                let mut other = index.clone();
                let place = index[axis] as isize + distance;
                if (0..block.len_of(Axis(axis)) as isize).contains(&place) {
                    other[axis] = place as usize;
                    sum += block[&other];
                }
            }
        }
        sum
    })
}

/// The same of a whole array, with what lies beyond its ends.
fn with_boundary(local: &ArrayD<f64>, boundary: Boundary<f64>) -> ArrayD<f64> {
    let shape = local.shape().to_vec();
    let at = |index: &[isize]| {
        let mut place = vec![0; index.len()];
        for (axis, index) in index.iter().enumerate() {
            let length = shape[axis] as isize;
            let inside = (0..length).contains(index);
            place[axis] = match boundary {
                _ if inside => *index,
                Boundary::None => return 0.0,
                Boundary::Constant(value) => return value,
                Boundary::Nearest => (*index).clamp(0, length - 1),
                Boundary::Periodic => index.rem_euclid(length),
                Boundary::Reflect => {
                    if *index < 0 {
                        -1 - index
                    } else {
                        2 * length - 1 - index
                    }
                }
                other => unreachable!("{other:?} has no rule here"),
            } as usize;
        }
        local[IxDyn(&place)]
    };
    ArrayD::from_shape_fn(IxDyn(&shape), |index| {
        let own: Vec<isize> = (0..index.ndim()).map(|axis| index[axis] as isize).collect();
        let mut sum = at(&own);
        for axis in 0..own.len() {
            for distance in [-2, 2] {
                let mut other = own.clone();
                other[axis] += distance;
                sum += at(&other);
            }
        }
        sum
    })
}

#[test]
fn stencils_see_their_neighbours() {
    with_client(|client| {
        let boundaries = [
            Boundary::None,
            Boundary::Constant(3.0),
            Boundary::Reflect,
            Boundary::Nearest,
            Boundary::Periodic,
        ];
        proptest!(ProptestConfig::with_cases(12), |((shape, chunk) in shapes(2..11, 1..6, 1..3), seed: u64)| {
            let (local, array) = pair(client, &shape, &chunk, seed);
            for boundary in boundaries {
                let result = array.map_overlap(neighbours, &vec![2; shape.len()], boundary);
                prop_assert_eq!(result.compute().unwrap(), with_boundary(&local, boundary), "{:?}", boundary);
            }
        });
    });
}

/// As NumPy has it: between the two nearest elements, from the nearer one. An infinite end is at no distance from the
/// numbers between, unless the other end is infinite, too.
fn percentile_of(sorted: &[f64], percent: f64) -> f64 {
    let place = percent / 100.0 * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    match place.fract() {
        fraction if fraction == 0.0 || low == high => low,
        _ if low.is_infinite() || high.is_infinite() => low + high,
        fraction if fraction < 0.5 => low + (high - low) * fraction,
        fraction => high - (high - low) * (1.0 - fraction),
    }
}

#[test]
fn percentiles_of_lines_that_stay_cut() {
    with_client(|client| {
        let cases = ProptestConfig::with_cases(24);
        proptest!(cases, |(length in 2usize..300, chunk in 1usize..60, seed: u64, percent in 0.0..=100.0f64, is_equal: bool)| {
            let any: fn(u64) -> f64 = |bits| match f64::from_bits(bits) {
                number if number.is_finite() => number / 4.0,
                _ => -0.0,
            };
            let equal: fn(u64) -> f64 = |bits| (bits >> 62) as f64 - 1.5;
            let local = random(&[length], seed, if is_equal { equal } else { any });
            let x = client.from_ndarray(&local, chunk).unwrap();
            let mut sorted: Vec<f64> = local.iter().copied().collect();
            sorted.sort_by(f64::total_cmp);
            for percent in [percent, 0.0, 50.0, 100.0] {
                prop_assert_eq!(x.percentile(percent, 0).compute().unwrap().sum(), percentile_of(&sorted, percent));
            }
            prop_assert_eq!(x.quantile(0.25, 0).compute().unwrap().sum(), percentile_of(&sorted, 25.0));
            let short: Vec<f64> = sorted.iter().map(|x| f64::from(*x as f32)).collect();
            let half = x.cast::<f32>().median(0).compute().unwrap().sum();
            // Where the two in the middle are both infinities it is no number.
            let expected = percentile_of(&short, 50.0) as f32;
            prop_assert!(half == expected || half.is_nan() && expected.is_nan(), "{} for {}", half, expected);
            let mut with_nan = local.clone();
            with_nan[[length / 2]] = f64::NAN;
            let with_nan = client.from_ndarray(&with_nan, chunk).unwrap();
            prop_assert!(with_nan.percentile(percent, 0).compute().unwrap().sum().is_nan());
        });
    });
}

#[test]
fn order_and_frequency() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(16), |((shape, chunk) in shapes(2..11, 1..6, 1..3), seed: u64, axis: usize, count in 1usize..4)| {
            let (local, array) = pair(client, &shape, &chunk, seed);
            let axis = axis % shape.len();
            let count = count.min(shape[axis]);
            let mut sorted = local.clone();
            for mut lane in sorted.lanes_mut(Axis(axis)) {
                let mut values = lane.to_vec();
                values.sort_by(f64::total_cmp);
                lane.iter_mut().zip(values).for_each(|(a, b)| *a = b);
            }
            prop_assert_eq!(array.sort(axis).compute().unwrap(), sorted.clone());
            let indices = array.argsort(axis).compute().unwrap();
            for ((indices, lane), sorted) in indices.lanes(Axis(axis)).into_iter().zip(local.lanes(Axis(axis))).zip(sorted.lanes(Axis(axis))) {
                let values: Vec<f64> = indices.iter().map(|index| lane[*index as usize]).collect();
                prop_assert_eq!(values, sorted.to_vec());
            }
            let mut top = sorted.slice_axis(Axis(axis), Slice::from(shape[axis] - count..)).to_owned();
            top.invert_axis(Axis(axis));
            prop_assert_eq!(array.topk(count, axis).compute().unwrap(), top);
            let median = array.median(axis).compute().unwrap();
            let middle = |lane: ndarray::ArrayView1<'_, f64>| {
                let (low, high) = ((lane.len() - 1) / 2, lane.len() / 2);
                (lane[low] + lane[high]) / 2.0
            };
            prop_assert_eq!(median, sorted.map_axis(Axis(axis), middle));
            let (counts, edges) = array.histogram(5, -7.0, 8.0);
            let wanted: Vec<i64> = edges.windows(2).enumerate().map(|(bin, edge)| {
                local.iter().filter(|x| **x >= edge[0] && (**x < edge[1] || bin == 4 && **x == edge[1])).count() as i64
            }).collect();
            prop_assert_eq!(counts.compute().unwrap().into_raw_vec_and_offset().0, wanted);
            let (values, counts) = array.unique().unwrap();
            prop_assert!(values.is_sorted_by(|a, b| a < b));
            for (value, count) in values.iter().zip(&counts) {
                prop_assert_eq!(local.iter().filter(|x| *x == value).count() as i64, *count);
            }
            prop_assert_eq!(counts.iter().sum::<i64>(), local.len() as i64);
            let bins = array.digitize(&[-3.0, 0.0, 4.5]).compute().unwrap();
            prop_assert_eq!(bins, local.mapv(|x| i64::from(x >= -3.0) + i64::from(x >= 0.0) + i64::from(x >= 4.5)));
            let kept = array.mask(&array.gt(0.0)).unwrap();
            let wanted: Vec<f64> = local.iter().copied().filter(|x| *x > 0.0).collect();
            prop_assert_eq!(kept.shape(), [wanted.len()]);
            prop_assert_eq!(kept.sum().compute().unwrap(), wanted.iter().sum::<f64>());
            prop_assert_eq!(kept.compute().unwrap().into_raw_vec_and_offset().0, wanted);
        });
    });
}

#[test]
fn random_arrays_keep_their_promises() {
    with_client(|client| {
        let order = client.random(3).permutation(1000, 64).sort(0).compute().unwrap();
        assert!(order.iter().copied().eq(0..1000));
        assert_ne!(client.random(3).permutation(1000, 64).compute().unwrap(), order);
        let share =
            client.random(4).bernoulli(0.25, [100, 200], [30, 200]).count_nonzero().compute().unwrap();
        assert!((4500..5500).contains(&share), "{share}");
        let dice = client.random(5).integers::<i64>(1, 7, [6000], 700);
        let (faces, counts) = dice.unique().unwrap();
        assert_eq!(faces, [1, 2, 3, 4, 5, 6]);
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        let normal = client.random(6).normal::<f64>(5.0, 2.0, [50_000], 8000);
        assert!((normal.mean().compute().unwrap() - 5.0).abs() < 0.05);
        assert!((normal.std().compute().unwrap() - 2.0).abs() < 0.05);
        let mean = client.random(7).exponential::<f32>(3.0, [50_000], 8000).mean().compute().unwrap();
        assert!((mean - 3.0).abs() < 0.1, "{mean}");
        let random = client.random(8);
        let (first, second) = (random.random::<f64>([10], 3), random.random::<f64>([10], 3));
        assert_ne!(first.compute().unwrap(), second.compute().unwrap(), "each array has a stream of its own");
    });
}
