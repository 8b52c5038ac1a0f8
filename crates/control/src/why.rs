//! `POST /v1/why`: why a server opens a value for somebody, or does not; and what a session has had
//! opened. Never what is in a value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{OnRefused, SessionAccess, ZoneMode};

/// The longest value that is asked about, in bytes: as hex it fits into a request.
pub const MAX_WHY: usize = 30_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Why {
    /// Why a value opens or not.
    Value(WhyValue),
    /// What a session has had opened and refused, by its number in the [`Status`](crate::Status).
    Session(u64),
}

/// A value, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhyValue {
    /// What stands in the database: an envelope, or a whole field that holds some. Hex, with `\x` before
    /// it or without, where white space does not count; or text in which `pgs1.` stands.
    pub hex: String,
    /// The client that reads it. Without one, a client's value is asked about as its own client's, and of
    /// a zone's only what does not depend on the client.
    #[serde(default)]
    pub client: Option<String>,
    /// The zone's id that stands in an earlier field of its row.
    #[serde(default)]
    pub zone: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhyAnswer {
    /// Of a value.
    Value(ValueAnswer),
    /// Of a session.
    Session(SessionAccess),
}

/// What a server makes of a value, under the settings of the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValueAnswer {
    /// The server's id.
    pub server: String,
    /// Which values it opens.
    pub zone_mode: ZoneMode,
    /// What becomes of the others.
    pub on_refused: OnRefused,
    /// The envelopes in the value, in their order.
    pub envelopes: Vec<EnvelopeAnswer>,
    /// How many more there are, of which nothing is told.
    pub untold: u64,
    /// Why no envelope was found in it, in one line.
    pub problem: Option<String>,
}

/// What becomes of one envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvelopeAnswer {
    /// Where in the value it begins, in bytes from 0.
    pub at: u64,
    /// Its bytes.
    pub length: u64,
    /// The key that it says it was sealed to.
    pub key_id: String,
    /// Whose key that is: `client/<id>` or `zone/<id>`; `null` if the store does not have it.
    pub owner: Option<String>,
    /// The key's version.
    pub version: Option<u32>,
    /// `active`, `open-only`, `retired` or `destroyed`.
    pub state: Option<String>,
    /// Whether it opens; `null` where that depends on a client that was not named.
    pub opens: Option<bool>,
    /// Why it does not, as the metrics name it.
    pub reason: Option<String>,
    /// The steps, in the order in which they are taken.
    pub steps: Vec<StepAnswer>,
}

/// One of the steps by which a value opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepAnswer {
    /// Which.
    pub step: Step,
    /// Whether it holds; `null` if it was not looked at.
    pub holds: Option<bool>,
    /// What was found, in one line.
    pub says: String,
}

/// The steps by which a value opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It is sealed to a key of the store.
    Key,
    /// Zone mode opens this kind of owner.
    ZoneMode,
    /// The client may open for the owner.
    Permission,
    /// The zone's tag stands before it.
    Tag,
    /// The key is there to be used.
    Usable,
    /// It is authentic.
    Authentic,
}

impl Step {
    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::ZoneMode => "zone mode",
            Self::Permission => "permission",
            Self::Tag => "tag",
            Self::Usable => "key's use",
            Self::Authentic => "authentic",
        }
    }
}
