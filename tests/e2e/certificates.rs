//! Certificates that change and end: new ones, other CAs and revocations reach running programs,
//! and sessions that have nothing to do with it go on.

mod age;
mod expiry;
mod reload;
mod revoked;
mod under_load;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::http::Request;
use harness::raw::tls::{AlertDescription, Hello, TlsStream, alert};
use harness::raw::{Message, Session, message, tags};
use harness::{Ca, Cluster, Connector, Identity, Keys, Leaf, Server, Tap, TestDir, until};
use keystore::{MasterKey, Revoked, Store, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

/// From a revocation's being in the store to the end of the last session that lives on it.
const REVOKED_WITHIN: Duration = Duration::from_secs(2);

/// A connector of client `app`, its server `primary` and a database, with certificates of a test's
/// own CA. They lie where they can be replaced under the running programs.
struct Stand {
    connector: Connector,
    server: Server,
    /// What the connector hears of revocations comes through it.
    control: Tap,
    database: Cluster,
    keys: Keys,
    ca: Ca,
    /// The connector's certificate, as it was at first.
    app: Identity,
    /// The server's.
    primary: Identity,
    dir: TestDir,
}

impl Stand {
    fn start() -> Self {
        Self::with(&[], &[])
    }

    /// With lines for the server's and the connector's configuration.
    fn with(server: &[&str], connector: &[&str]) -> Self {
        let (keys, ca, dir) = (Keys::new(), Ca::new(), TestDir::new("installed"));
        for id in ["app", "other"] {
            keys.add_client(id);
        }
        let app = ca.issue(&Leaf::client("app"));
        let primary = ca.issue(&Leaf::server("primary"));
        let database = Cluster::start();
        let address = database.address().to_string();
        let identity = install(&dir, "server", &primary);
        let server = Server::start("server", &identity, &keys, &address, server);
        let control = Tap::to(server.port());
        let to_control = format!("control = '127.0.0.1:{}'", control.port());
        let lines = [&[to_control.as_str()], connector].concat();
        let identity = install(&dir, "connector", &app);
        let connector = Connector::start("connector", &identity, server.port(), &lines);
        Self {
            connector,
            server,
            control,
            database,
            keys,
            ca,
            app,
            primary,
            dir,
        }
    }

    /// A session through connector and server.
    fn session(&self) -> Session {
        let mut session = self.connector.address().raw();
        session.start();
        session
    }

    /// A session of another client, without a connector.
    fn session_of(&self, identity: &Identity) -> Session<TlsStream> {
        let mut session = Hello::from(identity).connect(self.server.port()).unwrap();
        session.start();
        session
    }

    /// What the connector's API says of its server and of itself.
    fn status(&self) -> Value {
        self.connector.api(&Request::get("/v1/status")).json()
    }

    /// Puts a certificate into the store's list of those that are revoked; gives the moment when it
    /// was there.
    fn revoke(&self, identity: &Identity) -> Instant {
        revoke(&self.keys, identity)
    }

    /// Waits until the connector has heard of so many revoked certificates.
    #[track_caller]
    fn connector_has_heard(&self, revoked: u64) {
        until("the connector to hear who is revoked", || {
            let heard = &self.status()["connector"]["revocations"];
            (heard["number"].is_u64() && heard["revoked"] == revoked).then_some(())
        });
    }

    /// What an application hears whose session does not begin.
    #[track_caller]
    fn turned_away(&self) -> Message {
        let mut session = self.connector.address().raw();
        session.send(message::startup(&[("user", "postgres")]));
        farewell(session)
    }
}

/// Copies an identity's files to where they are replaced by the next of this name.
fn install(dir: &TestDir, name: &str, identity: &Identity) -> Identity {
    let copy = |from: &Path, extension: &str| {
        let to = dir.join(&format!("{name}.{extension}"));
        fs::copy(from, &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        to
    };
    Identity {
        certificate: copy(&identity.certificate, "crt"),
        private_key: copy(&identity.private_key, "key"),
        ca: copy(&identity.ca, "ca"),
    }
}

/// The serial number of an identity's own certificate.
fn serial(identity: &Identity) -> String {
    let certificate = CertificateDer::from_pem_file(&identity.certificate).unwrap();
    tunnel::Serial::of(&certificate).unwrap().to_string()
}

fn revoke(keys: &Keys, identity: &Identity) -> Instant {
    let master_key = MasterKey::from_file(&keys.master_key_file()).unwrap();
    let store = Store::open(keys.store(), master_key).unwrap();
    let revoked = Revoked {
        identity: None,
        at: Timestamp::now(),
        expires: None,
        reason: None,
    };
    let serial = serial(identity).parse().unwrap();
    let added = store.by("a test").revoke(&[(serial, revoked)]).unwrap();
    assert_eq!(added.len(), 1, "it was revoked already");
    Instant::now()
}

/// The error with which a session ends, and nothing before it.
#[track_caller]
fn farewell<S: harness::raw::Stream>(mut session: Session<S>) -> Message {
    let mut heard = session.read_until_closed();
    assert_eq!(tags(&heard), "E", "{heard:?}");
    let error = heard.remove(0);
    assert_eq!(error.field(b'V').as_deref(), Some("FATAL"));
    error
}

/// An error's SQLSTATE and text.
fn says(error: &Message) -> (String, String) {
    (error.sqlstate(), error.field(b'M').unwrap_or_default())
}

/// It still answers.
#[track_caller]
fn goes_on<S: harness::raw::Stream>(session: &mut Session<S>) {
    assert_eq!(tags(&session.query("select 1")), "TDCZ");
}

/// The alert that a peer hears in place of its first answer.
#[track_caller]
fn alerted(hello: &Hello, port: u16) -> AlertDescription {
    let heard = match hello.connect(port) {
        Err(error) => alert(&error),
        // In TLS 1.3 the server judges a certificate after the client's part is done.
        Ok(session) => session.read_to_end().1,
    };
    heard.unwrap_or_else(|| panic!("no alert"))
}
