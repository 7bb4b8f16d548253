//! Which steps of a scope share the memory of a tile: an allocation of registers over lifetimes. Pure.
//!
//! A step's elements are needed until the last step that takes them. After that another step writes to the same
//! tile, so that a chain of thousands of steps stays in the cache.

use super::{Operation, Step};
use crate::array::{
    DataType,
    element::{Scalar, Sealed, with_type},
};
use rustc_hash::FxHashMap;

/// So many constants are written once for a block. Further ones are written again for every tile.
const CONSTANTS_MAX: usize = 32;

/// The tiles of a scope.
#[derive(Debug, Default)]
pub(super) struct Tiles {
    /// The tile that each step writes to; `None` for those that need none.
    pub(super) places: Vec<Option<usize>>,
    /// The type of the elements of each tile.
    pub(super) types: Vec<DataType>,
    /// What the first tiles hold, which nobody else writes to.
    pub(super) constants: Vec<Scalar>,
}

impl Tiles {
    /// Assigns tiles to steps. `needs_none` tells which steps have their elements in memory already.
    pub(super) fn new(steps: &[Step], needs_none: impl Fn(usize) -> bool) -> Self {
        let mut tiles = Self { places: vec![None; steps.len()], ..Self::default() };
        tiles.keep_constants(steps);
        let ends = ends(steps);
        let mut free: FxHashMap<DataType, Vec<usize>> = FxHashMap::default();
        for (index, step) in steps.iter().enumerate() {
            if tiles.places[index].is_none() && !needs_none(index) {
                let place = free.get_mut(&step.data_type).and_then(Vec::pop);
                tiles.places[index] = Some(place.unwrap_or_else(|| tiles.add(step.data_type)));
            }
            // Not before the step has a tile: it reads these while it writes.
            let mut ended: Vec<usize> = operands(&step.operation).chain([index]).collect();
            ended.sort_unstable();
            ended.dedup();
            for step in ended.into_iter().filter(|step| ends[*step] == index) {
                if let Some(place) = tiles.places[step].filter(|place| *place >= tiles.constants.len()) {
                    free.entry(steps[step].data_type).or_default().push(place);
                }
            }
        }
        tiles
    }

    fn keep_constants(&mut self, steps: &[Step]) {
        let mut known: Vec<(DataType, Vec<u8>)> = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let Operation::Constant(scalar) = step.operation else { continue };
            let key = (step.data_type, bits(step.data_type, scalar));
            let place = known.iter().position(|known| *known == key);
            if place.is_none() && known.len() == CONSTANTS_MAX {
                continue;
            }
            self.places[index] = Some(place.unwrap_or_else(|| {
                known.push(key);
                self.constants.push(scalar);
                self.add(step.data_type)
            }));
        }
    }

    fn add(&mut self, data_type: DataType) -> usize {
        self.types.push(data_type);
        self.types.len() - 1
    }
}

/// The bits of a constant: zeros of either sign and each NaN are told apart.
fn bits(data_type: DataType, scalar: Scalar) -> Vec<u8> {
    with_type!(data_type, T => bytemuck::bytes_of(&T::of_scalar(scalar)).to_vec())
}

/// The last step that takes the elements of each; the result is needed after all.
fn ends(steps: &[Step]) -> Vec<usize> {
    let mut ends: Vec<usize> = (0..steps.len()).collect();
    for (index, step) in steps.iter().enumerate() {
        operands(&step.operation).for_each(|operand| ends[operand] = index);
    }
    if let Some(last) = ends.last_mut() {
        *last = usize::MAX;
    }
    ends
}

/// The earlier steps that a step takes.
fn operands(operation: &Operation) -> impl Iterator<Item = usize> + use<> {
    let operands = match operation {
        Operation::Unary(_, input) | Operation::Cast(input) => [Some(*input), None, None],
        Operation::Binary(_, left, right) => [Some(*left), Some(*right), None],
        Operation::Select(condition, yes, no) => [Some(*condition), Some(*yes), Some(*no)],
        _ => [None; 3],
    };
    operands.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::kernel::operators::{Binary, Unary};
    use proptest::prelude::*;

    fn step(operation: Operation) -> Step {
        Step { data_type: DataType::F64, operation }
    }

    fn input() -> Step {
        step(Operation::Input { slot: 0, follows: Vec::new() })
    }

    /// An input, to which constants are added one after the other.
    fn chain(constants: impl Iterator<Item = f64>) -> Vec<Step> {
        let mut steps = vec![input()];
        for constant in constants {
            let before = steps.len() - 1;
            steps.push(step(Operation::Constant(Scalar::F64(constant))));
            steps.push(step(Operation::Binary(Binary::Add, before, before + 1)));
        }
        steps
    }

    #[test]
    fn a_chain_has_as_many_tiles_whatever_its_length() {
        for length in [2, 10, 20_000] {
            let unary = (0..length).map(|index| step(Operation::Unary(Unary::Sin, index)));
            let unary: Vec<Step> = std::iter::once(input()).chain(unary).collect();
            assert_eq!(Tiles::new(&unary, |_| false).types.len(), 2);
            assert_eq!(Tiles::new(&unary, |index| index == 0).types.len(), 2);
            let same = chain(std::iter::repeat_n(1.0, length));
            let tiles = Tiles::new(&same, |_| false);
            assert_eq!((tiles.types.len(), tiles.constants.len()), (3, 1));
        }
        let others = chain((0..20_000).map(f64::from));
        let tiles = Tiles::new(&others, |_| false);
        assert_eq!((tiles.types.len(), tiles.constants.len()), (CONSTANTS_MAX + 3, CONSTANTS_MAX));
        let zeros = chain([0.0, -0.0, 0.0, f64::NAN, f64::NAN].into_iter());
        assert_eq!(Tiles::new(&zeros, |_| false).constants.len(), 3);
    }

    proptest! {
        #[test]
        fn no_tile_is_written_while_it_is_needed(
            seeds in prop::collection::vec((0..5u8, any::<usize>(), any::<usize>(), any::<usize>()), 1..60),
            has_none in any::<u64>(),
        ) {
            let mut steps = vec![input()];
            for (kind, a, b, c) in seeds {
                let count = steps.len();
                let of_type = |wanted: DataType, seed: usize| {
                    let fitting: Vec<usize> =
                        (0..count).filter(|index| steps[*index].data_type == wanted).collect();
                    (!fitting.is_empty()).then(|| fitting[seed % fitting.len()])
                };
                let (x, y) = (of_type(DataType::F64, a).unwrap(), of_type(DataType::F64, b).unwrap());
                let next = match (kind, of_type(DataType::Bool, c)) {
                    (0, _) => step(Operation::Constant(Scalar::F64((a % 50) as f64))),
                    (1, _) => step(Operation::Unary(Unary::Sin, x)),
                    (2, Some(condition)) => step(Operation::Select(condition, x, y)),
                    (2 | 3, _) => Step { data_type: DataType::Bool, operation: Operation::Binary(Binary::Less, x, y) },
                    _ => step(Operation::Binary(Binary::Add, x, y)),
                };
                steps.push(next);
            }
            let needs_none = |index: usize| {
                matches!(steps[index].operation, Operation::Input { .. }) && has_none >> (index % 64) & 1 == 1
            };
            let tiles = Tiles::new(&steps, needs_none);
            let mut holds: Vec<Option<usize>> = vec![None; tiles.types.len()];
            for (index, step) in steps.iter().enumerate() {
                let place = tiles.places[index];
                prop_assert_eq!(place.is_none(), needs_none(index));
                for operand in operands(&step.operation) {
                    let own = tiles.places[operand];
                    let is_constant = own.is_some_and(|own| own < tiles.constants.len());
                    prop_assert!(own.is_none() || is_constant || holds[own.unwrap()] == Some(operand));
                    prop_assert!(own.is_none() || own != place, "a step reads what it writes");
                }
                if let Some(place) = place {
                    prop_assert_eq!(tiles.types[place], step.data_type);
                    prop_assert!(place >= tiles.constants.len() || matches!(step.operation, Operation::Constant(_)));
                    holds[place] = Some(index);
                }
            }
        }
    }
}
