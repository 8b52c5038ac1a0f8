//! The comparison of what comes through a link with what PostgreSQL says itself, and what is told of
//! it.

use harness::raw::Message;

/// Differences that are told of at most, and how much of each.
const TOLD: usize = 12;
const CONTEXT: usize = 120;

/// What has been compared.
#[derive(Default)]
pub struct Compared {
    answers: usize,
    messages: usize,
    bytes: usize,
    different: Vec<String>,
}

impl Compared {
    /// Compares one answer, message for message, with what it is to be; `columns` are those of its
    /// rows, for the eyes of whoever reads of a difference. False where they differ.
    pub fn answer(
        &mut self,
        case: &str,
        columns: &[&str],
        answer: &[Message],
        expected: &[Message],
    ) -> bool {
        self.answers += 1;
        self.messages += expected.len();
        self.bytes += expected
            .iter()
            .map(|message| message.body.len())
            .sum::<usize>();
        if answer == expected {
            return true;
        }
        let mut pairs = answer.iter().zip(expected).enumerate();
        let first = pairs.find(|(_, (got, wanted))| got != wanted);
        self.different.push(match first {
            None => format!("{case}: {} messages, not {}", answer.len(), expected.len()),
            Some((at, (got, wanted))) => {
                format!("{case}: message {at}: {}", difference(columns, got, wanted))
            }
        });
        false
    }

    /// How much it was.
    pub fn report(&self) -> String {
        let Self {
            answers,
            messages,
            bytes,
            ..
        } = self;
        format!(
            "{answers} answers of {messages} messages, {bytes} bytes, as if nothing were sealed\n"
        )
    }

    /// Nothing has been different.
    #[track_caller]
    pub fn are_same(&self) {
        let told = self
            .different
            .iter()
            .take(TOLD)
            .cloned()
            .collect::<Vec<_>>();
        let count = self.different.len();
        assert!(
            count == 0,
            "{count} of {} answers differ:\n{}",
            self.answers,
            told.join("\n")
        );
    }
}

fn difference(columns: &[&str], got: &Message, wanted: &Message) -> String {
    if [got.tag, wanted.tag] != [b'D'; 2] {
        return bytes(&got.bytes(), &wanted.bytes());
    }
    let (got, wanted) = (got.row(), wanted.row());
    let differs = |index: &usize| got.get(*index) != wanted.get(*index);
    let index = (0..got.len().max(wanted.len())).find(differs).unwrap_or(0);
    let field = |row: &[Option<Vec<u8>>]| match row.get(index) {
        Some(Some(value)) => value.clone(),
        Some(None) => b"NULL".to_vec(),
        None => b"no field".to_vec(),
    };
    let column = columns.get(index).unwrap_or(&"?");
    format!("{column}: {}", bytes(&field(&got), &field(&wanted)))
}

/// Both, from a little before they differ.
fn bytes(got: &[u8], wanted: &[u8]) -> String {
    let same = got
        .iter()
        .zip(wanted)
        .take_while(|(got, wanted)| got == wanted)
        .count();
    let part = |bytes: &[u8]| {
        let from = same.saturating_sub(CONTEXT / 4).min(bytes.len());
        let to = (same + CONTEXT).min(bytes.len());
        bytes[from..to].escape_ascii().to_string()
    };
    format!(
        "at byte {same}\n    came   …{}\n    is     …{}",
        part(got),
        part(wanted)
    )
}
