//! Pure: sets of instants, as stretches of time that are in order and apart.

/// Stretches of time, in order and apart.
pub(super) type Stretches = Vec<(u64, u64)>;

/// Stretches in order and apart that cover what these cover.
pub(super) fn union(mut stretches: Stretches) -> Stretches {
    stretches.sort_unstable();
    let mut union = Stretches::new();
    for (start, end) in stretches {
        match union.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ if start < end => union.push((start, end)),
            _ => {}
        }
    }
    union
}

/// What lies in both.
pub(super) fn both(left: &Stretches, right: &Stretches) -> Stretches {
    let (mut l, mut r, mut both) = (0, 0, Stretches::new());
    while let (Some((a, b)), Some((c, d))) = (left.get(l), right.get(r)) {
        if a.max(c) < b.min(d) {
            both.push((*a.max(c), *b.min(d)));
        }
        if b < d { l += 1 } else { r += 1 }
    }
    both
}

/// What lies in the first and not in the second.
pub(super) fn minus(left: &Stretches, right: &Stretches) -> Stretches {
    let mut minus = Stretches::new();
    let mut r = 0;
    for (start, end) in left {
        let mut at = *start;
        while let Some((c, d)) = right.get(r).filter(|(c, _)| c < end) {
            if *c > at {
                minus.push((at, *c));
            }
            at = at.max(*d);
            if d > end {
                break;
            }
            r += 1;
        }
        if at < *end {
            minus.push((at, *end));
        }
    }
    minus
}

pub(super) fn length(stretches: &Stretches) -> u64 {
    stretches.iter().map(|(start, end)| end - start).sum()
}

/// Collects stretches in any order. Millions that overlap their predecessors take no memory.
#[derive(Clone, Debug)]
pub(super) struct Cover {
    stretches: Stretches,
    compact_at: usize,
}

impl Default for Cover {
    fn default() -> Self {
        Self { stretches: Stretches::new(), compact_at: Self::COMPACT_AT }
    }
}

impl Cover {
    const COMPACT_AT: usize = 1 << 14;

    pub(super) fn add(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        match self.stretches.last_mut() {
            Some((first, last)) if start <= *last && end >= *first => {
                (*first, *last) = (start.min(*first), end.max(*last));
            }
            _ => self.stretches.push((start, end)),
        }
        if self.stretches.len() >= self.compact_at {
            self.stretches = union(std::mem::take(&mut self.stretches));
            self.compact_at = Self::COMPACT_AT.max(2 * self.stretches.len());
        }
    }

    pub(super) fn into_stretches(self) -> Stretches {
        union(self.stretches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn stretches_are_combined_as_sets_are(left in stretches(), right in stretches()) {
            let has = |stretches: &Stretches, at: u64| stretches.iter().any(|(a, b)| (*a..*b).contains(&at));
            let (l, r) = (union(left.clone()), union(right.clone()));
            for at in 0..60 {
                proptest::prop_assert_eq!(has(&both(&l, &r), at), has(&left, at) && has(&right, at));
                proptest::prop_assert_eq!(has(&minus(&l, &r), at), has(&left, at) && !has(&right, at));
            }
            proptest::prop_assert_eq!(length(&both(&l, &r)) + length(&minus(&l, &r)), length(&l));
            let mut cover = Cover { compact_at: 3, ..Cover::default() };
            left.iter().for_each(|(start, end)| cover.add(*start, *end));
            proptest::prop_assert_eq!(cover.into_stretches(), l);
        }
    }

    fn stretches() -> impl proptest::strategy::Strategy<Value = Stretches> {
        let stretch =
            proptest::strategy::Strategy::prop_map((0u64..50, 0u64..10), |(at, long)| (at, at + long));
        proptest::collection::vec(stretch, 0..8)
    }
}
