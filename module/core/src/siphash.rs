// SPDX-License-Identifier: GPL-2.0-only

//! SipHash with one compression and three finalisation rounds, keyed by the hash seed of the cluster.
//!
//! A client must not be able to aim at one host, so the hash is a keyed one; SipHash-1-3 is the cheapest of
//! its family that still withstands chosen inputs when the output is used for a table (it is what the Rust
//! standard library uses for its maps). The messages of the packet path have fixed lengths, so each has a form
//! of its own without loops: 6 bytes for IPv4 (one word), 18 bytes for IPv6 (three words). The lengths differ,
//! so a key of one family can never equal a key of the other.

/// "somepseudorandomlygeneratedbytes", the initial state of SipHash (Aumasson and Bernstein 2012, section 2.1).
const INITIAL: [u64; 4] = [
    0x736f_6d65_7073_6575,
    0x646f_7261_6e64_6f6d,
    0x6c79_6765_6e65_7261,
    0x7465_6462_7974_6573,
];

/// Bytes of the IPv4 message: client address (4) and client port (2).
const V4_LEN: u64 = 6;

/// Bytes of the IPv6 message: client address (16) and client port (2).
const V6_LEN: u64 = 18;

/// A key, expanded to the state that hashing starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipKey {
    state: State,
    /// What the first half of the first round makes of `v0` and `v1`: the message has no part in it.
    half: [u64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    /// One SipRound (section 2.2 of the paper).
    #[inline(always)]
    fn round(&mut self) {
        self.half_v0_v1();
        self.rest_of_round();
    }

    /// The first half of a round on `v0` and `v1`.
    #[inline(always)]
    const fn half_v0_v1(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
    }

    /// All of a round but [`State::half_v0_v1`].
    #[inline(always)]
    fn rest_of_round(&mut self) {
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.rotate_left(32);
    }

    #[inline(always)]
    fn compress<const ROUNDS: usize>(&mut self, word: u64) {
        self.v3 ^= word;
        for _ in 0..ROUNDS {
            self.round();
        }
        self.v0 ^= word;
    }

    #[inline(always)]
    fn finish<const ROUNDS: usize>(mut self) -> u64 {
        self.v2 ^= 0xff;
        for _ in 0..ROUNDS {
            self.round();
        }
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }
}

impl SipKey {
    /// Expands 16 key bytes.
    #[must_use]
    pub const fn new(key: &[u8; 16]) -> SipKey {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *key;
        let k0 = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let k1 = u64::from_le_bytes([i, j, k, l, m, n, o, p]);
        let [i0, i1, i2, i3] = INITIAL;
        let state = State {
            v0: k0 ^ i0,
            v1: k1 ^ i1,
            v2: k0 ^ i2,
            v3: k1 ^ i3,
        };
        let mut first = state;
        first.half_v0_v1();
        SipKey {
            state,
            half: [first.v0, first.v1],
        }
    }

    /// The state after the first word of a message.
    #[inline(always)]
    fn begin(&self, word: u64) -> State {
        let [v0, v1] = self.half;
        let mut state = State {
            v0,
            v1,
            v2: self.state.v2,
            v3: self.state.v3 ^ word,
        };
        state.rest_of_round();
        state.v0 ^= word;
        state
    }

    /// Hash of six bytes, a client's address (4) and port (2), read little-endian; the upper bits of `client` are zero.
    #[inline(always)]
    #[must_use]
    pub fn hash_v4(&self, client: u64) -> u64 {
        self.begin(client | (V4_LEN << 56)).finish::<3>()
    }

    /// Hash of the eighteen bytes `client` (16, as two words) and `port` (2), each given as its bytes read
    /// little-endian.
    #[inline(always)]
    #[must_use]
    pub fn hash_v6(&self, client: [u64; 2], port: u16) -> u64 {
        let [first, second] = client;
        let mut state = self.begin(first);
        state.compress::<1>(second);
        state.compress::<1>(u64::from(port) | (V6_LEN << 56));
        state.finish::<3>()
    }

    /// Hash of any bytes: for digests of the configuration, not for the packet path.
    #[must_use]
    pub fn hash(&self, message: &[u8]) -> u64 {
        hash_rounds::<1, 3>(self.state, message)
    }
}

/// SipHash with any numbers of rounds.
fn hash_rounds<const C: usize, const D: usize>(mut state: State, message: &[u8]) -> u64 {
    let (words, rest) = words(message);
    for word in words {
        state.compress::<C>(word);
    }
    let mut last = (message.len() as u64 & 0xff) << 56;
    for (shift, &byte) in (0..56u32).step_by(8).zip(rest) {
        last |= (byte as u64) << shift;
    }
    state.compress::<C>(last);
    state.finish::<D>()
}

/// Splits bytes into words read little-endian and the bytes that are left.
fn words(message: &[u8]) -> (impl Iterator<Item = u64> + '_, &[u8]) {
    let chunks = message.chunks_exact(8);
    let rest = chunks.remainder();
    let words =
        chunks.filter_map(|chunk| chunk.first_chunk().map(|word| u64::from_le_bytes(*word)));
    (words, rest)
}

/// Hashes a message that comes in parts, without a buffer for the whole: a word at a time.
#[derive(Clone, Copy, Debug)]
pub struct Digest {
    state: State,
    words: u64,
}

impl Digest {
    /// Starts a digest under a key.
    #[must_use]
    pub const fn new(key: &SipKey) -> Digest {
        Digest {
            state: key.state,
            words: 0,
        }
    }

    /// Adds one word.
    pub fn word(&mut self, word: u64) {
        self.state.compress::<1>(word);
        self.words = self.words.wrapping_add(1);
    }

    /// Adds bytes, each as a word of its own, preceded by their number.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for &byte in bytes {
            self.word(u64::from(byte));
        }
    }

    /// The digest of all words so far.
    #[must_use]
    pub fn finish(mut self) -> u64 {
        let length = (self.words.wrapping_mul(8) & 0xff) << 56;
        self.state.compress::<1>(length);
        self.state.finish::<3>()
    }
}
