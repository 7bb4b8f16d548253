//! Values on their way between the shares of a repetition, which tasks on several ranks run.

use crate::{
    comm::Buffer,
    ids::TaskId,
    lock::lock,
    message::{Encoded, Letter, Parcel, Wire},
    part::Cut,
    value::Value,
};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use smallvec::SmallVec;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

/// A value of a task.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Encoded.
    Small(SmallVec<[u8; 24]>),
    /// In memory.
    Whole(Value),
    /// A part of one that is on another rank.
    Part(Value),
}

impl Content {
    /// The value as it travels, or the part of it that is wanted.
    ///
    /// # Errors
    ///
    /// Says why it cannot be encoded.
    pub(crate) fn encoded(&self, cut: Option<&Cut>) -> Result<Encoded, String> {
        let wire = |(head, body): (Vec<u8>, crate::comm::Body)| Wire {
            head,
            align: body.align() as u8,
            body: body.as_slice().to_vec(),
        };
        Ok(match (self, cut) {
            (Self::Small(bytes), _) => Encoded::Small(bytes.to_vec()),
            (Self::Whole(value), Some(cut)) => Encoded::Part(wire(value.part_to_wire(cut)?)),
            (Self::Whole(value), None) => Encoded::Whole(wire(value.to_wire()?)),
            (Self::Part(value), _) => Encoded::Part(wire(value.to_wire()?)),
        })
    }

    /// About how many bytes it has in memory.
    pub(crate) fn byte_count(&self) -> u64 {
        match self {
            Self::Small(bytes) => bytes.len() as u64,
            Self::Whole(value) | Self::Part(value) => value.live_bytes(),
        }
    }

    pub(crate) fn of(encoded: Encoded) -> Self {
        let value =
            |wire: Wire| Value::from_wire(wire.head, Buffer::copy_of(&wire.body, usize::from(wire.align)));
        match encoded {
            Encoded::Small(bytes) => Self::Small(SmallVec::from_vec(bytes)),
            Encoded::Whole(wire) => Self::Whole(value(wire)),
            Encoded::Part(wire) => Self::Part(value(wire)),
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.encoded(None).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = Encoded::deserialize(deserializer)?;
        if let Encoded::Whole(wire) | Encoded::Part(wire) = &encoded
            && !wire.is_valid()
        {
            return Err(D::Error::custom("an alignment that is no power of two"));
        }
        Ok(Self::of(encoded))
    }
}

/// What a share hears of the others.
#[derive(Debug)]
pub(crate) enum Post {
    /// A value for one of its items, for a step.
    Value { item: u32, step: u64, content: Content },
    /// How many steps another share has completed.
    Completed { share: u32, steps: u64 },
}

/// What has come for a share, and was not taken.
#[derive(Debug, Default)]
pub(crate) struct MailBox {
    posts: Mutex<Vec<Post>>,
    has_news: AtomicBool,
}

impl MailBox {
    pub(crate) fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Acquire)
    }

    /// Takes what has come, in order.
    pub(crate) fn take(&self) -> Vec<Post> {
        let mut posts = lock(&self.posts);
        self.has_news.store(false, Ordering::Release);
        std::mem::take(&mut posts)
    }

    fn put(&self, mut posts: Vec<Post>) {
        lock(&self.posts).append(&mut posts);
        self.has_news.store(true, Ordering::Release);
    }
}

/// A share: the first task of its repetition, and which of the shares.
type Address = (TaskId, u32);

/// The mailboxes of a rank.
#[derive(Debug, Default)]
pub(crate) struct Mail(Mutex<Boxes>);

#[derive(Debug, Default)]
struct Boxes {
    open: FxHashMap<Address, Arc<MailBox>>,
    /// Shares that ended early: what still comes for them is dropped.
    closed: FxHashSet<Address>,
}

impl Mail {
    /// The box of a share, in which there may be something already.
    pub(crate) fn open(&self, repetition: TaskId, share: u32) -> Arc<MailBox> {
        Arc::clone(lock(&self.0).open.entry((repetition, share)).or_default())
    }

    /// A share has ended: with all its steps, after which nothing comes for it, or before.
    pub(crate) fn close(&self, repetition: TaskId, share: u32, is_complete: bool) {
        let mut boxes = lock(&self.0);
        boxes.open.remove(&(repetition, share));
        if !is_complete {
            boxes.closed.insert((repetition, share));
        }
    }

    /// Delivers posts to a share of this rank, which may not have begun.
    pub(crate) fn deliver(&self, repetition: TaskId, share: u32, posts: Vec<Post>) {
        let mut boxes = lock(&self.0);
        if !boxes.closed.contains(&(repetition, share)) {
            boxes.open.entry((repetition, share)).or_default().put(posts);
        }
    }

    /// Delivers what has come from another rank.
    pub(crate) fn take_in(&self, parcel: Parcel) {
        let Parcel { repetition, share, source, letters, completed } = parcel;
        let value = |letter: Letter| Post::Value {
            item: letter.item,
            step: letter.step,
            content: Content::of(letter.value),
        };
        let mut posts: Vec<Post> = letters.into_iter().map(value).collect();
        posts.extend(completed.map(|steps| Post::Completed { share: source, steps }));
        self.deliver(repetition, share, posts);
    }
}
