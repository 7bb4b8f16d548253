//! Arrays in HDF5 files: those that `h5py` and `netCDF4` wrote, and those that are written here.
//!
//! `tests/hdf5/make.py` made the files; no test needs Python. `python/tests/test_hdf5.py` has h5py read what is written.

use crate::arrays::with_client;
use maniple::{Array, Client, array::Element, half::f16};
use ndarray::{Array2, ArrayD, IxDyn, s};
use num_complex::Complex;
use proptest::prelude::*;
use std::{
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
};

fn made(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hdf5").join(name)
}

/// Compares datasets with what they must hold, and what is stored of them again.
fn check<T: Element + PartialEq + Debug>(client: &Client, name: &str, one: T, value: impl Fn(i32) -> T) {
    let whole = Array2::from_shape_fn((5, 4), |(row, column)| value((4 * row + column) as i32));
    let mut unwritten = whole.clone();
    unwritten.slice_mut(s![4.., ..]).fill(one);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("again.h5");
    for (kind, expected) in [("pieces", whole), ("chunks", unwritten)] {
        let dataset = format!("{kind}/{name}");
        let array: Array<T> = client.from_hdf5(made("types.h5"), &dataset, [3, 3]).unwrap();
        assert_eq!(array.chunks(), [vec![3, 2], vec![3, 1]], "{dataset}");
        assert_eq!(array.compute().unwrap(), expected.clone().into_dyn(), "{dataset}");
        array.store_hdf5(&path, &dataset).unwrap();
        let again = client.from_hdf5::<T>(&path, &dataset, [2, 4]).unwrap();
        assert_eq!(again.compute().unwrap(), expected.into_dyn(), "{dataset}");
    }
}

#[test]
fn datasets_of_python_are_read_and_written_in_every_type() {
    with_client(|client| {
        check(client, "bool", true, |index| index % 2 == 1);
        check(client, "uint8", 1, |index| index as u8);
        check(client, "uint16", 1, |index| index as u16);
        check(client, "uint32", 1, |index| index as u32);
        check(client, "uint64", 1, |index| index as u64);
        check(client, "int8", 1, |index| -index as i8);
        check(client, "int16", 1, |index| -index as i16);
        check(client, "int32", 1, |index| -index);
        check(client, "int64", 1, |index| -i64::from(index));
        check(client, "float16", f16::ONE, |index| f16::from_f32(index as f32 * 1.5));
        check(client, "float32", 1.0, |index| index as f32 * 1.5);
        check(client, "float64", 1.0, |index| f64::from(index) * 1.5);
        let half = Complex::new(1.0, 0.5);
        check(client, "complex64", Complex::new(1.0, 0.0), |index| half * index as f32);
        check(client, "complex128", Complex::new(1.0, 0.0), |index| {
            Complex::new(f64::from(index), f64::from(index) * 0.5)
        });
        let big = client.from_hdf5::<f64>(made("types.h5"), "big", [2, 2]).unwrap();
        assert_eq!(big.compute().unwrap()[[3, 1]], 19.5);
        let scalar = client.from_hdf5::<f64>(made("types.h5"), "/scalar", Vec::<usize>::new()).unwrap();
        assert_eq!(scalar.sum().compute().unwrap(), 2.5);
        assert_eq!(client.from_hdf5::<f64>(made("types.h5"), "none", 2).unwrap().shape(), [0, 3]);
    });
}

#[test]
fn netcdf_files_are_read() {
    with_client(|client| {
        let path = made("netcdf4.nc");
        let temperature = client.from_hdf5::<f64>(&path, "temperature", [3, 2]).unwrap();
        assert_eq!(temperature.sum().compute().unwrap(), 285.0);
        let pressure = client.from_hdf5::<f32>(&path, "pressure", [3, 2]).unwrap();
        assert_eq!(pressure.compute().unwrap()[[4, 3]], 28.5);
        let described = client.hdf5_dataset(&path, "count").unwrap();
        assert_eq!((described.shape, described.chunks), (vec![5, 4], Some(vec![2, 4])));
        assert_eq!(described.data_type.name(), "int16");
        assert_eq!(client.from_hdf5::<i16>(&path, "count", 2).unwrap().sum().compute().unwrap(), -190);
    });
}

#[test]
fn datasets_hold_what_was_stored_in_any_chunks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.h5");
    with_client(|client| {
        let shapes = prop::collection::vec((0usize..9, 1usize..6, 1usize..6), 0..4);
        proptest!(ProptestConfig::with_cases(24), |(axes in shapes)| {
            let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let (stored, read): (Vec<_>, Vec<_>) = axes.iter().map(|axis| (axis.1, axis.2)).unzip();
            let mut next = 0.0;
            let local = ArrayD::from_shape_fn(IxDyn(&shape), |_| { next += 1.5; next });
            client.from_ndarray(&local, stored).unwrap().store_hdf5(&path, "x").unwrap();
            prop_assert_eq!(client.from_hdf5::<f64>(&path, "x", read).unwrap().compute().unwrap(), local);
            fs::remove_file(&path).unwrap();
        });
        // One file takes many datasets; those that are there stay.
        for index in 0..5_i64 {
            client.arange(index, index + 100, 1, 7).store_hdf5(&path, &format!("group/{index}")).unwrap();
        }
        for index in 0..5_i64 {
            let x = client.from_hdf5::<i64>(&path, &format!("group/{index}"), 30).unwrap();
            assert_eq!(x.sum().compute().unwrap(), 4950 + 100 * index);
        }
    });
}

fn words<T: Element>(client: &Client, path: &Path, dataset: &str) -> String {
    let words = client.from_hdf5::<T>(path, dataset, 2).unwrap_err().to_string();
    assert!(words.contains(&path.display().to_string()) && !words.contains('\n'), "{words}");
    words
}

#[test]
fn what_cannot_be_read_is_said_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let [missing, text, short, broken] =
        ["missing", "text", "short", "broken"].map(|name| directory.path().join(name));
    with_client(|client| {
        assert!(words::<f64>(client, &missing, "x").contains("No such file"));
        fs::write(&text, "no file of this kind").unwrap();
        assert!(words::<f64>(client, &text, "x").contains("file signature not found"));
        let bytes = fs::read(made("types.h5")).unwrap();
        fs::write(&short, &bytes[..bytes.len() - 100]).unwrap();
        assert!(words::<f64>(client, &short, "big").contains("truncated file"));
        let own = made("types.h5");
        assert!(
            words::<f64>(client, &own, "pieces/float").contains("there is no dataset pieces/float in it")
        );
        assert!(words::<f64>(client, &own, "no/group").contains("there is no dataset no/group in it"));
        let other = words::<f64>(client, &own, "pieces/int64");
        assert!(other.contains("its elements are read as int64, not float64"), "{other}");
        assert!(words::<f64>(client, &own, "words").contains("no element type holds its elements"));
        assert!(words::<f64>(client, &own, "pieces").contains("dataset pieces:"));
        // A compressed chunk whose bytes are others than were written: its checksum fails.
        let place =
            bytes.windows(8).position(|part| part == [0_f32.to_le_bytes(), 1.5_f32.to_le_bytes()].concat());
        let mut other = bytes.clone();
        let fletcher = (0..bytes.len() - 12)
            .rev()
            .find(|at| bytes[*at..].starts_with(&[0_f32, 1.5, 3.0].map(f32::to_le_bytes).concat()));
        assert!(place.is_some());
        other[fletcher.unwrap()] ^= 1;
        fs::write(&broken, &other).unwrap();
        let results = ["pieces/float32", "chunks/float32"]
            .map(|name| client.from_hdf5::<f32>(&broken, name, 2).unwrap().sum().compute());
        let words: Vec<String> =
            results.into_iter().filter_map(|result| result.err()).map(|error| error.to_string()).collect();
        assert_eq!(words.len(), 1, "{words:?}");
        assert!(
            words[0].contains("dataset chunks/float32:") && words[0].contains("cannot be read on rank"),
            "{words:?}"
        );
    });
}

#[test]
fn what_cannot_be_written_is_said_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let [path, fails] = ["x.h5", "fails.h5"].map(|name| directory.path().join(name));
    with_client(|client| {
        let x = client.arange(0, 12, 1, 4);
        x.store_hdf5(&path, "x").unwrap();
        let there = x.store_hdf5(&path, "x").unwrap_err().to_string();
        assert!(there.contains("there is x in it"), "{there}");
        let read = client.from_hdf5::<i64>(&path, "x", 3).unwrap();
        let own = (&read + 1).store_hdf5(&path, "y").unwrap_err().to_string();
        assert!(own.contains("the array is read from this file"), "{own}");
        let failing = x.map_blocks(|_: &ArrayD<i64>| -> ArrayD<i64> { panic!("no block") });
        for path in [&path, &fails] {
            let words = failing.store_hdf5(path, "z").unwrap_err().to_string();
            assert!(words.contains("no block"), "{words}");
            let words = client.from_hdf5::<i64>(path, "z.partial", 3).unwrap_err().to_string();
            assert!(words.contains("no dataset z.partial") || words.contains("No such file"), "{words}");
        }
        assert!(!fails.exists());
        assert_eq!(client.from_hdf5::<i64>(&path, "x", 3).unwrap().sum().compute().unwrap(), 66);
        // The file has changed since, so it is not read as if it had not.
        let words = read.sum().compute().unwrap_err().to_string();
        assert!(words.contains("the file was changed"), "{words}");
    });
}
