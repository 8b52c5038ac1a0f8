//! What holds for etcd's answers and the mark, whatever bytes they are.

use serde_json::Value;

use super::mark::Mark;
use super::messages::{
    Answer, AuthenticateResponse, ErrorResponse, HeaderResponse, KeyValue, MemberListResponse,
    RangeResponse, TxnResponse, WatchMessage,
};

/// The first byte says what the others are: an answer is what its JSON says, read as any other.
pub fn etcd(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    match kind {
        b'r' => both::<RangeResponse>(bytes, |read, json| {
            is_headed(read, json);
            are_pairs(&read.kvs, &json["kvs"]);
        }),
        b't' => both::<TxnResponse>(bytes, |read, json| {
            is_headed(read, json);
            assert_eq!(read.succeeded, json["succeeded"].as_bool().unwrap_or(false));
            let ranges = read.responses.iter().map(|it| it.response_range.as_ref());
            for (range, json) in ranges.zip(list(&json["responses"])) {
                match range {
                    None => assert!(json["response_range"].is_null()),
                    Some(range) => are_pairs(&range.kvs, &json["response_range"]["kvs"]),
                }
            }
        }),
        b'w' => both::<WatchMessage>(bytes, |read, json| {
            assert_eq!(read.result.is_none(), json["result"].is_null());
            let events = read.result.iter().flat_map(|result| &result.events);
            for (event, json) in events.zip(list(&json["result"]["events"])) {
                assert_eq!(event.kind.as_deref(), json["type"].as_str());
                is_pair(&event.kv, &json["kv"]);
            }
        }),
        b'a' => both::<AuthenticateResponse>(bytes, |read, json| {
            assert_eq!(Some(read.token.as_str()), json["token"].as_str());
        }),
        b'h' => both::<HeaderResponse>(bytes, |read, json| {
            assert_eq!(read.header().is_none(), json["header"].is_null());
        }),
        b'm' => both::<MemberListResponse>(bytes, |read, json| {
            is_headed(read, json);
            for (member, json) in read.members.iter().zip(list(&json["members"])) {
                assert_eq!(member.name, json["name"].as_str().unwrap_or_default());
                assert_eq!(Some(member.id), number(&json["ID"]));
            }
        }),
        b'e' => both::<ErrorResponse>(bytes, |read, json| {
            assert_eq!(read.error, json["error"].as_str().unwrap_or_default());
            assert_eq!(
                u64::from(read.code),
                json["code"].as_u64().unwrap_or_default()
            );
        }),
        _ => {
            if let Ok(mark) = Mark::parse(bytes) {
                assert_eq!(mark.value().as_bytes(), bytes);
            }
        }
    }
}

/// Reads the bytes twice. Arrays in the place of objects, and fields that are said twice, are the
/// reader's to take or to refuse.
fn both<T: for<'de> serde::Deserialize<'de>>(bytes: &[u8], same: impl FnOnce(&T, &Value)) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else {
        return;
    };
    // In a field that is passed over, a text need not be one.
    if let Ok(json) = serde_json::from_slice(bytes)
        && objects_only(&json)
    {
        same(&read, &json);
    }
}

fn objects_only(json: &Value) -> bool {
    match json {
        Value::Array(values) => values.iter().all(|it| it.is_object() && objects_only(it)),
        Value::Object(fields) => fields.iter().all(|(name, value)| {
            let is_list = ["kvs", "responses", "events", "members"].contains(&name.as_str());
            value.is_array() == is_list && objects_only(value)
        }),
        _ => true,
    }
}

fn is_headed(read: &impl Answer, json: &Value) {
    let header = read.header().unwrap_or_default();
    let json = &json["header"];
    assert_eq!(Some(header.cluster_id), number(&json["cluster_id"]));
    assert_eq!(Some(header.member_id), number(&json["member_id"]));
    assert_eq!(Some(header.revision), number(&json["revision"]));
}

fn are_pairs(read: &[KeyValue], json: &Value) {
    assert_eq!(read.len(), list(json).len());
    for (read, json) in read.iter().zip(list(json)) {
        is_pair(read, json);
    }
}

fn is_pair(read: &KeyValue, json: &Value) {
    for (bytes, json) in [(&read.key, &json["key"]), (&read.value, &json["value"])] {
        let written = serde_json::to_value(bytes).expect("bytes can be written");
        assert_eq!(written.as_str(), Some(json.as_str().unwrap_or_default()));
    }
    assert_eq!(Some(read.create_revision), number(&json["create_revision"]));
    assert_eq!(Some(read.mod_revision), number(&json["mod_revision"]));
}

fn list(json: &Value) -> &[Value] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A number as text, or 0 where it is left out.
fn number<N: std::str::FromStr + Default>(json: &Value) -> Option<N> {
    match json {
        Value::Null => Some(N::default()),
        text => text.as_str()?.parse().ok(),
    }
}
