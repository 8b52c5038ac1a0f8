//! etcd's messages as its JSON gateway spells them: bytes in base64, 64-bit numbers as text, and
//! whatever is zero, false or empty left out (protocol buffers' JSON mapping).
//!
//! Only the fields that the store needs are here; etcd's `rpc.proto` and `kv.proto` have them all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        STANDARD
            .decode(text.as_bytes())
            .map(Base64)
            .map_err(|_| D::Error::custom("not base64"))
    }
}

impl From<&str> for Base64 {
    fn from(text: &str) -> Self {
        Base64(text.as_bytes().to_vec())
    }
}

/// A number written as text.
fn number<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: std::str::FromStr,
{
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("not a number"))
}

/// What an answer of etcd is headed by.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    #[serde(deserialize_with = "number")]
    pub cluster_id: u64,
    #[serde(deserialize_with = "number")]
    pub member_id: u64,
    #[serde(deserialize_with = "number")]
    pub revision: i64,
}

/// An answer of etcd.
pub(super) trait Answer: for<'de> Deserialize<'de> {
    /// What it is headed by, where it is.
    fn header(&self) -> Option<Header>;
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct RangeRequest {
    pub key: Base64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_end: Option<Base64>,
    pub limit: usize,
    /// 0: as it is now.
    pub revision: i64,
    pub keys_only: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RangeResponse {
    pub header: Header,
    pub kvs: Vec<KeyValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct KeyValue {
    pub key: Base64,
    pub value: Base64,
    #[serde(deserialize_with = "number")]
    pub create_revision: i64,
    #[serde(deserialize_with = "number")]
    pub mod_revision: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct TxnRequest {
    pub compare: Vec<Compare>,
    pub success: Vec<Operation>,
    pub failure: Vec<Operation>,
}

/// That a key's revision of some kind is this one.
#[derive(Debug, Serialize)]
pub(super) struct Compare {
    pub key: Base64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_end: Option<Base64>,
    pub result: &'static str,
    pub target: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_revision: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mod_revision: Option<i64>,
}

impl Compare {
    /// That the key was last changed at this revision; 0 that it is not there.
    pub fn changed_at(key: String, revision: i64) -> Self {
        Self {
            key: Base64(key.into()),
            range_end: None,
            result: "EQUAL",
            target: "MOD",
            create_revision: None,
            mod_revision: Some(revision),
        }
    }

    /// That the key, or every key up to `range_end`, was made at this revision; 0 that there is none.
    pub fn made_at(key: &str, range_end: Option<&str>, revision: i64) -> Self {
        Self {
            key: key.into(),
            range_end: range_end.map(Base64::from),
            result: "EQUAL",
            target: "CREATE",
            create_revision: Some(revision),
            mod_revision: None,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) enum Operation {
    #[serde(rename = "request_put")]
    Put { key: Base64, value: Base64 },
    #[serde(rename = "request_delete_range")]
    Delete { key: Base64 },
    #[serde(rename = "request_range")]
    Range(RangeRequest),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TxnResponse {
    pub header: Header,
    pub succeeded: bool,
    pub responses: Vec<OperationResponse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OperationResponse {
    pub response_range: Option<RangeResponse>,
}

#[derive(Debug, Serialize)]
pub(super) struct WatchRequest {
    pub create_request: WatchCreateRequest,
}

#[derive(Debug, Serialize)]
pub(super) struct WatchCreateRequest {
    pub key: Base64,
    pub start_revision: i64,
}

/// One message of a watch's stream.
#[derive(Debug, Deserialize)]
pub(super) struct WatchMessage {
    pub result: Option<WatchResponse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WatchResponse {
    /// Set when the watch is over, as it is when the revisions it asks for are compacted.
    pub canceled: bool,
    pub events: Vec<Event>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    /// `DELETE`, or left out where a value was written.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub kv: KeyValue,
}

#[derive(Serialize)]
pub(super) struct AuthenticateRequest<'a> {
    pub name: &'a str,
    pub password: &'a str,
}

#[derive(Deserialize)]
pub(super) struct AuthenticateResponse {
    pub token: String,
}

#[derive(Debug, Serialize)]
pub(super) struct CompactionRequest {
    pub revision: i64,
    /// Answer when the member asked has removed what is compacted.
    pub physical: bool,
}

/// A request without fields.
#[derive(Debug, Serialize)]
pub(super) struct Empty {}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HeaderResponse {
    pub header: Option<Header>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MemberListResponse {
    pub header: Header,
    pub members: Vec<Member>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Member {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub id: u64,
    pub name: String,
}

/// What etcd says instead of an answer: gRPC's status.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorResponse {
    pub error: String,
    pub code: u32,
}

macro_rules! headed {
    ($($answer:ty),*) => {$(
        impl Answer for $answer {
            fn header(&self) -> Option<Header> {
                Some(self.header)
            }
        }
    )*};
}

headed!(RangeResponse, TxnResponse, MemberListResponse);

impl Answer for HeaderResponse {
    fn header(&self) -> Option<Header> {
        self.header
    }
}

impl Answer for AuthenticateResponse {
    fn header(&self) -> Option<Header> {
        None
    }
}
