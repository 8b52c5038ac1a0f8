//! The local HTTP API: a part of the server's control API, for the applications beside it; and what
//! operators look at: `servers` is what is known of each, `stats` the page that shows it.

mod servers;
mod sessions;
mod stats;

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use control::{Answer, ClientError, ConnectorStatus, ErrorBody, RevocationStatus, path};
use serde_json::Value;
use tunnel::Standing;

use crate::listen::{Listener, Peer};
use crate::metrics::Levels;
use crate::servers::Repeat;
use crate::shared::Shared;
pub use servers::Listening;

/// Longest request body, in bytes.
const MAX_BODY: usize = 64 << 10;

/// Answers until dropped.
pub async fn serve(listener: Arc<Listener>, shared: Arc<Shared>) {
    let router = Router::new()
        .route(path::STATUS, get(status))
        .route(path::CLIENT, get(client))
        .route(path::ZONES, post(new_zone))
        .route(&format!("{}/{{id}}", path::ZONES), get(zone))
        .route(path::GET_NEW_ZONE, get(get_new_zone))
        .route(path::SESSIONS, get(sessions::show))
        .route(path::SERVERS, get(known_servers))
        .route("/", get(stats::page))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is no such path") })
        .method_not_allowed_fallback(|| async {
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes another method",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(only_local_programs))
        .layer(middleware::from_fn_with_state(
            shared.clone(),
            only_allowed_users,
        ))
        .with_state(shared.clone());
    daemon::serve_http(listener, router, &shared.connections).await;
}

fn problem(status: StatusCode, error: &str) -> Response {
    (
        status,
        Json(ErrorBody {
            error: error.to_owned(),
        }),
    )
        .into_response()
}

/// Keeps users out that `allow_users` does not name, where a connection shows its user.
async fn only_allowed_users(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if shared.allow_users.permit(&peer) {
        return next.run(request).await;
    }
    shared.metrics.users_refused.inc();
    tracing::warn!(%peer, "the local API is not for this user; allow_users does not name it");
    problem(
        StatusCode::FORBIDDEN,
        "this user may not use the connector; allow_users in its configuration does not name it",
    )
}

/// Keeps web pages out: a browser on this host sends an Origin, or a Host that a page's author made
/// to resolve here.
async fn only_local_programs(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) || is_from_another_site(headers) {
        return problem(StatusCode::FORBIDDEN, "requests from web pages are refused");
    }
    if !daemon::is_local_host(headers) {
        return problem(
            StatusCode::FORBIDDEN,
            "the Host must be localhost or a loopback address",
        );
    }
    next.run(request).await
}

/// A browser says so even of requests that carry no Origin, such as those for images.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "none" && site != "same-origin")
}

/// To whichever server answers. What makes a zone is not asked of a second one that the first may
/// have made already.
async fn pass_on(shared: &Shared, method: Method, path: &str, body: Bytes) -> Response {
    let makes = method != Method::GET || path == path::GET_NEW_ZONE;
    let repeat = if makes {
        Repeat::Unsafe
    } else {
        Repeat::Harmless
    };
    match shared.servers.send(method, path, body, repeat).await {
        Ok(answer) => as_it_came(answer),
        Err(error) => unanswered(&error),
    }
}

async fn ask(shared: &Shared, path: &str) -> Result<Answer, ClientError> {
    let servers = &shared.servers;
    servers
        .send(Method::GET, path, Bytes::new(), Repeat::Harmless)
        .await
}

fn as_it_came(answer: Answer) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (answer.status, headers, answer.body).into_response()
}

fn unanswered(error: &ClientError) -> Response {
    tracing::warn!(%error, "the server's control API does not answer");
    problem(
        StatusCode::BAD_GATEWAY,
        "the server does not answer; the connector's log says why",
    )
}

/// The server's status, and this connector's own beside it.
async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let answer = match ask(&shared, path::STATUS).await {
        Ok(answer) => answer,
        Err(error) => return unanswered(&error),
    };
    let mut body = match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(body)) if answer.status.is_success() => body,
        _ => return as_it_came(answer),
    };
    let own = ConnectorStatus {
        certificates: (&shared.tls.setup().certificates).into(),
        revocations: RevocationStatus::of(&shared.revoked, Instant::now()),
    };
    if let Ok(own) = serde_json::to_value(own) {
        body.insert("connector".to_owned(), own);
    }
    Json(body).into_response()
}

async fn client(State(shared): State<Arc<Shared>>) -> Response {
    pass_on(&shared, Method::GET, path::CLIENT, Bytes::new()).await
}

async fn zone(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    // The id goes into the path of another request: only what an id may hold.
    let may_hold = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    let id = match id {
        Ok(Path(id)) if id.bytes().all(may_hold) => id,
        _ => return problem(StatusCode::NOT_FOUND, "that is no zone id"),
    };
    pass_on(
        &shared,
        Method::GET,
        &format!("{}/{id}", path::ZONES),
        Bytes::new(),
    )
    .await
}

async fn new_zone(
    State(shared): State<Arc<Shared>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match (zones_refused(&shared), body) {
        (Some(refused), _) => refused,
        (None, Ok(body)) => pass_on(&shared, Method::POST, path::ZONES, body).await,
        (None, Err(error)) => problem(error.status(), "the body is too long, or broke off"),
    }
}

async fn get_new_zone(State(shared): State<Arc<Shared>>) -> Response {
    match zones_refused(&shared) {
        Some(refused) => refused,
        None => pass_on(&shared, Method::GET, path::GET_NEW_ZONE, Bytes::new()).await,
    }
}

fn zones_refused(shared: &Shared) -> Option<Response> {
    (!shared.zones_allowed).then(|| {
        problem(
            StatusCode::FORBIDDEN,
            "this connector does not create zones; set local_api.zones = true to allow it",
        )
    })
}

/// The servers, and what is known of them.
async fn known_servers(State(shared): State<Arc<Shared>>) -> Response {
    Json(servers::view(&shared)).into_response()
}

/// 200 when it is known who is revoked, and the server answers and knows this connector's client.
async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    if shared.revoked.standing(Instant::now()) != Standing::Fresh {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "the list of revoked certificates is too old\n",
        );
    }
    match ask(&shared, path::CLIENT).await {
        Ok(answer) if answer.status.is_success() => (StatusCode::OK, "ok\n"),
        Ok(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the server is not well, or does not know this client\n",
        ),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the server does not answer\n",
        ),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    shared.metrics.set(&Levels {
        sessions: shared.sessions.count(),
        warm_tunnels: shared.servers.list().iter().map(|it| it.warm.count()).sum(),
        revocation_list_age: shared.revoked.age(Instant::now()),
        certificates: &shared.tls.setup().certificates,
    });
    ([(header::CONTENT_TYPE, FORMAT)], shared.metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_sites_pages_are_told_apart() {
        for (site, expected) in [
            ("cross-site", true),
            ("same-site", true),
            ("none", false),
            ("same-origin", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("sec-fetch-site", site.parse().unwrap());
            assert_eq!(is_from_another_site(&headers), expected, "{site}");
        }
        assert!(
            !is_from_another_site(&HeaderMap::new()),
            "a program, not a browser"
        );
    }
}
