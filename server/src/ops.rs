//! What balancers and operators' tools ask over plain HTTP: whether new sessions are to come to this
//! server, and what it has counted. Paths, methods and codes are Patroni's where Patroni has them, so that
//! a balancer that asks Patroni can ask a server in its place.
//!
//! No check asks the store, nor a database that is watched: what was heard of them last counts. Whether the
//! server itself is ready is `ops/ready`, what its database is good for `ops/role`.

mod lag;
mod patroni;
mod problem;
mod ready;
mod role;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use control::{Availability, DatabaseRole, Standing};
use daemon::Failure;
use tokio::net::TcpListener;

use crate::metrics::Levels;
use crate::shared::Shared;

use patroni::Status;
use problem::Problem;
use role::Wanted;

/// A path by which it is asked whether sessions are to come.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// In the words that check scripts of old look for. Where nobody reads them, the code has to say
    /// it: as to [`Wanted::Primary`], which is also what Patroni takes this path for.
    MasterOrSlave,
    /// By the role of its database.
    Role(Wanted),
    /// Whatever its role.
    Health,
    /// The same with all that is known, as JSON.
    Patroni,
}

/// Each answers GET, HEAD and OPTIONS.
const CHECKS: [(&str, Check); 6] = [
    ("/", Check::MasterOrSlave),
    ("/primary", Check::Role(Wanted::Primary)),
    ("/replica", Check::Role(Wanted::Replica)),
    ("/read-only", Check::Role(Wanted::Either)),
    ("/health", Check::Health),
    ("/patroni", Check::Patroni),
];

/// How long a database may take to its first word before the server takes over without it: one that is down
/// is down for the process before as well.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// Returns when sessions may come: the server is ready, and has heard of its databases what listeners need.
///
/// # Errors
/// It is not ready.
pub async fn serves(shared: &Shared) -> Result<(), Failure> {
    let accepts = async {
        for told in &shared.standings {
            let mut told = told.subscribe();
            let accepts = |standing: &Standing| standing.availability == Availability::Accepting;
            // The sender lives as long as `shared`.
            let _ = told.wait_for(accepts).await;
        }
        if let Some(chooser) = shared.databases.ways().chooser() {
            chooser.settled().await;
        }
    };
    // In the other case the check says more.
    let _ = tokio::time::timeout(FIRST_WORD, accepts).await;
    ready::check(shared).map_err(|problem| Failure::Failed(problem.to_string()))
}

/// Answers until dropped.
pub async fn serve(listener: Arc<TcpListener>, shared: Arc<Shared>) {
    let router = CHECKS
        .into_iter()
        .fold(Router::new(), |router, (path, check)| {
            router.route(path, check.route())
        })
        .route("/metrics", get(metrics))
        .with_state(shared.clone());
    daemon::serve_http(listener, router, &shared.connections).await;
}

impl Check {
    fn route(self) -> MethodRouter<Arc<Shared>> {
        let answer = move |State(shared): State<Arc<Shared>>, method: Method, uri: Uri| async move {
            let check = match self {
                Self::MasterOrSlave if method != Method::GET => Self::Role(Wanted::Primary),
                check => check,
            };
            let response = check.answer(&shared, uri.query()).await;
            match method {
                // A code and nothing more; HEAD is seen to by the router.
                Method::OPTIONS => response.status().into_response(),
                _ => response,
            }
        };
        get(answer).options(answer)
    }

    async fn answer(self, shared: &Shared, query: Option<&str>) -> Response {
        match self {
            Self::MasterOrSlave => match role::found(shared, Wanted::Either, None) {
                Ok(DatabaseRole::Primary) => "OK : master".into_response(),
                Ok(DatabaseRole::Replica) => "OK : slave".into_response(),
                Err(problem) => refusal(&problem),
            },
            Self::Role(wanted) => {
                // What is not understood would be a promise that is not kept.
                let most = match wanted {
                    Wanted::Primary => None,
                    Wanted::Replica | Wanted::Either => match lag::most(query) {
                        Ok(most) => most,
                        Err(why) => return line(StatusCode::BAD_REQUEST, &why),
                    },
                };
                match role::found(shared, wanted, most) {
                    Ok(role) => line(StatusCode::OK, &role.to_string()),
                    Err(problem) => refusal(&problem),
                }
            }
            Self::Health => match health(shared).await {
                Ok(()) => line(StatusCode::OK, "ok"),
                Err(problem) => refusal(&problem),
            },
            Self::Patroni => {
                let problem = role::found(shared, Wanted::Either, None).err();
                let status = match problem {
                    None => StatusCode::OK,
                    Some(_) => StatusCode::SERVICE_UNAVAILABLE,
                };
                let known = Status::new(shared, problem.as_ref(), Instant::now());
                (status, Json(known)).into_response()
            }
        }
    }
}

fn line(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

fn refusal(problem: &Problem) -> Response {
    line(StatusCode::SERVICE_UNAVAILABLE, &problem.to_string())
}

/// Whether the server is ready and a database answers, one that is not watched too.
async fn health(shared: &Shared) -> Result<(), Problem> {
    ready::check(shared)?;
    match shared.databases.answers().await {
        true => Ok(()),
        false => Err(Problem::NoAnswer),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    shared.metrics.set(&Levels {
        sessions: shared.sessions.count(),
        store_age: shared.keys.contact.age(Instant::now()),
        store_revision: shared.keys.contact.revision().count(),
        revocation_list_age: shared.revoked.age(Instant::now()),
        certificates: &shared.tls.setup().certificates,
    });
    ([(header::CONTENT_TYPE, FORMAT)], shared.metrics.render())
}
