//! What operators' tools ask over plain HTTP: is it well, and what has it counted.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::shared::Shared;

/// Answers until dropped.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(shared);
    daemon::serve_http(listener, router).await;
}

/// 200 when it takes sessions, its store can be read and its database answers.
async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    let down = StatusCode::SERVICE_UNAVAILABLE;
    if shared.is_draining() {
        return (down, "draining\n");
    }
    if shared.keys.revision().await.is_err() {
        return (down, "the store of keys cannot be read\n");
    }
    if !shared.database.answers().await {
        return (down, "the database does not answer\n");
    }
    (StatusCode::OK, "ok\n")
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (
        [(header::CONTENT_TYPE, FORMAT)],
        shared.metrics.render(shared.sessions.count()),
    )
}
