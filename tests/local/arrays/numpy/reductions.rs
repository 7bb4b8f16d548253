//! Reductions, order and frequency in the table's programs.

use super::{
    operations::Built,
    table::Step,
    value::{Value, any, on, on_two, read_one},
};
use maniple::array::{Axes, Norm, Side};

/// The axes of a step: whether they are kept, whether all are meant, and which.
fn axes(step: &Step) -> Axes {
    let axes = if step.size(1) == 1 { Axes::all() } else { Axes::of(step.sizes(2)) };
    if step.size(0) == 1 { axes.keep() } else { axes }
}

/// The reduction of an array; `None` if there is none of this name.
pub(super) fn reduce(step: &Step, x: &Value) -> Option<Built> {
    macro_rules! of_ordered { ($x:ident => $code:expr) => { on!(x, [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], $x => $code) }; }
    macro_rules! of_reals { ($x:ident => $code:expr) => { on!(x, [F32 F64], $x => $code) }; }
    let axes = || axes(step);
    let ddof = || read_one::<f64>(&step.words);
    // Without axes in its type where all are reduced: what `compute` then gives is one number.
    let is_bare = step.numbers.get(..2) == Some(&[0, 1]);
    Some(match step.operation.as_str() {
        "sum" if is_bare => any!(x, x => x.sum()),
        "prod" if is_bare => any!(x, x => x.prod()),
        "count_nonzero" if is_bare => any!(x, x => x.count_nonzero()),
        "mean" if is_bare => any!(x, x => x.mean()),
        "min" if is_bare => of_ordered!(x => x.min()),
        "max" if is_bare => of_ordered!(x => x.max()),
        "var" if is_bare => any!(x, x => x.var_ddof(ddof())),
        "std" if is_bare => any!(x, x => x.std_ddof(ddof())),
        "any" if is_bare => on!(x, [Bool], x => x.any()),
        "all" if is_bare => on!(x, [Bool], x => x.all()),
        "sum" => any!(x, x => x.sum_axis(axes())),
        "prod" => any!(x, x => x.prod_axis(axes())),
        "count_nonzero" => any!(x, x => x.count_nonzero_axis(axes())),
        "mean" => any!(x, x => x.mean_axis(axes())),
        "min" => of_ordered!(x => x.min_axis(axes())),
        "max" => of_ordered!(x => x.max_axis(axes())),
        "argmin" => of_ordered!(x => x.argmin_axis(axes())),
        "argmax" => of_ordered!(x => x.argmax_axis(axes())),
        "any" => on!(x, [Bool], x => x.any_axis(axes())),
        "all" => on!(x, [Bool], x => x.all_axis(axes())),
        "var" => any!(x, x => x.var_axis_ddof(axes(), ddof())),
        "std" => any!(x, x => x.std_axis_ddof(axes(), ddof())),
        "nanvar" => of_reals!(x => x.nanvar_axis_ddof(axes(), ddof())),
        "nanstd" => of_reals!(x => x.nanstd_axis_ddof(axes(), ddof())),
        "nansum" => of_reals!(x => x.nansum_axis(axes())),
        "nanprod" => of_reals!(x => x.nanprod_axis(axes())),
        "nanmean" => of_reals!(x => x.nanmean_axis(axes())),
        "nanmin" => of_reals!(x => x.nanmin_axis(axes())),
        "nanmax" => of_reals!(x => x.nanmax_axis(axes())),
        "nanargmin" => of_reals!(x => x.nanargmin_axis(axes())),
        "nanargmax" => of_reals!(x => x.nanargmax_axis(axes())),
        "norm" => {
            let norm = match step.words[0].as_str() {
                "fro" => Norm::Frobenius,
                "nuc" => Norm::Nuclear,
                order => Norm::Order(order.parse().expect("an order")),
            };
            any!(x, x => x.norm_axis(norm, axes()))
        }
        _ => return None,
    })
}

/// What goes along one axis, `numbers[0]`.
pub(super) fn along(step: &Step, x: &Value) -> Option<Built> {
    macro_rules! of_ordered { ($x:ident => $code:expr) => { on!(x, [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], $x => $code) }; }
    macro_rules! of_reals { ($x:ident => $code:expr) => { on!(x, [F32 F64], $x => $code) }; }
    let axis = || step.size(0);
    Some(match step.operation.as_str() {
        "cumsum" => any!(x, x => x.cumsum(axis())),
        "cumprod" => any!(x, x => x.cumprod(axis())),
        "nancumsum" => of_reals!(x => x.nancumsum(axis())),
        "nancumprod" => of_reals!(x => x.nancumprod(axis())),
        "diff" => on!(x, [U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64], x => x.diff(axis())),
        "gradient" => on!(x, [F32 F64 C32 C64], x => x.gradient(axis())),
        "sort" => of_ordered!(x => x.sort(axis())),
        "argsort" => of_ordered!(x => x.argsort(axis())),
        "topk" => of_ordered!(x => x.topk(step.size(1), axis())),
        "argtopk" => of_ordered!(x => x.argtopk(step.size(1), axis())),
        "nanmedian" => of_reals!(x => x.nanmedian(axis())),
        "nanquantile" => of_reals!(x => x.nanquantile(read_one(&step.words), axis())),
        "nanpercentile" => of_reals!(x => x.nanpercentile(read_one(&step.words), axis())),
        "median" => of_reals!(x => x.median(axis())),
        "quantile" => of_reals!(x => x.quantile(read_one(&step.words), axis())),
        "percentile" => of_reals!(x => x.percentile(read_one(&step.words), axis())),
        "digitize" => {
            let edges: Vec<f64> = step.words.iter().map(|word| word.parse().expect("an edge")).collect();
            of_reals!(x => x.digitize(&edges))
        }
        "cov" => any!(x, x => x.cov(read_one(&step.words))),
        "corrcoef" => any!(x, x => x.corrcoef()),
        _ => return None,
    })
}

/// Operations of which a count of results, or the size of one, is not known before.
pub(super) fn counted(step: &Step, values: &[&Value]) -> Option<Result<Vec<Value>, String>> {
    let x = values[0];
    Some(match step.operation.as_str() {
        "unique" => unique(x),
        "histogram" => {
            let [low, high] = [0, 1].map(|place| step.words[place].parse().expect("a limit"));
            histogram(x, step.size(0), low, high)
        }
        "mask" => {
            let Value::Bool(condition) = values[1] else { return Some(Err("a mask is of bool".into())) };
            mask(x, condition).map(|value| vec![value])
        }
        "bincount" => bincount(step, x).map(|value| vec![value]),
        "bincount_weighted" => {
            let Value::F64(weights) = values[1] else { return Some(Err("weights are of f64".into())) };
            weighted(step, x, weights).map(|value| vec![value])
        }
        "searchsorted" => {
            let side = if step.size(0) == 1 { Side::Right } else { Side::Left };
            let result = on_two!(x, values[1], [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], x y => x.searchsorted(y, side));
            result.map(|value| vec![value])
        }
        _ => return None,
    })
}

fn mask(x: &Value, condition: &maniple::Array<bool>) -> Built {
    any!(x, x => x.mask(condition).map_err(|error| error.to_string())?)
}

fn unique(x: &Value) -> Result<Vec<Value>, String> {
    macro_rules! of {
        ($($Variant:ident)*) => {
            match x {
                $(Value::$Variant(x) => {
                    let (different, counts) = x.unique().map_err(|error| error.to_string())?;
                    let client = x.client();
                    let different = client.from_ndarray(&ndarray::Array1::from(different), 4);
                    let counts = client.from_ndarray(&ndarray::Array1::from(counts), 4);
                    Ok(vec![
                        different.map_err(|error| error.to_string())?.into(),
                        counts.map_err(|error| error.to_string())?.into(),
                    ])
                })*
                other => Err(format!("not for {other:?}")),
            }
        };
    }
    of!(Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64)
}

fn histogram(x: &Value, bins: usize, low: f64, high: f64) -> Result<Vec<Value>, String> {
    macro_rules! of {
        ($($Variant:ident)*) => {
            match x {
                $(Value::$Variant(x) => {
                    let (counts, edges) = x.histogram(bins, low, high);
                    let edges = x.client().from_ndarray(&ndarray::Array1::from(edges), 4);
                    Ok(vec![counts.into(), edges.map_err(|error| error.to_string())?.into()])
                })*
                other => Err(format!("not for {other:?}")),
            }
        };
    }
    of!(F32 F64)
}

fn bincount(step: &Step, x: &Value) -> Built {
    let length = step.size(0);
    on!(x, [U8 U16 U32 U64 I8 I16 I32 I64], x => x.bincount(length).map_err(|error| error.to_string())?)
}

fn weighted(step: &Step, x: &Value, weights: &maniple::Array<f64>) -> Built {
    let length = step.size(0);
    on!(x, [U8 U16 U32 U64 I8 I16 I32 I64], x => x.bincount_weighted(weights, length).map_err(|error| error.to_string())?)
}
