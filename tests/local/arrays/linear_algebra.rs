//! Linear algebra on chunked arrays against `ndarray`, and against what defines a factorization.

#![cfg_attr(not(feature = "linear-algebra"), allow(unused_imports, reason = "products need less"))]

use crate::arrays::{pieces, random, shapes, with_client};
use maniple::{
    Client, Result, Runtime,
    array::{Array, Float, Norm, einsum, try_einsum},
};
use ndarray::{Array1, Array2, ArrayD, Ix2, IxDyn, Zip};
use num_complex::Complex;
use proptest::prelude::*;

fn numbers(shape: &[usize], seed: u64) -> ArrayD<f64> {
    random(shape, seed, |bits| (bits >> 33) as f64 / f64::from(1_u32 << 30) - 1.0)
}

/// A local matrix, and the same in chunks.
fn pair(client: &Client, shape: [usize; 2], chunk: [usize; 2], seed: u64) -> (Array2<f64>, Array<f64>) {
    let local = numbers(&shape, seed);
    let array = client.from_ndarray(&local, pieces(&shape, &chunk, seed)).unwrap();
    (matrix(local), array)
}

fn matrix<T>(array: ArrayD<T>) -> Array2<T> {
    array.into_dimensionality::<Ix2>().unwrap()
}

fn distance(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    Zip::from(a).and(b).fold(0.0, |largest, a, b| f64::max(largest, (a - b).abs()))
}

fn is_near(a: &ArrayD<f64>, b: &ArrayD<f64>) -> bool {
    distance(a, b) < 1e-11
}

/// Lengths, and sizes of chunks.
fn axes(count: usize) -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    shapes(1..14, 1..8, count)
}

fn config() -> ProptestConfig {
    ProptestConfig::with_cases(12)
}

#[test]
fn products_are_those_of_ndarray() {
    with_client(|client| {
        proptest!(config(), |((n, c) in axes(4), seed: u64)| {
            let (x, a) = pair(client, [n[0], n[1]], [c[0], c[1]], seed);
            let (y, b) = pair(client, [n[1], n[2]], [c[3], c[2]], seed ^ 1);
            let product = x.dot(&y).into_dyn();
            prop_assert!(is_near(&a.matmul(&b).compute().unwrap(), &product));
            prop_assert!(is_near(&a.dot(&b).compute().unwrap(), &product));
            prop_assert!(is_near(&a.inner(&b.t()).compute().unwrap(), &product));
            prop_assert!(is_near(&a.tensordot(&b, &[1], &[0]).compute().unwrap(), &product));
            let turned = einsum("ij,jk->ki", &[&a, &b]).compute().unwrap();
            prop_assert!(is_near(&turned, &product.t().to_owned()));
            // Sums over an axis that one operand alone has.
            let summed = einsum("ij,jk->k", &[&a, &b]).compute().unwrap();
            prop_assert!(is_near(&summed, &product.sum_axis(ndarray::Axis(0))));
            let (column, row) = (a.slice(ndarray::s![.., 0]), b.slice(ndarray::s![0, ..]));
            let local = x.column(0).to_owned();
            let products = Array2::from_shape_fn((n[0], n[2]), |(i, k)| x[[i, 0]] * y[[0, k]]);
            prop_assert!(is_near(&column.outer(&row).compute().unwrap(), &products.into_dyn()));
            prop_assert!((column.vdot(&column).compute().unwrap() - local.dot(&local)).abs() < 1e-12);
            let vector = row.matmul(&b.t()).compute().unwrap();
            prop_assert!(is_near(&vector, &y.row(0).dot(&y.t()).into_dyn()));
            let vector = b.matmul(&row).compute().unwrap();
            prop_assert!(is_near(&vector, &y.dot(&y.row(0)).into_dyn()));
        });
    });
}

#[test]
fn stacks_of_matrices_are_multiplied_one_by_one() {
    with_client(|client| {
        proptest!(config(), |((n, c) in axes(4), seed: u64)| {
            let (x, y) = (numbers(&[n[0], n[1], n[2]], seed), numbers(&[n[2], n[3]], !seed));
            let a = client.from_ndarray(&x, c[..3].to_vec()).unwrap();
            let b = client.from_ndarray(&y, [c[2], c[3]]).unwrap();
            let wanted = ArrayD::from_shape_fn(IxDyn(&[n[0], n[1], n[3]]), |at| {
                (0..n[2]).map(|k| x[[at[0], at[1], k]] * y[[k, at[2]]]).sum::<f64>()
            });
            prop_assert!(is_near(&a.matmul(&b).compute().unwrap(), &wanted));
            prop_assert!(is_near(&einsum("bij,jk->bik", &[&a, &b]).compute().unwrap(), &wanted));
            // Over two axes at once, and one that both have and stays.
            let wanted = ArrayD::from_shape_fn(IxDyn(&[n[0]]), |at| {
                x.index_axis(ndarray::Axis(0), at[0]).iter().map(|x| x * x).sum::<f64>()
            });
            prop_assert!(is_near(&einsum("bij,bij->b", &[&a, &a]).compute().unwrap(), &wanted));
            let wanted = matrix(x.to_shape((n[0], n[1] * n[2])).unwrap().into_owned().into_dyn());
            let wanted = wanted.dot(&wanted.t()).into_dyn();
            prop_assert!(is_near(&a.tensordot(&a, &[1, 2], &[1, 2]).compute().unwrap(), &wanted));
        });
    });
}

#[test]
fn a_long_inner_axis_is_summed_in_parts() {
    with_client(|client| {
        let (x, a) = pair(client, [3, 500], [2, 11], 5);
        let product = a.matmul(&a.t()).compute().unwrap();
        assert!(is_near(&product, &x.dot(&x.t()).into_dyn()));
        let empty = client.zeros::<f64>([3, 0], 2).matmul(&client.zeros([0, 4], 2)).compute().unwrap();
        assert_eq!(empty, ArrayD::<f64>::zeros(IxDyn(&[3, 4])));
    });
}

#[test]
fn diagonals_are_taken_and_made() {
    with_client(|client| {
        proptest!(config(), |((n, c) in axes(2), seed: u64, offset in -15i64..15)| {
            let (x, a) = pair(client, [n[0], n[1]], [c[0], c[1]], seed);
            let wanted: Vec<f64> = (0..n[0] as i64)
                .filter(|i| (0..n[1] as i64).contains(&(i + offset)))
                .map(|i| x[[i as usize, (i + offset) as usize]])
                .collect();
            let diagonal = a.diagonal(offset).compute().unwrap();
            prop_assert_eq!(diagonal.iter().copied().collect::<Vec<_>>(), wanted.clone());
            prop_assert!((a.trace(offset).compute().unwrap() - wanted.iter().sum::<f64>()).abs() < 1e-12);
            let made = a.slice(ndarray::s![0, ..]).to_diagonal().compute().unwrap();
            prop_assert_eq!(made, Array2::from_diag(&x.row(0)).into_dyn());
        });
    });
}

#[test]
fn shapes_that_do_not_fit_are_told() {
    with_client(|client| {
        let x = client.ones::<f64>([2, 3], 2);
        let words = x.try_matmul(&x).unwrap_err().to_string();
        assert_eq!(words, "matmul of shapes [2, 3] and [2, 3], which do not fit");
        let words = |subscripts| try_einsum(subscripts, &[&x, &x]).unwrap_err().to_string();
        assert!(
            words("ij,jk->ik").contains("shapes [2, 3] and [2, 3]: the axes 'j' have the lengths 3 and 2")
        );
        assert!(words("ii,ij->j").contains("'i' is a diagonal of axes that differ in length"));
        assert!(words("ij,ij->k").contains("'k' of the result is in no array"));
        assert!(words("ijk,ij->k").contains("names 3 axes of an array that has 2"));
    });
}

#[test]
fn einsum_takes_diagonals_further_axes_and_any_number_of_arrays() {
    with_client(|client| {
        proptest!(config(), |((n, c) in axes(4), seed: u64)| {
            let (x, a) = pair(client, [n[0], n[1]], [c[0], c[1]], seed);
            let (y, b) = pair(client, [n[1], n[2]], [c[3], c[2]], seed ^ 1);
            let (z, d) = pair(client, [n[2], n[3]], [c[2], c[0]], seed ^ 2);
            let (w, e) = pair(client, [n[0], n[0]], [c[0], c[1]], seed ^ 3);
            let product = x.dot(&y).dot(&z).into_dyn();
            prop_assert!(is_near(&einsum("ij,jk,kl->il", &[&a, &b, &d]).compute().unwrap(), &product));
            prop_assert!(is_near(&einsum("ij->ji", &[&a]).compute().unwrap(), &x.t().to_owned().into_dyn()));
            prop_assert!(is_near(&einsum("ij->", &[&a]).compute().unwrap(), &ndarray::arr0(x.sum()).into_dyn()));
            prop_assert!(is_near(&einsum("ii->i", &[&e]).compute().unwrap(), &w.diag().to_owned().into_dyn()));
            prop_assert!(is_near(&einsum("ii", &[&e]).compute().unwrap(), &ndarray::arr0(w.diag().sum()).into_dyn()));
            let scaled = &x * &w.diag().insert_axis(ndarray::Axis(1));
            prop_assert!(is_near(&einsum("ii,ij->ij", &[&e, &a]).compute().unwrap(), &scaled.into_dyn()));
            let stacked = a.expand_dims(0) * client.from_ndarray(&ndarray::arr1(&[1.0, 2.0]), vec![vec![0, 1, 1]]).unwrap().reshape([2, 1, 1]);
            let further = einsum("...ij,jk->...ki", &[&stacked, &b]).compute().unwrap();
            let wanted = x.dot(&y).t().to_owned();
            prop_assert!(is_near(&further.index_axis(ndarray::Axis(0), 1).to_owned(), &(&wanted * 2.0).into_dyn()));
            prop_assert!(is_near(&einsum("...ij,jk", &[&stacked, &b]).compute().unwrap().index_axis(ndarray::Axis(0), 0).to_owned(), &x.dot(&y).into_dyn()));
            let cube = einsum("iji->ji", &[&(e.expand_dims(1) * a.expand_dims(2))]).compute().unwrap();
            let diagonal = Array2::from_shape_fn((n[1], n[0]), |(j, i)| w[(i, i)] * x[(i, j)]);
            prop_assert!(is_near(&cube, &diagonal.into_dyn()));
        });
        let one = client.ones::<f64>([1, 3], 1);
        let three = client.ones::<f64>([3], 2);
        assert_eq!(
            einsum("ij,i->ij", &[&one, &three]).compute().unwrap(),
            ArrayD::<f64>::ones(IxDyn(&[3, 3]))
        );
    });
}

#[test]
fn arrays_without_axes_multiply_elements() {
    with_client(|client| {
        let number = client.full(3.0, [], 1);
        let x = client.arange(0, 3, 1, 2).cast::<f64>();
        let tripled = ndarray::arr1(&[0.0, 3.0, 6.0]).into_dyn();
        assert_eq!(number.dot(&x).compute().unwrap(), tripled);
        assert_eq!(x.inner(&number).compute().unwrap(), tripled);
        assert_eq!(number.inner(&number).compute().unwrap(), ndarray::arr0(9.0).into_dyn());
    });
}

#[test]
fn diagonals_are_found_beside_empty_blocks() {
    with_client(|client| {
        let local = ndarray::arr2(&[[-1.0]]);
        let x = client.from_ndarray(&local, vec![vec![1, 0], vec![0, 1]]).unwrap();
        assert_eq!(x.trace(0).compute().unwrap(), -1.0);
        assert_eq!(x.diagonal(0).compute().unwrap(), ndarray::arr1(&[-1.0]).into_dyn());
        proptest!(config(), |((n, c) in axes(2), seed: u64, offset in -5_i64..5)| {
            let (x, a) = pair(client, [n[0], n[1]], [c[0], c[1]], seed);
            let at = |place: usize| (place + (-offset).max(0) as usize, place + offset.max(0) as usize);
            let wanted = (0..20).map(at).filter_map(|place| x.get(place).copied()).collect::<Array1<f64>>();
            prop_assert_eq!(a.diagonal(offset).compute().unwrap(), wanted.into_dyn());
        });
    });
}

#[cfg(feature = "linear-algebra")]
mod factorizations {
    use super::*;

    fn identity_error(q: &Array2<f64>) -> f64 {
        distance(&q.t().dot(q).into_dyn(), &Array2::eye(q.ncols()).into_dyn())
    }

    fn is_upper(r: &Array2<f64>) -> bool {
        r.indexed_iter().all(|((row, column), x)| row <= column || *x == 0.0)
    }

    #[test]
    fn q_is_orthogonal_and_q_times_r_is_the_matrix() {
        with_client(|client| {
            proptest!(config(), |((n, c) in axes(2), seed: u64, tall: bool)| {
                let rows = if tall { n[0] * 9 } else { n[0] };
                let (x, a) = pair(client, [rows, n[1]], [c[0], if tall { n[1] } else { c[1] }], seed);
                let (q, r) = a.qr();
                prop_assert_eq!(q.shape(), vec![rows, rows.min(n[1])]);
                let (q, r) = (matrix(q.compute().unwrap()), matrix(r.compute().unwrap()));
                prop_assert!(identity_error(&q) < 1e-13);
                prop_assert!(is_upper(&r));
                prop_assert!(is_near(&q.dot(&r).into_dyn(), &x.into_dyn()));
            });
        });
    }

    #[test]
    fn q_is_orthogonal_though_columns_depend_on_each_other() {
        with_client(|client| {
            for chunk in [[4, 6], [5, 2]] {
                let (x, _) = pair(client, [30, 2], [30, 2], 3);
                let x = x.dot(&numbers(&[2, 6], 4).into_dimensionality::<Ix2>().unwrap()).into_dyn();
                let (q, r) = client.from_ndarray(&x, chunk).unwrap().qr();
                let (q, r) = (matrix(q.compute().unwrap()), matrix(r.compute().unwrap()));
                assert!(identity_error(&q) < 1e-13);
                assert!(is_near(&q.dot(&r).into_dyn(), &x));
            }
        });
    }

    #[test]
    fn singular_values_and_vectors_make_the_matrix() {
        with_client(|client| {
            proptest!(config(), |((n, c) in axes(2), seed: u64)| {
                let (x, a) = pair(client, [n[0], n[1]], [c[0], c[1]], seed);
                let (u, s, v) = a.svd();
                let (u, v) = (matrix(u.compute().unwrap()), matrix(v.compute().unwrap()));
                let s: Array1<f64> = s.compute().unwrap().into_dimensionality().unwrap();
                prop_assert_eq!(s.len(), n[0].min(n[1]));
                prop_assert!(s.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
                prop_assert!(identity_error(&u) < 1e-12);
                prop_assert!(identity_error(&v.t().to_owned()) < 1e-12);
                prop_assert!(is_near(&(&u * &s).dot(&v).into_dyn(), &x.into_dyn()));
            });
        });
    }

    #[test]
    fn a_compressed_decomposition_finds_the_rank() {
        with_client(|client| {
            let left = matrix(numbers(&[60, 3], 1));
            let x = left.dot(&matrix(numbers(&[3, 40], 2))).into_dyn();
            for chunk in [[17, 40], [60, 9]] {
                let a = client.from_ndarray(&x, chunk).unwrap();
                let (_, all, _) = a.svd();
                let (u, s, v) = a.svd_compressed(3, 2, 7);
                let (u, v) = (matrix(u.compute().unwrap()), matrix(v.compute().unwrap()));
                let s = s.compute().unwrap();
                assert!(is_near(&s, &all.slice(ndarray::s![..3]).compute().unwrap()));
                let s: Array1<f64> = s.into_dimensionality().unwrap();
                assert!(is_near(&(&u * &s).dot(&v).into_dyn(), &x));
            }
        });
    }

    #[test]
    fn permuted_l_times_u_is_the_matrix() {
        with_client(|client| {
            proptest!(config(), |((n, c) in axes(2), seed: u64)| {
                let (x, a) = pair(client, [n[0], n[1]], [c[0], c[1]], seed);
                let lu = a.lu();
                let permutation = lu.permutation.compute().unwrap();
                let p = matrix(lu.permutation_matrix().compute().unwrap());
                let (l, u) = (matrix(lu.lower.compute().unwrap()), matrix(lu.upper.compute().unwrap()));
                let product = l.dot(&u);
                prop_assert!(is_near(&p.dot(&product).into_dyn(), &x.clone().into_dyn()));
                for (place, row) in permutation.iter().enumerate() {
                    prop_assert!(is_near(&product.row(place).to_owned().into_dyn(), &x.row(*row as usize).to_owned().into_dyn()));
                }
                prop_assert!(is_upper(&u) && is_upper(&l.t().to_owned()));
                prop_assert!(l.diag().iter().all(|one| *one == 1.0));
                prop_assert!(l.iter().all(|x| x.abs() <= 1.0), "the largest element is the pivot");
            });
        });
    }

    #[test]
    fn equations_are_solved() {
        with_client(|client| {
            proptest!(config(), |((n, c) in axes(2), seed: u64)| {
                let shift = Array2::<f64>::eye(n[0]) * n[0] as f64;
                let x = matrix(numbers(&[n[0], n[0]], seed)) + &shift;
                let a = client.from_ndarray(&x, [c[0], c[1]]).unwrap();
                let (y, b) = pair(client, [n[0], n[1]], [c[1], c[0]], !seed);
                let solution = matrix(a.solve(&b).compute().unwrap());
                prop_assert!(is_near(&x.dot(&solution).into_dyn(), &y.clone().into_dyn()));
                let vector = a.solve(&b.slice(ndarray::s![.., 0])).compute().unwrap();
                prop_assert!(is_near(&vector, &solution.column(0).to_owned().into_dyn()));
                let inverse = matrix(a.inv().compute().unwrap());
                prop_assert!(is_near(&inverse.dot(&x).into_dyn(), &Array2::eye(n[0]).into_dyn()));
                for lower in [true, false] {
                    let triangle = if lower { a.tril(0) } else { a.triu(0) };
                    let solution = a.solve_triangular(&b, lower);
                    let left = triangle.matmul(&solution).compute().unwrap();
                    prop_assert!(is_near(&left, &y.clone().into_dyn()));
                }
                // The determinant of a product is that of its factors.
                let (twice, once) = (a.matmul(&a).det().compute().unwrap(), a.det().compute().unwrap());
                prop_assert!((twice / (once * once) - 1.0).abs() < 1e-9);
            });
        });
    }

    #[test]
    fn determinants_have_the_sign_of_the_exchanges() {
        with_client(|client| {
            let x = client.eye::<f64>(5, 0, 2).take(0, &[1, 0, 2, 4, 3]);
            assert_eq!(x.det().compute().unwrap(), 1.0);
            assert_eq!(x.take(0, &[0, 2, 1, 3, 4]).det().compute().unwrap(), -1.0);
            assert_eq!((x * 2.0).det().compute().unwrap(), 32.0);
            assert_eq!(client.ones::<f64>([3, 3], 2).det().compute().unwrap(), 0.0);
        });
    }

    #[test]
    fn l_times_its_transpose_is_the_matrix() {
        with_client(|client| {
            proptest!(config(), |((n, c) in axes(2), seed: u64)| {
                let x = matrix(numbers(&[n[0], n[0]], seed));
                let x = x.dot(&x.t()) + Array2::<f64>::eye(n[0]);
                let l = client.from_ndarray(&x, [c[0], c[1]]).unwrap().cholesky();
                let l = matrix(l.compute().unwrap());
                prop_assert!(is_upper(&l.t().to_owned()));
                prop_assert!(is_near(&l.dot(&l.t()).into_dyn(), &x.into_dyn()));
            });
        });
    }

    #[test]
    fn least_squares_are_orthogonal_to_the_matrix() {
        with_client(|client| {
            let (x, a) = pair(client, [40, 5], [9, 5], 1);
            let (y, b) = pair(client, [40, 3], [9, 2], 2);
            let found = a.lstsq(&b, None);
            let solution = matrix(found.solution.compute().unwrap());
            let left = &y - x.dot(&solution);
            assert!(is_near(&x.t().dot(&left).into_dyn(), &ArrayD::zeros(IxDyn(&[5, 3]))));
            let residuals = (&left * &left).sum_axis(ndarray::Axis(0)).into_dyn();
            assert!(is_near(&found.residuals.compute().unwrap(), &residuals));
            assert_eq!(found.rank.compute().unwrap(), 5);
            // Of a column that is there twice, each has half: the smallest solution.
            let twice = maniple::array::concatenate(&[&a, &a], 1);
            let found = twice.lstsq(&b.slice(ndarray::s![.., 0]), None);
            assert_eq!(found.rank.compute().unwrap(), 5);
            let half = solution.column(0).to_owned().into_dyn() / 2.0;
            assert!(is_near(&found.solution.slice(ndarray::s![..5]).compute().unwrap(), &half));
        });
    }

    /// What a complex or single-precision matrix is made into must be the matrix again.
    fn check_type<T: Float>(client: &Client, x: &Array<T>, precision: f64) {
        let near = |a: &Array<T>, b: &Array<T>| {
            let difference = (a - b).abs().cast::<f64>().max().compute().unwrap();
            assert!(difference < precision, "{difference}");
        };
        let (q, r) = x.qr();
        near(&q.matmul(&r), x);
        near(&q.adjoint().matmul(&q), &client.eye(6, 0, 6));
        let (u, s, v) = x.svd();
        near(&(u * s.cast::<T>()).matmul(&v), x);
        let lu = x.lu();
        near(&lu.permutation_matrix().matmul(&lu.lower).matmul(&lu.upper), x);
        let positive = x.adjoint().matmul(x) + client.eye(6, 0, 6);
        let l = positive.cholesky();
        near(&l.matmul(&l.adjoint()), &positive);
        near(&positive.matmul(&positive.inv()), &client.eye(6, 0, 6));
        let top = x.slice(ndarray::s![..6, ..]);
        let y = top.solve_triangular(&positive, false);
        near(&top.triu(0).matmul(&y), &positive);
    }

    #[test]
    fn all_types_of_floats_are_factorized() {
        with_client(|client| {
            let random = client.random(5);
            for chunk in [[4, 6], [7, 3]] {
                let real: Array<f64> = random.uniform(1.0, 2.0, [17, 6], chunk)
                    + client.eye(17, 0, 17).slice(ndarray::s![.., ..6]) * 5.0;
                let imaginary: Array<f64> = random.normal(0.0, 1.0, [17, 6], chunk);
                let complex = real.cast() + imaginary.cast() * Complex::new(0.0, 1.0);
                check_type::<Complex<f64>>(client, &complex, 1e-11);
                check_type::<Complex<f32>>(client, &complex.cast(), 1e-2);
                check_type::<f32>(client, &real.cast(), 1e-2);
            }
        });
    }

    #[test]
    fn matrices_without_a_result_are_told() {
        with_client(|client| {
            let x = client.ones::<f64>([6, 6], 4);
            let words = x.solve(&x).compute().unwrap_err().to_string();
            assert!(words.contains("the matrix is singular"), "{words}");
            let words = x.lu().upper.compute().unwrap_err().to_string();
            assert!(words.contains("the matrix is singular: column 1 depends on those before it"), "{words}");
            let words = (x.tril(0) - client.eye(6, 0, 4)).solve_triangular(&x, true).compute().unwrap_err();
            assert!(words.to_string().contains("the matrix is singular"), "{words}");
            let words = (&x - client.eye(6, 0, 4) * 0.5).cholesky().compute().unwrap_err().to_string();
            assert!(words.contains("not positive definite: its leading minor of order 2 "), "{words}");
            let words = (x.ln() / 0.0).svd().1.compute().unwrap_err().to_string();
            assert!(words.contains("infinite elements or NaN"), "{words}");
            let words = x.try_solve(&client.ones([5], 5)).unwrap_err().to_string();
            assert_eq!(words, "solve of shapes [6, 6] and [5], which do not fit");
            let words = client.ones::<f64>([6, 5], 4).try_cholesky().unwrap_err().to_string();
            assert_eq!(words, "cholesky: the matrix must be square, its shape is [6, 5]");
        });
    }

    /// Products and factorizations of random matrices, all bits of them.
    fn bits(builder: maniple::Builder) -> Vec<u64> {
        let mut bits = Vec::new();
        let compute = |client: &Client| -> Result<()> {
            let random = client.random(11);
            let wide: Array<f64> = random.normal(0.0, 1.0, [40, 33], [9, 10]);
            let tall: Array<f64> = random.normal(0.0, 1.0, [300, 5], [17, 5]);
            let square = wide.matmul(&wide.t());
            let (u, s, v) = tall.svd();
            let results = [
                square.clone(),
                tall.t().matmul(&tall),
                wide.qr().0,
                tall.qr().1,
                u,
                s,
                v,
                wide.lu().upper,
                wide.svd_compressed(4, 1, 3).0,
                square.solve(&wide),
            ];
            for result in results {
                bits.extend(result.compute()?.iter().map(|x| x.to_bits()));
            }
            Ok(())
        };
        builder.execute(compute).unwrap();
        bits
    }

    #[test]
    fn the_bits_are_the_same_for_any_number_of_threads_and_workers() {
        let expected = bits(Runtime::builder().threads(1));
        assert!(expected.len() > 1000);
        for threads in [2, 4] {
            assert_eq!(bits(Runtime::builder().threads(threads)), expected, "{threads} threads");
        }
        assert_eq!(bits(Runtime::builder().local_workers(3)), expected, "3 workers");
    }

    #[test]
    fn matrices_without_elements_have_factors() {
        with_client(|client| {
            for pieces in [vec![0], vec![0, 0]] {
                let x =
                    client.from_ndarray(&Array2::<f64>::zeros((0, 0)), vec![pieces.clone(), pieces]).unwrap();
                let none = client.from_ndarray(&Array1::<f64>::zeros(0), vec![vec![0, 0]]).unwrap();
                assert_eq!(x.det().compute().unwrap(), 1.0);
                assert_eq!(x.inv().compute().unwrap().shape(), [0, 0]);
                assert_eq!(x.cholesky().compute().unwrap().shape(), [0, 0]);
                assert_eq!(x.solve(&none).compute().unwrap().shape(), [0]);
                assert_eq!(x.solve(&client.ones([0, 3], 2)).compute().unwrap().shape(), [0, 3]);
                assert_eq!(x.solve_triangular(&none, true).compute().unwrap().shape(), [0]);
                assert_eq!(x.trace(0).compute().unwrap(), 0.0);
            }
            for (rows, columns) in [(0, 0), (3, 0), (0, 3)] {
                let x = client.zeros::<f64>([rows, columns], 2);
                let shapes = |arrays: &[&Array<f64>]| -> Vec<Vec<usize>> {
                    arrays.iter().map(|array| array.compute().unwrap().shape().to_vec()).collect()
                };
                let (q, r) = x.qr();
                assert_eq!(shapes(&[&q, &r]), [vec![rows, 0], vec![0, columns]]);
                let (u, values, v) = x.svd();
                assert_eq!(shapes(&[&u, &values, &v]), [vec![rows, 0], vec![0], vec![0, columns]]);
                let lu = x.lu();
                assert_eq!(shapes(&[&lu.lower, &lu.upper]), [vec![rows, 0], vec![0, columns]]);
                let order: Vec<i64> = lu.permutation.compute().unwrap().into_iter().collect();
                assert_eq!(order, (0..rows as i64).collect::<Vec<_>>());
                let squares = x.lstsq(&client.ones([rows], 2), None);
                assert_eq!(squares.solution.compute().unwrap(), ArrayD::<f64>::zeros(IxDyn(&[columns])));
                assert_eq!(squares.residuals.compute().unwrap().sum(), rows as f64);
                assert_eq!(squares.rank.compute().unwrap(), 0);
                for norm in
                    [Norm::Order(1.0), Norm::Order(2.0), f64::INFINITY.into(), Norm::Frobenius, Norm::Nuclear]
                {
                    assert_eq!(x.norm_axis(norm, [0, 1]).compute().unwrap().sum(), 0.0, "{norm:?}");
                }
                assert!(x.try_norm_axis(-2.0, [0, 1]).is_err());
            }
            let line = client.zeros::<f64>([0], 1);
            assert_eq!(line.norm_axis(f64::INFINITY, 0).compute().unwrap().sum(), 0.0);
            assert!(line.try_norm_axis(f64::NEG_INFINITY, 0).is_err());
        });
    }
}
