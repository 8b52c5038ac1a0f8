//! Certificates that expire are told of before they do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::http::Request;
use harness::raw::message;
use harness::raw::tls::{AlertDescription, Hello, alert};
use harness::{Identity, Leaf, until};

use super::{Stand, alerted, goes_on, install};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Whole days from now to a moment in seconds since 1970.
fn days_to(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (seconds - now.as_secs()) / DAY.as_secs()
}

#[test]
fn both_programs_warn_of_certificates_that_expire_and_tell_when() {
    let mut stand = Stand::start();
    for process in [stand.server.process(), stand.connector.process()] {
        assert!(!process.log().contains("expires"), "a century is left");
    }
    let lasting = |leaf: Leaf, days: u32| -> Identity {
        stand.ca.issue(&leaf.expires_in(DAY * days + DAY / 2))
    };
    install(&stand.dir, "server", &lasting(Leaf::server("primary"), 20));
    install(&stand.dir, "connector", &lasting(Leaf::client("app"), 5));
    stand.server.apply(&[]);
    stand.connector.apply(&[]);
    let path = |name: &str| format!("tls.certificate: {}", stand.dir.join(name).display());
    for (process, level, file, days) in [
        (
            stand.server.process(),
            "WARN",
            path("server.crt"),
            "days=20",
        ),
        (
            stand.connector.process(),
            "ERROR",
            path("connector.crt"),
            "days=5",
        ),
    ] {
        let line = process.wait_for_line("a certificate expires");
        for part in [level, &file, days, "expires=\"2"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert_eq!(process.log().matches("a certificate expires").count(), 1);
    }
    // Again at the start.
    stand.server.restart();
    until("the second warning", || {
        let log = stand.server.process().log();
        (log.matches("a certificate expires").count() == 2).then_some(())
    });

    let status = stand.connector.api(&Request::get("/v1/status")).json();
    let metrics = stand.connector.api(&Request::get("/metrics"));
    let of_connector = |name: &str| {
        let name = format!("pgseal_connector_{name} ");
        let value = metrics
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(&name));
        value.unwrap().parse::<u64>().unwrap()
    };
    let (name, ca) = (
        "certificate_expiry_timestamp_seconds",
        "ca_expiry_timestamp_seconds",
    );
    assert_eq!(days_to(stand.server.counted(name)), 20);
    assert_eq!(days_to(of_connector(name)), 5);
    for (seconds, said) in [
        (
            stand.server.counted(name),
            &status["certificates"]["expires"],
        ),
        (
            stand.server.counted(ca),
            &status["certificates"]["ca_expires"],
        ),
        (
            of_connector(name),
            &status["connector"]["certificates"]["expires"],
        ),
        (
            of_connector(ca),
            &status["connector"]["certificates"]["ca_expires"],
        ),
    ] {
        let moment = UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(*said, tunnel::rfc3339(moment));
    }
    assert_eq!(status["certificates"]["ca_expires"], "2120-01-01T00:00:00Z");
}

#[test]
fn a_certificate_that_has_expired_is_refused_and_the_session_it_opened_goes_on() {
    let stand = Stand::start();
    let short = stand
        .ca
        .issue(&Leaf::client("other").expires_in(Duration::from_secs(5)));
    let mut running = stand.session_of(&short);
    let heard = until("it to expire", || {
        match Hello::from(&short).connect(stand.server.port()) {
            Ok(mut session) => {
                session.send(
                    [
                        message::startup(&[("user", "postgres")]),
                        message::terminate(),
                    ]
                    .concat(),
                );
                session.read_to_end().1
            }
            Err(error) => alert(&error),
        }
    });
    assert_eq!(heard, AlertDescription::CertificateExpired);
    let again = alerted(&Hello::from(&short), stand.server.port());
    assert_eq!(again, AlertDescription::CertificateExpired);
    goes_on(&mut running);
}
