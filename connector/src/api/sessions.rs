//! The sessions that run, as operators see them: `GET /v1/sessions`. What each field means is in
//! docs/balancing.md.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use tokio::task::JoinSet;

use crate::shared::Shared;

/// All of them, the oldest first. Those whose databases are not known yet are asked for, of their servers.
pub async fn show(State(shared): State<Arc<Shared>>) -> Response {
    let mut asked = JoinSet::new();
    for address in shared.running.on_unknown_databases() {
        if let Some(server) = shared.servers.at(&address) {
            asked.spawn(async move { server.checked.sessions().await });
        }
    }
    while let Some(answered) = asked.join_next().await {
        match answered {
            Ok(Ok(view)) => shared.running.learn(&view),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a server does not say which databases sessions are on")
            }
            // A task of this set is neither aborted nor panics.
            Err(_) => {}
        }
    }
    Json(serde_json::json!({ "sessions": shared.running.view() })).into_response()
}
