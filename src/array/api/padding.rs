//! Padding that is calculated from the elements: ramps and statistics.

use super::shape::concatenate;
use crate::array::{Array, Axes, DataType, Number, Ordered, kernel::operators::real_of};
use std::cmp::Ordering;

/// What [`Array::pad_statistic`] pads with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PadStatistic {
    /// The largest element.
    Maximum,
    /// The smallest element.
    Minimum,
    /// The mean; of integers rounded to the nearest one, halves to the even one.
    Mean,
    /// The median; of integers rounded as the mean.
    Median,
}

impl<T: Number + Ordered> Array<T> {
    /// Returns the array with numbers added before and after those along each axis that go from `end` to the element at
    /// the edge in equal steps: NumPy's `pad` with `mode="linear_ramp"`. Those of integers are rounded down. There is a
    /// pair of counts, before and after, for each axis. Axes are padded one after the other.
    ///
    /// # Panics
    ///
    /// Panics if there is not one pair for each axis, or an axis without elements is padded.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(6, 8, 1, 2);
    /// assert_eq!(x.pad_ramp(&[(3, 2)], 0).compute()?.as_slice().unwrap(), [0, 2, 4, 6, 7, 3, 0]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn pad_ramp(&self, counts: &[(usize, usize)], end: T) -> Self {
        self.pad_each("pad_ramp", counts, |array, axis, [before, after]| {
            let length = array.length("pad_ramp", axis);
            let ramp = |place: usize, count: usize| {
                let edge = array.stretch(axis, place, 1).cast::<f64>();
                let end = real_of(end);
                let steps = array.client.arange(0, count as i64, 1, count.max(1)).cast::<f64>();
                let steps = (0..array.ndim()).fold(steps, |steps, own| match own.cmp(&axis) {
                    Ordering::Less => steps.expand_dims(0),
                    Ordering::Equal => steps,
                    Ordering::Greater => steps.expand_dims(steps.ndim()),
                });
                let ramp = steps * ((edge - end) / count as f64) + end;
                if is_integer::<T>() { ramp.floor().cast::<T>() } else { ramp.cast::<T>() }
            };
            let left = (before > 0).then(|| ramp(0, before));
            [left, (after > 0).then(|| ramp(length - 1, after).flip(axis))]
        })
    }

    /// Returns the array with a statistic of the first or last `length` elements along an axis added before and after
    /// them: NumPy's `pad` with `mode="maximum"`, `"minimum"`, `"mean"` or `"median"`. `None` is all elements. There is a
    /// pair of counts, before and after, for each axis. Axes are padded one after the other.
    ///
    /// # Panics
    ///
    /// Panics if there is not one pair for each axis, an axis without elements is padded, or `length` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use maniple::array::PadStatistic;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 6, 1, 4);
    /// let padded = x.pad_statistic(&[(1, 2)], PadStatistic::Maximum, Some(3));
    /// assert_eq!(padded.compute()?.as_slice().unwrap(), [2, 0, 1, 2, 3, 4, 5, 5, 5]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn pad_statistic(
        &self,
        counts: &[(usize, usize)],
        statistic: PadStatistic,
        length: Option<usize>,
    ) -> Self {
        assert!(length != Some(0), "pad_statistic: length is 0, it must be at least 1");
        self.pad_each("pad_statistic", counts, |array, axis, [before, after]| {
            let whole = array.length("pad_statistic", axis);
            let length = length.map_or(whole, |length| length.min(whole));
            let of = |start: usize, count: usize| {
                (count > 0).then(|| {
                    let one = array.stretch(axis, start, length).statistic(axis, statistic);
                    let mut shape = array.shape();
                    shape[axis] = count;
                    one.broadcast_to(shape)
                })
            };
            [of(0, before), of(whole - length, after)]
        })
    }

    /// Pads one axis after the other with what is made of the array, the axis and the counts.
    #[track_caller]
    fn pad_each(
        &self,
        name: &str,
        counts: &[(usize, usize)],
        borders: impl Fn(&Self, usize, [usize; 2]) -> [Option<Self>; 2],
    ) -> Self {
        let shape = self.shape();
        assert!(
            counts.len() == shape.len(),
            "{name}: counts are {counts:?}, there must be a pair for each axis of shape {shape:?}"
        );
        let pairs = counts.iter().enumerate().filter(|(_, (before, after))| before + after > 0);
        pairs.fold(self.clone(), |array, (axis, (before, after))| {
            assert!(shape[axis] > 0, "{name}: axis {axis} of shape {shape:?} has no elements to pad it with");
            let [left, right] = borders(&array, axis, [*before, *after]);
            let parts = [left, Some(array), right];
            concatenate(&parts.into_iter().flatten().collect::<Vec<_>>(), axis)
        })
    }

    /// A statistic along an axis, which stays with length 1.
    fn statistic(&self, axis: usize, statistic: PadStatistic) -> Self {
        let axes = || Axes::of(axis).keep();
        let number = match statistic {
            PadStatistic::Maximum => return self.max_axis(axes()),
            PadStatistic::Minimum => return self.min_axis(axes()),
            PadStatistic::Mean => self.cast::<f64>().mean_axis(axes()),
            PadStatistic::Median => self.cast::<f64>().median(axis).expand_dims(axis),
        };
        if is_integer::<T>() { number.round().cast() } else { number.cast() }
    }
}

fn is_integer<T: Number>() -> bool {
    !matches!(T::DATA_TYPE, DataType::F16 | DataType::F32 | DataType::F64)
}
