//! Arrays against `ndarray`: the same operations on random shapes, chunks and values.

use crate::arrays::{pieces, random, shapes, with_client};
use maniple::{
    Client, Result, Runtime,
    array::{Array, Axes, block, chunks, concatenate, map_blocks, select, stack},
};
use ndarray::{ArrayD, Axis, IxDyn, s};
use num_complex::Complex;
use proptest::prelude::*;

/// A local array, and the same in chunks.
fn pair(client: &Client, shape: &[usize], chunk: &[usize], seed: u64) -> (ArrayD<f64>, Array<f64>) {
    let local = random(shape, seed, |bits| ((bits >> 40) as f64 / 1000.0).floor() / 8.0 - 1000.0);
    let array = client.from_ndarray(&local, pieces(shape, chunk, seed)).unwrap();
    (local, array)
}

fn close(a: &ArrayD<f64>, b: &ArrayD<f64>) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * (1.0 + a.abs()) || a.is_nan() && b.is_nan();
    a.shape() == b.shape() && a.iter().zip(b).all(near)
}

#[test]
fn operations_on_elements_are_those_of_ndarray() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(24), |((shape, chunk) in shapes(1..12, 1..7, 1..4), seed: u64)| {
            let (local, array) = pair(client, &shape, &chunk, seed);
            let other = local.mapv(|x| x * 0.5 - 3.0);
            prop_assert_eq!(array.compute().unwrap(), local.clone());
            let calculated = ((&array * 0.5 - 3.0) * &array + 2.0 / (array.abs() + 1.0)).compute().unwrap();
            let wanted = &other * &local + 2.0 / (local.mapv(f64::abs) + 1.0);
            prop_assert!(close(&calculated, &wanted));
            let kept = select(&array.lt(0.0), &array, 1.0).compute().unwrap();
            prop_assert_eq!(kept, local.mapv(|x| if x < 0.0 { x } else { 1.0 }));
            let sines = (array.sin().square() + array.cos().square()).compute().unwrap();
            prop_assert!(close(&sines, &ArrayD::ones(shape)));
        });
    });
}

#[test]
fn reductions_are_those_of_ndarray() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(24), |((shape, chunk) in shapes(1..12, 1..7, 1..4), seed: u64, axis: usize)| {
            let (local, array) = pair(client, &shape, &chunk, seed);
            let axis = axis % shape.len();
            prop_assert!((array.sum().compute().unwrap() - local.sum()).abs() < 1e-6);
            prop_assert!(close(&array.sum_axis(axis).compute().unwrap(), &local.sum_axis(Axis(axis))));
            let kept = array.sum_axis(Axes::of(axis).keep().fan_in(2)).compute().unwrap();
            prop_assert!(close(&kept, &local.sum_axis(Axis(axis)).insert_axis(Axis(axis))));
            prop_assert!(close(&array.mean_axis(axis).compute().unwrap(), &local.mean_axis(Axis(axis)).unwrap()));
            prop_assert!(close(&array.var_axis(axis).compute().unwrap(), &local.var_axis(Axis(axis), 0.0)));
            let std = array.std().compute().unwrap();
            prop_assert!((std - local.std(0.0)).abs() < 1e-9 * (1.0 + std));
            let largest = local.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            prop_assert_eq!(array.max().compute().unwrap(), largest);
            let first = local.iter().position(|x| *x == largest).unwrap() as i64;
            prop_assert_eq!(array.argmax().compute().unwrap(), first);
            let smallest = local.map_axis(Axis(axis), |lane| {
                lane.iter().enumerate().fold((0, f64::INFINITY), |best, (i, x)| if *x < best.1 { (i as i64, *x) } else { best }).0
            });
            prop_assert_eq!(array.argmin_axis(axis).compute().unwrap(), smallest);
            let negative = local.iter().filter(|x| **x < 0.0).count() as i64;
            prop_assert_eq!(array.lt(0.0).count_nonzero().compute().unwrap(), negative);
            prop_assert_eq!(array.lt(0.0).any().compute().unwrap(), negative > 0);
            prop_assert_eq!(array.lt(0.0).all().compute().unwrap(), negative as usize == local.len());
        });
    });
}

#[test]
fn a_matrix_and_its_transpose_are_reduced_together() {
    with_client(|client| {
        let cases = ProptestConfig::with_cases(24);
        proptest!(cases, |(length in 1usize..400, chunk in 1usize..400, seed: u64)| {
            let chunk = chunk.max(length / 6);
            let (local, x) = pair(client, &[length, length], &[chunk, chunk], seed);
            let (row, v) = pair(client, &[length], &[chunk], seed + 1);
            let broadcast = &row.clone().insert_axis(Axis(0)) * 2.0 - &row.insert_axis(Axis(1));
            let wanted = &local * 3.0 - local.t() + broadcast;
            let array = &x * 3.0 - x.t() + (v.expand_dims(0) * 2.0 - v.expand_dims(1));
            prop_assert_eq!(array.sum().compute().unwrap(), wanted.sum());
            let kept = array.sum_axis(Axes::all().keep()).compute().unwrap();
            prop_assert_eq!(kept.shape(), &[1, 1]);
            let largest = wanted.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            prop_assert_eq!(array.max().compute().unwrap(), largest);
            let first = wanted.iter().position(|x| *x == largest).unwrap() as i64;
            prop_assert_eq!(array.argmax().compute().unwrap(), first);
            let (var, wanted_var) = (array.var().compute().unwrap(), wanted.var(0.0));
            prop_assert!((var - wanted_var).abs() <= 1e-9 * (1.0 + wanted_var));
            let positive = wanted.iter().filter(|x| **x > 0.0).count() as i64;
            prop_assert_eq!(array.gt(0.0).count_nonzero().compute().unwrap(), positive);
            let whole = (x.cast::<i32>() * 2 - x.cast::<i32>().t()).sum().compute().unwrap();
            prop_assert_eq!(whole, local.mapv(f64::trunc).sum() as i64);
            let short = (x.cast::<f32>().t() * 2.0 - x.cast::<f32>()).min().compute().unwrap();
            let least = (&local.t() * 2.0 - &local).fold(f64::INFINITY, |a, b| a.min(*b));
            prop_assert_eq!(f64::from(short), least);
        });
    });
}

#[test]
fn shapes_and_slices_are_those_of_ndarray() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(24), |((shape, chunk) in shapes(1..12, 1..7, 1..4), (_, other) in shapes(1..12, 1..7, 1..4), seed: u64,
                   start in 0isize..6, length in 0isize..8, step in prop::sample::select(vec![-3isize, -1, 1, 2]))| {
            let (local, array) = pair(client, &shape, &chunk, seed);
            let other: Vec<usize> = (0..shape.len()).map(|axis| other[axis % other.len()]).collect();
            prop_assert_eq!(array.rechunk(other).compute().unwrap(), local.clone());
            prop_assert_eq!(array.transpose().compute().unwrap(), local.t().to_owned());
            let first = shape[0] as isize;
            let range = start.min(first)..(start + length).min(first).max(start.min(first));
            let slice = ndarray::Slice::new(range.start, Some(range.end), step);
            let wanted = local.slice_axis(Axis(0), slice).to_owned();
            let elem = [ndarray::SliceInfoElem::Slice { start: range.start, end: Some(range.end), step }];
            prop_assert_eq!(array.slice(elem).compute().unwrap(), wanted.clone());
            // Through operations, the same.
            prop_assert_eq!((&array * 2.0 + 1.0).slice(elem).compute().unwrap(), wanted * 2.0 + 1.0);
            let flat: Vec<f64> = local.iter().copied().collect();
            prop_assert_eq!(array.ravel().compute().unwrap().into_raw_vec_and_offset().0, flat.clone());
            let there_and_back = array.reshape([-1, 1]).reshape(shape.iter().map(|n| *n as isize).collect::<Vec<_>>());
            prop_assert_eq!(there_and_back.compute().unwrap(), local.clone());
            let twice = concatenate(&[&array, &array.flip(0)], 0).compute().unwrap();
            let mut reversed = local.clone();
            reversed.invert_axis(Axis(0));
            prop_assert_eq!(twice, ndarray::concatenate(Axis(0), &[local.view(), reversed.view()]).unwrap());
            let stacked = stack(&[&array, &array], 1).compute().unwrap();
            prop_assert_eq!(stacked, ndarray::stack(Axis(1), &[local.view(), local.view()]).unwrap());
            let picked: Vec<usize> = (0..5).map(|i| (seed as usize >> i) % shape[0]).collect();
            prop_assert_eq!(array.take(0, &picked).compute().unwrap(), local.select(Axis(0), &picked));
            let rolled = array.roll(start as i64 - 2, 0).compute().unwrap();
            let indices: Vec<usize> = (0..first).map(|i| (i - (start - 2)).rem_euclid(first) as usize).collect();
            prop_assert_eq!(rolled, local.select(Axis(0), &indices));
        });
    });
}

#[test]
fn blocks_are_made_of_parts_from_other_workers() {
    // No value is small, so all that is needed from another worker is fetched.
    let builder = Runtime::builder().local_workers(3).small_bytes_max(0);
    let outcome = builder.execute(|client| {
        assert_eq!(client.cluster().workers().count(), 3);
        proptest!(ProptestConfig::with_cases(12), |((shape, chunk) in shapes(1..12, 1..7, 1..4), (_, other) in shapes(1..12, 1..7, 1..4), seed: u64)| {
            let (local, array) = pair(client, &shape, &chunk, seed);
            let array = array.persist().unwrap();
            let other: Vec<usize> = (0..shape.len()).map(|axis| other[axis % other.len()]).collect();
            prop_assert_eq!(array.rechunk(other.clone()).compute().unwrap(), local.clone());
            let (negative, truths) = (local.mapv(|x| x < 0.0), array.lt(0.0).persist().unwrap());
            prop_assert_eq!(truths.rechunk(other.clone()).flip(0).rechunk(chunk).compute().unwrap(),
                negative.select(Axis(0), &(0..shape[0]).rev().collect::<Vec<_>>()));
            let complex = array.cast::<Complex<f64>>().persist().unwrap().rechunk(other);
            prop_assert_eq!(complex.compute().unwrap(), local.mapv(|x| Complex::new(x, 0.0)));
            let last = shape.len() - 1;
            let picked: Vec<usize> = (0..9).map(|i| (seed as usize >> i) % shape[last]).collect();
            prop_assert_eq!(array.take(last, &picked).compute().unwrap(), local.select(Axis(last), &picked));
        });
        // By a grid in between.
        let x = client.arange(0, 90_000, 1, 90_000).reshape([300, 300]).rechunk([1, 300]).persist()?;
        let columns = x.rechunk([300, 1]).persist()?;
        assert_eq!(columns.compute()?, x.compute()?);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn the_lessons_examples_run() -> Result<()> {
    Runtime::builder().threads(2).execute(|client| {
        let a = client.arange(1, 50, 3, 5);
        assert_eq!(a.shape(), [17]);
        assert_eq!(a.chunks(), [[5, 5, 5, 2]]);
        assert_eq!(a.chunk_size(), [5]);
        assert_eq!(
            a.to_string(),
            "maniple.array<arange, shape=(17,), dtype=int64, chunksize=(5,), chunktype=ndarray>"
        );
        let squares = a.square().compute()?;
        assert_eq!(
            squares.iter().copied().collect::<Vec<_>>(),
            (0..17).map(|i| (1 + 3 * i) * (1 + 3 * i)).collect::<Vec<i64>>()
        );
        let x = client.random(1).random::<f64>([15, 15], chunks([10, 5]));
        let local = x.compute()?;
        let total = (&x + x.t()).sum().compute()?;
        assert!((total - 2.0 * local.sum()).abs() < 1e-9);
        assert_eq!(
            x.slice(s![..10, 5..9;-2]).compute()?,
            local.slice(s![..10, 5..9;-2]).into_dyn().to_owned()
        );
        let same = client.random(1).random::<f64>([15, 15], chunks([4, 15])).compute()?;
        assert_eq!(same, local, "random numbers do not depend on chunks");
        Ok(())
    })
}

#[test]
fn a_chain_of_thousands_of_operations_needs_no_stack() {
    const COUNT: i64 = 20_000;
    with_client(|client| {
        let start = client.from_ndarray(&ArrayD::<i64>::zeros(IxDyn(&[6])), 3).unwrap();
        let elementwise = (0..COUNT).fold(start.clone(), |x, _| x + 1);
        assert_eq!(elementwise.compute().unwrap(), ArrayD::from_elem(IxDyn(&[6]), COUNT));
        assert!(elementwise.explain().contains("tasks in all"));
        let part = elementwise.slice(s![2..4]);
        assert_eq!(part.compute().unwrap().as_slice().unwrap(), [COUNT; 2]);
        // Each of these has tasks of its own; it is not computed, but built and dropped.
        let scans = (0..COUNT).fold(start.clone(), |x, _| x.cumsum(0));
        assert!(scans.explain().contains("tasks in all"));
        let short = (0..COUNT / 20).fold(start, |x, _| x.cumsum(0));
        assert_eq!(short.compute().unwrap(), ArrayD::<i64>::zeros(IxDyn(&[6])));
    });
}

#[test]
fn axes_of_length_one_have_empty_pieces() {
    with_client(|client| {
        let three = ndarray::arr1(&[5.0, 6.0, 7.0]).into_dyn();
        for pieces in [vec![1], vec![0, 1], vec![1, 0], vec![0, 0, 1, 0]] {
            let local = ndarray::arr1(&[4.0]).into_dyn();
            let x = client.from_ndarray(&local, vec![pieces.clone()]).unwrap();
            let y = client.from_ndarray(&three, vec![vec![0, 2, 0, 1]]).unwrap();
            let sum = (&x + &y).compute().unwrap();
            assert_eq!(sum, &three + 4.0, "{pieces:?}");
            assert_eq!((&x + client.ones::<f64>([1], 1)).compute().unwrap(), &local + 1.0);
            let other = client.from_ndarray(&local, vec![vec![0, 1, 0]]).unwrap();
            assert_eq!((&x + &other).compute().unwrap(), &local * 2.0);
            assert_eq!(x.broadcast_to([3]).compute().unwrap(), ArrayD::from_elem(IxDyn(&[3]), 4.0));
            assert_eq!(x.squeeze().compute().unwrap(), ndarray::arr0(4.0).into_dyn());
            assert_eq!(x.expand_dims(1).compute().unwrap(), ndarray::arr2(&[[4.0]]).into_dyn());
            let line = &x.expand_dims(1) * &y.expand_dims(0);
            assert_eq!(line.compute().unwrap(), (&three * 4.0).insert_axis(Axis(0)));
            assert_eq!(line.sum_axis(1).compute().unwrap(), ndarray::arr1(&[72.0]).into_dyn());
            assert_eq!(
                select(&y.gt(5.5), &x, &y).compute().unwrap(),
                ndarray::arr1(&[5.0, 4.0, 4.0]).into_dyn()
            );
            assert_eq!(
                y.set_slice(s![1..], &x).compute().unwrap(),
                ndarray::arr1(&[5.0, 4.0, 4.0]).into_dyn()
            );
            assert_eq!(
                map_blocks(|a: &ArrayD<f64>, b: &ArrayD<f64>| a + b, (&x, &y)).compute().unwrap(),
                sum
            );
            #[cfg(feature = "fourier")]
            assert_eq!(x.fft(0).compute().unwrap()[[0]].re, 4.0);
        }
    });
}

#[test]
fn blocks_and_parts_are_those_of_numpy() {
    with_client(|client| {
        let (x, y) = (client.arange(0, 2, 1, 1), client.arange(2, 4, 1, 2));
        let matrix = block(&[vec![x.clone()], vec![y.clone()]]).compute().unwrap();
        assert_eq!(matrix, ndarray::arr2(&[[0, 1], [2, 3]]).into_dyn());
        let number = client.full(7_i64, [], 1);
        let mixed = block(&[vec![x.clone(), number.clone()], vec![y.clone(), number]]).compute().unwrap();
        assert_eq!(mixed, ndarray::arr2(&[[0, 1, 7], [2, 3, 7]]).into_dyn());
        let all = client.arange(0, 5, 1, 2);
        let parts = |places: &[usize]| -> Vec<Vec<i64>> {
            let parts = all.split(places, 0);
            parts.iter().map(|part| part.compute().unwrap().into_iter().collect()).collect()
        };
        assert_eq!(parts(&[2, 9]), [vec![0, 1], vec![2, 3, 4], vec![]]);
        assert_eq!(parts(&[3, 1]), [vec![0, 1, 2], vec![], vec![1, 2, 3, 4]]);
        let none = client.ones::<f64>([3, 0], 2);
        let median = none.median(1).compute().unwrap();
        assert!(median.shape() == [3] && median.iter().all(|value| value.is_nan()));
        assert_eq!(none.median(0).compute().unwrap().shape(), [0]);
        assert!(client.ones::<f64>([0], 2).quantile(0.3, 0).compute().unwrap().sum().is_nan());
    });
}
