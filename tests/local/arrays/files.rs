//! Arrays in files: what is stored is what is read, whole or by others.

use crate::arrays::with_client;
use maniple::{array::chunks, half::f16};
use ndarray::{ArrayD, IxDyn};
use num_complex::Complex;
use proptest::prelude::*;
use std::fs;

#[test]
fn npy_files_hold_what_was_stored() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    with_client(|client| {
        let shapes = prop::collection::vec((0usize..9, 1usize..6, 1usize..6), 0..4);
        proptest!(ProptestConfig::with_cases(24), |(axes in shapes)| {
            let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let (stored, read): (Vec<_>, Vec<_>) = axes.iter().map(|axis| (axis.1, axis.2)).unzip();
            let mut next = 0.0;
            let local = ArrayD::from_shape_fn(IxDyn(&shape), |_| { next += 1.5; next });
            client.from_ndarray(&local, stored).unwrap().store_npy(&path).unwrap();
            let bytes = fs::read(&path).unwrap();
            let data = &bytes[bytes.len() - 8 * local.len()..];
            let numbers: Vec<f64> = data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
            prop_assert_eq!(numbers, local.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(client.from_npy::<f64>(&path, read).unwrap().compute().unwrap(), local);
        });
        let names: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["x.npy"]);
    });
}

#[test]
fn npy_files_hold_all_types_of_elements() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    with_client(|client| {
        let x = client.arange(0, 10, 1, 3);
        x.lt(4).store_npy(&path).unwrap();
        assert_eq!(client.from_npy::<bool>(&path, 4).unwrap().compute().unwrap(), x.lt(4).compute().unwrap());
        x.cast::<u8>().store_npy(&path).unwrap();
        assert_eq!(client.from_npy::<u8>(&path, 4).unwrap().sum().compute().unwrap(), 45);
        x.cast::<u16>().store_npy(&path).unwrap();
        assert_eq!(client.from_npy::<u16>(&path, 4).unwrap().sum().compute().unwrap(), 45);
        (-&x).cast::<i8>().store_npy(&path).unwrap();
        assert_eq!(client.from_npy::<i8>(&path, 4).unwrap().sum().compute().unwrap(), -45);
        (-&x).cast::<i16>().store_npy(&path).unwrap();
        assert!(fs::read(&path).unwrap()[10..].starts_with(b"{'descr': '<i2'"));
        assert_eq!(client.from_npy::<i16>(&path, 4).unwrap().sum().compute().unwrap(), -45);
        x.cast::<f16>().store_npy(&path).unwrap();
        assert!(fs::read(&path).unwrap()[10..].starts_with(b"{'descr': '<f2'"));
        assert_eq!(client.from_npy::<f16>(&path, 4).unwrap().sum().compute().unwrap(), f16::from_f32(45.0));
        let z = x.cast::<Complex<f32>>() * Complex::new(0.0_f32, 1.0);
        z.store_npy(&path).unwrap();
        assert_eq!(
            client.from_npy::<Complex<f32>>(&path, 4).unwrap().compute().unwrap(),
            z.compute().unwrap()
        );
    });
}

#[test]
fn fortran_order_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.npy");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{:<117}\n", "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }").bytes());
    bytes.extend((0..6_i32).flat_map(i32::to_le_bytes));
    fs::write(&path, bytes).unwrap();
    with_client(|client| {
        let x = client.from_npy::<i32>(&path, chunks([2, 2])).unwrap();
        assert_eq!(x.chunks(), [vec![2], vec![2, 1]]);
        assert_eq!(x.compute().unwrap(), ndarray::arr2(&[[0, 2, 4], [1, 3, 5]]).into_dyn());
    });
}

#[test]
fn bad_files_are_told_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    with_client(|client| {
        let words = |result: maniple::Result<maniple::Array<f32>>| {
            let words = result.unwrap_err().to_string();
            assert_eq!(words.lines().count(), 1, "{words}");
            assert!(words.contains("on rank ") && words.contains("x.npy"), "{words}");
            words
        };
        assert!(words(client.from_npy(&path, 2)).contains("No such file"));
        fs::write(&path, "not an array").unwrap();
        words(client.from_npy(&path, 2));
        client.arange(0, 10, 1, 3).store_npy(&path).unwrap();
        assert!(words(client.from_npy(&path, 2)).contains("'<i8', not '<f4' (float32)"));
        let x = client.arange(0, 10, 1, 3).cast::<f32>();
        x.store_npy(&path).unwrap();
        let late = client.from_npy::<f32>(&path, 3).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
        assert!(words(client.from_npy(&path, 2)).contains("cut off"));
        // What is cut off after its header was read fails in the tasks that read it.
        let words = late.compute().unwrap_err().to_string();
        assert!(words.contains("x.npy cannot be read on rank 0: the file was changed"), "{words}");
        let late = {
            x.store_npy(&path).unwrap();
            client.from_npy::<f32>(&path, 3).unwrap()
        };
        fs::remove_file(&path).unwrap();
        let words = late.compute().unwrap_err().to_string();
        assert!(
            words.contains("cannot be read on rank") && words.contains("share its file system"),
            "{words}"
        );
        let nowhere = directory.path().join("none").join("x.npy");
        let words = x.store_npy(&nowhere).unwrap_err().to_string();
        assert!(words.contains("cannot be written on rank ") && words.contains("No such file"), "{words}");
    });
}

#[test]
fn an_array_is_not_read_from_another_file_than_it_was_made_from() {
    let directory = tempfile::tempdir().unwrap();
    let [path, link, hard] = ["x.npy", "soft.npy", "hard.npy"].map(|name| directory.path().join(name));
    with_client(|client| {
        client.arange(0, 10, 1, 4).store_npy(&path).unwrap();
        let x = client.from_npy::<i64>(&path, 3).unwrap();
        let y = (&x + 1).reshape([2, 5]).cumsum(1);
        let before = y.compute().unwrap();
        // By no name of the file.
        std::os::unix::fs::symlink(&path, &link).unwrap();
        fs::hard_link(&path, &hard).unwrap();
        for name in [&path, &link, &hard] {
            let words = y.store_npy(name).unwrap_err().to_string();
            assert!(words.contains("on rank 0") && words.contains("choose another name"), "{words}");
            assert!(words.contains(name.file_name().unwrap().to_str().unwrap()), "{words}");
        }
        assert_eq!(y.compute().unwrap(), before, "nothing was written");
        // What is kept by the workers is read no more.
        let other = directory.path().join("other.npy");
        y.store_npy(&other).unwrap();
        assert_eq!(client.from_npy::<i64>(&other, 2).unwrap().compute().unwrap(), before);
        let kept = x.persist().unwrap();
        kept.wait().unwrap();
        (&kept * 2).store_npy(&path).unwrap();
        let words = y.compute().unwrap_err().to_string();
        assert!(words.contains("x.npy cannot be read on rank 0: the file was replaced"), "{words}");
        assert!(words.contains("make the array again"), "{words}");
        assert_eq!(kept.sum().compute().unwrap(), 45);
        assert_eq!(client.from_npy::<i64>(&path, 3).unwrap().sum().compute().unwrap(), 90);
    });
}

#[test]
fn what_a_killed_run_left_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    let partial = directory.path().join("x.npy.partial");
    fs::write(&partial, vec![7; 100_000]).unwrap();
    with_client(|client| {
        client.arange(0, 10, 1, 4).store_npy(&path).unwrap();
        assert_eq!(client.from_npy::<i64>(&path, 4).unwrap().sum().compute().unwrap(), 45);
        assert_eq!(fs::metadata(&path).unwrap().len(), 128 + 80);
        assert!(!partial.exists());
    });
}
