//! Who asks: signed in or not, and from a page of ours or of somebody else's.

use std::sync::Arc;
use std::time::Instant;

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::sessions::Session;
use crate::token::TokenHash;
use crate::users::Role;

use super::{Refusal, refusal};

/// Somebody who is signed in, and has asked for a page.
pub struct SignedIn {
    /// Its session,
    pub session: Arc<Session>,
    /// and by what that is found.
    pub token: TokenHash,
}

/// A form of a page of ours, from somebody who is signed in.
pub struct Asked<F> {
    /// Who.
    pub by: SignedIn,
    /// What.
    pub form: F,
}

/// A form with the token of its session.
pub trait Tokened: DeserializeOwned + Send {
    /// What it says.
    fn token(&self) -> &str;
}

impl SignedIn {
    /// Lets an operator pass.
    pub fn operates(&self) -> Result<(), Refusal> {
        match self.session.role {
            Role::Operator => Ok(()),
            Role::Viewer => Err(Refusal(
                StatusCode::FORBIDDEN,
                "A viewer changes nothing. Ask an operator.",
            )),
        }
    }
}

/// The name of the session's cookie. Under TLS, browsers take one of this name from this host alone
/// (RFC 6265bis, section 4.1.3.2).
pub fn cookie_name(is_https: bool) -> &'static str {
    match is_https {
        true => "__Host-pgseal",
        false => "pgseal",
    }
}

/// The value of the cookie of this name.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(its, value)| (its == name).then_some(value))
}

/// Whether a browser that says where a request is from says that it is from here. Other programs do not
/// say; the token in each form is what they would have to have.
pub fn is_from_here(headers: &HeaderMap, is_https: bool) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str());
    let is_same_site = match text("sec-fetch-site") {
        None => true,
        Some(site) => site.is_ok_and(|site| site == "same-origin"),
    };
    let scheme = if is_https { "https" } else { "http" };
    let is_same_origin = match (text("origin"), text("host")) {
        (None, _) => true,
        (Some(Ok(origin)), Some(Ok(host))) => origin == format!("{scheme}://{host}"),
        _ => false,
    };
    is_same_site && is_same_origin
}

/// Who a request's cookie says it is. `uses` the session: a page was asked for.
pub fn who(app: &App, headers: &HeaderMap, uses: bool) -> Result<Option<SignedIn>, Refusal> {
    let Some(sent) = cookie(headers, cookie_name(app.is_https)) else {
        return Ok(None);
    };
    let token = TokenHash::of(sent);
    let users = app.users.users().map_err(|error| {
        tracing::error!(%error, "nobody is let in");
        let why = "The users' file cannot be read; the log of pgseal-webconfig says why.";
        Refusal(StatusCode::SERVICE_UNAVAILABLE, why)
    })?;
    let found = app.sessions.find(token, &users, Instant::now(), uses);
    Ok(found.map(|session| SignedIn { session, token }))
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let to_sign_in = || Redirect::to("/sign-in").into_response();
        let found = who(app, &parts.headers, true).map_err(IntoResponse::into_response)?;
        found.ok_or_else(to_sign_in)
    }
}

impl<F: Tokened> FromRequest<Arc<App>> for Asked<F> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let by = SignedIn::from_request_parts(&mut parts, app).await?;
        let form = Form::<F>::from_request(Request::from_parts(parts, body), app).await;
        let Form(form) = form.map_err(|error| {
            refusal(
                error.status(),
                "The form is too long, or not one of this page.",
            )
        })?;
        match by.session.form_token.is(form.token()) {
            true => Ok(Self { by, form }),
            false => Err(refusal(
                StatusCode::FORBIDDEN,
                "This form is of an earlier sign-in, or of another site. Nothing was done.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn a_form_is_taken_from_a_page_of_ours_and_from_programs_that_do_not_say() {
        let host = ("host", "a.example:8000");
        for (fields, is_from_here_by_http) in [
            (&[host][..], true),
            (&[host, ("origin", "http://a.example:8000")], true),
            (&[host, ("sec-fetch-site", "same-origin")], true),
            (&[host, ("origin", "https://a.example:8000")], false),
            (&[host, ("origin", "http://a.example")], false),
            (&[host, ("origin", "http://b.example:8000")], false),
            (&[host, ("origin", "null")], false),
            (&[("origin", "http://a.example:8000")], false),
            (&[host, ("sec-fetch-site", "same-site")], false),
            (&[host, ("sec-fetch-site", "cross-site")], false),
            (&[host, ("sec-fetch-site", "none")], false),
        ] {
            let found = is_from_here(&headers(fields), false);
            assert_eq!(found, is_from_here_by_http, "{fields:?}");
        }
        let origin = ("origin", "https://a.example:8000");
        assert!(is_from_here(&headers(&[host, origin]), true));
    }

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let sent = headers(&[("cookie", "xpgseal=1; pgseal=a=b; pgseal2=3")]);
        assert_eq!(cookie(&sent, "pgseal"), Some("a=b"));
        assert_eq!(cookie(&sent, "seal"), None);
    }
}
