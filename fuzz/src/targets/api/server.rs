//! The server that is asked: its store is made by the keymaker, once for a process, and copied where
//! something has changed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Command;
use daemon::Layers;
use envelope::{ClientId, Owner, Recipient, ZoneId};
use keystore::{MasterKey, NewZone, Permitted, Place, Store};
use pgseal_server::config::KEYS;
use pgseal_server::fuzzing::{Asked, ControlApi};
use serde_json::Value;
use tempfile::TempDir;
use tunnel::{Identity, Role};

/// A server and its store: client `app`, which may create zones, and `other`, which may not; zone
/// `tenant-1` for `app`, `tenant-2` for everybody, and `tenant-3`, which is to be destroyed.
pub struct Server {
    /// What is asked.
    pub api: ControlApi,
    document: Value,
    /// Words in bodies, and what they stand for: envelopes cannot be written beforehand.
    words: Vec<(&'static [u8], String)>,
    dir: TempDir,
}

/// What the OpenAPI document says of a request.
pub struct Operation<'a> {
    /// The path, with `{id}` where one stands.
    pub template: &'a str,
    /// The operation.
    pub said: &'a Value,
}

impl Server {
    pub fn new() -> Self {
        // In memory, if there is a place for it: a store is written to the disk at each change.
        let dir = match Path::new("/dev/shm").is_dir() {
            true => TempDir::new_in("/dev/shm"),
            false => TempDir::new(),
        };
        let dir = dir.expect("a temporary directory can be made");
        make_keys(dir.path());
        let words = fill(dir.path());
        fs::copy(dir.path().join(STORE), dir.path().join(FRESH)).expect("a store can be copied");
        let api = start(dir.path());
        let asked = Asked {
            identity: Identity {
                role: Role::Admin,
                id: "ops".to_owned(),
            },
            user: None,
            method: "GET",
            target: control::path::OPENAPI,
            body: b"",
        };
        let document = api.ask(asked).map(|(_, document)| document);
        let document = serde_json::from_slice(&document.unwrap_or_default());
        Self {
            api,
            document: document.expect("the document is JSON"),
            words,
            dir,
        }
    }

    /// As it was in the beginning.
    pub fn renew(&mut self) {
        let dir = self.dir.path();
        for name in [STORE, "store.db-wal", "store.db-shm"] {
            // The last two are there or not.
            let _ = fs::remove_file(dir.join(name));
        }
        fs::copy(dir.join(FRESH), dir.join(STORE)).expect("a store can be copied");
        self.api = start(dir);
    }

    /// What the document says of a method on a path; with which status it is refused where that is nothing.
    pub fn operation(&self, path: &str, method: &str) -> Result<Operation<'_>, u16> {
        let paths = self.document["paths"].as_object();
        let paths = paths.expect("the document has paths").iter();
        let fits = |template: &str| match template.strip_suffix("{id}") {
            Some(before) => path
                .strip_prefix(before)
                .is_some_and(|id| !id.is_empty() && !id.contains('/')),
            None => template == path,
        };
        let mut known = paths.filter(|(template, _)| fits(template));
        // A path with nothing to fill in comes before one with an id.
        let (template, operations) = known
            .clone()
            .find(|(template, _)| *template == path)
            .or_else(|| known.next())
            .ok_or(404u16)?;
        match &operations[method.to_lowercase()] {
            Value::Null => Err(405),
            said => Ok(Operation { template, said }),
        }
    }

    /// A body in which words stand for what they stand for.
    pub fn filled_in(&self, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        for (word, text) in &self.words {
            while let Some(at) = body.windows(word.len()).position(|it| it == *word) {
                body.splice(at..at + word.len(), text.bytes());
            }
        }
        body
    }
}

const STORE: &str = "store.db";
const FRESH: &str = "fresh.db";
const MASTER_KEY: &str = "master.key";
const CONFIGURATION: &str = "server.toml";

/// Master key, store, CA, the server's certificate and its configuration.
fn make_keys(dir: &Path) {
    let file = |name: &str| dir.join(name).into_os_string();
    let passphrase = dir.join("passphrase");
    private(&passphrase, "a passphrase of some length");
    let authority = [
        "--ca-dir".into(),
        file("ca"),
        "--ca-passphrase-file".into(),
        passphrase.into(),
    ];
    let store = [
        "--store".into(),
        file(STORE),
        "--master-key-file".into(),
        file(MASTER_KEY),
    ];
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    keymaker([words(&["init"]), store.to_vec(), authority.to_vec()].concat());
    let out = ["--out-dir".into(), file("")];
    keymaker(
        [
            words(&["cert", "server", "s"]),
            authority.to_vec(),
            out.to_vec(),
        ]
        .concat(),
    );
    let text = format!(
        "store = '{0}/{STORE}'\nmaster_key_file = '{0}/{MASTER_KEY}'\nzone_mode = 'mixed'\n\
         [database]\naddress = '127.0.0.1:1'\n\
         [tls]\ncertificate = '{0}/s.crt'\nprivate_key = '{0}/s.key'\nca = '{0}/ca/ca.crt'\n",
        dir.display()
    );
    private(&dir.join(CONFIGURATION), &text);
}

fn private(path: &PathBuf, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let closed = fs::Permissions::from_mode(0o600);
    let written = fs::write(path, text).and_then(|()| fs::set_permissions(path, closed));
    written.expect("a temporary file can be written");
}

fn keymaker(arguments: Vec<OsString>) {
    let arguments = [vec!["pgseal-keymaker".into()], arguments].concat();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    if let Err(error) = pgseal_keymaker::run(arguments, &mut out, &mut notes) {
        panic!("the keymaker does what it is told: {error}");
    }
}

/// Clients and zones, and a value that is sealed to one of each.
fn fill(dir: &Path) -> Vec<(&'static [u8], String)> {
    let place = Place::from(dir.join(STORE));
    let master = MasterKey::from_file(&dir.join(MASTER_KEY)).expect("it was made");
    let store = Store::open(place, master).expect("it was made");
    let by = store.by("a fuzzer");
    let done = "a new store can be changed";
    let [app, other]: [ClientId; 2] =
        ["app", "other"].map(|id| id.parse().expect("it can be an id"));
    by.add_client(&app, true, Some(2)).expect(done);
    by.add_client(&other, false, None).expect(done);
    let zones = ["tenant-1", "tenant-2", "tenant-3"];
    let zones: [ZoneId; 3] = zones.map(|id| id.parse().expect("it can be an id"));
    for id in &zones {
        let clients = match id.as_str() {
            "tenant-2" => Permitted::All,
            _ => Permitted::Only([app.clone()].into()),
        };
        let zone = NewZone {
            id: Some(id.clone()),
            clients,
            creator: None,
        };
        by.add_zone(&zone).expect(done);
    }
    let sealed = |owner: Owner| {
        let key = store.active_key(&owner).expect("an owner has a key");
        let sealed = Recipient::new(owner, key.public_key).seal(b"a value");
        sealed.expect("a short value can be sealed")
    };
    let [zone, _, going] = zones;
    let of_app = sealed(Owner::Client(app));
    let mut altered = of_app.clone();
    *altered.last_mut().expect("an envelope is not empty") ^= 1;
    let words = vec![
        (b"ARMOR-APP".as_slice(), envelope::armor(&of_app)),
        (b"ALTERED-APP", hex(&altered)),
        (b"SEALED-APP", hex(&of_app)),
        (b"SEALED-ZONE", hex(&sealed(Owner::Zone(zone)))),
        (b"SEALED-GOING", hex(&sealed(Owner::Zone(going.clone())))),
    ];
    let day = Duration::from_secs(86_400);
    by.order_destruction(&going, day).expect(done);
    words
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn start(dir: &Path) -> ControlApi {
    let configuration = dir.join(CONFIGURATION).into_os_string();
    let arguments = ["server".into(), "--config".into(), configuration];
    let layers = Layers::from_arguments(Command::new("server"), KEYS, "", arguments);
    let api = layers.and_then(|layers| ControlApi::new(&layers));
    match api {
        Ok(api) => api,
        Err(error) => panic!("the server starts: {error}"),
    }
}
