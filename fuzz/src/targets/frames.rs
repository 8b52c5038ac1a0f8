//! Where messages end: [`Header::parse`], [`run_of`], and [`Boundaries`] however the stream is cut.

use wire::frame::{Boundaries, MAX_LENGTH, run_of};
use wire::{FrameError, Header};

use crate::input::{Input, pieces};

/// The first bytes say how the others, a stream, are cut.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let seed: [u8; 8] = input.any();
    let stream = input.rest();
    let ends = Input::new(&seed).cuts(stream.len());
    let walked = Walked::through(stream);

    let tag = stream.first().copied().unwrap_or_default();
    let of_first = walked.whole.iter().take_while(|(it, _)| *it == tag);
    assert_eq!(
        run_of(tag, stream),
        of_first.last().map_or(0, |(_, end)| *end)
    );

    let mut boundaries = Boundaries::default();
    for (piece, end) in pieces(stream, &ends).zip(&ends) {
        let passed = boundaries.pass(piece);
        if let Err(error) = passed {
            assert_eq!(walked.broken.map(|(_, error)| error), Some(error));
            return;
        }
        let between = *end == 0 || walked.whole.iter().any(|(_, it)| it == end);
        assert_eq!(boundaries.between_messages(), between);
        let begun = walked.begun.iter().rev().find(|(_, known)| known <= end);
        assert_eq!(boundaries.last_tag(), begun.map(|(tag, _)| *tag));
    }
    assert_eq!(walked.broken, None);
}

/// What a reader of the whole stream sees.
struct Walked {
    /// Types of whole messages, and where each ends.
    whole: Vec<(u8, usize)>,
    /// Types of messages whose header is there, and where that ends.
    begun: Vec<(u8, usize)>,
    /// A header that cannot be, and where it ends.
    broken: Option<(usize, FrameError)>,
}

impl Walked {
    fn through(stream: &[u8]) -> Self {
        let mut walked = Self {
            whole: Vec::new(),
            begun: Vec::new(),
            broken: None,
        };
        let mut at = 0;
        while let Some(&[tag, ref length @ ..]) = stream.get(at..at + 5) {
            let length =
                u32::from_be_bytes(length.try_into().expect("four bytes are left of five"));
            let header = Header::parse(&stream[at..]);
            if !(4..=MAX_LENGTH).contains(&length) {
                let error = FrameError { tag, length };
                assert_eq!(header, Err(error));
                walked.broken = Some((at + 5, error));
                return walked;
            }
            let header = header.ok().flatten().expect("its length can be");
            assert_eq!(header.total(), length as usize + 1);
            walked.begun.push((tag, at + 5));
            at += header.total();
            if at <= stream.len() {
                walked.whole.push((tag, at));
            }
        }
        let rest = stream.get(at..).unwrap_or_default();
        assert!(rest.len() >= 5 || Header::parse(rest) == Ok(None));
        walked
    }
}
