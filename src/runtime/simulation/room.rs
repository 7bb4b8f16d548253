//! A driver that is held back, as where it can wait.

use super::Simulation;

impl Simulation {
    /// Whether the driver may submit more, where `limit` of its tasks may not have ended.
    pub fn has_room(&self, limit: u64) -> bool {
        self.client().table().has_room(limit)
    }
}
