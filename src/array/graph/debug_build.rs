//! The warning that arrays are slow in a build without optimisation.

use crate::{
    array::graph::{
        node::Kind,
        plan::{Plan, Step},
    },
    error::warn,
};
use std::sync::Once;

/// Arrays of fewer elements take less than a second or two in such a build.
const ELEMENTS_MIN: usize = 20_000_000;

/// Warns the first time that this process submits a large array, if the library was built without optimisation.
pub(crate) fn warn_once(plan: &Plan) {
    static WARNED: Once = Once::new();
    let elements = plan.steps.iter().map(elements).max().unwrap_or(0);
    if let Some(message) = message(env!("MANIPLE_OPT_LEVEL"), elements) {
        WARNED.call_once(|| warn(message));
    }
}

/// How many elements a step makes, or reduces.
fn elements(step: &Step) -> usize {
    let count = |shape: Vec<usize>| shape.into_iter().fold(1, usize::saturating_mul);
    let own = count(step.node.shape());
    match &step.node.kind {
        Kind::Reduce { input, .. } => own.max(count(input.shape())),
        _ => own,
    }
}

fn message(opt_level: &str, elements: usize) -> Option<String> {
    (opt_level == "0" && elements >= ELEMENTS_MIN).then(|| {
        "Maniple was built without optimisation, which makes arrays about 50 times slower: run with `--release`, or add \
         to Cargo.toml\n\n    [profile.dev.package.\"*\"]\n    opt-level = 3"
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Runtime, array::chunks};
    use std::sync::Arc;

    #[test]
    fn only_large_arrays_of_builds_without_optimisation_are_warned_of() {
        assert!(message("0", ELEMENTS_MIN).unwrap().contains("opt-level = 3"));
        assert_eq!(message("0", ELEMENTS_MIN - 1), None);
        assert_eq!(message("3", usize::MAX), None);
    }

    #[test]
    fn what_a_reduction_reads_counts() {
        Runtime::builder()
            .execute(|client| {
                let sum = client.ones::<f64>([5000, 5000], chunks([1000, 1000])).square().sum();
                let mut plan = Plan::new(None);
                plan.want(&Arc::clone(&sum.node))?;
                assert_eq!(plan.steps.iter().map(elements).max(), Some(25_000_000));
                Ok(())
            })
            .unwrap();
    }
}
