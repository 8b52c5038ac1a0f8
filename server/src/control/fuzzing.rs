//! The control API asked in memory: for the workspace's fuzz targets.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::{Request, header};
use axum::{Extension, Router};
use control::{USER_HEADER, path};
use daemon::{Failure, Layers, LogHandle, Predecessor, Shutdown};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::runtime::{Builder, Runtime};
use tunnel::Identity;

use super::router;
use crate::Prepared;
use crate::config::Config;
use crate::listen::{ListenerNumber, PeerAddress};
use crate::shared::Shared;

/// The API of a server that listens nowhere.
pub struct ControlApi(Router);

/// With a thread of its own, as the program has: handlers that take long want one.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads can be started")
});

/// A request, and whom the certificate says it is of.
pub struct Asked<'a> {
    /// Who asks,
    pub identity: Identity,
    /// and for whom, as a header says.
    pub user: Option<&'a str>,
    /// How.
    pub method: &'a str,
    /// What: a path, and a query behind it.
    pub target: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl ControlApi {
    /// Of a server of this configuration, which is started as far as that goes without sockets.
    ///
    /// # Errors
    /// Why a server would not start.
    pub fn new(layers: &Layers) -> Result<Self, Failure> {
        let loaded = layers.load::<Config>()?;
        let prepared = Prepared::new(&loaded)?;
        let (ending, _) = Shutdown::new();
        let shared = Shared::new(
            &loaded.config,
            prepared,
            LogHandle::default(),
            ending,
            Predecessor::default(),
        );
        let router = router(Arc::new(shared))
            .layer(Extension(PeerAddress(([127, 0, 0, 1], 1).into())))
            .layer(Extension(ListenerNumber(0)));
        Ok(Self(router))
    }

    /// The status and the body of the answer; of one without end, nothing. `None` where HTTP knows no such
    /// request.
    #[must_use]
    pub fn ask(&self, asked: Asked<'_>) -> Option<(u16, Vec<u8>)> {
        let request = Request::builder()
            .method(asked.method)
            .uri(asked.target)
            .header(header::USER_AGENT, "pgseal-connector/1");
        let request = match asked.user {
            Some(user) => request.header(USER_HEADER, user),
            None => request,
        };
        let request = request.body(Body::from(asked.body.to_vec())).ok()?;
        let is_endless = request.uri().path() == path::WATCH;
        let router = self.0.clone().layer(Extension(asked.identity));
        RUNTIME.block_on(async {
            let answer = TowerToHyperService::new(router).call(request).await;
            let answer = answer.unwrap_or_else(|never| match never {});
            let status = answer.status().as_u16();
            let body = match is_endless && status == 200 {
                true => Vec::new(),
                false => {
                    let body = answer.into_body().collect().await;
                    body.expect("it is in memory").to_bytes().to_vec()
                }
            };
            Some((status, body))
        })
    }
}
