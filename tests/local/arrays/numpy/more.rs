//! Functions that are made of others, places, transforms with options and functions of matrices in the table's programs.

use super::{
    table::{Random, Step},
    value::{NO_OPERATION, Value, any, on, on_two, read_one},
};
use maniple::{
    Array, Client,
    array::{
        Element, Indexing, Masked, Pad, QuantileMethod, column_stack, dstack, histogramdd,
        histogramdd_weighted, hstack, meshgrid, ravel_multi_index, select_first, vstack,
    },
};
use ndarray::ArrayViewD;

type Results = Result<Vec<Value>, String>;

/// The arrays of values, if all have this type.
macro_rules! arrays {
    ($values:expr, $Variant:ident) => {
        $values
            .iter()
            .filter_map(|value| match value {
                Value::$Variant(array) => Some(array.clone()),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
}

/// Runs code with the arrays of values of the type of the first one that is listed.
macro_rules! all {
    ($values:expr, [$($Variant:ident)*], $x:ident => $code:expr) => {
        match $values[0] {
            $(Value::$Variant(_) => {
                let $x = arrays!($values, $Variant);
                Ok($code)
            })*
            other => Err(format!("{NO_OPERATION}: not for {other:?}")),
        }
    };
}

/// Runs code that gives several arrays.
macro_rules! many {
    ($value:expr, [$($Variant:ident)*], $x:ident => $code:expr) => {
        match $value {
            $(Value::$Variant($x) => Ok($code),)*
            other => Err(format!("{NO_OPERATION}: not for {other:?}")),
        }
    };
}

fn two<A: Into<Value>, B: Into<Value>>((first, second): (A, B)) -> Vec<Value> {
    vec![first.into(), second.into()]
}

fn values<A: Into<Value>>(arrays: impl IntoIterator<Item = A>) -> Vec<Value> {
    arrays.into_iter().map(Into::into).collect()
}

/// The results of an operation; `None` if there is none of this name.
pub(super) fn apply(client: &Client, step: &Step, of: &[&Value], random: &mut Random) -> Option<Results> {
    of_nothing(client, step, random)
        .or_else(|| of.first().and_then(|_| several_results(step, of)))
        .or_else(|| of.first().and_then(|_| one_result(step, of)).map(|one| one.map(|value| vec![value])))
}

fn of_nothing(client: &Client, step: &Step, random: &mut Random) -> Option<Results> {
    let sizes = || step.sizes(0);
    let size = 1 + random.below(4);
    Some(Ok(match step.operation.as_str() {
        "indices" => values(client.indices(sizes(), random.chunks(&sizes()))),
        "tri" => vec![client.tri::<f64>(step.size(0), step.size(1), step.numbers[2], size).into()],
        "tril_indices" => values(client.tril_indices([step.size(0), step.size(1)], step.numbers[2], size)),
        "triu_indices" => values(client.triu_indices([step.size(0), step.size(1)], step.numbers[2], size)),
        _ => return None,
    }))
}

fn several_results(step: &Step, of: &[&Value]) -> Option<Results> {
    let x = of[0];
    Some(match step.operation.as_str() {
        "modf" => many!(x, [F32 F64], x => two(x.modf())),
        "frexp" => many!(x, [F32 F64], x => two(x.frexp())),
        "divmod" => all!(of, [U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], x => two(x[0].div_mod(&x[1]))),
        "meshgrid" => {
            let indexing = if step.words[0] == "xy" { Indexing::Cartesian } else { Indexing::Matrix };
            all!(of, [F64 I32 C32], x => values(meshgrid(&x, indexing)))
        }
        "masked" => return Some(masked(step, x, of[1])),
        "unravel_index" => many!(x, [I64], x => values(x.unravel_index(&step.sizes(0)))),
        "histogramdd" => {
            let bins = step.sizes(0);
            let number = |place: usize| step.words[place].parse().expect("a number");
            let ranges: Vec<(f64, f64)> =
                (0..bins.len()).map(|axis| (number(2 * axis), number(2 * axis + 1))).collect();
            let weights = of.get(bins.len()).and_then(|weights| match weights {
                Value::F64(weights) => Some(weights),
                _ => None,
            });
            let edges = |edges: Vec<Vec<f64>>, client: &Client| -> Vec<Value> {
                let edge = |edges: Vec<f64>| {
                    client
                        .from_ndarray(&ndarray::Array1::from(edges), 2)
                        .expect("edges are handed over")
                        .into()
                };
                edges.into_iter().map(edge).collect()
            };
            all!(of[..bins.len()], [F64 I32 F32], x => match weights {
                Some(weights) => {
                    let (counts, all) = histogramdd_weighted(&x, &bins, &ranges, weights);
                    [vec![counts.into()], edges(all, weights.client())].concat()
                }
                None => {
                    let (counts, all) = histogramdd(&x, &bins, &ranges);
                    let edges = edges(all, counts.client());
                    [vec![counts.into()], edges].concat()
                }
            })
        }
        _ => return None,
    })
}

/// A reduction of a masked array: its elements, with 0 for those that are masked, and its mask.
fn masked(step: &Step, x: &Value, mask: &Value) -> Results {
    fn both<T: Element>(masked: Masked<T>) -> Vec<Value>
    where
        Array<T>: Into<Value>,
    {
        vec![masked.filled(T::default()).into(), masked.mask().clone().into()]
    }
    let Value::Bool(mask) = mask else { return Err(format!("{NO_OPERATION}: not with {mask:?}")) };
    let (axis, ddof) = (step.size(0), step.numbers[1] as f64);
    match step.words[0].as_str() {
        "min" => many!(x, [U8 I32 F32 F64], x => both(x.masked(mask).min_axis(axis))),
        "max" => many!(x, [U8 I32 F32 F64], x => both(x.masked(mask).max_axis(axis))),
        "sum" => many!(x, [U8 I32 F32 F64 C64], x => both(x.masked(mask).sum_axis(axis))),
        "prod" => many!(x, [U8 I32 F32 F64 C64], x => both(x.masked(mask).prod_axis(axis))),
        "mean" => many!(x, [U8 I32 F32 F64 C64], x => both(x.masked(mask).mean_axis(axis))),
        "var" => many!(x, [U8 I32 F32 F64 C64], x => both(x.masked(mask).var_axis_ddof(axis, ddof))),
        "std" => many!(x, [U8 I32 F32 F64 C64], x => both(x.masked(mask).std_axis_ddof(axis, ddof))),
        other => Err(format!("{NO_OPERATION}: {other}")),
    }
}

fn method(name: &str) -> QuantileMethod {
    match name {
        "inverted_cdf" => QuantileMethod::InvertedCdf,
        "averaged_inverted_cdf" => QuantileMethod::AveragedInvertedCdf,
        "closest_observation" => QuantileMethod::ClosestObservation,
        "interpolated_inverted_cdf" => QuantileMethod::InterpolatedInvertedCdf,
        "hazen" => QuantileMethod::Hazen,
        "weibull" => QuantileMethod::Weibull,
        "linear" => QuantileMethod::Linear,
        "median_unbiased" => QuantileMethod::MedianUnbiased,
        "normal_unbiased" => QuantileMethod::NormalUnbiased,
        "lower" => QuantileMethod::Lower,
        "higher" => QuantileMethod::Higher,
        "midpoint" => QuantileMethod::Midpoint,
        "nearest" => QuantileMethod::Nearest,
        other => panic!("there is no method {other}"),
    }
}

fn padded<T: Element>(step: &Step, x: &Array<T>, constant: T) -> Array<T> {
    let counts: Vec<(usize, usize)> = step.sizes(0).chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let pad = match step.words[0].as_str() {
        "constant" => Pad::Constant(constant),
        "edge" => Pad::Edge,
        "reflect" => Pad::Reflect,
        "symmetric" => Pad::Symmetric,
        _ => Pad::Wrap,
    };
    x.pad_axes(&counts, pad)
}

fn one_result(step: &Step, of: &[&Value]) -> Option<Result<Value, String>> {
    let (x, y) = (of[0], of.get(1).copied().unwrap_or(of[0]));
    let at = |place: usize| step.size(place);
    let of_array = |result: Vec<Value>| result.into_iter().next().expect("there is one");
    macro_rules! stacked {
        ($function:ident) => { all!(of, [F64 I32 C32], x => vec![Value::from($function(&x))]).map(of_array) };
    }
    macro_rules! reals { ($x:ident => $code:expr) => { on!(x, [F32 F64], $x => $code) }; }
    macro_rules! real_pairs { ($x:ident $y:ident => $code:expr) => { on_two!(x, y, [F32 F64], $x $y => $code) }; }
    macro_rules! integers { ($x:ident $y:ident => $code:expr) => { on_two!(x, y, [U8 U16 U32 U64 I8 I16 I32 I64], $x $y => $code) }; }
    Some(match step.operation.as_str() {
        "signbit" => reals!(x => x.is_sign_negative()),
        "i0" => reals!(x => x.i0()),
        "angle" => on!(x, [U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64], x => x.angle()),
        "bitwise_not" => on!(x, [U8 U16 U32 U64 I8 I16 I32 I64], x => !x),
        "ediff1d" => on!(x, [F64 I32 C32], x => x.ediff1d()),
        "cumsum_flat" => any!(x, x => x.cumsum_flat()),
        "cumprod_flat" => any!(x, x => x.cumprod_flat()),
        "atleast_1d" => any!(x, x => x.at_least_1d()),
        "atleast_2d" => any!(x, x => x.at_least_2d()),
        "atleast_3d" => any!(x, x => x.at_least_3d()),
        "left_shift" => integers!(x y => x << y),
        "right_shift" => integers!(x y => x >> y),
        "fmod" => on_two!(x, y, [U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], x y => x.fmod(y)),
        "copysign" => real_pairs!(x y => x.copysign(y)),
        "nextafter" => real_pairs!(x y => x.next_after(y)),
        "logaddexp2" => real_pairs!(x y => x.log_add_exp2(y)),
        "heaviside" => real_pairs!(x y => x.heaviside(y)),
        "float_power" => real_pairs!(x y => x.float_power(y)),
        "ldexp" => match y {
            Value::I32(exponents) => reals!(x => x.ldexp(exponents)),
            other => Err(format!("{NO_OPERATION}: not for {other:?}")),
        },
        "dstack" => stacked!(dstack),
        "column_stack" => stacked!(column_stack),
        "hstack" => stacked!(hstack),
        "vstack" => stacked!(vstack),
        "flip_axes" => any!(x, x => x.flip_axes(&step.sizes(0))),
        "roll_axes" => {
            let shifts: Vec<(i64, usize)> =
                step.numbers.chunks_exact(2).map(|pair| (pair[0], pair[1] as usize)).collect();
            any!(x, x => x.roll_axes(&shifts))
        }
        "roll_axis" => any!(x, x => x.roll_axis(at(0), at(1))),
        "insert" => on_two!(x, y, [F64 I32 C32], x y => x.insert(at(0), &step.sizes(1), y)),
        "pad_axes" => match x {
            Value::F64(x) => Ok(padded(step, x, 7.0).into()),
            Value::I32(x) => Ok(padded(step, x, 7).into()),
            Value::C32(x) => Ok(padded(step, x, num_complex::Complex::new(7.0, 0.0)).into()),
            other => Err(format!("{NO_OPERATION}: not for {other:?}")),
        },
        "coarsen" => {
            let factors = step.sizes(0);
            match x {
                Value::F64(x) => Ok(x.coarsen(|window: ArrayViewD<'_, f64>| window.sum(), &factors).into()),
                Value::I32(x) => Ok(x.coarsen(|window: ArrayViewD<'_, i32>| window.sum(), &factors).into()),
                Value::C32(x) => Ok(x
                    .coarsen(|window: ArrayViewD<'_, num_complex::Complex<f32>>| window.sum(), &factors)
                    .into()),
                other => Err(format!("{NO_OPERATION}: not for {other:?}")),
            }
        }
        "ravel_multi_index" => {
            all!(of, [I64], x => vec![ravel_multi_index(&x, &step.sizes(0)).into()]).map(of_array)
        }
        "choose" => match x {
            Value::I64(which) => {
                all!(of[1..], [F64 U8 C64], x => vec![which.choose(&x).into()]).map(of_array)
            }
            other => Err(format!("{NO_OPERATION}: not for {other:?}")),
        },
        "select_first" => {
            let conditions = arrays!(of, Bool);
            all!(of, [F64 U8 C64], x => {
                let pieces: Vec<_> = conditions.iter().zip(&x[1..]).collect();
                vec![select_first(&pieces, &x[0]).into()]
            })
            .map(of_array)
        }
        "set_mask" => match y {
            Value::Bool(condition) => {
                on_two!(x, of[2], [F64 U8 C64], x value => x.set_mask(condition, value))
            }
            other => Err(format!("{NO_OPERATION}: not for {other:?}")),
        },
        "take_points" => {
            let indices = step.sizes(1);
            let lists: Vec<&[usize]> = indices.chunks_exact(indices.len() / at(0)).collect();
            any!(x, x => x.take_points(&lists))
        }
        "quantiles" | "nanquantiles" => {
            let method = method(&step.words[0]);
            let quantiles: Vec<f64> =
                step.words[1..].iter().map(|word| word.parse().expect("a number")).collect();
            match step.operation.as_str() {
                "quantiles" => reals!(x => x.quantiles(&quantiles, at(0), method)),
                _ => reals!(x => x.nanquantiles(&quantiles, at(0), method)),
            }
        }
        "masked_count" => match y {
            Value::Bool(mask) => on!(x, [U8 I32 F32 F64 C64], x => x.masked(mask).count_axis(at(0))),
            other => Err(format!("{NO_OPERATION}: not with {other:?}")),
        },
        "moment" => on!(x, [U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], x => x.moment(at(1) as u32, at(0))),
        "diff_n" => on!(x, [I64], x => x.diff_n(at(0), at(1))),
        "gradient_spaced" => {
            on!(x, [F32 F64 C32 C64], x => x.gradient_spaced(at(0), read_one::<f64>(&step.words)))
        }
        "gradient_at" => match (x, y) {
            (Value::F32(x), Value::F32(steps)) => Ok(x.gradient_at(at(0), steps).into()),
            (Value::F64(x), Value::F64(steps)) => Ok(x.gradient_at(at(0), steps).into()),
            (Value::C32(x), Value::F32(steps)) => Ok(x.gradient_at(at(0), steps).into()),
            (Value::C64(x), Value::F64(steps)) => Ok(x.gradient_at(at(0), steps).into()),
            (other, _) => Err(format!("{NO_OPERATION}: not for {other:?}")),
        },
        "transform" | "transforms" => return transform(step, x),
        _ => return functions(step, x),
    })
}

/// A transform with its name and scaling in words; along one axis of a length or -1, or along axes of lengths.
#[cfg(feature = "fourier")]
fn transform(step: &Step, x: &Value) -> Option<Result<Value, String>> {
    use maniple::array::{Fourier, FourierNorm};
    let norm = match step.words[1].as_str() {
        "ortho" => FourierNorm::Ortho,
        "forward" => FourierNorm::Forward,
        _ => FourierNorm::Backward,
    };
    let along = match step.operation.as_str() {
        "transform" if step.numbers[1] < 0 => Fourier::along(step.size(0)),
        "transform" => Fourier::along(step.size(0)).length(step.size(1)),
        _ => {
            let (axes, lengths) = step.numbers.split_at(step.numbers.len() / 2);
            let sizes = |numbers: &[i64]| numbers.iter().map(|number| *number as usize).collect::<Vec<_>>();
            Fourier::along(sizes(axes)).lengths(sizes(lengths))
        }
    };
    let along = || along.clone().norm(norm);
    macro_rules! of_floats { ($x:ident => $code:expr) => { on!(x, [F32 F64 C32 C64], $x => $code) }; }
    Some(match step.words[0].as_str() {
        "fft" => of_floats!(x => x.fft(along())),
        "ifft" => of_floats!(x => x.ifft(along())),
        "rfft" => of_floats!(x => x.rfft(along())),
        "irfft" => of_floats!(x => x.irfft(along(), None)),
        "hfft" => of_floats!(x => x.hfft(along(), None)),
        "ihfft" => of_floats!(x => x.ihfft(along())),
        "fftn" => of_floats!(x => x.fftn(along())),
        "ifftn" => of_floats!(x => x.ifftn(along())),
        "rfftn" => of_floats!(x => x.rfftn(along())),
        "irfftn" => of_floats!(x => x.irfftn(along(), None)),
        _ => return None,
    })
}

#[cfg(not(feature = "fourier"))]
fn transform(_: &Step, _: &Value) -> Option<Result<Value, String>> {
    Some(Err(super::value::NOT_BUILT.into()))
}

/// Functions of matrices.
#[cfg(feature = "linear-algebra")]
fn functions(step: &Step, x: &Value) -> Option<Result<Value, String>> {
    macro_rules! of_floats { ($x:ident => $code:expr) => { on!(x, [F32 F64 C32 C64], $x => $code) }; }
    let expm = || -> Result<Value, String> { of_floats!(x => x.expm().map_err(|error| error.to_string())?) };
    Some(match step.operation.as_str() {
        "eigvalsh" => of_floats!(x => x.eigvalsh()),
        "eigh_product" => of_floats!(x => {
            let (values, vectors) = x.eigh();
            (&vectors * values.cast().expand_dims(0)).matmul(&vectors.adjoint())
        }),
        "eigh_gram" => of_floats!(x => {
            let vectors = x.eigh().1;
            vectors.adjoint().matmul(&vectors)
        }),
        "pinv" => of_floats!(x => x.pinv(None)),
        "matrix_power" => of_floats!(x => x.matrix_power(step.numbers[0])),
        "expm" => expm(),
        _ => return None,
    })
}

#[cfg(not(feature = "linear-algebra"))]
fn functions(step: &Step, _: &Value) -> Option<Result<Value, String>> {
    let names = ["eigvalsh", "eigh_product", "eigh_gram", "pinv", "matrix_power", "expm"];
    names.contains(&step.operation.as_str()).then(|| Err(super::value::NOT_BUILT.into()))
}
