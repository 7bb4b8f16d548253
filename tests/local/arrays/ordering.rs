//! Order across blocks: sorting, different elements, sets, groups and quantiles, against naive ones.

use crate::arrays::{pieces, random, with_client};
use maniple::{
    Array, Client, Runtime,
    array::{Chunks, Ordered},
};
use ndarray::{Array1, ArrayD, Axis};
use proptest::prelude::*;
use std::{cmp::Ordering, collections::BTreeMap};

/// A line of numbers of which about as many are different as there are bits for, with NaN, in chunks of a size with
/// empty ones between.
fn line(client: &Client, length: usize, chunk: usize, bits: u32, seed: u64) -> (Vec<f64>, Array<f64>) {
    let shift = 64 - bits;
    let mut local = random(&[length], seed, |bits| f64::from_bits(bits >> 1));
    for value in &mut local {
        *value = match (value.to_bits() << 1) >> shift {
            0 => f64::NAN,
            1 => -0.0,
            2 => 0.0,
            bits => bits as f64 - 20.0,
        };
    }
    let array = client.from_ndarray(&local, pieces(&[length], &[chunk], seed)).unwrap();
    (local.into_raw_vec_and_offset().0, array)
}

fn order(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// The places of the elements in ascending order, NaN last; equal ones in their order.
fn sorted_places(values: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by(|a, b| order(&values[*a], &values[*b]));
    places
}

fn bits(values: impl IntoIterator<Item = f64>) -> Vec<u64> {
    values.into_iter().map(f64::to_bits).collect()
}

fn local<T: Ordered>(array: &Array<T>) -> Vec<T> {
    array.compute().unwrap().iter().copied().collect()
}

#[test]
fn a_line_of_many_blocks_is_sorted_as_one() {
    with_client(|client| {
        let cases = ProptestConfig::with_cases(24);
        proptest!(cases, |(length in 0usize..400, chunk in 1usize..60, value_bits in 1u32..12, seed: u64)| {
            let (values, x) = line(client, length, chunk, value_bits, seed);
            let places = sorted_places(&values);
            let sorted = x.sort(0);
            prop_assert_eq!(sorted.chunks(), x.chunks());
            // Stable, so zeros keep their signs in order.
            prop_assert_eq!(bits(local(&sorted)), bits(places.iter().map(|place| values[*place])));
            let indices = x.argsort(0);
            prop_assert_eq!(indices.chunks(), x.chunks());
            prop_assert_eq!(local(&indices), places.iter().map(|place| *place as i64).collect::<Vec<_>>());
        });
    });
}

#[test]
fn lanes_of_wide_and_of_thin_blocks_are_sorted_and_have_quantiles() {
    with_client(|client| {
        let cases = ProptestConfig::with_cases(24);
        let lengths = prop::collection::vec((1usize..25, 1usize..9), 2..4);
        proptest!(cases, |(axes in lengths, axis: usize, seed: u64, quantile in 0.0..=1.0f64, is_equal: bool)| {
            let (shape, chunk): (Vec<usize>, Vec<usize>) = axes.into_iter().unzip();
            let axis = axis % shape.len();
            let number: fn(u64) -> f64 = if is_equal { |bits| (bits >> 62) as f64 } else { |bits| bits as f64 };
            let mut values = random(&shape, seed, number);
            values.iter_mut().step_by(17).for_each(|value| *value = f64::NAN);
            let x = client.from_ndarray(&values, pieces(&shape, &chunk, seed)).unwrap();
            let (sorted, indices) = (x.sort(axis), x.argsort(axis));
            prop_assert_eq!(sorted.chunks(), x.chunks());
            let (sorted, indices) = (sorted.compute().unwrap(), indices.compute().unwrap());
            let medians = x.quantile(quantile, axis).compute().unwrap();
            let without_nan = x.nanquantile(quantile, axis).compute().unwrap();
            let results = sorted.lanes(Axis(axis)).into_iter().zip(indices.lanes(Axis(axis)));
            let results = results.zip(medians.iter().zip(&without_nan));
            for (lane, ((sorted, indices), (median, without_nan))) in
                values.lanes(Axis(axis)).into_iter().zip(results)
            {
                let lane = lane.to_vec();
                let places = sorted_places(&lane);
                prop_assert_eq!(bits(sorted.to_vec()), bits(places.iter().map(|place| lane[*place])));
                prop_assert_eq!(indices.to_vec(), places.iter().map(|place| *place as i64).collect::<Vec<_>>());
                let numbers: Vec<f64> = places.iter().map(|at| lane[*at]).filter(|x| !x.is_nan()).collect();
                let expected = quantile_of(&numbers, quantile);
                prop_assert!(close(*without_nan, expected), "{} for {}", without_nan, expected);
                let expected = if numbers.len() < lane.len() { f64::NAN } else { expected };
                prop_assert!(close(*median, expected), "{} for {}", median, expected);
            }
        });
    });
}

fn quantile_of(sorted: &[f64], quantile: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let place = quantile * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

fn close(a: f64, b: f64) -> bool {
    a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-14 * a.abs().max(b.abs())
}

#[test]
fn different_elements_have_counts_places_and_a_way_back() {
    with_client(|client| {
        let cases = ProptestConfig::with_cases(24);
        proptest!(cases, |(length in 0usize..300, chunk in 1usize..60, value_bits in 1u32..12, seed: u64)| {
            let (values, x) = line(client, length, chunk, value_bits, seed);
            let places = sorted_places(&values);
            // Of each value the places in order.
            let mut runs: Vec<Vec<usize>> = Vec::new();
            for place in places {
                match runs.last_mut() {
                    Some(run) if order(&values[run[0]], &values[place]) == Ordering::Equal => run.push(place),
                    _ => runs.push(vec![place]),
                }
            }
            let unique = x.unique_all().unwrap();
            let found = local(&unique.values);
            prop_assert_eq!(found.len(), runs.len());
            let are_equal = found.iter().zip(&runs).all(|(value, run)| order(value, &values[run[0]]).is_eq());
            prop_assert!(are_equal, "{:?}", found);
            let first: Vec<i64> = runs.iter().map(|run| run[0] as i64).collect();
            prop_assert_eq!(local(&unique.indices), first);
            let counts: Vec<i64> = runs.iter().map(|run| run.len() as i64).collect();
            prop_assert_eq!(local(&unique.counts), counts.clone());
            prop_assert_eq!(unique.inverse.chunks(), x.chunks());
            let mut inverse = vec![0; length];
            runs.iter().zip(0..).for_each(|(run, number)| run.iter().for_each(|place| inverse[*place] = number));
            prop_assert_eq!(local(&unique.inverse), inverse);
            // What is gathered tells the same.
            let (gathered, gathered_counts) = x.unique().unwrap();
            prop_assert_eq!(gathered.len(), found.len());
            prop_assert_eq!(gathered_counts, counts);
        });
    });
}

#[test]
fn sets_are_those_of_their_elements() {
    with_client(|client| {
        let cases = ProptestConfig::with_cases(16);
        proptest!(cases, |(lengths in (0usize..90, 0usize..90), chunk in 1usize..30, value_bits in 2u32..8, seed: u64)| {
            let (own, x) = line(client, lengths.0, chunk, value_bits, seed);
            let (others, y) = line(client, lengths.1, chunk, value_bits, seed ^ 0x5555);
            let is_in: Vec<bool> = own.iter().map(|value| others.contains(value)).collect();
            prop_assert_eq!(local(&x.is_in(&y)), is_in);
            let set = |mut values: Vec<f64>| {
                values.sort_by(order);
                values.dedup_by(|a, b| order(a, b).is_eq());
                values.into_iter().map(|value| value + 0.0).collect::<Vec<_>>()
            };
            let union = [own.clone(), others.clone()].concat();
            prop_assert_eq!(bits(local(&x.union1d(&y).unwrap())), bits(set(union)));
            let common = own.iter().copied().filter(|value| others.contains(value)).collect();
            prop_assert_eq!(bits(local(&x.intersect1d(&y).unwrap())), bits(set(common)));
            let rest = own.iter().copied().filter(|value| !others.contains(value)).collect();
            prop_assert_eq!(bits(local(&x.setdiff1d(&y).unwrap())), bits(set(rest)));
        });
    });
}

#[test]
fn groups_have_the_aggregates_of_their_elements() {
    with_client(|client| {
        let cases = ProptestConfig::with_cases(24);
        proptest!(cases, |(length in 0usize..300, chunk in 1usize..60, groups in 1u64..40, seed: u64)| {
            let values = random(&[length], seed, |bits| (bits >> 40) as f64 - 8e6);
            let numbers = random(&[length], seed ^ 0xFFFF, |bits| (bits >> 33) as f64);
            let [first, second] = [1, 1000].map(|part| {
                numbers.mapv(|number| (number as u64 / part % groups) as i64 - 3)
            });
            let x = client.from_ndarray(&values, pieces(&[length], &[chunk], seed)).unwrap();
            let first_keys = client.from_ndarray(&first, chunk).unwrap();
            let second_keys = client.from_ndarray(&second, 7).unwrap();
            let found = x.group_by(&[&first_keys, &second_keys]).unwrap();
            let mut expected: BTreeMap<(i64, i64), Vec<f64>> = BTreeMap::new();
            for (value, key) in values.iter().zip(first.iter().copied().zip(second.iter().copied())) {
                expected.entry(key).or_default().push(*value);
            }
            prop_assert_eq!(found.len(), expected.len());
            prop_assert_eq!(found.is_empty(), length == 0);
            let keys: Vec<(i64, i64)> = found.keys(0).iter().copied().zip(found.keys(1).iter().copied()).collect();
            prop_assert_eq!(keys, expected.keys().copied().collect::<Vec<_>>());
            for (place, members) in expected.values().enumerate() {
                let count = members.len() as f64;
                prop_assert_eq!(found.count()[place], members.len() as i64);
                prop_assert_eq!(found.sum()[place], members.iter().sum::<f64>());
                prop_assert_eq!(found.min()[place], members.iter().copied().fold(f64::INFINITY, f64::min));
                prop_assert_eq!(found.max()[place], members.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                let mean = members.iter().sum::<f64>() / count;
                prop_assert!(close(found.mean()[place], mean));
                let squares: f64 = members.iter().map(|value| (value - mean).powi(2)).sum();
                prop_assert!((found.var(0.0)[place] - squares / count).abs() <= 1e-12 * (squares / count));
                if members.len() > 1 {
                    let sample = squares / (count - 1.0);
                    prop_assert!((found.var(1.0)[place] - sample).abs() <= 1e-12 * sample);
                }
            }
        });
    });
}

#[test]
fn groups_with_nan_and_infinities_do_not_spoil_others() {
    with_client(|client| {
        let values = [1.0, f64::NAN, f64::INFINITY, 2.0, -1.0, 5.0, f64::INFINITY];
        let x = client.from_ndarray(&Array1::from(values.to_vec()), 2).unwrap();
        let keys = client.from_ndarray(&Array1::from(vec![0_u8, 1, 2, 0, 1, 2, 2]), 3).unwrap();
        let groups = x.group_by(&[&keys]).unwrap();
        assert_eq!(groups.keys(0), [0, 1, 2]);
        assert_eq!(
            (groups.sum()[0], groups.min()[0], groups.max()[0], groups.var(0.0)[0]),
            (3.0, 1.0, 2.0, 0.25)
        );
        assert!(groups.sum()[1].is_nan() && groups.min()[1].is_nan() && groups.max()[1].is_nan());
        assert_eq!((groups.sum()[2], groups.min()[2], groups.max()[2]), (f64::INFINITY, 5.0, f64::INFINITY));
        assert_eq!(groups.mean()[2], f64::INFINITY);
        let wide = client.from_ndarray(&Array1::from(vec![u64::MAX, 1, 3]), 1).unwrap();
        let keys = client.from_ndarray(&Array1::from(vec![u64::MAX, 7, u64::MAX]), 2).unwrap();
        let groups = wide.group_by(&[&keys]).unwrap();
        assert_eq!((groups.keys(0), groups.sum()), (&[7, u64::MAX][..], vec![1, 2]));
    });
}

/// All results of one array, as bits.
fn results(client: &Client) -> Vec<u64> {
    let x = client.random(11).normal::<f64>(0.0, 1.0, [6000], 500);
    let y = (&x * 8.0).round();
    let keys = client.random(12).integers::<i64>(0, 50, [6000], 700);
    let unique = y.unique_all().unwrap();
    let groups = x.group_by(&[&keys]).unwrap();
    let floats = [local(&x.sort(0)), local(&unique.values), groups.sum(), groups.mean(), groups.var(1.0)];
    let integers = [local(&y.argsort(0)), local(&unique.inverse), local(&unique.counts), groups.count()];
    let wide = x.reshape([60, 100]).rechunk([7, 30]).sort(0);
    let integers = integers.into_iter().flatten().map(|number| number as u64);
    integers.chain(bits(floats.into_iter().flatten())).chain(bits(local(&wide))).collect()
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_workers() {
    let of = |workers: u32| {
        let mut found = Vec::new();
        let test = |client: &Client| {
            found = results(client);
            Ok(())
        };
        Runtime::builder().threads(1).local_workers(workers).execute(test).unwrap();
        found
    };
    let one = of(1);
    assert_eq!(of(3), one);
    assert_eq!(of(4), one);
}

#[test]
fn integers_of_all_types_are_sorted_across_blocks() {
    fn check<T: Ordered + PartialOrd>(values: Vec<T>) {
        with_client(|client| {
            let chunks = Chunks::Lists(vec![vec![3, 0, 4, values.len() - 7]]);
            let x = client
                .from_ndarray(&ArrayD::from_shape_vec(vec![values.len()], values.clone()).unwrap(), chunks);
            let x = x.unwrap();
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| a.partial_cmp(b).unwrap());
            assert_eq!(local(&x.sort(0)), sorted);
            let places = local(&x.argsort(0));
            assert_eq!(places.iter().map(|place| values[*place as usize]).collect::<Vec<_>>(), sorted);
            sorted.dedup();
            assert_eq!(local(&x.unique_values().unwrap()), sorted);
        });
    }
    check(vec![5_i64, i64::MIN, -1, 0, i64::MAX, 5, -1, 3, i64::MIN]);
    check(vec![5_i32, i32::MIN, -1, 0, i32::MAX, 5, -1, 3, i32::MIN]);
    check(vec![5_u64, u64::MAX, 1, 0, 1 << 63, 5, 1, 3, u64::MAX]);
    check(vec![5_u32, u32::MAX, 1, 0, 1 << 31, 5, 1, 3, u32::MAX]);
    check(vec![5_u8, 255, 1, 0, 128, 5, 1, 3, 255]);
    check(vec![true, false, true, true, false, false, true, false, true]);
    check(vec![5.0_f32, f32::MAX, -1.0, f32::NEG_INFINITY, f32::INFINITY, 5.0, -1.0, 1e-40, f32::MIN]);
}
