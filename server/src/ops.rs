//! What operators' tools ask over plain HTTP: is it well, and what has it counted.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tunnel::Standing;

use crate::metrics::Levels;
use crate::shared::Shared;

/// Answers until dropped.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(shared);
    daemon::serve_http(listener, router).await;
}

/// 200 when it takes sessions, its store can be read (or etcd is away, for less than `max_stale`), who is revoked is known, the store's
/// settings hold and its database answers.
async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, Cow<'static, str>) {
    match down(&shared).await {
        None => (StatusCode::OK, "ok\n".into()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// Why it is not well; `None` if it is.
async fn down(shared: &Shared) -> Option<Cow<'static, str>> {
    if shared.is_draining() {
        return Some("draining\n".into());
    }
    if !shared.keys.is_usable().await {
        return Some("the store of keys cannot be read\n".into());
    }
    match shared.revoked.standing(Instant::now()) {
        Standing::Fresh => {}
        Standing::Stale => return Some("the list of revoked certificates is too old\n".into()),
        Standing::Distrusted => {
            return Some("the list of revoked certificates cannot be relied on\n".into());
        }
    }
    if let Some(problem) = shared.settings.status().problem {
        return Some(format!("{problem}\n").into());
    }
    let own = shared.tls.setup();
    if shared.revoked.contains(&own.certificates.serial) {
        return Some("this server's certificate was revoked\n".into());
    }
    if !shared.databases.answers().await {
        return Some("the database does not answer\n".into());
    }
    None
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    shared.metrics.set(&Levels {
        sessions: shared.sessions.count(),
        store_age: shared.keys.contact.age(Instant::now()),
        store_revision: shared.keys.contact.revision().count(),
        revocation_list_age: shared.revoked.age(Instant::now()),
        certificates: &shared.tls.setup().certificates,
    });
    ([(header::CONTENT_TYPE, FORMAT)], shared.metrics.render())
}
