//! Runs a kernel over the elements of a block, a tile at a time.

use super::{
    Follow, Kernel, Operation, Scope,
    generate::{Generator, Sequence},
    operators,
    reduce::{self, Reduction, Regions, State},
    tiles::Tiles,
    turn::{ROWS, turn},
};
use crate::array::element::{Element, Elements, Scalar, Sealed, with_type};
use ndarray::ArrayD;
use std::{any::Any, sync::Arc};

/// How many elements a tile has: with a handful of steps it stays in the first-level cache.
const TILE: usize = 512;

/// An input of a kernel, its elements in C order.
#[derive(Clone)]
pub(crate) enum Memory {
    /// An `ArrayD<T>` in standard layout.
    Array(Arc<dyn Any + Send + Sync>, Vec<usize>),
    Elements(Arc<Elements>, Vec<usize>),
}

impl Memory {
    /// The memory of a block; one in another layout is copied.
    pub(crate) fn of<T: Element>(block: Arc<ArrayD<T>>) -> Self {
        let shape = block.shape().to_vec();
        if block.is_standard_layout() {
            return Self::Array(block, shape);
        }
        let elements = T::wrap(block.iter().copied().collect());
        Self::Elements(Arc::new(elements), shape)
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Array(_, shape) | Self::Elements(_, shape) => shape,
        }
    }

    pub(crate) fn slice<T: Element>(&self) -> &[T] {
        match self {
            Self::Elements(elements, _) => T::vector(elements),
            Self::Array(array, _) => array
                .downcast_ref::<ArrayD<T>>()
                .and_then(|array| array.as_slice())
                .expect("a block of the type and layout it was made with"),
        }
    }
}

/// Makes a block.
pub(crate) fn evaluate<T: Element>(kernel: &Kernel, block: usize, inputs: &[Memory]) -> ArrayD<T> {
    let (starts, shape) = kernel.grid.region(block);
    let count = shape.iter().product();
    let mut output: Vec<T> = Vec::with_capacity(count);
    let mut running = Running::new(&kernel.scope, &starts, &shape, inputs, TILE.min(count));
    for start in (0..count).step_by(TILE) {
        let end = count.min(start + TILE);
        running.run(start, end);
        output.extend_from_slice(running.result(end - start));
    }
    ArrayD::from_shape_vec(shape, output).expect("as many elements as the shape has")
}

/// Reduces a block along the flagged axes without making it.
pub(crate) fn evaluate_reduced(
    kernel: &Kernel,
    reduction: Reduction,
    reduced: &[bool],
    block: usize,
    inputs: &[Memory],
) -> State {
    let (starts, shape) = kernel.grid.region(block);
    let count = shape.iter().product();
    let regions = Regions::new(&starts, &shape, &kernel.grid.shape(), reduced);
    let data_type = kernel.scope.data_type();
    let mut state = State::new(reduction, data_type, regions.kept_shape());
    let mut running = Running::new(&kernel.scope, &starts, &shape, inputs, TILE.min(count));
    for start in (0..count).step_by(TILE) {
        let end = count.min(start + TILE);
        running.run(start, end);
        with_type!(data_type, T => state.add(reduction, &regions, start, running.result::<T>(end - start)));
    }
    state.close(reduction);
    state
}

/// The way through a leaf's elements in the order of a scope's: lengths and strides of axes, outer
/// first, neighbours that follow each other as one.
struct Walk {
    base: i64,
    axes: Vec<(usize, i64)>,
}

impl Walk {
    /// `strides` are the leaf's own, `offsets` where the scope's block starts for it.
    fn new(follows: &[Follow], strides: &[i64], offsets: &[usize], shape: &[usize]) -> Self {
        let mut base = 0;
        let mut scope_strides = vec![0; shape.len()];
        for (follow, stride) in follows.iter().zip(strides) {
            base += follow.start * stride;
            if let Some(axis) = follow.axis {
                base += follow.step * offsets[axis] as i64 * stride;
                scope_strides[axis] += follow.step * stride;
            }
        }
        let mut axes: Vec<(usize, i64)> = Vec::new();
        for (length, stride) in shape.iter().copied().zip(scope_strides).filter(|(length, _)| *length != 1) {
            match axes.last_mut() {
                Some((outer, outer_stride)) if *outer_stride == stride * length as i64 => {
                    (*outer, *outer_stride) = (*outer * length, stride);
                }
                _ => axes.push((length, stride)),
            }
        }
        if axes.is_empty() {
            axes.push((1, 1));
        }
        Self { base, axes }
    }

    fn stride(&self) -> i64 {
        self.axes.last().expect("a walk has an axis").1
    }

    fn is_contiguous(&self) -> bool {
        self.axes.len() == 1 && self.stride() == 1
    }

    /// Calls `visit` with the place in the tile, the first index in the leaf and the count of each
    /// stretch of the elements from `start` to `end`.
    fn for_each_run(&self, start: usize, end: usize, mut visit: impl FnMut(usize, i64, usize)) {
        let length = self.axes.last().expect("a walk has an axis").0;
        let mut at = start;
        while at < end {
            let (row, column) = (at / length, at % length);
            let count = (length - column).min(end - at);
            visit(at - start, self.index(row, column), count);
            at += count;
        }
    }

    /// The index in the leaf of an element, by its column in the last axis and its row in the others.
    fn index(&self, mut row: usize, column: usize) -> i64 {
        let mut index = self.base + column as i64 * self.stride();
        for (length, stride) in self.axes.iter().rev().skip(1) {
            index += (row % length) as i64 * stride;
            row /= length;
        }
        index
    }
}

/// What a step needs to know of the block.
enum Prepared<'a> {
    /// Its tile was filled once for all.
    Constant,
    /// Its tile is filled again and again, since others write to it, too.
    Fill(Scalar),
    /// The elements lie in memory as they are wanted, from here on.
    Direct(Memory, usize),
    Copy(Memory, Walk, Panel),
    Generate(Sequence, Walk),
    Compute,
    Fold(Box<Running<'a>>, usize),
}

/// A scope on its way through a block.
struct Running<'a> {
    scope: &'a Scope,
    prepared: Vec<Prepared<'a>>,
    /// Which tile each step writes to.
    places: Vec<Option<usize>>,
    tiles: Vec<Elements>,
    start: usize,
}

/// C-order strides of a shape, in elements.
fn strides_of(shape: &[usize]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as i64;
    }
    strides
}

impl<'a> Running<'a> {
    fn new(scope: &'a Scope, starts: &[usize], shape: &[usize], inputs: &[Memory], tile: usize) -> Self {
        let mut prepared = Vec::with_capacity(scope.steps.len());
        for step in &scope.steps {
            prepared.push(match &step.operation {
                Operation::Constant(scalar) => Prepared::Fill(*scalar),
                Operation::Input { slot, follows } => in_memory(inputs[*slot].clone(), follows, shape),
                Operation::Generated { generator, shape: whole, follows } => {
                    generated(*generator, step.data_type, whole, follows, starts, shape)
                }
                Operation::Fold { scope, lengths, .. } => {
                    let starts: Vec<usize> =
                        starts.iter().copied().chain(lengths.iter().map(|_| 0)).collect();
                    let shape: Vec<usize> = shape.iter().chain(lengths).copied().collect();
                    let length: usize = lengths.iter().product();
                    let tile = (2 * TILE / length.max(1)).max(1) * length;
                    Prepared::Fold(Box::new(Self::new(scope, &starts, &shape, inputs, tile)), length)
                }
                _ => Prepared::Compute,
            });
        }
        let Tiles { places, types, constants } =
            Tiles::new(&scope.steps, |step| matches!(prepared[step], Prepared::Direct(..)));
        let mut tiles: Vec<Elements> = types.into_iter().map(|own| Elements::zeros(own, tile)).collect();
        tiles.iter_mut().zip(&constants).for_each(|(tile, scalar)| fill(tile, *scalar));
        for (prepared, place) in prepared.iter_mut().zip(&places) {
            if place.is_some_and(|place| place < constants.len()) {
                *prepared = Prepared::Constant;
            }
        }
        Self { scope, prepared, places, tiles, start: 0 }
    }

    /// The elements of a step in the current tile.
    fn operand<T: Element>(&self, step: usize, count: usize) -> &[T] {
        match &self.prepared[step] {
            Prepared::Direct(memory, base) => &memory.slice::<T>()[base + self.start..][..count],
            _ => {
                let place = self.places[step].expect("a step without memory of its own has a tile");
                &T::vector(&self.tiles[place])[..count]
            }
        }
    }

    /// The elements of the last step.
    fn result<T: Element>(&self, count: usize) -> &[T] {
        self.operand(self.scope.steps.len() - 1, count)
    }

    /// Runs all steps over the elements from `start` to `end`.
    fn run(&mut self, start: usize, end: usize) {
        self.start = start;
        let count = end - start;
        for index in 0..self.scope.steps.len() {
            let Some(place) = self.places[index] else { continue };
            if matches!(self.prepared[index], Prepared::Constant) {
                continue;
            }
            let mut output = std::mem::replace(&mut self.tiles[place], Elements::Bool(Vec::new()));
            output.resize(count);
            match &mut self.prepared[index] {
                Prepared::Fill(scalar) => fill(&mut output, *scalar),
                Prepared::Copy(memory, walk, panel) => copy(memory, walk, panel, start, end, &mut output),
                Prepared::Generate(sequence, walk) => walk.for_each_run(start, end, |place, first, count| {
                    sequence.fill(first, walk.stride(), &mut output, place..place + count);
                }),
                Prepared::Fold(running, length) => {
                    let Operation::Fold { reduction, .. } = &self.scope.steps[index].operation else {
                        unreachable!("prepared as a fold")
                    };
                    fold(*reduction, running, *length, start, end, &mut output);
                }
                _ => self.compute(index, count, &mut output),
            }
            self.tiles[place] = output;
        }
    }

    fn compute(&self, index: usize, count: usize, output: &mut Elements) {
        let type_of = |step: usize| self.scope.steps[step].data_type;
        match self.scope.steps[index].operation {
            Operation::Unary(operator, input) => with_type!(type_of(input), T => {
                operators::unary::<T>(operator, self.operand(input, count), output);
            }),
            Operation::Binary(operator, left, right) => with_type!(type_of(left), T => {
                operators::binary::<T>(operator, self.operand(left, count), self.operand(right, count), output);
            }),
            Operation::Select(condition, yes, no) => with_type!(type_of(yes), T => {
                let (yes, no) = (self.operand::<T>(yes, count), self.operand::<T>(no, count));
                operators::select(self.operand(condition, count), yes, no, T::vector_mut(output));
            }),
            Operation::Cast(input) => with_type!(type_of(input), T => {
                operators::cast::<T>(self.operand(input, count), output);
            }),
            _ => unreachable!("leaves are prepared"),
        }
    }
}

fn fill(register: &mut Elements, scalar: Scalar) {
    with_type!(register.data_type(), T => T::vector_mut(register).fill(T::of_scalar(scalar)));
}

fn in_memory<'a>(memory: Memory, follows: &[Follow], shape: &[usize]) -> Prepared<'a> {
    let walk = Walk::new(follows, &strides_of(memory.shape()), &vec![0; shape.len()], shape);
    match walk.is_contiguous() {
        true => Prepared::Direct(memory, walk.base as usize),
        false => Prepared::Copy(memory, walk, Panel::default()),
    }
}

fn generated<'a>(
    generator: Generator,
    data_type: crate::array::DataType,
    whole: &[usize],
    follows: &[Follow],
    starts: &[usize],
    shape: &[usize],
) -> Prepared<'a> {
    let walk = Walk::new(follows, &strides_of(whole), starts, shape);
    if !matches!(generator, Generator::Random { .. }) || walk.stride() == 1 {
        return Prepared::Generate(Sequence::new(generator), walk);
    }
    // Random numbers are cheap in order only: they are made so, once for the block.
    let of_axis = |follow: &Follow| follow.axis.map_or(1, |axis| shape[axis]);
    let lengths: Vec<usize> = follows.iter().map(of_axis).collect();
    let own_starts: Vec<usize> = vec![0; lengths.len()];
    let own_follows: Vec<Follow> = follows
        .iter()
        .enumerate()
        .map(|(own, follow)| {
            let start = follow.axis.map_or(0, |axis| follow.step * starts[axis] as i64);
            Follow { axis: Some(own), start: follow.start + start, step: follow.step }
        })
        .collect();
    let count: usize = lengths.iter().product();
    let mut elements = Elements::zeros(data_type, count);
    let own_walk = Walk::new(&own_follows, &strides_of(whole), &own_starts, &lengths);
    let mut sequence = Sequence::new(generator);
    own_walk.for_each_run(0, count, |place, first, count| {
        sequence.fill(first, own_walk.stride(), &mut elements, place..place + count);
    });
    let in_order = |follow: &Follow| Follow { axis: follow.axis, start: 0, step: 1 };
    let follows: Vec<Follow> = follows.iter().map(in_order).collect();
    in_memory(Memory::Elements(Arc::new(elements), lengths), &follows, shape)
}

/// Some rows of a leaf whose elements lie the other way round, turned at once: each line of the
/// cache is read once.
#[derive(Default)]
struct Panel {
    rows: std::ops::Range<usize>,
    elements: Option<Elements>,
}

impl Panel {
    /// Longer rows would not stay in the cache.
    const LENGTH_MAX: usize = 8 << 10;

    /// The elements of a row from `column` on, if the leaf is turned.
    fn row<T: Element>(&mut self, input: &[T], walk: &Walk, row: usize, column: usize) -> Option<&[T]> {
        let [.., (rows, row_stride), (length, stride)] = walk.axes.as_slice() else { return None };
        if *row_stride != 1 || *length > Self::LENGTH_MAX || *rows < ROWS {
            return None;
        }
        if !self.rows.contains(&row) {
            let end = row + (rows - row % rows).min(ROWS);
            let base = walk.index(row, 0);
            let elements = self.elements.get_or_insert_with(|| Elements::zeros(T::DATA_TYPE, length * ROWS));
            let panel = T::vector_mut(elements);
            turn(input, base, *stride, end - row, panel, *length);
            self.rows = row..end;
        }
        let start = (row - self.rows.start) * length + column;
        Some(&T::vector(self.elements.as_ref()?)[start..])
    }
}

fn copy(memory: &Memory, walk: &Walk, panel: &mut Panel, start: usize, end: usize, output: &mut Elements) {
    let length = walk.axes.last().expect("a walk has an axis").0;
    with_type!(output.data_type(), T => {
        let (input, output) = (memory.slice::<T>(), T::vector_mut(output));
        walk.for_each_run(start, end, |place, first, count| {
            let output = &mut output[place..place + count];
            match walk.stride() {
                1 => output.copy_from_slice(&input[first as usize..][..count]),
                0 => output.fill(input[first as usize]),
                stride => {
                    let at = start + place;
                    if let Some(row) = panel.row(input, walk, at / length, at % length) {
                        return output.copy_from_slice(&row[..count]);
                    }
                    for (place, output) in output.iter_mut().enumerate() {
                        *output = input[(first + stride * place as i64) as usize];
                    }
                }
            }
        });
    });
}

/// Reduces each `length` elements of another scope to one.
fn fold(
    reduction: Reduction,
    running: &mut Running<'_>,
    length: usize,
    start: usize,
    end: usize,
    output: &mut Elements,
) {
    let data_type = running.scope.data_type();
    let at_once = (2 * TILE / length.max(1)).max(1);
    for first in (start..end).step_by(at_once) {
        let last = end.min(first + at_once);
        running.run(first * length, last * length);
        with_type!(data_type, T => {
            let values = running.result::<T>((last - first) * length);
            reduce::fold::<T>(reduction, values, length, output, first - start..last - start);
        });
    }
}
