//! The small HTTP services that daemons offer, with every wait bounded: a peer that sends half a
//! request does not keep its connection.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Incoming, Places, accept};

/// How long a request's head may take, an idle connection between two requests too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request may take from its head to its answer, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections that are served at once. Requests here are short: one that has been there for longest
/// of so many waits for its peer.
const MAX_CONNECTIONS: usize = 256;

/// Serves a router on a listener, in clear, until dropped. Handlers find who asks among a request's
/// extensions.
pub async fn serve_http<I: Incoming>(listener: I, router: Router) {
    let places = Arc::new(Places::<I::Source>::new(MAX_CONNECTIONS));
    accept(listener, places, |stream, peer, place| {
        let router = router.clone().layer(Extension(peer));
        tokio::spawn(async move {
            tokio::select! {
                () = serve_http_connection(stream, router) => {}
                () = place.lost() => {}
            }
        });
    })
    .await;
}

/// Serves a router on one connection, until it ends.
pub async fn serve_http_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
) {
    let service = TowerToHyperService::new(router.layer(middleware::from_fn(in_time)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "an HTTP connection broke off");
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}
