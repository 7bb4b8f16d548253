//! Arrays in chunks, and the numerical functions over them.

#[allow(dead_code, unused_imports)]
pub(crate) mod math;
#[allow(dead_code, unused_imports)]
pub(crate) mod random;
