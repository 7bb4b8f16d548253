//! Everything that devices compute, on a processor as OpenCL's device and by the loops for processors.

use super::*;
use crate::{
    array::{
        DataType, Element,
        element::Scalar,
        graph::chunks::{AxisChunks, Grid},
        kernel::{
            Follow, Operation, Scope, Step,
            evaluate::{Memory, evaluate, evaluate_reduced},
            generate::{Distribution, Generator},
            operators::{Arithmetic, Binary, Cast, Unary, wide},
            reduce::Reduce,
        },
        on_device::{Devices, unfit},
        random::{BitGenerator, Key},
    },
    device::{Binding, DeviceType, gather},
    part::{Assembly, Run, Source},
    units::MemoryLimit,
};
use ndarray::{ArrayD, IxDyn};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, path::Path};

/// Such a device, if there is one.
fn processor() -> Option<Device> {
    let found = Device::bind(0, Binding::Gpu, DeviceType::Cpu, MemoryLimit::Auto, false, Path::new("/proc"));
    if let Err(error) = &found {
        assert!(std::env::var_os("MANIPLE_REQUIRE_OPENCL").is_none(), "{error}");
        println!("skipped: {error}");
    }
    found.ok()
}

const TYPES: [DataType; 11] = [
    DataType::Bool,
    DataType::U8,
    DataType::U16,
    DataType::U32,
    DataType::U64,
    DataType::I8,
    DataType::I16,
    DataType::I32,
    DataType::I64,
    DataType::F32,
    DataType::F64,
];

/// All variants of an enum without fields, in order.
fn all<E: DeserializeOwned>() -> Vec<E> {
    (0u8..=127).map_while(|number| postcard::from_bytes(&[number]).ok()).collect()
}

fn grid(shape: &[usize]) -> Grid {
    Grid(shape.iter().map(|length| AxisChunks::regular(*length, *length)).collect())
}

fn input(slot: usize, data_type: DataType, axes: &[usize]) -> Step {
    let follows = axes.iter().map(|axis| Follow::axis(*axis)).collect();
    Step { data_type, operation: Operation::Input { slot, follows } }
}

fn kernel(shape: &[usize], steps: Vec<Step>) -> Kernel {
    Kernel { grid: grid(shape), scope: Scope { steps } }
}

/// Numbers of a type: its extreme ones first, then small ones, then any. `shift` moves them.
fn numbers<T: Element>(count: usize, shift: usize) -> Vec<T> {
    let reals = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-30, 1e300, -7.25, 100.0, 1e10, 255.5, 4.5];
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN];
    let mut state = 1u64;
    let mut one = |place: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = state ^ state >> 29;
        let real = match place % 3 {
            0 => reals[place / 3 % reals.len()],
            1 if place < 40 => special[place / 3 % special.len()],
            _ => (bits >> 40) as f64 / f64::from(1 << 20) - 8.0,
        };
        match T::DATA_TYPE {
            DataType::Bool => T::of_scalar(Scalar::Bool(bits >> 63 == 0)),
            DataType::U8 => {
                T::of_scalar(Scalar::U8(if place.is_multiple_of(5) { 0 } else { (bits >> 56) as u8 }))
            }
            DataType::U16 => T::of_scalar(Scalar::U16(small_or(place, bits) as u16)),
            DataType::U32 => T::of_scalar(Scalar::U32(small_or(place, bits) as u32)),
            DataType::U64 => T::of_scalar(Scalar::U64(small_or(place, bits))),
            DataType::I8 => T::of_scalar(Scalar::I8(small_or(place, bits) as i8)),
            DataType::I16 => T::of_scalar(Scalar::I16(small_or(place, bits) as i16)),
            DataType::I32 => T::of_scalar(Scalar::I32(small_or(place, bits) as i32)),
            DataType::I64 => T::of_scalar(Scalar::I64(small_or(place, bits) as i64)),
            DataType::F32 => T::of_scalar(Scalar::F32(real as f32)),
            _ => T::of_scalar(Scalar::F64(real)),
        }
    };
    let mut numbers: Vec<T> = (0..count).map(&mut one).collect();
    numbers.rotate_left(shift % count.max(1));
    numbers
}

fn small_or(place: usize, bits: u64) -> u64 {
    match place % 4 {
        0 => (bits >> 61).wrapping_sub(3),
        1 => [0, u64::MAX, i64::MAX as u64, i64::MIN as u64, 1, i32::MIN as u64][place / 4 % 6],
        _ => bits,
    }
}

/// The same block for both.
fn inputs<T: Element>(shape: &[usize], numbers: Vec<T>) -> (Memory, Arc<dyn Block>) {
    let array = ArrayD::from_shape_vec(IxDyn(shape), numbers).unwrap();
    let on_device: Vec<T::OnDevice> = bytes_as(array.iter().copied());
    (Memory::of(Arc::new(array)), Arc::new(DeviceArray::new(shape.to_vec(), on_device.into())))
}

/// Numbers as a device has them.
fn bytes_as<T: Element>(numbers: impl Iterator<Item = T>) -> Vec<T::OnDevice> {
    let bytes: Vec<u8> = numbers
        .flat_map(|number| match number.scalar() {
            Scalar::Bool(number) => vec![u8::from(number)],
            Scalar::U8(number) => vec![number],
            Scalar::U16(number) => number.to_ne_bytes().to_vec(),
            Scalar::U32(number) => number.to_ne_bytes().to_vec(),
            Scalar::U64(number) => number.to_ne_bytes().to_vec(),
            Scalar::I8(number) => number.to_ne_bytes().to_vec(),
            Scalar::I16(number) => number.to_ne_bytes().to_vec(),
            Scalar::I32(number) => number.to_ne_bytes().to_vec(),
            Scalar::I64(number) => number.to_ne_bytes().to_vec(),
            Scalar::F32(number) => number.to_ne_bytes().to_vec(),
            Scalar::F64(number) => number.to_ne_bytes().to_vec(),
            other => unreachable!("{other:?} is not on devices"),
        })
        .collect();
    bytemuck::pod_collect_to_vec(&bytes)
}

/// How far two numbers are apart, in units in the last place; NaN is one number.
fn distance<T: Element>(a: T, b: T) -> u64 {
    let order = |bits: i64| if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits };
    match (a.scalar(), b.scalar()) {
        (Scalar::F32(a), Scalar::F32(b)) if a.is_nan() || b.is_nan() => {
            u64::from(a.is_nan() != b.is_nan()) << 63
        }
        (Scalar::F64(a), Scalar::F64(b)) if a.is_nan() || b.is_nan() => {
            u64::from(a.is_nan() != b.is_nan()) << 63
        }
        (Scalar::F32(a), Scalar::F32(b)) => {
            let order = |x: f32| order(i64::from(x.to_bits() as i32) << 32) >> 32;
            order(a).abs_diff(order(b))
        }
        (Scalar::F64(a), Scalar::F64(b)) => order(a.to_bits() as i64).abs_diff(order(b.to_bits() as i64)),
        _ => u64::from(a != b) << 63,
    }
}

/// Makes the only block of a kernel on both, and compares: each row may be so many units in the last place
/// apart.
#[track_caller]
fn compare<T: Element>(
    device: &Device,
    kernel: &Kernel,
    inputs: &[(Memory, Arc<dyn Block>)],
    rows: &[(String, u64)],
) {
    assert_eq!(unfit(kernel, None, Devices::Double), None, "{rows:?}");
    let (memories, blocks): (Vec<Memory>, Vec<Arc<dyn Block>>) = inputs.iter().cloned().unzip();
    let expected = evaluate::<T>(kernel, 0, &memories);
    let found = block::<T>(device, kernel, 0, &blocks).and_then(|block| block.to_host());
    let found = found.unwrap_or_else(|error| panic!("{rows:?}: {error}"));
    assert_eq!(found.shape(), expected.shape());
    let found = T::of_device(found.into_raw_vec_and_offset().0);
    let length = found.len() / rows.len();
    for (place, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        let (what, ulps) = &rows[place / length];
        let distance = distance(found, expected);
        let words = || format!("{found:?}, not {expected:?}: {distance} ulps");
        assert!(distance <= *ulps, "{what}: element {} is {}", place % length, words());
    }
}

/// A kernel whose row `n` has the elements of the `n`th of these steps: one program for many operations,
/// since it takes a while to build one. `shape` is that of a row; axis 0 of the kernel counts them.
fn in_rows(shape: &[usize], mut steps: Vec<Step>, rows: &[usize]) -> Kernel {
    let push = |steps: &mut Vec<Step>, data_type, operation| {
        steps.push(Step { data_type, operation });
        steps.len() - 1
    };
    let data_type = steps[rows[0]].data_type;
    let generator = Generator::Integers { start: 0, step: 1 };
    let number = Operation::Generated { generator, shape: vec![rows.len()], follows: vec![Follow::axis(0)] };
    let number = push(&mut steps, DataType::I64, number);
    let mut chosen = rows[0];
    for (row, step) in rows.iter().enumerate().skip(1) {
        let own = push(&mut steps, DataType::I64, Operation::Constant(Scalar::I64(row as i64)));
        let is_own = push(&mut steps, DataType::Bool, Operation::Binary(Binary::Equal, number, own));
        chosen = push(&mut steps, data_type, Operation::Select(is_own, *step, chosen));
    }
    let shape: Vec<usize> = std::iter::once(rows.len()).chain(shape.iter().copied()).collect();
    if rows.len() == 1 {
        push(&mut steps, data_type, Operation::Cast(chosen));
    }
    kernel(&shape, steps)
}

/// How far OpenCL's functions may be from the exact result (OpenCL 1.2, 7.4), and the processor's.
fn ulps_of_unary(operator: Unary) -> u64 {
    use Unary::{
        Absolute, Ceil, Conjugate, Floor, Imaginary, IsFinite, IsInfinite, IsNan, Negative, Not, Real,
    };
    use Unary::{Reciprocal, Round, Sign, Square, SquareRoot, Truncate};
    match operator {
        Negative | Absolute | Sign | Square | Reciprocal | SquareRoot | Floor | Ceil | Round | Truncate => 0,
        IsNan | IsInfinite | IsFinite | Not | Real | Imaginary | Conjugate => 0,
        _ => 8,
    }
}

fn ulps_of_binary(operator: Binary) -> u64 {
    match operator {
        Binary::Power => 18,
        Binary::Hypot | Binary::ArcTan2 => 8,
        _ => 0,
    }
}

/// What only the processor calculates.
fn is_for_the_processor(operator: Unary) -> bool {
    use Unary::{BesselI0, Exponent, Fraction, IsSignNegative};
    matches!(operator, BesselI0 | Exponent | Fraction | IsSignNegative)
}

fn is_for_the_processor_of_two(operator: Binary) -> bool {
    use Binary::{CopySign, NextAfter, Scale, ShiftLeft, ShiftRight, TruncatedRemainder};
    matches!(operator, CopySign | NextAfter | Scale | ShiftLeft | ShiftRight | TruncatedRemainder)
}

/// Compares many operations on the same inputs, those with the same type of result at once. `all` has their
/// results' types, the operations, their names, how far they may be off, and whether devices have them.
#[track_caller]
fn compare_all<T: Element>(
    device: &Device,
    inputs: &[(Memory, Arc<dyn Block>)],
    all: Vec<(DataType, Operation, String, u64, bool)>,
) {
    let given: Vec<Step> = (0..inputs.len()).map(|slot| input(slot, T::DATA_TYPE, &[1])).collect();
    for result in [DataType::Bool, T::DATA_TYPE] {
        let (mut steps, mut rows, mut names) = (given.clone(), Vec::new(), Vec::new());
        for (data_type, operation, name, ulps, has_it) in &all {
            let step = Step { data_type: *data_type, operation: operation.clone() };
            let alone = kernel(&[2, 300], [&given[..], std::slice::from_ref(&step)].concat());
            assert_eq!(unfit(&alone, None, Devices::Double).is_none(), *has_it, "{name}");
            if *has_it && *data_type == result {
                rows.push(steps.len());
                names.push((name.clone(), *ulps));
                steps.push(step);
            }
        }
        let kernel = in_rows(&[300], steps, &rows);
        with_type!(result, R => compare::<R>(device, &kernel, inputs, &names));
        if result == T::DATA_TYPE {
            break;
        }
    }
}

#[test]
fn every_operation_on_one_array_is_what_the_processor_makes() {
    let Some(device) = processor() else { return };
    for data_type in TYPES {
        with_type!(data_type, T => {
            let one = |operator: Unary| {
                let is_question = matches!(operator, Unary::IsNan | Unary::IsInfinite | Unary::IsFinite);
                let result = if is_question { DataType::Bool } else { data_type };
                let has_it = !is_for_the_processor(operator)
                    && T::unary(operator, &[], &mut Elements::zeros(result, 0));
                let name = format!("{operator:?} of {data_type}");
                (result, Operation::Unary(operator, 0), name, ulps_of_unary(operator), has_it)
            };
            let given = [inputs::<T>(&[300], numbers(300, 0))];
            compare_all::<T>(&device, &given, all::<Unary>().into_iter().map(one).collect());
        });
    }
}

#[test]
fn every_operation_on_two_arrays_is_what_the_processor_makes() {
    let Some(device) = processor() else { return };
    for data_type in TYPES {
        with_type!(data_type, T => {
            let one = |operator: Binary| {
                use Binary::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
                let is_question =
                    matches!(operator, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual);
                let result = if is_question { DataType::Bool } else { data_type };
                let has_it = matches!(operator, Equal | NotEqual)
                    || !is_for_the_processor_of_two(operator)
                        && T::binary(operator, &[], &[], &mut Elements::zeros(result, 0));
                let name = format!("{operator:?} of {data_type}");
                (result, Operation::Binary(operator, 0, 1), name, ulps_of_binary(operator), has_it)
            };
            let given = [inputs::<T>(&[300], numbers(300, 0)), inputs::<T>(&[300], numbers(300, 7))];
            compare_all::<T>(&device, &given, all::<Binary>().into_iter().map(one).collect());
        });
    }
}

#[test]
fn casts_choices_and_constants_are_what_the_processor_makes() {
    let Some(device) = processor() else { return };
    let given: Vec<_> =
        TYPES.into_iter().map(|from| with_type!(from, T => inputs::<T>(&[300], numbers(300, 0)))).collect();
    for to in TYPES {
        let mut steps: Vec<Step> = (0..).zip(TYPES).map(|(slot, from)| input(slot, from, &[1])).collect();
        let casts = (0..TYPES.len()).map(|from| Step { data_type: to, operation: Operation::Cast(from) });
        steps.extend(casts);
        let rows: Vec<usize> = (TYPES.len()..2 * TYPES.len()).collect();
        let names: Vec<_> = TYPES.iter().map(|from| (format!("{from} as {to}"), 0)).collect();
        let kernel = in_rows(&[300], steps, &rows);
        with_type!(to, U => compare::<U>(&device, &kernel, &given, &names));
    }
}

#[test]
fn generated_numbers_are_the_very_same() {
    let Some(device) = processor() else { return };
    for generator in [BitGenerator::Xoshiro256PlusPlus, BitGenerator::Philox] {
        generated_numbers_are_the_same(&device, Key { generator, seed: 0xfeed_0000_0000_0007, stream: 3 });
    }
}

fn generated_numbers_are_the_same(device: &Device, key: Key) {
    let random = |distribution| Generator::Random { distribution, key };
    let of_numbers = [
        Generator::Integers { start: -5, step: 3 },
        Generator::Reals { start: 0.1, step: 0.3 },
        Generator::Linspace { start: -1.0, stop: 2.0, count: 77 * 41 },
        Generator::Eye { columns: 41, diagonal: 2 },
    ];
    let of_reals = [
        random(Distribution::Uniform { low: 0.0, high: 1.0 }),
        random(Distribution::Uniform { low: -3.0, high: 0.7 }),
        random(Distribution::Uniform { low: 16_777_216.0, high: 16_777_220.0 }),
        random(Distribution::Uniform { low: 1e16, high: 1e16 + 4.0 }),
        random(Distribution::Normal { mean: 0.0, deviation: 1.0 }),
        random(Distribution::Normal { mean: 5.0, deviation: 0.3 }),
        random(Distribution::Exponential { mean: 1.0 }),
        random(Distribution::Exponential { mean: 2.5 }),
    ];
    let of_integers = [
        random(Distribution::Integers { low: 3, high: 100 }),
        random(Distribution::Integers { low: 0, high: 250 }),
    ];
    let of_wide = [
        random(Distribution::Integers { low: -(1 << 62), high: 1 << 63 }),
        random(Distribution::Integers { low: i64::MIN.into(), high: 1 << 63 }),
    ];
    for data_type in TYPES {
        let mut generators = vec![];
        match data_type {
            DataType::Bool => generators.push(random(Distribution::Bernoulli { probability: 0.3 })),
            DataType::F32 | DataType::F64 => generators.extend(of_numbers.into_iter().chain(of_reals)),
            DataType::I64 => generators.extend(of_numbers.into_iter().chain(of_integers).chain(of_wide)),
            _ => generators.extend(of_numbers.into_iter().chain(of_integers)),
        }
        // In order, and a slice of it turned.
        for (shape, follows) in [
            ([77, 41], [Follow::axis(1), Follow::axis(2)]),
            (
                [13, 31],
                [Follow { axis: Some(2), start: 60, step: -1 }, Follow { axis: Some(1), start: 1, step: 3 }],
            ),
        ] {
            let step = |generator: &Generator| {
                let follows = follows.to_vec();
                let operation = Operation::Generated { generator: *generator, shape: vec![77, 41], follows };
                Step { data_type, operation }
            };
            let steps: Vec<Step> = generators.iter().map(step).collect();
            let rows: Vec<usize> = (0..steps.len()).collect();
            let names: Vec<_> = generators.iter().map(|g| (format!("{g:?} of {data_type}"), 0)).collect();
            let kernel = in_rows(&shape, steps, &rows);
            with_type!(data_type, T => compare::<T>(device, &kernel, &[], &names));
        }
    }
}

#[test]
fn turned_and_repeated_inputs_and_folds_are_what_the_processor_makes() {
    let Some(device) = processor() else { return };
    let add = |data_type, a, b| Step { data_type, operation: Operation::Binary(Binary::Add, a, b) };
    for data_type in [DataType::I32, DataType::F32, DataType::F64] {
        with_type!(data_type, T => {
            let small = |count, shift| -> Vec<T> {
                numbers::<u8>(count, shift).into_iter().map(|byte| T::of_wide(byte.wide())).collect()
            };
            let given = [
                inputs::<T>(&[20, 30], small(600, 0)),
                inputs::<T>(&[30, 20], small(600, 1)),
                inputs::<T>(&[30], small(30, 2)),
            ];
            // x + y.T + z, where z is a row.
            let mut steps = vec![
                input(0, data_type, &[0, 1]),
                input(1, data_type, &[1, 0]),
                input(2, data_type, &[1]),
            ];
            steps.extend([add(data_type, 0, 1), add(data_type, 3, 2)]);
            compare::<T>(&device, &kernel(&[20, 30], steps.clone()), &given, &[("x + y.T + z".into(), 0)]);
            // Its sums, extremes and counts along the rows.
            use Reduction::{Count, FMaximum, FMinimum, Maximum, Minimum, Sum};
            for reduction in [Sum, Count, Minimum, Maximum, FMinimum, FMaximum] {
                let result = reduction.data_type(data_type);
                let scope = Scope { steps: steps.clone() };
                let operation = Operation::Fold { reduction, scope, lengths: vec![30] };
                let kernel = kernel(&[20], vec![Step { data_type: result, operation }]);
                let names = [(format!("{reduction:?} of {data_type}"), 1)];
                with_type!(result, R => compare::<R>(&device, &kernel, &given, &names));
            }
        });
    }
}

fn every_reduction() -> Vec<Reduction> {
    use Reduction::{Count, FMaximum, FMinimum, Maximum, Minimum, Product, Sum};
    let mut reductions = vec![Sum, Product, Count, Minimum, Maximum, FMinimum, FMaximum];
    for skip_nan in [false, true] {
        reductions.push(Reduction::ArgMinimum { skip_nan });
        reductions.push(Reduction::ArgMaximum { skip_nan });
        reductions.push(Reduction::Variance { ddof: 0.0, skip_nan, is_deviation: true });
    }
    reductions
}

#[test]
fn every_reduction_is_what_the_processor_makes() {
    let Some(device) = processor() else { return };
    for data_type in TYPES {
        with_type!(data_type, T => {
            // Only real numbers have variances.
            let is_real = matches!(data_type, DataType::F32 | DataType::F64);
            let fits = |reduction: &Reduction| is_real || !matches!(reduction, Reduction::Variance { .. });
            for reduction in every_reduction().into_iter().filter(fits) {
                compare_reduction::<T>(&device, reduction, &[40_000], &[true], Form::GPU);
            }
        });
    }
}

#[test]
fn reductions_along_any_axes_are_what_the_processor_makes() {
    let Some(device) = processor() else { return };
    let whole = Reduction::Variance { ddof: 1.0, skip_nan: true, is_deviation: false };
    for reduction in [Reduction::Sum, Reduction::ArgMaximum { skip_nan: false }, whole] {
        for shape in [vec![37, 501], vec![5, 4, 300], vec![1]] {
            for mask in 1..1usize << shape.len() {
                let reduced: Vec<bool> = (0..shape.len()).map(|axis| mask >> axis & 1 == 1).collect();
                for form in [Form::CPU, Form::GPU] {
                    compare_reduction::<f32>(&device, reduction, &shape, &reduced, form);
                }
            }
        }
    }
}

#[test]
fn zeros_keep_their_signs_and_variances_of_huge_numbers_are_no_nan() {
    let Some(device) = processor() else { return };
    let variance = Reduction::Variance { ddof: 0.0, skip_nan: false, is_deviation: false };
    let table = [
        (Reduction::Sum, [-0.0; 3], -0.0),
        (Reduction::Sum, [-0.0, 0.0, -0.0], 0.0),
        (Reduction::Product, [-0.0, 1.0, 1.0], -0.0),
        (Reduction::Minimum, [0.0, -0.0, 1.0], -0.0),
        (Reduction::FMinimum, [0.0, f64::NAN, -0.0], -0.0),
        (Reduction::Maximum, [-0.0, 0.0, -1.0], 0.0),
        (Reduction::FMaximum, [-0.0, f64::NAN, 0.0], 0.0),
        (variance, [1e308, 1e308, -1e308], f64::INFINITY),
        (variance, [1.5e308; 3], 0.0),
        (variance, [f64::INFINITY, 1.0, 2.0], f64::NAN),
    ];
    let kernel = kernel(&[3], vec![input(0, DataType::F64, &[0])]);
    for (reduction, numbers, expected) in table {
        let (memory, given) = inputs(&[3], numbers.to_vec());
        let on_processor = evaluate_reduced(&kernel, reduction, &[true], 0, &[memory]);
        let mut states = vec![on_processor];
        for form in [Form::CPU, Form::GPU] {
            let given = std::slice::from_ref(&given);
            states.push(state_in_form(&device, &kernel, (reduction, &[true]), 0, given, form).unwrap());
        }
        for state in states {
            let found = state.finish::<f64>(reduction)[0];
            let is_same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(is_same, "{reduction:?} of {numbers:?} is {found:?}, not {expected:?}");
        }
    }
}

/// Reduces an array without and one with NaN on both.
fn compare_reduction<T: Reduce>(
    device: &Device,
    reduction: Reduction,
    shape: &[usize],
    reduced: &[bool],
    form: Form,
) {
    let count = shape.iter().product();
    let axes: Vec<usize> = (0..shape.len()).collect();
    let kernel = kernel(shape, vec![input(0, T::DATA_TYPE, &axes)]);
    let is_real = matches!(T::DATA_TYPE, DataType::F32 | DataType::F64);
    let (plain, with_nan): (Vec<T>, Vec<T>) = match reduction {
        // Whether these overflow on the way depends on the way.
        Reduction::Product | Reduction::Variance { .. } if is_real => {
            let plain: Vec<T> = (0..count).map(|n| wide(0.97 + (n % 7) as f64 * 0.01)).collect();
            let nan = |(n, number): (usize, &T)| if n % 11 == 5 { wide(f64::NAN) } else { *number };
            let with_nan = plain.iter().enumerate().map(nan).collect();
            (plain, with_nan)
        }
        _ => (numbers::<T>(count + 40, 40)[..count].to_vec(), numbers::<T>(count, 3)),
    };
    for (numbers, has_nan) in [(plain, false), (with_nan, true)] {
        let (memory, given) = inputs(shape, numbers);
        let expected = evaluate_reduced(&kernel, reduction, reduced, 0, &[memory]);
        let found = state_in_form(device, &kernel, (reduction, reduced), 0, &[given], form);
        let what = (reduction, shape, reduced, form, has_nan, T::DATA_TYPE);
        compare_states::<T>(reduction, found.unwrap(), expected, &what);
    }
}

/// Sums, products and distances of floats may differ by their rounding, all else not.
fn compare_states<T: Reduce>(reduction: Reduction, found: State, expected: State, what: &dyn Debug) {
    let result = reduction.data_type(T::DATA_TYPE);
    assert_eq!(found.shape, expected.shape, "{what:?}");
    with_type!(result, R => {
        let (found, expected) = (found.finish::<R>(reduction), expected.finish::<R>(reduction));
        assert_eq!(found.len(), expected.len(), "{what:?}");
        for (found, expected) in found.into_iter().zip(expected) {
            let ulps = match (reduction, R::DATA_TYPE) {
                (Reduction::Sum, _) => 2,
                (Reduction::Product | Reduction::Variance { .. }, DataType::F32) => 8,
                // Of so many roundings each way, and of numbers that are nearly alike.
                (Reduction::Product | Reduction::Variance { .. }, DataType::F64) => 1 << 20,
                _ => 0,
            };
            let distance = distance(found, expected);
            assert!(distance <= ulps, "{what:?}: {found:?}, not {expected:?}: {distance} ulps");
        }
    });
}

#[test]
fn blocks_put_together_of_blocks_and_parts_are_what_the_processor_makes() {
    let Some(device) = processor() else { return };
    let run = |piece, from, step, count| Run { piece, from, step, count };
    let whole = |length| vec![run(0, 0, 1, length)];
    let assemblies = [
        // All; a stretch; every other, backwards; and new chunks of four blocks.
        (vec![whole(6), whole(5)], vec![[6, 5]]),
        (vec![vec![run(0, 2, 1, 3)], whole(5)], vec![[6, 5]]),
        (vec![vec![run(0, 4, -2, 3)], vec![run(0, 1, 3, 2)]], vec![[6, 5]]),
        (vec![vec![run(0, 1, 0, 4)], whole(5)], vec![[6, 5]]),
        (
            vec![vec![run(0, 3, 1, 2), run(1, 0, 1, 3)], vec![run(1, 1, -1, 2), run(0, 4, -3, 2)]],
            vec![[5, 5], [5, 2], [3, 5], [3, 2]],
        ),
        (vec![vec![], whole(5)], vec![]),
    ];
    for data_type in TYPES {
        for (axes, shapes) in assemblies.clone() {
            with_type!(data_type, T => compare_gather::<T>(&device, axes, &shapes));
        }
    }
}

/// Puts a block together on both, of inputs of these shapes: whole ones, and their parts.
fn compare_gather<T: Element>(device: &Device, axes: Vec<Vec<Run>>, shapes: &[[usize; 2]]) {
    let (assembly, _) = Assembly::new(axes);
    for are_parts in [false, true] {
        let (mut memories, mut blocks) = (Vec::new(), Vec::new());
        for (place, shape) in shapes.iter().enumerate() {
            let own = if are_parts { assembly.part(place).shape() } else { shape.to_vec() };
            let count = own.iter().product();
            // Comparisons of bits: NaN would differ from itself.
            let (memory, block) = inputs::<T>(&own, numbers(count + 60, 60)[..count].to_vec());
            memories.push((own, memory));
            blocks.push(block);
        }
        let sources: Vec<Source<'_, T>> = memories
            .iter()
            .map(|(shape, memory)| Source { elements: memory.slice(), shape, is_part: are_parts })
            .collect();
        let blocks: Vec<(&dyn Block, bool)> =
            blocks.iter().map(|block: &Arc<dyn Block>| (&**block, are_parts)).collect();
        let found = gather::<T::OnDevice>(device, &assembly, &blocks).unwrap();
        assert_eq!(found.shape(), assembly.shape());
        let found = T::of_device(found.elements().to_vec().unwrap());
        assert_eq!(found, assembly.assemble(&sources), "{assembly:?} of {}", T::DATA_TYPE);
    }
}

#[test]
fn regions_are_cut_out_of_blocks_on_a_device_or_not_at_all() {
    let Some(device) = processor() else { return };
    let numbers: Vec<f64> = (0..30).map(f64::from).collect();
    let array = DeviceArray::from(ArrayD::from_shape_vec(IxDyn(&[6, 5]), numbers.clone()).unwrap());
    array.elements().buffer(&device).unwrap();
    let of = |rows: Vec<Run>| Assembly::new(vec![rows, vec![Run { piece: 0, from: 1, step: 3, count: 2 }]]).0;
    let run = |from, step, count| Run { piece: 0, from, step, count };
    assert_eq!(array.part(&of(vec![run(4, -2, 3)])).unwrap(), [21.0, 24.0, 11.0, 14.0, 1.0, 4.0]);
    // A list of indices is several runs of one piece: its first run alone would leave the rest unwritten.
    assert_eq!(array.part(&of(vec![run(4, 1, 1), run(0, 1, 2)])), None);
    assert_eq!(array.part(&of(vec![run(4, 1, 3)])), None, "beyond its end");
}
