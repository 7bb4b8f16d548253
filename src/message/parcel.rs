//! What the shares of a repetition send each other.

use crate::ids::TaskId;
use serde::{Deserialize, Serialize};

/// From one share of a repetition to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The first of the tasks that run the shares.
    pub repetition: TaskId,
    /// The share that it is for.
    pub share: u32,
    /// The share that it comes from.
    pub source: u32,
    /// Values.
    pub letters: Vec<Letter>,
    /// How many steps its source has completed, if the share has to know.
    pub completed: Option<u64>,
}

/// A value for a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Which of the share's items it is.
    pub item: u32,
    /// The step that needs it.
    pub step: u64,
    /// The value.
    pub value: Encoded,
}

/// A value as it travels in a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoded {
    /// A small one.
    Small(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A large one.
    Whole(Wire),
    /// A part of a large one.
    Part(Wire),
}

/// A large value, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// What describes the body.
    #[serde(with = "serde_bytes")]
    pub head: Vec<u8>,
    /// The body.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// The alignment of the body in bytes.
    pub align: u8,
}

impl Parcel {
    /// Whether there can be memory of the alignment of each value.
    pub(super) fn is_valid(&self) -> bool {
        self.letters.iter().all(|letter| match &letter.value {
            Encoded::Small(_) => true,
            Encoded::Whole(wire) | Encoded::Part(wire) => wire.is_valid(),
        })
    }
}

impl Wire {
    /// Whether there can be memory of its alignment.
    pub(crate) fn is_valid(&self) -> bool {
        self.align.is_power_of_two()
    }
}
