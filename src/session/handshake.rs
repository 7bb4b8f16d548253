//! Pure: how a session and a cluster prove to each other that they know the token, which itself is never sent.
//!
//! ```text
//! session                                  cluster
//!   Hello: magic, nonce, build, version ──►
//!         ◄── Challenge: nonce, build, version, proof
//!   Proof ──►
//!         ◄── Verdict, and what a session needs to know
//! ```
//!
//! A proof is a keyed hash of all that was said before. All messages have a fixed length, so that nothing is allocated
//! for a peer that is not known yet.

use subtle::ConstantTimeEq;

/// What both sides know: from the connection file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token([u8; Self::BYTES]);

impl Token {
    const BYTES: usize = 32;

    /// Of random bytes.
    pub(crate) fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// As it stands in the connection file.
    pub(crate) fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads it from the connection file.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 2 * Self::BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut bytes = [0; Self::BYTES];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Bytes that are used once.
pub(crate) type Nonce = [u8; 32];

/// What somebody wants of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be a session. It must be the same program.
    Session,
    /// To be the session again that it was before its connection broke.
    Resume,
    /// To ask how it stands, or to end it. Any program of the user may.
    Control,
}

impl Purpose {
    /// The first bytes of a hello.
    fn magic(self) -> [u8; 8] {
        match self {
            Self::Session => *b"MANIPLE1",
            Self::Resume => *b"MANIPLER",
            Self::Control => *b"MANIPLEC",
        }
    }
}

/// The maximum length of a version, in bytes.
const VERSION_BYTES: usize = 24;
const MAGIC_BYTES: usize = 8;
const IDENTITY_BYTES: usize = 8 + VERSION_BYTES;
const PROOF_BYTES: usize = 32;

/// The length of each message, in bytes.
pub(crate) const HELLO_BYTES: usize = MAGIC_BYTES + size_of::<Nonce>() + IDENTITY_BYTES;
/// See [`HELLO_BYTES`].
pub(crate) const CHALLENGE_BYTES: usize = size_of::<Nonce>() + IDENTITY_BYTES + PROOF_BYTES;
/// See [`HELLO_BYTES`].
pub(crate) const ANSWER_BYTES: usize = PROOF_BYTES;

/// Which program somebody runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The build id of the executable.
    pub(crate) build: u64,
    /// The version of this library.
    pub(crate) version: String,
}

impl Identity {
    fn to_bytes(&self) -> [u8; IDENTITY_BYTES] {
        let mut bytes = [0; IDENTITY_BYTES];
        bytes[..8].copy_from_slice(&self.build.to_le_bytes());
        for (place, byte) in bytes[8..].iter_mut().zip(self.version.bytes()) {
            *place = byte;
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (build, version) = bytes.split_first_chunk::<8>()?;
        let end = version.iter().position(|byte| *byte == 0).unwrap_or(version.len());
        let version = std::str::from_utf8(&version[..end]).ok()?;
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-+".contains(letter);
        version
            .chars()
            .all(is_plain)
            .then(|| Self { build: u64::from_le_bytes(*build), version: version.into() })
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "build {:016x} with maniple {}", self.build, self.version)
    }
}

/// Why a session is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verdict {
    /// It is not.
    Welcome = 0,
    /// It does not know the token.
    WrongToken = 1,
    /// It is not the program of the cluster.
    WrongBuild = 2,
    /// There are too many sessions.
    Full = 3,
}

impl Verdict {
    /// Reads it.
    pub(crate) fn of(byte: u8) -> Option<Self> {
        [Self::Welcome, Self::WrongToken, Self::WrongBuild, Self::Full]
            .into_iter()
            .find(|verdict| *verdict as u8 == byte)
    }
}

fn proof(token: &Token, side: &str, hello: &[u8], challenge: &[u8]) -> [u8; PROOF_BYTES] {
    let mut hasher = blake3::Hasher::new_keyed(&token.0);
    hasher.update(side.as_bytes()).update(hello).update(challenge);
    *hasher.finalize().as_bytes()
}

/// The session's side.
#[derive(Debug)]
pub(crate) struct SessionSide {
    token: Token,
    hello: [u8; HELLO_BYTES],
}

impl SessionSide {
    /// Begins. The nonce is random.
    pub(crate) fn new(token: Token, own: &Identity, nonce: Nonce, purpose: Purpose) -> Self {
        let mut hello = [0; HELLO_BYTES];
        hello[..8].copy_from_slice(&purpose.magic());
        hello[8..40].copy_from_slice(&nonce);
        hello[40..].copy_from_slice(&own.to_bytes());
        Self { token, hello }
    }

    /// The first message.
    pub(crate) fn hello(&self) -> &[u8; HELLO_BYTES] {
        &self.hello
    }

    /// Answers the challenge. Returns the answer, and which program the cluster runs.
    ///
    /// # Errors
    ///
    /// Says so if the other side does not know the token: it is not the cluster.
    pub(crate) fn answer(
        &self,
        challenge: &[u8; CHALLENGE_BYTES],
    ) -> Result<([u8; ANSWER_BYTES], Identity), String> {
        let (said, proven) = challenge.split_at(CHALLENGE_BYTES - PROOF_BYTES);
        let expected = proof(&self.token, "cluster", &self.hello, said);
        if !bool::from(expected.ct_eq(proven)) {
            return Err("whoever listens there does not know the token of the connection file".into());
        }
        let identity =
            Identity::from_bytes(&said[size_of::<Nonce>()..]).ok_or("the cluster has no version")?;
        Ok((proof(&self.token, "session", &self.hello, said), identity))
    }
}

/// The cluster's side, once it has been said hello.
#[derive(Debug)]
pub(crate) struct ClusterSide {
    expected: [u8; PROOF_BYTES],
    challenge: [u8; CHALLENGE_BYTES],
    is_same: bool,
    purpose: Purpose,
}

impl ClusterSide {
    /// Takes in the first message. The nonce is random. `None` if that is no session.
    pub(crate) fn new(
        token: &Token,
        own: &Identity,
        nonce: Nonce,
        hello: &[u8; HELLO_BYTES],
    ) -> Option<Self> {
        let purposes = [Purpose::Session, Purpose::Resume, Purpose::Control];
        let purpose = purposes.into_iter().find(|purpose| hello[..MAGIC_BYTES] == purpose.magic())?;
        let peer = Identity::from_bytes(&hello[40..])?;
        let mut challenge = [0; CHALLENGE_BYTES];
        let end = CHALLENGE_BYTES - PROOF_BYTES;
        challenge[..32].copy_from_slice(&nonce);
        challenge[32..end].copy_from_slice(&own.to_bytes());
        let proven = proof(token, "cluster", hello, &challenge[..end]);
        let expected = proof(token, "session", hello, &challenge[..end]);
        challenge[end..].copy_from_slice(&proven);
        let is_same = peer == *own;
        Some(Self { expected, challenge, is_same, purpose })
    }

    /// What the peer wants.
    pub(crate) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The second message.
    pub(crate) fn challenge(&self) -> &[u8; CHALLENGE_BYTES] {
        &self.challenge
    }

    /// Takes in the answer.
    pub(crate) fn verdict(&self, answer: &[u8; ANSWER_BYTES]) -> Verdict {
        match bool::from(self.expected.ct_eq(answer)) {
            false => Verdict::WrongToken,
            true if !self.is_same && self.purpose != Purpose::Control => Verdict::WrongBuild,
            true => Verdict::Welcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(build: u64) -> Identity {
        Identity { build, version: "0.1.0".into() }
    }

    fn meet(session: &SessionSide, cluster: &Token, build: u64) -> Result<Verdict, String> {
        let side = ClusterSide::new(cluster, &identity(build), [2; 32], session.hello()).expect("a hello");
        let (answer, peer) = session.answer(side.challenge())?;
        assert_eq!(peer, identity(build));
        Ok(side.verdict(&answer))
    }

    #[test]
    fn only_who_knows_the_token_and_is_the_same_build_is_welcome() {
        let control = SessionSide::new(Token([1; 32]), &identity(7), [9; 32], Purpose::Control);
        assert_eq!(meet(&control, &Token([1; 32]), 8), Ok(Verdict::Welcome), "any program of the user may");
        let session = SessionSide::new(Token([1; 32]), &identity(7), [9; 32], Purpose::Session);
        assert_eq!(meet(&session, &Token([1; 32]), 7), Ok(Verdict::Welcome));
        assert_eq!(meet(&session, &Token([1; 32]), 8), Ok(Verdict::WrongBuild));
        assert!(meet(&session, &Token([3; 32]), 7).is_err(), "the cluster proves itself first");
        let side = ClusterSide::new(&Token([1; 32]), &identity(7), [2; 32], session.hello()).unwrap();
        assert_eq!(side.verdict(&[0; 32]), Verdict::WrongToken);
        // What was said in another handshake proves nothing in this one.
        let (answer, _) = session.answer(side.challenge()).unwrap();
        let other = ClusterSide::new(&Token([1; 32]), &identity(7), [3; 32], session.hello()).unwrap();
        assert_eq!(other.verdict(&answer), Verdict::WrongToken);
        // Nor does the cluster's own proof, sent back.
        let own: [u8; 32] = side.challenge()[CHALLENGE_BYTES - 32..].try_into().unwrap();
        assert_eq!(side.verdict(&own), Verdict::WrongToken);
    }

    #[test]
    fn what_is_no_hello_is_refused() {
        let token = Token([1; 32]);
        assert!(ClusterSide::new(&token, &identity(7), [2; 32], &[0; HELLO_BYTES]).is_none());
        let mut hello = *SessionSide::new(token.clone(), &identity(7), [9; 32], Purpose::Session).hello();
        hello[48] = 0xff;
        assert!(ClusterSide::new(&token, &identity(7), [2; 32], &hello).is_none());
    }

    #[test]
    fn tokens_are_read_as_they_are_written_and_not_printed() {
        let token = Token([0xa7; 32]);
        assert_eq!(Token::from_hex(&token.to_hex()), Some(token.clone()));
        assert_eq!(Token::from_hex("a7"), None);
        assert_eq!(Token::from_hex(&"ä".repeat(32)), None);
        assert!(!format!("{token:?}").contains("a7"));
    }
}
