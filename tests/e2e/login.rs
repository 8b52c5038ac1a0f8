//! Logging in: every kind of authentication and every way to a database, through the chain as
//! directly.

use harness::raw::{Message, message, rows, tags};
use harness::{Address, Auth, Chain, ChainBuilder, Identity, Keys, Link, Settings, psql};

const PASSWORD: &str = "correct horse";

/// One user for each kind of authentication, named after it.
const USERS: [(&str, Auth); 4] = [
    ("trust", Auth::Trust),
    ("clear", Auth::Password),
    ("md5", Auth::Md5),
    ("scram", Auth::ScramSha256),
];

fn settings() -> Settings {
    USERS
        .iter()
        .fold(Settings::new(), |settings, (name, auth)| {
            settings.user(name, PASSWORD, *auth)
        })
}

fn start(builder: &ChainBuilder) -> (Keys, Link) {
    let keys = Keys::new();
    keys.add_client("app");
    let link = builder.start_link(&keys);
    (keys, link)
}

/// Every user gets in with the right password, and with a wrong one is refused as by the database
/// itself; by `tokio-postgres` and by `psql`.
async fn everybody_logs_in(link: &Link) {
    let (chain, direct) = (link.address(), link.database.address());
    for (user, auth) in USERS {
        let right = format!("user={user} password='{PASSWORD}'");
        let wrong = format!("user={user} password=wrong");
        let client = chain.connect_with(&right).await;
        let row = client.query_one("select current_user::text", &[]).await;
        assert_eq!(row.unwrap().get::<_, &str>(0), user);
        let conninfo = |address: Address, more| format!("{} {more}", address.conninfo());
        let asked = psql(&conninfo(chain, &right), ["-Atc", "select current_user"]);
        assert_eq!(asked.success(), format!("{user}\n"));
        if auth == Auth::Trust {
            continue;
        }
        let code = |error: tokio_postgres::Error| error.code().unwrap().code().to_owned();
        let refused = chain.try_connect_with(&wrong).await.unwrap_err();
        assert_eq!(code(refused), "28P01", "{user}");
        let refusal = |address: Address| {
            let refused = psql(&conninfo(address, &wrong), ["-c", "select 1"]);
            assert_eq!(refused.code, Some(2), "{user}");
            refused.stderr.replace(&address.port().to_string(), "PORT")
        };
        assert_eq!(refusal(chain), refusal(direct), "{user}");
    }
}

#[tokio::test]
async fn passwords_of_every_kind_pass_to_a_database_in_clear() {
    let (_keys, link) = start(&Chain::builder().settings(settings()));
    everybody_logs_in(&link).await;
}

#[tokio::test]
async fn passwords_of_every_kind_pass_to_a_database_in_tls() {
    let builder = Chain::builder().settings(settings().tls());
    let (_keys, link) = start(&builder.server("database.sslmode = 'require'"));
    everybody_logs_in(&link).await;
    let ssl = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()";
    let encrypted = psql(&link.address().conninfo(), ["-Atc", ssl]).success();
    assert_eq!(encrypted, "t|TLSv1.3\n");
}

#[tokio::test]
async fn passwords_of_every_kind_pass_to_a_database_on_a_unix_socket() {
    let (_keys, link) = start(&Chain::builder().settings(settings()).by_socket());
    everybody_logs_in(&link).await;
    let from = "select client_addr is null from pg_stat_activity where pid = pg_backend_pid()";
    let by_socket = psql(&link.address().conninfo(), ["-Atc", from]).success();
    assert_eq!(by_socket, "t\n");
}

#[tokio::test]
async fn a_database_without_tls_is_no_database_where_tls_is_required() {
    let (_keys, link) = start(&Chain::builder().server("database.sslmode = 'require'"));
    let refused = link.address().try_connect_with("").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "08006");
    let line = link.server.process().wait_for_line("refuses TLS");
    assert!(
        line.contains("ERROR") && line.contains("database.sslmode is require"),
        "{line}"
    );
    assert_eq!(link.server.counted("sessions_started_total"), 1);
}

#[test]
fn an_application_meets_a_database_without_tls_at_the_connector() {
    let (_keys, link) = start(&Chain::builder());
    let ask = |address: Address, sslmode: &str| {
        let conninfo = format!("{} sslmode={sslmode}", address.conninfo());
        let asked = psql(&conninfo, ["-Atc", "select 1"]);
        let said = asked.stderr.replace(&address.port().to_string(), "PORT");
        (asked.code, asked.stdout, said)
    };
    for (sslmode, code) in [
        ("disable", 0),
        ("allow", 0),
        ("prefer", 0),
        ("require", 2),
        ("verify-full", 2),
    ] {
        let by_chain = ask(link.address(), sslmode);
        assert_eq!(by_chain, ask(link.database.address(), sslmode), "{sslmode}");
        assert_eq!(by_chain.0, Some(code), "{sslmode}: {}", by_chain.2);
    }
}

/// What makes libpq show this certificate.
fn with_certificate(identity: &Identity) -> String {
    format!(
        "sslcert={} sslkey={} sslrootcert={}",
        identity.certificate.display(),
        identity.private_key.display(),
        identity.ca.display()
    )
}

#[test]
fn libpq_reaches_a_server_without_a_connector_if_it_has_a_certificate() {
    let (keys, link) = start(&Chain::builder().settings(settings()));
    let server = Address::local(link.server.port()).conninfo();
    let certificate = with_certificate(&keys.client_identity("app"));
    let ask = |more: &str| psql(&format!("{server} {more}"), ["-Atc", "select current_user"]);
    for sslmode in ["prefer", "require", "verify-ca"] {
        let asked = ask(&format!("sslmode={sslmode} {certificate}"));
        assert_eq!(asked.success(), "postgres\n", "{sslmode}");
        let login = format!("user=scram password='{PASSWORD}'");
        let asked = ask(&format!("sslmode={sslmode} {certificate} {login}"));
        assert_eq!(asked.success(), "scram\n", "{sslmode}");
    }
    for (without, says) in [
        (
            "sslmode=disable",
            "takes encrypted connections with a client certificate only",
        ),
        ("sslmode=require", "certificate required"),
    ] {
        let refused = ask(without);
        assert_eq!(refused.code, Some(2), "{without}");
        assert!(
            refused.stderr.contains(says),
            "{without}: {}",
            refused.stderr
        );
    }
}

/// Starts a session with these parameters and gives what is answered, the key but for its length.
fn greeting(address: Address, version: u32, parameters: &[(&str, &str)]) -> Vec<Message> {
    let mut session = address.raw();
    session.send(message::startup_version(version, parameters));
    let mut answer = session.read_until_ready();
    for message in &mut answer {
        if message.tag == b'K' {
            message.body.fill(0);
        }
    }
    answer
}

#[test]
fn a_newer_protocol_is_negotiated_by_the_database() {
    let (_keys, link) = start(&Chain::builder());
    let user = ("user", "postgres");
    for (version, parameters, begins) in [
        (message::VERSION_3_0, vec![user], "R"),
        (message::VERSION_3_2, vec![user], "vR"),
        (
            message::VERSION_3_2,
            vec![user, ("_pq_.new", "1"), ("_pq_.newer", "2")],
            "vR",
        ),
        (message::VERSION_3_0, vec![user, ("_pq_.new", "1")], "vR"),
        (message::VERSION_3_0 + 9_999, vec![user], "vR"),
    ] {
        let direct = greeting(link.database.address(), version, &parameters);
        assert!(tags(&direct).starts_with(begins), "{direct:?}");
        assert_eq!(greeting(link.address(), version, &parameters), direct);
    }
}

#[test]
fn start_up_parameters_reach_the_database() {
    let (_keys, link) = start(&Chain::builder());
    let parameters = [
        ("user", "postgres"),
        ("application_name", "a näme"),
        ("options", "-c work_mem=4321kB -c search_path=x"),
        ("extra_float_digits", "2"),
        ("client_encoding", "LATIN1"),
    ];
    let sent = |address: Address| {
        let mut session = address.raw();
        session.send(message::startup(&parameters));
        session.read_until_ready();
        let show = "select current_setting('application_name'), current_setting('work_mem'),
                    current_setting('search_path'), current_setting('extra_float_digits'),
                    current_setting('client_encoding')";
        session.query(show)
    };
    let by_chain = sent(link.address());
    assert_eq!(by_chain, sent(link.database.address()));
    assert_eq!(rows(&by_chain)[0][1], Some(b"4321kB".to_vec()));
}

#[test]
fn a_session_that_is_refused_hears_postgresqls_own_reason() {
    let access = "host all nobody 127.0.0.1/32 reject";
    let (_keys, link) = start(&Chain::builder().settings(Settings::new().access(access)));
    for (parameters, sqlstate) in [
        (vec![("user", "postgres"), ("database", "none")], "3D000"),
        (vec![("user", "none")], "28000"),
        (vec![("user", "nobody")], "28000"),
        (vec![("database", "postgres")], "28000"),
        (vec![("user", "postgres"), ("work_mem", "much")], "22023"),
    ] {
        let refused = |address: Address| {
            let mut session = address.raw();
            session.send(message::startup(&parameters));
            // Whoever ignores the refusal is not let in either.
            let _ = session.try_send(message::query("select 1"));
            session.read_until_closed()
        };
        let by_chain = refused(link.address());
        assert_eq!(by_chain, refused(link.database.address()), "{parameters:?}");
        assert_eq!(
            by_chain.last().unwrap().sqlstate(),
            sqlstate,
            "{parameters:?}"
        );
    }
}

#[test]
fn replication_passes_and_nothing_in_it_is_opened() {
    let access = "host replication postgres 127.0.0.1/32 trust";
    let (keys, link) = start(&Chain::builder().settings(Settings::new().access(access)));
    let sealed = keys.client("app").seal(b"stays sealed here").unwrap();
    let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    let start = link.database.wal_end();
    link.database.query(&format!(
        "create table t (x bytea); insert into t values ('\\x{hex}')"
    ));
    let open = |address: Address, replication: &str| {
        let mut session = address.raw();
        let user = [("user", "postgres"), ("database", "postgres")];
        session.send(message::startup(
            &[&user, &[("replication", replication)][..]].concat(),
        ));
        session.read_until_ready();
        session
    };
    for replication in ["database", "true"] {
        let identify = |address| rows(&open(address, replication).query("IDENTIFY_SYSTEM"));
        let by_chain = identify(link.address());
        // The system's id and its timeline; WAL goes on.
        assert_eq!(by_chain[0][..2], identify(link.database.address())[0][..2]);
    }
    // A walsender with a database speaks SQL too; what it sends is no result of an application's.
    let mut session = open(link.address(), "database");
    assert_eq!(
        rows(&session.query("select x from t"))[0][0],
        Some(format!("\\x{hex}").into_bytes())
    );
    let mut session = open(link.address(), "true");
    session.send(message::query(&format!(
        "START_REPLICATION PHYSICAL {start}"
    )));
    assert_eq!(session.read().unwrap().tag, b'W');
    let mut wal: Vec<u8> = Vec::new();
    while !wal.windows(sealed.len()).any(|window| window == sealed) {
        let data = session.read().unwrap();
        assert_eq!(data.tag, b'd');
        // XLogData: three numbers of eight bytes, and then the log as it is on disk.
        if data.body[0] == b'w' {
            wal.extend(&data.body[25..]);
        }
    }
    session.send(message::copy_done());
    let end = session.read_until_ready();
    assert_eq!(tags(&end).trim_start_matches('d'), "cCCZ", "{end:?}");
}

#[test]
fn a_query_that_comes_with_the_start_is_answered_like_any_other() {
    let (keys, link) = start(&Chain::builder().on_refused("error"));
    let own = keys.client("app").seal(b"for the application").unwrap();
    let other = keys.add_client("other").seal(b"not for it").unwrap();
    let hex = |bytes: &[u8]| {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("\\x{digits}")
    };
    let ask = |value: &[u8]| {
        let mut session = link.address().raw();
        let parameters = [("user", "postgres"), ("database", "postgres")];
        let query = message::query(&format!("select '{}'::bytea", hex(value)));
        session.send([message::startup(&parameters), query].concat());
        session.read_until_ready();
        let answer = session.read_until_ready();
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
        answer
    };
    let opened = hex(b"for the application").into_bytes();
    assert_eq!(rows(&ask(&own)), [[Some(opened)]]);
    let refused = ask(&other);
    assert_eq!(tags(&refused), "TEZ");
    assert_eq!(refused[1].sqlstate(), "42501");
}
