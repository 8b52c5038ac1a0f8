//! What holds for etcd's answers and the mark, whatever bytes they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use super::mark::{CommitId, FORMAT, Mark, NoMark};
use super::messages::{
    Answer, AuthenticateRequest, AuthenticateResponse, Base64, CompactionRequest, Compare, Empty,
    ErrorResponse, HeaderResponse, KeyValue, MemberListResponse, Operation, RangeRequest,
    RangeResponse, TxnRequest, TxnResponse, WatchCreateRequest, WatchMessage, WatchRequest,
};

/// The first byte says what the others are: an answer is what its JSON says, read as any other; a
/// question is the JSON that etcd's documentation has for it.
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
            assert!(read.header().is_none());
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
        b'q' => {
            if let Ok(text) = str::from_utf8(bytes) {
                questions(text);
            }
        }
        _ => mark(bytes),
    }
}

/// A mark is written as it is read; of one that is none it is said whether it is another form's.
fn mark(bytes: &[u8]) {
    match Mark::parse(bytes) {
        Ok(mark) => assert_eq!(mark.value().as_bytes(), bytes),
        Err(NoMark::Format(other)) => {
            assert_ne!(other, FORMAT);
            assert!(bytes.starts_with(b"pgseal-store "));
        }
        Err(NoMark::Other) => {
            let Ok(text) = str::from_utf8(bytes) else {
                return;
            };
            // As names of a commit it can be written and read.
            let mark = Mark {
                commit: CommitId::draw().expect("there is randomness"),
                names: text.split('\n').map(str::to_owned).collect(),
            };
            assert_eq!(Mark::parse(mark.value().as_bytes()), Ok(mark));
        }
    }
}

/// Lines: a key, the end of its range, a revision, and any text.
fn questions(text: &str) {
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (key, end, revision, text) = (line(), line(), line(), line());
    let revision: i64 = revision.parse().unwrap_or_default();
    let base64 = |text: &str| STANDARD.encode(text);
    let range_end = (!end.is_empty()).then_some(end);
    let range = RangeRequest {
        key: key.into(),
        range_end: range_end.map(Base64::from),
        limit: text.len(),
        revision,
        keys_only: end.is_empty(),
    };
    let mut ranged = json!({
        "key": base64(key), "limit": text.len(), "revision": revision, "keys_only": end.is_empty(),
    });
    let mut made = json!({
        "key": base64(key), "result": "EQUAL", "target": "CREATE", "create_revision": revision,
    });
    if let Some(end) = range_end {
        ranged["range_end"] = base64(end).into();
        made["range_end"] = base64(end).into();
    }
    is(&range, &ranged);
    let transaction = TxnRequest {
        compare: vec![
            Compare::changed_at(key.to_owned(), revision),
            Compare::made_at(key, range_end, revision),
        ],
        success: vec![
            Operation::Put {
                key: key.into(),
                value: text.into(),
            },
            Operation::Delete { key: end.into() },
        ],
        failure: vec![Operation::Range(range)],
    };
    let changed = json!({
        "key": base64(key), "result": "EQUAL", "target": "MOD", "mod_revision": revision,
    });
    is(
        &transaction,
        &json!({
            "compare": [changed, made],
            "success": [
                { "request_put": { "key": base64(key), "value": base64(text) } },
                { "request_delete_range": { "key": base64(end) } },
            ],
            "failure": [{ "request_range": ranged }],
        }),
    );
    let watch = WatchRequest {
        create_request: WatchCreateRequest {
            key: key.into(),
            start_revision: revision,
        },
    };
    let watched = json!({ "key": base64(key), "start_revision": revision });
    is(&watch, &json!({ "create_request": watched }));
    let login = AuthenticateRequest {
        name: key,
        password: text,
    };
    is(&login, &json!({ "name": key, "password": text }));
    let compaction = CompactionRequest {
        revision,
        physical: end.is_empty(),
    };
    is(
        &compaction,
        &json!({ "revision": revision, "physical": end.is_empty() }),
    );
    is(&Empty {}, &json!({}));
}

fn is(question: &impl Serialize, json: &Value) {
    let written = serde_json::to_value(question).expect("a question can be written");
    assert_eq!(written, *json);
}

/// Reads the bytes twice. Arrays in the place of objects, and fields that are said twice, are the
/// reader's to take or to refuse.
fn both<T: for<'de> serde::Deserialize<'de>>(bytes: &[u8], same: impl FnOnce(&T, &Value)) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else {
        return;
    };
    // In a field that is passed over, a text need not be one.
    if let Ok(json) = serde_json::from_slice::<Value>(bytes)
        && json.is_object()
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
