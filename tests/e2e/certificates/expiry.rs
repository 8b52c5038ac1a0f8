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
    let expires = status["certificates"]["expires"].as_u64().unwrap();
    let own = status["connector"]["certificates"]["expires"]
        .as_u64()
        .unwrap();
    assert_eq!((days_to(expires), days_to(own)), (20, 5));
    assert_eq!(
        stand.server.counted("certificate_expiry_timestamp_seconds"),
        expires
    );
    let ca = stand.server.counted("ca_expiry_timestamp_seconds");
    assert_eq!(status["certificates"]["ca_expires"].as_u64(), Some(ca));
    assert!(days_to(ca) > 365 * 50);
    let metrics = stand.connector.api(&Request::get("/metrics"));
    for line in [
        format!("pgseal_connector_certificate_expiry_timestamp_seconds {own}\n"),
        format!("pgseal_connector_ca_expiry_timestamp_seconds {ca}\n"),
    ] {
        assert!(metrics.text().contains(&line), "{line}{}", metrics.text());
    }
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
