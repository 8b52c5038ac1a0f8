//! SIGHUP: a change holds from one row to the next, and a wrong configuration changes nothing.

use std::thread;

use harness::Chain;
use harness::http::Request;
use harness::raw::{Message, literal, message};

use super::Stand;

pub(super) const BY_CLIENT: &[u8] = b"a client's";
pub(super) const BY_ZONE: &[u8] = b"a zone's";

/// Under which mode a row was opened, whose fields are the zone's tag and pairs of a client's and a
/// zone's value. Panics if its fields do not agree.
#[track_caller]
pub(super) fn mode_of(row: &Message) -> &'static str {
    let fields = row.row();
    let is = |index: usize, clear: &[u8]| fields[index].as_deref() == Some(clear);
    let pairs = (1..fields.len() - 1).step_by(2);
    let modes = pairs.map(|at| match (is(at, BY_CLIENT), is(at + 1, BY_ZONE)) {
        (true, false) => "off",
        (false, true) => "on",
        (client, zone) => panic!("a pair opened as {client}, {zone}"),
    });
    let modes: Vec<_> = modes.collect();
    assert!(
        modes.iter().all(|mode| *mode == modes[0]),
        "{modes:?} in one row"
    );
    modes[0]
}

/// A pipeline of the extended protocol that gives `rows` rows with so many pairs, in binary, and
/// waits for an advisory lock after row `stop`.
pub(super) fn rows(stand: &Stand, rows: usize, pairs: usize, stop: usize) -> Vec<u8> {
    let pair = [
        literal(&stand.app.seal(BY_CLIENT).unwrap()),
        literal(&stand.zone.seal(BY_ZONE).unwrap()),
    ];
    let pairs = vec![pair.join(", "); pairs].join(", ");
    let sql = format!(
        "select '{}'::text, {pairs}, case when i = {stop} then pg_advisory_lock_shared(1)::text end
         from generate_series(1, {rows}) i",
        stand.tag()
    );
    [
        message::parse("", &sql),
        message::bind("", "", &[], 1),
        message::describe_portal(""),
        message::execute("", 0),
        message::sync(),
    ]
    .concat()
}

#[test]
fn a_mode_that_changes_in_the_middle_of_a_result_holds_from_then_on() {
    let mut stand = Stand::start(&Chain::builder());
    let mut holder = stand.link.database.address().raw();
    holder.start();
    holder.query("select pg_advisory_lock(1)");
    let mut session = stand.session();
    session.send(rows(&stand, 600, 1, 300));
    for _ in 0..3 {
        session.read().unwrap();
    }
    // PostgreSQL has sent these, and waits for the lock before it sends the last.
    let mut modes: Vec<_> = (0..200)
        .map(|_| mode_of(&session.read().unwrap()))
        .collect();
    stand.apply("zone_mode = 'on'");
    holder.query("select pg_advisory_unlock(1)");
    let rest = session.read_until_ready();
    modes.extend(
        rest.iter()
            .filter(|message| message.tag == b'D')
            .map(mode_of),
    );
    assert_eq!(modes.len(), 600);
    let switch = modes.iter().position(|mode| *mode == "on").unwrap();
    assert!((200..=300).contains(&switch), "it changed at row {switch}");
    assert!(modes[switch..].iter().all(|mode| *mode == "on"));
}

#[test]
fn a_row_is_wholly_under_one_mode_however_often_it_changes() {
    let mut stand = Stand::start(&Chain::builder());
    let batch = rows(&stand, 200, 8, 0);
    let mut session = stand.session();
    let changes = [["zone_mode = 'on'"], ["zone_mode = 'off'"]];
    thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::channel();
        let reader = scope.spawn(move || {
            let mut seen = [0, 0];
            let mut last_round = false;
            // One whole result after the last change.
            while !last_round {
                last_round = is_done.try_recv().is_ok();
                session.send(&batch);
                for row in session
                    .read_until_ready()
                    .iter()
                    .filter(|row| row.tag == b'D')
                {
                    seen[usize::from(mode_of(row) == "on")] += 1;
                }
            }
            seen
        });
        for change in changes.iter().cycle().take(30) {
            stand.link.server.apply(change);
        }
        done.send(()).unwrap();
        let [off, on] = reader.join().unwrap();
        assert!(off > 0 && on > 0, "{off} rows in mode off, {on} in mode on");
    });
}

#[test]
fn a_wrong_configuration_changes_nothing_and_says_where_it_is_wrong() {
    let mut stand = Stand::start(&Chain::builder().zone_mode("on"));
    let settings = |stand: &Stand| {
        let status = stand.link.connector.api(&Request::get("/v1/status")).json();
        [&status["zone_mode"], &status["on_refused"]]
            .map(|value| value.as_str().unwrap().to_owned())
    };
    // A wrong line, what is said of it, and the line that puts it right.
    let wrong = [
        ("zone_mode = 'sometimes'", "zone_mode", "zone_mode = 'on'"),
        (
            "max_open_row = 'long'",
            "max_open_row",
            "max_open_row = '64MiB'",
        ),
        ("zone_mode = 'off", "config.toml:", "zone_mode = 'on'"),
        ("on_refusal = 'null'", "on_refusal", ""),
    ];
    for (times, (line, named, right)) in (1..).zip(wrong) {
        // What is right in the same file is not taken over either.
        let others = ["on_refused = 'null'", "zone_mode = 'mixed'"];
        stand.link.server.reconfigure(&[others[0], others[1], line]);
        let said = harness::until("the error", || {
            let log = stand.link.server.process().log();
            let mut errors = log.lines().filter(|line| line.contains("stays as it was"));
            errors.nth(times - 1).map(str::to_owned)
        });
        for part in ["ERROR", "config.toml:", named] {
            assert!(said.contains(part), "{line}: {said}");
        }
        assert_eq!(settings(&stand), ["on", "ciphertext"], "{line}");
        // An unknown key is there to stay.
        if !right.is_empty() {
            let before = ["on_refused = 'ciphertext'", "zone_mode = 'on'"];
            stand.link.server.apply(&[before[0], before[1], right]);
        }
    }
    let mut session = stand.session();
    let sealed = stand.zone.seal(BY_ZONE).unwrap();
    let select = format!("select '{}', {}", stand.tag(), literal(&sealed));
    let opened = session.extended(&select, 1)[3].row();
    assert_eq!(opened[1].as_deref(), Some(BY_ZONE));
}

#[test]
fn what_needs_a_restart_is_named_and_waits_for_it() {
    let mut stand = Stand::start(&Chain::builder());
    stand
        .link
        .server
        .apply(&["startup_timeout = '7s'", "zone_mode = 'on'"]);
    let line = stand
        .link
        .server
        .process()
        .wait_for_line("waiting for a restart");
    assert!(
        line.contains("startup_timeout") && !line.contains("zone_mode"),
        "{line}"
    );
}
