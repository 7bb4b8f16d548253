//! A module: task functions that a cluster loads while it stands.
//!
//! `cargo build --release --example module` makes `target/release/examples/libmodule.so`; a program of the same build calls
//! `client.load_module` with this path, on a cluster that was started with `--allow-modules`.

use maniple::prelude::*;
use std::collections::BTreeMap;

/// The mean of some numbers.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// How often each word stands in a text.
fn words(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    text.split_whitespace().for_each(|word| *counts.entry(word.to_string()).or_default() += 1);
    counts
}

/// The mean of the means of some parts, each of which is a task of its own.
fn mean_of_means(parts: Vec<Vec<f64>>) -> Result<f64> {
    let task = current();
    let means = task.client().map(mean, parts);
    task.client().submit(mean, &means).result()
}

maniple::module!(mean, words: (String,) = words, mean_of_means = fallible(mean_of_means));
