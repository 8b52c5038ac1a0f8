//! Everything that must stay secret on a stand, as bytes to look for.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use envelope::Owner;
use harness::{Identity, Keys, Random};
use keystore::{MasterKey, Store};

/// A named secret.
type Needle = (String, Vec<u8>);

/// The secrets of a stand.
pub struct Secrets {
    /// The id of a zone that the client may open, and that some markers are sealed to.
    pub zone: String,
    /// A value too long to be opened: a marker and much behind it.
    pub long: Vec<u8>,
    /// Secrets that are right in their form and open nothing here.
    pub wrong_master_key: String,
    pub wrong_passphrase: String,
    pub password: String,
    markers: Vec<Needle>,
    keys: Vec<Needle>,
}

impl Secrets {
    /// Draws the markers, and takes the raw keys out of store, key files and certificates' keys.
    pub fn new(keys: &Keys, zone: &str, password: String, random: &mut Random) -> Self {
        let markers = [
            ("a binary marker", random.bytes(32)),
            ("another binary marker", random.bytes(32)),
            ("a marker of text", hex(&random.bytes(16)).into_bytes()),
        ];
        let markers = markers
            .map(|(name, marker)| (name.to_owned(), marker))
            .to_vec();
        Self {
            zone: zone.to_owned(),
            long: [markers[0].1.as_slice(), &vec![b'x'; 2 << 20]].concat(),
            wrong_master_key: format!(
                "pgseal-master-1.{}",
                URL_SAFE_NO_PAD.encode(random.bytes(32))
            ),
            wrong_passphrase: hex(&random.bytes(16)),
            password,
            markers,
            keys: all_keys(keys, zone),
        }
    }

    /// The marked values.
    pub fn markers(&self) -> Vec<Needle> {
        self.markers.clone()
    }

    /// The marked values and everything else.
    pub fn all(&self) -> Vec<Needle> {
        let texts = [
            ("the wrong master key", &self.wrong_master_key),
            ("the wrong passphrase", &self.wrong_passphrase),
            ("the password", &self.password),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.clone().into_bytes()));
        [self.markers.as_slice(), &self.keys, &texts].concat()
    }
}

fn all_keys(keys: &Keys, zone: &str) -> Vec<Needle> {
    let master_key = fs::read_to_string(keys.master_key_file()).unwrap();
    let master_key = master_key.trim();
    let raw = master_key.strip_prefix("pgseal-master-1.").unwrap();
    let mut needles = vec![
        ("the master key's text".to_owned(), master_key.into()),
        (
            "the master key".to_owned(),
            URL_SAFE_NO_PAD.decode(raw).unwrap(),
        ),
        ("the CA's passphrase".to_owned(), Keys::CA_PASSPHRASE.into()),
    ];
    let store = MasterKey::from_file(&keys.master_key_file()).unwrap();
    let store = Store::open(keys.store(), store).unwrap();
    for owner in [
        Owner::Client("app".parse().unwrap()),
        Owner::Zone(zone.parse().unwrap()),
    ] {
        let key = store.active_key(&owner).unwrap();
        let private = store.private_key(&key).unwrap();
        assert_eq!(private.public_key().key_id(), keys_id(keys, &owner));
        needles.push((
            format!("the private key of {owner}"),
            private.expose_secret().to_vec(),
        ));
    }
    for identity in [
        keys.server_identity("primary"),
        keys.server_identity("replica"),
        keys.client_identity("app"),
    ] {
        let name = format!("the TLS key in {}", identity.private_key.display());
        needles.push((name, tls_key(&identity)));
    }
    needles
}

fn keys_id(keys: &Keys, owner: &Owner) -> envelope::KeyId {
    match owner {
        Owner::Client(id) => keys.client(id.as_str()).key_id(),
        Owner::Zone(id) => keys.zone(id.as_str()).key_id(),
    }
}

/// The private number in a PEM file of PKCS #8, version and octet string before it (RFC 5915).
fn tls_key(identity: &Identity) -> Vec<u8> {
    const BEFORE: [u8; 5] = [2, 1, 1, 4, 32];
    let pem = fs::read_to_string(&identity.private_key).unwrap();
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let der = STANDARD.decode(lines.collect::<String>()).unwrap();
    let at = der.windows(5).position(|window| window == BEFORE).unwrap();
    der[at + 5..at + 37].to_vec()
}

/// The files of the store, which hold all keys sealed.
pub fn store_files(keys: &Keys) -> Vec<Needle> {
    let directory = keys.store().parent().unwrap().to_owned();
    let store = keys
        .store()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let is_stores = |path: &Path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(&store)
    };
    let paths = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let paths: Vec<_> = paths.filter(|path| is_stores(path)).collect();
    assert!(paths.contains(&keys.store()));
    let named = |path: std::path::PathBuf| (path.display().to_string(), fs::read(&path).unwrap());
    paths.into_iter().map(named).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
