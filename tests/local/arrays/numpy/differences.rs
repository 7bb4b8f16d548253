//! The list of differences from NumPy, `numpy_cases/differences.md`.

use std::collections::BTreeMap;

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A difference that is meant.
    Meant,
    /// A difference that is a fault.
    Fault,
}

/// The rows of the list, and how often each was met.
pub(super) struct Differences(BTreeMap<String, (Kind, usize)>);

impl Differences {
    /// Reads the rows, whose first columns are names in backticks: of a difference that is meant, or of cases.
    pub(super) fn read(text: &str) -> Self {
        let mut kind = Kind::Meant;
        let mut rows = BTreeMap::new();
        for line in text.lines() {
            if line.starts_with('#') {
                kind = if line.contains("Known faults") { Kind::Fault } else { Kind::Meant };
            }
            let name = line.strip_prefix("| `").and_then(|rest| rest.split_once('`'));
            if let Some((name, _)) = name {
                assert!(line.matches(" | ").count() >= 3, "a row has four columns: {line}");
                assert!(rows.insert(name.to_owned(), (kind, 0)).is_none(), "{name} is listed twice");
            }
        }
        Self(rows)
    }

    /// Notes that a difference that is meant was met; returns whether it is listed.
    pub(super) fn meet(&mut self, row: &str) -> bool {
        match self.0.get_mut(row) {
            Some((Kind::Meant, count)) => {
                *count += 1;
                true
            }
            _ => false,
        }
    }

    /// Notes that a case differs; returns whether that is a known fault. A name with `*` at the end is that of
    /// all cases that begin so.
    pub(super) fn meet_fault(&mut self, case: &str) -> bool {
        let is_of = |name: &str| name.strip_suffix('*').map_or(name == case, |start| case.starts_with(start));
        let mut faults = self.0.iter_mut().filter(|(name, (kind, _))| *kind == Kind::Fault && is_of(name));
        faults.next().map(|(_, (_, count))| *count += 1).is_some()
    }

    /// The rows that were never met.
    pub(super) fn unmet(&self) -> Vec<&str> {
        self.0.iter().filter(|(_, (_, count))| *count == 0).map(|(name, _)| name.as_str()).collect()
    }
}
