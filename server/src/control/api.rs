//! Every path of the control API, once: from an entry of the table comes the route and its part of
//! `GET /v1/openapi.json`.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::handler::Handler;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use control::openapi::{self, Operation};
use control::{
    AuditMark, AuditPage, AuditQuery, AuditVerified, CancelOutcome, CancelRequest, Drain, NewZone,
    News, OwnerKey, SessionsView, SettingsChange, SettingsView, Standing, Status, Why, WhyAnswer,
    ZoneRequest, path,
};
use tunnel::Role::{Admin, Client, Server};

use super::{
    audit, client, drain, get_new_zone, new_zone, owners, sessions, settings, status, watch, why,
    zone,
};
use crate::shared::Shared;

/// The table. A path is added by an entry here: the operation, with the roles that may ask (`only`; all of
/// them where it is not said), what it takes and answers (types of `control` that derive `JsonSchema`), and
/// every status that its handler refuses with; and the handler.
pub fn api() -> Api {
    let api = Api::default()
        .with(
            Operation::get(
                path::STATUS,
                "How the server is; a client is told of its own.",
            )
            .answers::<Status>(200)
            .refuses(&[403]),
            status,
        )
        .with(
            Operation::get(path::WATCH, "What is new, for as long as somebody listens.")
                .tells::<News>(),
            watch,
        )
        .with(
            Operation::get(path::CLIENT, "The client's own public key.")
                .only(&[Client])
                .answers::<OwnerKey>(200)
                .refuses(&[403, 404, 503]),
            client,
        )
        .with(
            Operation::post(path::ZONES, "A new zone, which its creator may open.")
                .only(&[Client])
                .may_take::<ZoneRequest>()
                .answers::<OwnerKey>(201)
                .refuses(&[400, 403, 409, 410, 413, 429, 503]),
            new_zone,
        )
        .with(
            Operation::get(
                format!("{}/{{id}}", path::ZONES),
                "A zone's public key; to a client, if it may open the zone.",
            )
            .only(&[Client, Admin])
            .answers::<OwnerKey>(200)
            .refuses(&[403, 404, 410, 503]),
            zone,
        )
        .with(
            Operation::get(
                path::GET_NEW_ZONE,
                "A new zone, as Acra's connector answered.",
            )
            .only(&[Client])
            .answers::<NewZone>(200)
            .refuses(&[403, 429, 503]),
            get_new_zone,
        )
        .with(
            Operation::post(
                path::DRAIN,
                "No new sessions from now on, or sessions again.",
            )
            .only(&[Admin])
            .takes::<Drain>()
            .answers::<Standing>(200)
            .refuses(&[400, 403, 413, 503]),
            drain::drain,
        )
        .with(
            Operation::post(
                path::WHY,
                "Why values open or stay sealed, step by step; never what is in them.",
            )
            .only(&[Admin])
            .takes::<Why>()
            .answers::<WhyAnswer>(200)
            .refuses(&[400, 403, 404, 413, 422, 503]),
            why::why,
        )
        .with(
            Operation::get(path::AUDIT, "A part of the store's audit log.")
                .only(&[Admin])
                .asks::<AuditQuery>()
                .answers::<AuditPage>(200)
                .refuses(&[400, 403, 503]),
            audit::show,
        )
        .with(
            Operation::get(path::AUDIT_VERIFY, "A stretch of the audit log, checked.")
                .only(&[Admin])
                .asks::<AuditMark>()
                .answers::<AuditVerified>(200)
                .refuses(&[400, 403, 503]),
            audit::verify,
        )
        .with(
            Operation::get(
                path::SESSIONS,
                "The sessions that run; a client's are its own.",
            )
            .answers::<SessionsView>(200)
            .refuses(&[403]),
            sessions::show,
        )
        .with(
            Operation::post(
                path::CANCEL,
                "A cancel request that came to another server.",
            )
            .only(&[Server])
            .takes::<CancelRequest>()
            .answers::<CancelOutcome>(200)
            .refuses(&[400, 403, 413, 503]),
            sessions::cancel,
        )
        .with(
            Operation::get(path::SETTINGS, "The live settings as they hold here.")
                .only(&[Server, Admin])
                .answers::<SettingsView>(200)
                .refuses(&[403]),
            settings::show,
        )
        .with(
            Operation::post(
                path::SETTINGS,
                "Changes settings of all servers, or tries it.",
            )
            .only(&[Admin])
            .takes::<SettingsChange>()
            .answers::<SettingsView>(200)
            .refuses(&[400, 403, 409, 413, 422, 503]),
            settings::change,
        )
        .with(Operation::get(path::OPENAPI, "This document."), document);
    owners::with_paths(api)
}

/// Routes, and what is said of them.
#[derive(Default)]
pub struct Api {
    /// The routes.
    pub router: Router<Arc<Shared>>,
    operations: Vec<Operation>,
}

impl Api {
    /// With one operation more.
    pub fn with<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        let method = MethodFilter::try_from(operation.method.clone());
        let method = method.expect("operations have methods that axum knows");
        self.router = self.router.route(&operation.path, on(method, handler));
        self.operations.push(operation);
        self
    }
}

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let document = openapi::document(&api().operations, env!("CARGO_PKG_VERSION"));
    document.to_string().into()
});

async fn document() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        DOCUMENT.clone(),
    )
}
