//! Chunked arrays against NumPy: its answers to a table of cases, which `numpy_cases/generate.py` wrote.

use maniple::{
    Client, Runtime,
    array::{Array, Axes, Element, Number, Operand, Ordered},
};
use ndarray::{ArrayD, IxDyn, SliceInfoElem};
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

/// What numbers of all types can; returns whether the case was one of these.
fn any_number<T: Word + Number + Ordered + Operand<T>>(client: &Client, case: &Value) -> bool
where
    T::Sum: Word,
{
    let x = || given::<T>(client, case, "values");
    if case["right"].is_array() {
        let (left, right) = (x(), given::<T>(client, case, "right"));
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
        other => panic!("nobody knows {other}"),
    }
}

#[test]
fn every_case_of_the_table() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy_cases/cases.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(table).unwrap()).unwrap();
    assert!(cases.len() > 500);
    Runtime::builder()
        .threads(2)
        .execute(|client| {
            for case in &cases {
                let is_absolute = case["operation"] == "absolute";
                match case["dtype"].as_str().unwrap() {
                    "float64" if any_number::<f64>(client, case) => {}
                    "float64" => real(client, case),
                    "int32" if is_absolute => check(case, given::<i32>(client, case, "values").abs()),
                    "int64" if is_absolute => check(case, given::<i64>(client, case, "values").abs()),
                    "uint8" if is_absolute => check(case, given::<u8>(client, case, "values").abs()),
                    "uint32" if is_absolute => check(case, given::<u32>(client, case, "values").abs()),
                    "uint64" if is_absolute => check(case, given::<u64>(client, case, "values").abs()),
                    "int32" => assert!(any_number::<i32>(client, case), "{case}"),
                    "int64" => assert!(any_number::<i64>(client, case), "{case}"),
                    "uint8" => assert!(any_number::<u8>(client, case), "{case}"),
                    "uint32" => assert!(any_number::<u32>(client, case), "{case}"),
                    "uint64" => assert!(any_number::<u64>(client, case), "{case}"),
                    other => panic!("nobody knows {other}"),
                }
            }
            Ok(())
        })
        .unwrap();
}
