//! Functions that are made of others: NumPy 2.4's answers at the edges, and plain loops.

use crate::arrays::{pair, shapes, with_client};
use maniple::{Array, Client, array};
use ndarray::{ArrayD, Axis, IxDyn};
use proptest::prelude::*;

/// Infinities, NaN, zeros of both signs, numbers that nearly are the same, and large ones.
const EDGES: [f64; 10] =
    [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.0, -0.0, 1.0, 1.000001, 1e-9, 1000.0, -1000.0];

fn edges(client: &Client) -> Array<f64> {
    client.from_ndarray(&ndarray::arr1(&EDGES).into_dyn(), 3).unwrap()
}

fn numbers(array: &Array<f64>) -> Vec<f64> {
    array.ravel().compute().unwrap().into_raw_vec_and_offset().0
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let is_same = found == expected || found.is_nan() && expected.is_nan();
        assert!(is_same || (found - expected).abs() <= 4e-16 * expected.abs(), "{found:?}, not {expected:?}");
    }
}

#[test]
fn infinities_nan_and_zeros_are_treated_as_numpy_does() {
    with_client(|client| {
        let x = edges(client);
        // `numpy.isclose(v[:, None], v)`, where a row has ones.
        let close: [&[usize]; 10] =
            [&[0], &[1], &[], &[3, 4, 7], &[3, 4, 7], &[5, 6], &[5, 6], &[3, 4, 7], &[8], &[9]];
        let table = x.expand_dims(1).is_close(x.expand_dims(0), 1e-5, 1e-8).compute().unwrap();
        for (row, places) in table.axis_iter(Axis(0)).zip(close) {
            let found: Vec<usize> = (0..10).filter(|place| row[*place]).collect();
            assert_eq!(found, places);
        }
        assert!(!x.all_close(&x, 1e-5, 1e-8).compute().unwrap(), "NaN is not close to itself");
        // `numpy.logaddexp(v[k], v)`
        let sums = x.expand_dims(1).log_add_exp(x.expand_dims(0));
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let row = |row: isize| numbers(&sums.slice(ndarray::s![row, ..]));
        assert_near(&row(0), &[inf, inf, nan, inf, inf, inf, inf, inf, inf, inf]);
        assert_near(&row(1), &[inf, -inf, nan, 0.0, 0.0, 1.0, 1.000001, 1e-9, 1000.0, -1000.0]);
        assert_near(&row(2), &[nan; 10]);
        let ln2 = std::f64::consts::LN_2;
        let near_zero = [1.3132616875182228, 1.3132624185768997, 0.6931471810599453, 1000.0, 0.0];
        assert_near(&row(4), &[&[inf, 0.0, nan, ln2, ln2], &near_zero[..]].concat());
        assert_near(&row(9)[8..], &[1000.0, -999.3068528194401]);
        // `numpy.nan_to_num(v, nan=7, posinf=8, neginf=9)`
        assert_near(
            &numbers(&x.nan_to_num(7.0, 8.0, 9.0)),
            &[8.0, 9.0, 7.0, 0.0, 0.0, 1.0, 1.000001, 1e-9, 1000.0, -1000.0],
        );
    });
}

#[test]
fn numbers_are_rounded_and_scaled_as_numpy_does() {
    with_client(|client| {
        let of = |values: &[f64]| client.from_ndarray(&ndarray::arr1(values).into_dyn(), 2).unwrap();
        let x = of(&[2.675, -2.5, 0.125, 1234.5, -1250.0, f64::INFINITY]);
        assert_eq!(numbers(&x.round_decimals(2)), [2.68, -2.5, 0.12, 1234.5, -1250.0, f64::INFINITY]);
        assert_eq!(numbers(&x.round_decimals(-2)), [0.0, -0.0, 0.0, 1200.0, -1200.0, f64::INFINITY]);
        let sinc = [1.0, std::f64::consts::FRAC_2_PI, -0.2122065907891938, 0.10003514623967844];
        assert_near(&numbers(&of(&[0.0, 0.5, 1.5, -2.25]).sinc()), &sinc);
        assert_eq!(numbers(&of(&[1.0]).to_degrees()), [57.29577951308232]);
        assert_eq!(numbers(&of(&[1.0]).to_radians()), [0.017453292519943295]);
        let x = client.arange_real::<f64>(0.0, 24.0, 1.0, 5).reshape([2, 3, 4]);
        let averages = [11.882352941176471, 14.48, 17.757575757575758];
        assert_near(&numbers(&x.average_axis([0, 2], &(&x + 1.0))), &averages);
        for (times, first) in [
            (-1, [12.0, 0.0, 16.0, 4.0, 20.0]),
            (0, [0.0, 1.0, 2.0, 3.0, 4.0]),
            (1, [3.0, 15.0, 7.0, 19.0, 11.0]),
            (2, [15.0, 14.0, 13.0, 12.0, 19.0]),
            (3, [12.0, 0.0, 16.0, 4.0, 20.0]),
        ] {
            assert_eq!(numbers(&x.rot90(times, [0, 2]))[..5], first, "{times}");
        }
        assert_eq!(x.move_axis(0, 2).shape(), [3, 4, 2]);
        assert_eq!(array::vstack(&[&of(&[1.0]), &of(&[2.0])]).shape(), [2, 1]);
        assert_eq!(array::hstack(&[&x, &x]).shape(), [2, 6, 4]);
    });
}

#[test]
fn what_is_not_zero_is_found_where_it_is() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(20), |((shape, chunk) in shapes(0..7, 1..4, 1..4), seed: u64, axis: usize)| {
            let (local, array) = pair(client, &shape, &chunk, seed);
            let expected: Vec<Vec<i64>> = local
                .indexed_iter()
                .filter(|(_, value)| **value != 0.0)
                .map(|(index, _)| (0..shape.len()).map(|axis| index[axis] as i64).collect())
                .collect();
            let rows = array.argwhere().unwrap().compute().unwrap();
            prop_assert_eq!(rows.shape(), &[expected.len(), shape.len()]);
            prop_assert_eq!(rows.into_raw_vec_and_offset().0, expected.concat());
            let axis = axis % shape.len();
            let gone: Vec<usize> = (0..shape[axis]).filter(|index| (seed >> index) & 1 == 1).collect();
            let kept: Vec<usize> = (0..shape[axis]).filter(|index| !gone.contains(index)).collect();
            let left: ArrayD<f64> = local.select(Axis(axis), &kept);
            prop_assert_eq!(array.delete(axis, &gone).compute().unwrap(), left);
            prop_assert_eq!(array.full_like(2.5).compute().unwrap(), ArrayD::from_elem(IxDyn(&shape), 2.5));
            if shape[axis] > 0 {
                let span = local.map_axis(Axis(axis), |lane| {
                    lane.iter().copied().fold(f64::NEG_INFINITY, f64::max) - lane.iter().copied().fold(f64::INFINITY, f64::min)
                });
                prop_assert_eq!(array.ptp_axis(axis).compute().unwrap(), span);
            }
        });
    });
}
