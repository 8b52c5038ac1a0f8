//! Randomness: the operating system's generator and nothing else, asked anew for every value.

use crate::error::RandomFailed;

/// Fills `bytes`.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), RandomFailed> {
    getrandom::fill(bytes).map_err(RandomFailed)
}

/// One of the 52 ASCII letters, each as likely as the other.
pub(crate) fn letter() -> Result<char, RandomFailed> {
    loop {
        let mut byte = [0];
        fill(&mut byte)?;
        if let Some(letter) = letter_of(byte) {
            return Ok(letter);
        }
    }
}

/// The letter that the low six bits name, or none: then they are drawn again.
fn letter_of([byte]: [u8; 1]) -> Option<char> {
    match byte & 0x3f {
        upper @ 0..26 => Some(char::from(b'A' + upper)),
        lower @ 26..52 => Some(char::from(b'a' + lower - 26)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_letter_is_named_by_as_many_bytes_as_every_other() {
        let mut counts = BTreeMap::new();
        for letter in (0..=255).filter_map(|byte| letter_of([byte])) {
            *counts.entry(letter).or_insert(0) += 1;
        }
        let letters: String = counts.keys().collect();
        assert_eq!(
            letters,
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        );
        assert!(counts.values().all(|&count| count == 4));
    }
}
