//! In whose name an admin's program asks: servers know its certificate, and not who uses it.

use std::fmt;
use std::str::FromStr;

/// The header of a request that names the user it is made for. From admins alone.
pub const USER_HEADER: &str = "pgseal-user";

/// The longest name, in characters.
const MAX_NAME: usize = 64;

/// A user's name: letters, digits, and `.`, `_`, `-`, `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

/// A name that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to {MAX_NAME} letters, digits, `.`, `_`, `-` and `@`")]
pub struct NoName;

impl UserName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
        match (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_fine) {
            true => Ok(Self(text.to_owned())),
            false => Err(NoName),
        }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_words() {
        for (name, fine) in [
            ("alice", true),
            ("a.b_c-d@e.example", true),
            ("", false),
            ("a:b", false),
            ("<b>", false),
            ("a\nb", false),
        ] {
            assert_eq!(name.parse::<UserName>().is_ok(), fine, "{name}");
        }
        assert!("x".repeat(MAX_NAME + 1).parse::<UserName>().is_err());
    }
}
