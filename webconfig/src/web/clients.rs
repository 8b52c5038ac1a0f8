//! Clients: looked for, looked at, and changed.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use control::{ClientChange, ClientCreation, ClientDetail, OwnersQuery};
use serde::Deserialize;

use super::guard::{Asked, SignedIn, Tokened};
use super::owners::{Looked, key_file, looked, named, no_page, not_done, told};
use super::pages::frame;
use super::{page, refusal};
use crate::app::App;
use crate::asking::{self, NotDone};
use crate::view::{ClientPage, ClientsPage, Search};

pub async fn list(
    State(app): State<Arc<App>>,
    by: SignedIn,
    query: Result<Query<Looked>, QueryRejection>,
) -> Response {
    let Looked { q, after } = match looked(query) {
        Ok(looked) => looked,
        Err(refused) => return refused.into_response(),
    };
    let query = OwnersQuery {
        prefix: q.clone(),
        after: after.clone(),
        ..OwnersQuery::default()
    };
    let ask = |client: control::Client| {
        let query = query.clone();
        async move { client.clients(&query).await }
    };
    let (clients, next, problem) = match asking::look(&app.fleet, ask).await {
        Ok(found) => (found.clients, found.next, None),
        Err(error) => (Vec::new(), None, Some(error.to_string())),
    };
    let search = Search::new("/clients", q, after.as_deref(), next.as_deref());
    let search = Search { problem, ..search };
    let frame = frame(&by.session, "clients");
    page(StatusCode::OK, &ClientsPage::new(frame, search, clients))
}

pub async fn show(
    State(app): State<Arc<App>>,
    by: SignedIn,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let found = match named(id) {
        Ok(id) => find(&app, &id).await,
        Err(refused) => return refused.into_response(),
    };
    match found {
        Ok(found) => page(
            StatusCode::OK,
            &ClientPage::new(frame(&by.session, "clients"), found),
        ),
        Err(error) => no_page(&error),
    }
}

/// Its active public key, for writers.
pub async fn key(
    State(app): State<Arc<App>>,
    _: SignedIn,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let id = match named(id) {
        Ok(id) => id,
        Err(refused) => return refused.into_response(),
    };
    match find(&app, &id).await {
        Ok(found) => key_file("client", &id, found.keys),
        Err(error) => no_page(&error),
    }
}

#[derive(Deserialize)]
pub struct NewForm {
    token: String,
    id: String,
    #[serde(default)]
    create_zones: bool,
    zones_per_day: String,
}

#[derive(Deserialize)]
pub struct ChangeForm {
    token: String,
    what: What,
    #[serde(default)]
    create_zones: bool,
    #[serde(default)]
    zones_per_day: String,
    version: Option<u32>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum What {
    Allow,
    Rotate,
}

impl Tokened for NewForm {
    fn token(&self) -> &str {
        &self.token
    }
}

impl Tokened for ChangeForm {
    fn token(&self) -> &str {
        &self.token
    }
}

pub async fn add(State(app): State<Arc<App>>, asked: Asked<NewForm>) -> Response {
    let Asked { by, form } = asked;
    if let Err(refused) = by.operates() {
        return refused.into_response();
    }
    let Some(zones_per_day) = most(&form.zones_per_day) else {
        return told(&by, NO_NUMBER.into(), "/clients");
    };
    let new = ClientCreation {
        id: form.id.trim().to_owned(),
        create_zones: form.create_zones,
        zones_per_day,
    };
    let ask = move |client: control::Client| {
        let new = new.clone();
        async move { client.add_client(&new).await }
    };
    match app.owner_change(by.session.name.clone(), ask).await {
        Ok(made) => {
            let id = made.client.id;
            told(
                &by,
                format!("Client {id} is there."),
                &format!("/clients/{id}"),
            )
        }
        Err(error) => told(&by, not_done(&error), "/clients"),
    }
}

pub async fn change(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    asked: Asked<ChangeForm>,
) -> Response {
    let Asked { by, form } = asked;
    if let Err(refused) = by.operates() {
        return refused.into_response();
    }
    let id = match named(id) {
        Ok(id) => id,
        Err(refused) => return refused.into_response(),
    };
    let back = format!("/clients/{id}");
    let change = match (form.what, most(&form.zones_per_day), form.version) {
        (What::Allow, Some(zones_per_day), _) => ClientChange::Allow {
            create_zones: form.create_zones,
            zones_per_day,
        },
        (What::Allow, None, _) => return told(&by, NO_NUMBER.into(), &back),
        (What::Rotate, _, Some(version)) => ClientChange::Rotate { version },
        (What::Rotate, _, None) => {
            return refusal(
                StatusCode::UNPROCESSABLE_ENTITY,
                "The form is not complete.",
            );
        }
    };
    let ask = move |client: control::Client| {
        let (id, change) = (id.clone(), change.clone());
        async move { client.change_client(&id, &change).await }
    };
    let notice = match app.owner_change(by.session.name.clone(), ask).await {
        Ok(found) => match form.what {
            What::Allow => "What it may do is changed.".into(),
            What::Rotate => format!("Key version {} is active.", found.client.active_version),
        },
        Err(error) => not_done(&error),
    };
    told(&by, notice, &back)
}

const NO_NUMBER: &str = "Nothing was changed: how many zones a day is a number, or empty for any.";

/// How many zones a day: any number where nothing is written. `None` for what is no number.
fn most(written: &str) -> Option<Option<u32>> {
    match written.trim() {
        "" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

async fn find(app: &App, id: &str) -> Result<ClientDetail, NotDone> {
    let ask = |client: control::Client| {
        let id = id.to_owned();
        async move { client.client(&id).await }
    };
    asking::look(&app.fleet, ask).await
}
