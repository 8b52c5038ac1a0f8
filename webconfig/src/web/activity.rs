//! The audit log: looked at, filtered, verified and exported.

use std::io;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use control::{AuditPage, AuditQuery, MAX_AUDIT};
use http_body_util::channel::{Channel, Sender};
use serde::Deserialize;

use super::guard::{Asked, SignedIn, Tokened};
use super::pages::frame;
use super::{page, refusal};
use crate::app::App;
use crate::audit;
use crate::view::activity::{self, ActivityPage};

/// Entries of a page.
const PAGE: usize = 100;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is looked for; empty is anything.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Filter {
    by: String,
    event: String,
    about: String,
    from: String,
    to: String,
    before: Option<u64>,
}

#[derive(Deserialize)]
pub struct VerifyForm {
    token: String,
}

impl Tokened for VerifyForm {
    fn token(&self) -> &str {
        &self.token
    }
}

/// A page of the log, the newest first. Looking has the rest verified.
pub async fn show(
    State(app): State<Arc<App>>,
    by: SignedIn,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Response {
    let Ok(Query(filter)) = filter else {
        return refusal(
            StatusCode::BAD_REQUEST,
            "This page is asked for in another way.",
        );
    };
    app.audit.verify(&app.fleet, false);
    let found = match filter.query() {
        Ok(query) => find(&app, query).await,
        Err(why) => Err(why.into()),
    };
    let verified = app.audit.verified();
    let frame = frame(&by.session, "activity");
    let shown = ActivityPage::new(frame, &verified, filter.asked(), found);
    page(StatusCode::OK, &shown)
}

async fn find(app: &App, query: AuditQuery) -> Result<AuditPage, String> {
    let found = audit::find(&app.fleet, query).await;
    found.map_err(|error| format!("The log cannot be read: {error}"))
}

/// Has all of it verified anew.
pub async fn verify(State(app): State<Arc<App>>, asked: Asked<VerifyForm>) -> Response {
    if let Err(refused) = asked.by.operates() {
        return refused.into_response();
    }
    tracing::info!(user = %asked.by.session.name, "the audit log is verified from its first entry");
    app.audit.verify(&app.fleet, true);
    Redirect::to("/activity").into_response()
}

/// All entries in their order, as `pgseal-keymaker audit export` writes them.
pub async fn export(State(app): State<Arc<App>>, by: SignedIn) -> Response {
    tracing::info!(user = %by.session.name, "the audit log is exported");
    let query = AuditQuery {
        after: Some(0),
        limit: Some(MAX_AUDIT),
        ..AuditQuery::default()
    };
    // Asked for before anything is answered: what cannot be read is no empty file.
    let first = match audit::read(&app.fleet, &query).await {
        Ok(first) => first,
        Err(error) => {
            tracing::error!(%error, "the audit log cannot be exported");
            return refusal(StatusCode::BAD_GATEWAY, "No server reads the log.");
        }
    };
    let (sender, body) = Channel::<Bytes, io::Error>::new(1);
    tokio::spawn(write(app, query, first, sender));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"audit.jsonl\"",
        ),
    ];
    (headers, Body::new(body)).into_response()
}

/// A browser whose download is broken off knows that it is not whole.
async fn write(
    app: Arc<App>,
    mut query: AuditQuery,
    mut page: AuditPage,
    mut sender: Sender<Bytes, io::Error>,
) {
    loop {
        let mut lines = Vec::new();
        for entry in &page.entries {
            serde_json::to_writer(&mut lines, entry).expect("text and numbers");
            lines.push(b'\n');
        }
        if sender.send_data(lines.into()).await.is_err() {
            return;
        }
        let Some(next) = page.next else { return };
        query.after = Some(next);
        page = match audit::read(&app.fleet, &query).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "the export of the audit log breaks off");
                return sender.abort(io::Error::other("the log cannot be read"));
            }
        };
    }
}

impl Filter {
    fn query(&self) -> Result<AuditQuery, &'static str> {
        let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(AuditQuery {
            before: self.before,
            limit: Some(PAGE),
            by: filled(&self.by),
            event: filled(&self.event),
            about: filled(&self.about),
            since: day(&self.from)?.map(|day| day.as_secs()),
            until: day(&self.to)?.map(|day| (day + DAY).as_secs()),
            ..AuditQuery::default()
        })
    }

    fn asked(self) -> activity::Asked {
        activity::Asked {
            by: self.by,
            event: self.event,
            about: self.about,
            from: self.from,
            to: self.to,
            before: self.before,
        }
    }
}

/// When a day begins, since 1970 in UTC; `None` where none is said.
fn day(text: &str) -> Result<Option<Duration>, &'static str> {
    const NO_DAY: &str = "A day is written like 2026-12-31.";
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let begins = humantime::parse_rfc3339(&format!("{text}T00:00:00Z"));
    let since = begins
        .ok()
        .and_then(|it| it.duration_since(UNIX_EPOCH).ok());
    since.map(Some).ok_or(NO_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_and_what_is_none_is_refused() {
        assert_eq!(day(""), Ok(None));
        assert_eq!(day("1970-01-02"), Ok(Some(DAY)));
        for text in [
            "1970-1-2",
            "yesterday",
            "1969-12-31",
            "2026-13-01",
            "2026-01-01T00:00:00Z",
        ] {
            assert!(day(text).is_err(), "{text}");
        }
        let one = Filter {
            from: "1970-01-02".into(),
            to: "1970-01-02".into(),
            ..Filter::default()
        };
        let query = one.query().unwrap();
        assert_eq!((query.since, query.until), (Some(86_400), Some(172_800)));
    }
}
