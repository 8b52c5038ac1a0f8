//! Signing in and out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::guard::{Asked, Tokened, cookie, cookie_name, who};
use super::{Refusal, page, refusal};
use crate::app::App;
use crate::password::Password;
use crate::token::{Token, TokenHash};
use crate::totp::{Code, NOBODYS};
use crate::users::{User, UserName};
use crate::view::SignIn;

/// The cookie that the form of somebody who is not signed in yet is made for.
const FORM_COOKIE: &str = "pgseal-form";

/// What is said whatever was wrong,
const WRONG: &str = "This name and this password do not belong together.";
/// and the same where somebody has a code.
const WRONG_WITH_CODES: &str = "This name, this password and this code do not belong together.";

#[derive(Deserialize)]
pub struct SignInForm {
    token: String,
    name: String,
    password: String,
    #[serde(default)]
    code: String,
}

/// The form, for a browser that gets a cookie with it.
pub async fn form(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match who(&app, &headers, false) {
        Err(refused) => refused.into_response(),
        Ok(Some(_)) => Redirect::to("/").into_response(),
        Ok(None) => new_form(&app, StatusCode::OK, "", None),
    }
}

pub async fn sign_in(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<SocketAddr>,
    headers: HeaderMap,
    form: Result<Form<SignInForm>, FormRejection>,
) -> Response {
    let Form(SignInForm {
        token,
        name,
        password,
        code,
    }) = match form {
        Ok(form) => form,
        Err(error) => {
            return refusal(
                error.status(),
                "The form is too long, or not one of this page.",
            );
        }
    };
    let password = Password::from(password);
    let is_ours = cookie(&headers, FORM_COOKIE).is_some_and(|it| TokenHash::of(it).is(&token));
    if !is_ours {
        let why = "The form was too old, or its cookie did not come with it. Try again.";
        return new_form(&app, StatusCode::FORBIDDEN, &name, Some(why));
    }
    let Some(attempt) = app
        .throttle
        .attempt(&name, peer.ip().into(), Instant::now())
    else {
        let why = "Too many attempts are under way. Wait a moment, and try again.";
        let mut response = new_form(&app, StatusCode::TOO_MANY_REQUESTS, &name, Some(why));
        let wait = HeaderValue::from_static("15");
        response.headers_mut().insert(header::RETRY_AFTER, wait);
        return response;
    };
    tokio::time::sleep(attempt.wait).await;
    match check(&app, &name, password, Code::typed(&code)).await {
        Err(refused) => refused.into_response(),
        Ok(Some((name, user))) => {
            attempt.succeeded();
            tracing::info!(user = %name, address = %peer.ip(), "signed in");
            // Whoever was signed in here before is not any more.
            if let Ok(Some(before)) = who(&app, &headers, false) {
                app.sessions.end(before.token);
            }
            let token = app.sessions.begin(name, user, Instant::now());
            let mut response = Redirect::to("/").into_response();
            set_cookie(
                &mut response,
                cookie_name(app.is_https),
                token.expose_secret(),
                &app,
            );
            response
        }
        Ok(None) => {
            attempt.failed(Instant::now());
            tracing::warn!(address = %peer.ip(), "a sign-in failed");
            let why = match asks_for_codes(&app) {
                true => WRONG_WITH_CODES,
                false => WRONG,
            };
            new_form(&app, StatusCode::FORBIDDEN, &name, Some(why))
        }
    }
}

/// The user of this name, if the password is its, and the code where it has codes. As slow where there is
/// none.
async fn check(
    app: &App,
    name: &str,
    password: Password,
    code: Code,
) -> Result<Option<(UserName, User)>, Refusal> {
    let failed = |why: String| {
        tracing::error!(why, "nobody is let in");
        let why = "Nobody can sign in now; the log of pgseal-webconfig says why.";
        Refusal(StatusCode::SERVICE_UNAVAILABLE, why)
    };
    let users = app
        .users
        .users()
        .map_err(|error| failed(error.to_string()))?;
    let name = name.parse::<UserName>().ok();
    let user = name.and_then(|name| {
        let user = users.get(&name)?.clone();
        Some((name, user))
    });
    let room = app.hashing.acquire().await;
    let _room = room.map_err(|error| failed(error.to_string()))?;
    let hashed = tokio::task::spawn_blocking(move || {
        let is_right = password.is(user.as_ref().map(|(_, user)| &user.password));
        let secret = user.as_ref().and_then(|(_, user)| user.secret.as_ref());
        let step = secret.unwrap_or(&NOBODYS).step(&code, SystemTime::now());
        (user.filter(|_| is_right), step)
    });
    let (user, step) = hashed.await.map_err(|error| failed(error.to_string()))?;
    let Some((name, user)) = user else {
        return Ok(None);
    };
    if user.secret.is_some() && !app.codes.take(&name, step, Instant::now()) {
        tracing::warn!(user = %name, "the password was right, and the code was not");
        return Ok(None);
    }
    Ok(Some((name, user)))
}

/// Whether somebody has codes: then everybody is shown where they are typed.
fn asks_for_codes(app: &App) -> bool {
    let users = app.users.users();
    users.is_ok_and(|it| it.values().any(|user| user.secret.is_some()))
}

fn new_form(app: &App, status: StatusCode, name: &str, why: Option<&str>) -> Response {
    let token = Token::new();
    let form = SignIn {
        token: &TokenHash::of(token.expose_secret()).text(),
        name,
        why,
        asks_for_codes: asks_for_codes(app),
    };
    let mut response = page(status, &form);
    set_cookie(&mut response, FORM_COOKIE, token.expose_secret(), app);
    response
}

/// For this site alone, and for no script. It ends with the browser.
fn set_cookie(response: &mut Response, name: &str, value: &str, app: &App) {
    let secure = if app.is_https { "; Secure" } else { "" };
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}");
    let line = HeaderValue::try_from(line).expect("names and tokens are letters and digits");
    response.headers_mut().append(header::SET_COOKIE, line);
}

#[derive(Deserialize)]
pub struct SignOutForm {
    token: String,
}

impl Tokened for SignOutForm {
    fn token(&self) -> &str {
        &self.token
    }
}

pub async fn sign_out(State(app): State<Arc<App>>, asked: Asked<SignOutForm>) -> Response {
    app.sessions.end(asked.by.token);
    signed_out(&asked, "signed out")
}

pub async fn sign_out_everywhere(
    State(app): State<Arc<App>>,
    asked: Asked<SignOutForm>,
) -> Response {
    app.sessions.end_all_of(&asked.by.session.name);
    signed_out(&asked, "signed out everywhere")
}

fn signed_out(asked: &Asked<SignOutForm>, what: &str) -> Response {
    tracing::info!(user = %asked.by.session.name, "{what}");
    Redirect::to("/sign-in").into_response()
}
