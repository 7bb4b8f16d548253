//! The product of two matrices on one thread: by the site's BLAS with the feature `blas`, else by `gemm` on
//! processors with AVX-512, and by `matrixmultiply` on others.

use crate::array::Float;
use ndarray::{ArrayView2, ArrayViewMut2, linalg};

/// Adds the product to `result`.
pub(super) fn add_product<T: Float>(
    left: ArrayView2<'_, T>,
    right: ArrayView2<'_, T>,
    result: &mut ArrayViewMut2<'_, T>,
) {
    #[cfg(feature = "blas")]
    blas::use_one_thread();
    // What multiplies matrices packs its operands, which a vector does not repay.
    if right.ncols() == 1 {
        let mut column = result.column_mut(0);
        linalg::general_mat_vec_mul(T::one(), &left, &right.column(0), T::one(), &mut column);
    } else if left.nrows() == 1 {
        let mut row = result.row_mut(0);
        linalg::general_mat_vec_mul(T::one(), &right.t(), &left.row(0), T::one(), &mut row);
    } else {
        #[cfg(all(target_arch = "x86_64", not(feature = "blas")))]
        if by_wide_instructions(left, right, result) {
            return;
        }
        linalg::general_mat_mul(T::one(), &left, &right, T::one(), result);
    }
}

/// Adds the product if the processor has instructions for 512 bits. With narrower ones `gemm` took longer than
/// `matrixmultiply`.
#[cfg(all(target_arch = "x86_64", not(feature = "blas")))]
fn by_wide_instructions<T: Float>(
    left: ArrayView2<'_, T>,
    right: ArrayView2<'_, T>,
    result: &mut ArrayViewMut2<'_, T>,
) -> bool {
    if !is_x86_feature_detected!("avx512f") {
        return false;
    }
    let ((rows, inner), columns) = (left.dim(), right.ncols());
    assert!(right.nrows() == inner && result.dim() == (rows, columns), "the shapes fit");
    let strides = |strides: &[isize]| (strides[1], strides[0]);
    let (left_strides, right_strides) = (strides(left.strides()), strides(right.strides()));
    let result_strides = strides(result.strides());
    let (one, no) = (T::one(), false);
    // SAFETY: the shapes fit, and pointers and strides are those of views, of which `result` is borrowed alone.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            result.as_mut_ptr(),
            result_strides.0,
            result_strides.1,
            true,
            left.as_ptr(),
            left_strides.0,
            left_strides.1,
            right.as_ptr(),
            right_strides.0,
            right_strides.1,
            one,
            one,
            no,
            no,
            no,
            gemm::Parallelism::None,
        );
    }
    true
}

#[cfg(feature = "blas")]
mod blas {
    use std::{
        ffi::{CStr, c_long},
        hint::black_box,
        sync::Once,
    };

    /// Each task has one thread. A BLAS would take all cores for each of them.
    pub(super) fn use_one_thread() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // The linker keeps a library whose functions this crate names, also where only `ndarray` calls them.
            black_box(cblas_sys::cblas_dgemm as *const ());
            // OpenBLAS, MKL and BLIS.
            for name in [c"openblas_set_num_threads", c"MKL_Set_Num_Threads", c"bli_thread_set_num_threads"] {
                set_threads(name);
            }
        });
    }

    fn set_threads(name: &CStr) {
        // SAFETY: the name ends with a zero, and what is found is of the C functions of these libraries.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        if found.is_null() {
            return;
        }
        // SAFETY: each takes one whole number, and reads as much of the register as it wants.
        let set = unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn(c_long)>(found) };
        set(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use num_complex::Complex;

    fn check<T: Float>(number: impl Fn(usize) -> T, distance: impl Fn(T, T) -> f64, tolerance: f64) {
        for (rows, inner, columns) in
            [(1, 1, 1), (3, 5, 2), (1, 40, 9), (9, 40, 1), (70, 33, 65), (5, 0, 4), (200, 150, 130)]
        {
            let matrix = |rows, columns, step| {
                Array2::from_shape_fn((rows, columns), |(row, column)| number(step * row + 3 * column))
            };
            let (left, right) = (matrix(rows, inner, 7), matrix(inner, columns, 5));
            let mut result = matrix(rows, columns, 1);
            let before = result.clone();
            add_product(left.view(), right.view(), &mut result.view_mut());
            for ((row, column), found) in result.indexed_iter() {
                let terms = (0..inner).map(|place| left[(row, place)] * right[(place, column)]);
                let due = terms.fold(before[(row, column)], |sum, term| sum + term);
                assert!(distance(*found, due) <= tolerance, "{found:?} rather than {due:?}");
            }
        }
    }

    #[test]
    fn products_of_every_type_are_those_of_the_definition() {
        let number = |index: usize| (index % 19) as f64 / 19.0 - 0.4;
        check(number, |a: f64, b| (a - b).abs(), 1e-13);
        check(|index| number(index) as f32, |a: f32, b| f64::from((a - b).abs()), 2e-5);
        check(|index| Complex::new(number(index), number(index + 7)), |a, b| (a - b).norm(), 1e-13);
        let single = |index| Complex::new(number(index) as f32, number(index + 7) as f32);
        check(single, |a: Complex<f32>, b| f64::from((a - b).norm()), 4e-5);
    }
}
