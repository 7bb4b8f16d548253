//! Arrays as sets, and groups by key, in the table's programs.

use super::{
    table::Step,
    value::{NO_OPERATION, Value, on_two},
};
use maniple::{
    Array, Client,
    array::{Element, Groups, Integer, Number, Ordered},
};
use ndarray::Array1;

type Results = Result<Vec<Value>, String>;

/// The results of an operation on sets or groups; `None` if there is none of this name.
pub(super) fn apply(step: &Step, values: &[&Value]) -> Option<Results> {
    macro_rules! of_two {
        ($x:ident $y:ident => $result:expr) => {
            on_two!(values[0], values[1], [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], $x $y => {
                $result.map_err(|error| error.to_string())?
            })
        };
    }
    let set = || -> Result<Value, String> {
        match step.operation.as_str() {
            "is_in" => {
                on_two!(values[0], values[1], [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64], x y => x.is_in(y))
            }
            "union1d" => of_two!(x y => x.union1d(y)),
            "intersect1d" => of_two!(x y => x.intersect1d(y)),
            _ => of_two!(x y => x.setdiff1d(y)),
        }
    };
    Some(match step.operation.as_str() {
        "unique_all" => unique_all(values[0]),
        "is_in" | "union1d" | "intersect1d" | "setdiff1d" => set().map(|value| vec![value]),
        "group_by" => groups(values),
        _ => return None,
    })
}

fn unique_all(x: &Value) -> Results {
    macro_rules! of {
        ($($Variant:ident)*) => {
            match x {
                $(Value::$Variant(x) => {
                    let unique = x.unique_all().map_err(|error| error.to_string())?;
                    Ok(vec![
                        unique.values.into(),
                        unique.indices.into(),
                        unique.inverse.into(),
                        unique.counts.into(),
                    ])
                })*
                other => Err(format!("{NO_OPERATION}: not for {other:?}")),
            }
        };
    }
    of!(Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64)
}

fn groups(values: &[&Value]) -> Results {
    macro_rules! by {
        ($x:ident, $($Key:ident)*) => {
            match values[1] {
                $(Value::$Key(_) => {
                    let keys = values[1..].iter().map(|keys| match keys {
                        Value::$Key(keys) => Ok(keys),
                        other => Err(format!("{NO_OPERATION}: not for {other:?}")),
                    });
                    let keys: Vec<_> = keys.collect::<Result<_, String>>()?;
                    let groups = $x.group_by(&keys).map_err(|error| error.to_string())?;
                    tables($x.client(), &groups, keys.len())
                })*
                other => Err(format!("{NO_OPERATION}: not for {other:?}")),
            }
        };
    }
    macro_rules! of {
        ($($Variant:ident)*) => {
            match values[0] {
                $(Value::$Variant(x) => by!(x, U8 U16 U32 U64 I8 I16 I32 I64),)*
                other => Err(format!("{NO_OPERATION}: not for {other:?}")),
            }
        };
    }
    of!(U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64)
}

/// All that groups tell, as arrays.
fn tables<T, K>(client: &Client, groups: &Groups<T, K>, keys: usize) -> Results
where
    T: Number + Ordered,
    K: Integer,
    Value: From<Array<T>> + From<Array<K>> + From<Array<T::Sum>>,
{
    let mut tables = Vec::new();
    for place in 0..keys {
        tables.push(array(client, groups.keys(place).to_vec())?.into());
    }
    tables.push(array(client, groups.count())?.into());
    tables.push(array(client, groups.sum())?.into());
    tables.push(array(client, groups.mean())?.into());
    tables.push(array(client, groups.min())?.into());
    tables.push(array(client, groups.max())?.into());
    for ddof in [0.0, 1.0] {
        tables.push(array(client, groups.var(ddof))?.into());
    }
    Ok(tables)
}

fn array<T: Element>(client: &Client, values: Vec<T>) -> Result<Array<T>, String> {
    client.from_ndarray(&Array1::from(values), 4).map_err(|error| error.to_string())
}
