//! Products, factorizations and transforms in the table's programs.

use super::{
    operations::Built,
    table::Step,
    value::{Value, on, on_two},
};
use maniple::array::einsum;

/// The product of two arrays; `None` if there is none of this name.
pub(super) fn product(step: &Step, x: &Value, y: &Value) -> Option<Built> {
    macro_rules! of_floats { ($x:ident $y:ident => $code:expr) => { on_two!(x, y, [F32 F64 C32 C64], $x $y => $code) }; }
    Some(match step.operation.as_str() {
        "matmul" => of_floats!(x y => x.matmul(y)),
        "dot" => of_floats!(x y => x.dot(y)),
        "inner" => of_floats!(x y => x.inner(y)),
        "outer" => of_floats!(x y => x.outer(y)),
        "vdot" => of_floats!(x y => x.vdot(y)),
        "einsum" => of_floats!(x y => einsum(&step.words[0], &[x, y])),
        "tensordot" => {
            let axes = step.sizes(0);
            let (own, other) = axes.split_at(axes.len() / 2);
            of_floats!(x y => x.tensordot(y, own, other))
        }
        _ => return None,
    })
}

pub(super) fn adjoint(step: &Step, x: &Value) -> Option<Built> {
    (step.operation == "adjoint").then(|| on!(x, [F32 F64 C32 C64], x => x.adjoint()))
}

/// A Fourier transform along the axes that are listed, of which the last number of `irfft` is the length or -1.
#[cfg(feature = "fourier")]
pub(super) fn transform(step: &Step, x: &Value) -> Option<Built> {
    macro_rules! of_floats { ($x:ident => $code:expr) => { on!(x, [F32 F64 C32 C64], $x => $code) }; }
    let axes = step.sizes(0);
    Some(match step.operation.as_str() {
        "fft" => of_floats!(x => x.fft(axes[0])),
        "ifft" => of_floats!(x => x.ifft(axes[0])),
        "rfft" => of_floats!(x => x.rfft(axes[0])),
        "fftn" => of_floats!(x => x.fftn(&axes)),
        "ifftn" => of_floats!(x => x.ifftn(&axes)),
        "rfftn" => of_floats!(x => x.rfftn(&axes)),
        "irfft" => {
            let length = (step.numbers[1] >= 0).then(|| step.size(1));
            of_floats!(x => x.irfft(axes[0], length))
        }
        "fftshift" => of_floats!(x => x.fftshift(&axes)),
        "ifftshift" => of_floats!(x => x.ifftshift(&axes)),
        _ => return None,
    })
}

/// Nothing is transformed in a build without the feature.
#[cfg(not(feature = "fourier"))]
pub(super) fn transform(step: &Step, _: &Value) -> Option<Built> {
    not_built(step, "fft ifft rfft fftn ifftn rfftn irfft fftshift ifftshift fftfreq rfftfreq")
}

/// Says that this operation, if it is one of these, is of a feature that was not built.
#[cfg(not(all(feature = "fourier", feature = "linear-algebra")))]
pub(super) fn not_built(step: &Step, names: &str) -> Option<Built> {
    names.split(' ').any(|name| name == step.operation).then(|| Err(super::value::NOT_BUILT.into()))
}

/// The factorization of a matrix, and what is solved by it. Factors, which are not unique, are multiplied again.
#[cfg(feature = "linear-algebra")]
pub(super) fn factorize(step: &Step, values: &[&Value]) -> Option<Built> {
    let x = values[0];
    macro_rules! of_floats { ($x:ident => $code:expr) => { on!(x, [F32 F64 C32 C64], $x => $code) }; }
    macro_rules! with { ($x:ident $y:ident => $code:expr) => { on_two!(x, values[1], [F32 F64 C32 C64], $x $y => $code) }; }
    Some(match step.operation.as_str() {
        "inv" => of_floats!(x => x.inv()),
        "det" => of_floats!(x => x.det()),
        "cholesky" => of_floats!(x => x.cholesky()),
        "svd_values" => of_floats!(x => x.svd().1),
        "svd_product" => of_floats!(x => {
            let (u, values, v) = x.svd();
            (u * values.cast().expand_dims(0)).matmul(&v)
        }),
        "qr_product" => of_floats!(x => {
            let (q, r) = x.qr();
            q.matmul(&r.triu(0))
        }),
        "qr_gram" => of_floats!(x => {
            let (q, _) = x.qr();
            q.adjoint().matmul(&q)
        }),
        "lu_product" => of_floats!(x => {
            let lu = x.lu();
            lu.permutation_matrix().matmul(&lu.lower.tril(0)).matmul(&lu.upper.triu(0))
        }),
        "solve" => with!(x y => x.solve(y)),
        "solve_triangular" => with!(x y => x.solve_triangular(y, step.size(0) == 1)),
        "lstsq" => with!(x y => x.lstsq(y, None).solution),
        "lstsq_rank" => with!(x y => x.lstsq(y, None).rank),
        "lstsq_residuals" => with!(x y => x.lstsq(y, None).residuals),
        _ => return None,
    })
}

/// Nothing is factorized in a build without the feature.
#[cfg(not(feature = "linear-algebra"))]
pub(super) fn factorize(step: &Step, _: &[&Value]) -> Option<Built> {
    let names = "cholesky det inv lstsq lstsq_rank lstsq_residuals lu_product qr_gram qr_product solve \
                 solve_triangular svd_product svd_values";
    not_built(step, names)
}
