//! `POST /v1/drain`: this one server takes no new sessions, or takes them again.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::{Extension, Json};
use bytes::Bytes;
use control::{Drain, Standing};
use tunnel::Identity;

use super::admin::OnBehalfOf;
use super::{Problem, admin, parse};
use crate::listen::ListenerNumber;
use crate::shared::Shared;
use crate::standing;

/// Holds until it is taken back or the server ends; nothing of it is in the store. Peers are told at once.
pub async fn drain(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    Extension(OnBehalfOf(user)): Extension<OnBehalfOf>,
    Extension(listener): Extension<ListenerNumber>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Standing>, Problem> {
    admin(&identity, &shared, "drains a server")?;
    let Drain { draining } = parse(body)?;
    if shared.set_drained(draining) {
        let by = match user {
            Some(user) => format!("{} for {user}", identity.id),
            None => identity.id,
        };
        let sessions = shared.sessions.count();
        match draining {
            true => tracing::warn!(by, sessions, "no new sessions are taken"),
            false => tracing::info!(by, sessions, "sessions are taken again"),
        }
    }
    Ok(Json(standing::now(&shared, listener.0)))
}
