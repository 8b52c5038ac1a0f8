//! Replication through the chain: what PostgreSQL's own programs fetch from a connector is the
//! database as it is, with its sealed values sealed.

use harness::raw::literal;
use harness::{
    Address, Chain, Keys, Link, Port, Process, Program, Settings, TestDir, as_owner, free_port,
    give, installed, until,
};

struct Stand {
    link: Link,
    /// A value of the table `sealed`, as SQL has it.
    value: String,
    _keys: Keys,
}

impl Stand {
    fn start() -> Self {
        let keys = Keys::new();
        let value = literal(&keys.add_client("app").seal(b"stays sealed").unwrap());
        let settings = Settings::new()
            .line("wal_level = logical")
            .access("host replication postgres 127.0.0.1/32 trust");
        let link = Chain::builder().settings(settings).start_link(&keys);
        link.database
            .query(&format!("create table sealed as select {value} as value"));
        Self {
            link,
            value,
            _keys: keys,
        }
    }

    /// How a replica connects to the connector.
    fn source(&self) -> String {
        let port = self.link.address().port();
        format!("host=127.0.0.1 port={port} user=postgres sslmode=disable")
    }

    /// How many of the rows there hold the value as it is stored.
    fn sealed_at(&self, address: Address) -> String {
        let mut session = address.raw();
        session.start();
        let count = format!("select count(*) from sealed where value = {}", self.value);
        let answer = session.query(&count);
        let row = answer.iter().find(|message| message.tag == b'D').unwrap();
        String::from_utf8(row.row()[0].clone().unwrap()).unwrap()
    }
}

/// A program of the PostgreSQL that the tests run on.
fn program(name: &str) -> Program {
    as_owner(installed(name))
}

/// A directory that PostgreSQL's owner may write to.
fn directory(name: &str) -> TestDir {
    let dir = TestDir::new(name);
    give(dir.path());
    dir
}

/// A standby that was copied from the connector and follows it.
struct Standby {
    _process: Process,
    port: Port,
    _dir: TestDir,
}

fn standby(stand: &Stand) -> Standby {
    let (dir, port) = (directory("standby"), free_port());
    let data = dir.join("data");
    let copied = program("pg_basebackup")
        .args(["-d", &stand.source(), "-X", "stream", "-R", "-c", "fast"])
        .arg("-D")
        .arg(&data);
    copied.run().success();
    let process = program("postgres")
        .arg("-D")
        .arg(&data)
        .args(["-c", &format!("port={port}")])
        .args([
            "-c",
            &format!("unix_socket_directories={}", dir.path().display()),
        ])
        .start(&dir);
    process.wait_for_line("started streaming WAL from primary");
    Standby {
        _process: process,
        port,
        _dir: dir,
    }
}

#[test]
fn a_standby_is_copied_from_a_connector_and_follows_it() {
    let stand = Stand::start();
    let standby = standby(&stand);
    let address = Address::local(standby.port.number());
    assert_eq!(stand.sealed_at(address), "1");
    let insert = "insert into sealed select value from sealed, generate_series(1, 999)";
    stand.link.database.query(insert);
    until("the standby to catch up", || {
        (stand.sealed_at(address) == "1000").then_some(())
    });
    let from = "select application_name || ' ' || state from pg_stat_replication";
    assert_eq!(stand.link.database.value(from), "walreceiver streaming");
}

#[test]
fn an_archive_of_wal_is_received_through_a_connector() {
    let stand = Stand::start();
    let dir = directory("wal");
    // From now on nothing that was not received is removed, or left out.
    let slot = "select pg_create_physical_replication_slot('archive', true) is not null";
    assert_eq!(stand.link.database.value(slot), "t");
    let insert = "insert into sealed select value from sealed, generate_series(1, 999)";
    stand.link.database.query(insert);
    let written = stand
        .link
        .database
        .value("select pg_walfile_name(pg_switch_wal())");
    stand.link.database.query(insert);
    let end = stand.link.database.wal_end();
    let receive = program("pg_receivewal")
        .args(["-d", &stand.source(), "--slot=archive", "--no-loop"])
        .args(["--endpos", &end, "-D", &dir.path().display().to_string()]);
    receive.run().success();
    // A segment that was received whole has lost its `.partial`.
    let received = std::fs::read(dir.join(&written)).unwrap();
    let sent = format!("select pg_read_binary_file('pg_wal/{written}')");
    let sent = stand.link.database.value(&sent);
    let hex: String = received.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(sent == format!(r"\x{hex}"), "{written} is another one");
}

#[test]
fn changes_are_decoded_through_a_connector_with_values_as_they_are_stored() {
    let stand = Stand::start();
    let database = format!("{} dbname=postgres", stand.source());
    let receive = |more: &[&str]| {
        let receive = program("pg_recvlogical")
            .args(["-d", &database, "--slot=decoded"])
            .args(more);
        receive.run().success()
    };
    receive(&["--create-slot", "--plugin=test_decoding"]);
    stand
        .link
        .database
        .query("insert into sealed select value from sealed");
    let end = stand.link.database.wal_end();
    let decoded = receive(&["--start", "--no-loop", "-f", "-", "--endpos", &end]);
    let hex = stand.value.trim_end_matches("::bytea");
    assert!(decoded.contains(hex), "{decoded}");
}
