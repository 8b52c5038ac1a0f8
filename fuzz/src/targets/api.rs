//! The control API as its router takes requests, over a store of its own: what is answered stands in the
//! OpenAPI document, and what is taken is what was said, and nothing else.

mod server;

use std::cell::RefCell;

use control::{
    AuditPage, AuditVerified, CancelOutcome, CancelRequest, ClientChange, ClientCreation,
    ClientDetail, ClientsPage, Drain, ErrorBody, NewZone, OwnerKey, SessionsView, SettingsChange,
    SettingsView, Standing, Status, Why, WhyAnswer, ZoneChange, ZoneCreation, ZoneDetail,
    ZoneRequest, ZonesPage,
};
use pgseal_server::fuzzing::Asked;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tunnel::{Identity, Role};

use server::Server;

/// Requests, a NUL between two: a line `ROLE METHOD TARGET [USER]`, and the body behind it.
pub fn run(bytes: &[u8]) {
    SERVER.with_borrow_mut(|server| {
        let mut has_changed = false;
        for request in bytes.split(|byte| *byte == 0).take(MOST) {
            has_changed |= check(server, request).unwrap_or(false);
        }
        // An input means the same whatever came before it.
        if has_changed {
            server.renew();
        }
    });
}

/// Requests of an input: what comes of a dozen comes of these.
const MOST: usize = 6;

thread_local! {
    // Unlike what is static it is dropped in the end, and its files with it.
    static SERVER: RefCell<Server> = RefCell::new(Server::new());
}

/// The answer to a request is one that the document has for it. True if it may have changed something;
/// nothing where it is no request.
fn check(server: &Server, request: &[u8]) -> Option<bool> {
    let line = request.iter().position(|byte| *byte == b'\n');
    let (line, body) = request.split_at(line.unwrap_or(request.len()));
    let mut words = str::from_utf8(line).ok()?.splitn(4, ' ');
    let (role, method, target) = (words.next()?, words.next()?, words.next()?);
    let user = words.next();
    let (role, id) = match role {
        "admin" => (Role::Admin, "ops"),
        "server" => (Role::Server, "other"),
        "client" => (Role::Client, "app"),
        "stranger" => (Role::Client, "nobody"),
        _ => return None,
    };
    if !target.starts_with('/') || !matches!(method, "GET" | "POST" | "PUT" | "DELETE") {
        return None;
    }
    let body = server.filled_in(body);
    let (status, answer) = server.api.ask(Asked {
        identity: Identity {
            role,
            id: id.to_owned(),
        },
        user,
        method,
        target,
        body: &body,
    })?;
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let said = server.operation(path, method);
    match &said {
        _ if user.is_some() && (role != Role::Admin || status == 400) => {
            assert!(matches!(status, 400 | 403), "{status}");
        }
        Err(unknown) => assert_eq!(status, *unknown, "{method} {path}"),
        Ok(operation) => {
            let responses = &operation.said["responses"];
            assert!(
                !responses[status.to_string()].is_null(),
                "{method} {path}: {status}"
            );
        }
    }
    if !matches!(status, 200 | 201) {
        let error: ErrorBody = same_again(&answer);
        assert!(!error.error.is_empty());
        return Some(false);
    }
    let operation = said.expect("nothing is answered where nothing is said");
    let template = operation.template;
    answered(method, template, &answer);
    if method == "POST" {
        taken(template, &body);
    }
    Some(method == "POST" || template == control::path::GET_NEW_ZONE)
}

/// What an answer is made of, by path.
fn answered(method: &str, template: &str, answer: &[u8]) {
    fn read<T: DeserializeOwned + Serialize>(answer: &[u8]) {
        same_again::<T>(answer);
    }
    let read: fn(&[u8]) = match (method, template) {
        ("GET", "/v1/status") => read::<Status>,
        ("GET", "/v1/watch") => return,
        ("GET", "/v1/client" | "/v1/zones/{id}") | ("POST", "/v1/zones") => read::<OwnerKey>,
        ("GET", "/getNewZone") => read::<NewZone>,
        ("POST", "/v1/drain") => read::<Standing>,
        ("POST", "/v1/why") => read::<WhyAnswer>,
        ("GET", "/v1/sessions") => read::<SessionsView>,
        ("POST", "/v1/cancel") => read::<CancelOutcome>,
        (_, "/v1/settings") => read::<SettingsView>,
        ("GET", "/v1/audit") => read::<AuditPage>,
        ("GET", "/v1/audit/verify") => read::<AuditVerified>,
        ("GET", "/v1/owners/clients") => read::<ClientsPage>,
        ("GET", "/v1/owners/zones") => read::<ZonesPage>,
        (_, "/v1/owners/clients" | "/v1/owners/clients/{id}") => read::<ClientDetail>,
        (_, "/v1/owners/zones" | "/v1/owners/zones/{id}") => read::<ZoneDetail>,
        _ => read::<Value>,
    };
    read(answer);
}

/// What was taken says all that was said.
fn taken(template: &str, body: &[u8]) {
    match template {
        // Nothing is as good as an empty object.
        "/v1/zones" if body.trim_ascii().is_empty() => {}
        "/v1/zones" => all_of::<ZoneRequest>(body),
        "/v1/drain" => all_of::<Drain>(body),
        "/v1/why" => all_of::<Why>(body),
        "/v1/cancel" => all_of::<CancelRequest>(body),
        "/v1/settings" => all_of::<SettingsChange>(body),
        "/v1/owners/clients" => all_of::<ClientCreation>(body),
        "/v1/owners/clients/{id}" => all_of::<ClientChange>(body),
        "/v1/owners/zones" => all_of::<ZoneCreation>(body),
        "/v1/owners/zones/{id}" => all_of::<ZoneChange>(body),
        other => panic!("what does {other} take?"),
    }
}

fn all_of<T: DeserializeOwned + Serialize>(body: &[u8]) {
    let taken: T = serde_json::from_slice(body).expect("it was taken");
    let taken = serde_json::to_value(&taken).expect("what was read can be written");
    let said: Value = serde_json::from_slice(body).expect("it was taken");
    assert!(holds(&taken, &said), "{said} became {taken}");
}

/// Whether all of `said` stands in `taken`.
fn holds(taken: &Value, said: &Value) -> bool {
    match (taken, said) {
        (Value::Object(taken), Value::Object(said)) => said
            .iter()
            .all(|(name, said)| taken.get(name).is_some_and(|taken| holds(taken, said))),
        (taken, said) => taken == said,
    }
}

/// What is read of an answer is all of it: it is written as it came.
fn same_again<T: DeserializeOwned + Serialize>(answer: &[u8]) -> T {
    let read: T = serde_json::from_slice(answer).expect("an answer is what the document says");
    let again = serde_json::to_value(&read).expect("what was read can be written");
    assert_eq!(serde_json::from_slice::<Value>(answer).ok(), Some(again));
    read
}
