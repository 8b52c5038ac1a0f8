//! Who connects to a server: turned away before anything reaches PostgreSQL.

use harness::http::Request;
use harness::raw::message::{ssl_request, startup};
use harness::raw::tls::{AlertDescription, Hello, TlsStream, alert};
use harness::raw::{Message, Session, literal, message, rows, tags};
use harness::{Ca, Cluster, Identity, Keys, Leaf, Server, Tap, TestDir, psql};

use super::{strangers, trusting};

/// A server that trusts a test's own CA beside that of the keymaker, with a tap before its database.
struct Stand {
    server: Server,
    tap: Tap,
    _database: Cluster,
    keys: Keys,
    ca: Ca,
    _dir: TestDir,
}

impl Stand {
    fn start() -> Self {
        let (keys, ca, dir) = (Keys::new(), Ca::new(), TestDir::new("trusted"));
        keys.add_client("app");
        let database = Cluster::start();
        let tap = Tap::to(database.address().port());
        let cas = [keys.ca(), ca.certificate().to_owned()];
        let identity = trusting(&keys.server_identity("primary"), &[&cas[0], &cas[1]], &dir);
        let server = Server::start("server", &identity, &keys, &tap.address().to_string(), &[]);
        Self {
            server,
            tap,
            _database: database,
            keys,
            ca,
            _dir: dir,
        }
    }

    /// Panics unless so many peers were turned away and PostgreSQL has noticed none of them, and a
    /// right one is let in.
    #[track_caller]
    fn has_refused(&self, peers: u64) {
        // A peer is counted when it has been let go, which it may notice first.
        harness::until("all to be counted", || {
            (self.server.counted("peers_refused_total") == peers).then_some(())
        });
        assert_eq!(self.tap.connections(), 0);
        let right = self.ca.issue(&Leaf::client("app"));
        let mut session = Hello::from(&right).connect(self.server.port()).unwrap();
        session.start();
        let sealed = self.keys.client("app").seal(b"opened").unwrap();
        let answer = session.extended(&format!("select {}", literal(&sealed)), 1);
        assert_eq!(rows(&answer), [[Some(b"opened".to_vec())]]);
        assert_eq!(self.tap.connections(), 1);
    }
}

/// The alert that a peer hears before it has said anything.
#[track_caller]
fn alerted(hello: &Hello, port: u16, case: &str) -> AlertDescription {
    let heard = match hello.connect(port) {
        Err(error) => alert(&error),
        // In TLS 1.3 the server judges a certificate after the client's part is done.
        Ok(session) => session.read_to_end().1,
    };
    heard.unwrap_or_else(|| panic!("{case}: no alert"))
}

/// What a peer hears that starts a session.
#[track_caller]
fn told(mut session: Session<TlsStream>, case: &str) -> Message {
    session.send(startup(&[("user", "postgres"), ("database", "postgres")]));
    let mut heard = session.read_until_closed();
    assert_eq!(tags(&heard), "E", "{case}");
    heard.remove(0)
}

#[test]
fn a_peer_without_a_certificate_that_counts_hears_an_alert() {
    let stand = Stand::start();
    let port = stand.server.port();
    let strangers = strangers();
    let [stranger, namesake] = strangers
        .each_ref()
        .map(|ca| ca.issue(&Leaf::client("app")));
    let expired = stand.ca.issue(&Leaf::client("app").expired());
    let not_yet = stand.ca.issue(&Leaf::client("app").not_yet_valid());
    let peers = [
        (
            "without one",
            Hello::anonymous(),
            AlertDescription::CertificateRequired,
        ),
        (
            "of another CA",
            Hello::from(&stranger),
            AlertDescription::UnknownCA,
        ),
        (
            "of another CA that has the right one's name",
            Hello::from(&namesake),
            AlertDescription::DecryptError,
        ),
        (
            "expired",
            Hello::from(&expired),
            AlertDescription::CertificateExpired,
        ),
        (
            "not yet valid",
            Hello::from(&not_yet),
            AlertDescription::CertificateExpired,
        ),
    ];
    for (case, hello, expected) in &peers {
        assert_eq!(alerted(hello, port, case), *expected, "{case}");
        // Asking for TLS in clear, and asking for the control API, changes nothing.
        let mut clear = Session::connect(([127, 0, 0, 1], port).into());
        clear.send(ssl_request());
        assert_eq!(clear.read_byte(), Ok(b'S'), "{case}");
        let asked = hello.over(clear.into_stream()).unwrap();
        assert_eq!(asked.read_to_end().1, Some(*expected), "{case}");
        let control = hello.clone().alpn(&["http/1.1"]);
        assert_eq!(alerted(&control, port, case), *expected, "{case}");
    }
    stand.has_refused(3 * 5);
}

#[test]
fn a_certificate_of_another_role_opens_no_session() {
    let stand = Stand::start();
    let identities = [
        stand.keys.server_identity("primary"),
        stand.keys.admin_identity("root"),
        stand.ca.issue(&Leaf::server("primary")),
        stand.ca.issue(&Leaf::admin("app").any_usage()),
        stand.ca.issue(&Leaf::server("app").any_usage()),
    ];
    for identity in &identities {
        let case = identity.certificate.display().to_string();
        let session = Hello::from(identity).connect(stand.server.port()).unwrap();
        let error = told(session, &case);
        assert_eq!(error.sqlstate(), "28000", "{case}");
        let says = error.field(b'M').unwrap();
        assert_eq!(
            says, "this certificate does not open data sessions",
            "{case}"
        );
        // Nor does it cancel anybody's query.
        let mut session = Hello::from(identity).connect(stand.server.port()).unwrap();
        session.send(message::cancel_request(&[0, 0, 0, 7, 1, 2, 3, 4]));
        assert_eq!(tags(&session.read_until_closed()), "E", "{case}");
    }
    stand.has_refused(2 * 5);
}

#[test]
fn a_certificate_that_does_not_name_one_peer_is_nobodys() {
    let stand = Stand::start();
    let app = || Leaf::client("app");
    let leaves = [
        ("2 URI names", app().and_uri("pgseal://client/other")),
        ("2 URI names", app().and_uri("https://example.com")),
        ("0 URI names", app().without_uri()),
        (
            "not of the form",
            app().without_uri().and_uri("pgseal://root/app"),
        ),
        (
            "not of the form",
            app().without_uri().and_uri("https://example.com/app"),
        ),
    ];
    for (count, (said, leaf)) in (1..).zip(leaves) {
        let identity = stand.ca.issue(&leaf);
        for alpn in ["postgresql", "http/1.1"] {
            let hello = Hello::from(&identity).alpn(&[alpn]);
            let session = hello.connect(stand.server.port()).unwrap();
            let (heard, _) = session.read_to_end();
            assert_eq!(heard, b"", "{leaf:?}");
        }
        harness::until("the log to say why", || {
            let log = stand.server.process().log();
            let lines = log.lines().filter(|line| line.contains("turned away"));
            let lines: Vec<&str> = lines.collect();
            (lines.len() == 2 * count && lines.last()?.contains(said)).then_some(())
        });
    }
    stand.has_refused(2 * 5);
}

#[test]
fn a_client_that_the_store_does_not_know_opens_no_session() {
    let stand = Stand::start();
    for identity in [
        stand.keys.client_identity("stranger"),
        stand.ca.issue(&Leaf::client("App")),
    ] {
        let case = identity.certificate.display().to_string();
        let session = Hello::from(&identity).connect(stand.server.port()).unwrap();
        let error = told(session, &case);
        assert_eq!(error.sqlstate(), "28000", "{case}");
        assert!(
            error.field(b'M').unwrap().contains("not known here"),
            "{case}"
        );
    }
    stand.has_refused(2);
}

#[test]
fn old_tls_is_not_spoken() {
    let stand = Stand::start();
    let right = stand.ca.issue(&Leaf::client("app"));
    let old = Hello::from(&right).tls12();
    let heard = alerted(&old, stand.server.port(), "TLS 1.2");
    assert_eq!(heard, AlertDescription::ProtocolVersion);
    stand.has_refused(1);
}

#[test]
fn direct_tls_must_say_what_it_is_for() {
    let stand = Stand::start();
    let right = stand.ca.issue(&Leaf::client("app"));
    let port = stand.server.port();
    for alpn in ["h2", "postgres", "http/1.0"] {
        let heard = alerted(&Hello::from(&right).alpn(&[alpn]), port, alpn);
        assert_eq!(heard, AlertDescription::NoApplicationProtocol, "{alpn}");
    }
    let session = Hello::from(&right).alpn(&[]).connect(port).unwrap();
    assert_eq!(session.read_to_end().0, b"");
    let log = stand.server.process();
    log.wait_for_line("direct TLS without ALPN");
    stand.has_refused(4);
}

#[test]
fn a_session_in_clear_is_refused_in_postgresqls_own_way() {
    let stand = Stand::start();
    let port = stand.server.port();
    let mut session = Session::connect(([127, 0, 0, 1], port).into());
    session.send(startup(&[("user", "postgres"), ("database", "postgres")]));
    let heard = session.read_until_closed();
    assert_eq!(tags(&heard), "E");
    assert_eq!(heard[0].sqlstate(), "28000");
    assert_eq!(heard[0].field(b'S').as_deref(), Some("FATAL"));
    let conninfo =
        format!("host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable");
    let refused = psql(&conninfo, ["-c", "select 1"]);
    assert_eq!(refused.code, Some(2));
    let says = "this server takes encrypted connections with a client certificate only";
    assert!(refused.stderr.contains(says), "{}", refused.stderr);
    // A cancel request in clear does nothing, and hears nothing, as in PostgreSQL.
    let mut session = Session::connect(([127, 0, 0, 1], port).into());
    session.send(message::cancel_request(&[0, 0, 0, 7, 1, 2, 3, 4]));
    assert_eq!(session.read_until_closed(), []);
    let mut http = Session::connect(([127, 0, 0, 1], port).into());
    http.send("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(http.read_until_closed(), []);
    stand.has_refused(4);
}

#[test]
fn psql_with_the_certificate_of_a_client_needs_no_connector() {
    let stand = Stand::start();
    let Identity {
        certificate,
        private_key,
        ca,
    } = stand.keys.client_identity("app");
    let conninfo = format!(
        "host=127.0.0.1 port={} user=postgres dbname=postgres sslmode=verify-ca sslrootcert={} \
         sslcert={} sslkey={}",
        stand.server.port(),
        ca.display(),
        certificate.display(),
        private_key.display()
    );
    let sealed = stand.keys.client("app").seal(b"opened").unwrap();
    let select = format!(
        "select encode({0}, 'escape') <> 'opened', {0}",
        literal(&sealed)
    );
    let seen = psql(
        &conninfo,
        ["-Atc", "set bytea_output = escape", "-c", &select],
    );
    assert_eq!(seen.success(), "SET\nt|opened\n");
    // The same without the certificate.
    let anonymous = conninfo.replace("sslcert", "sslcert=/nowhere/none sslkey=/nowhere/none #");
    let anonymous = anonymous.split(" #").next().unwrap();
    let refused = psql(anonymous, ["-c", "select 1"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("certificate required"),
        "{}",
        refused.stderr
    );
    let app = stand.keys.client_identity("app");
    assert_eq!(
        stand
            .server
            .control(&app, &Request::get("/v1/status"))
            .status,
        200
    );
}
