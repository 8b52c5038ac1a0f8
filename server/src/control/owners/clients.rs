//! Clients.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use bytes::Bytes;
use control::{ClientChange, ClientCreation, ClientDetail, ClientView, ClientsPage, OwnersQuery};
use envelope::{ClientId, Owner};
use keystore::{Client, Error, Store};

use super::{Problem, keys, page, problem, searched, wrong};
use crate::control::admin::Admin;
use crate::control::parse;
use crate::shared::Shared;

pub async fn list(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    query: Result<Query<OwnersQuery>, QueryRejection>,
) -> Result<Json<ClientsPage>, Problem> {
    let OwnersQuery {
        prefix,
        after,
        limit,
    } = searched(query)?;
    let after = after.map(|id| id.parse::<ClientId>()).transpose();
    let after = after.map_err(|error| wrong(format!("after: {error}")))?;
    let read = move |store: &Store| {
        page(limit, |last: Option<&Client>, count| {
            let last = last.map(|client| &client.id);
            store.find_clients(&prefix, last.or(after.as_ref()), count)
        })
    };
    let (clients, more) = shared.keys.ask_promptly(read).await.map_err(problem)?;
    let last = clients.last().map(|client| client.id.to_string());
    Ok(Json(ClientsPage {
        next: last.filter(|_| more),
        clients: clients.iter().map(view).collect(),
    }))
}

pub async fn show(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<ClientDetail>, Problem> {
    detail(&shared, named(id)?).await
}

pub async fn add(
    State(shared): State<Arc<Shared>>,
    Admin { by }: Admin,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<ClientDetail>), Problem> {
    let new: ClientCreation = parse(body)?;
    let id = new.id.parse::<ClientId>();
    let id = id.map_err(|error| wrong(format!("id: {error}")))?;
    let added = id.clone();
    let add = move |store: &Store| {
        store
            .by(by)
            .add_client(&added, new.create_zones, new.zones_per_day)
    };
    shared.keys.ask_promptly(add).await.map_err(problem)?;
    Ok((StatusCode::CREATED, detail(&shared, id).await?))
}

pub async fn change(
    State(shared): State<Arc<Shared>>,
    Admin { by }: Admin,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ClientDetail>, Problem> {
    let id = named(id)?;
    let (change, changed): (ClientChange, _) = (parse(body)?, id.clone());
    let make = move |store: &Store| {
        let author = store.by(by);
        match change {
            ClientChange::Allow {
                create_zones,
                zones_per_day,
            } => author
                .change_client(&changed, Some(create_zones), Some(zones_per_day))
                .map(drop),
            ClientChange::Rotate { version } => author
                .rotate_key_from(&Owner::Client(changed), version)
                .map(drop),
        }
    };
    shared.keys.ask_promptly(make).await.map_err(problem)?;
    detail(&shared, id).await
}

/// What cannot be an id is as unknown as what is none.
fn named(id: Result<Path<String>, PathRejection>) -> Result<ClientId, Problem> {
    let unknown = || Problem(StatusCode::NOT_FOUND, "there is no such client".into());
    let Path(id) = id.map_err(|_| unknown())?;
    id.parse().map_err(|_| unknown())
}

async fn detail(shared: &Shared, id: ClientId) -> Result<Json<ClientDetail>, Problem> {
    let read = move |store: &Store| {
        let Some(client) = store.client(&id)? else {
            return Err(Error::UnknownClient(id));
        };
        Ok(ClientDetail {
            keys: keys(store, &Owner::Client(id), client.active)?,
            client: view(&client),
        })
    };
    Ok(Json(shared.keys.ask_promptly(read).await.map_err(problem)?))
}

fn view(client: &Client) -> ClientView {
    ClientView {
        id: client.id.to_string(),
        create_zones: client.create_zones,
        zones_per_day: client.zones_per_day,
        active_version: client.active,
        created: client.created.to_string(),
    }
}
