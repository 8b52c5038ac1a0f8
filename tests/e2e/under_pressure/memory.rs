//! `open_memory` that is just enough for one row: those that wait for it are opened, too.

use std::thread;

use harness::raw::{Session, literal, rows};
use harness::{Chain, Keys, Program};

use super::Stand;

/// Length of a value, and about that of a row. All rows of a result are the same value.
const LONG: usize = 800_000;

const ROWS: usize = 4;

#[track_caller]
fn all_open(mut session: Session, clear: &[u8]) {
    let answer = session.extended(
        &format!("select value from stored, generate_series(1, {ROWS})"),
        1,
    );
    let opened = rows(&answer);
    assert_eq!(opened.len(), ROWS);
    for (number, row) in opened.iter().enumerate() {
        assert!(
            row[0].as_deref() == Some(clear),
            "row {number} has not been opened"
        );
    }
}

#[test]
fn long_rows_are_opened_one_after_another_where_memory_is_short() {
    let chain = Chain::builder()
        .server("max_open_row = '1MiB'")
        .server("open_memory = '3MiB'");
    let stand = Stand::start(&chain.on_refused("error"));
    let clear = b"0123456789abcdef".repeat(LONG / 16);
    let sealed = literal(&stand.app.seal(&clear).unwrap());
    stand
        .link
        .database
        .query(&format!("create table stored as select {sealed} as value"));
    all_open(stand.session(), &clear);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| all_open(stand.session(), &clear));
        }
    });
    assert_eq!(stand.link.server.counted("long_rows_passed_total"), 0);
}

#[test]
fn memory_that_no_longest_row_would_fit_into_is_refused() {
    let keys = Keys::new();
    let identity = keys.server_identity("primary");
    let check = |row: &str, memory: &str| {
        Program::named("pgseal-server")
            .arg("--store")
            .arg(keys.store())
            .arg("--master-key-file")
            .arg(keys.master_key_file())
            .arg("--tls-certificate")
            .arg(&identity.certificate)
            .arg("--tls-private-key")
            .arg(&identity.private_key)
            .arg("--tls-ca")
            .arg(&identity.ca)
            .args(["--database-address", "127.0.0.1:5432", "--check-config"])
            .args(["--max-open-row", row, "--open-memory", memory])
            .run()
    };
    check("1MiB", "3MiB").success();
    for (row, memory) in [("1MiB", "3145727"), ("1MiB", "1MiB"), ("200MiB", "512MiB")] {
        let refused = check(row, memory);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("open_memory: "), "{refused:?}");
        assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    }
}
