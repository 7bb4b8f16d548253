//! Operations on half-precision numbers: computed as `f32` and rounded, as in NumPy.
//!
//! A result of one operation in `f32` has more than twice the digits of an `f16`, so that sums, differences, products and
//! quotients are rounded as if once.

use super::operators::{Arithmetic, Binary, Cast, Unary, Wide};
use crate::array::{
    DataType,
    element::{Elements, Sealed},
};
use half::f16;

impl Arithmetic for f16 {
    fn unary(operator: Unary, input: &[Self], output: &mut Elements) -> bool {
        let input = widened(input);
        narrowed(input.len(), output, |output| f32::unary(operator, &input, output))
    }
    fn binary(operator: Binary, left: &[Self], right: &[Self], output: &mut Elements) -> bool {
        let (left, right) = (widened(left), widened(right));
        narrowed(left.len(), output, |output| f32::binary(operator, &left, &right, output))
    }
}

fn widened(numbers: &[f16]) -> Vec<f32> {
    numbers.iter().map(|number| number.to_f32()).collect()
}

/// Has an operation in `f32` write its results, rounded if they are numbers.
fn narrowed(count: usize, output: &mut Elements, operation: impl FnOnce(&mut Elements) -> bool) -> bool {
    if output.data_type() != DataType::F16 {
        return operation(output);
    }
    let mut wide = Elements::F32(vec![0.0; count]);
    let is_known = operation(&mut wide);
    for (output, wide) in f16::vector_mut(output).iter_mut().zip(f32::vector(&wide)) {
        *output = f16::from_f32(*wide);
    }
    is_known
}

impl Cast for f16 {
    #[inline(always)]
    fn wide(self) -> Wide {
        Wide::Real(self.to_f64())
    }
    #[inline(always)]
    fn of_wide(wide: Wide) -> Self {
        nearest(match wide {
            Wide::Signed(value) => value as f64,
            Wide::Unsigned(value) => value as f64,
            Wide::Real(value) | Wide::Complex(value, _) => value,
        })
    }
}

/// The nearest half-precision number, that with an even last digit of two.
///
/// The crate's own conversion rounds to `f32` before on some processors, and leaves out digits on others.
pub(crate) fn nearest(value: f64) -> f16 {
    let single = value as f32;
    let bits = single.to_bits();
    let is_exact = f64::from(single) == value || value.is_nan();
    if is_exact || bits & 1 == 1 {
        return f16::from_f32(single);
    }
    // Of the two singles around the value that with an odd last digit: it lies on the same side of every half.
    let is_larger = f64::from(single).abs() < value.abs();
    f16::from_f32(f32::from_bits(if is_larger { bits + 1 } else { bits - 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_round_once_and_to_even() {
        // 1 and the number after it, and what lies between them.
        let (one, next) = (1.0, 1.0 + 2f64.powi(-10));
        let middle = 1.0 + 2f64.powi(-11);
        for (value, wanted) in [
            (middle, one),
            (middle.next_up(), next),
            (middle.next_down(), one),
            (-middle.next_up(), -next),
            (middle + 2f64.powi(-10), next + 2f64.powi(-10)),
            (65_519.999_999_999, 65_504.0),
            (65_520.0, f64::INFINITY),
            (1e300, f64::INFINITY),
            (2f64.powi(-25), 0.0),
            (2f64.powi(-25).next_up(), 2f64.powi(-24)),
            (-5e-324, -0.0),
        ] {
            let own = nearest(value).to_f64();
            assert_eq!(own.to_bits(), wanted.to_bits(), "{value:?} becomes {own:?}");
        }
        assert!(nearest(f64::NAN).is_nan());
    }

    #[test]
    fn all_numbers_stay_as_they_are() {
        for bits in 0..=u16::MAX {
            let number = f16::from_bits(bits);
            let back = nearest(number.to_f64());
            assert!(
                back.to_bits() == bits || back.is_nan() && number.is_nan(),
                "{number:?} becomes {back:?}"
            );
        }
    }
}
