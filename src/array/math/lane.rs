//! The functions for one number.

/// An integer of less than 53 bits as a number. Unlike `as`, this needs no instruction that old processors
/// lack for vectors.
#[inline(always)]
pub(crate) fn from_small(integer: i64) -> f64 {
    integer as f64
}

#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// Sine and cosine of this many turns.
#[inline(always)]
pub(crate) fn sin_cos_turns(turns: f64) -> (f64, f64) {
    libm::sincos(turns * std::f64::consts::TAU)
}
