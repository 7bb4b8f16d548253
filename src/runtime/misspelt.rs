//! Variables of the environment that look like misspelt settings. Pure.

use super::settings::Settings;
use std::{cell::RefCell, collections::BTreeSet};

/// How many characters may be wrong, left out, added or swapped: no more than a third of what follows the prefix.
const DISTANCE_MAX: usize = 2;
const PREFIX: &str = "MANIPLE_";

/// A line for each of these variables whose name is nearly that of a setting. A name like no other may be the
/// program's own.
pub(super) fn misspelt(variables: impl Iterator<Item = String>) -> Vec<String> {
    let known = names();
    let unknown = variables.filter(|name| name.starts_with(PREFIX) && !known.contains(name));
    let line = |name: String| {
        let distance = |known: &&String| strsim::damerau_levenshtein(known, &name);
        let nearest = known.iter().min_by_key(distance)?;
        let most = DISTANCE_MAX.min((nearest.len() - PREFIX.len()) / 3);
        (distance(&nearest) <= most).then(|| format!("{name} is no setting: is {nearest} meant?"))
    };
    unknown.filter_map(line).collect()
}

/// The variables that settings are read from.
fn names() -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    let asked = |name: &str| {
        if name.starts_with(PREFIX) {
            names.borrow_mut().insert(name.to_string());
        }
        None
    };
    Settings::from_environment(asked).expect("what is not set is not wrong");
    names.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_slip_are_found() {
        let found = |name: &str| misspelt([name.to_string()].into_iter());
        assert_eq!(found("MANIPLE_REPROT"), ["MANIPLE_REPROT is no setting: is MANIPLE_REPORT meant?"]);
        assert_eq!(
            found("MANIPLE_LOCAL_WORKER"),
            ["MANIPLE_LOCAL_WORKER is no setting: is MANIPLE_LOCAL_WORKERS meant?"]
        );
        for right in [
            "MANIPLE_REPORT",
            "MANIPLE_MPI",
            "MANIPLE_MPIRUN",
            "MANIPLE_MY_OWN",
            "MANIPLE_LIB",
            "MANIPLE_DOC",
            "REPROT",
        ] {
            assert_eq!(found(right), [""; 0], "{right}");
        }
    }

    #[test]
    fn every_setting_is_known() {
        let known = names();
        for name in ["MANIPLE_THREADS", "MANIPLE_END_TIME", "MANIPLE_DASHBOARD", "MANIPLE_MEMORY_SPILL"] {
            assert!(known.contains(name), "{name}: {known:?}");
        }
    }
}
