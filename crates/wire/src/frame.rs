//! Where one message ends and the next begins, in either direction, after start-up.

/// PostgreSQL builds a message in one allocation of at most `MaxAllocSize` (2^30 - 1) bytes; the
/// length word counts itself too.
pub const MAX_LENGTH: u32 = 0x3fff_ffff + 4;

/// What PostgreSQL accepts from a client for messages that carry no data of any size
/// (`PQ_SMALL_MESSAGE_LIMIT`).
pub const MAX_SMALL_LENGTH: u32 = 10_000;

/// The bytes before a message's body: its type and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The message's type byte.
    pub tag: u8,
    /// Length of the body in bytes, without type byte and length word.
    pub body: usize,
}

/// A length no PostgreSQL would send or accept; the connection cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of type {tag:#04x} announces an impossible length of {length} bytes")]
pub struct FrameError {
    /// The message's type byte.
    pub tag: u8,
    /// The length as announced.
    pub length: u32,
}

impl Header {
    /// Bytes of a header on the wire.
    pub const LEN: usize = 5;

    /// Reads the header at the front of `bytes`; `None` when it has not all arrived.
    ///
    /// # Errors
    /// The length is under 4 or over [`MAX_LENGTH`].
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let Some(&[tag, a, b, c, d]) = bytes.first_chunk::<{ Self::LEN }>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]);
        match length.checked_sub(4) {
            Some(body) if length <= MAX_LENGTH => Ok(Some(Self {
                tag,
                body: body as usize,
            })),
            _ => Err(FrameError { tag, length }),
        }
    }

    /// Length of the whole message, header included.
    #[must_use]
    pub fn total(&self) -> usize {
        Self::LEN + self.body
    }
}

/// Bytes of the messages of this type at the front of `bytes` that are there whole, one after
/// another. What follows is for [`Header::parse`] to judge.
#[must_use]
pub fn run_of(tag: u8, bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Ok(Some(header)) = Header::parse(rest)
        && header.tag == tag
        && let Some(behind) = rest.get(header.total()..)
    {
        rest = behind;
    }
    bytes.len() - rest.len()
}

/// Follows a stream of messages without keeping any: knows whether it stands between two, and
/// what the last one was.
///
/// A proxy that must put in a message of its own, or end the conversation, may do so only at a
/// boundary.
#[derive(Debug, Default)]
pub struct Boundaries {
    /// Bytes of the current message that have not passed yet.
    left: usize,
    /// A header that arrived in pieces.
    partial: [u8; Header::LEN],
    partial_len: usize,
    last_tag: Option<u8>,
}

impl Boundaries {
    /// Takes note of `bytes` that pass.
    ///
    /// # Errors
    /// A length that cannot be, as [`Header::parse`] says.
    pub fn pass(&mut self, mut bytes: &[u8]) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            // Most messages are there whole.
            while self.partial_len == 0
                && let Some(header) = Header::parse(bytes)?
            {
                self.last_tag = Some(header.tag);
                let Some(behind) = bytes.get(header.total()..) else {
                    self.left = header.total() - bytes.len();
                    return Ok(());
                };
                bytes = behind;
            }
            // A header in pieces.
            let wanted = (Header::LEN - self.partial_len).min(bytes.len());
            let (piece, rest) = bytes.split_at(wanted);
            if let Some(room) = self
                .partial
                .get_mut(self.partial_len..self.partial_len + wanted)
            {
                room.copy_from_slice(piece);
            }
            self.partial_len += wanted;
            bytes = rest;
            let known = self.partial.get(..self.partial_len).unwrap_or_default();
            if let Some(header) = Header::parse(known)? {
                self.partial_len = 0;
                self.left = header.body;
                self.last_tag = Some(header.tag);
            }
        }
        Ok(())
    }

    /// True when the last byte that passed ended a message (or none passed).
    #[must_use]
    pub fn between_messages(&self) -> bool {
        self.left == 0 && self.partial_len == 0
    }

    /// Type byte of the last message whose header passed.
    #[must_use]
    pub fn last_tag(&self) -> Option<u8> {
        self.last_tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_header_in_pieces_needs_more() {
        for len in 0..Header::LEN {
            assert_eq!(Header::parse(&message(b'Z', b"I")[..len]), Ok(None));
        }
    }

    #[test]
    fn impossible_lengths_are_errors() {
        for length in [0, 3, MAX_LENGTH + 1, 0x7fff_ffff, u32::MAX] {
            let mut bytes = vec![b'D'];
            bytes.extend(length.to_be_bytes());
            assert_eq!(Header::parse(&bytes), Err(FrameError { tag: b'D', length }));
        }
    }

    #[test]
    fn the_largest_length_is_accepted() {
        // 1 GiB less a byte, and the length word itself.
        assert_eq!(MAX_LENGTH, (1 << 30) - 1 + 4);
        let mut bytes = vec![b'D'];
        bytes.extend(MAX_LENGTH.to_be_bytes());
        assert_eq!(
            Header::parse(&bytes),
            Ok(Some(Header {
                tag: b'D',
                body: MAX_LENGTH as usize - 4
            }))
        );
    }

    #[test]
    fn boundaries_are_found_wherever_the_stream_is_cut_in_two_and_in_single_bytes() {
        let messages = [
            message(b'Z', b"I"),
            message(b'D', &[7; 40]),
            message(b'1', b""),
        ];
        let ends = [0, 6, 51, 56];
        let stream = messages.concat();
        for at in 0..=stream.len() {
            let mut boundaries = Boundaries::default();
            for (piece, end) in [(&stream[..at], at), (&stream[at..], stream.len())] {
                boundaries.pass(piece).unwrap();
                assert_eq!(boundaries.between_messages(), ends.contains(&end), "{at}");
            }
            assert_eq!(boundaries.last_tag(), Some(b'1'));
        }
        let mut boundaries = Boundaries::default();
        for (at, byte) in stream.iter().enumerate() {
            boundaries.pass(&[*byte]).unwrap();
            assert_eq!(
                boundaries.between_messages(),
                ends.contains(&(at + 1)),
                "{at}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_run_ends_with_the_last_whole_message_of_its_type(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..6),
            behind in prop::collection::vec(any::<u8>(), 0..12),
        ) {
            let run: Vec<u8> = bodies.iter().flat_map(|body| message(b'D', body)).collect();
            for cut in 0..=run.len() {
                let whole = bodies.iter().scan(0, |at, body| {
                    *at += Header::LEN + body.len();
                    Some(*at)
                });
                let expected = whole.filter(|end| *end <= cut).last().unwrap_or(0);
                prop_assert_eq!(run_of(b'D', &run[..cut]), expected);
                prop_assert_eq!(run_of(b'T', &run[..cut]), 0);
            }
            let other = [run.clone(), vec![b'C'], behind].concat();
            prop_assert_eq!(run_of(b'D', &other), run.len());
        }

        #[test]
        fn boundaries_are_found_however_the_stream_is_cut(
            messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..20)), 1..10),
            cuts in prop::collection::vec(0usize..300, 0..8),
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|(tag, body)| message(*tag, body)).collect();
            let mut ends = Vec::new();
            let mut at = 0;
            for (_, body) in &messages {
                at += Header::LEN + body.len();
                ends.push(at);
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c % (stream.len() + 1)).collect();
            cuts.push(stream.len());
            cuts.sort_unstable();
            let mut boundaries = Boundaries::default();
            let mut from = 0;
            for cut in cuts {
                boundaries.pass(&stream[from..cut]).unwrap();
                prop_assert_eq!(boundaries.between_messages(), cut == 0 || ends.contains(&cut));
                from = cut;
            }
            prop_assert_eq!(boundaries.last_tag(), messages.last().map(|(tag, _)| *tag));
        }
    }
}
