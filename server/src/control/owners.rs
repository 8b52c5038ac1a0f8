//! `/v1/owners/…`: clients and zones, searched, looked at and changed by admins.
//!
//! What is particular to the one or the other is in `owners/clients` and `owners/zones`. No private key
//! is read here, and none destroyed: a zone's are once its grace has ended, by the server's own chore.

mod clients;
mod zones;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use control::openapi::Operation;
use control::{
    ClientChange, ClientCreation, ClientDetail, ClientsPage, KeyView, MAX_OWNERS, OwnersQuery,
    ZoneChange, ZoneCreation, ZoneDetail, ZonesPage, path,
};
use envelope::Owner;
use keystore::{Error, Store};
use tunnel::Role::Admin;

use super::Problem;
use super::api::Api;
use crate::keys::KeysError;

/// The longest text that ids are compared with, in bytes: no id is longer.
const MAX_ID: usize = 128;

/// Versions of a key that are told, the newest.
const KEYS: u32 = 100;

/// The paths of both, in the table of the API's.
pub fn with_paths(api: Api) -> Api {
    let one = |path: &str| format!("{path}/{{id}}");
    api.with(
        Operation::get(
            path::OWNERS_CLIENTS,
            "Clients, by the beginning of their ids.",
        )
        .only(&[Admin])
        .asks::<OwnersQuery>()
        .answers::<ClientsPage>(200)
        .refuses(&[400, 403, 422, 503]),
        clients::list,
    )
    .with(
        Operation::post(path::OWNERS_CLIENTS, "Adds a client with its first key.")
            .only(&[Admin])
            .takes::<ClientCreation>()
            .answers::<ClientDetail>(201)
            .refuses(&[400, 403, 409, 413, 422, 503]),
        clients::add,
    )
    .with(
        Operation::get(one(path::OWNERS_CLIENTS), "A client and its keys.")
            .only(&[Admin])
            .answers::<ClientDetail>(200)
            .refuses(&[400, 403, 404, 503]),
        clients::show,
    )
    .with(
        Operation::post(one(path::OWNERS_CLIENTS), "Changes a client.")
            .only(&[Admin])
            .takes::<ClientChange>()
            .answers::<ClientDetail>(200)
            .refuses(&[400, 403, 404, 409, 413, 422, 503]),
        clients::change,
    )
    .with(
        Operation::get(path::OWNERS_ZONES, "Zones, by the beginning of their ids.")
            .only(&[Admin])
            .asks::<OwnersQuery>()
            .answers::<ZonesPage>(200)
            .refuses(&[400, 403, 422, 503]),
        zones::list,
    )
    .with(
        Operation::post(path::OWNERS_ZONES, "Adds a zone with its first key.")
            .only(&[Admin])
            .takes::<ZoneCreation>()
            .answers::<ZoneDetail>(201)
            .refuses(&[400, 403, 409, 410, 413, 422, 503]),
        zones::add,
    )
    .with(
        Operation::get(one(path::OWNERS_ZONES), "A zone and its keys.")
            .only(&[Admin])
            .answers::<ZoneDetail>(200)
            .refuses(&[400, 403, 404, 503]),
        zones::show,
    )
    .with(
        Operation::post(one(path::OWNERS_ZONES), "Changes a zone.")
            .only(&[Admin])
            .takes::<ZoneChange>()
            .answers::<ZoneDetail>(200)
            .refuses(&[400, 403, 404, 409, 410, 413, 422, 503]),
        zones::change,
    )
}

/// What is looked for, within its limits.
fn searched(query: Result<Query<OwnersQuery>, QueryRejection>) -> Result<OwnersQuery, Problem> {
    let Query(query) = query.map_err(|error| {
        let why = format!("the query: {}", error.body_text());
        Problem(StatusCode::BAD_REQUEST, why)
    })?;
    if query.prefix.len() > MAX_ID {
        return Err(wrong(format!(
            "prefix: longer than {MAX_ID} bytes, as no id is"
        )));
    }
    if !(1..=MAX_OWNERS).contains(&query.limit) {
        return Err(wrong(format!("limit: 1 to {MAX_OWNERS}")));
    }
    Ok(query)
}

/// As many as asked for, and whether there are more. `read` gives a page of so many after one, which is
/// empty at the end alone, and may be shorter before.
fn page<T>(
    limit: usize,
    mut read: impl FnMut(Option<&T>, usize) -> Result<Vec<T>, Error>,
) -> Result<(Vec<T>, bool), Error> {
    let mut found: Vec<T> = Vec::new();
    while found.len() <= limit {
        let more = read(found.last(), limit + 1 - found.len())?;
        if more.is_empty() {
            return Ok((found, false));
        }
        found.extend(more);
    }
    found.truncate(limit);
    Ok((found, true))
}

/// An owner's keys, the newest first.
fn keys(store: &Store, owner: &Owner, active: u32) -> Result<Vec<KeyView>, Error> {
    let before = match active.saturating_sub(KEYS) {
        0 => None,
        before => Some(store.find_key(owner, before)?),
    };
    let keys = store.keys(Some(owner), before.as_ref(), keystore::MAX_PAGE)?;
    let view = |key: keystore::KeyRecord| {
        Ok(KeyView {
            last_used: store.last_use(owner, key.version)?.map(|at| at.to_string()),
            version: key.version,
            key_id: key.key_id.to_string(),
            public_key: STANDARD.encode(key.public_key.as_bytes()),
            state: key.state.to_string(),
            created: key.created.to_string(),
        })
    };
    keys.into_iter().rev().map(view).collect()
}

fn wrong(why: String) -> Problem {
    Problem(StatusCode::UNPROCESSABLE_ENTITY, why)
}

/// Admins are told what is wrong with the store: they are those who can do something about it.
fn problem(error: KeysError) -> Problem {
    let KeysError::Store(cause) = &error else {
        return error.into();
    };
    let status = match cause {
        Error::UnknownKey { .. } => StatusCode::NOT_FOUND,
        Error::RotatedMeanwhile { .. } | Error::GrantedToAll(_) | Error::ZoneKept(_) => {
            StatusCode::CONFLICT
        }
        Error::TooLarge { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Altered { .. }
        | Error::RecordMissing { .. }
        | Error::UnknownForm { .. }
        | Error::Contended { .. }
        | Error::DiskFull { .. }
        | Error::ReadOnly { .. }
        | Error::Moved { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => return error.into(),
    };
    Problem(status, error.to_string())
}
