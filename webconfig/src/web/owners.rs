//! What the pages of zones and of clients have in common.

use axum::extract::Path;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use control::{KeyView, OwnerKey};
use serde::Deserialize;

use super::guard::SignedIn;
use super::{Refusal, refusal};
use crate::asking::NotDone;

/// The longest id, in bytes.
const MAX_ID: usize = 128;

/// What is looked for in a list.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Looked {
    pub q: String,
    pub after: Option<String>,
}

/// What is looked for, without the spaces around it.
pub fn looked(
    query: Result<axum::extract::Query<Looked>, QueryRejection>,
) -> Result<Looked, Refusal> {
    let bad = Refusal(
        StatusCode::BAD_REQUEST,
        "This list is asked for in another way.",
    );
    let axum::extract::Query(Looked { q, after }) = query.map_err(|_| bad)?;
    let q = q.trim().to_owned();
    Ok(Looked { q, after })
}

/// The id in a path, if it is of the characters that ids have: whether there is one, the servers say.
pub fn named(path: Result<Path<String>, PathRejection>) -> Result<String, Refusal> {
    let unknown = Refusal(StatusCode::NOT_FOUND, "There is nothing of this name.");
    let Ok(Path(id)) = path else {
        return Err(unknown);
    };
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:@-".contains(&byte);
    match (1..=MAX_ID).contains(&id.len()) && id.bytes().all(is_fine) {
        true => Ok(id),
        false => Err(unknown),
    }
}

/// Why there is no page of an owner.
pub fn no_page(error: &NotDone) -> Response {
    let why = error.to_string();
    match error {
        NotDone::Refused { status: 404, .. } => refusal(StatusCode::NOT_FOUND, &why),
        _ => refusal(StatusCode::BAD_GATEWAY, &why),
    }
}

/// Why something was not done, for the next page.
pub fn not_done(error: &NotDone) -> String {
    match error {
        NotDone::Unknown(_) | NotDone::Interrupted => {
            format!("It is not known what became of it: {error}")
        }
        _ => format!("Nothing was changed: {error}"),
    }
}

/// Goes on to a page that tells what became of it.
pub fn told(by: &SignedIn, notice: String, page: &str) -> Response {
    by.session.notify(notice);
    Redirect::to(page).into_response()
}

/// An owner's active public key as a file, as writers take it: one line, that of `pgseal-keymaker key
/// export-public`.
pub fn key_file(kind: &str, id: &str, keys: Vec<KeyView>) -> Response {
    let Some(key) = keys.into_iter().find(|key| key.state == "active") else {
        return refusal(StatusCode::NOT_FOUND, "It has no active key.");
    };
    let key = OwnerKey {
        kind: kind.into(),
        id: id.into(),
        public_key: key.public_key,
        key_id: key.key_id,
        version: key.version,
    };
    let text = serde_json::to_string(&key).expect("a key is made of text and a number");
    let name = format!("attachment; filename=\"{kind}-{id}.json\"");
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, text + "\n").into_response()
}
