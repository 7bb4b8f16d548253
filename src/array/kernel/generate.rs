//! Arrays whose elements are computed from their index alone.

use crate::array::{
    element::{Elements, Sealed, with_type},
    kernel::operators::{Cast, Wide},
    random::{self, Key},
};
use serde::{Deserialize, Serialize};

/// How an element comes from its index in C order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Generator {
    /// `start + step * index`, in whole numbers.
    Integers { start: i64, step: i64 },
    /// `start + step * index`.
    Reals { start: f64, step: f64 },
    /// From `start` to `stop`, which is met exactly, in `count - 1` steps.
    Linspace { start: f64, stop: f64, count: usize },
    /// One where the column is the row plus `diagonal`, in rows of `columns` elements.
    Eye { columns: usize, diagonal: i64 },
    /// Random numbers: what an index gives depends on the key and the index alone.
    Random { distribution: Distribution, key: Key },
}

impl Generator {
    /// What it is called in a picture of the graph.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Integers { .. } | Self::Reals { .. } => "arange",
            Self::Linspace { .. } => "linspace",
            Self::Eye { .. } => "eye",
            Self::Random { distribution, .. } => distribution.name(),
        }
    }

    /// Writes the elements at `first`, `first + stride` ...
    pub(crate) fn fill(self, first: i64, stride: i64, output: &mut Elements, range: std::ops::Range<usize>) {
        let at = |place: usize| first + stride * place as i64;
        match self {
            Self::Random { distribution, key } => {
                // Only numbers that follow each other come many at a time.
                let at_once = if stride == 1 { range.len() } else { 1 };
                for place in range.clone().step_by(at_once.max(1)) {
                    distribution.fill(key, at(place - range.start) as u64, output, place..place + at_once);
                }
            }
            Self::Integers { start, step } => {
                write(output, range, |place| Wide::Signed(start.wrapping_add(step.wrapping_mul(at(place)))));
            }
            Self::Reals { start, step } => {
                write(output, range, |place| Wide::Real(start + step * at(place) as f64));
            }
            Self::Linspace { start, stop, count } => {
                let step = (stop - start) / (count.max(2) - 1) as f64;
                write(output, range, |place| {
                    let index = at(place);
                    let is_last = count > 1 && index == count as i64 - 1;
                    Wide::Real(if is_last { stop } else { start + step * index as f64 })
                });
            }
            Self::Eye { columns, diagonal } => {
                let columns = columns as i64;
                write(output, range, |place| {
                    let index = at(place);
                    Wide::Unsigned((index % columns == index / columns + diagonal).into())
                });
            }
        }
    }
}

fn write(output: &mut Elements, range: std::ops::Range<usize>, value: impl Fn(usize) -> Wide) {
    with_type!(output.data_type(), T => {
        for (place, output) in T::vector_mut(output)[range].iter_mut().enumerate() {
            *output = T::of_wide(value(place));
        }
    });
}

/// How random numbers are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Distribution {
    /// From `low` to below `high`, uniformly distributed.
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    Exponential {
        mean: f64,
    },
    /// Whole numbers from `low` to below `high`, uniformly distributed.
    Integers {
        low: i128,
        high: i128,
    },
    /// The numbers below `length`, each once.
    Permutation {
        length: u64,
    },
    /// `true` with this probability.
    Bernoulli {
        probability: f64,
    },
}

impl Distribution {
    fn name(self) -> &'static str {
        match self {
            Self::Uniform { .. } => "uniform",
            Self::Normal { .. } => "normal",
            Self::Exponential { .. } => "exponential",
            Self::Integers { .. } => "integers",
            Self::Permutation { .. } => "permutation",
            Self::Bernoulli { .. } => "bernoulli",
        }
    }

    /// Writes the numbers of the elements from `first` on.
    fn fill(self, key: Key, first: u64, output: &mut Elements, range: std::ops::Range<usize>) {
        match output {
            Elements::F32(output) => self.fill_f32(key, first, &mut output[range]),
            Elements::F64(output) => self.fill_f64(key, first, &mut output[range]),
            Elements::U8(output) => self.fill_integers(key, first, &mut output[range]),
            Elements::U32(output) => self.fill_integers(key, first, &mut output[range]),
            Elements::U64(output) => self.fill_integers(key, first, &mut output[range]),
            Elements::I32(output) => self.fill_integers(key, first, &mut output[range]),
            Elements::I64(output) => self.fill_integers(key, first, &mut output[range]),
            Elements::Bool(output) => {
                let Self::Bernoulli { probability } = self else { unreachable!("{self:?} of truths") };
                random::bernoulli(key, first, probability, &mut output[range]);
            }
            other => unreachable!("{self:?} of {}", other.data_type()),
        }
    }

    fn fill_integers<T: random::Integer>(self, key: Key, first: u64, output: &mut [T]) {
        match self {
            Self::Integers { low, high } => {
                random::integers_from(key, first, T::of_wide(low), (high - low) as u128, output);
            }
            Self::Permutation { length } => {
                let mut numbers = vec![0; output.len()];
                random::Permutation::new(key, length).fill(first, &mut numbers);
                output
                    .iter_mut()
                    .zip(numbers)
                    .for_each(|(output, number)| *output = T::of_wide(number.into()));
            }
            other => unreachable!("{other:?} of whole numbers"),
        }
    }
}

/// The least and the greatest `f32` from `low` to below `high`; the least is greater if there is none.
pub(crate) fn limits_f32(low: f64, high: f64) -> (f32, f32) {
    let (least, most) = (low as f32, high as f32);
    let least = if f64::from(least) < low { least.next_up() } else { least };
    (least, if f64::from(most) >= high { most.next_down() } else { most })
}

/// The least and the greatest number from `low` to below `high`.
pub(crate) fn limits_f64(low: f64, high: f64) -> (f64, f64) {
    (low, high.next_down())
}

macro_rules! fills {
    ($($fill:ident $T:ty: $limits:ident $uniform:ident $normal:ident $exponential:ident;)*) => {
        impl Distribution { $(
            fn $fill(self, key: Key, first: u64, output: &mut [$T]) {
                // What is standard is not changed by the last step, so that it costs nothing.
                let (factor, offset) = match self {
                    Self::Uniform { low, high } => {
                        random::$uniform(key, first, output);
                        (high - low, low)
                    }
                    Self::Normal { mean, deviation } => {
                        random::$normal(key, first, output);
                        (deviation, mean)
                    }
                    Self::Exponential { mean } => {
                        random::$exponential(key, first, output);
                        (mean, 0.0)
                    }
                    other => unreachable!("{other:?} of real numbers"),
                };
                if (factor, offset) == (1.0, 0.0) {
                    return;
                }
                let (factor, offset) = (factor as $T, offset as $T);
                if let Self::Uniform { low, high } = self {
                    // The sum is rounded, which may reach `high`.
                    let (least, most) = $limits(low, high);
                    for output in output {
                        let number = *output * factor + offset;
                        let number = if number < least { least } else { number };
                        *output = if number > most { most } else { number };
                    }
                    return;
                }
                output.iter_mut().for_each(|output| *output = *output * factor + offset);
            }
        )* }
    };
}

fills! {
    fill_f32 f32: limits_f32 uniform_f32 normal_f32 exponential_f32;
    fill_f64 f64: limits_f64 uniform_f64 normal_f64 exponential_f64;
}
