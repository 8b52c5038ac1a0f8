//! What pages show anew, as it changes: server-sent events (HTML, section 9.2).

use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};

use super::guard::{SignedIn, who};
use crate::app::App;
use crate::users::Role;
use crate::view::activity::VerifiedPart;
use crate::view::{FleetPart, ModePart};

/// The least time between two events.
const PAUSE: Duration = Duration::from_millis(250);

/// Something is sent this often at least: a browser that is gone is found out.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A browser that is cut off comes back after so long.
const RETRY: &str = "retry: 1000\n\n";

/// The part of a page that changes by itself.
#[derive(Clone, Copy)]
enum Part {
    Fleet,
    ZoneMode,
    Activity,
}

/// Sends the part of a page whenever it is another than before, for as long as somebody is signed in.
/// That alone does not keep a session.
pub async fn events(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Response {
    let part = match name.as_str() {
        "fleet" => Part::Fleet,
        "zone-mode" => Part::ZoneMode,
        "activity" => Part::Activity,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match who(&app, &headers, false) {
        Ok(Some(_)) => {}
        // The script then asks for the page, and so for the sign-in.
        Ok(None) => return StatusCode::UNAUTHORIZED.into_response(),
        Err(refused) => return refused.into_response(),
    }
    let (sender, body) = Channel::<Bytes>::new(1);
    let mut connected = app.connections.enter();
    tokio::spawn(async move {
        tokio::select! {
            () = tell(app, headers, part, sender) => {}
            // The browser comes again, and finds who serves now.
            () = connected.leaving() => {}
        }
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    (kind, Body::new(body)).into_response()
}

async fn tell(app: Arc<App>, headers: HeaderMap, part: Part, mut sender: Sender<Bytes>) {
    let mut changes = app.fleet.changes();
    let mut last = String::new();
    if sender.send_data(Bytes::from(RETRY)).await.is_err() {
        return;
    }
    loop {
        changes.mark_unchanged();
        let Ok(Some(by)) = who(&app, &headers, false) else {
            return;
        };
        let Ok(shown) = render(&app, &by, part) else {
            return;
        };
        let event = match shown == last {
            true => ":\n\n".to_owned(),
            false => event(&shown),
        };
        last = shown;
        if sender.send_data(Bytes::from(event)).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        // Nothing has changed, and it is time to say so: the same comes of both.
        let _ = tokio::time::timeout(HEARTBEAT, changes.changed()).await;
    }
}

fn render(app: &App, by: &SignedIn, part: Part) -> Result<String, askama::Error> {
    let seen = app.fleet.seen();
    match part {
        Part::Activity => VerifiedPart::new(&app.audit.verified()).render(),
        Part::Fleet => FleetPart::new(&seen, Instant::now()).render(),
        Part::ZoneMode => {
            let may_change = by.session.role == Role::Operator;
            let token = by.session.form_token.expose_secret();
            ModePart::new(app, &seen, may_change, token).render()
        }
    }
}

/// One event. A line of it is a line of the part.
fn event(shown: &str) -> String {
    let lines = shown.lines().map(|line| format!("data: {line}\n"));
    lines.chain(["\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_cannot_begin_an_event_of_its_own() {
        let shown = event("<p>\r\n\nevent: other</p>");
        assert_eq!(shown, "data: <p>\ndata: \ndata: event: other</p>\n\n");
    }
}
