//! The interpreter of the table's programs: each step is a call of the public interface.

use super::{
    algebra, elementwise, further, more, reductions, sets, shapes,
    table::{Random, Step},
    value::{NO_OPERATION, Value, read_one},
};
use maniple::{Client, array::chunks, half::f16};
use num_complex::Complex;

/// An array, or why there is none.
pub(super) type Built = Result<Value, String>;

/// What a step gives.
pub(super) fn apply(
    client: &Client,
    step: &Step,
    values: &[Value],
    random: &mut Random,
) -> Result<Vec<Value>, String> {
    let of: Vec<&Value> = step.of.iter().map(|place| &values[*place]).collect();
    if step.operation == "split" {
        return Ok(shapes::split(step, of[0]));
    }
    if let Some(results) = of.first().and_then(|_| reductions::counted(step, &of)) {
        return results;
    }
    if let Some(results) = of.first().and_then(|_| sets::apply(step, &of)) {
        return results;
    }
    if let Some(results) = further::apply(step, &of) {
        return results;
    }
    if let Some(results) = more::apply(client, step, &of, random) {
        return results;
    }
    let one = match of.as_slice() {
        [] => create(client, step, random),
        [x] => elementwise::unary(step, x)
            .or_else(|| reductions::reduce(step, x))
            .or_else(|| reductions::along(step, x))
            .or_else(|| shapes::of_one(step, x, random))
            .or_else(|| algebra::adjoint(step, x))
            .or_else(|| algebra::transform(step, x)),
        [x, y] => elementwise::binary(step, x, y).or_else(|| algebra::product(step, x, y)),
        [condition, yes, no] if step.operation == "where" => Some(elementwise::choose(condition, yes, no)),
        _ => None,
    };
    let one = one
        .or_else(|| of.first().and_then(|_| shapes::of_many(step, &of)))
        .or_else(|| of.first().and_then(|_| algebra::factorize(step, &of)));
    let one = one.unwrap_or_else(|| Err(format!("{NO_OPERATION}: {}", step.operation)));
    one.map(|value| vec![value])
}

/// Arrays that are made of nothing, in chunks of random sizes.
fn create(client: &Client, step: &Step, random: &mut Random) -> Option<Built> {
    let number = |place: usize| step.numbers[place];
    let word = |place: usize| -> f64 { step.words[place].parse().expect("a number") };
    let size = 1 + random.below(4);
    macro_rules! of_type {
        ($T:ident => $code:expr, $($name:literal $Type:ty),*) => {
            match step.words[0].as_str() {
                $($name => {
                    type $T = $Type;
                    Ok(Value::from($code))
                })*
                other => Err(format!("not for {other}")),
            }
        };
    }
    macro_rules! of_numbers {
        ($T:ident => $code:expr) => {
            of_type!($T => $code, "uint8" u8, "uint16" u16, "uint32" u32, "uint64" u64, "int8" i8, "int16" i16,
                "int32" i32, "int64" i64, "float16" f16, "float32" f32, "float64" f64, "complex64" Complex<f32>, "complex128" Complex<f64>)
        };
    }
    Some(match step.operation.as_str() {
        "arange" => Ok(client.arange(number(0), number(1), number(2), size).into()),
        "arange_real" => {
            of_type!(T => client.arange_real::<T>(word(1), word(2), word(3), size), "float32" f32,
            "float64" f64)
        }
        "linspace" => {
            of_type!(T => client.linspace::<T>(word(1), word(2), step.size(0), size), "float32" f32,
            "float64" f64)
        }
        "eye" => of_numbers!(T => client.eye::<T>(step.size(0), number(1), size)),
        "zeros" => of_numbers!(T => client.zeros::<T>(step.sizes(0), random.chunks(&step.sizes(0)))),
        "ones" => of_numbers!(T => client.ones::<T>(step.sizes(0), chunks(vec![size; step.numbers.len()]))),
        "full" => of_numbers!(T => {
            client.full::<T>(read_one(&step.words[1..]), step.sizes(0), random.chunks(&step.sizes(0)))
        }),
        #[cfg(feature = "fourier")]
        "fftfreq" => Ok(client.fftfreq(step.size(0), word(0), size).into()),
        #[cfg(feature = "fourier")]
        "rfftfreq" => Ok(client.rfftfreq(step.size(0), word(0), size).into()),
        _ => return None,
    })
}
