//! Settings whose value is one of a few words.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which sealed values a server opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ZoneMode {
    /// Those sealed to a client.
    #[default]
    Off,
    /// Those sealed to a zone.
    On,
    /// Both.
    Mixed,
}

/// What becomes of a sealed value that may not or cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnRefused {
    /// It stays as it is.
    #[default]
    Ciphertext,
    /// Its whole field becomes NULL.
    Null,
    /// The query fails.
    Error,
}

/// The least severe events that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing works as it should.
    Error,
    /// Something is wrong, and is gone around.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
}

/// A word that is none of those there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is none of {words}")]
pub struct NotAChoice {
    word: String,
    words: String,
}

/// Gives the words of a choice, and reads and writes it by them.
macro_rules! words {
    ($choice:ident: $($variant:ident $word:literal),*) => {
        impl $choice {
            /// Its name in configurations.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $choice {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $choice {
            type Err = NotAChoice;

            fn from_str(word: &str) -> Result<Self, NotAChoice> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(NotAChoice {
                        word: word.to_owned(),
                        words: [$($word),*].join(", "),
                    }),
                }
            }
        }
    };
}

words!(ZoneMode: Off "off", On "on", Mixed "mixed");
words!(OnRefused: Ciphertext "ciphertext", Null "null", Error "error");
words!(LogLevel: Error "error", Warn "warn", Info "info", Debug "debug");
