//! Slices and lists of indices.

use crate::array::{
    Array, Dimensions, Element, ShapeError, ShapeErrorKind,
    error::expect,
    graph::{
        chunks::{AxisChunks, Grid},
        gather::Selection,
        node::{Kind, Node},
        recursion,
    },
    kernel::Follow,
};
use ndarray::SliceInfoElem;
use rustc_hash::FxHashMap;
use std::sync::Arc;

impl<T: Element, D: Dimensions> Array<T, D> {
    /// A part of the array, as `ndarray`'s [`s!`](ndarray::s) says it: ranges, negative steps, single
    /// indices, new axes. Negative indices count from the end.
    ///
    /// What is sliced off is not computed. As in `ndarray`, a negative step reverses the range: NumPy's
    /// `x[5:2:-1]` is `s![3..=5;-1]`.
    ///
    /// # Panics
    ///
    /// Panics if there are more indices than axes, or an index is out of bounds.
    ///
    /// ```
    /// use ndarray::s;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 10, 1, 3);
    /// assert_eq!(x.slice(s![2..8;-2]).compute()?.as_slice().unwrap(), [7, 5, 3]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn slice(&self, slices: impl AsRef<[SliceInfoElem]>) -> Array<T> {
        expect("slice", self.try_slice(slices))
    }

    /// As [`slice`](Self::slice).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`slice`](Self::slice) panics.
    pub fn try_slice(&self, slices: impl AsRef<[SliceInfoElem]>) -> Result<Array<T>, ShapeError> {
        let Slices { selections, axes } = Slices::new(&self.shape(), slices.as_ref())?;
        let taken = take_node(&self.node, &selections);
        Ok(self.derive(view_node(&taken, &axes)))
    }

    /// The elements with these indices along an axis, in this order; an index may come again.
    ///
    /// # Panics
    ///
    /// Panics if an index is out of bounds.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 100, 10, 4).take(0, &[7, 0, 7]);
    /// assert_eq!(x.compute()?.as_slice().unwrap(), [70, 0, 70]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn take(&self, axis: usize, indices: &[usize]) -> Array<T> {
        let shape = self.shape();
        assert!(axis < shape.len(), "take: axis {axis} is out of bounds for shape {shape:?}");
        if let Some(index) = indices.iter().find(|index| **index >= shape[axis]) {
            panic!("take: index {index} is out of bounds for axis {axis} of shape {shape:?}");
        }
        self.select_axis(axis, Selection::List(indices.into()))
    }

    pub(crate) fn select_axis(&self, axis: usize, selection: Selection) -> Array<T> {
        let mut selections: Vec<Selection> = self.shape().into_iter().map(Selection::whole).collect();
        selections[axis] = selection;
        self.derive(take_node(&self.node, &selections))
    }
}

/// A part of an array.
pub(crate) struct Slices {
    /// What is selected of each axis.
    pub(crate) selections: Vec<Selection>,
    /// The axes of the part: those of the array that were not single indices, and new ones.
    pub(crate) axes: Vec<Option<usize>>,
}

impl Slices {
    pub(crate) fn new(shape: &[usize], slices: &[SliceInfoElem]) -> Result<Self, ShapeError> {
        let mut selections = Vec::with_capacity(shape.len());
        let mut axes = Vec::new();
        for slice in slices {
            let axis = selections.len();
            if let SliceInfoElem::NewAxis = slice {
                axes.push(None);
                continue;
            }
            let Some(length) = shape.get(axis).copied() else {
                return Err(ShapeError::new(
                    ShapeErrorKind::Index,
                    format!("too many indices for the shape {shape:?}"),
                ));
            };
            match *slice {
                SliceInfoElem::Index(index) => {
                    let place = if index < 0 { index + length as isize } else { index };
                    if !(0..length as isize).contains(&place) {
                        return Err(ShapeError::new(
                            ShapeErrorKind::Index,
                            format!("index {index} is out of bounds for axis {axis} of shape {shape:?}"),
                        ));
                    }
                    selections.push(Selection::Range { start: place as usize, step: 1, count: 1 });
                }
                SliceInfoElem::Slice { start, end, step } => {
                    axes.push(Some(axis));
                    selections.push(range(start, end, step, length)?);
                }
                SliceInfoElem::NewAxis => unreachable!("dealt with above"),
            }
        }
        for (axis, length) in shape.iter().enumerate().skip(selections.len()) {
            axes.push(Some(axis));
            selections.push(Selection::whole(*length));
        }
        Ok(Self { selections, axes })
    }
}

fn range(start: isize, end: Option<isize>, step: isize, length: usize) -> Result<Selection, ShapeError> {
    if step == 0 {
        return Err(ShapeError::new(ShapeErrorKind::Index, "a slice's step is not zero"));
    }
    let length = length as isize;
    let place = |index: isize| if index < 0 { index + length } else { index }.clamp(0, length);
    let (start, end) = (place(start), place(end.unwrap_or(length)));
    let count = (end - start).max(0) as usize;
    let count = count.div_ceil(step.unsigned_abs());
    let first = if step > 0 { start } else { end - 1 };
    Ok(Selection::Range { start: first.max(0) as usize, step: step as i64, count })
}

/// The selected elements of an array. Goes down to where the elements come from: nothing else is
/// computed.
pub(crate) fn take_node(node: &Arc<Node>, selections: &[Selection]) -> Arc<Node> {
    Push { known: FxHashMap::default() }.take(node, selections)
}

struct Push {
    /// What was pushed down already: expressions share parts.
    known: FxHashMap<(*const Node, Vec<usize>), Arc<Node>>,
}

impl Push {
    fn take(&mut self, node: &Arc<Node>, selections: &[Selection]) -> Arc<Node> {
        recursion::deep(|| self.taken(node, selections))
    }

    fn taken(&mut self, node: &Arc<Node>, selections: &[Selection]) -> Arc<Node> {
        let is_whole =
            |(selection, axis): (&Selection, &AxisChunks)| *selection == Selection::whole(axis.length());
        if selections.iter().zip(&node.grid.0).all(is_whole) {
            return Arc::clone(node);
        }
        // Within one call, what is taken of a node depends on which axes are broadcast alone.
        let key = (Arc::as_ptr(node), node.shape());
        if let Some(known) = self.known.get(&key) {
            return Arc::clone(known);
        }
        let grid = Grid(selections.iter().zip(&node.grid.0).map(|(own, axis)| own.chunks(axis)).collect());
        let result = match &node.kind {
            Kind::Constant(_) => Node::new(node.data_type, grid, node.kind.clone()),
            Kind::Generated(_) => self.view(node, selections, &grid),
            Kind::View(..) if node.is_virtual => self.view(node, selections, &grid),
            Kind::Unary(operator, input) => {
                let input = self.operand(node, input, selections);
                Node::new(node.data_type, input.grid.clone(), Kind::Unary(*operator, input))
            }
            Kind::Cast(input) => {
                let input = self.operand(node, input, selections);
                Node::new(node.data_type, input.grid.clone(), Kind::Cast(input))
            }
            Kind::Binary(operator, left, right) => {
                let inputs =
                    vec![self.operand(node, left, selections), self.operand(node, right, selections)];
                self.elementwise(node, inputs, |inputs| {
                    let [left, right] = inputs.try_into().expect("two");
                    Kind::Binary(*operator, left, right)
                })
            }
            Kind::Select(condition, yes, no) => {
                let inputs = [condition, yes, no].map(|input| self.operand(node, input, selections));
                self.elementwise(node, inputs.into(), |inputs| {
                    let [condition, yes, no] = inputs.try_into().expect("three");
                    Kind::Select(condition, yes, no)
                })
            }
            _ => Node::new(node.data_type, grid, Kind::Gather(Arc::clone(node), selections.to_vec())),
        };
        self.known.insert(key, Arc::clone(&result));
        result
    }

    fn elementwise(
        &self,
        node: &Node,
        inputs: Vec<Arc<Node>>,
        kind: impl FnOnce(Vec<Arc<Node>>) -> Kind,
    ) -> Arc<Node> {
        expect("slice", Node::elementwise(node.data_type, inputs, kind))
    }

    /// An operand of an elementwise operation: axes that are repeated stay as they are.
    fn operand(&mut self, node: &Node, input: &Arc<Node>, selections: &[Selection]) -> Arc<Node> {
        let skipped = node.ndim() - input.ndim();
        let own: Vec<Selection> = input
            .grid
            .0
            .iter()
            .zip(&node.grid.0[skipped..])
            .zip(&selections[skipped..])
            .map(|((own, result), selection)| match own.length() == 1 && result.length() != 1 {
                true => Selection::whole(1),
                false => selection.clone(),
            })
            .collect();
        self.take(input, &own)
    }

    /// A generated array is computed where it is wanted, if that is evenly spaced.
    fn view(&self, node: &Arc<Node>, selections: &[Selection], grid: &Grid) -> Arc<Node> {
        let follow = |(axis, selection): (usize, &Selection)| match selection {
            Selection::Range { start, step, .. } => {
                Some(Follow { axis: Some(axis), start: *start as i64, step: *step })
            }
            Selection::List(_) => None,
        };
        match selections.iter().enumerate().map(follow).collect::<Option<Vec<Follow>>>() {
            Some(follows) => Node::new(node.data_type, grid.clone(), Kind::View(Arc::clone(node), follows)),
            None => {
                Node::new(node.data_type, grid.clone(), Kind::Gather(Arc::clone(node), selections.to_vec()))
            }
        }
    }
}

/// The array with its axes in this order; `None` is a new axis of length 1, and what is not named has
/// length 1 and goes.
pub(crate) fn view_node(node: &Arc<Node>, axes: &[Option<usize>]) -> Arc<Node> {
    if axes.len() == node.ndim() && axes.iter().enumerate().all(|(place, axis)| *axis == Some(place)) {
        return Arc::clone(node);
    }
    let follows = (0..node.ndim())
        .map(|own| axes.iter().position(|axis| *axis == Some(own)).map_or(Follow::fixed(0), Follow::axis))
        .collect();
    let grid = axes.iter().map(|axis| match axis {
        Some(axis) => node.grid.0[*axis].clone(),
        None => AxisChunks::regular(1, 1),
    });
    Node::new(node.data_type, Grid(grid.collect()), Kind::View(Arc::clone(node), follows))
}
