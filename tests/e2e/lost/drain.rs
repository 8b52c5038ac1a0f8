//! SIGTERM: running queries finish, idle sessions are told, and the programs end well.

use std::net::TcpListener;

use harness::raw::{Ended, Message, Session, message, tags};
use harness::{Process, Signal, until};

use super::{Stand, farewell, plain, turned_away};

/// The two programs that drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Server,
    Connector,
}

impl Which {
    fn process(self, stand: &Stand) -> &Process {
        match self {
            Self::Server => stand.link.server.process(),
            Self::Connector => stand.link.connector.process(),
        }
    }

    fn ports(self, stand: &Stand) -> [u16; 2] {
        match self {
            Self::Server => [stand.link.server.port(), stand.link.server.ops_port()],
            Self::Connector => [stand.link.address().port(), stand.link.connector.api_port()],
        }
    }

    /// It was this program that ended the session, and why.
    #[track_caller]
    fn said_so(self, farewell: &Message) {
        let says = match self {
            Self::Server => "the pgseal server is shutting down",
            Self::Connector => "pgseal-connector is shutting down",
        };
        assert_eq!(farewell.sqlstate(), "57P01");
        assert_eq!(farewell.field(b'M').as_deref(), Some(says));
    }

    fn stand(self, drain_timeout: &str) -> Stand {
        let line = format!("drain_timeout = '{drain_timeout}'");
        Stand::start(&match self {
            Self::Server => plain().server(&line),
            Self::Connector => plain().connector(&line),
        })
    }
}

/// The program has ended as it was asked to, and nobody has its ports.
#[track_caller]
fn has_ended_well(which: Which, stand: &Stand) {
    let process = which.process(stand);
    assert_eq!(process.wait().code(), Some(0), "{which:?}");
    assert!(!process.panicked());
    for port in which.ports(stand) {
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}

#[test]
fn a_running_query_finishes_and_idle_sessions_are_told_after_drain_timeout() {
    for which in [Which::Server, Which::Connector] {
        let stand = which.stand("2s");
        let (idle, mut running) = (stand.session(), stand.running("select pg_sleep(1)"));
        let process = which.process(&stand);
        process.signal(Signal::TERM);
        process.wait_for_line("draining");
        // Once more, as impatient supervisors do.
        process.signal(Signal::TERM);
        match which {
            Which::Server => {
                assert_eq!(turned_away(stand.link.address()).sqlstate(), "08006");
                assert_eq!(stand.link.server.ops("/health").status, 503);
            }
            Which::Connector => {
                let address = stand.link.address().socket();
                assert!(Session::try_connect(address).is_err());
            }
        }
        assert_eq!(tags(&running.read_until_ready()), "TDCZ", "{which:?}");
        // There is time for one more.
        assert_eq!(tags(&running.query("select 1")), "TDCZ", "{which:?}");
        for session in [idle, running] {
            which.said_so(&farewell(session, "the drained one"));
        }
        has_ended_well(which, &stand);
    }
}

#[test]
fn a_program_ends_with_its_last_session_and_not_later() {
    for which in [Which::Server, Which::Connector] {
        let stand = which.stand("1h");
        let mut session = stand.session();
        let process = which.process(&stand);
        process.signal(Signal::TERM);
        process.wait_for_line("draining");
        assert_eq!(tags(&session.query("select 1")), "TDCZ", "{which:?}");
        assert_eq!(process.ended(), None, "{which:?}");
        session.send(message::terminate());
        assert_eq!(session.read(), Err(Ended::Closed));
        has_ended_well(which, &stand);
    }
}

#[test]
fn a_query_that_does_not_finish_in_time_is_ended_with_an_error() {
    for which in [Which::Server, Which::Connector] {
        let stand = which.stand("300ms");
        let running = stand.running("select pg_sleep(600)");
        let process = which.process(&stand);
        process.signal(Signal::INT);
        which.said_so(&farewell(running, "the unfinished one"));
        has_ended_well(which, &stand);
    }
}

#[test]
fn an_application_that_does_not_read_holds_up_no_end() {
    for which in [Which::Server, Which::Connector] {
        let stand = which.stand("300ms");
        let mut deaf = stand.session();
        deaf.send(message::query(
            "select repeat('x', 1000) from generate_series(1, 100000)",
        ));
        until("the database to wait for it", || {
            let waiting = "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'";
            (stand.link.database.value(waiting) == "1").then_some(())
        });
        which.process(&stand).signal(Signal::TERM);
        has_ended_well(which, &stand);
    }
}
