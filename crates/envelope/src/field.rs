//! A field in, a field out: every envelope in it is shown to a judge, and replaced by what it opens
//! to. Who may open, and what becomes of a field with a refused one, is the server's business.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::envelope::Envelope;
use crate::owner::ZoneId;
use crate::plaintext::Plaintext;
use crate::{armor, find};

/// How envelopes stand in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are, in `bytea`. A value opens to any bytes.
    Bytes,
    /// In text armor, in text. A value must open to text: the judge sees to that, who knows in which
    /// encoding the field is.
    Text,
}

/// An envelope in its field, up for judgement.
pub struct Candidate<'a> {
    /// The envelope.
    pub envelope: Envelope<'a>,
    /// The field's bytes before it, back to the end of the envelope before it: nothing is looked
    /// for inside one.
    pub before: &'a [u8],
    /// Where it stands in the field.
    pub place: Range<usize>,
    /// How it stands there, and so what it may open to.
    pub form: Form,
}

impl Candidate<'_> {
    /// Whether the zone's id stands in square brackets directly before the envelope.
    pub fn tagged_in_field(&self, zone: &ZoneId) -> bool {
        tagged(self.before, zone)
    }
}

/// What the judge found.
pub enum Verdict {
    /// It opened.
    Opened {
        /// What takes the envelope's place.
        plaintext: Plaintext,
        /// The zone it was sealed to, whose tag goes with the envelope; none for a client.
        tag: Option<ZoneId>,
    },
    /// It may not or cannot be opened, and stays, with its tag.
    Refused,
}

/// What became of a field.
#[derive(Default)]
pub struct FieldEdit {
    /// Envelopes opened.
    pub opened: usize,
    /// Envelopes refused.
    pub refused: usize,
    /// The new field; `None` when nothing in it changed. Wiped when dropped.
    pub bytes: Option<Zeroizing<Vec<u8>>>,
}

/// Opens what the judge lets open in `field`, in one pass over it.
///
/// Nothing is looked for inside an envelope, opened or refused, or in an opened value.
pub fn open_field(
    field: &[u8],
    form: Form,
    mut judge: impl FnMut(Candidate<'_>) -> Verdict,
) -> FieldEdit {
    let mut edit = FieldEdit::default();
    let mut rewrite = Rewrite {
        field,
        done: 0,
        bytes: None,
    };
    let mut armored = Vec::new();
    let mut searched = 0;
    while let Some((place, envelope)) = form.find_from(field, searched, &mut armored) {
        let before = &field[searched..place.start];
        searched = place.end;
        match judge(Candidate {
            envelope,
            before,
            place: place.clone(),
            form,
        }) {
            Verdict::Refused => edit.refused += 1,
            Verdict::Opened { plaintext, tag } => {
                edit.opened += 1;
                let tag = tag
                    .filter(|zone| tagged(before, zone))
                    .map_or(0, |zone| tag_length(&zone));
                rewrite.replace(place.start - tag..place.end, plaintext);
            }
        }
    }
    edit.bytes = rewrite.finish();
    edit
}

impl Form {
    /// The next envelope at `from` or later, and its place. Armor is decoded into `armored`.
    fn find_from<'a>(
        self,
        field: &'a [u8],
        from: usize,
        armored: &'a mut Vec<u8>,
    ) -> Option<(Range<usize>, Envelope<'a>)> {
        match self {
            Form::Bytes => {
                let (start, envelope) = find::find_from(field, from)?;
                Some((start..start + envelope.as_bytes().len(), envelope))
            }
            Form::Text => armor::find_from(field, from, armored),
        }
    }
}

/// A field with some of its parts replaced, from left to right.
struct Rewrite<'a> {
    field: &'a [u8],
    /// How far into the field `bytes` has come.
    done: usize,
    bytes: Option<Zeroizing<Vec<u8>>>,
}

impl Rewrite<'_> {
    fn replace(&mut self, place: Range<usize>, plaintext: Plaintext) {
        if place == (0..self.field.len()) {
            // The common case: the field is one envelope. Its plaintext is the field, not copied.
            self.bytes = Some(plaintext.into_bytes());
        } else {
            self.copy_to(place.start);
            self.bytes().extend_from_slice(plaintext.expose_secret());
        }
        self.done = place.end;
    }

    fn copy_to(&mut self, end: usize) {
        let kept = &self.field[self.done..end];
        self.bytes().extend_from_slice(kept);
        self.done = end;
    }

    /// The new bytes, with room for all: a value is shorter than its envelope, so they never move
    /// and leave no unwiped copy.
    fn bytes(&mut self) -> &mut Vec<u8> {
        let room = self.field.len();
        self.bytes
            .get_or_insert_with(|| Zeroizing::new(Vec::with_capacity(room)))
    }

    fn finish(mut self) -> Option<Zeroizing<Vec<u8>>> {
        if self.bytes.is_some() {
            self.copy_to(self.field.len());
        }
        self.bytes
    }
}

fn tagged(before: &[u8], zone: &ZoneId) -> bool {
    before
        .strip_suffix(b"]")
        .and_then(|before| before.strip_suffix(zone.as_str().as_bytes()))
        .is_some_and(|before| before.ends_with(b"["))
}

/// Bytes of a zone's tag: its id and two brackets.
fn tag_length(zone: &ZoneId) -> usize {
    zone.as_str().len() + 2
}
