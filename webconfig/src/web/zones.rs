//! Zones: looked for, looked at, and changed.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use control::{OwnersQuery, ZoneChange, ZoneCreation, ZoneDetail, ZoneFate};
use serde::Deserialize;

use super::guard::{Asked, SignedIn, Tokened};
use super::owners::{Looked, key_file, looked, named, no_page, not_done, told};
use super::pages::frame;
use super::{Refusal, page, refusal};
use crate::app::App;
use crate::asking::{self, NotDone};
use crate::destructions::takes_two;
use crate::users::{UserName, Users};
use crate::view::{Search, ZonePage, ZonesPage};

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

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
        async move { client.zones(&query).await }
    };
    let (zones, next, problem) = match asking::look(&app.fleet, ask).await {
        Ok(found) => (found.zones, found.next, None),
        Err(error) => (Vec::new(), None, Some(error.to_string())),
    };
    let search = Search::new("/zones", q, after.as_deref(), next.as_deref());
    let search = Search { problem, ..search };
    let frame = frame(&by.session, "zones");
    page(
        StatusCode::OK,
        &ZonesPage::new(frame, search, zones, &app.destructions),
    )
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
    let users = match users(&app) {
        Ok(users) => users,
        Err(refused) => return refused.into_response(),
    };
    match found {
        Ok(found) => {
            let frame = frame(&by.session, "zones");
            let shown = ZonePage::new(frame, found, &app.destructions, takes_two(&users));
            page(StatusCode::OK, &shown)
        }
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
        Ok(found) if found.zone.fate != ZoneFate::Kept => refusal(
            StatusCode::GONE,
            "Nobody seals to a zone that is destroyed, or to be.",
        ),
        Ok(found) => key_file("zone", &id, found.keys),
        Err(error) => no_page(&error),
    }
}

#[derive(Deserialize)]
pub struct NewForm {
    token: String,
    id: String,
    clients: String,
}

#[derive(Deserialize)]
pub struct ChangeForm {
    token: String,
    what: What,
    client: Option<String>,
    version: Option<u32>,
    /// The zone's id, typed.
    confirm: Option<String>,
    /// In days.
    grace: Option<u64>,
    /// Which destruction is meant that was asked for.
    request: Option<u64>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum What {
    Grant,
    Revoke,
    Rotate,
    Destroy,
    Confirm,
    Withdraw,
    Keep,
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
    let id = Some(form.id.trim().to_owned()).filter(|id| !id.is_empty());
    let clients = form.clients.split([' ', ',']).map(str::to_owned);
    let new = ZoneCreation {
        id,
        clients: clients.filter(|it| !it.is_empty()).collect(),
    };
    let user = by.session.name.clone();
    let ask = move |client: control::Client| {
        let new = new.clone();
        async move { client.add_zone(&new).await }
    };
    match app.owner_change(user, ask).await {
        Ok(made) => {
            let id = made.zone.id;
            told(&by, format!("Zone {id} is there."), &format!("/zones/{id}"))
        }
        Err(error) => told(&by, not_done(&error), "/zones"),
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
    let notice = match users(&app) {
        Ok(users) => made(&app, &id, form, &by.session.name, &users).await,
        Err(refused) => return refused.into_response(),
    };
    let back = format!("/zones/{id}");
    match notice {
        Ok(notice) => told(&by, notice, &back),
        Err(NotMade::Form) => refusal(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The form is not complete.",
        ),
        Err(NotMade::Why(why)) => told(&by, why, &back),
    }
}

/// Why a change was not made.
enum NotMade {
    /// The form lacks something that no browser leaves out.
    Form,
    /// What the next page tells.
    Why(String),
}

impl From<NotDone> for NotMade {
    fn from(error: NotDone) -> Self {
        Self::Why(not_done(&error))
    }
}

fn not_made(why: impl std::fmt::Display) -> NotMade {
    NotMade::Why(format!("Nothing was changed: {why}."))
}

/// Makes a change, and says what was done.
async fn made(
    app: &Arc<App>,
    id: &str,
    form: ChangeForm,
    user: &UserName,
    users: &Users,
) -> Result<String, NotMade> {
    let client = form.client.map(|it| it.trim().to_owned());
    let who = |client: &str| match client {
        "*" => "Every client".to_owned(),
        client => client.to_owned(),
    };
    let change = |change: ZoneChange| order(app, id, user, change);
    let now = Instant::now();
    match form.what {
        What::Grant => {
            let client = client.ok_or(NotMade::Form)?;
            let told = format!("{} may open its values.", who(&client));
            change(ZoneChange::Grant { client }).await?;
            Ok(told)
        }
        What::Revoke => {
            let client = client.ok_or(NotMade::Form)?;
            let told = match client.as_str() {
                "*" => "Nobody may open its values.".to_owned(),
                client => format!("{client} may not open its values any more."),
            };
            change(ZoneChange::Revoke { client }).await?;
            Ok(told)
        }
        What::Rotate => {
            let version = form.version.ok_or(NotMade::Form)?;
            let found = change(ZoneChange::Rotate { version }).await?;
            Ok(format!(
                "Key version {} is active.",
                found.zone.active_version
            ))
        }
        What::Keep => {
            change(ZoneChange::Keep).await?;
            Ok("It is kept; its values open again.".into())
        }
        What::Destroy => {
            is_typed(form.confirm, id)?;
            let days = form.grace.ok_or(NotMade::Form)?;
            let grace_seconds = days.saturating_mul(DAY);
            if takes_two(users) {
                if find(app, id).await?.zone.fate != ZoneFate::Kept {
                    return Err(not_made("it is destroyed already, or to be"));
                }
                let wanted = app.destructions.want(id, user, grace_seconds, now);
                wanted.map_err(not_made)?;
                tracing::info!(%user, zone = id, "asked for a zone's destruction");
                return Ok(
                    "Another operator has to confirm it now. Nothing is changed until then.".into(),
                );
            }
            change(destruction(id, grace_seconds)).await?;
            Ok(destroying(days))
        }
        What::Confirm => {
            is_typed(form.confirm, id)?;
            let number = form.request.ok_or(NotMade::Form)?;
            let wanted = app.destructions.confirmed(id, number, user, users, now);
            let wanted = wanted.map_err(not_made)?;
            // From here on it can be withdrawn no more.
            app.destructions.forget(id, number, now).map_err(not_made)?;
            tracing::info!(%user, wanted_by = %wanted.by, zone = id, "confirmed a zone's destruction");
            let ordered = change(destruction(id, wanted.grace_seconds)).await;
            if let Err(NotDone::Refused { .. } | NotDone::NoServer(_)) = &ordered {
                let _ = app
                    .destructions
                    .want(id, &wanted.by, wanted.grace_seconds, now);
            }
            ordered?;
            Ok(destroying(wanted.grace_seconds / DAY))
        }
        What::Withdraw => {
            let number = form.request.ok_or(NotMade::Form)?;
            let forgotten = app.destructions.forget(id, number, now);
            forgotten.map_err(not_made)?;
            tracing::info!(%user, zone = id, "withdrew a zone's destruction");
            Ok("It is withdrawn; nothing is destroyed.".into())
        }
    }
}

fn is_typed(confirm: Option<String>, id: &str) -> Result<(), NotMade> {
    match confirm {
        None => Err(NotMade::Form),
        Some(typed) if typed.trim() == id => Ok(()),
        Some(_) => Err(not_made("what was typed is not the zone's id")),
    }
}

fn destruction(id: &str, grace_seconds: u64) -> ZoneChange {
    ZoneChange::Destroy {
        grace_seconds,
        confirm: id.to_owned(),
    }
}

fn destroying(days: u64) -> String {
    let days = match days {
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    };
    format!("Its values do not open any more; it is destroyed when servers have run for {days}.")
}

/// Has the zone changed for a user.
async fn order(
    app: &Arc<App>,
    id: &str,
    user: &UserName,
    change: ZoneChange,
) -> Result<ZoneDetail, NotDone> {
    let id = id.to_owned();
    let ask = move |client: control::Client| {
        let (id, change) = (id.clone(), change.clone());
        async move { client.change_zone(&id, &change).await }
    };
    app.owner_change(user.clone(), ask).await
}

async fn find(app: &App, id: &str) -> Result<ZoneDetail, NotDone> {
    let ask = |client: control::Client| {
        let id = id.to_owned();
        async move { client.zone(&id).await }
    };
    asking::look(&app.fleet, ask).await
}

fn users(app: &App) -> Result<Arc<Users>, Refusal> {
    app.users.users().map_err(|error| {
        tracing::error!(%error, "it is not known who is an operator");
        let why = "The users' file cannot be read; the log of pgseal-webconfig says why.";
        Refusal(StatusCode::SERVICE_UNAVAILABLE, why)
    })
}
