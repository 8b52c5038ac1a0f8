//! The way to etcd: HTTP requests to one member after another, until one answers.
//!
//! It knows endpoints, deadlines, logins and etcd's errors; what is asked is the caller's. A member
//! that cannot be reached, hangs or has no leader is left for the next one, and the one that answered
//! last is asked first.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use ureq::http::header::{AUTHORIZATION, HeaderValue};
use ureq::{Agent, Body, Timeout};
use zeroize::Zeroizing;

use super::error::EtcdError;
use super::messages::{Answer, AuthenticateRequest, AuthenticateResponse, ErrorResponse};
use super::settings::{EtcdSettings, Login};
use crate::Error;
use crate::address::{Endpoint, EtcdAddress};

/// How long a member may take to accept a connection, TLS and the look-up of its name included.
const CONNECT: Duration = Duration::from_secs(1);
/// How long one member may take to answer. Electing a leader takes one to two seconds as etcd comes.
const ATTEMPT: Duration = Duration::from_millis(1500);
/// How long members are tried; the last attempt may begin just before. No call takes more than this
/// and one attempt: five seconds.
const TRYING: Duration = Duration::from_millis(3500);
/// How long a member may take over its own upkeep, compaction and defragmentation, during which it
/// answers nobody.
const UPKEEP: Duration = Duration::from_secs(300);
/// The pause before all members are asked once more.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest answer, in bytes: a page of records is a few hundred kilobytes.
const MAX_ANSWER: u64 = 16 << 20;
/// The longest answer that is an error.
const MAX_ERROR: u64 = 64 << 10;
/// How much of etcd's own words is repeated.
const MAX_WORDS: usize = 200;

/// A cluster to be asked. Shared by threads.
pub(super) struct Gateway {
    /// For requests, with [`ATTEMPT`] as their limit.
    agent: Agent,
    /// For upkeep.
    patient: Agent,
    encrypted: bool,
    endpoints: Vec<Endpoint>,
    /// The place in `endpoints` of the one that answered last.
    preferred: AtomicUsize,
    login: Option<Login>,
    token: Mutex<Option<HeaderValue>>,
    /// The cluster, once one has answered.
    cluster: OnceLock<u64>,
    /// The newest revision that an answer was headed by.
    seen: AtomicI64,
    place: PathBuf,
}

/// Why one member did not do what it was asked.
pub(super) enum Fault {
    /// It was not reached, or refused to listen: nothing was done.
    NotSent(String),
    /// It was, and whether anything was done is not known.
    Unheard(String),
    /// It said no: nothing was done, and another member would say the same.
    Refused(Error),
    /// What was asked for is compacted.
    Compacted,
}

/// When a request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Whenever there was no answer: it reads, or can be made once only.
    Always,
    /// When it certainly has not arrived.
    NotSent,
}

impl Gateway {
    pub fn new(address: &EtcdAddress, settings: &EtcdSettings) -> Result<Self, Error> {
        let tls = settings.tls(address)?;
        let encrypted = tls.is_some();
        let agent = |limit| {
            Agent::config_builder()
                .https_only(encrypted)
                .tls_config(tls.clone().unwrap_or_default())
                .http_status_as_error(false)
                .max_redirects(0)
                // The environment's proxy is for the web.
                .proxy(None)
                .user_agent("pgseal")
                .max_idle_connections_per_host(8)
                .timeout_connect(Some(CONNECT))
                .timeout_resolve(Some(CONNECT))
                .timeout_global(Some(limit))
                .build()
                .new_agent()
        };
        Ok(Self {
            agent: agent(ATTEMPT),
            patient: agent(UPKEEP),
            encrypted,
            endpoints: address.endpoints().to_vec(),
            preferred: AtomicUsize::new(0),
            login: settings.login()?,
            token: Mutex::new(None),
            cluster: OnceLock::new(),
            seen: AtomicI64::new(0),
            place: address.to_string().into(),
        })
    }

    /// Takes this cluster for that of another gateway.
    #[cfg(test)]
    pub fn of_cluster_of(self, other: &Self) -> Self {
        Self {
            cluster: other.cluster.clone(),
            ..self
        }
    }

    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The store's address, for errors.
    pub fn place(&self) -> &PathBuf {
        &self.place
    }

    /// The newest revision that the cluster is known to have had: whatever is asked for now happens
    /// after it.
    pub fn seen(&self) -> i64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Asks members until one answers. [`Fault::Unheard`] comes only where the request must not be
    /// repeated.
    pub fn ask<A: Answer>(
        &self,
        path: &str,
        request: &impl Serialize,
        repeat: Repeat,
    ) -> Result<A, Fault> {
        self.ask_since(Instant::now(), path, request, repeat)
    }

    /// [`ask`](Self::ask), as a part of something that has begun then.
    pub fn ask_since<A: Answer>(
        &self,
        begun: Instant,
        path: &str,
        request: &impl Serialize,
        repeat: Repeat,
    ) -> Result<A, Fault> {
        let count = self.endpoints.len();
        let mut said: Vec<Option<String>> = vec![None; count];
        loop {
            let first = self.preferred.load(Ordering::Relaxed);
            let mut all_refused = true;
            for number in (first..first + count).map(|number| number % count) {
                let endpoint = &self.endpoints[number];
                let fault = match self.ask_at(endpoint, path, request) {
                    Ok(answer) => {
                        self.preferred.store(number, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Err(fault) => fault,
                };
                self.preferred
                    .store((number + 1) % count, Ordering::Relaxed);
                match fault {
                    Fault::NotSent(what) => said[number] = Some(what),
                    Fault::Unheard(what) if repeat == Repeat::Always => {
                        all_refused = false;
                        said[number] = Some(what);
                    }
                    Fault::Unheard(what) => {
                        return Err(Fault::Unheard(format!("{endpoint}: {what}")));
                    }
                    last => return Err(last),
                }
                if begun.elapsed() >= TRYING {
                    return Err(self.unreachable(&said));
                }
            }
            // Members that are not there will not be in a moment; an election is over soon.
            if all_refused {
                return Err(self.unreachable(&said));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Asks this member, once; twice if the login has to be renewed.
    pub fn ask_at<A: Answer>(
        &self,
        endpoint: &Endpoint,
        path: &str,
        request: &impl Serialize,
    ) -> Result<A, Fault> {
        let body = self.send(&self.agent, endpoint, path, request)?;
        self.answer(endpoint, body)
    }

    /// Asks this member for upkeep, which may take minutes.
    pub fn upkeep_at<A: Answer>(
        &self,
        endpoint: &Endpoint,
        path: &str,
        request: &impl Serialize,
    ) -> Result<A, Fault> {
        let body = self.send(&self.patient, endpoint, path, request)?;
        self.answer(endpoint, body)
    }

    /// Asks the member that answered last for a stream of messages, which ends with its connection,
    /// after [`ATTEMPT`] at the latest.
    pub fn stream(&self, path: &str, request: &impl Serialize) -> Result<Body, Fault> {
        let endpoint = &self.endpoints[self.preferred.load(Ordering::Relaxed)];
        self.send(&self.agent, endpoint, path, request)
    }

    /// The error of a failed read.
    pub fn failed(&self, fault: Fault) -> Error {
        match fault {
            Fault::NotSent(what) | Fault::Unheard(what) => EtcdError::Unreachable(what).into(),
            Fault::Refused(error) => error,
            Fault::Compacted => EtcdError::Compacted.into(),
        }
    }

    fn unreachable(&self, said: &[Option<String>]) -> Fault {
        let each = self.endpoints.iter().zip(said);
        let each =
            each.filter_map(|(endpoint, what)| Some(format!("{endpoint}: {}", what.as_ref()?)));
        Fault::NotSent(each.collect::<Vec<_>>().join("; "))
    }

    fn send(
        &self,
        agent: &Agent,
        endpoint: &Endpoint,
        path: &str,
        request: &impl Serialize,
    ) -> Result<Body, Fault> {
        let request = serde_json::to_vec(request).expect("requests are made of text and numbers");
        let Some(login) = &self.login else {
            return self.post(agent, endpoint, path, &request, None);
        };
        let token = self.token(endpoint, login)?;
        match self.post(agent, endpoint, path, &request, Some(&token)) {
            Err(Fault::Refused(Error::Etcd(EtcdError::NoLogin))) => {
                self.forget(&token);
                let token = self.token(endpoint, login)?;
                self.post(agent, endpoint, path, &request, Some(&token))
            }
            other => other,
        }
    }

    /// The token of the login, from memory or from this member.
    fn token(&self, endpoint: &Endpoint, login: &Login) -> Result<HeaderValue, Fault> {
        // Held while etcd is asked, so that threads do not all log in at once.
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &*token {
            return Ok(token.clone());
        }
        let request = AuthenticateRequest {
            name: &login.user,
            password: login.password.expose_secret(),
        };
        let request = Zeroizing::new(serde_json::to_vec(&request).expect("two texts"));
        let body = self.post(&self.agent, endpoint, "auth/authenticate", &request, None)?;
        let answer: AuthenticateResponse = self.answer(endpoint, body)?;
        let mut value = HeaderValue::from_str(&Zeroizing::new(answer.token))
            .map_err(|_| Fault::Unheard("its token is none".into()))?;
        value.set_sensitive(true);
        *token = Some(value.clone());
        Ok(value)
    }

    /// Forgets a token that etcd does not take any more, unless another thread has a newer one.
    fn forget(&self, token: &HeaderValue) {
        let mut known = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() == Some(token) {
            *known = None;
        }
    }

    fn post(
        &self,
        agent: &Agent,
        endpoint: &Endpoint,
        path: &str,
        request: &[u8],
        token: Option<&HeaderValue>,
    ) -> Result<Body, Fault> {
        let scheme = if self.encrypted { "https" } else { "http" };
        let mut post = agent.post(format!("{scheme}://{endpoint}/v3/{path}"));
        if let Some(token) = token {
            post = post.header(AUTHORIZATION, token);
        }
        let (parts, mut body) = post.send(request).map_err(fault)?.into_parts();
        if parts.status.is_success() {
            return Ok(body);
        }
        let text = body.with_config().limit(MAX_ERROR).read_to_vec();
        let error = text.map_err(fault)?;
        match serde_json::from_slice::<ErrorResponse>(&error) {
            Ok(error) if error.code != 0 => Err(self.meaning(path, &error)),
            _ if error.starts_with(b"CommonName ") => {
                Err(Fault::Refused(EtcdError::NamedCertificate.into()))
            }
            _ => Err(Fault::Unheard(format!(
                "HTTP status {} and no word of etcd's; is its gRPC gateway on, and is it TLS that it speaks?",
                parts.status.as_u16()
            ))),
        }
    }

    fn answer<A: Answer>(&self, endpoint: &Endpoint, mut body: Body) -> Result<A, Fault> {
        let text = body.with_config().limit(MAX_ANSWER).read_to_vec();
        let answer: A = serde_json::from_slice(&text.map_err(fault)?)
            .map_err(|_| Fault::Unheard("an answer that is none of etcd's".into()))?;
        if let Some(header) = answer.header() {
            if *self.cluster.get_or_init(|| header.cluster_id) != header.cluster_id {
                return Err(Fault::Refused(
                    EtcdError::OtherCluster(endpoint.to_string()).into(),
                ));
            }
            self.seen.fetch_max(header.revision, Ordering::AcqRel);
        }
        Ok(answer)
    }

    /// What an error of etcd's means: its gRPC code, and where that is not enough, its words.
    fn meaning(&self, path: &str, error: &ErrorResponse) -> Fault {
        const INVALID_ARGUMENT: u32 = 3;
        const PERMISSION_DENIED: u32 = 7;
        const RESOURCE_EXHAUSTED: u32 = 8;
        const FAILED_PRECONDITION: u32 = 9;
        const OUT_OF_RANGE: u32 = 11;
        const UNAUTHENTICATED: u32 = 16;
        let says = |words: &str| error.error.contains(words);
        let words = one_line(&error.error);
        let refused = |error: EtcdError| Fault::Refused(error.into());
        match (error.code, &self.login) {
            (INVALID_ARGUMENT | RESOURCE_EXHAUSTED, _)
                if says("request is too large") || says("message larger than max") =>
            {
                refused(EtcdError::TooLarge)
            }
            (RESOURCE_EXHAUSTED, _) if says("space exceeded") => refused(EtcdError::NoSpace),
            _ if error.code == PERMISSION_DENIED || says("permission denied") => {
                refused(match path {
                    "maintenance/defragment" => EtcdError::Denied {
                        what: "defragmentation",
                        remedy: "have somebody with etcd's role root run `etcdctl defrag --cluster`",
                    },
                    _ => EtcdError::Denied {
                        what: "access to the store's prefix",
                        remedy: "grant the user readwrite on the prefix with `etcdctl role grant-permission`",
                    },
                })
            }
            // A token that has expired, that the member has forgotten, or of an older state of users.
            (UNAUTHENTICATED, _) => refused(EtcdError::NoLogin),
            (INVALID_ARGUMENT, _)
                if says("user name is empty") || says("revision of auth store") =>
            {
                refused(EtcdError::NoLogin)
            }
            (FAILED_PRECONDITION, _) if says("authentication is not enabled") => {
                refused(EtcdError::NoAuthentication)
            }
            (INVALID_ARGUMENT | FAILED_PRECONDITION, Some(login))
                if path == "auth/authenticate" =>
            {
                refused(EtcdError::Login {
                    user: login.user.clone(),
                    what: words,
                })
            }
            (OUT_OF_RANGE, _) => Fault::Compacted,
            (INVALID_ARGUMENT | FAILED_PRECONDITION, _) => refused(EtcdError::Said(words)),
            // No leader, a leader that changed, a time-out: some of them after the request was put
            // before the members.
            _ => Fault::Unheard(words),
        }
    }
}

/// What the HTTP client's error means.
fn fault(error: ureq::Error) -> Fault {
    let words = one_line(&error.to_string());
    match error {
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            Fault::NotSent(format!("no connection within {} s", CONNECT.as_secs()))
        }
        ureq::Error::Timeout(_) => Fault::Unheard("no answer in time".into()),
        ureq::Error::BodyExceedsLimit(_) => Fault::Refused(EtcdError::TooLarge.into()),
        ureq::Error::HostNotFound => Fault::NotSent("there is no such host".into()),
        ureq::Error::ConnectionFailed | ureq::Error::BadUri(_) => Fault::NotSent(words),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => Fault::NotSent(words),
        ureq::Error::Io(error) if not_sent(&error) => Fault::NotSent(words),
        _ => Fault::Unheard(words),
    }
}

/// Whether this is said only before anything is sent, or of what the peer refused to listen to.
fn not_sent(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|cause| cause.downcast_ref());
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable
    ) || matches!(
        tls,
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
    )
}

/// Somebody else's words, as a part of one line.
fn one_line(words: &str) -> String {
    words
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(MAX_WORDS)
        .collect()
}
