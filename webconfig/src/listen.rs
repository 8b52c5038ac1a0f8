//! Accepts browsers, in clear or with TLS, and bounds how many there are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use daemon::{Connected, Network, Places, accept, serve_http_connection};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::app::App;
use crate::tls::Tls;
use crate::web;

/// Connections at once. A page that shows itself anew keeps one open.
const MAX_CONNECTIONS: usize = 1024;

/// How long a browser's TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until dropped. Handlers find who asks among a request's extensions.
pub async fn serve(listener: Arc<TcpListener>, app: Arc<App>, tls: Arc<Tls>) {
    let router = web::router(app.clone());
    let places = Arc::new(Places::<Network>::new(MAX_CONNECTIONS));
    accept(listener, places, |stream, peer, place| {
        let router = router.clone().layer(Extension::<SocketAddr>(peer));
        let (tls, connected) = (tls.clone(), app.connections.enter());
        tokio::spawn(async move {
            tokio::select! {
                () = serve_one(stream, router, &tls, connected) => {}
                () = place.lost() => {}
            }
        });
    })
    .await;
}

async fn serve_one(stream: TcpStream, router: Router, tls: &Tls, connected: Connected) {
    let Some(config) = tls.https() else {
        return serve_http_connection(stream, router, connected).await;
    };
    let handshake = TlsAcceptor::from(config).accept(stream);
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => serve_http_connection(stream, router, connected).await,
        Ok(Err(error)) => tracing::debug!(%error, "a browser's TLS handshake failed"),
        Err(_) => tracing::debug!("a browser's TLS handshake took too long"),
    }
}
