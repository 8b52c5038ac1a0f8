//! The control API, answered to whoever the certificate says is asking.

mod admin;
mod api;
mod audit;
mod drain;
pub(crate) mod fuzzing;
mod owners;
mod sessions;
mod settings;
mod why;

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router, middleware};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use control::{ErrorBody, NewZone, OwnerKey, RevocationStatus, Status, StoreStatus, ZoneRequest};
use daemon::Connected;
use envelope::{ClientId, Owner, ZoneId};
use http_body_util::channel::Channel;
use keystore::{KeyRecord, Permitted};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tunnel::{Identity, Role, Standing};

use crate::keys::KeysError;
use crate::listen::{ListenerNumber, PeerAddress};
use crate::shared::Shared;
use crate::standing;
use crate::watch;

/// Longest request body, in bytes.
const MAX_BODY: usize = 64 << 10;

/// Answers requests on one connection until it ends.
pub async fn serve(
    stream: TlsStream<TcpStream>,
    (identity, address): (Identity, PeerAddress),
    (listener, connected): (ListenerNumber, Connected),
    shared: Arc<Shared>,
) {
    let router = router(shared)
        .layer(Extension(identity))
        .layer(Extension(address));
    let router = router.layer(Extension(listener));
    daemon::serve_http_connection(stream, router, connected).await;
}

fn router(shared: Arc<Shared>) -> Router {
    api::api()
        .router
        .fallback(|| async { Problem(StatusCode::NOT_FOUND, "there is no such path".into()) })
        .method_not_allowed_fallback(|| async {
            Problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes another method".into(),
            )
        })
        .layer(middleware::from_fn(admin::on_behalf_of))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

/// Any answer but a success.
pub struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(ErrorBody { error: self.1 })).into_response()
    }
}

impl From<KeysError> for Problem {
    fn from(error: KeysError) -> Self {
        use keystore::Error;
        match &error {
            KeysError::Store(Error::UnknownClient(_) | Error::UnknownZone(_)) => {
                Self(StatusCode::NOT_FOUND, error.to_string())
            }
            KeysError::Store(Error::ClientExists(_) | Error::ZoneExists(_)) => {
                Self(StatusCode::CONFLICT, error.to_string())
            }
            KeysError::Store(Error::ZoneGoing(_) | Error::ZoneGone(_)) => {
                Self(StatusCode::GONE, error.to_string())
            }
            KeysError::Store(Error::ZonesUsedUp { .. }) => {
                Self(StatusCode::TOO_MANY_REQUESTS, error.to_string())
            }
            KeysError::Store(Error::MayNotCreateZones(_)) => {
                Self(StatusCode::FORBIDDEN, error.to_string())
            }
            _ => {
                tracing::error!(%error, "the store does not answer");
                Self(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the store of keys does not answer".into(),
                )
            }
        }
    }
}

async fn status(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    Extension(listener): Extension<ListenerNumber>,
) -> Result<Json<Status>, Problem> {
    // A client is told of its own sessions and values alone.
    let of = match identity.role {
        Role::Client => Some(caller(&identity)?),
        Role::Server | Role::Admin => None,
    };
    let opened = shared.keys.opened();
    let now = Instant::now();
    let revision = |store: &keystore::Store| store.revision();
    let revision = match shared.keys.ask_promptly(revision).await {
        Ok(revision) => revision,
        // How it is is told all the more when the store is silent.
        Err(_) => shared.keys.contact.revision(),
    };
    let policy = **shared.policy.load();
    Ok(Json(Status {
        server: shared.id.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        database: shared.databases.to_string(),
        zone_mode: policy.zone_mode,
        on_refused: policy.on_refused,
        sessions: shared.sessions.count() as u64,
        values: shared.metrics.values(),
        by_zone_mode: Some(shared.metrics.prospects.by_mode()),
        store_revision: revision.count(),
        master_key: opened.store.master_key_id().to_string(),
        master_key_outdated: opened.store.master_key_is_outdated(),
        certificates: (&shared.tls.setup().certificates).into(),
        revocations: RevocationStatus::of(&shared.revoked, Instant::now()),
        store: StoreStatus {
            place: opened.place.address.to_string(),
            age_seconds: shared.keys.contact.age(now).as_secs(),
            max_stale_seconds: shared.keys.contact.max_stale().as_secs(),
            moved_to: opened.store.moved_to(),
        },
        settings: shared.settings.status(),
        draining: shared.is_draining(),
        standing: standing::now(&shared, listener.0),
        owners: shared.access.owners(of.as_ref()),
        access: shared.access.sessions_of(of.as_ref()),
        connectors: (identity.role == Role::Admin).then(|| shared.connectors.view(&shared.cancels)),
    }))
}

async fn watch(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    Extension(listener): Extension<ListenerNumber>,
    headers: HeaderMap,
) -> Response {
    let (lines, body) = Channel::new(1);
    // A connection is of a listener that there is.
    let standing = shared
        .standings
        .get(listener.0)
        .or(shared.standings.first());
    let standing = standing.expect("there is a listener").subscribe();
    let program = headers.get(header::USER_AGENT);
    let program = program.and_then(|it| it.to_str().ok());
    let registered = caller(&identity)
        .ok()
        .map(|client| shared.connectors.register(client, address, program));
    let telling = watch::tell(shared.revoked.clone(), standing, lines);
    let mut connected = shared.connections.enter();
    tokio::spawn(async move {
        tokio::select! {
            () = telling => {}
            // Whoever listens comes again, and finds who serves now.
            () = connected.leaving() => {}
        }
        drop(registered);
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (headers, Body::new(body)).into_response()
}

async fn client(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<OwnerKey>, Problem> {
    let owner = Owner::Client(caller(&identity)?);
    let key = shared
        .keys
        .ask_promptly(move |store| store.active_key(&owner))
        .await?;
    Ok(Json(public(&key)))
}

async fn new_zone(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<OwnerKey>), Problem> {
    let request: ZoneRequest = match &body {
        Ok(body) if body.trim_ascii().is_empty() => ZoneRequest::default(),
        _ => parse(body)?,
    };
    let id = request.id.map(|id| id.parse::<ZoneId>()).transpose();
    let id = id.map_err(|error| Problem(StatusCode::BAD_REQUEST, error.to_string()))?;
    let key = create_zone(&shared, &identity, id).await?;
    Ok((StatusCode::CREATED, Json(public(&key))))
}

async fn get_new_zone(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<NewZone>, Problem> {
    let OwnerKey { id, public_key, .. } = public(&create_zone(&shared, &identity, None).await?);
    Ok(Json(NewZone { id, public_key }))
}

async fn zone(
    State(shared): State<Arc<Shared>>,
    Extension(identity): Extension<Identity>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<OwnerKey>, Problem> {
    // A zone that the caller may not open is as unknown to it as one that does not exist.
    let unknown = || {
        Problem(
            StatusCode::NOT_FOUND,
            "there is no such zone, or it is not yours".into(),
        )
    };
    let caller = match identity.role {
        Role::Admin => None,
        _ => Some(caller(&identity)?),
    };
    let Path(id) = id.map_err(|_| unknown())?;
    let id: ZoneId = id.parse().map_err(|_| unknown())?;
    let asked = id.clone();
    let zone = shared
        .keys
        .ask_promptly(move |store| store.zone(&asked))
        .await?
        .ok_or_else(unknown)?;
    if caller.is_some_and(|caller| !zone.clients.permits(&caller)) {
        return Err(unknown());
    }
    let owner = Owner::Zone(id);
    let key = shared
        .keys
        .ask_promptly(move |store| store.active_key(&owner))
        .await?;
    Ok(Json(public(&key)))
}

/// Makes a zone that its creator may open. It is in the store, and so seen by every server that
/// shares it, before this returns.
async fn create_zone(
    shared: &Shared,
    identity: &Identity,
    id: Option<ZoneId>,
) -> Result<KeyRecord, Problem> {
    let creator = caller(identity)?;
    is_known_who_is_revoked(shared)?;
    let asked = creator.clone();
    let record = shared
        .keys
        .ask_promptly(move |store| store.client(&asked))
        .await?;
    if !record.is_some_and(|client| client.create_zones) {
        return Err(Problem(
            StatusCode::FORBIDDEN,
            format!("client {creator} may not create zones; an operator may allow it"),
        ));
    }
    let by = shared.keys.author(&creator);
    let zone = keystore::NewZone {
        id,
        clients: Permitted::Only([creator.clone()].into()),
        creator: Some(creator),
    };
    Ok(shared
        .keys
        .ask_promptly(move |store| store.by(by).add_zone(&zone))
        .await?)
}

/// The object that a request's body holds.
fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let bad = |why: String| Problem(StatusCode::BAD_REQUEST, format!("the body: {why}"));
    let body =
        body.map_err(|error| Problem(error.status(), "the body is too long, or broke off".into()))?;
    match body.trim_ascii() {
        // What reads objects would take lists for them.
        [b'[', ..] => Err(bad("not an object".into())),
        json => serde_json::from_slice(json).map_err(|error| bad(error.to_string())),
    }
}

fn forbidden(why: &str) -> Problem {
    Problem(StatusCode::FORBIDDEN, why.into())
}

/// Lets an admin pass, while it is known who is revoked.
fn admin(identity: &Identity, shared: &Shared, what: &str) -> Result<(), Problem> {
    if identity.role != Role::Admin {
        return Err(forbidden(&format!("only an admin's certificate {what}")));
    }
    is_known_who_is_revoked(shared)
}

/// Who may be revoked changes nothing and has nothing done.
fn is_known_who_is_revoked(shared: &Shared) -> Result<(), Problem> {
    match shared.revoked.standing(Instant::now()) {
        Standing::Fresh => Ok(()),
        _ => Err(Problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "it is not known which certificates are revoked".into(),
        )),
    }
}

fn caller(identity: &Identity) -> Result<ClientId, Problem> {
    let refused = || Problem(StatusCode::FORBIDDEN, "this path is for clients".into());
    if identity.role != Role::Client {
        return Err(refused());
    }
    identity.id.parse().map_err(|_| refused())
}

fn public(key: &KeyRecord) -> OwnerKey {
    OwnerKey {
        kind: key.owner.kind().to_string(),
        id: key.owner.id().to_owned(),
        public_key: STANDARD.encode(key.public_key.as_bytes()),
        key_id: key.key_id.to_string(),
        version: key.version,
    }
}
