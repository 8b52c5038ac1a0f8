//! A server without sockets, with the keys of the format's vectors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;

use keystore::{MasterKey, Store};
use pgseal_server::config::Config;
use pgseal_server::fuzzing::Replies;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};

use crate::sealed::{self, CLIENT};

/// One for all, and for as long as the process runs: a runtime must not end with a thread.
pub static REPLIES: LazyLock<Replies> = LazyLock::new(replies);

/// Its files are there while it begins.
fn replies() -> Replies {
    let dir = tempfile::tempdir().expect("there is a place for files");
    certificate(dir.path());
    let file = |name: &str| dir.path().join(name).display().to_string();
    let config = format!(
        "store = '{}'\n[database]\naddress = '127.0.0.1:1'\n\
         [tls]\ncertificate = '{}'\nprivate_key = '{}'\nca = '{}'\n",
        file("store.db"),
        file("server.crt"),
        file("server.key"),
        file("ca.crt")
    );
    let config: Config = toml::from_str(&config).expect("it is a configuration");
    let master = MasterKey::generate().expect("there is randomness");
    let store = Store::create(config.place(), master, "a target").expect("it can be written");
    let client = CLIENT.parse().expect("it is an id");
    Replies::new(&config, store, client, sealed::keys())
}

/// Writes the certificate of server `s`, its key, and the CA that has signed it.
fn certificate(dir: &Path) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = || KeyPair::generate().expect("there is randomness");
    let ca = CertifiedIssuer::self_signed(ca, key()).expect("it can be signed");
    let mut leaf = CertificateParams::default();
    let uri = "pgseal://server/s".try_into().expect("it is ASCII");
    leaf.subject_alt_names = vec![SanType::URI(uri)];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = key();
    let certificate = leaf.signed_by(&key, &ca).expect("it can be signed");
    for (name, text) in [
        ("ca.crt", ca.pem()),
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        let path = dir.join(name);
        fs::write(&path, text).expect("it can be written");
        let closed = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&path, closed).expect("it is its own");
    }
}
