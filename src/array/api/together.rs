//! Several arrays made at once: what they share is made once.

use crate::{
    array::{
        Array, Dimensions, Element, devices,
        graph::{blocks::Blocks, plan::Plan, submit::submit},
    },
    client::SubmitOptions,
    error::Result,
};
use std::vec;

/// Arrays that can be made together: an array, or a tuple of up to four, which may differ in type.
pub trait Together: Sized {
    /// What computing all of them gives.
    type Computed;
    #[doc(hidden)]
    fn client(&self) -> &crate::Client;
    /// Adds each array to a plan, in order.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate calls it")]
    fn want_in(&self, plan: &mut Plan) -> Result<()>;
    /// The same arrays, of the blocks of each, in order.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate calls it")]
    fn of_blocks(&self, blocks: &mut vec::IntoIter<Blocks>) -> Self;
    #[doc(hidden)]
    fn computed(&self) -> Result<Self::Computed>;
}

/// Has the blocks of several arrays made and kept, as [`Array::persist`] does for one.
///
/// # Errors
///
/// As [`Array::persist`].
///
/// ```
/// use maniple::array::persist;
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.random(3).normal::<f64>(0.0, 1.0, [1000, 4], [250, 4]);
/// let (mean, squares) = persist(&(x.mean_axis(0), x.t().matmul(&x)))?;
/// assert_eq!((mean.shape(), squares.shape()), (vec![4], vec![4, 4]));
/// # Ok(()) }).unwrap();
/// ```
pub fn persist<A: Together>(arrays: &A) -> Result<A> {
    persist_with(&SubmitOptions::default(), arrays)
}

/// As [`persist`], with options for the tasks.
///
/// # Errors
///
/// As [`Array::persist`].
pub fn persist_with<A: Together>(options: &SubmitOptions, arrays: &A) -> Result<A> {
    let client = arrays.client();
    let mut plan = Plan::new(devices(client));
    arrays.want_in(&mut plan)?;
    // Nothing is submitted for one where another cannot be made.
    let blocks = submit(client, options, &plan)?;
    Ok(arrays.of_blocks(&mut blocks.into_iter()))
}

/// Has the blocks of several arrays made, and brings them here, as [`Array::compute`] does for one.
///
/// # Errors
///
/// As [`Array::compute`].
///
/// ```
/// use maniple::array::compute;
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.random(3).uniform::<f64>(0.0, 1.0, [1000], 250);
/// let (least, most) = compute(&(x.min(), x.max()))?;
/// assert!(least < most);
/// # Ok(()) }).unwrap();
/// ```
pub fn compute<A: Together>(arrays: &A) -> Result<A::Computed> {
    compute_with(&SubmitOptions::default(), arrays)
}

/// As [`compute`], with options for the tasks.
///
/// # Errors
///
/// As [`Array::compute`].
pub fn compute_with<A: Together>(options: &SubmitOptions, arrays: &A) -> Result<A::Computed> {
    persist_with(options, arrays)?.computed()
}

impl<T: Element, D: Dimensions> Together for Array<T, D> {
    type Computed = D::Computed<T>;
    fn client(&self) -> &crate::Client {
        &self.client
    }
    #[allow(private_interfaces, reason = "see the trait")]
    fn want_in(&self, plan: &mut Plan) -> Result<()> {
        plan.want(&self.node)
    }
    #[allow(private_interfaces, reason = "see the trait")]
    fn of_blocks(&self, blocks: &mut vec::IntoIter<Blocks>) -> Self {
        Self::of_blocks(self, blocks.next().expect("the blocks of each array"))
    }
    fn computed(&self) -> Result<Self::Computed> {
        self.compute()
    }
}

macro_rules! tuples {
    ($(($($A:ident $index:tt),*);)*) => { $(
        impl<$($A: Together),*> Together for ($($A,)*) {
            type Computed = ($($A::Computed,)*);
            fn client(&self) -> &crate::Client {
                self.0.client()
            }
            #[allow(private_interfaces, reason = "see the trait")]
            fn want_in(&self, plan: &mut Plan) -> Result<()> {
                $(self.$index.want_in(plan)?;)*
                Ok(())
            }
            #[allow(private_interfaces, reason = "see the trait")]
            fn of_blocks(&self, blocks: &mut vec::IntoIter<Blocks>) -> Self {
                ($(self.$index.of_blocks(blocks),)*)
            }
            fn computed(&self) -> Result<Self::Computed> {
                Ok(($(self.$index.computed()?,)*))
            }
        }
    )* };
}

tuples! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, E 3);
}
