use super::*;
use crate::array::{
    element::Scalar,
    graph::chunks::{AxisChunks, Grid},
    kernel::{
        Follow, Step,
        operators::{Binary, Unary},
    },
    random::{BitGenerator, Key},
};

fn grid(shape: &[usize], size: usize) -> Grid {
    Grid(shape.iter().map(|length| AxisChunks::regular(*length, size)).collect())
}

/// `x * factor + x.T` of two blocks, in blocks of ten by ten.
fn turned(factor: f32, length: usize) -> Kernel {
    let input = |slot, axes: [usize; 2]| Step {
        data_type: DataType::F32,
        operation: Operation::Input { slot, follows: axes.map(Follow::axis).to_vec() },
    };
    let constant = Step { data_type: DataType::F32, operation: Operation::Constant(Scalar::F32(factor)) };
    let binary =
        |operator, a, b| Step { data_type: DataType::F32, operation: Operation::Binary(operator, a, b) };
    let steps = vec![
        input(0, [0, 1]),
        constant,
        binary(Binary::Multiply, 0, 1),
        input(1, [1, 0]),
        binary(Binary::Add, 2, 3),
    ];
    Kernel { grid: grid(&[length, length], 10), scope: Scope { steps } }
}

fn shapes(length: usize) -> Vec<Vec<usize>> {
    vec![vec![length, length]; 2]
}

#[test]
fn a_kernel_reads_as_its_expression() {
    let printed = block(&turned(2.5, 20), 3, &shapes(10));
    let expected = "
kernel void block(
    global float *restrict out0,
    const uint count,
    const uint a2,
    const long a3,
    global const float *restrict x0,
    const float a5,
    const long a6,
    global const float *restrict x1)
{
    const uint at = get_global_id(0);
    if (at >= count) return;
    const uint i1 = (at) % a2;
    const uint r1 = (at) / a2;
    const uint i0 = r1;
    const float s0 = x0[i0 * a3 + i1];
    const float s2 = s0 * a5;
    const float s3 = x1[i0 + i1 * a6];
    const float s4 = s2 + s3;
    out0[at] = s4;
}
";
    assert!(printed.source.ends_with(expected), "{}", printed.source);
    assert!(!printed.source.contains("double"), "single floats need no others");
    assert_eq!(printed.outputs, [(DataType::F32, 100)]);
    let length = Argument::Number(Scalar::I64(10));
    let expected = [
        Argument::Output(0),
        Argument::Number(Scalar::U32(100)),
        Argument::Number(Scalar::U32(10)),
        length.clone(),
        Argument::Input(0, 0..100),
        Argument::Number(Scalar::F32(2.5)),
        length,
        Argument::Input(1, 0..100),
    ];
    assert_eq!(printed.arguments, expected);
}

#[test]
fn the_text_depends_on_the_form_of_the_expression_alone() {
    let first = block(&turned(2.5, 20), 3, &shapes(10));
    let second = block(&turned(7.0, 32), 0, &shapes(8));
    assert_eq!(first.source, second.source);
    assert_ne!(first.arguments, second.arguments);
    let reduced = |kernel: &Kernel, block| {
        state(kernel, Reduction::Sum, &[true, true], block, &shapes(10), Form::GPU).0.source
    };
    assert_eq!(reduced(&turned(2.5, 20), 3), reduced(&turned(1.0, 30), 8));
    assert_ne!(reduced(&turned(2.5, 20), 3), first.source);
}

#[test]
fn axes_that_all_leaves_pass_alike_are_one() {
    let square = Step { data_type: DataType::F64, operation: Operation::Unary(Unary::Square, 0) };
    let input = Step {
        data_type: DataType::F64,
        operation: Operation::Input { slot: 0, follows: vec![Follow::axis(0), Follow::axis(1)] },
    };
    let kernel = Kernel { grid: grid(&[10, 10], 10), scope: Scope { steps: vec![input, square] } };
    let printed = block(&kernel, 0, &[vec![10, 10]]);
    assert!(printed.source.contains("x0[i0]") && !printed.source.contains('%'), "{}", printed.source);
    // A large sum is cut into parts, however many devices there are.
    let kernel = Kernel { grid: grid(&[1000, 1000], 1000), ..kernel };
    for form in [Form::CPU, Form::GPU] {
        let (printed, segments) = state(&kernel, Reduction::Sum, &[true, true], 0, &[vec![1000, 1000]], form);
        assert_eq!((segments, printed.items), (62, [form.group, 62]));
        assert_eq!(printed.outputs, [(DataType::F64, 62)]);
        // Columns next to each other are read together.
        let (printed, segments) =
            state(&kernel, Reduction::Sum, &[true, false], 0, &[vec![1000, 1000]], form);
        assert_eq!((segments, printed.items), (1, [1000usize.div_ceil(form.across) * form.group, 1]));
    }
}

#[test]
fn what_no_device_can_do_is_named() {
    let of = |steps: Vec<Step>| Kernel { grid: grid(&[100], 10), scope: Scope { steps } };
    let generated = |generator, data_type| {
        let operation = Operation::Generated { generator, shape: vec![100], follows: vec![Follow::axis(0)] };
        of(vec![Step { data_type, operation }])
    };
    let key = Key { generator: BitGenerator::Philox, seed: 1, stream: 0 };
    let uniform = Generator::Random { distribution: Distribution::Uniform { low: 0.0, high: 1.0 }, key };
    let single = generated(uniform, DataType::F32);
    assert_eq!(unfit(&single, None, Devices::Single), None);
    assert_eq!(unfit(&single, Some(Reduction::Maximum), Devices::Single), None);
    assert_eq!(
        unfit(&single, Some(Reduction::Sum), Devices::Single),
        Some(Unfit::NoDoubles),
        "its sum is of 64 bits"
    );
    assert_eq!(unfit(&single, None, Devices::None), Some(Unfit::NoDevice));
    let double = generated(uniform, DataType::F64);
    assert_eq!(unfit(&double, None, Devices::Single), Some(Unfit::NoDoubles));
    assert_eq!(unfit(&double, None, Devices::Double), None);
    let permutation = Generator::Random { distribution: Distribution::Permutation { length: 100 }, key };
    let words = unfit(&generated(permutation, DataType::I64), None, Devices::Double).unwrap().to_string();
    assert_eq!(words, "devices have no permutation");
    let constant = Operation::Constant(Scalar::Complex64(num_complex::Complex::new(1.0, 2.0)));
    let complex = of(vec![Step { data_type: DataType::Complex64, operation: constant }]);
    assert_eq!(unfit(&complex, None, Devices::Double).unwrap().to_string(), "devices have no complex128");
    let large = Kernel { grid: grid(&[1 << 31], 1 << 31), ..double };
    assert_eq!(unfit(&large, None, Devices::Double), Some(Unfit::TooLarge));
}
