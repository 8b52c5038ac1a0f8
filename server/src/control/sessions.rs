//! The sessions of this server: `GET /v1/sessions`, and `POST /v1/cancel` by which its peers put cancel
//! requests to it.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use control::{CancelOutcome, CancelRequest, SessionsView};
use envelope::ClientId;
use tunnel::{Identity, Role};

use super::{Problem, caller, forbidden, is_known_who_is_revoked, parse};
use crate::cancel;
use crate::shared::Shared;

/// A client is told of its own sessions alone.
pub async fn show(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<SessionsView>, Problem> {
    let of = match identity.role {
        Role::Client => Some(caller(&identity)?),
        Role::Server | Role::Admin => None,
    };
    Ok(Json(SessionsView {
        server: shared.id.clone(),
        sessions: shared.cancels.view(of.as_ref()),
    }))
}

/// Answers when the database has dealt with it.
pub async fn cancel(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<CancelOutcome>, Problem> {
    if identity.role != Role::Server {
        return Err(forbidden("this path is for servers"));
    }
    is_known_who_is_revoked(&shared)?;
    let bad = |why: String| Problem(StatusCode::BAD_REQUEST, why);
    let request: CancelRequest = parse(body)?;
    let client: ClientId = request
        .client
        .parse()
        .map_err(|error| bad(format!("client: {error}")))?;
    let secret = STANDARD.decode(&request.secret);
    let secret = secret.map_err(|_| bad("secret: not base64".into()))?;
    // The session waits for its end, whether or not the peer does.
    let delivered =
        tokio::spawn(
            async move { cancel::deliver(&client, request.process, &secret, &shared).await },
        );
    let found = delivered.await.unwrap_or_default();
    Ok(Json(CancelOutcome { found }))
}
