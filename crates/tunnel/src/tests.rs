//! Both ends against each other, in memory: who is let in before and after a change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};
use rustls::client::Resumption;
use rustls::server::ServerSessionMemoryCache;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, Error, HandshakeKind,
    ServerConfig, ServerConnection,
};
use rustls_pki_types::ServerName;
use tempfile::TempDir;

use crate::{
    Expected, Live, Material, MaterialError, MaterialPaths, PeerCertificate, Revoked, Role, Serial,
    Setup, client_setup, server_setup,
};

/// A directory with the files of a few CAs and peers.
struct Files(TempDir);

struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }
}

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The files of `pgseal://{who}`, made by `ca` and trusting `trusted`.
    fn paths(&self, who: &str, ca: &Ca, trusted: &[&Ca], until: i32) -> MaterialPaths {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let uri = format!("pgseal://{who}");
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &ca.0).unwrap();
        let bundle: String = trusted.iter().map(|ca| ca.0.pem()).collect();
        let name = who.replace('/', "-");
        MaterialPaths {
            certificate: self.write(&format!("{name}.crt"), &certificate.pem()),
            private_key: self.write(&format!("{name}.key"), &key.serialize_pem()),
            ca: self.write(&format!("{name}-ca.crt"), &bundle),
        }
    }

    fn server(&self, ca: &Ca, trusted: &[&Ca], revoked: &Revoked) -> Setup<ServerConfig> {
        let paths = self.paths("server/s", ca, trusted, 4000);
        let material = Material::load(&paths, Role::Server, SystemTime::now()).unwrap();
        server_setup(material, revoked).unwrap()
    }

    fn client(&self, who: &str, ca: &Ca, trusted: &[&Ca], revoked: &Revoked) -> Client {
        let material = load(&self.paths(who, ca, trusted, 4000)).unwrap();
        client_setup(material, Expected::default(), revoked).unwrap()
    }
}

type Client = Setup<ClientConfig>;

/// A client's.
fn load(paths: &MaterialPaths) -> Result<Material, MaterialError> {
    Material::load(paths, Role::Client, SystemTime::now())
}

fn nothing_revoked() -> Revoked {
    Revoked::new(Duration::from_secs(3600), Instant::now())
}

/// Shakes hands; answers how, and whom the server has seen, or what either end said against it.
fn shake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> Result<(HandshakeKind, PeerCertificate), Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client: Connection = ClientConnection::new(client.clone(), name).unwrap().into();
    let mut server: Connection = ServerConnection::new(server.clone()).unwrap().into();
    let mut verdict = Ok(());
    // Tickets come behind the handshake.
    for _ in 0..8 {
        for forth in [true, false] {
            let (from, to) = if forth {
                (&mut client, &mut server)
            } else {
                (&mut server, &mut client)
            };
            let mut flight = Vec::new();
            while from.wants_write() {
                from.write_tls(&mut flight).unwrap();
            }
            let mut flight = flight.as_slice();
            while !flight.is_empty() {
                to.read_tls(&mut flight).unwrap();
                let read = to.process_new_packets().map(|_| ());
                verdict = verdict.and(read);
            }
        }
    }
    verdict?;
    let seen = PeerCertificate::of(server.peer_certificates()).unwrap();
    Ok((client.handshake_kind().unwrap(), seen))
}

fn revoke(revoked: &Revoked, serial: &Serial) {
    let (now, age) = (Instant::now(), Duration::ZERO);
    revoked.hear(1, [serial.clone()], now, age).unwrap();
}

fn is_revoked<T: std::fmt::Debug>(verdict: Result<T, Error>) {
    let refused = Err::<(), _>(Error::InvalidCertificate(CertificateError::Revoked));
    assert_eq!(verdict.map(|_| ()), refused);
}

#[test]
fn a_revoked_client_is_refused_and_another_one_is_not() {
    let (files, ca, revoked) = (Files::new(), Ca::new("ca"), nothing_revoked());
    let server = files.server(&ca, &[&ca], &revoked);
    let app = files.client("client/app", &ca, &[&ca], &nothing_revoked());
    let other = files.client("client/other", &ca, &[&ca], &nothing_revoked());
    let (_, seen) = shake(&app.config, &server.config).unwrap();
    assert_eq!(seen.serial, app.certificates.serial);
    assert_eq!(seen.identity.to_string(), "client app");
    revoke(&revoked, &seen.serial);
    is_revoked(shake(&app.config, &server.config));
    shake(&other.config, &server.config).unwrap();
}

#[test]
fn a_revoked_server_is_refused() {
    let (files, ca, revoked) = (Files::new(), Ca::new("ca"), nothing_revoked());
    let server = files.server(&ca, &[&ca], &nothing_revoked());
    let app = files.client("client/app", &ca, &[&ca], &revoked);
    shake(&app.config, &server.config).unwrap();
    revoke(&revoked, &server.certificates.serial);
    is_revoked(shake(&app.config, &server.config));
}

/// A server as ours are not: it lets its peers resume.
fn generous(server: &ServerConfig) -> Arc<ServerConfig> {
    let mut config = server.clone();
    config.session_storage = ServerSessionMemoryCache::new(8);
    config.send_tls13_tickets = 2;
    Arc::new(config)
}

/// A client as our connectors are not: it resumes where it can.
fn resuming(client: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = client.clone();
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

#[test]
fn a_server_resumes_no_session_and_a_ticket_helps_no_revoked_client() {
    let (files, ca, revoked) = (Files::new(), Ca::new("ca"), nothing_revoked());
    let server = files.server(&ca, &[&ca], &revoked);
    let app = files.client("client/app", &ca, &[&ca], &nothing_revoked());
    let client = resuming(&app.config);
    for _ in 0..2 {
        let (kind, _) = shake(&client, &server.config).unwrap();
        assert_eq!(kind, HandshakeKind::Full);
    }
    // With a ticket in hand from a server that gave one.
    let generous = generous(&server.config);
    shake(&client, &generous).unwrap();
    assert_eq!(shake(&client, &generous).unwrap().0, HandshakeKind::Resumed);
    let (kind, _) = shake(&client, &server.config).unwrap();
    assert_eq!(kind, HandshakeKind::Full);
    shake(&client, &generous).unwrap();
    revoke(&revoked, &app.certificates.serial);
    is_revoked(shake(&client, &server.config));
}

#[test]
fn a_connector_resumes_no_session_with_a_server_that_would() {
    let (files, ca, revoked) = (Files::new(), Ca::new("ca"), nothing_revoked());
    let server = generous(&files.server(&ca, &[&ca], &revoked).config);
    let app = files.client("client/app", &ca, &[&ca], &revoked);
    for _ in 0..2 {
        let (kind, _) = shake(&app.config, &server).unwrap();
        assert_eq!(kind, HandshakeKind::Full);
    }
}

#[test]
fn a_bundle_of_two_cas_lets_both_in_and_without_the_old_one_its_certificates_are_refused() {
    let (files, revoked) = (Files::new(), nothing_revoked());
    // With one name, as a renewed CA has it.
    let (old, new) = (Ca::new("ca"), Ca::new("ca"));
    let both = [&old, &new];
    let tls = Live::new(files.server(&old, &[&old], &revoked));
    let of_old = files.client("client/app", &old, &both, &revoked);
    let of_new = files.client("client/app", &new, &both, &revoked);
    shake(&of_old.config, &tls.config()).unwrap();
    shake(&of_new.config, &tls.config()).unwrap_err();
    tls.exchange(files.server(&old, &both, &revoked)).unwrap();
    shake(&of_old.config, &tls.config()).unwrap();
    shake(&of_new.config, &tls.config()).unwrap();
    tls.exchange(files.server(&new, &[&new], &revoked)).unwrap();
    shake(&of_old.config, &tls.config()).unwrap_err();
    shake(&of_new.config, &tls.config()).unwrap();
}

#[test]
fn who_a_program_is_does_not_change_while_it_runs() {
    let (files, ca, revoked) = (Files::new(), Ca::new("ca"), nothing_revoked());
    let tls = Live::new(files.client("client/app", &ca, &[&ca], &revoked));
    let other = files.client("client/other", &ca, &[&ca], &revoked);
    assert_eq!(
        tls.exchange(other).unwrap_err().to_string(),
        "tls.certificate: the certificate is that of client other, and this is client app, \
         which does not change while it runs"
    );
    assert_eq!(tls.setup().identity.to_string(), "client app");
}

#[test]
fn a_certificate_that_is_not_valid_now_is_refused_by_key_and_file() {
    let (files, ca) = (Files::new(), Ca::new("ca"));
    let paths = files.paths("client/app", &ca, &[&ca], 2020);
    let Err(error) = load(&paths) else {
        panic!("it was taken")
    };
    assert_eq!(
        error.to_string(),
        format!(
            "tls.certificate: {}: the certificate is valid from 1975-01-01T00:00:00Z to \
             2020-01-01T00:00:00Z, and not now; make a new one",
            paths.certificate.display()
        )
    );
    let early = Material::load(&paths, Role::Client, SystemTime::UNIX_EPOCH);
    assert!(matches!(early, Err(MaterialError::NotNow { .. })));
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    assert!(Material::load(&paths, Role::Client, then).is_ok());
}

#[test]
fn the_certificates_of_a_bundle_are_told_apart() {
    let (files, old, new) = (Files::new(), Ca::new("old"), Ca::new("new"));
    let paths = files.paths("client/app", &old, &[&old, &new], 2999);
    let material = load(&paths).unwrap();
    let names: Vec<_> = material.certificates.all.iter().map(|it| &it.0).collect();
    let ca = paths.ca.display();
    assert_eq!(
        names,
        [
            &format!("tls.certificate: {}", paths.certificate.display()),
            &format!("tls.ca: {ca} (certificate 1 of 2)"),
            &format!("tls.ca: {ca} (certificate 2 of 2)"),
        ]
    );
    assert_eq!(
        material.certificates.expires,
        material.certificates.all[0].1
    );
    assert_eq!(
        material.certificates.ca_expires,
        material.certificates.all[1].1
    );
}
