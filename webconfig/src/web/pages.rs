//! The pages of somebody who is signed in, and what they change.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::guard::{Asked, SignedIn, Tokened};
use super::{page, refusal};
use crate::app::App;
use crate::audit::History;
use crate::change::{Changed, Changes, NotChanged};
use crate::sessions::Session;
use crate::users::Role;
use crate::view::{FleetPage, FleetPart, Frame, ModePage, ModePart, SettingsPage, newest};

/// What every page has, for this session.
pub fn frame<'a>(session: &'a Session, here: &'static str) -> Frame<'a> {
    Frame {
        here,
        user: session.name.to_string(),
        role: session.role.name(),
        may_change: session.role == Role::Operator,
        token: session.form_token.expose_secret(),
        notice: session.notice(),
    }
}

pub async fn fleet(State(app): State<Arc<App>>, by: SignedIn) -> Response {
    let shown = FleetPage {
        frame: frame(&by.session, "fleet"),
        part: FleetPart::new(&app.fleet.seen(), Instant::now()),
    };
    page(StatusCode::OK, &shown)
}

pub async fn zone_mode(State(app): State<Arc<App>>, by: SignedIn) -> Response {
    let frame = frame(&by.session, "zone-mode");
    let part = ModePart::new(&app, &app.fleet.seen(), frame.may_change, frame.token);
    page(StatusCode::OK, &ModePage { frame, part })
}

pub async fn settings(State(app): State<Arc<App>>, by: SignedIn) -> Response {
    let seen = app.fleet.seen();
    let history = match newest(&seen).and_then(|it| it.number) {
        Some(number) => app.audit.history(&app.fleet, number).await,
        None => Ok(History::default()),
    };
    if let Err(error) = &history {
        tracing::warn!(%error, "the settings' history cannot be read");
    }
    let frame = frame(&by.session, "settings");
    let shown = SettingsPage::new(frame, &seen, history.ok().as_ref());
    page(StatusCode::OK, &shown)
}

#[derive(Deserialize)]
pub struct ModeForm {
    token: String,
    number: u64,
    mode: String,
}

#[derive(Deserialize)]
pub struct UndoForm {
    token: String,
    number: u64,
}

#[derive(Deserialize)]
pub struct SettingForm {
    token: String,
    number: u64,
    name: String,
    value: String,
    what: What,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum What {
    Change,
    Reset,
}

#[derive(Deserialize)]
pub struct DrainForm {
    token: String,
    server: String,
    draining: bool,
}

macro_rules! tokened {
    ($($form:ident),*) => {
        $(impl Tokened for $form {
            fn token(&self) -> &str {
                &self.token
            }
        })*
    };
}

tokened!(ModeForm, UndoForm, SettingForm, DrainForm);

pub async fn set_zone_mode(State(app): State<Arc<App>>, asked: Asked<ModeForm>) -> Response {
    let Asked { by, form } = asked;
    let changes = [("zone_mode".to_owned(), Some(form.mode.clone()))].into();
    let done = format!("Zone mode is {}.", form.mode);
    change(&app, &by, form.number, changes, done, "/zone-mode").await
}

pub async fn undo(State(app): State<Arc<App>>, asked: Asked<UndoForm>) -> Response {
    let Asked { by, form } = asked;
    if let Err(refused) = by.operates() {
        return refused.into_response();
    }
    let Some(undo) = app.undo(form.number) else {
        by.session
            .notify("Nothing was undone: something else was changed since.".into());
        return Redirect::to("/zone-mode").into_response();
    };
    let done = "The last change is undone.".to_owned();
    change(&app, &by, form.number, undo.changes, done, "/zone-mode").await
}

pub async fn set(State(app): State<Arc<App>>, asked: Asked<SettingForm>) -> Response {
    let Asked { by, form } = asked;
    let (value, done) = match form.what {
        What::Change => (
            Some(form.value.trim().to_owned()),
            format!("{} is {}.", form.name, form.value.trim()),
        ),
        What::Reset => (
            None,
            format!("{} is as each server's file says.", form.name),
        ),
    };
    let changes = [(form.name, value)].into();
    change(&app, &by, form.number, changes, done, "/settings").await
}

async fn change(
    app: &Arc<App>,
    by: &SignedIn,
    number: u64,
    changes: Changes,
    done: String,
    back: &str,
) -> Response {
    if let Err(refused) = by.operates() {
        return refused.into_response();
    }
    // A browser that goes away does not stop it half-way.
    let (changing, name) = (app.clone(), by.session.name.clone());
    let made = tokio::spawn(async move { changing.change(number, changes, &name).await }).await;
    let notice = match made {
        Ok(Ok(changed)) => told(&done, &changed),
        Ok(Err(NotChanged::Conflict(why))) => {
            format!("Nothing was changed: {why}. What you see now is as it is.")
        }
        Ok(Err(NotChanged::Unknown(why))) => format!("It is not known what became of it: {why}"),
        Ok(Err(why)) => format!("Nothing was changed: {why}"),
        Err(_) => "A defect ended the change; look before you try again.".into(),
    };
    by.session.notify(notice);
    Redirect::to(back).into_response()
}

fn told(done: &str, changed: &Changed) -> String {
    match changed.away.as_slice() {
        [] => done.to_owned(),
        away => format!(
            "{done} Not reached, and following when back: {}.",
            away.join(", ")
        ),
    }
}

pub async fn drain(State(app): State<Arc<App>>, asked: Asked<DrainForm>) -> Response {
    let Asked { by, form } = asked;
    if let Err(refused) = by.operates() {
        return refused.into_response();
    }
    let known = app.fleet.servers.iter();
    let Some(server) = known.clone().find(|it| it.address == form.server) else {
        return refusal(StatusCode::NOT_FOUND, "There is no such server.");
    };
    let client = server.client_for(Some(&by.session.name));
    let notice = match client.drain(form.draining).await {
        Ok(_) => {
            let (user, server) = (&by.session.name, &server.address);
            tracing::info!(%user, server, draining = form.draining, "a server was told to drain, or not to");
            match form.draining {
                true => format!("{server} takes no new sessions; those it has go on."),
                false => format!("{server} takes sessions again."),
            }
        }
        Err(error) => format!("Nothing is known to have been done: {error}"),
    };
    server.wake();
    by.session.notify(notice);
    Redirect::to("/").into_response()
}
