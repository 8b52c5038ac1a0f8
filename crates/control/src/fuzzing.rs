//! What holds for what a server tells those who listen, whatever it is: for the workspace's fuzz targets
//! (`fuzz/`), and no part of the crate's interface. It panics where it does not hold.

use crate::News;
use crate::watch::{Lines, TooLong};

/// The first two bytes say how long a line may be and how long the pieces are that the others come in:
/// the same lines come of any pieces, and each that is news is written and read again as the same.
pub fn watch(bytes: &[u8]) {
    let Some(([longest, piece], told)) = bytes.split_first_chunk::<2>().map(|(a, b)| (*a, b))
    else {
        return;
    };
    let longest = 16 * usize::from(longest);
    let expected = by_hand(told, longest);
    for piece in [told.len().max(1), usize::from(piece).max(1)] {
        assert_eq!(in_pieces(told, piece, longest), expected);
    }
    let (lines, _) = expected;
    lines.iter().for_each(|line| news(line));
}

/// The lines up to the first that is too long, and whether there is one.
type Told = (Vec<Vec<u8>>, Result<(), TooLong>);

fn in_pieces(told: &[u8], piece: usize, longest: usize) -> Told {
    let (mut lines, mut read) = (Lines::new(longest), Vec::new());
    for piece in told.chunks(piece) {
        lines.push(piece);
        loop {
            match lines.next() {
                Ok(Some(line)) => read.push(line.to_vec()),
                Ok(None) => break,
                Err(too_long) => return (read, Err(too_long)),
            }
        }
    }
    (read, Ok(()))
}

fn by_hand(told: &[u8], longest: usize) -> Told {
    let mut lines: Vec<_> = told
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    if let Some(at) = lines.iter().position(|line| line.len() > longest) {
        lines.truncate(at);
        return (lines, Err(TooLong));
    }
    // What is behind the last line's end is none yet.
    lines.pop();
    (lines, Ok(()))
}

fn news(line: &[u8]) {
    let Ok(news) = serde_json::from_slice::<News>(line) else {
        return;
    };
    let mut again = serde_json::to_vec(&news).expect("news can be written");
    again.push(b'\n');
    let mut lines = Lines::new(again.len());
    lines.push(&again);
    let read = lines.next().ok().flatten().expect("it is one line");
    assert_eq!(
        serde_json::from_slice::<News>(&read).ok().as_ref(),
        Some(&news)
    );
    assert_eq!(lines.next(), Ok(None));
    if let Some(database) = news.standing.and_then(|standing| standing.database) {
        let role = serde_json::to_value(database.role).expect("a role can be written");
        assert_eq!(role, database.role.to_string());
    }
}
