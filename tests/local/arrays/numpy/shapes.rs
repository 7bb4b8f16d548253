//! Parts and shapes of arrays in the table's programs.

use super::{
    operations::Built,
    table::{Random, Step},
    value::{Value, any, on, on_two, read_one},
};
use maniple::array::{block, concatenate, stack};
use ndarray::SliceInfoElem;

/// A part as groups of four numbers: 0, start, end and step of a range, 1 and an index, or 2 for a new axis.
fn slices(numbers: &[i64]) -> Vec<SliceInfoElem> {
    let part = |part: &[i64]| match part[0] {
        0 => SliceInfoElem::Slice {
            start: part[1] as isize,
            end: Some(part[2] as isize),
            step: part[3] as isize,
        },
        1 => SliceInfoElem::Index(part[1] as isize),
        _ => SliceInfoElem::NewAxis,
    };
    numbers.chunks_exact(4).map(part).collect()
}

/// An operation on one array; `None` if there is none of this name.
pub(super) fn of_one(step: &Step, x: &Value, random: &mut Random) -> Option<Built> {
    let at = |place: usize| step.size(place);
    Some(match step.operation.as_str() {
        "slice" => any!(x, x => x.slice(slices(&step.numbers))),
        "take" => any!(x, x => x.take(at(0), &step.sizes(1))),
        "rechunk" => {
            let chunks = random.chunks(&x.shape());
            any!(x, x => x.rechunk(chunks.clone()))
        }
        "reshape" => {
            let shape: Vec<isize> = step.numbers.iter().map(|length| *length as isize).collect();
            any!(x, x => x.reshape(&shape))
        }
        "ravel" => any!(x, x => x.ravel()),
        "transpose" => any!(x, x => x.transpose()),
        "permute_axes" => any!(x, x => x.permute_axes(&step.sizes(0))),
        "swap_axes" => any!(x, x => x.swap_axes(at(0), at(1))),
        "expand_dims" => any!(x, x => x.expand_dims(at(0))),
        "squeeze" => any!(x, x => x.squeeze()),
        "broadcast_to" => any!(x, x => x.broadcast_to(step.sizes(0))),
        "flip" => any!(x, x => x.flip(at(0))),
        "roll" => any!(x, x => x.roll(step.numbers[1], at(0))),
        "repeat" => any!(x, x => x.repeat(at(1), at(0))),
        "tile" => any!(x, x => x.tile(&step.sizes(0))),
        "pad" => any!(x, x => x.pad(at(0), at(1), at(2), read_one(&step.words))),
        "tril" => any!(x, x => x.tril(step.numbers[0])),
        "triu" => any!(x, x => x.triu(step.numbers[0])),
        "diagonal" => any!(x, x => x.diagonal(step.numbers[0])),
        "to_diagonal" => any!(x, x => x.to_diagonal()),
        "trace" => on!(x, [U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64], x => x.trace(step.numbers[0])),
        _ => return None,
    })
}

/// The parts of an array between places along an axis.
pub(super) fn split(step: &Step, x: &Value) -> Vec<Value> {
    macro_rules! of {
        ($($Variant:ident)*) => {
            match x {
                $(Value::$Variant(x) => {
                    x.split(&step.sizes(1), step.size(0)).into_iter().map(Value::from).collect()
                })*
            }
        };
    }
    of!(Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64)
}

/// An operation on any number of arrays of one type.
pub(super) fn of_many(step: &Step, values: &[&Value]) -> Option<Built> {
    macro_rules! joined {
        ($arrays:ident => $code:expr, $($Variant:ident)*) => {
            match values[0] {
                $(Value::$Variant(_) => {
                    let arrays = values.iter().map(|value| match value {
                        Value::$Variant(array) => array.clone(),
                        other => panic!("not for {other:?}"),
                    });
                    let $arrays: Vec<_> = arrays.collect();
                    Ok(Value::from($code))
                })*
            }
        };
        ($arrays:ident => $code:expr) => { joined!($arrays => $code, Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64) };
    }
    Some(match step.operation.as_str() {
        "concatenate" => joined!(arrays => concatenate(&arrays, step.size(0))),
        "stack" => joined!(arrays => stack(&arrays, step.size(0))),
        "block" => joined!(arrays => {
            let mut rest = arrays.into_iter();
            let rows: Vec<Vec<_>> =
                step.sizes(0).into_iter().map(|length| rest.by_ref().take(length).collect()).collect();
            block(&rows)
        }),
        "set_slice" => {
            on_two!(values[0], values[1], [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64], x y =>
            x.set_slice(slices(&step.numbers), y))
        }
        _ => return None,
    })
}
