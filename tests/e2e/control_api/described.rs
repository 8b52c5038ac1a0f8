//! `GET /v1/openapi.json` and what it describes: the routes, the table of the security model, and who is
//! let in.

use std::collections::BTreeSet;
use std::fs;

use harness::{Identity, Server, free_port, root};

use super::*;

/// A server before a database that is not there.
pub struct Alone {
    pub keys: Keys,
    pub server: Server,
}

impl Alone {
    pub fn start() -> Self {
        let (keys, port) = (Keys::new(), free_port());
        keys.add_zone_creator("app");
        let identity = keys.server_identity("server");
        let database = format!("127.0.0.1:{port}");
        let server = Server::start("server", &identity, &keys, &database, &[]);
        Self { keys, server }
    }

    fn document(&self) -> Value {
        let admin = self.keys.admin_identity("root");
        let answer = self
            .server
            .control(&admin, &Request::get("/v1/openapi.json"));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json()
    }
}

/// `GET /v1/status` and so on, with what is said of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods
            .into_iter()
            .map(move |(method, said)| (method.to_uppercase(), path.clone(), said))
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn every_path_that_is_named_is_in_the_document_and_routes_are_made_from_it_alone() {
    let document = Alone::start().document();
    assert_eq!(document["openapi"], "3.1.0");
    let told: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(_, path, _)| path)
        .collect();
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let names = read("crates/control/src/lib.rs");
    let named = names.lines().filter_map(|line| {
        let (_, value) = line
            .trim()
            .strip_prefix("pub const ")?
            .split_once("&str = \"")?;
        value.strip_suffix("\";")
    });
    // A connector's own.
    let named = named.filter(|path| *path != "/v1/servers");
    let missing: Vec<_> = named.clone().filter(|path| !told.contains(*path)).collect();
    assert!(named.count() >= 10 && missing.is_empty(), "{missing:?}");
    let mut sources = vec![read("server/src/control.rs")];
    let mut folders = vec![root().join("server/src/control")];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            match file.is_dir() {
                true => folders.push(file),
                false => sources.push(fs::read_to_string(file).unwrap()),
            }
        }
    }
    let routes = sources.iter().map(|it| it.matches(".route(").count());
    assert_eq!(
        routes.sum::<usize>(),
        1,
        "beside the table in control/api.rs"
    );
}

#[test]
fn the_security_models_table_has_the_operations_that_there_are() {
    let document = Alone::start().document();
    let told = operations(&document).into_iter();
    let told: BTreeSet<_> = told
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let model = fs::read_to_string(root().join("docs/security-model.md")).unwrap();
    let (_, part) = model.split_once("\n## The control API\n").unwrap();
    let (part, _) = part.split_once("\n## ").unwrap();
    let rows = part.lines().filter_map(|line| line.strip_prefix("| "));
    let first = rows.filter_map(|row| row.split(" | ").next());
    let words = first.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let listed: BTreeSet<_> = words.map(|word| word.replace("ID", "{id}")).collect();
    assert_eq!(told, listed);
}

#[test]
fn what_is_described_is_answered_to_the_roles_that_it_names_and_no_other() {
    let stand = Alone::start();
    let keys = &stand.keys;
    let identities: [(&str, Identity); 3] = [
        ("client", keys.client_identity("app")),
        ("server", keys.server_identity("another")),
        ("admin", keys.admin_identity("root")),
    ];
    let described = operations(&stand.document());
    for (method, path, said) in &described {
        // Without an end.
        if path == "/v1/watch" {
            continue;
        }
        let request = Request::new(method, &path.replace(['{', '}'], ""));
        let roles = said["security"].as_array().unwrap();
        for (role, identity) in &identities {
            let answer = stand.server.control(identity, &request);
            let is_let_in = roles.contains(&json!({ "certificate": [role] }));
            let case = format!("{method} {path} as {role}: {}", answer.status);
            assert_eq!(answer.status != 403, is_let_in, "{case}");
            let statuses = said["responses"].as_object().unwrap();
            assert!(statuses.contains_key(&answer.status.to_string()), "{case}");
            assert_ne!(answer.status, 405, "{case}");
        }
    }
    let (_, admin) = &identities[2];
    let paths: BTreeSet<_> = described.iter().map(|(_, path, _)| path).collect();
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let is_told = |it: &&(String, String, Value)| it.0 == method && it.1 == *path;
            if described.iter().any(|it| is_told(&it)) {
                continue;
            }
            let answer = stand.server.control(admin, &Request::new(method, path));
            error(&answer, 405, &format!("{method} {path}"));
        }
    }
}
