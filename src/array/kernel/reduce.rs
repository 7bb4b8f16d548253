//! Reductions: what is kept of elements that were seen, block by block, and how that is put together.
//!
//! Sums are taken in 64 bits, in lanes within a tile and with the rounding error carried along from
//! tile to tile (Knuth's TwoSum), so that a billion `f32` ones add up. They start at -0.0, which changes
//! no number: so the sign of a zero does not depend on the chunks. Variances are means and squared
//! distances, put together by Chan's formula. All in a fixed order: the same bits for any number of
//! ranks.

use super::operators::{Cast, Wide};
use crate::array::{
    DataType, Element,
    element::{Elements, Sealed, with_type},
};
use half::f16;
use multiversion::multiversion;
use num_complex::Complex;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How elements are put together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Reduction {
    Sum,
    Product,
    Minimum,
    Maximum,
    /// Minimum of what is not NaN.
    FMinimum,
    /// Maximum of what is not NaN.
    FMaximum,
    /// How many are not zero.
    Count,
    /// Variance, or its square root, with `ddof` degrees of freedom taken off.
    Variance {
        ddof: f64,
        skip_nan: bool,
        is_deviation: bool,
    },
    /// The index of the first minimum along the reduced axes.
    ArgMinimum {
        skip_nan: bool,
    },
    /// The index of the first maximum along the reduced axes.
    ArgMaximum {
        skip_nan: bool,
    },
}

impl Reduction {
    /// NumPy's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Product => "prod",
            Self::Minimum => "min",
            Self::Maximum => "max",
            Self::FMinimum => "nanmin",
            Self::FMaximum => "nanmax",
            Self::Count => "count_nonzero",
            Self::Variance { is_deviation: false, .. } => "var",
            Self::Variance { is_deviation: true, .. } => "std",
            Self::ArgMinimum { .. } => "argmin",
            Self::ArgMaximum { .. } => "argmax",
        }
    }

    /// The type of the result.
    pub(crate) fn data_type(self, input: DataType) -> DataType {
        match self {
            Self::Sum | Self::Product => with_type!(input, T => <T as Element>::Sum::DATA_TYPE),
            Self::Minimum | Self::Maximum | Self::FMinimum | Self::FMaximum => input,
            Self::Count | Self::ArgMinimum { .. } | Self::ArgMaximum { .. } => DataType::I64,
            Self::Variance { .. } if matches!(input, DataType::F16 | DataType::F32) => DataType::F32,
            Self::Variance { .. } => DataType::F64,
        }
    }
}

/// What is known of some elements: for each place of the result, in C order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The shape of the result, with the reduced axes of length 1.
    pub(crate) shape: Vec<usize>,
    parts: Vec<Elements>,
}

/// Which elements of a block go to which place of the result: axes that are reduced, or kept, next to
/// each other count as one.
pub(crate) struct Regions {
    kept_shape: Vec<usize>,
    /// Length, whether kept, outer first; the place a step along it makes in the result, or in the
    /// index along the reduced axes.
    groups: Vec<Group>,
    first_index: i64,
}

struct Group {
    length: usize,
    is_kept: bool,
    stride: usize,
}

impl Regions {
    /// Of a block that starts at `starts` in an array of shape `whole`.
    pub(crate) fn new(starts: &[usize], shape: &[usize], whole: &[usize], reduced: &[bool]) -> Self {
        let kept_shape: Vec<usize> =
            shape.iter().zip(reduced).map(|(length, reduced)| if *reduced { 1 } else { *length }).collect();
        let mut groups: Vec<Group> = Vec::new();
        let (mut kept_stride, mut index_stride, mut first_index) = (1, 1, 0);
        for axis in (0..shape.len()).rev() {
            let is_kept = !reduced[axis];
            let stride = if is_kept { kept_stride } else { index_stride };
            match groups.last_mut() {
                Some(group)
                    if group.is_kept == is_kept && (is_kept || shape[axis + 1] == whole[axis + 1]) =>
                {
                    group.length *= shape[axis];
                }
                _ => groups.push(Group { length: shape[axis], is_kept, stride }),
            }
            if is_kept {
                kept_stride *= shape[axis];
            } else {
                first_index += (starts[axis] * index_stride) as i64;
                index_stride *= whole[axis];
            }
        }
        if groups.is_empty() {
            groups.push(Group { length: 1, is_kept: true, stride: 1 });
        }
        groups.reverse();
        Self { kept_shape, groups, first_index }
    }

    pub(crate) fn kept_shape(&self) -> Vec<usize> {
        self.kept_shape.clone()
    }

    /// Calls `visit` for each stretch of elements from `start` on: their range in the tile, the place
    /// in the result of the first one, the index of the first one along the reduced axes.
    fn for_each_run(&self, start: usize, count: usize, mut visit: impl FnMut(Range<usize>, usize, i64)) {
        let inner = self.groups.last().expect("there is a group");
        let mut at = 0;
        while at < count {
            let (mut row, column) = ((start + at) / inner.length, (start + at) % inner.length);
            let length = (inner.length - column).min(count - at);
            let (mut place, mut index) = (0, self.first_index);
            match inner.is_kept {
                true => place += column,
                false => index += (column * inner.stride) as i64,
            }
            for group in self.groups.iter().rev().skip(1) {
                let step = row % group.length * group.stride;
                row /= group.length;
                match group.is_kept {
                    true => place += step,
                    false => index += step as i64,
                }
            }
            visit(at..at + length, place, index);
            at += length;
        }
    }

    /// Whether the elements of a stretch all go to one place.
    fn is_inner_reduced(&self) -> bool {
        !self.groups.last().expect("there is a group").is_kept
    }
}

/// An element type as reductions see it.
pub(crate) trait Reduce: Element<Sum: Cast> + Cast {
    /// What sums and products are taken in.
    type Wide: Element + Cast + Accumulate;
    fn widen(self) -> Self::Wide;
    /// What every element is at most, and at least; `None` where there is no order.
    const BOUNDS: Option<(Self, Self)>;
    /// Whether it comes before the other one.
    fn is_less(self, other: Self) -> bool;
    /// Of two that are equal, the one to keep: of zeros the negative one is less.
    #[inline(always)]
    fn of_equals(self, _: Self, _is_minimum: bool) -> Self {
        self
    }
    fn is_nan(self) -> bool;
}

/// Numbers that sums are taken in.
pub(crate) trait Accumulate: Copy + Default {
    /// The number that a sum starts with: -0.0 for floats, since 0.0 would lose the sign of -0.0.
    const START: Self;
    const ONE: Self;
    fn add(self, other: Self) -> Self;
    fn multiply(self, other: Self) -> Self;
    /// Adds to a sum whose rounding error is kept beside it.
    fn add_exactly(sum: &mut Self, error: &mut Self, value: Self);
}

macro_rules! whole {
    ($($T:ty),*) => { $(
        impl Accumulate for $T {
            const START: Self = 0;
            const ONE: Self = 1;
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn multiply(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn add_exactly(sum: &mut Self, _: &mut Self, value: Self) {
                *sum = sum.wrapping_add(value);
            }
        }
    )* };
}
whole!(i64, u64);

impl Accumulate for f64 {
    const START: Self = -0.0;
    const ONE: Self = 1.0;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    fn multiply(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    fn add_exactly(sum: &mut Self, error: &mut Self, value: Self) {
        let total = *sum + value;
        let back = total - *sum;
        let lost = (*sum - (total - back)) + (value - back);
        *sum = total;
        // An infinity loses nothing, and must not become NaN.
        *error += if lost.is_nan() { 0.0 } else { lost };
    }
}

impl Accumulate for Complex<f64> {
    const START: Self = Self::new(-0.0, -0.0);
    const ONE: Self = Self::new(1.0, 0.0);
    fn add(self, other: Self) -> Self {
        self + other
    }
    fn multiply(self, other: Self) -> Self {
        self * other
    }
    fn add_exactly(sum: &mut Self, error: &mut Self, value: Self) {
        f64::add_exactly(&mut sum.re, &mut error.re, value.re);
        f64::add_exactly(&mut sum.im, &mut error.im, value.im);
    }
}

macro_rules! reduce {
    ($($T:ty, $Wide:ty, $value:ident => $widen:expr, $bounds:expr, $is_nan:expr $(, $of_equals:item)?;)*) => { $(
        impl Reduce for $T {
            type Wide = $Wide;
            const BOUNDS: Option<(Self, Self)> = $bounds;
            #[inline(always)]
            fn widen(self) -> $Wide {
                let $value = self;
                $widen
            }
            #[inline(always)]
            fn is_less(self, other: Self) -> bool {
                is_less!($bounds, self, other)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                let $value = self;
                let _ = $value;
                $is_nan
            }
            $($of_equals)?
        }
    )* };
}
macro_rules! is_less {
    (None, $a:expr, $b:expr) => {
        false
    };
    ($bounds:expr, $a:expr, $b:expr) => {
        $a < $b
    };
}

reduce! {
    bool, i64, x => x.into(), Some((true, false)), false;
    u8, u64, x => x.into(), Some((u8::MAX, 0)), false;
    u16, u64, x => x.into(), Some((u16::MAX, 0)), false;
    u32, u64, x => x.into(), Some((u32::MAX, 0)), false;
    u64, u64, x => x, Some((u64::MAX, 0)), false;
    i8, i64, x => x.into(), Some((i8::MAX, i8::MIN)), false;
    i16, i64, x => x.into(), Some((i16::MAX, i16::MIN)), false;
    i32, i64, x => x.into(), Some((i32::MAX, i32::MIN)), false;
    i64, i64, x => x, Some((i64::MAX, i64::MIN)), false;
    f16, f64, x => x.into(), Some((f16::INFINITY, f16::NEG_INFINITY)), x.is_nan(),
        #[inline(always)]
        fn of_equals(self, other: Self, is_minimum: bool) -> Self {
            let (a, b) = (self.to_bits(), other.to_bits());
            Self::from_bits(if is_minimum { a | b } else { a & b })
        };
    f32, f64, x => x.into(), Some((f32::INFINITY, f32::NEG_INFINITY)), x.is_nan(),
        #[inline(always)]
        fn of_equals(self, other: Self, is_minimum: bool) -> Self {
            let (a, b) = (self.to_bits(), other.to_bits());
            Self::from_bits(if is_minimum { a | b } else { a & b })
        };
    f64, f64, x => x, Some((f64::INFINITY, f64::NEG_INFINITY)), x.is_nan(),
        #[inline(always)]
        fn of_equals(self, other: Self, is_minimum: bool) -> Self {
            let (a, b) = (self.to_bits(), other.to_bits());
            Self::from_bits(if is_minimum { a | b } else { a & b })
        };
}

macro_rules! reduce_complex {
    ($($T:ty),*) => { $(
        impl Reduce for Complex<$T> {
            type Wide = Complex<f64>;
            const BOUNDS: Option<(Self, Self)> = None;
            fn widen(self) -> Complex<f64> {
                Complex::new(self.re.into(), self.im.into())
            }
            fn is_less(self, _: Self) -> bool {
                false
            }
            fn is_nan(self) -> bool {
                self.re.is_nan() || self.im.is_nan()
            }
        }
    )* };
}
reduce_complex!(f32, f64);

const LANES: usize = 16;

/// The sum of some elements: in lanes, that are then added two by two.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn sum_run<T: Reduce>(values: &[T]) -> T::Wide {
    let mut lanes = [T::Wide::START; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = lane.add(value.widen());
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = lane.add(value.widen());
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = lanes[lane].add(lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// The count, the mean and the sum of squared distances from it.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn moments_run<T: Reduce>(values: &[T]) -> [f64; 3] {
    let count = values.len() as f64;
    if values.is_empty() {
        return [0.0; 3];
    }
    let mut mean = real(sum_run(values).wide()) / count;
    if !mean.is_finite() {
        // The sum may be infinite where the mean is not.
        mean = values.iter().map(|value| real(value.wide()) / count).sum();
    }
    let square = |value: &T| {
        let distance = real(value.wide()) - mean;
        distance * distance
    };
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += square(value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += square(value);
    }
    [count, mean, sum_run(&lanes)]
}

#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn add_each<T: Reduce>(sums: &mut [T::Wide], errors: &mut [T::Wide], values: &[T]) {
    for ((sum, error), value) in sums.iter_mut().zip(errors).zip(values) {
        T::Wide::add_exactly(sum, error, value.widen());
    }
}

#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn count_run<T: Element>(values: &[T]) -> i64 {
    values.iter().map(|value| i64::from(*value != T::default())).sum()
}

/// Which of two to keep. The order of the two makes no difference, so that the chunks make none.
#[inline(always)]
fn choose<T: Reduce>(reduction: Reduction, old: T, new: T) -> T {
    let is_minimum = matches!(reduction, Reduction::Minimum | Reduction::FMinimum);
    let old = if old == new { old.of_equals(new, is_minimum) } else { old };
    let is_better = match reduction {
        Reduction::Minimum => !old.is_nan() && (new.is_less(old) || new.is_nan()),
        Reduction::Maximum => !old.is_nan() && (old.is_less(new) || new.is_nan()),
        Reduction::FMinimum => new.is_less(old),
        _ => old.is_less(new),
    };
    if is_better { new } else { old }
}

/// The best of some elements: of each lane, then of these.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn choose_run<T: Reduce>(values: &[T], identity: T, choose: impl Fn(T, T) -> T) -> T {
    let mut lanes = [identity; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = choose(*lane, *value);
        }
    }
    let lanes = lanes.into_iter().fold(identity, &choose);
    rest.iter().copied().fold(lanes, &choose)
}

fn best_run<T: Reduce>(reduction: Reduction, values: &[T]) -> T {
    let identity = identity::<T>(reduction);
    match reduction {
        Reduction::Minimum => choose_run(values, identity, |a, b| choose(Reduction::Minimum, a, b)),
        Reduction::Maximum => choose_run(values, identity, |a, b| choose(Reduction::Maximum, a, b)),
        Reduction::FMinimum => choose_run(values, identity, |a, b| choose(Reduction::FMinimum, a, b)),
        _ => choose_run(values, identity, |a, b| choose(Reduction::FMaximum, a, b)),
    }
}

/// What loses against every element.
fn identity<T: Reduce>(reduction: Reduction) -> T {
    let (largest, smallest) = T::BOUNDS.expect("methods of arrays with an order only");
    match reduction {
        Reduction::Minimum | Reduction::FMinimum | Reduction::ArgMinimum { .. } => largest,
        _ => smallest,
    }
}

/// Writes the reduction of each `length` values to one element.
pub(crate) fn fold<T: Reduce>(
    reduction: Reduction,
    values: &[T],
    length: usize,
    output: &mut Elements,
    range: Range<usize>,
) {
    match reduction {
        // These two only: code for each pair of types would be a hundred times as much.
        Reduction::Sum if output.data_type() == T::Sum::DATA_TYPE => {
            fold_sums_of(values, length, &mut T::Sum::vector_mut(output)[range]);
        }
        Reduction::Sum => fold_sums_of(values, length, &mut T::Wide::vector_mut(output)[range]),
        Reduction::Count => {
            let output = &mut i64::vector_mut(output)[range];
            for (output, values) in output.iter_mut().zip(values.chunks_exact(length)) {
                *output = count_run(values);
            }
        }
        _ => {
            let output = &mut T::vector_mut(output)[range];
            for (output, values) in output.iter_mut().zip(values.chunks_exact(length)) {
                *output = best_run(reduction, values);
            }
        }
    }
}

fn fold_sums_of<T: Reduce, U: Cast>(values: &[T], length: usize, output: &mut [U]) {
    match length {
        2 => fold_sums::<2, T, U>(values, output),
        3 => fold_sums::<3, T, U>(values, output),
        4 => fold_sums::<4, T, U>(values, output),
        _ => {
            for (output, values) in output.iter_mut().zip(values.chunks_exact(length)) {
                *output = U::of_wide(sum_run(values).wide());
            }
        }
    }
}

#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn fold_sums<const LENGTH: usize, T: Reduce, U: Cast>(values: &[T], output: &mut [U]) {
    for (output, values) in output.iter_mut().zip(values.as_chunks::<LENGTH>().0) {
        let mut sum = values[0].widen();
        for value in &values[1..] {
            sum = sum.add(value.widen());
        }
        *output = U::of_wide(sum.wide());
    }
}

impl Reduction {
    /// Whether [`fold`] has it.
    pub(crate) fn can_fold(self) -> bool {
        use Reduction::{Count, FMaximum, FMinimum, Maximum, Minimum, Sum};
        matches!(self, Sum | Count | Minimum | Maximum | FMinimum | FMaximum)
    }
}

impl State {
    /// The types of its parts, when all elements were seen.
    pub(crate) fn part_types(reduction: Reduction, data_type: DataType) -> Vec<DataType> {
        let mut state = Self::new(reduction, data_type, vec![0]);
        state.close(reduction);
        state.parts.iter().map(Elements::data_type).collect()
    }

    /// Of parts that were made elsewhere, as [`part_types`](Self::part_types) says.
    pub(crate) fn of_parts(shape: Vec<usize>, parts: Vec<Elements>) -> Self {
        Self { shape, parts }
    }

    /// Of no elements.
    pub(crate) fn new(reduction: Reduction, data_type: DataType, shape: Vec<usize>) -> Self {
        let count = shape.iter().product();
        let parts = with_type!(data_type, T => {
            type Sums = <T as Reduce>::Wide;
            match reduction {
                Reduction::Sum => vec![Sums::wrap(vec![Sums::START; count]); 2],
                Reduction::Product => vec![Sums::wrap(vec![Sums::ONE; count])],
                Reduction::Minimum | Reduction::Maximum | Reduction::FMinimum | Reduction::FMaximum => {
                    vec![T::wrap(vec![identity::<T>(reduction); count])]
                }
                Reduction::Count => vec![Elements::I64(vec![0; count])],
                Reduction::Variance { .. } => vec![Elements::F64(vec![0.0; count]); 3],
                Reduction::ArgMinimum { .. } | Reduction::ArgMaximum { .. } => {
                    vec![T::wrap(vec![identity::<T>(reduction); count]), Elements::I64(vec![-1; count])]
                }
            }
        });
        Self { shape, parts }
    }

    /// Takes in the elements of a tile that begins at `start`.
    pub(crate) fn add<T: Reduce>(
        &mut self,
        reduction: Reduction,
        regions: &Regions,
        start: usize,
        values: &[T],
    ) {
        let to_one = regions.is_inner_reduced();
        regions.for_each_run(start, values.len(), |range, place, index| {
            let values = &values[range];
            match to_one {
                true => self.add_to_one(reduction, place, index, values),
                false => self.add_to_each(reduction, place, index, values),
            }
        });
    }

    fn add_to_one<T: Reduce>(&mut self, reduction: Reduction, place: usize, index: i64, values: &[T]) {
        match reduction {
            Reduction::Sum => {
                let [sums, errors] = self.parts.as_mut_slice() else { unreachable!("two parts") };
                let (sums, errors) = (T::Wide::vector_mut(sums), T::Wide::vector_mut(errors));
                T::Wide::add_exactly(&mut sums[place], &mut errors[place], sum_run(values));
            }
            Reduction::Product => {
                let product = &mut T::Wide::vector_mut(&mut self.parts[0])[place];
                *product = values.iter().fold(*product, |product, value| product.multiply(value.widen()));
            }
            Reduction::Count => i64::vector_mut(&mut self.parts[0])[place] += count_run(values),
            Reduction::Variance { skip_nan, .. } => {
                if skip_nan && values.iter().any(|value| value.is_nan()) {
                    let known: Vec<T> = values.iter().copied().filter(|value| !value.is_nan()).collect();
                    return self.add_to_one(reduction, place, index, &known);
                }
                self.add_moments(place, moments_run(values));
            }
            Reduction::ArgMinimum { .. } | Reduction::ArgMaximum { .. } => {
                for (step, value) in values.iter().enumerate() {
                    self.add_candidate(reduction, place, *value, index + step as i64);
                }
            }
            _ => {
                let best = &mut T::vector_mut(&mut self.parts[0])[place];
                *best = choose(reduction, *best, best_run(reduction, values));
            }
        }
    }

    fn add_to_each<T: Reduce>(&mut self, reduction: Reduction, place: usize, index: i64, values: &[T]) {
        let places = place..place + values.len();
        match reduction {
            Reduction::Sum => {
                let [sums, errors] = self.parts.as_mut_slice() else { unreachable!("two parts") };
                let (sums, errors) = (T::Wide::vector_mut(sums), T::Wide::vector_mut(errors));
                add_each(&mut sums[places.clone()], &mut errors[places], values);
            }
            Reduction::Product => {
                for (product, value) in T::Wide::vector_mut(&mut self.parts[0])[places].iter_mut().zip(values)
                {
                    *product = product.multiply(value.widen());
                }
            }
            Reduction::Count => {
                for (count, value) in i64::vector_mut(&mut self.parts[0])[places].iter_mut().zip(values) {
                    *count += i64::from(*value != T::default());
                }
            }
            Reduction::Variance { skip_nan, .. } => {
                for (place, value) in places.zip(values) {
                    let value = real(value.wide());
                    if !skip_nan || !value.is_nan() {
                        self.add_moments(place, [1.0, value, 0.0]);
                    }
                }
            }
            Reduction::ArgMinimum { .. } | Reduction::ArgMaximum { .. } => {
                for (place, value) in places.zip(values) {
                    self.add_candidate(reduction, place, *value, index);
                }
            }
            _ => {
                for (best, value) in T::vector_mut(&mut self.parts[0])[places].iter_mut().zip(values) {
                    *best = choose(reduction, *best, *value);
                }
            }
        }
    }

    /// Puts counts, means and squared distances together, as Chan, Golub and LeVeque (1979) do.
    fn add_moments(&mut self, place: usize, [count, mean, squares]: [f64; 3]) {
        if count == 0.0 {
            return;
        }
        let [counts, means, all_squares] = self.parts.as_mut_slice() else { unreachable!("three parts") };
        let (old_count, old_mean) = (&mut f64::vector_mut(counts)[place], &mut f64::vector_mut(means)[place]);
        let total = *old_count + count;
        let distance = mean - *old_mean;
        let old_squares = &mut f64::vector_mut(all_squares)[place];
        // Without earlier elements there is no distance, and the square of what stands for it may be infinite.
        let between =
            if *old_count == 0.0 { 0.0 } else { distance * distance * (*old_count * count / total) };
        *old_squares += squares + between;
        *old_mean = match distance.is_finite() {
            true => *old_mean + distance * (count / total),
            // Two numbers may be further apart than the largest one is from zero.
            false => *old_mean * (*old_count / total) + mean * (count / total),
        };
        *old_count = total;
        if !old_mean.is_finite() {
            // No distance from there is a number.
            *old_squares = f64::NAN;
        }
    }

    fn add_candidate<T: Reduce>(&mut self, reduction: Reduction, place: usize, value: T, index: i64) {
        let (is_minimum, skip_nan) = match reduction {
            Reduction::ArgMinimum { skip_nan } => (true, skip_nan),
            Reduction::ArgMaximum { skip_nan } => (false, skip_nan),
            _ => unreachable!("a search"),
        };
        let [values, indices] = self.parts.as_mut_slice() else { unreachable!("two parts") };
        let (old, old_index) = (&mut T::vector_mut(values)[place], &mut i64::vector_mut(indices)[place]);
        if index < 0 || skip_nan && value.is_nan() {
            return;
        }
        let is_better = match (old.is_nan(), value.is_nan()) {
            (false, true) => true,
            (true, false) => false,
            (true, true) => index < *old_index,
            (false, false) if is_minimum => value.is_less(*old) || !old.is_less(value) && index < *old_index,
            (false, false) => old.is_less(value) || !value.is_less(*old) && index < *old_index,
        };
        if *old_index < 0 || is_better {
            (*old, *old_index) = (value, index);
        }
    }

    /// All elements of the block were seen.
    pub(crate) fn close(&mut self, reduction: Reduction) {
        if reduction != Reduction::Sum {
            return;
        }
        let errors = self.parts.pop().expect("two parts");
        let sums = &mut self.parts[0];
        with_type!(sums.data_type(), T => {
            for (sum, error) in T::vector_mut(sums).iter_mut().zip(T::vector(&errors)) {
                *sum = T::of_wide(corrected(sum.wide(), error.wide()));
            }
        });
    }

    /// Puts the states of neighbouring blocks together, in their order.
    pub(crate) fn combine(reduction: Reduction, states: &[&Self]) -> Self {
        let (first, others) = states.split_first().expect("there is a block");
        let mut total = (*first).clone();
        if reduction == Reduction::Sum {
            return total.combine_sums(others);
        }
        for state in others {
            total.combine_one(reduction, state);
        }
        total
    }

    fn combine_sums(mut self, others: &[&Self]) -> Self {
        with_type!(self.parts[0].data_type(), T => {
            let sums = <T as Reduce>::Wide::vector_mut(&mut self.parts[0]);
            let mut errors = vec![<T as Reduce>::Wide::default(); sums.len()];
            for other in others {
                add_each(sums, &mut errors, <T as Reduce>::Wide::vector(&other.parts[0]));
            }
            self.parts.push(<T as Reduce>::Wide::wrap(errors));
        });
        self.close(Reduction::Sum);
        self
    }

    fn combine_one(&mut self, reduction: Reduction, other: &Self) {
        match reduction {
            Reduction::Product => with_type!(self.parts[0].data_type(), T => {
                let products = <T as Reduce>::Wide::vector_mut(&mut self.parts[0]);
                for (product, value) in products.iter_mut().zip(<T as Reduce>::Wide::vector(&other.parts[0])) {
                    *product = product.multiply(*value);
                }
            }),
            Reduction::Count => {
                for (count, more) in
                    i64::vector_mut(&mut self.parts[0]).iter_mut().zip(i64::vector(&other.parts[0]))
                {
                    *count += more;
                }
            }
            Reduction::Variance { .. } => {
                let [counts, means, squares] = other.parts.as_slice() else { unreachable!("three parts") };
                for place in 0..f64::vector(counts).len() {
                    let moments = [counts, means, squares].map(|part| f64::vector(part)[place]);
                    self.add_moments(place, moments);
                }
            }
            Reduction::ArgMinimum { .. } | Reduction::ArgMaximum { .. } => {
                with_type!(other.parts[0].data_type(), T => {
                    for (place, value) in T::vector(&other.parts[0]).iter().enumerate() {
                        self.add_candidate(reduction, place, *value, i64::vector(&other.parts[1])[place]);
                    }
                });
            }
            _ => with_type!(other.parts[0].data_type(), T => {
                let best = T::vector_mut(&mut self.parts[0]);
                for (best, value) in best.iter_mut().zip(T::vector(&other.parts[0])) {
                    *best = choose(reduction, *best, *value);
                }
            }),
        }
    }

    /// The result, in C order, as elements of the type `T`.
    pub(crate) fn finish<T: Reduce>(mut self, reduction: Reduction) -> Vec<T> {
        if let Reduction::Variance { ddof, is_deviation, skip_nan } = reduction {
            let (counts, squares) = (f64::vector(&self.parts[0]), f64::vector(&self.parts[2]));
            let variance = |(count, squares): (&f64, &f64)| {
                // Without degrees of freedom NumPy's `nanvar` is NaN, and its `var` divides by zero.
                let freedom = count - ddof;
                let variance = match freedom <= 0.0 {
                    true if skip_nan => f64::NAN,
                    true => squares / 0.0,
                    false => squares / freedom,
                };
                T::of_wide(Wide::Real(if is_deviation { variance.sqrt() } else { variance }))
            };
            return counts.iter().zip(squares).map(variance).collect();
        }
        let part = self.parts.pop().expect("there is a part");
        with_type!(part.data_type(), U => U::vector(&part).iter().map(|value| T::of_wide(value.wide())).collect())
    }
}

#[inline(always)]
fn real(wide: Wide) -> f64 {
    f64::of_wide(wide)
}

/// The sum plus the error that is kept beside it; integers have none.
fn corrected(sum: Wide, error: Wide) -> Wide {
    // An error of 0.0 would change the sign of -0.0.
    let corrected = |sum: f64, error: f64| if error == 0.0 { sum } else { sum + error };
    match (sum, error) {
        (Wide::Real(a), Wide::Real(b)) => Wide::Real(corrected(a, b)),
        (Wide::Complex(a, b), Wide::Complex(c, d)) => Wide::Complex(corrected(a, c), corrected(b, d)),
        (sum, _) => sum,
    }
}
