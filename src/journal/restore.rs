//! The task that reads a result back from a journal, whatever type it has.

use super::read;
use crate::{
    ids::Code,
    journal::Key,
    task::{Descriptor, Inputs, Output},
    value::Value,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where a result is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Location {
    pub path: PathBuf,
    pub offset: u64,
    pub key: Key,
}

static RESTORE: Descriptor = Descriptor::of_values(restore, || "maniple::journal::restore");

/// The task's code.
pub(crate) fn code() -> Code {
    Code::of(&RESTORE)
}

fn restore(inputs: &mut Inputs<'_>, output: &mut Output<'_>) -> Result<(), String> {
    let location: Location = inputs.owned()?;
    let (head, body) = read(&location)?;
    // Without a head it is an encoding, and may travel with messages.
    if head.is_empty() && body.as_slice().len() <= output.small_bytes_max {
        output.small.push(body.as_slice());
    } else {
        output.large = Some(Value::from_wire(head, body));
    }
    Ok(())
}
