//! SIGHUP: new certificates and CAs are taken over whole, or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use harness::raw::tls::{AlertDescription, Hello};
use harness::{Ca, Identity, Leaf, until};

use super::{Stand, alerted, goes_on, install, says, serial};

/// The same identity, trusting these CAs.
pub fn trusting(stand: &Stand, identity: &Identity, cas: &[&Ca]) -> Identity {
    let bundle: Vec<u8> = cas
        .iter()
        .flat_map(|ca| fs::read(ca.certificate()).unwrap())
        .collect();
    Identity {
        ca: stand.dir.write("trusted", bundle),
        ..identity.clone()
    }
}

/// The serial number of the certificate that a server shows.
fn shown(stand: &Stand, peer: &Identity) -> String {
    let session = Hello::from(peer).connect(stand.server.port()).unwrap();
    let shown = session.stream().conn.peer_certificates().unwrap();
    tunnel::Serial::of(&shown[0]).unwrap().to_string()
}

#[test]
fn a_new_certificate_serves_new_sessions_and_running_ones_go_on() {
    let mut stand = Stand::start();
    let mut running = stand.session();

    // The server's, in the same files.
    let primary = stand.ca.issue(&Leaf::server("primary"));
    install(&stand.dir, "server", &primary);
    stand.server.apply(&[]);
    assert_eq!(shown(&stand, &stand.app), serial(&primary));
    assert_eq!(stand.status()["certificates"]["serial"], serial(&primary));
    goes_on(&mut running);
    goes_on(&mut stand.session());

    // The connector's, in other files.
    let app = stand.ca.issue(&Leaf::client("app"));
    stand.connector.apply(&[
        &format!("tls.certificate = '{}'", app.certificate.display()),
        &format!("tls.private_key = '{}'", app.private_key.display()),
    ]);
    let status = stand.status();
    let own = &status["connector"]["certificates"];
    assert_eq!(own["serial"], serial(&app));
    goes_on(&mut running);
    let mut new = stand.session();

    // So the one goes by the old certificate, and the other by the new one.
    stand.revoke(&stand.app);
    assert_eq!(super::farewell(running).sqlstate(), "57P01");
    goes_on(&mut new);
    goes_on(&mut stand.session());
}

#[test]
fn a_ca_is_exchanged_while_sessions_run() {
    let mut stand = Stand::start();
    // As a CA that is renewed has the same name.
    let new = Ca::new();
    let both = |stand: &Stand, identity: &Identity| trusting(stand, identity, &[&stand.ca, &new]);
    let mut sessions = vec![stand.session()];
    let go_on = |stand: &Stand, sessions: &mut Vec<_>| {
        sessions.push(stand.session());
        sessions.iter_mut().for_each(goes_on);
    };
    let of_new = new.issue(&Leaf::client("other"));
    assert_eq!(
        alerted(&Hello::from(&of_new), stand.server.port()),
        AlertDescription::DecryptError
    );

    // Everybody trusts both,
    install(&stand.dir, "server", &both(&stand, &stand.primary));
    stand.server.apply(&[]);
    install(&stand.dir, "connector", &both(&stand, &stand.app));
    stand.connector.apply(&[]);
    go_on(&stand, &mut sessions);
    goes_on(&mut stand.session_of(&of_new));

    // one after the other gets a certificate of the new one,
    let primary = new.issue(&Leaf::server("primary"));
    install(&stand.dir, "server", &both(&stand, &primary));
    stand.server.apply(&[]);
    go_on(&stand, &mut sessions);
    let app = new.issue(&Leaf::client("app"));
    install(&stand.dir, "connector", &both(&stand, &app));
    stand.connector.apply(&[]);
    go_on(&stand, &mut sessions);

    // and nobody trusts the old one any more.
    install(&stand.dir, "server", &primary);
    stand.server.apply(&[]);
    install(&stand.dir, "connector", &app);
    stand.connector.apply(&[]);
    go_on(&stand, &mut sessions);
    let heard = alerted(&Hello::from(&stand.app), stand.server.port());
    assert_eq!(heard, AlertDescription::DecryptError);
    goes_on(&mut stand.session_of(&of_new));
    // A server with a certificate of the old one is none.
    install(
        &stand.dir,
        "server",
        &trusting(&stand, &stand.primary, &[&new]),
    );
    stand.server.apply(&[]);
    assert_eq!(stand.turned_away().sqlstate(), "08006");
    sessions.iter_mut().for_each(goes_on);
}

/// What is wrong with a file, by its key; and what is said of it.
fn wrong(
    stand: &Stand,
    own: impl Fn() -> Leaf,
    other: &Leaf,
) -> [(&'static str, PathBuf, &'static str); 6] {
    let ca = &stand.ca;
    let file = |name: &str, content: &str| stand.dir.write_private(name, content);
    let certificate = |leaf: &Leaf| ca.issue(leaf).certificate;
    [
        ("tls.certificate", stand.dir.join("nowhere"), "No such file"),
        (
            "tls.certificate",
            file("no-pem", "no PEM"),
            "no certificate in it",
        ),
        (
            "tls.certificate",
            certificate(&own().expired()),
            "and not now; make a new one",
        ),
        (
            "tls.certificate",
            certificate(other),
            "make one with: pgseal-keymaker cert",
        ),
        (
            "tls.private_key",
            ca.issue(&own()).private_key,
            "does not belong to the certificate",
        ),
        ("tls.ca", file("empty", ""), "no certificate in it"),
    ]
}

/// Whichever program it is: what it says in its log, once it has been given a wrong line and one
/// that is right beside it.
#[track_caller]
fn refusal(log: impl Fn() -> String, times: usize) -> String {
    until("the error", || {
        let log = log();
        let mut errors = log.lines().filter(|line| line.contains("stays as it was"));
        errors.nth(times - 1).map(str::to_owned)
    })
}

fn line(key: &str, path: &Path) -> String {
    format!("{key} = '{}'", path.display())
}

#[test]
fn a_wrong_file_changes_nothing_and_is_named_with_its_key() {
    let mut stand = Stand::start();
    let mut running = stand.session();
    let before = stand.status();
    let right = |stand: &Stand, name: &str, key: &str| {
        let extension = match key {
            "tls.certificate" => "crt",
            "tls.private_key" => "key",
            _ => "ca",
        };
        line(key, &stand.dir.join(&format!("{name}.{extension}")))
    };
    for (times, (key, path, says)) in (1..).zip(wrong(
        &stand,
        || Leaf::server("primary"),
        &Leaf::client("primary"),
    )) {
        // What is right in the same file is not taken over either.
        let lines = [line(key, &path), "zone_mode = 'mixed'".to_owned()];
        stand.server.reconfigure(&[&lines[0], &lines[1]]);
        let said = refusal(|| stand.server.process().log(), times);
        let expected = format!("{key}: {}: ", path.display());
        assert!(said.contains(&expected) && said.contains(says), "{said}");
        let lines = [right(&stand, "server", key), "zone_mode = 'off'".to_owned()];
        let now = stand.status();
        assert_eq!(now["zone_mode"], "off", "{said}");
        assert_eq!(now["certificates"], before["certificates"], "{said}");
        goes_on(&mut stand.session());
        stand.server.apply(&[&lines[0], &lines[1]]);
    }
    for (times, (key, path, says)) in
        (1..).zip(wrong(&stand, || Leaf::client("app"), &Leaf::server("app")))
    {
        stand.connector.reconfigure(&[&line(key, &path)]);
        let said = refusal(|| stand.connector.process().log(), times);
        let expected = format!("{key}: {}: ", path.display());
        assert!(said.contains(&expected) && said.contains(says), "{said}");
        let now = stand.status();
        let certificates = |status: &serde_json::Value| status["connector"]["certificates"].clone();
        assert_eq!(certificates(&now), certificates(&before), "{said}");
        goes_on(&mut stand.session());
        stand.connector.apply(&[&right(&stand, "connector", key)]);
    }
    goes_on(&mut running);
}

#[test]
fn a_certificate_of_somebody_else_does_not_take_a_running_programs_place() {
    let mut stand = Stand::start();
    install(
        &stand.dir,
        "server",
        &stand.ca.issue(&Leaf::server("replica")),
    );
    stand.server.reconfigure(&["zone_mode = 'mixed'"]);
    let said = refusal(|| stand.server.process().log(), 1);
    assert!(
        said.contains("that of server replica, and this is server primary"),
        "{said}"
    );
    install(
        &stand.dir,
        "connector",
        &stand.ca.issue(&Leaf::client("other")),
    );
    stand.connector.reconfigure(&[]);
    let said = refusal(|| stand.connector.process().log(), 1);
    assert!(
        said.contains("that of client other, and this is client app"),
        "{said}"
    );
    let now = stand.status();
    assert_eq!(now["zone_mode"], "off");
    assert_eq!(now["certificates"]["serial"], serial(&stand.primary));
    goes_on(&mut stand.session());
}

#[test]
fn a_server_that_server_ids_no_longer_names_is_no_server_for_new_sessions() {
    let mut stand = Stand::start();
    let mut running = stand.session();
    stand.connector.apply(&["server_ids = ['replica']"]);
    let (code, text) = says(&stand.turned_away());
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("08006", "pgseal-connector cannot reach its server")
    );
    goes_on(&mut running);
}
