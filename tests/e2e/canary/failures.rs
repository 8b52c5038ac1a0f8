//! Everything that can go wrong beside a secret, and what is said of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use harness::http::Request;
use harness::raw::message::startup;
use harness::raw::tls::Hello;
use harness::raw::{Message, Session, literal, message};
use harness::{Ca, Chain, Keys, Leaf, Program, TestDir};

use super::secrets::Secrets;

/// Queries and connections that fail, through the whole chain. Leaves it with `on_refused = error`.
/// Returns what was said of all of it.
pub fn of_sessions(chain: &mut Chain, secrets: &Secrets) -> Vec<u8> {
    let mut said = Vec::new();
    for policy in ["null", "error"] {
        chain
            .primary
            .server
            .apply(&[&format!("on_refused = '{policy}'")]);
        said.extend(refusals(chain, secrets));
    }
    said.extend(wrong_queries(chain, secrets));
    said.extend(wrong_peers(chain));
    said.extend(wrong_requests(chain));
    // What the programs say of a session that breaks off.
    for tap in [&chain.primary.tunnel_tap, &chain.primary.database_tap] {
        let mut session = chain.primary.address().raw();
        session.start();
        session.query("select * from marked");
        tap.as_ref().unwrap().cut();
        said.extend(session.read_until_closed().iter().flat_map(Message::bytes));
    }
    said
}

/// Values that do not open though the marker is in them. Returns the answers.
fn refusals(chain: &Chain, secrets: &Secrets) -> Vec<u8> {
    let mut session = chain.primary.address().raw();
    session.start();
    let mut said = Vec::new();
    let zone = chain.keys.zone(&secrets.zone);
    for (_, marker) in secrets.markers() {
        let good = chain.client().seal(&marker).unwrap();
        let mut forged = good.clone();
        *forged.last_mut().unwrap() ^= 1;
        let both = [good.as_slice(), &forged].concat();
        let elsewhere = Keys::new().add_client("app").seal(&marker).unwrap();
        for refused in [forged, both, elsewhere, zone.seal(&marker).unwrap()] {
            for format in [0, 1] {
                let answer = session.extended(&format!("select {}", literal(&refused)), format);
                said.extend(answer.iter().flat_map(Message::bytes));
            }
        }
    }
    let long = literal(&chain.client().seal(&secrets.long).unwrap());
    session.query(&format!(
        "create temporary table long as select {long} as value"
    ));
    let answer = session.query("select value from long");
    assert!(
        answer.iter().any(|message| message.tag == b'E'),
        "{answer:?}"
    );
    said.extend(answer.iter().flat_map(Message::bytes));
    said
}

/// Statements that PostgreSQL itself refuses, in which sealed values stand.
fn wrong_queries(chain: &Chain, secrets: &Secrets) -> Vec<u8> {
    let mut session = chain.primary.address().raw();
    session.start();
    let mut answers = Vec::new();
    for (_, marker) in secrets.markers() {
        let sealed = literal(&chain.client().seal(&marker).unwrap());
        for sql in [
            format!("select {sealed}::int"),
            format!("select {sealed} nonsense nonsense"),
            format!("select ({sealed}::text)::int"),
            format!("insert into nowhere values ({sealed})"),
            format!("do $$ begin raise '%', {sealed}; end $$"),
        ] {
            answers.extend(session.query(&sql));
        }
        let parameter = chain.client().seal(&marker).unwrap();
        for sql in ["select $1::int", "select $1::bytea", "select $1::uuid"] {
            session.send(
                [
                    message::parse("", sql),
                    message::bind("", "", &[Some(&parameter)], 0),
                    message::execute("", 0),
                    message::sync(),
                ]
                .concat(),
            );
            answers.extend(session.read_until_ready());
        }
    }
    let errors = answers.iter().filter(|message| message.tag == b'E').count();
    assert_eq!(errors, 3 * 8);
    // A password that is right, and one that is not.
    for password in [&secrets.password, &secrets.wrong_passphrase] {
        let parameters = format!("user=alice password={password}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let session = runtime.block_on(chain.primary.address().try_connect_with(&parameters));
        let refused = session.err().map(|error| format!("{error:?}"));
        assert_eq!(refused.is_some(), *password != secrets.password);
        answers.extend(refused.map(|error| Message {
            tag: b'E',
            body: error.into_bytes(),
        }));
    }
    answers.iter().flat_map(Message::bytes).collect()
}

/// Peers that a server or connector turns away.
fn wrong_peers(chain: &Chain) -> Vec<u8> {
    let mut said = Vec::new();
    let port = chain.primary.server.port();
    let stranger = Ca::new();
    for identity in [
        stranger.issue(&Leaf::client("app")),
        chain.keys.server_identity("replica"),
        chain.keys.admin_identity("root"),
        chain.keys.client_identity("stranger"),
    ] {
        let mut session = Hello::from(&identity).connect(port).unwrap();
        // It may have been closed already.
        let _ = session.try_send(startup(&[("user", "postgres")]));
        said.extend(session.read_to_end().0);
    }
    for bytes in [
        startup(&[("user", "postgres")]),
        vec![0x16, 3, 1, 0, 4, 1, 2, 3, 4],
        vec![0; 64],
    ] {
        for address in [
            ([127, 0, 0, 1], port).into(),
            chain.primary.address().socket(),
        ] {
            let mut session = Session::connect(address);
            session.send(&bytes);
            session.finish();
            said.extend(session.last_words("a wrong peer"));
        }
    }
    said
}

/// Requests to the control API that are refused.
fn wrong_requests(chain: &Chain) -> Vec<u8> {
    let requests = [
        Request::get("/v1/zones/nosuchzone"),
        Request::get("/v1/zones/..%2f..%2fetc"),
        Request::post("/v1/zones").body("{"),
        Request::post("/v1/zones").body(r#"{"id": "app"}"#),
        Request::post("/v1/zones").body(vec![b' '; 70_000]),
        Request::get("/v1/client").header("Origin", "https://elsewhere.example"),
    ];
    let answers = requests
        .iter()
        .map(|request| chain.primary.connector.api(request));
    let answers = answers.map(|answer| {
        assert!(answer.status >= 400, "{answer:?}");
        answer.body
    });
    answers.collect::<Vec<_>>().concat()
}

/// Programs that do not start, or that end early, for a secret that is wrong or in a wrong place.
/// Returns what they said.
pub fn of_programs(keys: &Keys, secrets: &Secrets) -> Vec<u8> {
    let dir = TestDir::new("failing");
    let right = fs::read_to_string(keys.master_key_file()).unwrap();
    let right = right.trim();
    let private = |name: &str, text: &str| dir.write_private(name, text).display().to_string();
    let loose = private("loose", right);
    fs::set_permissions(&loose, Permissions::from_mode(0o644)).unwrap();
    let wrong_master_keys: Vec<Vec<String>> = [
        (
            "--master-key-file",
            private("other", &secrets.wrong_master_key),
        ),
        ("--master-key-file", private("longer", &format!("{right}x"))),
        (
            "--master-key-file",
            private("twice", &format!("{right}\n{right}\n")),
        ),
        (
            "--master-key-file",
            private("version", &right.replace("-1.", "-2.")),
        ),
        ("--master-key-file", loose),
        (
            "--master-key-command",
            format!("cat '{}'; exit 3", keys.master_key_file().display()),
        ),
        (
            "--master-key-command",
            format!("echo x; cat '{}'", keys.master_key_file().display()),
        ),
    ]
    .map(|(flag, value)| vec![flag.to_owned(), value])
    .to_vec();
    let store = keys.store().display().to_string();
    let mut finished = Vec::new();
    for wrong in &wrong_master_keys {
        let keymaker = Program::named("pgseal-keymaker").args(["key", "list", "--store", &store]);
        finished.push(keymaker.args(wrong).run());
        let server =
            Program::named("pgseal-server").args(["--config", &server_config(keys, &dir, "")]);
        finished.push(server.args(wrong).run());
    }
    for (name, value) in [
        ("longer", format!("{right}x")),
        ("other", secrets.wrong_master_key.clone()),
    ] {
        let keymaker = Program::named("pgseal-keymaker").args(["key", "list", "--store", &store]);
        finished.push(keymaker.env("PGSEAL_MASTER_KEY", &value).run());
        let config = server_config(keys, &dir, "");
        let server = Program::named("pgseal-server")
            .label(name)
            .args(["--config", &config]);
        finished.push(server.env("PGSEAL_MASTER_KEY", &value).run());
    }
    // A secret where none may be: the line is named, not quoted.
    for line in [
        format!("master_key = '{right}'"),
        format!("tls.passphrase = '{}'", Keys::CA_PASSPHRASE),
        format!("master_key_file = ['{right}']"),
        format!("log.level = '{}' x", Keys::CA_PASSPHRASE),
    ] {
        let config = server_config(keys, &dir, &line);
        finished.push(
            Program::named("pgseal-server")
                .args(["--config", &config])
                .run(),
        );
    }
    finished.extend(wrong_passphrases(keys, secrets, &dir));
    finished.extend(damaged_stores(keys, &dir));
    let said = finished.iter().map(|finished| {
        assert_ne!(finished.code, Some(0), "{finished:?}");
        assert!(!finished.stderr.is_empty());
        format!("{}\n{}\n", finished.stdout, finished.stderr)
    });
    said.collect::<String>().into_bytes()
}

fn wrong_passphrases(keys: &Keys, secrets: &Secrets, dir: &TestDir) -> Vec<harness::Finished> {
    let ca = keys.ca().parent().unwrap().display().to_string();
    let cert = |name: &str| {
        let out = dir.join(name).display().to_string();
        Program::named("pgseal-keymaker").args([
            "cert",
            "client",
            "x",
            "--ca-dir",
            &ca,
            "--out-dir",
            &out,
        ])
    };
    let wrong = dir.write_private("passphrase", &secrets.wrong_passphrase);
    let loose = dir.write("loose-passphrase", Keys::CA_PASSPHRASE);
    vec![
        cert("a").arg("--ca-passphrase-file").arg(wrong).run(),
        cert("b").arg("--ca-passphrase-file").arg(loose).run(),
        cert("c")
            .env("PGSEAL_CA_PASSPHRASE", &secrets.wrong_passphrase)
            .run(),
        cert("d")
            .args([
                "--ca-passphrase-command",
                &format!("echo '{}'; false", Keys::CA_PASSPHRASE),
            ])
            .run(),
    ]
}

fn damaged_stores(keys: &Keys, dir: &TestDir) -> Vec<harness::Finished> {
    let bytes = fs::read(keys.store()).unwrap();
    let damaged = (1..8).map(|part| {
        let mut damaged = bytes.clone();
        let middle = damaged.len() * part / 8;
        damaged[middle..middle + 512].fill(0xff);
        damaged
    });
    let cut = bytes[..bytes.len() / 2].to_vec();
    let mut finished = Vec::new();
    for (index, damaged) in damaged.chain([cut]).enumerate() {
        let store = dir.write_private(&format!("damaged-{index}"), damaged);
        let list = Program::named("pgseal-keymaker").args(["key", "list", "--master-key-file"]);
        let list = list
            .arg(keys.master_key_file())
            .arg("--store")
            .arg(store)
            .run();
        // Some of them are damaged where nothing is.
        if list.code != Some(0) {
            finished.push(list);
        }
    }
    assert!(!finished.is_empty());
    finished
}

/// A server's configuration with one more line, and without a master key; its path.
fn server_config(keys: &Keys, dir: &TestDir, line: &str) -> String {
    let identity = keys.server_identity("primary");
    let text = format!(
        "store = '{}'\ndatabase.address = '127.0.0.1:1'\ntls.certificate = '{}'\n\
         tls.private_key = '{}'\ntls.ca = '{}'\n{line}\n",
        keys.store().display(),
        identity.certificate.display(),
        identity.private_key.display(),
        identity.ca.display(),
    );
    dir.write("server.toml", text).display().to_string()
}
