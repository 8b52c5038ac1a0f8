//! What operators' tools ask over plain HTTP: is it well, and what has it counted.

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

/// 200 when it takes sessions, its store can be read (or etcd is away, for less than `max_stale`), who is revoked is known and its database
/// answers.
async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    let down = StatusCode::SERVICE_UNAVAILABLE;
    if shared.is_draining() {
        return (down, "draining\n");
    }
    if !shared.keys.is_usable().await {
        return (down, "the store of keys cannot be read\n");
    }
    match shared.revoked.standing(Instant::now()) {
        Standing::Fresh => {}
        Standing::Stale => return (down, "the list of revoked certificates is too old\n"),
        Standing::Distrusted => {
            return (
                down,
                "the list of revoked certificates cannot be relied on\n",
            );
        }
    }
    let own = shared.tls.setup();
    if shared.revoked.contains(&own.certificates.serial) {
        return (down, "this server's certificate was revoked\n");
    }
    if !shared.database.answers().await {
        return (down, "the database does not answer\n");
    }
    (StatusCode::OK, "ok\n")
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
