//! Both directions of a session in memory: however what comes is cut, the same leaves.

use envelope::{Owner, Recipient};
use keystore::{MasterKey, Store};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use tempfile::TempDir;

mod copies;

use super::fuzzing::Pieces;
use super::*;
use crate::config::Config;

/// In two, of which the first has so many bytes.
fn two(bytes: &[u8], at: usize) -> Pieces {
    let (first, second) = bytes.split_at(at);
    Pieces::new([first, second])
}

/// A server that is not listening, with a client that values are sealed to.
struct Fixture {
    _dir: TempDir,
    shared: Arc<Shared>,
    app: ClientId,
    serial: Serial,
    recipient: Recipient,
}

impl Fixture {
    fn new(on_refused: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        write_certificate(&dir);
        let text = format!(
            "store = '{}'\non_refused = '{on_refused}'\n[database]\naddress = '127.0.0.1:1'\n\
             [tls]\ncertificate = '{}'\nprivate_key = '{}'\nca = '{}'\n",
            file("store.db"),
            file("server.crt"),
            file("server.key"),
            file("ca.crt")
        );
        let config: Config = toml::from_str(&text).unwrap();
        let store = Store::create(config.place(), MasterKey::generate().unwrap(), "a test");
        let store = store.unwrap();
        let app: ClientId = "app".parse().unwrap();
        store.by("a test").add_client(&app, false, None).unwrap();
        let owner = Owner::from(app.clone());
        let recipient = Recipient::new(owner.clone(), store.active_key(&owner).unwrap().public_key);
        let (shared, _) = fuzzing::shared(&config, store);
        let serial = shared.tls.setup().certificates.serial.clone();
        Self {
            shared: Arc::new(shared),
            _dir: dir,
            app,
            serial,
            recipient,
        }
    }

    fn session(&self) -> Session {
        let startup = b"\0\0\0\x12\0\x03\0\0user\0app\0\0";
        fuzzing::session(&self.shared, &self.app, &self.serial, startup)
    }

    /// What leaves to the application when this comes from the database, after all that was asked.
    async fn db_to_app(&self, asked: &[u8], db: Pieces) -> Vec<u8> {
        let session = self.session();
        session
            .flow
            .conversation()
            .ask(Request::Query(Copies::default()));
        fuzzing::asked(&session, asked);
        // So it has nothing to say of its own in the end.
        session.flow.terminate();
        let mut left = Vec::new();
        DbToApp::new(&session, None)
            .run(db, BytesMut::new(), &mut left)
            .await
            .unwrap();
        left
    }

    /// What leaves to the database when this comes from the application.
    async fn app_to_db(&self, app: Pieces) -> Vec<u8> {
        let session = self.session();
        let mut left = Vec::new();
        app_to_db::run(app, BytesMut::new(), &mut left, &session.flow)
            .await
            .unwrap();
        left
    }
}

/// Writes the certificate of server `s`, its key, and the CA that has signed it.
fn write_certificate(dir: &TempDir) {
    use std::os::unix::fs::PermissionsExt;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let mut leaf = CertificateParams::default();
    let uri = "pgseal://server/s".try_into().unwrap();
    leaf.subject_alt_names = vec![SanType::URI(uri)];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &ca).unwrap();
    for (name, text) in [
        ("ca.crt", ca.pem()),
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, closed).unwrap();
    }
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [[tag].as_slice(), &length.to_be_bytes(), body].concat()
}

fn described(name: &str, type_oid: u32) -> Vec<u8> {
    let column = [name.as_bytes(), &[0; 7], &type_oid.to_be_bytes(), &[0; 8]].concat();
    message(b'T', &[[0, 1].as_slice(), &column].concat())
}

fn row(field: Option<&[u8]>) -> Vec<u8> {
    let length = field.map_or(-1, |field| i32::try_from(field.len()).unwrap());
    let field = field.unwrap_or_default();
    message(
        b'D',
        &[&[0, 1], length.to_be_bytes().as_slice(), field].concat(),
    )
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\\x{digits}").into_bytes()
}

/// A message of every type that an application sends once it has begun.
fn requests() -> Vec<u8> {
    let binary = b"\0s\0\0\0\0\x01\0\0\0\x03abc\0\x01\0\x01";
    [
        message(b'p', b"password\0"),
        message(b'Q', b"select s from t\0"),
        message(b'P', b"s\0select s from t where x = $1\0\0\0"),
        message(b'D', b"Ss\0"),
        message(b'B', binary),
        message(b'E', b"\0\0\0\0\0"),
        message(b'H', b""),
        message(b'C', b"Ss\0"),
        message(b'S', b""),
        message(b'F', b"whatever"),
        message(b'Q', b"copy t from stdin\0"),
        message(b'd', b"a row\n"),
        message(b'c', b""),
        message(b'f', b"no\0"),
        message(b'X', b""),
    ]
    .concat()
}

/// What the database answers to [`requests`], with these values in rows that may hold envelopes.
fn replies(text: &[u8], binary: &[u8]) -> Vec<u8> {
    let error = b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0";
    [
        message(b'v', &[0, 3, 0, 0, 0, 0, 0, 0]),
        message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"),
        message(b'R', &[0; 4]),
        message(b'S', b"server_version\x0015\0"),
        message(b'K', b"\0\0\0\x07secret"),
        message(b'Z', b"I"),
        described("s", 17),
        row(Some(text)),
        message(b'N', b"SNOTICE\0Mhere\0\0"),
        row(None),
        message(b'S', b"TimeZone\0UTC\0"),
        row(Some(text)),
        message(b'A', b"\0\0\0\x07here\0\0"),
        message(b'C', b"SELECT 3\0"),
        described("x", 25),
        row(Some(b"a text of no interest")),
        message(b'E', error),
        message(b'Z', b"I"),
        message(b'1', b""),
        message(b't', &[0, 1, 0, 0, 0, 25]),
        described("s", 17),
        message(b'2', b""),
        row(Some(binary)),
        message(b's', b""),
        message(b'3', b""),
        message(b'Z', b"T"),
        message(b'V', b"\0\0\0\x01x"),
        message(b'Z', b"T"),
        message(b'G', &[0; 3]),
        message(b'C', b"COPY 1\0"),
        message(b'Z', b"E"),
    ]
    .concat()
}

#[tokio::test]
async fn what_an_application_says_leaves_the_same_wherever_it_is_cut() {
    let fixture = Fixture::new("ciphertext");
    let said = requests();
    for at in 0..=said.len() {
        let left = fixture.app_to_db(two(&said, at)).await;
        assert_eq!(left, said, "cut at {at}");
    }
    for size in 1..100 {
        let left = fixture.app_to_db(Pieces::new(said.chunks(size))).await;
        assert_eq!(left, said, "in pieces of {size}");
    }
}

#[tokio::test]
async fn what_a_database_says_leaves_the_same_and_opened_wherever_it_is_cut() {
    let fixture = Fixture::new("ciphertext");
    let (plain, asked) = (b"plain", requests());
    let sealed = fixture.recipient.seal(plain).unwrap();
    let came = replies(&hexadecimal(&sealed), &sealed);
    let leaves = replies(&hexadecimal(plain), plain);
    for at in 0..=came.len() {
        let left = fixture.db_to_app(&asked, two(&came, at)).await;
        assert!(left == leaves, "cut at {at}: {}", left.escape_ascii());
    }
    for size in 1..100 {
        let pieces = Pieces::new(came.chunks(size));
        let left = fixture.db_to_app(&asked, pieces).await;
        assert!(
            left == leaves,
            "in pieces of {size}: {}",
            left.escape_ascii()
        );
    }
}

#[tokio::test]
async fn an_error_stands_in_a_refused_rows_place_wherever_the_result_is_cut() {
    let fixture = Fixture::new("error");
    let other = Owner::from("other".parse::<ClientId>().unwrap());
    let stranger = envelope::PrivateKey::generate().unwrap();
    let sealed = Recipient::new(other, stranger.public_key())
        .seal(b"x")
        .unwrap();
    let before = [message(b'Z', b"I"), described("s", 17), row(Some(b"\\x01"))].concat();
    let after = [
        row(Some(&hexadecimal(&sealed))),
        row(Some(b"\\x02")),
        message(b'N', b"SNOTICE\0Mhere\0\0"),
        message(b'C', b"SELECT 3\0"),
    ]
    .concat();
    let came = [before.as_slice(), &after, &message(b'Z', b"I")].concat();
    let error = refusals::VALUE.to_message();
    let notice = message(b'N', b"SNOTICE\0Mhere\0\0");
    let leaves = [before.as_slice(), &error, &notice, &message(b'Z', b"I")].concat();
    let asked = message(b'Q', b"select s from t\0");
    for at in 0..=came.len() {
        let left = fixture.db_to_app(&asked, two(&came, at)).await;
        assert!(left == leaves, "cut at {at}: {}", left.escape_ascii());
    }
    let pieces = Pieces::new(came.chunks(1));
    let left = fixture.db_to_app(&asked, pieces).await;
    assert!(left == leaves, "in single bytes: {}", left.escape_ascii());
}

#[tokio::test]
async fn only_an_end_that_is_not_the_sessions_own_tells_of_the_database() {
    let fixture = Fixture::new("ciphertext");
    for (severity, code, is_its_own) in [
        ("FATAL", "28P01", true),
        ("FATAL", "57P05", true),
        ("FATAL", "57P01", false),
        ("FATAL", "57P03", false),
        ("PANIC", "08006", false),
        ("ERROR", "28P01", false),
    ] {
        let session = fixture.session();
        session
            .flow
            .conversation()
            .ask(Request::Query(Copies::default()));
        let said = message(b'E', format!("V{severity}\0C{code}\0\0").as_bytes());
        let from = Pieces::new([said.as_slice()]);
        DbToApp::new(&session, None)
            .run(from, BytesMut::new(), &mut Vec::new())
            .await
            .unwrap();
        assert_eq!(session.flow.is_over(), is_its_own, "{severity} {code}");
    }
}
