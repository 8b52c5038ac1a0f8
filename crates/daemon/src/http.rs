//! The small HTTP services that daemons offer, with every wait bounded: a peer that sends half a
//! request does not keep its connection.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Connected, Connections, Incoming, Places, accept};

/// How long a request's head may take, an idle connection between two requests too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request may take from its head to its answer, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections that are served at once. Requests here are short: one that has been there for longest
/// of so many waits for its peer.
const MAX_CONNECTIONS: usize = 256;

/// Serves a router on a listener, in clear, until dropped. Handlers find who asks among a request's
/// extensions.
pub async fn serve_http<I: Incoming>(listener: I, router: Router, connections: &Connections) {
    let places = Arc::new(Places::<I::Source>::new(MAX_CONNECTIONS));
    accept(listener, places, |stream, peer, place| {
        let router = router.clone().layer(Extension(peer));
        let connected = connections.enter();
        tokio::spawn(async move {
            tokio::select! {
                () = serve_http_connection(stream, router, connected) => {}
                () = place.lost() => {}
            }
        });
    })
    .await;
}

/// Serves a router on one connection, until it ends, or another process is there for the next request.
pub async fn serve_http_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut connected: Connected,
) {
    let service = TowerToHyperService::new(router.layer(middleware::from_fn(in_time)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = connected.leaving() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection broke off");
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Whether a request was made to this host by a name that is its own alone. A page of another site can have its
/// own name lead here, and then reads what is answered to that.
#[must_use]
pub fn is_local_host(headers: &HeaderMap) -> bool {
    let Some(Ok(host)) = headers.get(header::HOST).map(|host| host.to_str()) else {
        return false;
    };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _port)) => address,
        None => host.split_once(':').map_or(host, |(name, _port)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_local() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST:9191", true),
            ("127.0.0.1:9191", true),
            ("127.8.8.8", true),
            ("[::1]:9191", true),
            ("evil.example:9191", false),
            ("localhost.evil.example", false),
            ("10.0.0.1", false),
            ("[2001:db8::1]", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            assert_eq!(is_local_host(&headers), expected, "{host}");
        }
        assert!(!is_local_host(&HeaderMap::new()));
    }
}
