//! `database.sslmode`: which databases a server uses, and which certificate it shows them.

use std::fs;

use harness::{Ca, Cluster, Identity, Keys, Leaf, Link, Settings, TestDir};

/// The way to a database with this certificate, from a server with these lines.
struct Stand {
    link: Link,
    _keys: Keys,
}

fn start(settings: Settings, lines: &[String]) -> Stand {
    let keys = Keys::new();
    keys.add_client("app");
    let builder = harness::Chain::builder().settings(settings);
    let builder = lines
        .iter()
        .fold(builder, |builder, line| builder.server(line));
    Stand {
        link: builder.start_link(&keys),
        _keys: keys,
    }
}

fn database() -> Leaf {
    Leaf::server("database").without_uri()
}

/// Lines for this mode and this CA.
fn verify(mode: &str, ca: &Ca) -> Vec<String> {
    vec![
        format!("database.sslmode = '{mode}'"),
        format!("database.ca = '{}'", ca.certificate().display()),
    ]
}

fn host_name(name: &str) -> String {
    format!("database.host_name = '{name}'")
}

/// How a session on it is encrypted, and whose certificate the database has seen.
async fn tls_of(link: &Link) -> (bool, Option<String>) {
    let session = link.connect().await;
    let row = session
        .query_one(
            "select ssl, client_dn from pg_stat_ssl where pid = pg_backend_pid()",
            &[],
        )
        .await
        .unwrap();
    (row.get(0), row.get(1))
}

/// The application gets the FATAL it gets for every database that is not reached, and the log says
/// in one line why.
async fn is_refused(link: &Link, case: &str, why: &str) {
    let refused = link.address().try_connect_with("").await.unwrap_err();
    let error = refused.as_db_error().unwrap();
    assert_eq!(
        (error.severity(), error.code().code(), error.message()),
        (
            "FATAL",
            "08006",
            "the pgseal server cannot reach its database"
        ),
        "{case}"
    );
    let log = link.server.process().log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("the database cannot be reached"))
        .collect();
    assert_eq!(lines.len(), 1, "{case}: {log}");
    assert!(
        lines[0].contains("ERROR") && lines[0].contains(why),
        "{case}: {log}"
    );
    assert_eq!(link.server.ops("/health").status, 503, "{case}");
}

#[tokio::test]
async fn a_database_of_the_right_ca_and_name_is_used() {
    let (ca, other) = (Ca::new(), Ca::named("another"));
    let with_address = ca.issue(&database().and_address("127.0.0.1"));
    let with_host = ca.issue(&database().and_host("db.example"));
    let wildcard = ca.issue(&database().and_host("*.db.example"));
    let dir = TestDir::new("bundle");
    let two = [other.certificate(), ca.certificate()].map(|path| fs::read(path).unwrap());
    let bundle = format!(
        "database.ca = '{}'",
        dir.write("two.crt", two.concat()).display()
    );
    let full = |lines: &[String]| [verify("verify-full", &ca), lines.to_vec()].concat();
    let cases = [
        (&with_host, verify("verify-ca", &ca)),
        (&with_address, full(&[])),
        (&with_host, full(&[host_name("localhost")])),
        (&with_host, full(&[host_name("db.example")])),
        (&with_host, full(&[host_name("DB.Example")])),
        (&wildcard, full(&[host_name("one.db.example")])),
        (&with_address, full(&[bundle])),
    ];
    for (identity, lines) in &cases {
        let stand = start(Settings::new().tls_as(identity), lines);
        assert_eq!(tls_of(&stand.link).await, (true, None), "{lines:?}");
        assert_eq!(stand.link.server.ops("/health").status, 200, "{lines:?}");
    }
}

#[tokio::test]
async fn another_database_is_not() {
    let (ca, other) = (Ca::new(), Ca::named("another"));
    let namesake = Ca::new();
    let leaf = || database().and_address("127.0.0.1");
    let no_ca = "was made by no CA in database.ca";
    let cases: [(&str, Identity, Vec<String>, &str); 9] = [
        (
            "of another CA",
            other.issue(&leaf()),
            verify("verify-full", &ca),
            no_ca,
        ),
        (
            "of another CA, name aside",
            other.issue(&leaf()),
            verify("verify-ca", &ca),
            no_ca,
        ),
        (
            "of a CA of the same name",
            namesake.issue(&leaf()),
            verify("verify-ca", &ca),
            no_ca,
        ),
        (
            "of another name",
            ca.issue(&database().and_address("127.0.0.2")),
            verify("verify-full", &ca),
            "its certificate is not for the name 127.0.0.1",
        ),
        (
            "of another name than host_name",
            ca.issue(&leaf()),
            [verify("verify-full", &ca), vec![host_name("db.example")]].concat(),
            "its certificate is not for the name db.example",
        ),
        (
            "of the name as common name alone",
            ca.issue(&database().common_name("db.example")),
            [verify("verify-full", &ca), vec![host_name("db.example")]].concat(),
            "its certificate is not for the name db.example",
        ),
        (
            "expired",
            ca.issue(&leaf().expired()),
            verify("verify-ca", &ca),
            "its certificate has expired",
        ),
        (
            "not yet valid",
            ca.issue(&leaf().not_yet_valid()),
            verify("verify-full", &ca),
            "its certificate is not valid yet",
        ),
        (
            "a client",
            ca.issue(
                &Leaf::client("database")
                    .without_uri()
                    .and_address("127.0.0.1"),
            ),
            verify("verify-full", &ca),
            "its certificate cannot be used",
        ),
    ];
    for (case, identity, lines, why) in &cases {
        let stand = start(Settings::new().tls_as(identity), lines);
        is_refused(&stand.link, case, why).await;
    }
    // One that has no TLS, and says so.
    for mode in ["require", "verify-ca", "verify-full"] {
        let lines = match mode {
            "require" => vec!["database.sslmode = 'require'".to_owned()],
            mode => verify(mode, &ca),
        };
        let stand = start(Settings::new(), &lines);
        let why = format!("refuses TLS, and database.sslmode is {mode}");
        is_refused(&stand.link, mode, &why).await;
    }
}

/// Settings of a database that asks for a certificate with its user's name in it.
fn asks_for_certificate(ca: &Ca) -> Settings {
    Settings::new()
        .tls_as(&ca.issue(&database().and_address("127.0.0.1")))
        .line(&format!("ssl_ca_file = '{}'", ca.certificate().display()))
        .access("hostssl all all 127.0.0.1/32 trust clientcert=verify-full")
}

fn shows(identity: &Identity) -> Vec<String> {
    vec![
        format!(
            "database.certificate = '{}'",
            identity.certificate.display()
        ),
        format!(
            "database.private_key = '{}'",
            identity.private_key.display()
        ),
    ]
}

#[tokio::test]
async fn a_database_that_asks_for_a_certificate_gets_it() {
    let ca = Ca::new();
    let named = |name: &str| ca.issue(&Leaf::client("server").common_name(name));
    for mode in ["require", "verify-full"] {
        let lines = match mode {
            "require" => vec!["database.sslmode = 'require'".to_owned()],
            mode => verify(mode, &ca),
        };
        let with = [lines.clone(), shows(&named("postgres"))].concat();
        let stand = start(asks_for_certificate(&ca), &with);
        assert_eq!(
            tls_of(&stand.link).await,
            (true, Some("/CN=postgres".to_owned()))
        );
        // Without one, or with another user's, the database itself refuses, in its own words.
        for lines in [lines.clone(), [lines, shows(&named("alice"))].concat()] {
            let stand = start(asks_for_certificate(&ca), &lines);
            let refused = stand.link.address().try_connect_with("").await.unwrap_err();
            assert_eq!(refused.code().unwrap().code(), "28000", "{lines:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_the_database_does_not_trust_ends_in_an_error_and_a_line() {
    let (ca, other) = (Ca::new(), Ca::named("another"));
    let certificate = other.issue(&Leaf::client("server").common_name("postgres"));
    let lines = [verify("verify-full", &ca), shows(&certificate)].concat();
    let stand = start(asks_for_certificate(&ca), &lines);
    let refused = stand.link.address().try_connect_with("").await.unwrap_err();
    assert_eq!(refused.code().map(|code| code.code()), Some("57P01"));
    let line = stand.link.server.process().wait_for_line("UnknownCA");
    assert!(
        line.contains("the connection to the database broke"),
        "{line}"
    );
}

/// Takes another certificate over, as an administrator would.
fn renew(database: &Cluster, identity: &Identity) {
    database.set_certificate(identity);
    assert_eq!(database.value("select pg_reload_conf()"), "t");
}

#[tokio::test]
async fn a_new_ca_is_read_on_sighup_and_running_sessions_stay() {
    let (old, new) = (Ca::named("old"), Ca::named("new"));
    let of = |ca: &Ca| ca.issue(&database().and_address("127.0.0.1"));
    let dir = TestDir::new("cas");
    let bundle = |cas: &[&Ca]| {
        let pems = cas.iter().map(|ca| fs::read(ca.certificate()).unwrap());
        dir.write("ca.crt", pems.collect::<Vec<_>>().concat())
    };
    let file = bundle(&[&old]);
    let lines = vec![
        "database.sslmode = 'verify-full'".to_owned(),
        format!("database.ca = '{}'", file.display()),
    ];
    let mut stand = start(Settings::new().tls_as(&of(&old)), &lines);
    let link = &mut stand.link;
    let session = link.connect().await;

    // Both, then the database's new certificate, then the new one alone.
    bundle(&[&old, &new]);
    link.server.apply(&[]);
    renew(&link.database, &of(&new));
    assert_eq!(tls_of(link).await, (true, None));
    bundle(&[&new]);
    link.server.apply(&[]);
    assert_eq!(tls_of(link).await, (true, None));

    // A file that cannot be used changes nothing, not even what came with it.
    dir.write("ca.crt", "no certificate");
    link.server.reconfigure(&["on_refused = 'error'"]);
    let line = link
        .server
        .process()
        .wait_for_line("the configuration stays as it was");
    assert!(line.contains("ca.crt"), "{line}");
    assert_eq!(tls_of(link).await, (true, None));

    // The old CA alone: new sessions are refused, running ones are not asked again.
    bundle(&[&old]);
    link.server.apply(&["on_refused = 'ciphertext'"]);
    is_refused(link, "the old CA", "was made by no CA in database.ca").await;
    assert_eq!(
        session
            .query_one("select 1", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        1
    );

    // Mode and file themselves are applied too.
    let file = dir.write("new.crt", fs::read(new.certificate()).unwrap());
    let file = format!("database.ca = '{}'", file.display());
    link.server
        .apply(&["database.sslmode = 'verify-ca'", &file]);
    assert_eq!(tls_of(link).await, (true, None));
}
