//! Sums of products over axes that are named by letters.

use super::contract::{Label, arrange, contract, without_own};
use crate::array::{Array, Float, ShapeError, ShapeErrorKind, error::expect};
use std::borrow::Borrow;

/// The product of arrays whose axes are named by letters: `"ij,jk->ik"` is the product of matrices. Axes
/// that are not in the result are summed over; without `->` the result has all letters that come once, in
/// order of the alphabet.
///
/// As in NumPy, there may be any number of arrays; a letter that an array has twice is its diagonal; `...`
/// stands for further axes, which are broadcast and come first in a result that is not given. The arrays are
/// multiplied from left to right.
///
/// # Panics
///
/// Panics if the subscripts have no meaning for the shapes.
///
/// ```
/// # use maniple::array::einsum;
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.ones::<f64>([4, 30, 20], 10);
/// let y = client.ones::<f64>([4, 20, 50], 10);
/// assert_eq!(einsum("bij,bjk->bik", &[&x, &y]).compute()?[[3, 29, 49]], 20.0);
/// assert_eq!(einsum("...ij->...ji", &[&x]).shape(), [4, 20, 30]);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn einsum<T: Float, A: Borrow<Array<T>>>(subscripts: &str, arrays: &[A]) -> Array<T> {
    expect("einsum", try_einsum(subscripts, arrays))
}

/// As [`einsum`].
///
/// # Errors
///
/// [`ShapeError`] where [`einsum`] panics.
pub fn try_einsum<T: Float, A: Borrow<Array<T>>>(
    subscripts: &str,
    arrays: &[A],
) -> Result<Array<T>, ShapeError> {
    let arrays: Vec<&Array<T>> = arrays.iter().map(Borrow::borrow).collect();
    let shapes: Vec<Vec<usize>> = arrays.iter().map(|array| array.shape()).collect();
    let (labels, output) = parse(subscripts, &shapes)
        .map_err(|words| error(ShapeErrorKind::Subscripts, subscripts, &shapes, &words))?;
    let lengths = lengths(&labels, &shapes)
        .map_err(|words| error(ShapeErrorKind::Mismatch, subscripts, &shapes, &words))?;
    let length =
        |label: Label| lengths.iter().find(|(own, _)| *own == label).map_or(1, |(_, length)| *length);
    let mut operands = arrays.into_iter().zip(labels).map(|(array, labels)| simple(array, &labels, &length));
    let Some((mut product, mut of_product)) = operands.next() else {
        return Err(error(ShapeErrorKind::Empty, subscripts, &shapes, "there are no arrays"));
    };
    let operands: Vec<(Array<T>, Vec<Label>)> = operands.collect();
    for (place, (array, labels)) in operands.iter().enumerate() {
        // What later arrays or the result need.
        let later = operands[place + 1..].iter().flat_map(|(_, labels)| labels).chain(&output);
        let later: Vec<Label> = later.copied().collect();
        let mut wanted: Vec<Label> = of_product.iter().chain(labels).copied().collect();
        wanted.retain(|label| later.contains(label));
        let mut once: Vec<Label> = Vec::new();
        wanted.into_iter().for_each(|label| {
            if !once.contains(&label) {
                once.push(label)
            }
        });
        product = contract(&product, array, &of_product, labels, &once)?;
        of_product = once;
    }
    let (product, of_product) = without_own(&product, &of_product, &[], &output);
    Ok(arrange(&product, &of_product, &output))
}

fn error(kind: ShapeErrorKind, subscripts: &str, shapes: &[Vec<usize>], words: &str) -> ShapeError {
    let shapes: Vec<String> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
    ShapeError::new(kind, format!("einsum {subscripts:?} of shapes {}: {words}", shapes.join(" and ")))
}

/// The first label of the axes that `...` stands for; the last axis has this one, that before it the next.
const ELLIPSIS: Label = char::MAX as Label + 1;

fn name(label: Label) -> String {
    char::from_u32(label).map_or_else(|| "...".into(), |letter| format!("{letter:?}"))
}

/// The labels of the arrays' axes, and of the result's.
fn parse(subscripts: &str, shapes: &[Vec<usize>]) -> Result<(Vec<Vec<Label>>, Vec<Label>), String> {
    let words: String = subscripts.chars().filter(|letter| !letter.is_whitespace()).collect();
    let (inputs, output) = match words.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (words.as_str(), None),
    };
    let inputs: Vec<&str> = inputs.split(',').collect();
    if inputs.len() != shapes.len() {
        return Err(format!("{} arrays are named, {} are given", inputs.len(), shapes.len()));
    }
    let labels = |(text, shape): (&&str, &Vec<usize>)| read(text, Some(shape.len()));
    let labels: Vec<Vec<Label>> = inputs.iter().zip(shapes).map(labels).collect::<Result<_, _>>()?;
    let count_of = |label: Label| labels.iter().flatten().filter(|own| **own == label).count();
    let unnamed = labels.iter().flatten().filter(|label| **label >= ELLIPSIS).max();
    let unnamed: Vec<Label> = unnamed.map_or_else(Vec::new, |last| (ELLIPSIS..=*last).rev().collect());
    let Some(output) = output else {
        let mut once: Vec<Label> = labels.iter().flatten().copied().collect();
        once.retain(|label| *label < ELLIPSIS && count_of(*label) == 1);
        once.sort_unstable();
        return Ok((labels, [unnamed, once].concat()));
    };
    if !output.contains("...") && !unnamed.is_empty() {
        return Err(format!("the result needs \"...\" for {} axes", unnamed.len()));
    }
    let letters = read(&output.replacen("...", "", 1), None)?;
    let before = output.find("...").unwrap_or(letters.len());
    let result = [&letters[..before], &unnamed[..], &letters[before..]].concat();
    for (place, label) in letters.iter().enumerate() {
        if letters[..place].contains(label) {
            return Err(format!("{} is in the result twice", name(*label)));
        }
        if count_of(*label) == 0 {
            return Err(format!("{} of the result is in no array", name(*label)));
        }
    }
    Ok((labels, result))
}

/// The labels of an array of so many axes; without these, letters alone.
fn read(text: &str, ndim: Option<usize>) -> Result<Vec<Label>, String> {
    let letters = |text: &str| -> Result<Vec<Label>, String> {
        match text.chars().find(|letter| !letter.is_ascii_alphabetic()) {
            Some(other) => Err(format!("{other:?} is no letter of an axis")),
            None => Ok(text.chars().map(|letter| letter as Label).collect()),
        }
    };
    let (before, after) = match text.split_once("...").filter(|_| ndim.is_some()) {
        Some((before, after)) => (letters(before)?, Some(letters(after)?)),
        None => (letters(text)?, None),
    };
    let Some(ndim) = ndim else { return Ok(before) };
    let named = before.len() + after.as_ref().map_or(0, Vec::len);
    let unnamed = match (ndim.checked_sub(named), &after) {
        (Some(unnamed), Some(_)) => unnamed,
        (Some(0), None) => 0,
        _ => return Err(format!("{text:?} names {named} axes of an array that has {ndim}")),
    };
    let unnamed: Vec<Label> = (0..unnamed as Label).rev().map(|axis| ELLIPSIS + axis).collect();
    Ok([before, unnamed, after.unwrap_or_default()].concat())
}

/// How long the axes of each label are; those of length 1 are repeated.
fn lengths(labels: &[Vec<Label>], shapes: &[Vec<usize>]) -> Result<Vec<(Label, usize)>, String> {
    let mut lengths: Vec<(Label, usize)> = Vec::new();
    for (labels, shape) in labels.iter().zip(shapes) {
        for (axis, (label, length)) in labels.iter().zip(shape).enumerate() {
            let own = labels[..axis].iter().position(|other| other == label);
            if own.is_some_and(|own| shape[own] != *length) {
                return Err(format!("{} is a diagonal of axes that differ in length", name(*label)));
            }
            match lengths.iter_mut().find(|(own, _)| own == label) {
                None => lengths.push((*label, *length)),
                Some((_, known)) if *known == 1 => *known = *length,
                Some((_, known)) if *length != 1 && known != length => {
                    return Err(format!("the axes {} have the lengths {known} and {length}", name(*label)));
                }
                Some(_) => {}
            }
        }
    }
    Ok(lengths)
}

/// The array with each label once, as its diagonal, and without axes of length 1 that others repeat.
fn simple<T: Float>(
    array: &Array<T>,
    labels: &[Label],
    length: &dyn Fn(Label) -> usize,
) -> (Array<T>, Vec<Label>) {
    let (mut array, mut labels) = (array.clone(), labels.to_vec());
    while let Some(second) = (1..labels.len()).find(|place| labels[..*place].contains(&labels[*place])) {
        let first = labels.iter().position(|label| *label == labels[second]).expect("it was found");
        array = array.diagonal_of(first, second);
        labels.remove(second);
    }
    let shape = array.shape();
    let kept: Vec<Label> = labels
        .iter()
        .zip(&shape)
        .filter(|(label, own)| **own == length(**label))
        .map(|(label, _)| *label)
        .collect();
    (arrange(&array, &labels, &kept), kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<Label> {
        text.chars().map(|letter| letter as Label).collect()
    }

    #[test]
    fn subscripts_are_read() {
        let read = |text: &str, ndims: &[usize]| {
            parse(text, &ndims.iter().map(|ndim| vec![2; *ndim]).collect::<Vec<_>>())
        };
        assert_eq!(read("ij, jk -> ki", &[2, 2]).unwrap(), (vec![labels("ij"), labels("jk")], labels("ki")));
        assert_eq!(read("kj,ji", &[2, 2]).unwrap().1, labels("ik"));
        assert_eq!(read("i,i->", &[1, 1]).unwrap().1, Vec::<Label>::new());
        assert_eq!(read("ii", &[2]).unwrap().1, Vec::<Label>::new());
        let more = read("i...j,...j", &[4, 2]).unwrap();
        assert_eq!(more.0[0], [labels("i"), vec![ELLIPSIS + 1, ELLIPSIS], labels("j")].concat());
        assert_eq!(more.0[1], [vec![ELLIPSIS], labels("j")].concat());
        assert_eq!(more.1, [vec![ELLIPSIS + 1, ELLIPSIS], labels("i")].concat());
        let last = read("i...->...i", &[3]).unwrap();
        assert_eq!(last.1, [vec![ELLIPSIS + 1, ELLIPSIS], labels("i")].concat());
        for (wrong, ndims, words) in [
            ("ij", vec![2, 2], "1 arrays are named, 2 are given"),
            ("i1->i", vec![2], "'1' is no letter"),
            ("ij->ik", vec![2], "'k' of the result is in no array"),
            ("ij->ii", vec![2], "'i' is in the result twice"),
            ("ij->i", vec![3], "names 2 axes of an array that has 3"),
            ("ijk...", vec![2], "names 3 axes of an array that has 2"),
            ("...i->i", vec![3], "the result needs \"...\" for 2 axes"),
            ("i.j", vec![2], "'.' is no letter"),
        ] {
            let error = read(wrong, &ndims).unwrap_err();
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }
}
