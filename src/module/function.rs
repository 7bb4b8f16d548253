//! Functions of modules, as functions that can be submitted.

use super::offer::{Export, signature};
use crate::{
    ids::Code,
    task::{Descriptor, Inputs, TaskFunction},
    value::Data,
};
use std::{fmt, marker::PhantomData};

/// A function of a [`Module`](super::Module): it is submitted as a function of the program is.
pub struct ModuleFunction<F> {
    export: &'static Export,
    marker: PhantomData<fn() -> F>,
}

impl<F> ModuleFunction<F> {
    pub(super) fn new(export: &'static Export) -> Self {
        Self { export, marker: PhantomData }
    }
}

impl<F> Clone for ModuleFunction<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for ModuleFunction<F> {}

impl<F> fmt::Debug for ModuleFunction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModuleFunction({})", self.export.name)
    }
}

/// A function of a module that is written as one of type `M` would be.
#[derive(Debug)]
pub struct ByName<M>(PhantomData<M>);

impl<F, P, M> TaskFunction<P, ByName<M>> for ModuleFunction<F>
where
    F: TaskFunction<P, M, Out: Data>,
{
    type Out = F::Out;
    const CAPTURED_BYTES: usize = 0;

    fn call(self, _: &mut Inputs<'_>) -> Result<F::Out, String> {
        Err("a function of a module is called by its own descriptor".into())
    }

    fn arrived() -> Self {
        unreachable!("a call of a module's function arrives there")
    }

    #[allow(private_interfaces, reason = "see the trait")]
    fn place(self, _: &'static Descriptor) -> (Code, Option<String>) {
        let (found, wanted) = ((self.export.signature)(), signature::<P, F::Out>());
        let misfit = (found != wanted).then(|| {
            format!("the module's function takes {found}, but is called as one that takes {wanted}")
        });
        (Code::of(self.export.descriptor), misfit)
    }
}
