//! The lazy expression behind an array: what is to be computed from what. Nothing here computes.

use crate::{
    array::{
        DataType, ShapeError, ShapeErrorKind,
        element::Scalar,
        files::identity::FileId,
        graph::{
            blocks::Blocks,
            chunks::{ELEMENT_BYTES_MAX, Grid, checked_size},
            gather::Selection,
            submitter::Submitter,
        },
        kernel::{
            Follow,
            generate::Generator,
            operators::{Binary, Unary},
            reduce::Reduction,
        },
    },
    client::Future,
};
use std::{fmt, sync::Arc};

/// Stands for the element type of a block in a future.
#[derive(Debug)]
pub(crate) enum Erased {}

/// An array that is to be computed.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) data_type: DataType,
    pub(crate) grid: Grid,
    pub(crate) kind: Kind,
    /// Whether it is made from indices and constants alone, so that it can be cut in any way.
    pub(crate) is_virtual: bool,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Constant(Scalar),
    Generated(Generator),
    /// Blocks that exist, or will, in C order; whether devices make them.
    Blocks(Vec<Future<Erased>>, bool),
    Unary(Unary, Arc<Node>),
    Binary(Binary, Arc<Node>, Arc<Node>),
    /// Condition, where it holds, elsewhere.
    Select(Arc<Node>, Arc<Node>, Arc<Node>),
    Cast(Arc<Node>),
    /// The same elements under other axes: where each of the input's axes takes its index from.
    View(Arc<Node>, Vec<Follow>),
    /// Some elements of the input: which, axis by axis.
    Gather(Arc<Node>, Vec<Selection>),
    /// The inputs one after the other along an axis; cut alike along the others.
    Concatenate(Vec<Arc<Node>>, usize),
    Reduce {
        input: Arc<Node>,
        reduction: Reduction,
        reduced: Vec<bool>,
        keep: bool,
        fan_in: usize,
    },
    /// The elements of each block in the same order under another shape.
    Reshape(Arc<Node>),
    /// One of the results of tasks that are submitted in a way of their own.
    Output(Arc<Custom>, usize),
}

/// Submits the tasks of an operation, given the blocks of its inputs.
pub(crate) type Submit =
    dyn Fn(&Submitter<'_>, &[Blocks]) -> crate::Result<Vec<Vec<Future<Erased>>>> + Send + Sync;

/// An operation with tasks of its own; it has one or more results.
pub(crate) struct Custom {
    pub(crate) name: &'static str,
    pub(crate) inputs: Vec<Arc<Node>>,
    /// Whether it is a product of matrices, which devices can make.
    pub(crate) is_product: bool,
    /// The file or directory that its tasks read.
    pub(crate) source: Option<FileId>,
    /// Returns the blocks of each result, in C order.
    pub(crate) submit: Box<Submit>,
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

impl Node {
    pub(crate) fn new(data_type: DataType, grid: Grid, kind: Kind) -> Arc<Self> {
        let mut node = Self { data_type, grid, kind, is_virtual: false };
        node.is_virtual = match &node.kind {
            Kind::Constant(_) | Kind::Generated(_) => true,
            Kind::Unary(..) | Kind::Binary(..) | Kind::Select(..) | Kind::Cast(_) | Kind::View(..) => {
                node.inputs().iter().all(|input| input.is_virtual)
            }
            _ => false,
        };
        Arc::new(node)
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        self.grid.shape()
    }

    pub(crate) fn ndim(&self) -> usize {
        self.grid.0.len()
    }

    /// How many bytes the largest block has.
    pub(crate) fn block_bytes(&self) -> usize {
        let sizes = self.grid.0.iter().map(crate::array::graph::chunks::AxisChunks::size_max);
        sizes.fold(self.data_type.size_bytes(), usize::saturating_mul)
    }

    /// The result of an operation on elements, whose inputs are broadcast to one shape and cut alike.
    pub(crate) fn elementwise(
        data_type: DataType,
        inputs: Vec<Arc<Self>>,
        kind: impl FnOnce(Vec<Arc<Self>>) -> Kind,
    ) -> Result<Arc<Self>, ShapeError> {
        let grid = common_grid(&inputs)?;
        let inputs = inputs.into_iter().map(|input| match input.is_virtual {
            true => input,
            false => {
                let axes = input.grid.0.iter().zip(&grid.0[grid.0.len() - input.ndim()..]);
                let wanted = axes.map(|(own, common)| {
                    let is_repeated = own.length() == 1 && common.length() != 1;
                    if is_repeated { own.clone() } else { common.clone() }
                });
                let wanted = Grid(wanted.collect());
                input.rechunk(&wanted)
            }
        });
        let kind = kind(inputs.collect());
        Ok(Self::new(data_type, grid, kind))
    }

    pub(crate) fn inputs(&self) -> Vec<&Arc<Self>> {
        match &self.kind {
            Kind::Constant(_) | Kind::Generated(_) | Kind::Blocks(..) => Vec::new(),
            Kind::Unary(_, input)
            | Kind::Cast(input)
            | Kind::View(input, _)
            | Kind::Gather(input, _)
            | Kind::Reshape(input)
            | Kind::Reduce { input, .. } => vec![input],
            Kind::Binary(_, left, right) => vec![left, right],
            Kind::Select(condition, yes, no) => vec![condition, yes, no],
            Kind::Concatenate(inputs, _) => inputs.iter().collect(),
            Kind::Output(custom, _) => custom.inputs.iter().collect(),
        }
    }

    /// The user's operation: the method that made it, as far as that is known.
    pub(crate) fn name(&self) -> String {
        match &self.kind {
            Kind::Constant(_) => "full".into(),
            Kind::Generated(generator) => generator.name().into(),
            Kind::Blocks(..) => "array".into(),
            Kind::Unary(operator, _) => operator.name(),
            Kind::Binary(operator, ..) => operator.name(),
            Kind::Select(..) => "where".into(),
            Kind::Cast(_) => "astype".into(),
            Kind::View(..) => "view".into(),
            Kind::Gather(input, selections) => gathering(input, selections).into(),
            Kind::Concatenate(..) => "concatenate".into(),
            Kind::Reduce { reduction, .. } => reduction.name().into(),
            Kind::Reshape(_) => "reshape".into(),
            Kind::Output(custom, _) => custom.name.into(),
        }
    }

    /// The same array, cut in another way.
    pub(crate) fn rechunk(self: &Arc<Self>, grid: &Grid) -> Arc<Self> {
        if self.grid == *grid {
            return Arc::clone(self);
        }
        if self.is_virtual {
            // What lies below is cut as this is, when it is computed.
            return Self::new(self.data_type, grid.clone(), self.kind.clone());
        }
        if let Some(between) = self.grid.on_the_way_to(grid, self.data_type.size_bytes()) {
            return self.rechunk(&between).rechunk(grid);
        }
        let whole = grid.0.iter().map(|axis| Selection::whole(axis.length())).collect();
        Self::new(self.data_type, grid.clone(), Kind::Gather(Arc::clone(self), whole))
    }
}

/// What it is called to select these elements of an array.
fn gathering(input: &Node, selections: &[Selection]) -> &'static str {
    let are_whole = selections.iter().zip(&input.grid.0).all(|(selection, axis)| {
        *selection == Selection::whole(axis.length()) //
    });
    match are_whole {
        true => "rechunk",
        false if selections.iter().all(|selection| matches!(selection, Selection::Range { .. })) => "slice",
        false => "take",
    }
}

/// The grid of the result of an elementwise operation: where arrays with blocks are cut, so is it.
fn common_grid(inputs: &[Arc<Node>]) -> Result<Grid, ShapeError> {
    let ndim = inputs.iter().map(|input| input.ndim()).max().unwrap_or(0);
    let mut grid = Vec::with_capacity(ndim);
    for axis in 0..ndim {
        let axes = || {
            inputs.iter().filter_map(move |input| {
                let own = (axis + input.ndim()).checked_sub(ndim)?;
                Some((&input.grid.0[own], input.is_virtual))
            })
        };
        let length = axes().map(|(own, _)| own.length()).find(|length| *length != 1).unwrap_or(1);
        if axes().any(|(own, _)| own.length() != 1 && own.length() != length) {
            let shapes: Vec<String> = inputs.iter().map(|input| format!("{:?}", input.shape())).collect();
            let words =
                format!("operands could not be broadcast together with shapes {}", shapes.join(" and "));
            return Err(ShapeError::new(ShapeErrorKind::Mismatch, words));
        }
        let fitting = || axes().filter(|(own, _)| own.length() == length);
        let of_blocks = fitting().filter(|(_, is_virtual)| !is_virtual).map(|(own, _)| own.clone());
        let common = of_blocks.reduce(|a, b| a.common(&b));
        let common = common.or_else(|| fitting().map(|(own, _)| own.clone()).next());
        grid.push(common.expect("some operand has this length"));
    }
    let grid = Grid(grid);
    checked_size(&grid.shape(), ELEMENT_BYTES_MAX)?;
    Ok(grid)
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(scalar) => write!(f, "{scalar:?}"),
            Self::Generated(generator) => write!(f, "{generator:?}"),
            Self::Blocks(blocks, _) => write!(f, "{} blocks", blocks.len()),
            other => write!(f, "an operation on {} arrays", other.arity()),
        }
    }
}

impl Kind {
    fn arity(&self) -> usize {
        match self {
            Self::Constant(_) | Self::Generated(_) | Self::Blocks(..) => 0,
            Self::Binary(..) => 2,
            Self::Select(..) => 3,
            Self::Concatenate(inputs, _) => inputs.len(),
            Self::Output(custom, _) => custom.inputs.len(),
            _ => 1,
        }
    }
}
