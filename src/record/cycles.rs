//! Pure: the graph of functions as dashboard and report draw it, without cycles.

use std::collections::BTreeSet;

/// Functions and which of them need values of which, without the edges that would close a cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acyclic {
    /// The functions, each after those that it needs.
    pub order: Vec<usize>,
    /// Those that each function needs, by function.
    pub needs: Vec<Vec<usize>>,
    /// The edges that are left out: the function that is needed, and the one that needs it.
    pub left_out: Vec<(usize, usize)>,
}

impl Acyclic {
    /// Functions are visited in the order in which they were first submitted, and before each of them those that it
    /// needs, in the same order. An edge from a function that is visited later is left out.
    pub(crate) fn of(needs: &[Vec<usize>]) -> Self {
        let sorted: Vec<BTreeSet<usize>> = needs
            .iter()
            .map(|needs_of_one| needs_of_one.iter().copied().filter(|needed| *needed < needs.len()).collect())
            .collect();
        let (mut left, mut order) = ((0..needs.len()).collect(), Vec::with_capacity(needs.len()));
        (0..needs.len()).for_each(|function| visit(function, &sorted, &mut left, &mut order));
        let mut places = vec![0; needs.len()];
        order.iter().enumerate().for_each(|(place, function)| places[*function] = place);
        let mut drawn = Self { order, needs: Vec::with_capacity(needs.len()), left_out: Vec::new() };
        for (function, needs) in sorted.into_iter().enumerate() {
            let (before, after): (Vec<usize>, Vec<usize>) =
                needs.into_iter().partition(|needed| places[*needed] < places[function]);
            drawn.needs.push(before);
            drawn.left_out.extend(after.into_iter().map(|needed| (needed, function)));
        }
        drawn
    }
}

fn visit(function: usize, needs: &[BTreeSet<usize>], left: &mut BTreeSet<usize>, order: &mut Vec<usize>) {
    if left.remove(&function) {
        needs[function].iter().for_each(|needed| visit(*needed, needs, left, order));
        order.push(function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_comes_after_those_it_needs_wherever_they_came_first() {
        let drawn = Acyclic::of(&[vec![2], vec![3, 0], vec![], vec![9]]);
        assert_eq!(drawn.order, [2, 0, 3, 1], "there is no function 9");
        assert_eq!((drawn.needs, drawn.left_out), (vec![vec![2], vec![0, 3], vec![], vec![]], vec![]));
    }

    #[test]
    fn of_a_cycle_one_edge_is_left_out_and_named() {
        let drawn = Acyclic::of(&[vec![2], vec![3, 0], vec![], vec![1, 9]]);
        assert_eq!(drawn.order, [2, 0, 3, 1], "0 needs 2; 1 and 3 need each other");
        assert_eq!(drawn.needs, [vec![2], vec![0, 3], vec![], vec![]]);
        assert_eq!(drawn.left_out, [(1, 3)]);
        let own = Acyclic::of(&[vec![0]]);
        assert_eq!((own.needs, own.left_out), (vec![vec![]], vec![(0, 0)]));
    }
}
