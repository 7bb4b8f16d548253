use super::*;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, PI};

type Loop<T> = fn(&[T], &mut [T]);
type Function = fn(f64) -> f64;

/// How many random arguments a function gets from each range.
const COUNT: usize = if cfg!(debug_assertions) { 2_000 } else { 100_000 };

/// A function, its loops, the same function without a loop, a reference that is right to half a rounding, and
/// the arguments for which it is defined.
struct Case {
    name: &'static str,
    wide: Loop<f64>,
    narrow: Loop<f32>,
    plain: Function,
    reference: Function,
    domain: (f64, f64),
}

/// Of all functions of one number.
fn cases() -> Vec<Case> {
    const ALL: (f64, f64) = (f64::MIN, f64::MAX);
    macro_rules! cases {
        ($($name:ident $plain:path, $reference:path, $domain:expr;)*) => {
            vec![$(Case {
                name: stringify!($name),
                wide: <f64 as Math>::$name,
                narrow: <f32 as Math>::$name,
                plain: $plain,
                reference: $reference,
                domain: $domain,
            }),*]
        };
    }
    cases! {
        exp exp, pxfm::f_exp, ALL;
        exp2 exponential::exp2, pxfm::f_exp2, ALL;
        exp_m1 exponential::exp_m1, pxfm::f_expm1, ALL;
        ln ln, pxfm::f_log, (0.0, f64::MAX);
        ln_1p ln_1p, pxfm::f_log1p, (-1.0, f64::MAX);
        log2 logarithm::log2, pxfm::f_log2, (0.0, f64::MAX);
        log10 logarithm::log10, pxfm::f_log10, (0.0, f64::MAX);
        sin trigonometric::sin, pxfm::f_sin, ALL;
        cos trigonometric::cos, pxfm::f_cos, ALL;
        tan trigonometric::tan, pxfm::f_tan, ALL;
        asin inverse::asin, pxfm::f_asin, (-1.0, 1.0);
        acos inverse::acos, pxfm::f_acos, (-1.0, 1.0);
        atan inverse::atan, pxfm::f_atan, ALL;
        sinh exponential::sinh, pxfm::f_sinh, ALL;
        cosh exponential::cosh, pxfm::f_cosh, ALL;
        tanh exponential::tanh, pxfm::f_tanh, ALL;
        asinh logarithm::asinh, pxfm::f_asinh, ALL;
        acosh logarithm::acosh, pxfm::f_acosh, (1.0, f64::MAX);
        atanh logarithm::atanh, pxfm::f_atanh, (-1.0, 1.0);
        sqrt f64::sqrt, f64::sqrt, (0.0, f64::MAX);
        cbrt power::cbrt, pxfm::f_cbrt, ALL;
    }
}

/// A few fixed arguments, random bits, and random numbers of ranges in which something changes.
fn arguments() -> Vec<f64> {
    let mut state = 1_u64;
    let mut bits = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state ^ state >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    };
    let mut all = vec![
        1.0,
        -1.0,
        0.5,
        2.0,
        5e-324,
        -5e-324,
        1e-310,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        1.0 + f64::EPSILON,
        1.0 - f64::EPSILON,
        709.782712893384,
        709.7827128933841,
        710.4758600739439,
        -745.1332191019411,
        -708.3964185322641,
        FRAC_PI_2,
        FRAC_PI_4,
        PI,
        1_647_098.9,
        1_647_099.1,
    ];
    all.extend((0..COUNT).map(|_| f64::from_bits(bits())).filter(|x| x.is_finite()));
    for (least, most) in [
        (-1e-3, 1e-3),
        (-1.0, 1.0),
        (0.0, 3.0),
        (0.99, 1.01),
        (1.0, 1.000_000_1),
        (-20.0, 20.0),
        (-750.0, 750.0),
        (-1e6, 1e6),
        (-1e12, 1e12),
    ] {
        let unit = |bits: u64| (bits >> 11) as f64 / (1_u64 << 53) as f64;
        all.extend((0..COUNT).map(|_| least + (most - least) * unit(bits())));
    }
    all
}

/// How many numbers lie between two.
fn distance(a: f64, b: f64) -> u64 {
    let order = |x: f64| if x < 0.0 { -(x.abs().to_bits() as i64) } else { x.abs().to_bits() as i64 };
    if a.is_nan() || b.is_nan() { u64::MAX } else { order(a).abs_diff(order(b)) }
}

fn distance_narrow(a: f32, b: f32) -> u32 {
    let order = |x: f32| if x < 0.0 { -(x.abs().to_bits() as i32) } else { x.abs().to_bits() as i32 };
    if a.is_nan() || b.is_nan() { u32::MAX } else { order(a).abs_diff(order(b)) }
}

fn run<T: Float>(function: Loop<T>, input: &[T]) -> Vec<T> {
    let mut output = vec![T::narrow(0.0); input.len()];
    function(input, &mut output);
    output
}

#[test]
fn double_precision_is_right_to_two_roundings() {
    for Case { name, wide, reference, domain, .. } in cases() {
        let input: Vec<f64> = arguments().into_iter().filter(|x| (domain.0..=domain.1).contains(x)).collect();
        assert!(input.len() > COUNT);
        for (&x, y) in input.iter().zip(run(wide, &input)) {
            let exact = reference(x);
            assert!(distance(y, exact) <= 2, "{name}({x:e}) is {exact:e}, not {y:e}");
        }
    }
}

#[test]
fn single_precision_is_right_to_one_rounding() {
    for Case { name, narrow, reference, domain, .. } in cases() {
        let input: Vec<f32> = arguments()
            .into_iter()
            .map(|x| x as f32)
            .filter(|&x| x.is_finite() && (domain.0..=domain.1).contains(&f64::from(x)))
            .collect();
        for (&x, y) in input.iter().zip(run(narrow, &input)) {
            let exact = reference(f64::from(x)) as f32;
            assert!(distance_narrow(y, exact) <= 1, "{name}({x:e}) is {exact:e}, not {y:e}");
        }
    }
}

#[test]
fn functions_of_two_numbers_are_right_to_two_roundings() {
    let x = arguments();
    let mut y = x.clone();
    y.rotate_left(x.len() / 2 + 7);
    let near_one: Vec<f64> = x.iter().map(|x| 1.0 + (x % 1.0) * 1e-6).collect();
    let large: Vec<f64> = y.iter().map(|y| (y % 1.0) * 1e8).collect();
    type Pairs = (&'static str, fn(&[f64], &[f64], &mut [f64]), fn(f64, f64) -> f64);
    let functions: [Pairs; 3] = [
        ("pow", Math::pow, pxfm::f_pow),
        ("hypot", Math::hypot, pxfm::f_hypot),
        ("atan2", Math::atan2, pxfm::f_atan2),
    ];
    for (name, function, reference) in functions {
        for (x, y) in [(&x, &y), (&y, &x), (&near_one, &large)] {
            let mut output = vec![0.0; x.len()];
            function(x, y, &mut output);
            for ((&x, &y), z) in x.iter().zip(y).zip(output) {
                let exact = reference(x, y);
                let right = distance(z, exact) <= 2 || exact.is_nan() && z.is_nan();
                assert!(right, "{name}({x:e}, {y:e}) is {exact:e}, not {z:e}");
            }
        }
    }
}

#[test]
fn the_bessel_function_is_right_to_eight_roundings() {
    let input: Vec<f64> = arguments().into_iter().filter(|x| x.abs() < 700.0).collect();
    for (&x, y) in input.iter().zip(run(<f64 as Math>::i0, &input)) {
        let exact = pxfm::f_i0(x);
        assert!(distance(y, exact) <= 8, "i0({x:e}) is {exact:e}, not {y:e}");
        assert_eq!(y.to_bits(), bessel::i0(x).to_bits(), "i0({x:e})");
    }
    let input: Vec<f32> = input.into_iter().map(|x| x as f32).filter(|x| x.abs() < 85.0).collect();
    for (&x, y) in input.iter().zip(run(<f32 as Math>::i0, &input)) {
        let exact = pxfm::f_i0(f64::from(x)) as f32;
        assert!(distance_narrow(y, exact) <= 1, "i0({x:e}) is {exact:e}, not {y:e}");
    }
}

/// The plain functions are compiled for the oldest processor, and one by one.
#[test]
fn every_processor_and_every_place_in_a_slice_gives_the_same_bits() {
    let input: Vec<f64> = arguments().into_iter().filter(|x| x.abs() <= trigonometric::LARGEST).collect();
    for Case { name, wide, plain, .. } in cases() {
        let all = run(wide, &input);
        for (&x, y) in input.iter().zip(&all) {
            let alone = plain(x);
            assert!(y.to_bits() == alone.to_bits() || y.is_nan() && alone.is_nan(), "{name}({x:e})");
        }
        for (first, length) in [(0, 1), (1, 2), (3, 7), (5, 31), (0, 33), (11, 64), (2, 100)] {
            let part = run(wide, &input[first..first + length]);
            let same = part.iter().zip(&all[first..]).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan());
            assert!(same, "{name} of {length} elements from {first}");
        }
    }
}

#[test]
fn special_arguments() {
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    // The results for 0, -0, infinity, -infinity, NaN.
    let table: [(Loop<f64>, [f64; 5]); 21] = [
        (Math::exp, [1.0, 1.0, INF, 0.0, NAN]),
        (Math::exp2, [1.0, 1.0, INF, 0.0, NAN]),
        (Math::exp_m1, [0.0, -0.0, INF, -1.0, NAN]),
        (Math::ln, [-INF, -INF, INF, NAN, NAN]),
        (Math::ln_1p, [0.0, -0.0, INF, NAN, NAN]),
        (Math::log2, [-INF, -INF, INF, NAN, NAN]),
        (Math::log10, [-INF, -INF, INF, NAN, NAN]),
        (Math::sin, [0.0, -0.0, NAN, NAN, NAN]),
        (Math::cos, [1.0, 1.0, NAN, NAN, NAN]),
        (Math::tan, [0.0, -0.0, NAN, NAN, NAN]),
        (Math::asin, [0.0, -0.0, NAN, NAN, NAN]),
        (Math::acos, [FRAC_PI_2, FRAC_PI_2, NAN, NAN, NAN]),
        (Math::atan, [0.0, -0.0, FRAC_PI_2, -FRAC_PI_2, NAN]),
        (Math::sinh, [0.0, -0.0, INF, -INF, NAN]),
        (Math::cosh, [1.0, 1.0, INF, INF, NAN]),
        (Math::tanh, [0.0, -0.0, 1.0, -1.0, NAN]),
        (Math::asinh, [0.0, -0.0, INF, -INF, NAN]),
        (Math::acosh, [NAN, NAN, INF, NAN, NAN]),
        (Math::atanh, [0.0, -0.0, NAN, NAN, NAN]),
        (Math::sqrt, [0.0, -0.0, INF, NAN, NAN]),
        (Math::cbrt, [0.0, -0.0, INF, -INF, NAN]),
    ];
    for (place, (function, expected)) in table.into_iter().enumerate() {
        let output = run(function, &[0.0, -0.0, INF, -INF, NAN]);
        for (y, expected) in output.into_iter().zip(expected) {
            let same = y.to_bits() == expected.to_bits() || y.is_nan() && expected.is_nan();
            assert!(same, "row {place}: {y} is not {expected}");
        }
    }
    assert_eq!(run::<f64>(Math::log2, &[8.0, 0.5, 5e-324]), [3.0, -1.0, -1074.0]);
    assert_eq!(run::<f64>(Math::log10, &[1000.0, 1e22]), [3.0, 22.0]);
    assert_eq!(run::<f64>(Math::exp2, &[10.0, -1074.0, -1076.0, 1024.0]), [1024.0, 5e-324, 0.0, INF]);
    assert_eq!(run::<f64>(Math::atanh, &[1.0, -1.0]), [INF, -INF]);
    assert_eq!(run::<f64>(Math::ln_1p, &[-1.0, 1e-300]), [-INF, 1e-300]);
    assert_eq!(run::<f64>(Math::acosh, &[1.0, 1e308]), [0.0, 1e308_f64.ln() + LN_2]);
    assert!(run::<f64>(Math::asin, &[1.1]).iter().chain(&run::<f64>(Math::ln, &[-1.0])).all(|y| y.is_nan()));
}

/// Values from 2,000-bit arithmetic. The first is the argument below 1,647,099 that lies nearest to a multiple
/// of pi/2.
#[test]
fn angles_far_from_zero_and_near_multiples_of_a_right_angle() {
    let input = [45.553093477052, 1e22, 1e300, f64::MAX];
    let check = |function: Loop<f64>, expected: [f64; 4]| {
        for (y, expected) in run(function, &input).into_iter().zip(expected) {
            assert!(distance(y, expected) <= 1, "{y:e} is not {expected:e}");
        }
    };
    check(Math::sin, [1.0, -0.8522008497671888, -0.8178819121159085, 0.004961954789184062]);
    check(Math::cos, [-6.189806365883577e-19, 0.523214785395139, -0.5753861119575491, -0.9999876894265599]);
    check(
        Math::tan,
        [-1.6155594228467482e18, -1.6287782256068988, 1.4214488238747245, -0.004962015874444895],
    );
}

/// Every pair of these, against the standard library: C says what the power is.
#[test]
fn powers_of_special_numbers() {
    let numbers = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        -2.0,
        0.5,
        -0.5,
        3.0,
        -3.0,
        1e300,
        -1e300,
        5e-324,
        -5e-324,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        4_503_599_627_370_497.0,
        9_007_199_254_740_991.0,
        -9_007_199_254_740_992.0,
    ];
    for exponent in numbers {
        let mut output = [0.0; 20];
        Math::pow(&numbers, &[exponent; 20], &mut output);
        for (base, y) in numbers.into_iter().zip(output) {
            let expected = base.powf(exponent);
            let same = y.is_nan() && expected.is_nan()
                || y.is_sign_negative() == expected.is_sign_negative() && distance(y, expected) <= 1;
            assert!(same, "{base:e} to the power of {exponent:e} is {expected:e}, not {y:e}");
        }
    }
}

#[test]
fn two_numbers_of_which_some_are_special() {
    const INF: f64 = f64::INFINITY;
    let y = [0.0, -0.0, 0.0, -0.0, INF, INF, 1.0, 1.0, 0.0, f64::NAN, -1e-300];
    let x = [1.0, 1.0, -1.0, -1.0, INF, -INF, INF, 0.0, 0.0, 1.0, 1e300];
    let expected = [0.0, -0.0, PI, -PI, FRAC_PI_4, 3.0 * FRAC_PI_4, 0.0, FRAC_PI_2, 0.0, f64::NAN, -0.0];
    let mut output = [0.0; 11];
    Math::atan2(&y, &x, &mut output);
    for (y, expected) in output.iter().zip(expected) {
        assert!(y.to_bits() == expected.to_bits() || y.is_nan() && expected.is_nan(), "{y} not {expected}");
    }
    let mut output = [0.0; 5];
    Math::hypot(&[3e200, 3e-200, 5e-324, -INF, 1.0], &[4e200, 4e-200, 0.0, f64::NAN, f64::NAN], &mut output);
    for (y, expected) in output.iter().zip([5e200, 5e-200, 5e-324, INF]) {
        assert!(distance(*y, expected) <= 1, "{y:e} is not {expected:e}");
    }
    assert!(output[4].is_nan());
}

#[test]
#[should_panic(expected = "input and output have one length")]
fn lengths_must_agree() {
    Math::exp(&[1.0, 2.0], &mut [0.0]);
}
