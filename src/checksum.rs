//! Checksums, by which a receiver or reader detects truncated or changed bytes.
//!
//! A rank that dies while it sends may leave the receiver with a message that MPI takes for complete though
//! parts of it never came (seen under MPICH on UCX). So runs that survive losses have what travels carry
//! checksums (CRC-32).

const LENGTH: usize = size_of::<u32>();

/// Adds the checksum of these bytes to what travels with them, or of that itself if there are none.
pub(crate) fn seal(message: &mut Vec<u8>, body: Option<&[u8]>) {
    let checksum = crc32fast::hash(body.unwrap_or(message));
    message.extend_from_slice(&checksum.to_le_bytes());
}

/// Takes the checksum off again. Returns whether all is as it was sealed.
pub(crate) fn open(message: &mut Vec<u8>, body: Option<&[u8]>) -> bool {
    let Some(at) = message.len().checked_sub(LENGTH) else { return false };
    let sealed = message.split_off(at);
    crc32fast::hash(body.unwrap_or(message)).to_le_bytes() == sealed[..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_seen() {
        for body in [None, Some(&b"a body"[..])] {
            let mut message = b"a message".to_vec();
            seal(&mut message, body);
            let sealed = message.clone();
            assert!(open(&mut message, body));
            assert_eq!(message, b"a message");
            let mut cut = sealed[..sealed.len() - 1].to_vec();
            assert!(!open(&mut cut, body));
        }
        let mut message = Vec::new();
        seal(&mut message, Some(b"a body"));
        assert!(!open(&mut message, Some(b"a b\0\0y")));
        assert!(!open(&mut vec![1, 2], None));
    }
}
