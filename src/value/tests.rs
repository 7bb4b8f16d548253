use super::{
    raw::{ARRAY, ON_DEVICE, TRUTHS},
    *,
};
use crate::device::{DeviceArray, DeviceVec, Truth};
use ndarray::{Array2, ArrayD, array};
use num_complex::Complex;

fn travel<T: Data>(value: T) -> (Vec<u8>, Arc<T>) {
    let large = encode(value, 0, &mut Vec::new()).unwrap().expect("larger than nothing");
    let (head, body) = large.to_wire().unwrap();
    assert_eq!(large.size(), Size { bytes: body.as_slice().len() as u64, align: body.align() as u8 });
    let arrived = Value::from_wire(head.clone(), Buffer::copy_of(body.as_slice(), body.align()));
    (head, arrived.get::<T>().unwrap())
}

#[test]
fn small_values_are_encoded_in_place() {
    let mut small = vec![9];
    assert!(encode(300u32, 512, &mut small).unwrap().is_none());
    assert_eq!(decode::<u32>(&small[1..]), Ok(300));
    assert!(encode(vec![1.0f64; 64], 512, &mut small).unwrap().is_some());
    assert_eq!(small.len(), 4);
}

#[test]
fn numbers_travel_as_they_are() {
    assert_eq!(*travel(vec![1u16, 2, 3]).1, [1, 2, 3]);
    assert_eq!(*travel(array![[1.0, 2.0], [3.0, 4.0]]).1, array![[1.0, 2.0], [3.0, 4.0]]);
    let dynamic: ArrayD<Complex<f64>> = ArrayD::from_elem(vec![2, 0, 3], Complex::new(1.0, 2.0));
    let (head, arrived) = travel(vec![Complex::new(1.0f32, 2.0)]);
    assert_eq!((head, arrived[0].im), (vec![1], 2.0));
    let large = encode(dynamic.clone(), 0, &mut Vec::new()).unwrap();
    assert!(large.is_none() || *large.unwrap().get::<ArrayD<Complex<f64>>>().unwrap() == dynamic);
}

#[test]
fn vectors_for_devices_travel_as_vectors_do() {
    let (head, arrived) = travel(DeviceVec::from(vec![1u16, 2, 3]));
    assert_eq!((head, arrived.to_vec().unwrap()), (vec![ON_DEVICE], vec![1, 2, 3]));
    let large = encode(DeviceVec::from(vec![u64::MAX; 2]), 16, &mut Vec::new()).unwrap();
    let large = large.expect("its encoding is longer than its numbers");
    assert_eq!(large.size(), Size { bytes: 16, align: 8 });
    assert_eq!(large.to_wire().unwrap().1.as_slice().len(), 16);
    let mut small = Vec::new();
    assert!(encode(DeviceVec::from(vec![7i8]), 16, &mut small).unwrap().is_none());
    assert_eq!(decode::<DeviceVec<i8>>(&small).unwrap().to_vec().unwrap(), [7]);
}

#[test]
fn other_values_travel_encoded() {
    let (head, arrived) = travel(("a".to_string(), vec![Some(1), None]));
    assert!(head.is_empty());
    assert_eq!(*arrived, ("a".to_string(), vec![Some(1), None]));
}

#[test]
fn arrays_of_other_layouts_and_of_truth_values_travel_as_they_are() {
    let transposed: Array2<f64> = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].reversed_axes();
    let (head, arrived) = travel(transposed.clone());
    assert_eq!(head[0], ARRAY);
    assert_eq!(*arrived, transposed);
    let truths = array![[true, false, true], [false, false, true]].reversed_axes().into_dyn();
    let (head, arrived) = travel(truths.clone());
    assert_eq!(head[0], TRUTHS);
    assert_eq!(*arrived, truths);
}

#[test]
fn truths_on_a_device_and_truths_are_one_value_however_it_travels() {
    let truths = array![[true, false, true], [false, false, true]].into_dyn();
    let on_device = || DeviceArray::from(truths.mapv(Truth::from));
    let host = |array: &DeviceArray<Truth>| array.to_host().unwrap().mapv(bool::from);
    // In messages.
    let mut small = Vec::new();
    assert!(encode(on_device(), 512, &mut small).unwrap().is_none());
    assert_eq!(decode::<ArrayD<bool>>(&small).unwrap(), truths);
    small.clear();
    assert!(encode(truths.clone(), 512, &mut small).unwrap().is_none());
    assert_eq!(host(&decode::<DeviceArray<Truth>>(&small).unwrap()), truths);
    // As they are, on their rank and on another one.
    let large = encode(on_device(), 0, &mut Vec::new()).unwrap().unwrap();
    assert_eq!(*large.get::<ArrayD<bool>>().unwrap(), truths);
    let (head, body) = large.to_wire().unwrap();
    let arrived = Value::from_wire(head, Buffer::copy_of(body.as_slice(), body.align()));
    assert_eq!(*arrived.get::<ArrayD<bool>>().unwrap(), truths);
    let large = encode(truths.clone(), 0, &mut Vec::new()).unwrap().unwrap();
    assert_eq!(host(&large.get::<DeviceArray<Truth>>().unwrap()), truths);
    let (head, body) = large.to_wire().unwrap();
    let arrived = Value::from_wire(head, Buffer::copy_of(body.as_slice(), body.align()));
    assert_eq!(host(&arrived.get::<DeviceArray<Truth>>().unwrap()), truths);
}

#[test]
fn a_value_has_the_size_of_its_body_where_only_its_encoding_is_large() {
    for (value, limit) in [(vec![u64::MAX; 2], 16), (vec![], 0)] {
        let large = encode(value.clone(), limit, &mut Vec::new()).unwrap().expect("too large when encoded");
        let (head, body) = large.to_wire().unwrap();
        let size = Size { bytes: body.as_slice().len() as u64, align: body.align() as u8 };
        assert_eq!(large.size(), size);
        let arrived = Value::from_wire(head, Buffer::copy_of(body.as_slice(), body.align()));
        assert_eq!(arrived.to_owned_value(), Ok(value));
    }
}

#[test]
fn a_value_that_would_arrive_as_another_one_is_refused_before_it_is_sent() {
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Rows {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        rows: Vec<u8>,
    }
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    #[serde(untagged)]
    enum Alike {
        Small(u8),
        Large(u16),
    }
    for limit in [0, 64] {
        // The type is known by then, and values of it that arrive are sent.
        encode(Rows { rows: vec![1] }, limit, &mut Vec::new()).unwrap();
        encode(Alike::Small(1), limit, &mut Vec::new()).unwrap();
        let error = encode(Rows { rows: vec![] }, limit, &mut Vec::new()).unwrap_err();
        assert!(error.contains("Rows cannot be sent") && error.contains("`rows`"), "{error}");
        let error = encode(Alike::Large(1), limit, &mut Vec::new()).unwrap_err();
        assert!(error.contains("Alike cannot be sent") && error.contains("another value"), "{error}");
    }
}

#[test]
fn a_value_counts_what_it_has_in_memory() {
    let words: Vec<String> = (0..1000).map(|i| (i % 10).to_string()).collect();
    let account = Arc::new(Account::default());
    let made = encode(words.clone(), 0, &mut Vec::new()).unwrap().unwrap();
    assert!((3000..4100).contains(&made.size().bytes), "{:?}", made.size());
    made.count_in(&account, TaskId(1));
    let counted = account.resident_bytes();
    assert!((56_000..57_000).contains(&counted), "{counted}");
    let (head, body) = made.to_wire().unwrap();
    let arrived = Value::from_wire(head, Buffer::copy_of(body.as_slice(), body.align()));
    arrived.count_in(&account, TaskId(2));
    assert_eq!(account.resident_bytes(), counted + made.size().bytes);
    assert_eq!(arrived.get::<Vec<String>>().unwrap().len(), 1000);
    assert_eq!((account.resident_bytes(), account.freed_bytes()), (2 * counted, 0));
    drop((made, arrived));
    assert_eq!((account.resident_bytes(), account.freed_bytes()), (0, 2 * counted));
}

#[test]
fn the_wrong_type_is_an_error_with_its_name() {
    let value = encode(vec![1.0f64; 100], 0, &mut Vec::new()).unwrap().unwrap();
    assert!(value.get::<Vec<f32>>().unwrap_err().contains("Vec<f32>"));
    assert_eq!(value.get::<Vec<f64>>().unwrap().len(), 100);
    let mut small = Vec::new();
    assert!(encode(7u8, 64, &mut small).unwrap().is_none());
    small.push(0);
    assert!(decode::<u8>(&small).unwrap_err().contains("1 bytes are left"));
    let wire = Value::from_wire(vec![1], Buffer::new(9, 8));
    assert!(wire.get::<Vec<f64>>().is_err());
    assert!(wire.to_wire().is_err());
}
