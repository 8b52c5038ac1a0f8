//! The control API: its types, the settings that it changes, and a client for it.
//!
//! It is JSON over HTTP/1.1 inside the same mutual TLS as data sessions, told apart by ALPN. A
//! server answers it; a connector passes a part of it on to applications beside it.

mod audit;
mod certificates;
mod choices;
mod client;
mod connectors;
#[doc(hidden)]
pub mod fuzzing;
mod live;
pub mod openapi;
mod owners;
mod sessions;
mod settings;
mod standing;
mod types;
mod units;
mod user;
mod watch;
mod why;

pub use audit::{
    AuditBody, AuditEntry, AuditMark, AuditPage, AuditQuery, AuditVerified, MAX_AUDIT,
};
pub use certificates::{CertificateStatus, ConnectorStatus, News, RevocationStatus, Revocations};
pub use choices::{LogLevel, NotAChoice, OnRefused, ZoneMode};
pub use client::{Answer, Client, ClientError, percent_encoded};
pub use connectors::{CONNECTOR, ConnectorView};
pub use live::{BadSetting, LIVE_SETTINGS, Live, LiveSetting, ROW_COPIES, check_settings};
pub use owners::{
    ClientChange, ClientCreation, ClientDetail, ClientView, ClientsPage, EVERY_CLIENT, KeyView,
    MAX_GRACE_SECONDS, MAX_OWNERS, MIN_GRACE_SECONDS, OWNERS, OpenedBy, OwnersQuery, ZoneChange,
    ZoneCreation, ZoneDetail, ZoneFate, ZoneView, ZonesPage,
};
pub use sessions::{CancelOutcome, CancelRequest, SessionView, SessionsView};
pub use settings::{
    LastChange, Origin, SettingView, SettingsChange, SettingsStatus, SettingsView, StoredSetting,
};
pub use standing::{Availability, DatabaseRole, DatabaseStanding, Drain, Lineage, Standing};
pub use types::{
    ByZoneMode, ErrorBody, NewZone, OwnerAccess, OwnerKey, SessionAccess, Status, StoreStatus,
    Values, ZoneRequest,
};
pub use units::{ByteSize, Count, CountOrNone, Period};
pub use user::{NoName, USER_HEADER, UserName};
pub use watch::{HEARTBEAT, MAX_LINE, Watch};
pub use why::{EnvelopeAnswer, MAX_WHY, Step, StepAnswer, ValueAnswer, Why, WhyAnswer, WhyValue};

/// Paths of the API, so that both ends name them once.
pub mod path {
    /// `GET`: [`Status`](crate::Status).
    pub const STATUS: &str = "/v1/status";
    /// `GET`: a line of [`News`](crate::News) at once, one at each change, and one at least every
    /// [`HEARTBEAT`](crate::HEARTBEAT), without end.
    pub const WATCH: &str = "/v1/watch";
    /// `GET`: of a server its [`SessionsView`](crate::SessionsView); of a connector the sessions that
    /// run through it, and where each goes.
    pub const SESSIONS: &str = "/v1/sessions";
    /// `GET`, of a connector alone: its listeners and its servers, and what is known of them.
    pub const SERVERS: &str = "/v1/servers";
    /// `GET`: the caller's [`OwnerKey`](crate::OwnerKey).
    pub const CLIENT: &str = "/v1/client";
    /// `POST` a [`Drain`](crate::Drain): this server takes no new sessions, or takes them again. The
    /// [`Standing`](crate::Standing) as it is then.
    pub const DRAIN: &str = "/v1/drain";
    /// `POST` a [`CancelRequest`](crate::CancelRequest), of servers alone:
    /// [`CancelOutcome`](crate::CancelOutcome).
    pub const CANCEL: &str = "/v1/cancel";
    /// `GET`: [`SettingsView`](crate::SettingsView). `POST` a
    /// [`SettingsChange`](crate::SettingsChange): the same as it is then.
    pub const SETTINGS: &str = "/v1/settings";
    /// `GET` with an [`AuditQuery`](crate::AuditQuery), of admins alone:
    /// [`AuditPage`](crate::AuditPage).
    pub const AUDIT: &str = "/v1/audit";
    /// `GET` with an [`AuditMark`](crate::AuditMark), of admins alone:
    /// [`AuditVerified`](crate::AuditVerified).
    pub const AUDIT_VERIFY: &str = "/v1/audit/verify";
    /// `POST` a [`Why`](crate::Why), of admins alone: [`WhyAnswer`](crate::WhyAnswer).
    pub const WHY: &str = "/v1/why";
    /// `POST` a [`ZoneRequest`](crate::ZoneRequest) or nothing: a new zone's
    /// [`OwnerKey`](crate::OwnerKey).
    pub const ZONES: &str = "/v1/zones";
    /// Of admins alone. `GET` with an [`OwnersQuery`](crate::OwnersQuery):
    /// [`ClientsPage`](crate::ClientsPage). `POST` a [`ClientCreation`](crate::ClientCreation). With
    /// `/ID` behind it, `GET`, and `POST` of a [`ClientChange`](crate::ClientChange): a
    /// [`ClientDetail`](crate::ClientDetail), as of a creation.
    pub const OWNERS_CLIENTS: &str = "/v1/owners/clients";
    /// The same of zones: [`ZonesPage`](crate::ZonesPage), [`ZoneCreation`](crate::ZoneCreation),
    /// [`ZoneChange`](crate::ZoneChange), [`ZoneDetail`](crate::ZoneDetail).
    pub const OWNERS_ZONES: &str = "/v1/owners/zones";
    /// `GET`: all of this in OpenAPI 3.1.
    pub const OPENAPI: &str = "/v1/openapi.json";
    /// `GET`: [`NewZone`](crate::NewZone), as Acra's connector answered it.
    pub const GET_NEW_ZONE: &str = "/getNewZone";
}
