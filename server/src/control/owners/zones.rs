//! Zones.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use bytes::Bytes;
use control::{
    EVERY_CLIENT, MAX_GRACE_SECONDS, MIN_GRACE_SECONDS, OpenedBy, OwnersQuery, ZoneChange,
    ZoneCreation, ZoneDetail, ZoneFate, ZoneView, ZonesPage,
};
use envelope::{ClientId, Owner, ZoneId};
use keystore::{Error, Fate, NewZone, Permitted, Store, Zone};

use super::{Problem, keys, page, problem, searched, wrong};
use crate::control::admin::Admin;
use crate::control::parse;
use crate::keys::KeysError;
use crate::shared::Shared;

/// Clients that are told of each zone in a list,
const FEW: usize = 3;
/// and of a single one.
const MANY: usize = 1000;

pub async fn list(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    query: Result<Query<OwnersQuery>, QueryRejection>,
) -> Result<Json<ZonesPage>, Problem> {
    let OwnersQuery {
        prefix,
        after,
        limit,
    } = searched(query)?;
    let after = after.map(|id| id.parse::<ZoneId>()).transpose();
    let after = after.map_err(|error| wrong(format!("after: {error}")))?;
    let read = move |store: &Store| {
        let (zones, more) = page(limit, |last: Option<&Zone>, count| {
            let last = last.map(|zone| &zone.id);
            store.find_zones(&prefix, last.or(after.as_ref()), count)
        })?;
        let last = zones.last().map(|zone| zone.id.to_string());
        let views = zones.into_iter().map(|zone| view(store, &zone, FEW));
        Ok(ZonesPage {
            zones: views.collect::<Result<_, _>>()?,
            next: last.filter(|_| more),
        })
    };
    Ok(Json(shared.keys.ask_promptly(read).await.map_err(problem)?))
}

pub async fn show(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<ZoneDetail>, Problem> {
    detail(&shared, named(id)?).await
}

pub async fn add(
    State(shared): State<Arc<Shared>>,
    Admin { by }: Admin,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<ZoneDetail>), Problem> {
    let new: ZoneCreation = parse(body)?;
    let id = new.id.map(|id| id.parse::<ZoneId>()).transpose();
    let zone = NewZone {
        id: id.map_err(|error| wrong(format!("id: {error}")))?,
        clients: permitted(&new.clients)?,
        creator: None,
    };
    let add = move |store: &Store| store.by(by).add_zone(&zone);
    let key = shared.keys.ask_promptly(add).await.map_err(of_a_client)?;
    let Owner::Zone(id) = key.owner else {
        return Err(wrong("the store made no zone".into()));
    };
    Ok((StatusCode::CREATED, detail(&shared, id).await?))
}

pub async fn change(
    State(shared): State<Arc<Shared>>,
    Admin { by }: Admin,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ZoneDetail>, Problem> {
    let id = named(id)?;
    let change: ZoneChange = parse(body)?;
    match &change {
        ZoneChange::Grant { client } | ZoneChange::Revoke { client } => {
            let client = one(client)?;
            let (zone, adds) = (id.clone(), matches!(change, ZoneChange::Grant { .. }));
            let make = move |store: &Store| match adds {
                true => store.by(by).add_grant(&zone, client.as_ref()),
                false => store.by(by).remove_grant(&zone, client.as_ref()),
            };
            shared.keys.ask_promptly(make).await.map_err(of_a_client)?;
        }
        ZoneChange::Rotate { version } => {
            let (owner, version) = (Owner::Zone(id.clone()), *version);
            let make = move |store: &Store| store.by(by).rotate_key_from(&owner, version);
            shared.keys.ask_promptly(make).await.map_err(problem)?;
        }
        ZoneChange::Destroy {
            grace_seconds,
            confirm,
        } => destroy(&shared, by, &id, *grace_seconds, confirm).await?,
        ZoneChange::Keep => {
            let zone = id.clone();
            let make = move |store: &Store| store.by(by).cancel_destruction(&zone);
            shared.keys.ask_promptly(make).await.map_err(problem)?;
        }
    }
    detail(&shared, id).await
}

/// Orders the destruction of a zone that is kept, with a grace in which it can be kept after all.
async fn destroy(
    shared: &Shared,
    by: String,
    id: &ZoneId,
    grace_seconds: u64,
    confirm: &str,
) -> Result<(), Problem> {
    if confirm != id.as_str() {
        return Err(wrong(format!("confirm: not the zone's id, {id}")));
    }
    if !(MIN_GRACE_SECONDS..=MAX_GRACE_SECONDS).contains(&grace_seconds) {
        return Err(wrong(format!(
            "grace_seconds: {MIN_GRACE_SECONDS} (a day) to {MAX_GRACE_SECONDS} (ten years); sooner \
             than that a zone is destroyed by `pgseal-keymaker zone destroy --now` alone"
        )));
    }
    let (zone, grace) = (id.clone(), Duration::from_secs(grace_seconds));
    let order = move |store: &Store| {
        let fate = store.zone(&zone)?.map(|zone| zone.fate);
        // Ordered again, the grace would begin anew, or be another one.
        if let Some(Fate::Destroying { .. }) = fate {
            return Ok(false);
        }
        store.by(by).order_destruction(&zone, grace)?;
        Ok(true)
    };
    match shared.keys.ask_promptly(order).await.map_err(problem)? {
        true => Ok(()),
        false => Err(Problem(
            StatusCode::CONFLICT,
            format!("zone {id} is to be destroyed already; for another grace keep it first"),
        )),
    }
}

/// What cannot be an id is as unknown as what is none.
fn named(id: Result<Path<String>, PathRejection>) -> Result<ZoneId, Problem> {
    let unknown = || Problem(StatusCode::NOT_FOUND, "there is no such zone".into());
    let Path(id) = id.map_err(|_| unknown())?;
    id.parse().map_err(|_| unknown())
}

/// A client by its id; `None` for every one.
fn one(client: &str) -> Result<Option<ClientId>, Problem> {
    match client {
        EVERY_CLIENT => Ok(None),
        id => {
            let id = id.parse().map(Some);
            id.map_err(|error| wrong(format!("client: {error}")))
        }
    }
}

fn permitted(clients: &[String]) -> Result<Permitted, Problem> {
    if matches!(clients, [all] if all == EVERY_CLIENT) {
        return Ok(Permitted::All);
    }
    if clients.len() > MANY {
        return Err(wrong(format!(
            "clients: more than {MANY}; add the others later"
        )));
    }
    let id = |client: &String| {
        let id = client.parse::<ClientId>();
        id.map_err(|error| wrong(format!("clients: {error}")))
    };
    Ok(Permitted::Only(
        clients.iter().map(id).collect::<Result<_, _>>()?,
    ))
}

/// The path is of a zone, so a client that is not there is what is wrong with the request.
fn of_a_client(error: KeysError) -> Problem {
    match &error {
        KeysError::Store(Error::UnknownClient(_)) => wrong(error.to_string()),
        _ => problem(error),
    }
}

async fn detail(shared: &Shared, id: ZoneId) -> Result<Json<ZoneDetail>, Problem> {
    let read = move |store: &Store| {
        let Some(zone) = store.zone(&id)? else {
            return Err(Error::UnknownZone(id));
        };
        Ok(ZoneDetail {
            keys: keys(store, &Owner::Zone(id), zone.active)?,
            zone: view(store, &zone, MANY)?,
        })
    };
    Ok(Json(shared.keys.ask_promptly(read).await.map_err(problem)?))
}

fn view(store: &Store, zone: &Zone, listed: usize) -> Result<ZoneView, Error> {
    let fate = match zone.fate {
        Fate::Kept => ZoneFate::Kept,
        Fate::Destroying { ordered, due } => ZoneFate::Destroying {
            ordered: ordered.to_string(),
            earliest_end: store.earliest_end(due)?.to_string(),
        },
        Fate::Destroyed { at } => ZoneFate::Destroyed { at: at.to_string() },
    };
    let opened_by = match &zone.clients {
        Permitted::All => OpenedBy {
            all: true,
            count: 0,
            clients: Vec::new(),
        },
        Permitted::Only(clients) => OpenedBy {
            all: false,
            count: clients.len(),
            clients: clients
                .iter()
                .take(listed)
                .map(ClientId::to_string)
                .collect(),
        },
    };
    Ok(ZoneView {
        id: zone.id.to_string(),
        opened_by,
        creator: zone.creator.as_ref().map(ClientId::to_string),
        active_version: zone.active,
        created: zone.created.to_string(),
        fate,
    })
}
