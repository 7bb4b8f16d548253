//! Tuples of arrays as what a function of their blocks takes.

use crate::{
    array::{
        Array, Dimensions, Element,
        graph::{blocks::Blocks, node::Node, submitter::Submitter},
    },
    client::{Client, Future},
    task::{
        TaskFunction,
        inputs::{Captureless, Inputs},
    },
};
use ndarray::ArrayD;
use std::sync::Arc;

/// One array whose blocks a function takes: a reference to an [`Array`].
pub trait BlockArgument {
    /// The type of its elements.
    type Element: Element;
    #[doc(hidden)]
    fn client(&self) -> &Client;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate calls it")]
    fn node(&self) -> Arc<Node>;
}

impl<T: Element, D: Dimensions> BlockArgument for &Array<T, D> {
    type Element = T;
    fn client(&self) -> &Client {
        &self.client
    }
    #[allow(private_interfaces, reason = "see the trait")]
    fn node(&self) -> Arc<Node> {
        Arc::clone(&self.node)
    }
}

/// The arrays whose blocks a function takes: a tuple of references to one, two, three or four.
pub trait BlockArguments {
    /// The blocks, as the function takes them.
    type Blocks: BlockTuple;
    #[doc(hidden)]
    fn client(&self) -> &Client;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate calls it")]
    fn nodes(&self) -> Vec<Arc<Node>>;
}

/// One call: the shape that it must return, and the place of the block of each array.
pub(super) type Call = (Vec<usize>, Vec<usize>);

/// A tuple of blocks.
pub trait BlockTuple: Sized + 'static {
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate calls it")]
    fn submit<U, F, M>(
        function: F,
        submitter: &Submitter<'_>,
        inputs: &[Blocks],
        calls: Vec<Call>,
    ) -> Vec<Future<ArrayD<U>>>
    where
        U: Element,
        F: TaskFunction<Self, M, Out = ArrayD<U>>;
}

/// A function of blocks that first takes the shape that it is to return, and is held to it.
struct OfShape<F>(Captureless<F>);

impl<F> Clone for OfShape<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for OfShape<F> {}

/// Tells this way of being a task from that of a function.
struct ByShape<M>(M);

macro_rules! tuples {
    ($(($($A:ident $index:tt),*))*) => { $(
        impl<$($A: BlockArgument),*> BlockArguments for ($($A,)*) {
            type Blocks = ($(ArrayD<$A::Element>,)*);
            fn client(&self) -> &Client {
                self.0.client()
            }
            #[allow(private_interfaces, reason = "see the trait")]
            fn nodes(&self) -> Vec<Arc<Node>> {
                vec![$(self.$index.node()),*]
            }
        }

        impl<$($A: Element),*> BlockTuple for ($(ArrayD<$A>,)*) {
            #[allow(private_interfaces, reason = "see the trait")]
            fn submit<U, F, M>(
                function: F,
                submitter: &Submitter<'_>,
                inputs: &[Blocks],
                calls: Vec<Call>,
            ) -> Vec<Future<ArrayD<U>>>
            where
                U: Element,
                F: TaskFunction<Self, M, Out = ArrayD<U>>,
            {
                let blocks = ($(inputs[$index].typed::<$A>(),)*);
                let calls = calls.into_iter().map(|(shape, places)| {
                    (shape, $(blocks.$index[places[$index]].clone()),*)
                });
                submitter.map(OfShape(Captureless::of(function)), calls)
            }
        }

        impl<F, M, U, $($A: Element),*> TaskFunction<(Vec<usize>, $(ArrayD<$A>),*), ByShape<M>> for OfShape<F>
        where
            U: Element,
            F: TaskFunction<($(ArrayD<$A>,)*), M, Out = ArrayD<U>>,
        {
            type Out = ArrayD<U>;
            fn name() -> &'static str {
                F::name()
            }
            fn call(self, inputs: &mut Inputs<'_>) -> Result<ArrayD<U>, String> {
                let shape: Vec<usize> = inputs.owned()?;
                let block = self.0.get().call(inputs)?;
                assert!(
                    block.shape() == shape,
                    "it returned a block of shape {:?} where one of shape {shape:?} is due",
                    block.shape()
                );
                Ok(block)
            }
        }
    )* };
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, E 3)
}
