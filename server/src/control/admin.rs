//! Who has something done: an admin, by its certificate, and the user that it says it asks for.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use control::{USER_HEADER, UserName};
use tunnel::{Identity, Role};

use super::{Problem, admin};
use crate::shared::Shared;

/// Whom a request is made for, if it says so.
#[derive(Clone)]
pub struct OnBehalfOf(pub Option<UserName>);

/// An admin, while it is known who is revoked.
pub struct Admin {
    /// In whose name it changes the store.
    pub by: String,
}

/// Takes note of whom a request is made for. Nobody but an admin may say that it is for somebody else.
pub async fn on_behalf_of(
    Extension(identity): Extension<Identity>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let user = user(request.headers())?;
    if user.is_some() && identity.role != Role::Admin {
        let why = format!("only an admin asks for somebody else ({USER_HEADER})");
        return Err(Problem(StatusCode::FORBIDDEN, why));
    }
    request.extensions_mut().insert(OnBehalfOf(user));
    Ok(next.run(request).await)
}

fn user(headers: &HeaderMap) -> Result<Option<UserName>, Problem> {
    let bad = |why: String| Problem(StatusCode::BAD_REQUEST, format!("{USER_HEADER}: {why}"));
    let mut said = headers.get_all(USER_HEADER).into_iter();
    let Some(first) = said.next() else {
        return Ok(None);
    };
    if said.next().is_some() {
        return Err(bad("said more than once".into()));
    }
    let name = first.to_str().unwrap_or_default();
    name.parse()
        .map(Some)
        .map_err(|error: control::NoName| bad(error.to_string()))
}

impl FromRequestParts<Arc<Shared>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let asks = parts.extensions.get::<Identity>();
        let asks = asks.expect("a connection has an identity");
        admin(asks, shared, "looks at clients and zones, and changes them")?;
        let user = parts.extensions.get::<OnBehalfOf>();
        let user = user.and_then(|user| user.0.as_ref());
        Ok(Self {
            by: shared.keys.author_admin(&asks.id, user),
        })
    }
}
