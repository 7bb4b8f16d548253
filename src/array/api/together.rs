//! Several arrays made at once: what they share is made once.

use crate::{
    array::{
        Array, DataType, Dimensions, Element, devices,
        graph::{
            blocks::Blocks,
            chunks::Grid,
            node::{Kind, Node},
            plan::Plan,
            submit::submit,
        },
    },
    client::{Client, Future, Parts, Publish},
    codec::to_bytes,
    error::Result,
};
use std::vec;

/// Arrays that can be made together: an array, a `Vec` of them, or a tuple of up to four of these, which may differ in
/// type.
pub trait Together: Sized {
    /// What computing all of them gives.
    type Computed;
    /// The client of the first array, if there is one.
    #[doc(hidden)]
    fn client(&self) -> Option<&Client>;
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

impl Client {
    /// Has the blocks of an array, or of several [together](Together), made and kept, as [`Array::persist`] does for one. What
    /// they share is made once.
    ///
    /// # Errors
    ///
    /// As [`Array::persist`].
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(3).normal::<f64>(0.0, 1.0, [1000, 4], [250, 4]);
    /// let (mean, squares) = client.persist(&(x.mean_axis(0), x.t().matmul(&x)))?;
    /// assert_eq!((mean.shape(), squares.shape()), (vec![4], vec![4, 4]));
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn persist<A: Together>(&self, arrays: &A) -> Result<A> {
        let client = arrays.client().unwrap_or(self);
        let client = self.own_options().map_or_else(|| client.clone(), |options| client.with(options));
        let mut plan = Plan::new(devices(&client));
        arrays.want_in(&mut plan)?;
        // Nothing is submitted for one where another cannot be made.
        let blocks = submit(&client, &plan)?;
        Ok(arrays.of_blocks(&mut blocks.into_iter()))
    }

    /// Has the blocks of an array, or of several [together](Together), made, and brings them here, as
    /// [`Array::compute`] does for one. What they share is made once.
    ///
    /// # Errors
    ///
    /// As [`Array::compute`].
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(3).uniform::<f64>(0.0, 1.0, [1000], 250);
    /// let (least, most) = client.compute(&(x.min(), x.max()))?;
    /// assert!(least < most);
    /// let bounds = client.compute(&vec![x.min(), x.max()])?;
    /// assert_eq!(bounds, [least, most]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn compute<A: Together>(&self, arrays: &A) -> Result<A::Computed> {
        self.persist(arrays)?.computed()
    }
}

impl<T: Element, D: Dimensions> Together for Array<T, D> {
    type Computed = D::Computed<T>;
    fn client(&self) -> Option<&Client> {
        Some(&self.client)
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

impl<A: Together> Together for Vec<A> {
    type Computed = Vec<A::Computed>;
    fn client(&self) -> Option<&Client> {
        self.iter().find_map(Together::client)
    }
    #[allow(private_interfaces, reason = "see the trait")]
    fn want_in(&self, plan: &mut Plan) -> Result<()> {
        self.iter().try_for_each(|array| array.want_in(plan))
    }
    #[allow(private_interfaces, reason = "see the trait")]
    fn of_blocks(&self, blocks: &mut vec::IntoIter<Blocks>) -> Self {
        self.iter().map(|array| array.of_blocks(blocks)).collect()
    }
    fn computed(&self) -> Result<Self::Computed> {
        self.iter().map(Together::computed).collect()
    }
}

impl<T: Element, D: Dimensions> Publish for Array<T, D> {
    #[allow(private_interfaces, reason = "see the trait")]
    fn to_published(&self) -> Result<Parts> {
        let blocks = self.blocks()?;
        let head = to_bytes(&(blocks.data_type, &blocks.grid, blocks.are_on_devices));
        Ok(Parts { head, futures: blocks.futures.iter().map(Future::retype).collect() })
    }

    #[allow(private_interfaces, reason = "see the trait")]
    fn from_published(client: &Client, parts: Parts) -> Option<Self> {
        let (data_type, grid, are_on_devices): (DataType, Grid, bool) =
            postcard::from_bytes(&parts.head).ok()?;
        let count: usize = grid.counts().iter().product();
        if data_type != T::DATA_TYPE || count != parts.futures.len() {
            return None;
        }
        let blocks = parts.futures.iter().map(Future::retype).collect();
        Some(Self::new(client, Node::new(data_type, grid, Kind::Blocks(blocks, are_on_devices))))
    }
}

macro_rules! tuples {
    ($(($($A:ident $index:tt),*);)*) => { $(
        impl<$($A: Together),*> Together for ($($A,)*) {
            type Computed = ($($A::Computed,)*);
            fn client(&self) -> Option<&Client> {
                None$(.or_else(|| self.$index.client()))*
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
