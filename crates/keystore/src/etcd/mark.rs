//! The mark of a store in etcd: the value of the prefix itself, which is no name.
//!
//! It says that a store is here and in which form, and every commit writes it anew: so that one read
//! tells whether anything has changed, its history tells what, and a commit whose answer was lost is
//! found again by its id.

use std::fmt;

use crate::Error;

/// What a mark begins with; a number follows, the version of the form of names and marks in etcd.
const MAGIC: &str = "pgseal-store ";
/// That version.
pub(super) const FORMAT: i64 = 1;

/// What a commit leaves at the prefix.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub commit: CommitId,
    /// The names that were written or removed.
    pub names: Vec<String>,
}

/// Tells commits apart; random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CommitId([u8; 16]);

/// Why a value is no mark of this form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoMark {
    /// Something else.
    Other,
    /// A mark of this version.
    Format(i64),
}

impl CommitId {
    pub fn draw() -> Result<Self, Error> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Error::NoRandom)?;
        Ok(Self(id))
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Mark {
    /// `pgseal-store 1 <32 hex>`, and each name on a line of its own.
    pub fn value(&self) -> String {
        let mut value = format!("{MAGIC}{FORMAT} {}", self.commit);
        for name in &self.names {
            value.push('\n');
            value.push_str(name);
        }
        value
    }

    pub fn parse(value: &[u8]) -> Result<Self, NoMark> {
        let text = std::str::from_utf8(value).map_err(|_| NoMark::Other)?;
        let mut lines = text.split('\n');
        let first = lines.next().and_then(|line| line.strip_prefix(MAGIC));
        let mut words = first.ok_or(NoMark::Other)?.split(' ');
        let format = words.next().and_then(|word| word.parse().ok());
        match format {
            Some(FORMAT) => {}
            Some(other) => return Err(NoMark::Format(other)),
            None => return Err(NoMark::Other),
        }
        let commit = words
            .next()
            .filter(|word| word.len() == 32)
            .and_then(|word| u128::from_str_radix(word, 16).ok())
            .ok_or(NoMark::Other)?;
        let mark = Self {
            commit: CommitId(commit.to_be_bytes()),
            names: lines.map(str::to_owned).collect(),
        };
        // Another spelling (a sign, an upper-case digit, a word more) is another's.
        match mark.value() == text {
            true => Ok(mark),
            false => Err(NoMark::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back() {
        for names in [vec![], vec!["header".into(), "client/app".into()]] {
            let mark = Mark {
                commit: CommitId::draw().unwrap(),
                names,
            };
            assert_eq!(Mark::parse(mark.value().as_bytes()), Ok(mark));
        }
    }

    #[test]
    fn other_values_are_no_mark_and_other_versions_are_named() {
        let id = "00112233445566778899aabbccddeeff";
        assert!(Mark::parse(format!("pgseal-store 1 {id}").as_bytes()).is_ok());
        for other in [
            "".to_owned(),
            "a leader".to_owned(),
            "pgseal-store ".to_owned(),
            format!("pgseal-store x {id}"),
            "pgseal-store 1".to_owned(),
            "pgseal-store 1 0011".to_owned(),
            format!("pgseal-store 1 {}", id.replace('0', "z")),
            format!("pgseal-store 1 {}", id.replacen('0', "+", 1)),
            format!("pgseal-store 1 {}", id.to_uppercase()),
            format!("pgseal-store +1 {id}"),
            format!("pgseal-store 1 {id} and more"),
        ] {
            assert_eq!(Mark::parse(other.as_bytes()), Err(NoMark::Other), "{other}");
        }
        assert_eq!(Mark::parse(&[0xff]), Err(NoMark::Other));
        let newer = format!("pgseal-store 2 {id} and more");
        assert_eq!(Mark::parse(newer.as_bytes()), Err(NoMark::Format(2)));
    }
}
