//! Why a value opens or not, asked of a server by an operator.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use control::{ClientError, Why, WhyAnswer, WhyValue};
use serde::Deserialize;

use super::guard::{Asked, SignedIn, Tokened};
use super::pages::frame;
use super::{Refusal, page, refusal};
use crate::app::App;
use crate::fleet::Server;
use crate::users::Role;
use crate::view::why::{self, Answer, Session, Value, WhyPage};

/// The largest form here, in bytes: a long value as hex, escaped.
pub const MAX_FORM: usize = 96 << 10;

/// A session to be shown, or the sessions of a server.
#[derive(Deserialize)]
pub struct SessionForm {
    server: Option<String>,
    session: Option<String>,
}

#[derive(Deserialize)]
pub struct ValueForm {
    token: String,
    server: String,
    hex: String,
    client: String,
    zone: String,
}

impl Tokened for ValueForm {
    fn token(&self) -> &str {
        &self.token
    }
}

/// The forms, and what is said of a session.
pub async fn show(
    State(app): State<Arc<App>>,
    by: SignedIn,
    Query(form): Query<SessionForm>,
) -> Response {
    if let Err(refused) = asks(&by) {
        return refused.into_response();
    }
    let Some(name) = form.server else {
        return shown(&app, &by, why::Asked::default(), None);
    };
    let Some(server) = server(&app, &name) else {
        return no_server();
    };
    let number = form.session.as_deref().map_or("", str::trim);
    let answer = match number.parse() {
        _ if number.is_empty() => sessions(server).await,
        Ok(number) => match server
            .client_for(Some(&by.session.name))
            .why(&Why::Session(number))
            .await
        {
            Ok(WhyAnswer::Session(access)) => Ok(Answer::Session(Session::new(access))),
            Ok(WhyAnswer::Value(_)) => Ok(Answer::Problem("It answered something else.".into())),
            Err(error) => Err(error),
        },
        Err(_) => Ok(Answer::Problem(
            "The number of a session is a number.".into(),
        )),
    };
    let asked = why::Asked {
        server: name,
        ..why::Asked::default()
    };
    shown(&app, &by, asked, Some(answer.unwrap_or_else(problem)))
}

/// What a server makes of a value.
pub async fn ask(State(app): State<Arc<App>>, asked: Asked<ValueForm>) -> Response {
    let Asked { by, form } = asked;
    if let Err(refused) = asks(&by) {
        return refused.into_response();
    }
    let Some(server) = server(&app, &form.server) else {
        return no_server();
    };
    let filled = |text: &str| Some(text.trim().to_owned()).filter(|it| !it.is_empty());
    let question = Why::Value(WhyValue {
        hex: form.hex.split_whitespace().collect(),
        client: filled(&form.client),
        zone: filled(&form.zone),
    });
    let answer = match server
        .client
        .on_behalf_of(&by.session.name)
        .why(&question)
        .await
    {
        Ok(WhyAnswer::Value(answer)) => {
            let (user, server) = (&by.session.name, &server.address);
            tracing::info!(%user, server, "asked why a value opens");
            Answer::Value(Value::new(answer))
        }
        Ok(WhyAnswer::Session(_)) => Answer::Problem("It answered something else.".into()),
        Err(error) => problem(error),
    };
    let asked = why::Asked {
        server: form.server,
        hex: form.hex,
        client: form.client,
        zone: form.zone,
    };
    shown(&app, &by, asked, Some(answer))
}

/// Lets an operator pass: a question may have private keys used.
fn asks(by: &SignedIn) -> Result<(), Refusal> {
    match by.session.role {
        Role::Operator => Ok(()),
        Role::Viewer => Err(Refusal(
            StatusCode::FORBIDDEN,
            "A viewer does not ask why. Ask an operator.",
        )),
    }
}

fn server<'a>(app: &'a App, address: &str) -> Option<&'a Arc<Server>> {
    app.fleet.servers.iter().find(|it| it.address == address)
}

fn no_server() -> Response {
    refusal(StatusCode::NOT_FOUND, "There is no such server.")
}

/// The sessions that have had values opened or refused, the newest first.
async fn sessions(server: &Server) -> Result<Answer, ClientError> {
    let status = server.client.status().await?;
    let sessions = status.access.into_iter().rev().map(Session::new);
    Ok(Answer::Sessions(sessions.collect()))
}

fn problem(error: ClientError) -> Answer {
    Answer::Problem(match error {
        ClientError::Refused { why, .. } => why,
        error => format!("No answer: {error}"),
    })
}

fn shown(app: &App, by: &SignedIn, asked: why::Asked, answer: Option<Answer>) -> Response {
    let servers = app.fleet.servers.iter().map(|it| it.address.clone());
    let shown = WhyPage {
        frame: frame(&by.session, "why"),
        servers: servers.collect(),
        asked,
        answer,
    };
    page(StatusCode::OK, &shown)
}
