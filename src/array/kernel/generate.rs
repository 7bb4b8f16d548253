//! Arrays whose elements are computed from their index alone.

use crate::array::{
    element::{Elements, Sealed, with_type},
    kernel::operators::{Cast, Wide},
    random::{self, Key, Rejection, Source, Variate},
};
use serde::{Deserialize, Serialize};
use std::ops::Range;

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
}

/// A generator on its way through the elements of a block.
pub(crate) struct Sequence {
    generator: Generator,
    /// Where the random numbers were left.
    source: Option<Source>,
}

impl Sequence {
    pub(crate) fn new(generator: Generator) -> Self {
        let source = match generator {
            Generator::Random { key, .. } => Some(Source::new(key)),
            _ => None,
        };
        Self { generator, source }
    }

    /// Writes the elements at `first`, `first + stride` ...
    pub(crate) fn fill(&mut self, first: i64, stride: i64, output: &mut Elements, range: Range<usize>) {
        let at = |place: usize| first + stride * place as i64;
        match self.generator {
            Generator::Random { distribution, key } => {
                let source = self.source.get_or_insert_with(|| Source::new(key));
                distribution.fill_apart(source, first, stride, output, range);
            }
            Generator::Integers { start, step } => {
                write(output, range, |place| Wide::Signed(start.wrapping_add(step.wrapping_mul(at(place)))));
            }
            Generator::Reals { start, step } => {
                write(output, range, |place| Wide::Real(start + step * at(place) as f64));
            }
            Generator::Linspace { start, stop, count } => {
                let step = (stop - start) / (count.max(2) - 1) as f64;
                write(output, range, |place| {
                    let index = at(place);
                    let is_last = count > 1 && index == count as i64 - 1;
                    Wide::Real(if is_last { stop } else { start + step * index as f64 })
                });
            }
            Generator::Eye { columns, diagonal } => {
                let columns = columns as i64;
                write(output, range, |place| {
                    let index = at(place);
                    Wide::Unsigned((index % columns == index / columns + diagonal).into())
                });
            }
        }
    }
}

fn write(output: &mut Elements, range: Range<usize>, value: impl Fn(usize) -> Wide) {
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
    Gamma {
        shape: f64,
        scale: f64,
    },
    Beta {
        a: f64,
        b: f64,
    },
    Poisson {
        mean: f64,
    },
    Binomial {
        count: u64,
        probability: f64,
    },
    Variate(Variate),
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
            Self::Gamma { .. } => "gamma",
            Self::Beta { .. } => "beta",
            Self::Poisson { .. } => "poisson",
            Self::Binomial { .. } => "binomial",
            Self::Variate(variate) => variate.name(),
        }
    }

    /// The same as a distribution that takes draws one after the other, and what its elements are multiplied by.
    pub(crate) fn rejection(self) -> Option<(Rejection, f64)> {
        Some(match self {
            Self::Gamma { shape, scale } => (Rejection::Gamma(shape), scale),
            Self::Beta { a, b } => (Rejection::Beta(a, b), 1.0),
            Self::Poisson { mean } => (Rejection::Poisson(mean), 1.0),
            Self::Binomial { count, probability } => (Rejection::Binomial(count, probability), 1.0),
            Self::Variate(variate) => (Rejection::Variate(variate), 1.0),
            _ => return None,
        })
    }

    /// Writes the numbers of the elements at `first`, `first + stride` ...
    ///
    /// Numbers that follow each other come many at a time. So a small stride takes all of them and leaves out
    /// most, and a large one takes each alone.
    fn fill_apart(
        self,
        source: &mut Source,
        first: i64,
        stride: i64,
        output: &mut Elements,
        range: Range<usize>,
    ) {
        /// An element alone takes as long as about so many in order.
        const STRIDE_MAX: u64 = 64;

        let apart = stride.unsigned_abs();
        if stride == 1 || range.is_empty() {
            return self.fill(source, first as u64, output, range);
        }
        if !(1..=STRIDE_MAX).contains(&apart) {
            for (place, at) in range.enumerate() {
                self.fill(source, (first + stride * place as i64) as u64, output, at..at + 1);
            }
            return;
        }
        let length = (range.len() - 1) * apart as usize + 1;
        let least = if stride < 0 { first + stride * (range.len() - 1) as i64 } else { first };
        let mut all = Elements::zeros(output.data_type(), length);
        self.fill(source, least as u64, &mut all, 0..length);
        with_type!(output.data_type(), T => {
            let (all, output) = (T::vector(&all), &mut T::vector_mut(output)[range]);
            let taken = all.iter().step_by(apart as usize);
            match stride < 0 {
                true => output.iter_mut().rev().zip(taken).for_each(|(output, number)| *output = *number),
                false => output.iter_mut().zip(taken).for_each(|(output, number)| *output = *number),
            }
        });
    }

    /// Writes the numbers of the elements from `first` on.
    fn fill(self, source: &mut Source, first: u64, output: &mut Elements, range: Range<usize>) {
        if let Some((rejection, factor)) = self.rejection() {
            let key = source.key();
            write(output, range, |place| {
                Wide::Real(rejection.element(key, first.wrapping_add(place as u64)) * factor)
            });
            return;
        }
        match output {
            Elements::F32(output) => self.fill_f32(source, first, &mut output[range]),
            Elements::F64(output) => self.fill_f64(source, first, &mut output[range]),
            Elements::U8(output) => self.fill_integers(source, first, &mut output[range]),
            Elements::U16(output) => self.fill_integers(source, first, &mut output[range]),
            Elements::U32(output) => self.fill_integers(source, first, &mut output[range]),
            Elements::U64(output) => self.fill_integers(source, first, &mut output[range]),
            Elements::I8(output) => self.fill_integers(source, first, &mut output[range]),
            Elements::I16(output) => self.fill_integers(source, first, &mut output[range]),
            Elements::I32(output) => self.fill_integers(source, first, &mut output[range]),
            Elements::I64(output) => self.fill_integers(source, first, &mut output[range]),
            Elements::Bool(output) => {
                let Self::Bernoulli { probability } = self else { unreachable!("{self:?} of truths") };
                random::bernoulli(source, first, probability, &mut output[range]);
            }
            other => unreachable!("{self:?} of {}", other.data_type()),
        }
    }

    fn fill_integers<T: random::Integer>(self, source: &mut Source, first: u64, output: &mut [T]) {
        match self {
            Self::Integers { low, high } => {
                random::integers_from(source, first, T::of_wide(low), (high - low) as u128, output);
            }
            Self::Permutation { length } => {
                let mut numbers = vec![0; output.len()];
                random::Permutation::new(source.key(), length).fill(first, &mut numbers);
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
            fn $fill(self, source: &mut Source, first: u64, output: &mut [$T]) {
                // What is standard is not changed by the last step, so that it costs nothing.
                let (factor, offset) = match self {
                    Self::Uniform { low, high } => {
                        random::$uniform(source, first, output);
                        (high - low, low)
                    }
                    Self::Normal { mean, deviation } => {
                        random::$normal(source, first, output);
                        (deviation, mean)
                    }
                    Self::Exponential { mean } => {
                        random::$exponential(source, first, output);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{element::DataType, random::BitGenerator};

    #[test]
    fn an_element_does_not_depend_on_the_elements_that_are_filled_with_it() {
        const LENGTH: i64 = 20_000;
        let real = [
            Distribution::Uniform { low: -1.0, high: 3.0 },
            Distribution::Normal { mean: 1.0, deviation: 2.0 },
            Distribution::Exponential { mean: 3.0 },
        ];
        let whole = [
            // A quarter of the draws is rejected.
            Distribution::Integers { low: -5, high: (3 << 61) - 5 },
            Distribution::Permutation { length: LENGTH as u64 },
        ];
        let of = |distributions: &[Distribution], data_type| {
            distributions.iter().map(|d| (*d, data_type)).collect()
        };
        let all: [Vec<_>; 4] = [
            of(&real, DataType::F64),
            of(&real, DataType::F32),
            of(&whole, DataType::I64),
            of(&[Distribution::Bernoulli { probability: 0.3 }], DataType::Bool),
        ];
        for generator in [BitGenerator::Xoshiro256PlusPlus, BitGenerator::Philox] {
            let key = Key { generator, seed: 7, stream: 3 };
            for (distribution, data_type) in all.concat() {
                let generator = Generator::Random { distribution, key };
                let mut in_order = Elements::zeros(data_type, LENGTH as usize);
                Sequence::new(generator).fill(0, 1, &mut in_order, 0..LENGTH as usize);
                let mut sequence = Sequence::new(generator);
                for stride in [1, -1, 2, -3, 31, -64, 64, 65, -200, 0] {
                    for count in [1, 2, 33, 90] {
                        let first = if stride < 0 { LENGTH - 7 } else { 509 };
                        let mut taken = Elements::zeros(data_type, count + 1);
                        sequence.fill(first, stride, &mut taken, 1..count + 1);
                        with_type!(data_type, T => {
                            let (taken, in_order) = (T::vector(&taken), T::vector(&in_order));
                            for (place, taken) in taken[1..].iter().enumerate() {
                                let index = (first + stride * place as i64) as usize;
                                assert_eq!(*taken, in_order[index], "{distribution:?}: element {index}, stride {stride}");
                            }
                        });
                    }
                }
            }
        }
    }
}
