//! Reductions in OpenCL C: what an item keeps, how it takes in an element, and the state of another item.
//! Pure.

use super::expression::{self, Family, family, name};
use crate::array::{
    DataType,
    kernel::reduce::{Reduction, State},
};
use std::fmt::Write;

/// What is kept of elements that were seen. In its texts `$` stands for what names begin with, `#` for
/// those of another item.
pub(super) struct Accumulator {
    /// Type, name, and value before any element.
    fields: Vec<(&'static str, &'static str, String)>,
    /// Takes in `VALUE`, whose index is `INDEX`.
    add: String,
    /// Takes in another item's fields.
    join: String,
    /// What comes out: the parts of a state.
    pub(super) results: Vec<(DataType, String)>,
    pub(super) needs_index: bool,
}

/// How elements of a type are reduced.
pub(super) fn accumulator(reduction: Reduction, data_type: DataType) -> Accumulator {
    let types = State::part_types(reduction, data_type);
    let own = name(data_type);
    let is_real = family(data_type) == Some(Family::Real);
    let wide = |value: &str| expression::cast(data_type, types[0], value).expect("sums are of numbers");
    let results = |fields: &[&str]| {
        types.iter().zip(fields).map(|(own, field)| (*own, format!("${field}"))).collect::<Vec<_>>()
    };
    let one = |field: (&'static str, &'static str, String), add: String, join: &str| Accumulator {
        results: results(&[field.1]),
        fields: vec![field],
        add,
        join: join.into(),
        needs_index: false,
    };
    match reduction {
        Reduction::Sum if types[0] == DataType::F64 => Accumulator {
            fields: vec![("double", "sum", "-0.0".into()), ("double", "error", "0".into())],
            add: format!("ADD_EXACTLY($sum, $error, {})", wide("VALUE")),
            join: "ADD_EXACTLY($sum, $error, #sum)\n$error += #error;".into(),
            results: vec![(DataType::F64, "($error == 0 ? $sum : $sum + $error)".into())],
            needs_index: false,
        },
        // Without signs, so that they wrap.
        Reduction::Sum => {
            one(("ulong", "sum", "0".into()), "$sum += (ulong)(long)VALUE;".into(), "$sum += #sum;")
        }
        Reduction::Product if types[0] == DataType::F64 => one(
            ("double", "product", "1".into()),
            format!("$product *= {};", wide("VALUE")),
            "$product *= #product;",
        ),
        Reduction::Product => one(
            ("ulong", "product", "1".into()),
            "$product *= (ulong)(long)VALUE;".into(),
            "$product *= #product;",
        ),
        Reduction::Count => {
            one(("long", "count", "0".into()), "$count += VALUE != 0;".into(), "$count += #count;")
        }
        Reduction::Variance { skip_nan, .. } => {
            let add = format!("ADD_DISTANCE($count, $mean, $squares, {})", wide("VALUE"));
            let field = |called| ("double", called, "0".to_string());
            Accumulator {
                fields: vec![field("count"), field("mean"), field("squares")],
                add: if skip_nan && is_real { format!("if (!isnan(VALUE)) {add}") } else { add },
                join: "ADD_MOMENTS($count, $mean, $squares, #count, #mean, #squares)".into(),
                results: results(&["count", "mean", "squares"]),
                needs_index: false,
            }
        }
        Reduction::ArgMinimum { skip_nan } | Reduction::ArgMaximum { skip_nan } => {
            let is_minimum = matches!(reduction, Reduction::ArgMinimum { .. });
            let rest = format!("{}, {}", better(is_minimum), is_nan(is_real));
            let add = format!("CANDIDATE($best, $index, VALUE, INDEX, {rest})");
            Accumulator {
                fields: vec![
                    (own, "best", identity(data_type, is_minimum).into()),
                    ("long", "index", "-1".into()),
                ],
                add: if skip_nan && is_real { format!("if (!isnan(VALUE)) {add}") } else { add },
                join: format!("CANDIDATE($best, $index, #best, #index, {rest})"),
                results: results(&["best", "index"]),
                needs_index: true,
            }
        }
        Reduction::Minimum | Reduction::Maximum | Reduction::FMinimum | Reduction::FMaximum => {
            let is_minimum = matches!(reduction, Reduction::Minimum | Reduction::FMinimum);
            let passes_nan = is_real && matches!(reduction, Reduction::Minimum | Reduction::Maximum);
            let macro_name = if passes_nan { "CHOOSE" } else { "CHOOSE_NUMBER" };
            let is_better = match (is_minimum, is_real) {
                (_, false) => better(is_minimum),
                (true, true) => "LESS_REAL",
                (false, true) => "GREATER_REAL",
            };
            let call =
                |other: &str| format!("{macro_name}($best, {other}, {is_better}, {})", is_nan(is_real));
            let field = (own, "best", identity(data_type, is_minimum).to_string());
            one(field, call("VALUE"), &call("#best"))
        }
    }
}

fn better(is_minimum: bool) -> &'static str {
    if is_minimum { "LESS" } else { "GREATER" }
}

fn is_nan(is_real: bool) -> &'static str {
    if is_real { "isnan" } else { "NEVER" }
}

/// What loses against every element.
fn identity(data_type: DataType, is_minimum: bool) -> &'static str {
    let (largest, least) = match data_type {
        DataType::Bool => ("1", "0"),
        DataType::U8 => ("UCHAR_MAX", "0"),
        DataType::U16 => ("USHRT_MAX", "0"),
        DataType::U32 => ("UINT_MAX", "0"),
        DataType::U64 => ("ULONG_MAX", "0"),
        DataType::I8 => ("CHAR_MAX", "CHAR_MIN"),
        DataType::I16 => ("SHRT_MAX", "SHRT_MIN"),
        DataType::I32 => ("INT_MAX", "INT_MIN"),
        DataType::I64 => ("LONG_MAX", "LONG_MIN"),
        _ => ("INFINITY", "-INFINITY"),
    };
    if is_minimum { largest } else { least }
}

impl Accumulator {
    /// Declares the fields, before any element.
    pub(super) fn declarations(&self, prefix: &str) -> String {
        let field =
            |(own, called, value): &(&str, &str, String)| format!("{own} {prefix}{called} = {value};");
        self.fields.iter().map(field).collect::<Vec<_>>().join("\n")
    }

    /// Takes in an element.
    pub(super) fn addition(&self, prefix: &str, value: &str, index: &str) -> String {
        self.add.replace("VALUE", value).replace("INDEX", index).replace('$', prefix)
    }

    /// Puts what the items of a group have together, by halves. Each has its fields under `own_`.
    pub(super) fn joining(&self) -> String {
        let mut text = String::from("#if GROUP > ACROSS\n");
        let mut write = |line: String| writeln!(text, "{line}").expect("a string takes all");
        for (own, called, _) in &self.fields {
            write(format!("local {own} all_{called}[GROUP];"));
        }
        for (_, called, _) in &self.fields {
            write(format!("all_{called}[item] = own_{called};"));
        }
        write("for (uint half_size = GROUP / ACROSS / 2; half_size > 0; half_size /= 2) {".into());
        write("    barrier(CLK_LOCAL_MEM_FENCE);".into());
        write("    if (row < half_size) {".into());
        for (own, called, _) in &self.fields {
            write(format!("        const {own} other_{called} = all_{called}[item + half_size * ACROSS];"));
        }
        for line in self.join.replace('$', "own_").replace('#', "other_").lines() {
            write(format!("        {line}"));
        }
        for (_, called, _) in &self.fields {
            write(format!("        all_{called}[item] = own_{called};"));
        }
        write("    }".into());
        write("}".into());
        write("#endif".into());
        text
    }
}
