//! Time: PostgreSQL's own time-outs are heard as on a direct connection, and no time-out of ours
//! ends a session that has begun.

use harness::raw::tls::Hello;
use harness::raw::{Ended, Message, Session, message, tags};
use harness::{Address, Chain, Keys};

/// What is said of one time-out: what runs before, and what it ends.
const TIMED: [(&str, &str, &str); 5] = [
    (
        "set statement_timeout = 300",
        "select repeat('x', 10000), pg_sleep(case when i = 3 then 600 else 0 end)
         from generate_series(1, 9) i",
        "57014",
    ),
    ("begin; set local lock_timeout = 200", "lock held", "55P03"),
    (
        "set idle_in_transaction_session_timeout = 200; begin",
        "",
        "25P03",
    ),
    ("set idle_session_timeout = 200", "", "57P05"),
    (
        "set transaction_read_only = off; set statement_timeout = 200; begin",
        "select pg_sleep(600)",
        "57014",
    ),
];

/// Everything that comes up to ReadyForQuery, or the end.
fn hear(session: &mut Session) -> Vec<Message> {
    let mut heard: Vec<Message> = Vec::new();
    while heard.last().is_none_or(|last| last.tag != b'Z') {
        match session.read() {
            Ok(message) => heard.push(message),
            Err(Ended::Closed) => break,
            Err(Ended::TimedOut) => panic!("nothing after {}", tags(&heard)),
        }
    }
    heard
}

#[test]
fn postgresqls_time_outs_are_heard_as_they_are() {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder().start_link(&keys);
    let mut holder = link.database.address().raw();
    holder.start();
    holder.query("create table held ()");
    holder.query("begin; lock held");
    for (before, sql, sqlstate) in TIMED {
        let at = |address: Address| {
            let mut session = address.raw();
            session.start();
            session.query(before);
            if !sql.is_empty() {
                session.send(message::query(sql));
            }
            hear(&mut session)
        };
        let by_chain = at(link.address());
        assert_eq!(by_chain, at(link.database.address()), "{before}");
        let error = by_chain.iter().find(|message| message.tag == b'E').unwrap();
        assert_eq!(error.sqlstate(), sqlstate, "{before}");
    }
}

#[test]
fn no_time_out_of_ours_ends_a_session_that_is_idle_or_waits() {
    let keys = Keys::new();
    keys.add_client("app");
    let chain = Chain::builder()
        .connector("startup_timeout = '1500ms'")
        .connector("connect_timeout = '1500ms'")
        .connector("answer_timeout = '1500ms'")
        .server("startup_timeout = '1500ms'")
        .server("database.connect_timeout = '1500ms'")
        .server("database.answer_timeout = '1500ms'");
    let link = chain.start_link(&keys);
    let sessions: [Session; 3] = std::array::from_fn(|_| {
        let mut session = link.address().raw();
        session.start();
        session
    });
    let [mut idle, mut in_block, mut waiting] = sessions;
    in_block.query("begin");
    // Four times as long as any of them.
    assert_eq!(tags(&waiting.query("select pg_sleep(6)")), "TDCZ");
    for session in [&mut idle, &mut in_block] {
        assert_eq!(tags(&session.query("select 1")), "TDCZ");
    }
}

#[test]
fn a_tunnel_for_which_no_session_came_is_closed_and_worth_no_line() {
    let keys = Keys::new();
    keys.add_client("app");
    let chain = Chain::builder().server("tunnel_timeout = '300ms'");
    let link = chain.start_link(&keys);
    let waiting = Hello::from(&keys.client_identity("app"))
        .alpn(&["postgresql"])
        .connect(link.server.port());
    assert_eq!(waiting.unwrap().read(), Err(Ended::Closed));
    assert_eq!(link.server.counted("peers_refused_total"), 0);
    let log = link.server.process().log();
    assert!(!log.contains("WARN"), "{log}");
}
