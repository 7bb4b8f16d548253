//! Functions that users write for blocks, arrays of which parts are replaced, and what is told before.

use crate::arrays::{pair, shapes, with_client};
use maniple::{
    Error, MemoryLimit, Runtime, SubmitOptions,
    array::{Axes, Side, blockwise, map_blocks, select, try_blockwise},
};
use ndarray::{Array1, ArrayD, ArrayView1, ArrayViewMutD, Axis, Ix1, Ix2, IxDyn, Slice, SliceInfoElem, s};
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    panic.downcast_ref::<String>().cloned().expect("a panic with words")
}

pub(crate) fn panic_of<R>(function: impl FnOnce() -> R) -> String {
    words(&*catch_unwind(AssertUnwindSafe(function)).err().expect("it panics"))
}

#[test]
fn functions_of_several_blocks_see_those_that_belong_together() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(16), |((shape, chunk) in shapes(1..9, 1..5, 1..4), seed: u64, other_chunk in 1usize..5)| {
            let (local, x) = pair(client, &shape, &chunk, seed);
            let (other, y) = pair(client, &shape, &vec![other_chunk; shape.len()], seed ^ 5);
            let (row, z) = pair(client, &shape[shape.len() - 1..], &[2], seed ^ 7);
            let both = map_blocks(|x: &ArrayD<f64>, y: &ArrayD<f64>| x * 2.0 + y, (&x, &y));
            prop_assert_eq!(both.compute().unwrap(), &local * 2.0 + &other);
            let three = |x: &ArrayD<f64>, y: ArrayD<f64>, z: &ArrayD<f64>| (x - &y) * z;
            let three = map_blocks(three, (&x, &y, &z));
            prop_assert_eq!(three.compute().unwrap(), (&local - &other) * &row);
            let scaled = map_blocks(|x: &ArrayD<f64>, top: &ArrayD<f64>| x - top, (&x, &x.max()));
            let top = local.fold(f64::MIN, |a, b| a.max(*b));
            prop_assert_eq!(scaled.compute().unwrap(), &local - top);
            let short = x.sum_axis(Axes::of(0).keep());
            let shares = map_blocks(|x: &ArrayD<f64>, sum: &ArrayD<f64>| x + sum, (&x, &short)).compute().unwrap();
            prop_assert_eq!(shares, &local + &local.sum_axis(Axis(0)).insert_axis(Axis(0)));
        });
    });
}

fn product(x: &ArrayD<f64>, y: &ArrayD<f64>) -> ArrayD<f64> {
    let matrix = |x: &ArrayD<f64>| x.clone().into_dimensionality::<Ix2>().unwrap();
    matrix(x).dot(&matrix(y)).into_dyn()
}

#[test]
fn blocks_are_named_by_letters() {
    with_client(|client| {
        let (left, x) = pair(client, &[7, 5], &[3, 2], 1);
        let (right, y) = pair(client, &[5, 4], &[4, 3], 2);
        assert_eq!(blockwise(product, "ik,kj->ij", (&x, &y), &[]).compute().unwrap(), product(&left, &right));
        let flipped = blockwise(|x: &ArrayD<f64>| x.t().to_owned(), "ij->ji", (&x,), &[]);
        assert_eq!((flipped.shape(), flipped.chunks()), (vec![5, 7], vec![vec![2, 2, 1], vec![3, 3, 1]]));
        assert_eq!(flipped.compute().unwrap(), left.t());
        // Every second row of each block, and a new axis.
        let thin = |x: &ArrayD<f64>| {
            let even = x.slice_axis(Axis(0), Slice::new(0, None, 2)).insert_axis(Axis(1));
            ndarray::concatenate(Axis(1), &[even.view(), even.view(), even.view()]).unwrap()
        };
        let sizes = [('i', vec![2, 2, 1]), ('n', vec![3])];
        let thin = blockwise(thin, "ij->inj", (&x,), &sizes).compute().unwrap();
        let kept = [0, 2, 3, 5, 6].map(|row| left.index_axis(Axis(0), row));
        let kept = ndarray::stack(Axis(0), &kept).unwrap();
        (0..3).for_each(|n| assert_eq!(thin.index_axis(Axis(1), n), kept));
        let error = |subscripts: &str, sizes: &[(char, Vec<usize>)]| {
            try_blockwise(product, subscripts, (&x, &y), sizes).unwrap_err().to_string()
        };
        assert!(error("ik,jk->ij", &[]).contains("[7, 5] and [5, 4]"));
        assert!(error("ik->ij", &[]).contains("2 arrays"));
        assert!(error("ik,kj->iz", &[]).contains("is in no array"));
        assert!(panic_of(|| map_blocks(product, (&x, &y))).contains("do not fit"));
        let wrong =
            x.map_blocks(|block: &ArrayD<f64>| block.slice_axis(Axis(0), Slice::from(1..)).to_owned());
        let error = wrong.compute().unwrap_err().to_string();
        assert!(error.contains("[2, 2] where one of shape [3, 2] is due"), "{error}");
    });
}

/// Sum, sum of squares and greatest element of each block along the axes.
type Moments = (ArrayD<f64>, ArrayD<f64>);

fn moments(block: &ArrayD<f64>, axes: &[usize]) -> Moments {
    let fold = |array: ArrayD<f64>| {
        axes.iter().fold(array, |array, axis| array.sum_axis(Axis(*axis)).insert_axis(Axis(*axis)))
    };
    (fold(block.clone()), fold(block * block))
}

fn add(a: Moments, b: &Moments) -> Moments {
    (a.0 + &b.0, a.1 + &b.1)
}

#[test]
fn reductions_of_users_are_trees_over_blocks() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(16), |((shape, chunk) in shapes(1..9, 1..5, 1..4), seed: u64, axis: usize, fan_in in 2usize..5)| {
            let (local, x) = pair(client, &shape, &chunk, seed);
            let axis = axis % shape.len();
            let last = |(sums, squares): Moments| squares * 100.0 + sums;
            let wanted = (&local * &local * 100.0 + &local).sum_axis(Axis(axis));
            let result = x.reduction(moments, add, last, Axes::of(axis).fan_in(fan_in));
            prop_assert_eq!(result.compute().unwrap(), wanted.clone());
            let result = x.reduction(moments, add, last, Axes::of(axis).keep());
            prop_assert_eq!(result.compute().unwrap(), wanted.clone().insert_axis(Axis(axis)));
            prop_assert_eq!(x.reduction(moments, add, last, Axes::all()).compute().unwrap().sum(), wanted.sum());
            // What does not commute is taken in order.
            let ends = x.ravel().reduction(
                |block: &ArrayD<f64>, _: &[usize]| block.first().copied().zip(block.iter().last().copied()),
                |a: Option<(f64, f64)>, b: &Option<(f64, f64)>| match (a, b) {
                    (Some(a), Some(b)) => Some((a.0, b.1)),
                    (a, b) => a.or(*b),
                },
                |ends: Option<(f64, f64)>| {
                    let (first, last) = ends.expect("an array has elements");
                    ndarray::arr0(first * 1000.0 + last).into_dyn()
                },
                Axes::all().fan_in(2),
            );
            let flat: Vec<f64> = local.iter().copied().collect();
            prop_assert_eq!(ends.compute().unwrap().sum(), flat[0] * 1000.0 + flat[flat.len() - 1]);
        });
        let x = client.ones::<f64>([4], 2);
        let wrong = x
            .reduction(moments, add, |_: Moments| ArrayD::<f64>::zeros(IxDyn(&[3])), 0)
            .compute()
            .unwrap_err();
        assert!(wrong.to_string().contains("aggregate returned"), "{wrong}");
        assert!(
            panic_of(|| x.reduction(moments, add, |moments: Moments| moments.0, 1)).contains("out of bounds")
        );
    });
}

#[test]
fn a_function_takes_the_place_of_each_lane() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(12), |((shape, chunk) in shapes(1..9, 1..5, 1..4), seed: u64, axis: usize)| {
            let (local, x) = pair(client, &shape, &chunk, seed);
            let axis = axis % shape.len();
            let ends = |lane: ArrayView1<'_, f64>| Array1::from(vec![lane.sum(), lane[0], lane[lane.len() - 1]]);
            let result = x.apply_along_axis(ends, axis, 3).compute().unwrap();
            let lane = |place: usize| result.index_axis(Axis(axis), place).to_owned();
            prop_assert_eq!(lane(0), local.sum_axis(Axis(axis)));
            prop_assert_eq!(lane(1), local.index_axis(Axis(axis), 0));
            prop_assert_eq!(lane(2), local.index_axis(Axis(axis), shape[axis] - 1));
        });
        let x = client.ones::<f64>([4], 2);
        let wrong =
            x.apply_along_axis(|lane: ArrayView1<'_, f64>| lane.to_owned(), 0, 3).compute().unwrap_err();
        assert!(wrong.to_string().contains("4 elements for a lane where 3 are due"), "{wrong}");
    });
}

/// A slice of an axis, with its start, its end and its step.
fn slices(shape: &[usize], seeds: &[(usize, usize, usize)]) -> Vec<SliceInfoElem> {
    let slice = |(length, (from, to, step)): (&usize, &(usize, usize, usize))| {
        let (from, to) = (from % (length + 1), to % (length + 1));
        let step = [1, 1, 2, 3, -1, -2][step % 6];
        SliceInfoElem::Slice { start: from.min(to) as isize, end: Some(from.max(to) as isize), step }
    };
    shape.iter().zip(seeds).map(slice).collect()
}

fn part<'a>(local: &'a mut ArrayD<f64>, slices: &[SliceInfoElem]) -> ArrayViewMutD<'a, f64> {
    local.slice_mut(slices)
}

#[test]
fn parts_are_replaced() {
    with_client(|client| {
        let seeds = prop::collection::vec((any::<usize>(), any::<usize>(), any::<usize>()), 3);
        proptest!(ProptestConfig::with_cases(40), |((shape, chunk) in shapes(1..9, 1..5, 1..4), seed: u64, seeds in seeds)| {
            let (mut local, x) = pair(client, &shape, &chunk, seed);
            let slices = slices(&shape, &seeds);
            let region = part(&mut local, &slices).shape().to_vec();
            let (value, y) = pair(client, &region, &vec![2; shape.len()], seed ^ 3);
            let replaced = x.set_slice(&slices, &y);
            prop_assert_eq!(replaced.chunks(), x.chunks());
            part(&mut local, &slices).assign(&value);
            prop_assert_eq!(replaced.compute().unwrap(), local.clone());
            part(&mut local, &slices).fill(4.5);
            prop_assert_eq!(x.set_slice(&slices, 4.5).compute().unwrap(), local.clone());
            let last = shape.len() - 1;
            let (row, z) = pair(client, &region[last..], &[2], seed ^ 9);
            part(&mut local, &slices).assign(&row);
            prop_assert_eq!(x.set_slice(&slices, z).compute().unwrap(), local);
        });
        let (mut local, x) = pair(client, &[5, 6], &[2, 2], 1);
        local.slice_mut(s![3, 1..4]).assign(&ndarray::arr1(&[1.0, 2.0, 3.0]));
        let row = client.arange(1, 4, 1, 2).cast::<f64>();
        assert_eq!(x.set_slice(s![3, 1..4], row).compute().unwrap(), local);
        assert!(x.explain().lines().count() > 1);
        let error = x.try_set_slice(s![..3, ..], client.ones::<f64>([2, 6], 2)).unwrap_err().to_string();
        assert!(error.contains("[2, 6] cannot be broadcast to [3, 6]"), "{error}");
        assert!(x.try_set_slice(s![9, ..], 0.0).is_err());
        let negative = select(&x.lt(0.0), 0.0, &x).min().compute().unwrap();
        assert_eq!(negative, 0.0);
        let (mut local, x) = pair(client, &[5, 6], &[2, 2], 1);
        let (other, y) = pair(client, &[5, 6], &[5, 3], 2);
        let replaced = x.set_blocks(&[[1, 2], [2, 0]], &y).compute().unwrap();
        local.slice_mut(s![2..4, 4..6]).assign(&other.slice(s![2..4, 4..6]));
        local.slice_mut(s![4..5, 0..2]).assign(&other.slice(s![4..5, 0..2]));
        assert_eq!(replaced, local);
        assert!(panic_of(|| x.set_blocks(&[[3, 0]], &y)).contains("there is no block [3, 0]"));
    });
}

#[test]
fn places_and_numbers_of_elements() {
    with_client(|client| {
        proptest!(ProptestConfig::with_cases(16), |((shape, chunk) in shapes(1..9, 1..5, 1..4), seed: u64, axis: usize, count in 0usize..5)| {
            let (local, x) = pair(client, &shape, &chunk, seed);
            let axis = axis % shape.len();
            let count = count.min(shape[axis]);
            let best = x.argtopk(count, axis).compute().unwrap();
            prop_assert_eq!(best.len_of(Axis(axis)), count);
            for (best, lane) in best.lanes(Axis(axis)).into_iter().zip(local.lanes(Axis(axis))) {
                let mut places: Vec<usize> = (0..lane.len()).collect();
                places.sort_by(|a, b| lane[*b].total_cmp(&lane[*a]));
                let wanted: Vec<i64> = places.into_iter().take(count).map(|place| place as i64).collect();
                prop_assert_eq!(best.to_vec(), wanted);
            }
            let sorted = x.ravel().sort(0).rechunk(3);
            let (values, y) = pair(client, &[11], &[4], seed ^ 3);
            for side in [Side::Left, Side::Right] {
                let places = sorted.searchsorted(&y, side).compute().unwrap();
                let is_before = |x: f64, value: f64| if side == Side::Left { x < value } else { x <= value };
                let wanted = values.mapv(|value| local.iter().filter(|x| is_before(**x, value)).count() as i64);
                prop_assert_eq!(places, wanted);
            }
            let numbers = (&x + 7.0).cast::<i64>();
            let counts = numbers.bincount(4).unwrap().compute().unwrap();
            let counted = |number: usize| local.iter().filter(|x| **x + 7.0 == number as f64).count() as i64;
            prop_assert_eq!(counts.to_vec_of(), (0..counts.len()).map(counted).collect::<Vec<_>>());
            let sums = numbers.bincount_weighted(&x, 16).unwrap().compute().unwrap();
            for (number, sum) in sums.iter().enumerate() {
                prop_assert_eq!(*sum, counted(number) as f64 * (number as f64 - 7.0));
            }
        });
        let error = client.arange(-1, 5, 1, 2).bincount(0).unwrap_err().to_string();
        assert!(error.contains("an element -1"), "{error}");
        assert_eq!(client.zeros::<i64>([0], 1).bincount(2).unwrap().compute().unwrap().to_vec_of(), [0, 0]);
        assert!(panic_of(|| client.ones::<f64>([3], 2).argtopk(4, 0)).contains("argtopk: count is 4"));
    });
}

trait ToVec<T> {
    fn to_vec_of(&self) -> Vec<T>;
}

impl<T: Clone> ToVec<T> for ArrayD<T> {
    fn to_vec_of(&self) -> Vec<T> {
        self.view().into_dimensionality::<Ix1>().expect("one axis").to_vec()
    }
}

#[test]
fn choices_keep_their_promises() {
    with_client(|client| {
        let random = client.random(11);
        let (things, counts) = random.choice(5, true, None, [100, 50], [30, 20]).unique().unwrap();
        assert_eq!(things, [0, 1, 2, 3, 4]);
        assert!(counts.iter().all(|count| (880..1120).contains(count)), "{counts:?}");
        let chances = [0.0, 0.5, 0.125, 0.375, 0.0];
        let (things, counts) = random.choice(5, true, Some(&chances), [8000], 700).unique().unwrap();
        assert_eq!(things, [1, 2, 3]);
        let near = |count: i64, wanted: i64| (count - wanted).abs() < 250;
        assert!(near(counts[0], 4000) && near(counts[1], 1000) && near(counts[2], 3000), "{counts:?}");
        let some = random.choice(100, false, None, [6, 5], 4);
        assert_eq!(some.shape(), [6, 5]);
        assert_eq!(some.unique().unwrap().0.len(), 30);
        let all = random.choice(5, false, Some(&chances), [3], 2).sort(0).compute().unwrap();
        assert_eq!(all.to_vec_of(), [1, 2, 3]);
        // The first of several is chosen as often as it is probable.
        let first = |_: i32| random.choice(5, false, Some(&chances), [2], 2).compute().unwrap()[[0]];
        let halves = (0..300).map(first).filter(|thing| *thing == 1).count();
        assert!((110..190).contains(&halves), "{halves}");
        let same = |chunks: usize| {
            client.random(3).choice(50, true, Some(&[0.02; 50]), [40], chunks).compute().unwrap()
        };
        assert_eq!(same(7), same(40), "chunks do not matter");
        assert!(
            panic_of(|| random.choice(5, false, Some(&chances), [4], 2))
                .contains("wants 4 things, but without replacement there are 3")
        );
        assert!(
            panic_of(|| random.choice(2, true, Some(&[0.5, 0.6]), [4], 2))
                .contains("probabilities is 1.1, it must be 1")
        );
        let wide = random.integers::<u64>(0, 1 << 64, [4000], 1000);
        assert!(wide.max().compute().unwrap() > u64::MAX / 10 * 9);
        let small = random.integers::<i32>(-3, 3, [4000], 1000);
        assert_eq!(client.compute(&(small.min(), small.max())).unwrap(), (-3, 2));
        assert!(
            panic_of(|| random.integers::<u8>(0, 257, [4], 2))
                .contains("uint8 holds the integers from 0 to 255")
        );
    });
}

#[test]
fn options_reach_the_tasks_of_every_operation() {
    with_client(|client| {
        let options = SubmitOptions::new().label("the second stage").retries(1);
        let fail = |block: &ArrayD<f64>| -> ArrayD<f64> { panic!("no {}", block.len()) };
        let x = client.ones::<f64>([4], 2);
        let stages = [x.map_blocks(fail), x.map_blocks(fail).cumsum(0), x.map_blocks(fail).sort(0)];
        let together = client.with(&options).compute(&(x.sum(), stages[2].clone())).unwrap_err().to_string();
        assert!(together.contains("the second stage"), "{together}");
        for stage in stages {
            let Err(Error::Task(error)) = client.with(&options).compute(&stage) else { panic!("it fails") };
            assert_eq!((error.function.as_str(), error.attempts), ("the second stage", 2), "{error}");
        }
    });
}

#[test]
fn a_block_that_no_worker_can_hold_is_told_before_anything_is_done() {
    Runtime::builder()
        .threads(1)
        .memory_limit(MemoryLimit::Bytes(1 << 20))
        .execute(|client| {
            let x = client.ones::<f64>([1000, 1000], [100, 1000]);
            // Fused blocks are never made, whatever their size.
            assert_eq!(client.ones::<f64>([1000, 1000], 1000).sum().compute()?, 1e6);
            // Sorting makes no block larger than those there are, along any axis.
            assert_eq!(x.sort(1).sum().compute()?, 1e6);
            assert_eq!(x.sort(0).sum().compute()?, 1e6);
            assert_eq!(x.median(0).sum().compute()?, 1e3);
            let whole = x.apply_along_axis(|lane: ArrayView1<'_, f64>| lane.to_owned(), 0, 1000);
            let errors = [
                whole.persist().unwrap_err(),
                (&whole + 1.0).sum().compute().unwrap_err(),
                client.compute(&(x.sum(), whole)).unwrap_err(),
            ];
            for error in errors {
                let words = error.to_string();
                for part in ["[1000, 1000]", "7.63 MiB", "1.00 MiB", "rechunk", "MANIPLE_MEMORY_LIMIT"] {
                    assert!(words.contains(part), "{part} is not in {words}");
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_rank_hands_over_its_block_and_gets_one_back() {
    let mine = ArrayD::from_shape_fn(IxDyn(&[2, 3]), |place| (place[0] * 3 + place[1]) as f64);
    for workers in [None, Some(1), Some(3)] {
        let builder = Runtime::builder().threads(1);
        let builder = workers.iter().fold(builder, |builder, workers| builder.local_workers(*workers));
        let sums = builder.execute_with_parts(mine.clone(), |client, parts| {
            let x = client.from_rank_blocks(&parts, [1, 1])?;
            assert_eq!(x.shape(), [2, 3]);
            x.cumsum(1).to_rank_blocks()
        });
        assert_eq!(sums.unwrap(), ndarray::array![[0.0, 1.0, 3.0], [3.0, 7.0, 12.0]].into_dyn());
    }
    let none = Runtime::builder().execute_with_parts(1_u64, |_, _| Ok(Vec::<maniple::Future<u64>>::new()));
    assert!(none.unwrap_err().to_string().contains("0 parts are given back to 1 ranks"));
    let failed = Runtime::builder().execute_with_parts(1_u64, |client, parts| {
        Ok(client.map(|part: u64| -> u64 { panic!("no part {part}") }, &parts))
    });
    assert!(failed.unwrap_err().to_string().contains("no part 1"));
}
