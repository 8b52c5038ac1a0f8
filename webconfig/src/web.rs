//! The page: what is asked for and by whom, and what it may do in a browser.

mod activity;
mod assets;
mod clients;
mod events;
mod guard;
mod owners;
mod pages;
mod sign_in;
mod why;
mod zones;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::view::Message;

/// The largest form, in bytes.
const MAX_BODY: usize = 16 << 10;

/// What pages may do (Content Security Policy Level 3): use scripts and styles that are files of this
/// program, and ask it and send it forms.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// All of it.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(pages::fleet))
        .route(
            "/zone-mode",
            get(pages::zone_mode).post(pages::set_zone_mode),
        )
        .route("/undo", post(pages::undo))
        .route("/settings", get(pages::settings).post(pages::set))
        .route("/drain", post(pages::drain))
        .route("/activity", get(activity::show))
        .route("/activity/verify", post(activity::verify))
        .route("/activity/export", get(activity::export))
        .route("/zones", get(zones::list).post(zones::add))
        .route("/zones/{id}", get(zones::show).post(zones::change))
        .route("/zones/{id}/key.json", get(zones::key))
        .route("/clients", get(clients::list).post(clients::add))
        .route("/clients/{id}", get(clients::show).post(clients::change))
        .route("/clients/{id}/key.json", get(clients::key))
        .route(
            "/why",
            get(why::show)
                .post(why::ask)
                .layer(DefaultBodyLimit::max(why::MAX_FORM)),
        )
        .route("/events/{page}", get(events::events))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/sign-out-everywhere", post(sign_in::sign_out_everywhere))
        .route("/assets/style.css", get(assets::style))
        .route("/assets/page.js", get(assets::script))
        .route("/assets/icon.svg", get(assets::icon))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "There is no such page.") })
        .method_not_allowed_fallback(|| async {
            refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "This page is asked for in another way.",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), own_pages_only))
        .layer(middleware::from_fn(with_policy))
        .with_state(app)
}

/// A page that is made of a template.
fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        // Templates are checked when the program is built; what is left is memory.
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Why there is no other page than one that says this.
struct Refusal(StatusCode, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refusal(self.0, self.1)
    }
}

/// A page that says why there is no other.
fn refusal(status: StatusCode, why: &str) -> Response {
    page(status, &Message { why })
}

/// What changes something comes from a page of ours: a browser says where a form was. Without a certificate
/// that says who we are, only a name of the host itself is one of ours.
async fn own_pages_only(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !app.is_https && !daemon::is_local_host(request.headers()) {
        return refusal(
            StatusCode::FORBIDDEN,
            "Without TLS this page is asked for as localhost or by a loopback address.",
        );
    }
    let is_harmless = matches!(*request.method(), Method::GET | Method::HEAD);
    match is_harmless || guard::is_from_here(request.headers(), app.is_https) {
        true => next.run(request).await,
        false => refusal(
            StatusCode::FORBIDDEN,
            "This form came from a page of another site. Nothing was done.",
        ),
    }
}

async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Under `no-referrer` a browser would not say where a form was.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
