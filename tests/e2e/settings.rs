//! Live settings: in the store for a whole fleet, changed through a server or by an operator's
//! program, and followed by every server while its sessions run.

mod applied;
mod changed;
mod fixed;
mod not_taken;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use envelope::Recipient;
use harness::http::{Request, Response};
use harness::raw::{Session, literal, rows};
use harness::{Chain, ChainBuilder, Keys, Link, Server};
use keystore::{MasterKey, Store};
use serde_json::{Value, json};

/// How long a change may take to hold on every server.
const PROMISE: Duration = Duration::from_secs(1);

/// A value that is sealed to the client, in clear.
const CLEAR: &[u8] = b"sealed to the client";

/// Two servers that share a store, with an application's session on each.
struct Stand {
    sessions: [Session; 2],
    chain: Chain,
    app: Recipient,
}

impl Stand {
    fn start() -> Self {
        let chain = Chain::builder().start();
        Self {
            sessions: [&chain.primary, &chain.replica].map(session),
            app: chain.client(),
            chain,
        }
    }

    /// What a session reads of the client's value: itself, or its envelope.
    fn opens(&mut self, which: usize) -> bool {
        opens(&mut self.sessions[which], &self.app)
    }
}

fn session(link: &Link) -> Session {
    let mut session = link.address().raw();
    session.start();
    session
}

/// Whether the client's value opens: it does in mode `off`.
fn opens(session: &mut Session, app: &Recipient) -> bool {
    let sealed = literal(&app.seal(CLEAR).unwrap());
    let answer = session.extended(&format!("select {sealed}"), 1);
    rows(&answer)[0][0].as_deref() == Some(CLEAR)
}

/// One link whose client is `app`.
fn link(chain: &ChainBuilder) -> (Keys, Link, Recipient) {
    let keys = Keys::new();
    let app = keys.add_client("app");
    let link = chain.start_link(&keys);
    (keys, link, app)
}

/// Asks a server for its settings, as an admin.
#[track_caller]
fn settings(keys: &Keys, server: &Server) -> Value {
    let shown = server.control(&keys.admin_identity("ops"), &Request::get("/v1/settings"));
    assert_eq!(shown.status, 200, "{shown:?}");
    shown.json()
}

/// One setting of those.
#[track_caller]
fn setting(settings: &Value, name: &str) -> Value {
    let all = settings["settings"].as_array().unwrap().iter();
    let found = all.clone().find(|setting| setting["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}")).clone()
}

/// Changes settings through a server, as the admin of this id, who has seen this number.
fn change(keys: &Keys, server: &Server, admin: &str, number: &Value, changes: Value) -> Response {
    let body = json!({ "number": number, "changes": changes }).to_string();
    let request = Request::post("/v1/settings").body(body);
    server.control(&keys.admin_identity(admin), &request)
}

/// Changes settings in the store, past every server.
fn store_says(keys: &Keys, changes: &[(&str, &str)]) {
    let master = MasterKey::from_file(&keys.master_key_file()).unwrap();
    let store = Store::open(keys.store(), master).unwrap();
    let change = |(name, value): &(&str, &str)| (name.parse().unwrap(), value.parse().ok());
    let changes: BTreeMap<_, _> = changes.iter().map(change).collect();
    let author = store.by("operator of@tomorrow");
    author.change_settings(&changes, None).unwrap();
}

/// Waits until something is so, and no longer than what is promised.
#[track_caller]
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() <= PROMISE,
            "after {PROMISE:?} not yet {what}"
        );
    }
}

/// What a server says of its health.
fn health(server: &Server) -> (u16, String) {
    let health = server.ops("/health");
    (health.status, health.text().to_owned())
}
