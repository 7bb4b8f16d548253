//! Chunked arrays against NumPy: its answers to a table of cases, which `numpy_cases/generate.py` wrote.

use crate::with_client;
use maniple::{
    Client,
    array::{Array, Axes, Element, Integer, Norm, Number, Operand, Ordered, Side},
};
use ndarray::{ArrayD, IxDyn, SliceInfoElem};
use num_complex::Complex;
use serde_json::Value;
use std::str::FromStr;

/// Elements as they stand in the table.
trait Word: Element {
    fn of_word(word: &str) -> Self;
    /// Whether they are the same: NaN is, and zeros of different signs are not.
    fn is_same(self, other: Self) -> bool;
}

macro_rules! words {
    ($($T:ty),*) => { $(
        impl Word for $T {
            fn of_word(word: &str) -> Self {
                Self::from_str(&word.to_lowercase()).expect(word)
            }
            fn is_same(self, other: Self) -> bool {
                self == other
            }
        }
    )* };
}
words!(bool, u8, u32, u64, i32, i64);

impl Word for f64 {
    fn of_word(word: &str) -> Self {
        word.parse().expect(word)
    }
    fn is_same(self, other: Self) -> bool {
        let near = (self - other).abs() <= 1e-14 * other.abs();
        self.is_nan() && other.is_nan()
            || self == other && self.is_sign_negative() == other.is_sign_negative()
            || near && self != 0.0
    }
}

/// Elements that are compared up to rounding.
trait Near: Element {
    /// Of the words from a place on.
    fn of_words(words: &[Value]) -> Vec<Self>;
    fn distance(self, other: Self) -> f64;
}

impl Near for f64 {
    fn of_words(words: &[Value]) -> Vec<Self> {
        words.iter().map(|word| Self::of_word(word.as_str().unwrap())).collect()
    }
    fn distance(self, other: Self) -> f64 {
        if self == other || self.is_nan() && other.is_nan() { 0.0 } else { (self - other).abs() }
    }
}

impl Near for Complex<f64> {
    fn of_words(words: &[Value]) -> Vec<Self> {
        f64::of_words(words).chunks(2).map(|parts| Self::new(parts[0], parts[1])).collect()
    }
    fn distance(self, other: Self) -> f64 {
        self.re.distance(other.re).max(self.im.distance(other.im))
    }
}

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

fn elements<T: Word>(case: &Value, values: &str, shape: &str) -> ArrayD<T> {
    let values = case[values].as_array().unwrap().iter().map(|word| T::of_word(word.as_str().unwrap()));
    ArrayD::from_shape_vec(IxDyn(&numbers(&case[shape])), values.collect()).unwrap()
}

/// The array of a case, in blocks of 3 along each axis.
fn given<T: Word>(client: &Client, case: &Value, values: &str) -> Array<T> {
    client.from_ndarray(&elements::<T>(case, values, "shape"), 3).unwrap()
}

fn check<T: Word>(case: &Value, result: Array<T>) {
    let wanted = elements::<T>(case, "result", "result_shape");
    let result = result.compute().unwrap();
    let told = || {
        format!(
            "{}\ngave {result:?}\nnot  {wanted:?}",
            case.to_string().chars().take(400).collect::<String>()
        )
    };
    assert_eq!(result.shape(), wanted.shape(), "{}", told());
    assert!(result.iter().zip(&wanted).all(|(own, wanted)| own.is_same(*wanted)), "{}", told());
    assert_eq!(T::DATA_TYPE.name(), case["result_dtype"].as_str().unwrap(), "{}", told());
}

/// The array of a case in blocks of 3, but whole along these axes.
fn given_near<T: Near>(client: &Client, case: &Value, whole: &[usize]) -> Array<T> {
    let shape = numbers(&case["shape"]);
    let chunks: Vec<usize> =
        (0..shape.len()).map(|axis| if whole.contains(&axis) { usize::MAX } else { 3 }).collect();
    let values = T::of_words(case["values"].as_array().unwrap());
    client.from_ndarray(&ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap(), chunks).unwrap()
}

fn check_near<T: Near>(case: &Value, result: Array<T>) {
    let wanted = T::of_words(case["result"].as_array().unwrap());
    let result = result.compute().unwrap();
    let told = || {
        let case: String = case.to_string().chars().take(400).collect();
        format!("{case}\ngave {result:?}\nnot  {wanted:?}")
    };
    assert_eq!(result.shape(), numbers(&case["result_shape"]), "{}", told());
    let far = result
        .iter()
        .zip(&wanted)
        .find(|(own, wanted)| own.distance(**wanted).is_nan() || own.distance(**wanted) > 1e-13);
    assert!(far.is_none(), "{far:?}: {}", told());
    assert_eq!(T::DATA_TYPE.name(), case["result_dtype"].as_str().unwrap(), "{}", told());
}

/// What is compared up to rounding; returns whether the case was one of these.
fn rounded<T: Near>(client: &Client, case: &Value) -> bool
where
    T::Mean: Near + maniple::array::Float<Complex = Complex<f64>, Real = f64>,
{
    let axes: Vec<usize> = if case["axes"].is_array() { numbers(&case["axes"]) } else { Vec::new() };
    let x = || given_near::<T>(client, case, &axes);
    let length = case["length"].as_u64().map(|length| length as usize);
    let count = case["values"].as_array().unwrap().len();
    match (case["operation"].as_str().unwrap(), axes.as_slice()) {
        ("fftn", [axis]) => check_near(case, x().fft(*axis)),
        ("ifftn", [axis]) => check_near(case, x().ifft(*axis)),
        ("rfftn", [axis]) => check_near(case, x().rfft(*axis)),
        ("irfftn", [axis]) => check_near(case, x().irfft(*axis, length)),
        ("fftn", axes) => check_near(case, x().fftn(axes)),
        ("ifftn", axes) => check_near(case, x().ifftn(axes)),
        ("rfftn", axes) => check_near(case, x().rfftn(axes)),
        ("irfftn", axes) => check_near(case, x().irfftn(axes, length)),
        ("fftshift", axes) => check_near(case, given_near::<T>(client, case, &[]).fftshift(axes)),
        ("ifftshift", axes) => check_near(case, given_near::<T>(client, case, &[]).ifftshift(axes)),
        ("fftfreq", _) => check_near(case, client.fftfreq(count, case["spacing"].as_f64().unwrap(), 3)),
        ("rfftfreq", _) => check_near(case, client.rfftfreq(count, case["spacing"].as_f64().unwrap(), 3)),
        ("cov", _) => check_near(case, x().cov(case["ddof"].as_f64().unwrap())),
        ("corrcoef", _) => check_near(case, x().corrcoef()),
        ("norm", _) => norm(case, &x()),
        _ => return false,
    }
    true
}

fn norm<T: Near>(case: &Value, x: &Array<T>)
where
    T::Mean: maniple::array::Float<Real = f64>,
{
    let norm = match case["order"].as_str().unwrap() {
        "fro" => Norm::Frobenius,
        "nuc" => Norm::Nuclear,
        order => Norm::Order(order.parse().unwrap()),
    };
    let is_of_singular_values =
        matches!(norm, Norm::Nuclear | Norm::Order(2.0 | -2.0)) && case["axis"].is_null();
    match x.try_norm_axis(norm, axes(case)) {
        Ok(result) => check_near(case, result),
        Err(error) => {
            let is_missing = cfg!(not(feature = "linear-algebra")) && is_of_singular_values;
            assert!(is_missing, "{error}");
        }
    }
}

/// What whole numbers can; returns whether the case was one of these.
fn whole<T: Word + Integer>(client: &Client, case: &Value) -> bool {
    let x = || given::<T>(client, case, "values");
    let least = || case["least"].as_u64().unwrap() as usize;
    match case["operation"].as_str().unwrap() {
        "bincount" => check(case, x().bincount(least()).unwrap()),
        "bincount_weighted" => {
            let weights = given::<f64>(client, case, "weights");
            check_near(case, x().bincount_weighted(&weights, least()).unwrap());
        }
        _ => return false,
    }
    true
}

/// What numbers of all types can; returns whether the case was one of these.
fn any_number<T: Word + Number + Ordered + Operand<T>>(client: &Client, case: &Value) -> bool
where
    T::Sum: Word,
{
    let x = || given::<T>(client, case, "values");
    if case["right"].is_array() {
        let (left, right) = (x(), given::<T>(client, case, "right"));
        let side = if case["side"] == "right" { Side::Right } else { Side::Left };
        match case["operation"].as_str().unwrap() {
            "add" => check(case, left + right),
            "subtract" => check(case, left - right),
            "multiply" => check(case, left * right),
            "floor_divide" => check(case, left.floor_divide(right)),
            "remainder" => check(case, left % right),
            "minimum" => check(case, left.minimum(right)),
            "maximum" => check(case, left.maximum(right)),
            "power" => check(case, left.pow(right)),
            "equal" => check(case, left.eq(right)),
            "not_equal" => check(case, left.ne(right)),
            "less" => check(case, left.lt(right)),
            "less_equal" => check(case, left.le(right)),
            "greater" => check(case, left.gt(right)),
            "greater_equal" => check(case, left.ge(right)),
            "searchsorted" => check(case, left.searchsorted(&right, side)),
            "bitwise_and" => check(case, left & right),
            "bitwise_or" => check(case, left | right),
            "bitwise_xor" => check(case, left ^ right),
            _ => return false,
        }
        return true;
    }
    let axes = || axes(case);
    match case["operation"].as_str().unwrap() {
        "sign" => check(case, x().sign()),
        "negative" => check(case, -x()),
        "square" => check(case, x().square()),
        "sum" => check(case, x().sum_axis(axes())),
        "prod" => check(case, x().prod_axis(axes())),
        "min" => check(case, x().min_axis(axes())),
        "max" => check(case, x().max_axis(axes())),
        "count_nonzero" => check(case, x().count_nonzero_axis(axes())),
        "argmin" => check(case, x().argmin_axis(axes())),
        "argmax" => check(case, x().argmax_axis(axes())),
        "cumsum" => check(case, x().cumsum(axis(case))),
        "cumprod" => check(case, x().cumprod(axis(case))),
        "slice" => {
            let number = |name: &str| case[name].as_i64().unwrap() as isize;
            let (start, end, step) = (number("low"), Some(number("high")), number("step"));
            check(case, x().slice([SliceInfoElem::Slice { start, end, step }]));
        }
        _ => return false,
    }
    true
}

fn axes(case: &Value) -> Axes {
    let axes = match case["axis"].as_u64() {
        Some(axis) => Axes::of(axis as usize),
        None => Axes::all(),
    };
    if case["keep"].as_bool() == Some(true) { axes.keep() } else { axes }
}

fn axis(case: &Value) -> usize {
    case["axis"].as_u64().unwrap() as usize
}

/// What only real numbers can.
fn real(client: &Client, case: &Value) {
    let x = given::<f64>(client, case, "values");
    let right = || given::<f64>(client, case, "right");
    let ddof = case["ddof"].as_f64().unwrap_or(0.0);
    match case["operation"].as_str().unwrap() {
        "divide" => check(case, x / right()),
        "fmin" => check(case, x.fmin(right())),
        "fmax" => check(case, x.fmax(right())),
        "rint" => check(case, x.round()),
        "floor" => check(case, x.floor()),
        "ceil" => check(case, x.ceil()),
        "trunc" => check(case, x.trunc()),
        "absolute" => check(case, x.abs()),
        "isnan" => check(case, x.is_nan()),
        "isinf" => check(case, x.is_infinite()),
        "isfinite" => check(case, x.is_finite()),
        "mean" => check(case, x.mean_axis(axes(case))),
        "var" => check(case, x.var_axis(axes(case), ddof)),
        "std" => check(case, x.std_axis(axes(case), ddof)),
        "nanmin" => check(case, x.nanmin_axis(axes(case))),
        "nanmax" => check(case, x.nanmax_axis(axes(case))),
        "nansum" => check(case, x.nansum_axis(axes(case))),
        "nanprod" => check(case, x.nanprod_axis(axes(case))),
        "nanmean" => check(case, x.nanmean_axis(axes(case))),
        "nanvar" => check(case, x.nanvar_axis(axes(case), ddof)),
        "nanstd" => check(case, x.nanstd_axis(axes(case), ddof)),
        "nanargmin" => check(case, x.nanargmin_axis(axes(case))),
        "nanargmax" => check(case, x.nanargmax_axis(axes(case))),
        "nancumsum" => check(case, x.nancumsum(axis(case))),
        "nancumprod" => check(case, x.nancumprod(axis(case))),
        other => panic!("nobody knows {other}"),
    }
}

#[test]
fn every_case_of_the_table() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy_cases/cases.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(table).unwrap()).unwrap();
    assert!(cases.len() > 500);
    with_client(|client| {
        for case in &cases {
            let is_absolute = case["operation"] == "absolute";
            match case["dtype"].as_str().unwrap() {
                "complex128" => assert!(rounded::<Complex<f64>>(client, case), "{case}"),
                "float64" if rounded::<f64>(client, case) || any_number::<f64>(client, case) => {}
                "float64" => real(client, case),
                "int32" if is_absolute => check(case, given::<i32>(client, case, "values").abs()),
                "int64" if is_absolute => check(case, given::<i64>(client, case, "values").abs()),
                "uint8" if is_absolute => check(case, given::<u8>(client, case, "values").abs()),
                "uint32" if is_absolute => check(case, given::<u32>(client, case, "values").abs()),
                "uint64" if is_absolute => check(case, given::<u64>(client, case, "values").abs()),
                "int32" if whole::<i32>(client, case) => {}
                "int64" if whole::<i64>(client, case) => {}
                "uint8" if whole::<u8>(client, case) => {}
                "uint32" if whole::<u32>(client, case) => {}
                "uint64" if whole::<u64>(client, case) => {}
                "int32" => assert!(any_number::<i32>(client, case), "{case}"),
                "int64" => assert!(any_number::<i64>(client, case), "{case}"),
                "uint8" => assert!(any_number::<u8>(client, case), "{case}"),
                "uint32" => assert!(any_number::<u32>(client, case), "{case}"),
                "uint64" => assert!(any_number::<u64>(client, case), "{case}"),
                other => panic!("nobody knows {other}"),
            }
        }
    });
}
