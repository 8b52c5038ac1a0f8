//! The write-ahead log as a replica gets it: in a CopyBoth that our programs do not look into.

use harness::raw::message::{self, copy_done, query};
use harness::{Address, Chain, Keys, Random, Settings};

/// Bytes of the log that are compared.
const ENOUGH: usize = 256 << 10;

/// Reads so much of the log from a place of it on, and ends the stream in good order.
fn read(address: Address, from: &str) -> Vec<u8> {
    let mut session = address.raw();
    let start = [("user", "postgres"), ("replication", "true")];
    session.send(message::startup(&start));
    session.read_until_ready();
    session.send(query(&format!("START_REPLICATION PHYSICAL {from}")));
    assert_eq!(session.read().unwrap().tag, b'W');
    let mut log = Vec::new();
    while log.len() < ENOUGH {
        let data = session.read().unwrap();
        assert_eq!(data.tag, b'd');
        // XLogData has three numbers of eight bytes before the log itself; the rest are keepalives.
        if data.body.first() == Some(&b'w') {
            log.extend(&data.body[25..]);
        }
    }
    session.send(copy_done());
    session.read_until_ready();
    log.truncate(ENOUGH);
    log
}

#[test]
fn the_wal_is_the_same_as_directly_however_it_is_cut() {
    let keys = Keys::new();
    keys.add_client("app");
    let access = "host replication postgres 127.0.0.1/32 trust";
    let settings = Settings::new().access(access);
    let link = Chain::builder()
        .settings(settings)
        .tapped()
        .start_link(&keys);
    let sealed = keys.client("app").seal(b"stays sealed here").unwrap();
    let start = link.database.wal_end();
    link.database.query(&format!(
        "create table t as select {} x, repeat(md5(i::text), 20) from generate_series(1, 1000) i",
        message::literal(&sealed)
    ));
    let direct = read(link.database.address(), &start);
    let mut values = direct.windows(sealed.len());
    assert!(
        values.any(|window| window == sealed),
        "the value is in the log"
    );
    let mut random = Random::new();
    for tap in [&link.tunnel_tap, &link.database_tap] {
        tap.as_ref().unwrap().at_random(random.fork());
    }
    assert!(read(link.address(), &start) == direct, "the log differs");
}
