//! Calculated padding, slopes at edges, lists of new elements and masks by condition in the table's programs.

use super::{
    table::Step,
    value::{Cell, NO_OPERATION, Value, on, on_two, read_one},
};
use maniple::{
    Array,
    array::{Element, Masked, Number, Ordered, PadStatistic},
};

/// The elements of a masked array, with 0 for those that are masked, and its mask.
fn both<T: Element>(masked: &Masked<T>) -> Vec<Value>
where
    Array<T>: Into<Value>,
{
    vec![masked.filled(T::default()).into(), masked.mask().clone().into()]
}

fn pairs(numbers: &[usize]) -> Vec<(usize, usize)> {
    numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// The results of an operation; `None` if there is none of this name.
pub(super) fn apply(step: &Step, of: &[&Value]) -> Option<Result<Vec<Value>, String>> {
    let x = *of.first()?;
    let axis = || step.size(0);
    let one = match step.operation.as_str() {
        "pad_ramp" => {
            on!(x, [U8 I32 F32 F64], x => x.pad_ramp(&pairs(&step.sizes(0)), read_one(&step.words)))
        }
        "pad_statistic" => {
            let statistic = match step.words[0].as_str() {
                "maximum" => PadStatistic::Maximum,
                "minimum" => PadStatistic::Minimum,
                "mean" => PadStatistic::Mean,
                _ => PadStatistic::Median,
            };
            let length = (step.size(0) > 0).then(|| step.size(0));
            let counts = pairs(&step.sizes(1));
            on!(x, [U8 I32 F32 F64], x => x.pad_statistic(&counts, statistic, length))
        }
        "gradient_with_parabolas" => {
            let spacing = read_one(&step.words);
            on!(x, [F32 F64 C32 C64], x => x.gradient_with_parabolas(axis(), spacing))
        }
        "float_power" if matches!(x, Value::C32(_) | Value::C64(_)) => {
            on_two!(x, of[1], [C32 C64], x y => x.float_power(y))
        }
        "set_mask_values" => {
            let Value::Bool(condition) = of[1] else { return Some(Err(format!("{NO_OPERATION}: a mask"))) };
            on_two!(x, of[2], [U8 F64 C64], x values => {
                let values = values.compute().map_err(|error| error.to_string());
                let set = values.and_then(|values| {
                    x.set_mask_values(condition, values.as_slice().unwrap()).map_err(|error| error.to_string())
                });
                match set {
                    Ok(set) => set,
                    Err(error) => return Some(Err(error)),
                }
            })
        }
        "compress" => {
            let condition: Vec<bool> = step.numbers[1..].iter().map(|number| *number != 0).collect();
            on!(x, [U8 F64 C64], x => x.compress(axis(), &condition))
        }
        "masked_by" => {
            return Some(match x {
                Value::U8(x) => masked_by(step, x),
                Value::I32(x) => masked_by(step, x),
                Value::F32(x) => masked_by(step, x),
                Value::F64(x) => masked_by(step, x),
                other => Err(format!("{NO_OPERATION}: not for {other:?}")),
            });
        }
        "masked_average" => {
            return Some(match of {
                [Value::F32(x), Value::Bool(mask), Value::F32(weights)] => {
                    Ok(both(&x.masked(mask).average_axis(axis(), weights)))
                }
                [Value::F64(x), Value::Bool(mask), Value::F64(weights)] => {
                    Ok(both(&x.masked(mask).average_axis(axis(), weights)))
                }
                _ => Err(format!("{NO_OPERATION}: an average of these")),
            });
        }
        _ => return None,
    };
    Some(one.map(|value| vec![value]))
}

fn masked_by<T: Cell + Number + Ordered>(step: &Step, x: &Array<T>) -> Result<Vec<Value>, String>
where
    Array<T>: Into<Value>,
{
    let limit =
        |place: usize| -> Array<T> { x.client().full(read_one::<T>(&step.words[place..=place]), [], 1) };
    let number = |place: usize| read_one::<T>(&step.words[place..=place]);
    Ok(both(&match step.words[0].as_str() {
        "equal" => x.masked_equal(limit(1)),
        "not_equal" => x.masked_not_equal(limit(1)),
        "less" => x.masked_less(limit(1)),
        "less_equal" => x.masked_less_equal(limit(1)),
        "greater" => x.masked_greater(limit(1)),
        "greater_equal" => x.masked_greater_equal(limit(1)),
        "inside" => x.masked_inside(number(1), number(2)),
        "outside" => x.masked_outside(number(1), number(2)),
        "invalid" => x.masked_invalid(),
        other => return Err(format!("{NO_OPERATION}: {other}")),
    }))
}
