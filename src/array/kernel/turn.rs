//! Reads a leaf whose elements lie the other way round: rows are made of columns, many at once.

use crate::array::Element;
use multiversion::multiversion;

/// How many rows are made at once: as many elements of 8 bytes as two lines of the cache hold.
pub(super) const ROWS: usize = 16;

/// Writes `rows` rows of `length` elements, at most [`ROWS`]. Those of each column follow each other in `input`, and the
/// columns are `stride` apart.
pub(super) fn turn<T: Element>(
    input: &[T],
    base: i64,
    stride: i64,
    rows: usize,
    panel: &mut [T],
    length: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if rows == ROWS && matches!(size_of::<T>(), 4 | 8) && is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, and the elements are numbers of 4 or 8 bytes.
        return unsafe { in_registers(input, base, stride, panel, length) };
    }
    in_cache(input, base, stride, rows, panel, length);
}

/// Some columns at a time are copied to where all of them stay in the first-level cache, and turned
/// there: loads that wait for memory overlap each other only where nothing else is done between them.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn in_cache<T: Element>(input: &[T], base: i64, stride: i64, rows: usize, panel: &mut [T], length: usize) {
    const COLUMNS: usize = 128;
    let mut columns = [[T::default(); ROWS]; COLUMNS];
    let column_of = |column: usize| &input[(base + column as i64 * stride) as usize..];
    for first in (0..length).step_by(COLUMNS) {
        let count = COLUMNS.min(length - first);
        for (place, column) in columns[..count].iter_mut().enumerate() {
            match column_of(first + place).first_chunk::<ROWS>() {
                Some(elements) if rows == ROWS => *column = *elements,
                _ => column[..rows].copy_from_slice(&column_of(first + place)[..rows]),
            }
        }
        for row in 0..rows {
            let output = &mut panel[row * length + first..][..count];
            output.iter_mut().zip(&columns).for_each(|(output, column)| *output = column[row]);
        }
    }
}

/// Squares of four columns and rows are turned in registers. Meanwhile the lines of the cache come that the next rows
/// are made of.
///
/// # Safety
///
/// The processor has AVX2, and `T` is a number of 4 or 8 bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn in_registers<T: Element>(input: &[T], base: i64, stride: i64, panel: &mut [T], length: usize) {
    use std::arch::x86_64::*;
    const SIDE: usize = 4;
    let column_of = |column: usize| &input[(base + column as i64 * stride) as usize..][..ROWS];
    let panel = &mut panel[..ROWS * length];
    let whole = length - length % SIDE;
    for first in (0..whole).step_by(SIDE) {
        let columns: [*const T; SIDE] = std::array::from_fn(|place| column_of(first + place).as_ptr());
        for column in columns {
            _mm_prefetch::<_MM_HINT_T0>(column.wrapping_add(ROWS).cast());
            _mm_prefetch::<_MM_HINT_T0>(column.wrapping_add(ROWS).wrapping_byte_add(64).cast());
        }
        for row in (0..ROWS).step_by(SIDE) {
            // SAFETY: a column has `ROWS` elements, and the panel as many rows of `length`. Both are of the size that
            // the instructions move, wherever they lie.
            unsafe {
                let at = columns.map(|column| column.add(row));
                let output = panel.as_mut_ptr().add(row * length + first);
                if size_of::<T>() == 8 {
                    let [a, b, c, d] = at.map(|at| _mm256_loadu_pd(at.cast()));
                    let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
                    let (next_low, next_high) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
                    _mm256_storeu_pd(output.cast(), _mm256_permute2f128_pd::<0x20>(low, next_low));
                    _mm256_storeu_pd(
                        output.add(length).cast(),
                        _mm256_permute2f128_pd::<0x20>(high, next_high),
                    );
                    _mm256_storeu_pd(
                        output.add(2 * length).cast(),
                        _mm256_permute2f128_pd::<0x31>(low, next_low),
                    );
                    _mm256_storeu_pd(
                        output.add(3 * length).cast(),
                        _mm256_permute2f128_pd::<0x31>(high, next_high),
                    );
                } else {
                    let [a, b, c, d] = at.map(|at| _mm_loadu_ps(at.cast()));
                    let (low, high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
                    let (next_low, next_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
                    _mm_storeu_ps(output.cast(), _mm_movelh_ps(low, next_low));
                    _mm_storeu_ps(output.add(length).cast(), _mm_movehl_ps(next_low, low));
                    _mm_storeu_ps(output.add(2 * length).cast(), _mm_movelh_ps(high, next_high));
                    _mm_storeu_ps(output.add(3 * length).cast(), _mm_movehl_ps(next_high, high));
                }
            }
        }
    }
    for column in whole..length {
        for (row, element) in column_of(column).iter().enumerate() {
            panel[row * length + column] = *element;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of a leaf of `length` columns that are `apart` elements apart, from its element `first` on.
    fn check<T: Element>(number: impl Fn(usize) -> T, rows: usize, length: usize, apart: i64, first: usize) {
        let span = length.saturating_sub(1) * apart.unsigned_abs() as usize;
        let input: Vec<T> = (0..first + span + ROWS).map(number).collect();
        let base = if apart < 0 { first + span } else { first };
        let mut panel = vec![T::default(); ROWS * length + 1];
        turn(&input, base as i64, apart, rows, &mut panel, length);
        for row in 0..rows {
            for column in 0..length {
                let place = (base as i64 + column as i64 * apart) as usize + row;
                assert_eq!(
                    panel[row * length + column],
                    input[place],
                    "row {row}, column {column} of {length}"
                );
            }
        }
        assert_eq!(panel[ROWS * length], T::default());
    }

    #[test]
    fn every_element_comes_to_its_place() {
        for rows in [1, 3, 15, 16] {
            for length in [0, 1, 3, 4, 5, 8, 127, 128, 129, 300] {
                for (apart, first) in [(16, 0), (17, 3), (1000, 1), (-20, 7), (0, 5)] {
                    check(|place| place as f64, rows, length, apart, first);
                    check(|place| place as f32, rows, length, apart, first);
                    check(|place| place as i64, rows, length, apart, first);
                    check(|place| place as u32, rows, length, apart, first);
                    check(|place| place as u8, rows, length, apart, first);
                    check(|place| place % 3 == 0, rows, length, apart, first);
                    check(|place| num_complex::Complex::new(place as f64, 1.0), rows, length, apart, first);
                }
            }
        }
    }
}
