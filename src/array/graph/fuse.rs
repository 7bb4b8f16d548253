//! From expressions to kernels: what is computed in one pass over a block. Pure.
//!
//! Elementwise operations, casts, views and generated arrays go into the kernel of whoever needs them,
//! each once. A reduction goes along if the axes it reduces are whole in each block and short. All
//! else becomes an input: a block that another task makes.

use crate::array::{
    graph::{
        chunks::{AxisChunks, Piece},
        node::{Kind, Node},
        recursion,
    },
    kernel::{Follow, Kernel, Operation, Scope, Step},
};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Longer rows than this are reduced by tasks of their own.
const FOLD_LENGTH_MAX: usize = 1024;

/// A kernel, and where its inputs come from.
#[derive(Debug)]
pub(crate) struct Fused {
    pub(crate) kernel: Kernel,
    pub(crate) inputs: Vec<FusedInput>,
}

/// An input of a kernel.
#[derive(Debug)]
pub(crate) struct FusedInput {
    pub(crate) node: Arc<Node>,
    /// For each of its axes: which of its pieces a block of the kernel takes.
    pub(crate) axes: Vec<Piece>,
}

/// The kernel that makes the blocks of an array.
pub(crate) fn fuse(node: &Arc<Node>) -> Fused {
    let mut fusion = Fusion { grid: &node.grid.0, inputs: Vec::new() };
    let mut scope = Open::new(node.ndim());
    let follows: Vec<Follow> = (0..node.ndim()).map(Follow::axis).collect();
    fusion.expand(&mut scope, node, &follows);
    Fused { kernel: Kernel { grid: node.grid.clone(), scope: scope.scope }, inputs: fusion.inputs }
}

struct Fusion<'a> {
    grid: &'a [AxisChunks],
    inputs: Vec<FusedInput>,
}

/// A scope that is being written.
struct Open {
    ndim: usize,
    scope: Scope,
    /// The steps that were written for arrays already.
    known: FxHashMap<(*const Node, Vec<Follow>), usize>,
}

impl Open {
    fn new(ndim: usize) -> Self {
        Self { ndim, scope: Scope::default(), known: FxHashMap::default() }
    }

    fn push(&mut self, node: &Node, operation: Operation) -> usize {
        self.scope.steps.push(Step { data_type: node.data_type, operation });
        self.scope.steps.len() - 1
    }
}

impl Fusion<'_> {
    /// Writes the steps of `node`, whose axes follow those of the scope so; returns the last one.
    fn write(&mut self, scope: &mut Open, node: &Arc<Node>, follows: &[Follow]) -> usize {
        let key = (Arc::as_ptr(node), follows.to_vec());
        if let Some(step) = scope.known.get(&key) {
            return *step;
        }
        let step = match self.is_inline(scope, node, follows) {
            true => recursion::deep(|| self.expand(scope, node, follows)),
            false => self.input(scope, node, follows),
        };
        scope.known.insert(key, step);
        step
    }

    fn is_inline(&self, scope: &Open, node: &Node, follows: &[Follow]) -> bool {
        match &node.kind {
            Kind::Reduce { .. } => can_fold(node) && covers(scope.ndim, follows),
            kind => is_elementwise(kind),
        }
    }

    /// Writes the steps of a node that is computed here.
    fn expand(&mut self, scope: &mut Open, node: &Arc<Node>, follows: &[Follow]) -> usize {
        let operation = match &node.kind {
            Kind::Constant(scalar) => Operation::Constant(*scalar),
            Kind::Generated(generator) => {
                let (shape, follows) = (node.shape(), follows.to_vec());
                Operation::Generated { generator: *generator, shape, follows }
            }
            Kind::Unary(operator, input) => {
                Operation::Unary(*operator, self.operand(scope, node, input, follows))
            }
            Kind::Cast(input) => Operation::Cast(self.operand(scope, node, input, follows)),
            Kind::Binary(operator, left, right) => {
                let left = self.operand(scope, node, left, follows);
                Operation::Binary(*operator, left, self.operand(scope, node, right, follows))
            }
            Kind::Select(condition, yes, no) => {
                let condition = self.operand(scope, node, condition, follows);
                let yes = self.operand(scope, node, yes, follows);
                Operation::Select(condition, yes, self.operand(scope, node, no, follows))
            }
            Kind::View(input, views) => {
                let follows: Vec<Follow> = views.iter().map(|view| through(*view, follows)).collect();
                return self.write(scope, input, &follows);
            }
            Kind::Reduce { .. } if can_fold(node) => self.fold(scope, node, follows),
            _ => return self.input(scope, node, follows),
        };
        scope.push(node, operation)
    }

    /// Writes an operand of an elementwise operation: its axes are the last ones of the result's,
    /// those of length 1 are repeated.
    fn operand(&mut self, scope: &mut Open, node: &Node, input: &Arc<Node>, follows: &[Follow]) -> usize {
        let skipped = node.ndim() - input.ndim();
        let axes = input.grid.0.iter().zip(&node.grid.0[skipped..]).zip(&follows[skipped..]);
        let follows: Vec<Follow> = axes
            .map(
                |((own, result), follow)| {
                    if own.length() == 1 && result.length() != 1 { Follow::fixed(0) } else { *follow }
                },
            )
            .collect();
        self.write(scope, input, &follows)
    }

    fn fold(&mut self, scope: &mut Open, node: &Node, follows: &[Follow]) -> Operation {
        let Kind::Reduce { input, reduction, reduced, keep, .. } = &node.kind else {
            unreachable!("a reduction")
        };
        let mut inner = Open::new(scope.ndim);
        let mut lengths = Vec::new();
        let mut own_axis = 0;
        let mut inner_follows = Vec::with_capacity(reduced.len());
        for (axis, is_reduced) in reduced.iter().enumerate() {
            if *is_reduced {
                inner_follows.push(Follow::axis(inner.ndim));
                inner.ndim += 1;
                lengths.push(input.grid.0[axis].length());
                own_axis += usize::from(*keep);
            } else {
                inner_follows.push(follows[own_axis]);
                own_axis += 1;
            }
        }
        self.write(&mut inner, input, &inner_follows);
        Operation::Fold { reduction: *reduction, scope: inner.scope, lengths }
    }

    fn input(&mut self, scope: &mut Open, node: &Arc<Node>, follows: &[Follow]) -> usize {
        let axes: Vec<Piece> =
            follows.iter().zip(&node.grid.0).map(|(follow, own)| self.piece(*follow, own)).collect();
        let same = |input: &FusedInput| Arc::ptr_eq(&input.node, node) && input.axes == axes;
        let slot = self.inputs.iter().position(same).unwrap_or_else(|| {
            self.inputs.push(FusedInput { node: Arc::clone(node), axes });
            self.inputs.len() - 1
        });
        scope.push(node, Operation::Input { slot, follows: follows.to_vec() })
    }

    fn piece(&self, follow: Follow, own: &AxisChunks) -> Piece {
        let keeps_order = follow.step == 1 || follow.axis.is_none();
        assert!(follow.start == 0 && keeps_order, "views of blocks keep their order");
        match follow.axis.filter(|axis| own.count() > 1 && *axis < self.grid.len()) {
            Some(axis) => {
                assert_eq!(*own, self.grid[axis], "operands are cut alike");
                Piece::Follows(axis)
            }
            None if follow.axis.is_none() => Piece::repeated(own),
            None => Piece::Fixed(0),
        }
    }
}

/// Whether an array is computed within the kernel of whoever needs it, in any case.
pub(crate) fn is_elementwise(kind: &Kind) -> bool {
    use Kind::{Binary, Cast, Constant, Generated, Select, Unary, View};
    matches!(kind, Constant(_) | Generated(_) | Unary(..) | Binary(..) | Select(..) | Cast(_) | View(..))
}

/// Whether a reduction can be done element by element of its result.
pub(crate) fn can_fold(node: &Node) -> bool {
    let Kind::Reduce { input, reduction, reduced, .. } = &node.kind else { return false };
    let mut axes = input.grid.0.iter().zip(reduced).filter(|(_, reduced)| **reduced).map(|(axis, _)| axis);
    let length: usize = axes.clone().map(AxisChunks::length).product();
    let is_trailing = reduced.iter().skip_while(|reduced| !**reduced).all(|reduced| *reduced);
    reduction.can_fold()
        && axes.all(|axis| axis.count() == 1)
        && (1..=FOLD_LENGTH_MAX).contains(&length)
        && is_trailing
}

/// Whether each element of the scope has an element of its own here, so that nothing is done twice.
fn covers(ndim: usize, follows: &[Follow]) -> bool {
    (0..ndim).all(|axis| follows.iter().any(|follow| follow.axis == Some(axis)))
}

/// Where an axis of a view's input takes its index from, if the view's axes take theirs so.
fn through(view: Follow, follows: &[Follow]) -> Follow {
    let Some(axis) = view.axis else { return view };
    let outer = follows[axis];
    Follow { axis: outer.axis, start: view.start + view.step * outer.start, step: view.step * outer.step }
}
