//! Arrays in Zarr stores: those that Python's `zarr` wrote, and those that are written here.
//!
//! `tests/zarr/make.py` made the stores; no test needs Python.

use crate::arrays::with_client;
use maniple::{Array, Client, array::Element, half::f16};
use ndarray::{Array2, ArrayD, IxDyn};
use num_complex::Complex;
use proptest::prelude::*;
use std::{fmt::Debug, fs, path::PathBuf};

fn store(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/zarr").join(name)
}

/// Compares a store, and what is stored of it again, with what it must hold.
fn check<T: Element + PartialEq + Debug>(client: &Client, name: &str, one: T, value: impl Fn(i32) -> T) {
    let expected = Array2::from_shape_fn((5, 4), |(row, column)| match row {
        4 => one,
        _ => value((4 * row + column) as i32),
    });
    let array: Array<T> = client.from_zarr(store(name)).unwrap();
    assert_eq!(array.chunks(), [vec![2, 2, 1], vec![4]], "{name}");
    assert_eq!(array.compute().unwrap(), expected.clone().into_dyn(), "{name}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    array.rechunk([3, 3]).store_zarr(&path).unwrap();
    let again = client.from_zarr::<T>(&path).unwrap();
    assert_eq!(again.chunks(), [vec![3, 2], vec![3, 1]], "{name}");
    assert_eq!(again.compute().unwrap(), expected.into_dyn(), "{name}");
}

#[test]
fn stores_of_python_are_read_and_written_in_every_type() {
    with_client(|client| {
        check(client, "bool.zarr", true, |index| index % 2 == 1);
        check(client, "uint8.zarr", 1, |index| index as u8);
        check(client, "uint16.zarr", 1, |index| index as u16);
        check(client, "uint32.zarr", 1, |index| index as u32);
        check(client, "uint64.zarr", 1, |index| index as u64);
        check(client, "int8.zarr", 1, |index| -index as i8);
        check(client, "int16.zarr", 1, |index| -index as i16);
        check(client, "int32.zarr", 1, |index| -index);
        check(client, "int64.zarr", 1, |index| -i64::from(index));
        check(client, "float16.zarr", f16::ONE, |index| f16::from_f32(index as f32 * 1.5));
        check(client, "float32.zarr", 1.0, |index| index as f32 * 1.5);
        check(client, "float64.zarr", 1.0, |index| f64::from(index) * 1.5);
        check(client, "version2.zarr", 1.0, |index| f64::from(index) * 1.5);
        check(client, "complex64.zarr", Complex::new(1.0, 0.0), |index| {
            Complex::new(index as f32, index as f32 * 0.5)
        });
        check(client, "complex128.zarr", Complex::new(1.0, 0.0), |index| {
            Complex::new(f64::from(index), f64::from(index) * 0.5)
        });
    });
}

#[test]
fn stores_hold_what_was_stored_in_any_chunks() {
    let directory = tempfile::tempdir().unwrap();
    with_client(|client| {
        let shapes = prop::collection::vec((0usize..9, 1usize..6), 0..4);
        proptest!(ProptestConfig::with_cases(24), |(axes in shapes)| {
            let (shape, chunk): (Vec<usize>, Vec<usize>) = axes.into_iter().unzip();
            let mut next = 0.0;
            let local = ArrayD::from_shape_fn(IxDyn(&shape), |_| { next += 1.5; next });
            let path = directory.path().join("x.zarr");
            client.from_ndarray(&local, chunk).unwrap().store_zarr(&path).unwrap();
            prop_assert_eq!(client.from_zarr::<f64>(&path).unwrap().compute().unwrap(), local);
            fs::remove_dir_all(&path).unwrap();
        });
        let path = directory.path().join("uneven.zarr");
        let uneven = client.arange(0, 9, 1, 9).rechunk(vec![vec![2, 4, 3]]);
        uneven.store_zarr(&path).unwrap();
        let read = client.from_zarr::<i64>(&path).unwrap();
        assert_eq!(read.chunks(), [vec![4, 4, 1]]);
        assert_eq!(read.compute().unwrap(), uneven.compute().unwrap());
    });
}

#[test]
fn what_cannot_be_read_or_written_is_said_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing.zarr");
    with_client(|client| {
        let words = client.from_zarr::<f64>(&path).unwrap_err().to_string();
        assert!(words.contains("missing.zarr") && words.contains("No such file"), "{words}");
        let words = client.from_zarr::<f64>(directory.path()).unwrap_err().to_string();
        assert!(words.contains(&directory.path().display().to_string()), "{words}");
        let words = client.from_zarr::<f64>(store("int64.zarr")).unwrap_err().to_string();
        assert!(words.contains("int64") && words.contains("float64"), "{words}");
        let x = client.arange(0, 9, 1, 4);
        x.store_zarr(&path).unwrap();
        let words = x.store_zarr(&path).unwrap_err().to_string();
        assert!(words.contains("missing.zarr exists"), "{words}");
        let chunk = path.join("c/1");
        fs::write(&chunk, b"short").unwrap();
        let words = client.from_zarr::<i64>(&path).unwrap().sum().compute().unwrap_err().to_string();
        assert!(words.contains("missing.zarr cannot be read on rank 0"), "{words}");
        let names: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["missing.zarr"], "nothing partial is left");
    });
}

#[test]
fn a_store_is_read_as_it_was_when_the_array_was_made() {
    let directory = tempfile::tempdir().unwrap();
    let [path, link, other] = ["x.zarr", "link.zarr", "other.zarr"].map(|name| directory.path().join(name));
    with_client(|client| {
        client.arange(0, 12, 1, 4).store_zarr(&path).unwrap();
        let x = client.from_zarr::<i64>(&path).unwrap();
        assert_eq!(x.sum().compute().unwrap(), 66);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for name in [&path, &link] {
            let words = (&x + 1).store_zarr(name).unwrap_err().to_string();
            assert!(words.contains("the array is read from this file"), "{words}");
        }
        // A chunk of the same length, and one that is not there.
        let chunk = path.join("c/1");
        fs::write(&chunk, fs::read(&chunk).unwrap()).unwrap();
        fs::File::options().write(true).open(&chunk).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        let words = |array: &Array<i64>| array.sum().compute().unwrap_err().to_string();
        assert!(words(&x).contains("x.zarr cannot be read on rank 0: the file was changed"), "{}", words(&x));
        let x = client.from_zarr::<i64>(&path).unwrap();
        fs::rename(&chunk, &other).unwrap();
        assert!(words(&x).contains("the file was removed"), "{}", words(&x));
        let x = client.from_zarr::<i64>(&path).unwrap();
        assert_eq!(x.sum().compute().unwrap(), 66 - 22, "zeros where a chunk is missing");
        fs::rename(&other, &chunk).unwrap();
        assert!(words(&x).contains("the file was added"), "{}", words(&x));
        let x = client.from_zarr::<i64>(&path).unwrap();
        fs::remove_dir_all(&path).unwrap();
        client.arange(0, 12, 1, 4).store_zarr(&path).unwrap();
        assert!(words(&x).contains("the file was"), "{}", words(&x));
    });
}

#[test]
fn a_store_that_a_killed_run_left_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.zarr");
    let partial = directory.path().join("x.zarr.partial");
    fs::create_dir_all(partial.join("c")).unwrap();
    fs::write(partial.join("c/7"), b"left").unwrap();
    with_client(|client| {
        client.arange(0, 12, 1, 4).store_zarr(&path).unwrap();
        assert_eq!(client.from_zarr::<i64>(&path).unwrap().sum().compute().unwrap(), 66);
        assert!(!partial.exists() && !path.join("c/7").exists());
    });
}
