//! What wrong arguments are answered with: the function, the argument and the shapes, at the caller's line.

use crate::arrays::with_client;
use maniple::{
    Array, Client, Error, ShapeError, ShapeErrorKind,
    array::{
        Axes, Boundary, Norm, Side, block, blockwise, concatenate, einsum, map_blocks, select, stack,
        try_concatenate,
    },
};
use ndarray::{ArrayD, ArrayView1, s};
use std::{
    panic::{AssertUnwindSafe, Location, catch_unwind, set_hook, take_hook},
    sync::{Arc, Mutex},
};

/// What the last panic of this thread said, and where.
type Panics = Arc<Mutex<Vec<(std::thread::ThreadId, String, String)>>>;

/// Calls what must panic; returns the message and the file that the panic is said to be in.
fn panic_of(panics: &Panics, call: &dyn Fn()) -> Option<(String, String)> {
    panics.lock().unwrap().clear();
    catch_unwind(AssertUnwindSafe(call)).err()?;
    let own = std::thread::current().id();
    let panics = panics.lock().unwrap();
    panics.iter().find(|panic| panic.0 == own).map(|panic| (panic.1.clone(), panic.2.clone()))
}

type Call<'a> = (&'a str, Box<dyn Fn() + 'a>);

fn same(x: &ArrayD<f64>) -> ArrayD<f64> {
    x.clone()
}

fn shapes<'a>(client: &'a Client, x: &'a Array<f64>, line: &'a Array<f64>) -> Vec<Call<'a>> {
    macro_rules! calls {
        ($($message:literal: $call:expr;)*) => {
            vec![$(($message, Box::new(move || { let _ = $call; }) as Box<dyn Fn()>)),*]
        };
    }
    const HUGE: usize = 1 << 40;
    calls! {
        "swap_axes: axis 5 is out of bounds for shape [2, 3]": x.swap_axes(0, 5);
        "permute_axes: axes [0, 0] are not those of shape [2, 3], each once": x.permute_axes(&[0, 0]);
        "expand_dims: axis 4 is out of bounds for a new axis of shape [2, 3]": x.expand_dims(4);
        "broadcast_to: shape [2, 3] cannot be broadcast to [3, 3]": x.broadcast_to([3, 3]);
        "broadcast_to: the array is too big": line.broadcast_to([HUGE, HUGE, 4]);
        "flip: axis 2 is out of bounds for shape [2, 3]": x.flip(2);
        "roll: axis 2 is out of bounds for shape [2, 3]": x.roll(1, 2);
        "repeat: axis 2 is out of bounds for shape [2, 3]": x.repeat(1, 2);
        "repeat: the array is too big: axis 1 of shape [2, 3]": x.repeat(usize::MAX, 1);
        "tile: counts are [1, 1, 1], more than the axes of shape [2, 3]": x.tile(&[1, 1, 1]);
        "tile: counts are [0] for shape [2, 3], each must be at least 1": x.tile(&[0]);
        "tile: the array is too big": x.tile(&[HUGE, HUGE]);
        "pad: axis 2 is out of bounds for shape [2, 3]": x.pad(2, 1, 1, 0.0);
        "split: axis 2 is out of bounds for shape [2, 3]": x.split(&[1], 2);
        "reshape: cannot reshape [2, 3] into [4, 2]": x.reshape([4, 2]);
        "reshape: the array is too big": x.reshape([(1 << 62) + 1, 4]);
        "rechunk: chunks are given for 1 axes, the array of shape [2, 3] has 2": x.rechunk([1]);
        "tril: shape [4] has fewer than two axes": line.tril(0);
        "triu: shape [4] has fewer than two axes": line.triu(0);
        "concatenate: shapes [2, 3] and [4] cannot be concatenated along axis 0": concatenate(&[x, line], 0);
        "concatenate: there are no arrays": concatenate::<f64, Array<f64>>(&[], 0);
        "stack: the arrays have the shapes [2, 3] and [4], they must be the same": stack(&[x, line], 0);
        "stack: axis 3 is out of bounds for a new axis of shape [2, 3]": stack(&[x, x], 3);
        "stack: there are no arrays": stack::<f64, Array<f64>>(&[], 0);
        "block: shapes [2, 3] and [1, 4] cannot be concatenated along axis 1": block(&[vec![x.clone(), line.clone()]]);
        "slice: index 7 is out of bounds for axis 0 of shape [2, 3]": x.slice(s![7, ..]);
        "take: axis 2 is out of bounds for shape [2, 3]": x.take(2, &[0]);
        "take: index 9 is out of bounds for axis 1 of shape [2, 3]": x.take(1, &[9]);
        "set_slice: shape [4] cannot be broadcast to [2, 3]": x.set_slice(s![.., ..], line);
        "set_blocks: other has the shape [4], it must be that of the array, [2, 3]": x.set_blocks(&[[0, 0]], line);
        "set_blocks: there is no block [5, 0]": x.set_blocks(&[[5, 0]], x);
        "mask: condition has the shape [4], it must be that of the array, [2, 3]": x.mask(&line.gt(0.0));
        "add: operands could not be broadcast together with shapes [2, 3] and [4]": x + line;
        "hypot: operands could not be broadcast together with shapes [2, 3] and [4]": x.hypot(line);
        "select: operands could not be broadcast together with shapes [2, 3] and [4]": select(&x.gt(0.0), line, 0.0);
        "from_futures: 0 blocks are given, chunks ((2,),) have 1": client.from_futures::<f64>(Vec::new(), [2], 2);
        "zeros: the array is too big: shape [1099511627776, 1099511627776]": client.zeros::<f64>([HUGE, HUGE], HUGE).size();
        "zeros: the array is too big": client.zeros::<f64>([usize::MAX, 2], 10).sum();
        "ones: chunks of size 0 along axis 0 of shape [2]": client.ones::<f64>([2], 0);
        "full: chunks [[1]] do not add up to the shape [2]": client.full(1.0, [2], vec![vec![1]]);
        "full: chunks": client.full(1.0, [2], vec![vec![usize::MAX, 3]]);
        "eye: the array is too big": client.eye::<f64>(HUGE, 0, 10);
        "arange: step is 0 from 0 to 5, it must not be 0": client.arange(0, 5, 0, 1);
        "arange_real: step is 0 from 0 to 1, so there is no finite number": client.arange_real::<f64>(0.0, 1.0, 0.0, 1);
        "linspace: chunks are given for 2 axes": client.linspace::<f64>(0.0, 1.0, 3, [1, 1]);
        "from_function: chunks are given for 2 axes": client.from_function(|_: &[usize]| 1.0, [2], [1, 1]);
        "from_ndarray: chunks are given for 2 axes": client.from_ndarray(&ndarray::arr1(&[1.0]), [1, 1]);
    }
}

fn operations<'a>(x: &'a Array<f64>, line: &'a Array<f64>) -> Vec<Call<'a>> {
    macro_rules! calls {
        ($($message:literal: $call:expr;)*) => {
            vec![$(($message, Box::new(move || { let _ = $call; }) as Box<dyn Fn()>)),*]
        };
    }
    calls! {
        "sum: axis 2 is out of bounds for an array of 2 dimensions": x.sum_axis(2);
        "max: axis 1 is given twice": x.max_axis([1, 1]);
        "mean: axis 2 is out of bounds": x.mean_axis(2);
        "min of no elements: the array has shape [0, 3]": x.slice(s![..0, ..]).min();
        "cumsum: axis 2 is out of bounds for shape [2, 3]": x.cumsum(2);
        "cumprod: axis 2 is out of bounds for shape [2, 3]": x.cumprod(2);
        "diff: axis 2 is out of bounds for shape [2, 3]": x.diff(2);
        "gradient: axis 2 is out of bounds for shape [2, 3]": x.gradient(2);
        "gradient: axis 0 of shape [1, 3] has 1 elements, it must have at least 2": x.slice(s![..1, ..]).gradient(0);
        "sort: axis 2 is out of bounds for shape [2, 3]": x.sort(2);
        "argsort: axis 2 is out of bounds for shape [2, 3]": x.argsort(2);
        "group_by: keys has no array, it must have at least 1": x.group_by::<i64>(&[]);
        "group_by: keys have the shape [4], it must be that of the array, [2, 3]": x.group_by(&[&line.cast::<i64>()]);
        "keys: there is no array 1, the groups have 1": x.group_by(&[&x.cast::<i64>()]).unwrap().keys(1);
        "nanquantile: quantile is NaN, it must be from 0 to 1": x.nanquantile(f64::NAN, 0);
        "nanmedian: axis 2 is out of bounds for shape [2, 3]": x.nanmedian(2);
        "topk: count is 9, more than axis 1 of shape [2, 3] has": x.topk(9, 1);
        "argtopk: count is 9, more than axis 1 of shape [2, 3] has": x.argtopk(9, 1);
        "quantile: quantile is 2, it must be from 0 to 1": x.quantile(2.0, 0);
        "percentile: percent is 101, it must be from 0 to 100": x.percentile(101.0, 0);
        "searchsorted: the sorted array has one axis, shape [2, 3] has 2": x.searchsorted(line, Side::Left);
        "digitize: edges are [1.0, 0.0], they must be in ascending order": x.digitize(&[1.0, 0.0]);
        "bincount_weighted: weights have the shape [4], it must be that of the array, [2, 3]":
            x.cast::<i64>().bincount_weighted(line, 0);
        "map_overlap: depths are [1], there must be one for each axis of shape [2, 3]":
            x.map_overlap(same, &[1], Boundary::None);
        "map_overlap: depth 3 is more than axis 0 of shape [2, 3] has": x.map_overlap(same, &[3, 0], Boundary::None);
        "map_blocks: the blocks of shapes [2, 3] and [4] do not fit":
            map_blocks(|a: &ArrayD<f64>, b: &ArrayD<f64>| a + b, (x, line));
        "blockwise \"i->i\": ": blockwise(|a: &ArrayD<f64>, b: &ArrayD<f64>| a + b, "i->i", (x, line), &[]);
        "apply_along_axis: axis 2 is out of bounds for shape [2, 3]":
            x.apply_along_axis(|lane: ArrayView1<'_, f64>| lane.to_owned(), 2, 3);
        "reduction: axis 2 is out of bounds for an array of 2 dimensions":
            x.reduction(|_: &ArrayD<f64>, _: &[usize]| 0.0, |a: f64, b: &f64| a + b, |a: f64| ndarray::arr0(a).into_dyn(), 2);
        "matmul of shapes [2, 3] and [4], which do not fit": x.matmul(line);
        "dot of shapes [2, 3] and [4] over axes [1] and [0], which do not fit": x.dot(line);
        "inner of shapes [2, 3] and [4] over axes [1] and [0], which do not fit": x.inner(line);
        "tensordot of shapes [2, 3] and [2, 3] over axes [0, 0] and [0, 0], which do not fit": x.tensordot(x, &[0, 0], &[0, 0]);
        "vdot of shapes [2, 3] and [4], which do not fit": x.vdot(line);
        "einsum \"ij,jk->ik\" of shapes [2, 3] and [2, 3]: the axes 'j' have the lengths 3 and 2": einsum("ij,jk->ik", &[x, x]);
        "einsum \"ii\" of shapes [2, 3]: 'i' is a diagonal of axes that differ in length": einsum("ii", &[x]);
        "diagonal: a matrix has two axes, shape [4] has 1": line.diagonal(0);
        "to_diagonal: a diagonal has one axis, shape [2, 3] has 2": x.to_diagonal();
        "norm_axis: a norm of a vector": x.norm_axis(Norm::Nuclear, 1);
        "norm_axis: axis 2 is out of bounds": x.norm_axis(2.0, Axes::of(2));
        "cov: a matrix has two axes, shape [4] has 1": line.cov(1.0);
    }
}

#[cfg(feature = "linear-algebra")]
fn factorizations<'a>(x: &'a Array<f64>, line: &'a Array<f64>) -> Vec<Call<'a>> {
    macro_rules! calls {
        ($($message:literal: $call:expr;)*) => {
            vec![$(($message, Box::new(move || { let _ = $call; }) as Box<dyn Fn()>)),*]
        };
    }
    calls! {
        "qr: a matrix has two axes, shape [4] has 1": line.qr();
        "svd: a matrix has two axes, shape [4] has 1": line.svd();
        "svd_compressed: rank is 5, it must be from 1 to the shorter axis of shape [2, 3]": x.svd_compressed(5, 1, 1);
        "lu: a matrix has two axes, shape [4] has 1": line.lu();
        "inv: the matrix must be square, its shape is [2, 3]": x.inv();
        "det: the matrix must be square, its shape is [2, 3]": x.det();
        "cholesky: the matrix must be square, its shape is [2, 3]": x.cholesky();
        "solve: the matrix must be square, its shape is [2, 3]": x.solve(line);
        "solve of shapes [2, 2] and [4], which do not fit": x.slice(s![.., ..2]).solve(line);
        "solve_triangular of shapes [2, 2] and [4], which do not fit": x.slice(s![.., ..2]).solve_triangular(line, true);
        "lstsq of shapes [2, 3] and [4], which do not fit": x.lstsq(line, None);
    }
}

#[cfg(feature = "fourier")]
fn transforms(x: &Array<f64>) -> Vec<Call<'_>> {
    macro_rules! calls {
        ($($message:literal: $call:expr;)*) => {
            vec![$(($message, Box::new(move || { let _ = $call; }) as Box<dyn Fn()>)),*]
        };
    }
    calls! {
        "fft along axis 2 of shape [2, 3], which has no such axis": x.fft(2);
        "irfft along axis 0 of shape [2, 3] to no elements": x.irfft(0, 0);
        "rfftn: axes are empty": x.rfftn([]);
    }
}

#[cfg(not(feature = "fourier"))]
fn transforms(_: &Array<f64>) -> Vec<Call<'_>> {
    Vec::new()
}

#[cfg(not(feature = "linear-algebra"))]
fn factorizations<'a>(_: &'a Array<f64>, _: &'a Array<f64>) -> Vec<Call<'a>> {
    Vec::new()
}

#[test]
fn what_does_not_fit_can_be_matched() {
    with_client(|client| {
        let (x, other) = (client.ones::<f64>([2, 3], 2), client.ones::<f64>([4], 4));
        let none: [Array<f64>; 0] = [];
        let kind = |result: Result<Array<f64>, ShapeError>| result.expect_err("it does not fit").kind();
        assert_eq!(kind(x.try_add(&other)), ShapeErrorKind::Mismatch);
        assert_eq!(kind(x.try_reshape([4])), ShapeErrorKind::Mismatch);
        assert_eq!(kind(x.try_slice(s![5, ..])), ShapeErrorKind::Index);
        assert_eq!(kind(x.try_norm_axis(2.0, 7)), ShapeErrorKind::Axis);
        assert_eq!(kind(x.try_norm_axis(7.0, [0, 1])), ShapeErrorKind::Unsupported);
        assert_eq!(kind(try_concatenate(&none, 0)), ShapeErrorKind::Empty);
        // As the error of a run, too.
        let error = Error::from(x.try_add(&other).unwrap_err());
        assert!(matches!(error, Error::Shape(error) if error.kind() == ShapeErrorKind::Mismatch));
    });
}

#[test]
fn wrong_arguments_are_named_at_the_callers_line() {
    let panics = Panics::default();
    let (seen, before) = (Arc::clone(&panics), take_hook());
    // The panics of other tests are told as ever.
    let own = Arc::new(Mutex::new(None));
    let watched = Arc::clone(&own);
    set_hook(Box::new(move |info| {
        let thread = std::thread::current().id();
        if *watched.lock().unwrap() != Some(thread) {
            return before(info);
        }
        let words = info.payload().downcast_ref::<String>().cloned();
        let words = words.or_else(|| info.payload().downcast_ref::<&str>().map(ToString::to_string));
        let file = info.location().map_or("", Location::file).to_string();
        seen.lock().unwrap().push((thread, words.unwrap_or_default(), file));
    }));
    let mut wrong = Vec::new();
    with_client(|client| {
        *own.lock().unwrap() = Some(std::thread::current().id());
        let x = client.from_ndarray(&ndarray::arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), 2).unwrap();
        let x = &x.rechunk([2, 3]);
        let line = &client.from_ndarray(&ndarray::arr1(&[1.0, 2.0, 3.0, 4.0]), 4).unwrap();
        let calls = shapes(client, x, line).into_iter().chain(operations(x, line));
        for (message, call) in calls.chain(transforms(x)).chain(factorizations(x, line)) {
            match panic_of(&panics, &*call) {
                None => wrong.push(format!("{message}: nothing is said")),
                Some((words, file)) if !words.starts_with(message) || !file.ends_with("wrong_calls.rs") => {
                    wrong.push(format!("{message}\n  is: {words}\n  in {file}"));
                }
                Some(_) => {}
            }
        }
        *own.lock().unwrap() = None;
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
