//! Functions of complex numbers over the whole range, against the table that `numpy_cases/complex.py` makes.

use crate::arrays::with_client;
use maniple::{
    Array, Client,
    array::{Element, Float},
};
use ndarray::Array1;
use num_complex::Complex;
use std::{collections::HashMap, path::Path};

type C = Complex<f64>;

/// How far each part of a result may be from the exact one, rounded: in units in the last place.
const ULPS: f64 = 3.0;

fn number_of(word: &str) -> f64 {
    if word == "nan" { f64::NAN } else { f64::from_bits(u64::from_str_radix(word, 16).unwrap()) }
}

fn pair_of(word: &str) -> C {
    let (re, im) = word.split_once(',').unwrap();
    C::new(number_of(re), number_of(im))
}

/// The lines of the table, by the word that they begin with.
fn table() -> HashMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numpy_cases/complex.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let mut words = line.split(' ').map(String::from);
        (words.next().unwrap(), words.collect())
    };
    text.lines().map(line).collect()
}

/// Numbers of one precision, as the table has them.
trait Precision: Element + Float + Copy {
    const EPSILON: f64;
    const LEAST: f64;
    const MOST: f64;
    fn of(number: C) -> Self;
    fn wide(self) -> C;
    fn magnitude(real: Self::Magnitude) -> f64;
}

macro_rules! precision {
    ($($T:ty),*) => { $(
        impl Precision for Complex<$T> {
            const EPSILON: f64 = <$T>::EPSILON as f64;
            const LEAST: f64 = <$T>::MIN_POSITIVE as f64;
            const MOST: f64 = <$T>::MAX as f64;
            fn of(number: C) -> Self {
                Self::new(number.re as $T, number.im as $T)
            }
            fn wide(self) -> C {
                C::new(self.re.into(), self.im.into())
            }
            fn magnitude(real: $T) -> f64 {
                real.into()
            }
        }
    )* };
}
precision!(f32, f64);

/// Whether the number is one of this precision.
fn fits<T: Precision>(number: C) -> bool {
    let back = T::of(number).wide();
    let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
    same(back.re, number.re) && same(back.im, number.im)
}

/// Whether a part of a result is right, to so many units in its own last place or in that of `scale`.
fn is_right<T: Precision>(found: f64, expected: f64, has_sign: bool, ulps: f64, scale: f64) -> bool {
    if found.is_nan() || expected.is_nan() {
        return found.is_nan() && expected.is_nan();
    }
    let expected = T::of(C::new(expected, 0.0)).wide().re;
    if has_sign && found.is_sign_negative() != expected.is_sign_negative() {
        return false;
    }
    if found.is_infinite() != expected.is_infinite() {
        // At the limit, rounding decides.
        return found.abs().min(expected.abs()) >= T::MOST * (1.0 - ulps * T::EPSILON);
    }
    let unit = expected.abs().max(scale).max(T::LEAST) * T::EPSILON;
    expected.is_infinite() || (found - expected).abs() <= ulps * unit
}

struct Check {
    what: String,
    arguments: Vec<C>,
    found: C,
    expected: C,
    ulps: f64,
    /// Where only the whole result is right to so many units, its magnitude.
    scale: f64,
}

impl Check {
    fn words<T: Precision>(&self) -> Option<String> {
        // Beside NaN, and of zeros that are differences, C leaves the sign open.
        let is_open = self.expected.is_nan() || self.scale > 0.0;
        let is_part_right = |found: f64, expected: f64| {
            let has_sign = !(is_open || self.what == "divide" && expected == 0.0);
            is_right::<T>(found, expected, has_sign, self.ulps, self.scale)
        };
        let is_right =
            is_part_right(self.found.re, self.expected.re) && is_part_right(self.found.im, self.expected.im);
        let Self { what, arguments, found, expected, .. } = self;
        (!is_right)
            .then(|| format!("{what} of {arguments:?} in {} is {found:?}, not {expected:?}", T::DATA_TYPE))
    }
}

#[track_caller]
fn assert_none(wrong: Vec<String>) {
    assert!(
        wrong.is_empty(),
        "{} results are wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(400)].join("\n")
    );
}

fn array<T: Element>(client: &Client, numbers: &[T]) -> Array<T> {
    client.from_ndarray(&Array1::from_vec(numbers.to_vec()), 100).unwrap()
}

fn unary<T: Precision>(client: &Client, name: &str, numbers: &[C]) -> Vec<C> {
    let narrow: Vec<T> = numbers.iter().map(|number| T::of(*number)).collect();
    let x = array(client, &narrow);
    let result = match name {
        "abs" => {
            let result = x.abs().compute().unwrap();
            return result.iter().map(|real| C::new(T::magnitude(*real), 0.0)).collect();
        }
        "exp" => x.exp(),
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tan" => x.tan(),
        "sinh" => x.sinh(),
        "cosh" => x.cosh(),
        "tanh" => x.tanh(),
        "arcsin" => x.asin(),
        "arccos" => x.acos(),
        "arctan" => x.atan(),
        "arcsinh" => x.asinh(),
        "arccosh" => x.acosh(),
        "arctanh" => x.atanh(),
        "log" => x.ln(),
        "sqrt" => x.sqrt(),
        "reciprocal" => x.recip(),
        other => panic!("nobody knows {other}"),
    };
    result.compute().unwrap().iter().map(|number| number.wide()).collect()
}

fn wrong_functions<T: Precision>(client: &Client) -> Vec<String> {
    let table = table();
    let parts: Vec<f64> = table["parts"].iter().map(|word| number_of(word)).collect();
    let numbers: Vec<C> = parts.iter().flat_map(|re| parts.iter().map(|im| C::new(*re, *im))).collect();
    let mut wrong = Vec::new();
    for (name, words) in &table {
        if name == "divide" || words.len() != numbers.len() {
            continue;
        }
        let found = unary::<T>(client, name, &numbers);
        for ((number, found), word) in numbers.iter().zip(found).zip(words) {
            let check = Check {
                what: name.clone(),
                arguments: vec![*number],
                found,
                expected: pair_of(word),
                ulps: ULPS,
                scale: 0.0,
            };
            wrong.extend(check.words::<T>().filter(|_| fits::<T>(*number)));
        }
    }
    wrong.sort();
    wrong
}

#[test]
fn functions_are_right_over_the_whole_range() {
    with_client(|client| {
        let mut wrong = wrong_functions::<Complex<f64>>(client);
        wrong.extend(wrong_functions::<Complex<f32>>(client));
        assert_none(wrong);
    });
}

/// All pairs of numbers, and those results that are wrong.
fn wrong_pairs<T: Precision>(client: &Client, name: &str, [left, right]: [&str; 2]) -> Vec<String> {
    let table = table();
    let [left, right] =
        [left, right].map(|name| table[name].iter().map(|word| pair_of(word)).collect::<Vec<C>>());
    let pairs: Vec<(C, C)> = left.iter().flat_map(|left| right.iter().map(|right| (*left, *right))).collect();
    let operand = |numbers: Vec<T>| array(client, &numbers);
    let left = operand(pairs.iter().map(|pair| T::of(pair.0)).collect());
    let right = operand(pairs.iter().map(|pair| T::of(pair.1)).collect());
    let result = if name == "divide" { left / right } else { left.pow(right) }.compute().unwrap();
    let mut wrong = Vec::new();
    for ((pair, found), word) in pairs.iter().zip(&result).zip(&table[name]) {
        let expected = pair_of(word);
        let mut check = Check {
            what: name.into(),
            arguments: vec![pair.0, pair.1],
            found: found.wide(),
            expected,
            ulps: 2.0,
            scale: 0.0,
        };
        if name == "power" {
            // The error of the logarithm, multiplied by the exponent.
            let factor = 1.0 + pair.1.norm() * (pair.0.norm().ln().abs() + 4.0);
            let magnitude = expected.re.abs().max(expected.im.abs());
            (check.ulps, check.scale) = (4.0 * factor, magnitude.clamp(T::LEAST, T::MOST));
        }
        wrong.extend(check.words::<T>().filter(|_| fits::<T>(pair.0) && fits::<T>(pair.1)));
    }
    wrong
}

#[test]
fn quotients_are_right_over_the_whole_range() {
    with_client(|client| {
        let mut wrong = wrong_pairs::<Complex<f64>>(client, "divide", ["numbers", "numbers"]);
        wrong.extend(wrong_pairs::<Complex<f32>>(client, "divide", ["numbers", "numbers"]));
        assert_none(wrong);
    });
}

#[test]
fn powers_are_right_over_the_whole_range() {
    with_client(|client| {
        let mut wrong = wrong_pairs::<Complex<f64>>(client, "power", ["bases", "exponents"]);
        wrong.extend(wrong_pairs::<Complex<f32>>(client, "power", ["bases", "exponents"]));
        assert_none(wrong);
        // An exponent that is constant, of which the real part alone would ask for squares.
        let x = client.full(C::new(0.5, 0.25), [3], 2);
        let found = x.pow(C::new(2.0, 3.0)).compute().unwrap()[[2]];
        let expected = (C::new(2.0, 3.0) * C::new(0.5, 0.25).ln()).exp();
        assert!((found - expected).norm() < 1e-15, "{found} is not {expected}");
        assert_eq!(x.pow(C::new(2.0, 0.0)).compute().unwrap()[[2]], C::new(0.1875, 0.25));
    });
}
