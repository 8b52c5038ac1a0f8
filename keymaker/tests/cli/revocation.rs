//! Certificates that the store knows, and those that nobody is to accept.

use std::fs;

use keystore::Serial;
use serde_json::Value;

use crate::support::{Place, with_store};

/// A place with certificates of `app` (two), `server-1` and `root` in the store, made at once.
fn recorded() -> Place {
    let place = Place::filled();
    for line in [
        "cert client app --ca-dir ca --out-dir one",
        "cert client app --ca-dir ca --out-dir two",
        "cert server server-1 --ca-dir ca",
        "cert admin root --ca-dir ca",
    ] {
        place.store_ok(line);
    }
    place
}

fn revoked(place: &Place) -> Vec<Serial> {
    let list = place.open().revocations().unwrap();
    list.certificates.into_keys().collect()
}

fn said(place: &Place, line: &str) -> String {
    let output = place.run(&with_store(line));
    assert!(output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_is_made_with_a_store_is_recorded_there() {
    let place = Place::filled();
    let answer = place.store_json("cert client app --ca-dir ca");
    assert_eq!(answer["recorded"], true);
    let text = place.store_ok("cert client third --ca-dir ca");
    assert!(
        text.contains("\nRecorded in store.db.\nThe store must know the client too: "),
        "{text}"
    );
    let list = place.store_json("cert list");
    assert_eq!(list.as_array().unwrap().len(), 2);
    let app = list
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["identity"] == "client/app");
    assert_eq!(app.unwrap()["serial"], answer["serial"]);
    assert_eq!(app.unwrap()["expires"], answer["expires"]);
    let log = place.store_ok("audit list");
    assert!(log.contains("certificate-recorded expires=20"), "{log}");
    // A client that the store knows needs no reminder.
    fs::remove_file(place.path("app.crt")).unwrap();
    let text = place.store_ok("cert client app --ca-dir ca");
    assert!(!text.contains("must know"), "{text}");
}

#[test]
fn the_store_may_be_named_by_the_environment() {
    let place = Place::filled();
    let mut command = place.command(["--json", "cert", "server", "s", "--ca-dir", "ca"]);
    command.env("PGSEAL_STORE", "store.db");
    command.env("PGSEAL_MASTER_KEY_FILE", "master.key");
    let answer: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(answer["recorded"], true);
}

#[test]
fn what_was_made_without_a_store_is_recorded_later_and_once() {
    let place = Place::filled();
    let text = place.ok("cert server s --ca-dir ca");
    let line = text.lines().last().unwrap();
    let command = line.split_once("pgseal-keymaker ").unwrap().1;
    assert_eq!(command, "cert record ./s.crt");
    for _ in 0..2 {
        let text = place.store_ok(command);
        assert!(
            text.contains("server/s  ") && text.contains("valid for 36"),
            "{text}"
        );
        assert_eq!(place.store_json("cert list").as_array().unwrap().len(), 1);
    }
}

#[test]
fn certificates_are_revoked_by_file_serial_and_holder() {
    let place = recorded();
    let shown = |file: &str| place.store_json(&format!("cert show {file}"));
    let one = shown("one/app.crt");
    assert_eq!(
        (&one["recorded"], &one["revoked"]),
        (&true.into(), &Value::Null)
    );

    let answer = place.store_json("cert revoke server-1.crt --reason lost");
    assert_eq!(answer[0]["identity"], "server/server-1");
    let serial = shown("root.crt")["serial"].as_str().unwrap().to_uppercase();
    let text = place.store_ok(&format!("cert revoke --serial {serial}"));
    assert!(
        text.contains("admin/root") && text.contains("within a second"),
        "{text}"
    );
    let answer = place.store_json("cert revoke --client app");
    assert_eq!(answer.as_array().unwrap().len(), 2);
    assert_eq!(revoked(&place).len(), 4);
    for file in ["one/app.crt", "two/app.crt", "server-1.crt", "root.crt"] {
        assert!(shown(file)["revoked"].is_string(), "{file}");
    }
    let list = place.store_json("cert list");
    let server = list
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["identity"] == "server/server-1");
    assert_eq!(server.unwrap()["reason"], "lost");
    let log = place.store_ok("audit list");
    assert!(
        log.contains("identity=server/server-1 reason=lost serial="),
        "{log}"
    );

    // Once more is told, and changes nothing.
    let number = place.open().revocations().unwrap().number;
    let answer = place.store_json("cert revoke --client app");
    assert_eq!(answer[0]["revoked"], "before");
    assert_eq!(place.open().revocations().unwrap().number, number);
}

#[test]
fn a_certificate_that_is_not_recorded_is_revoked_by_its_file_or_serial() {
    let place = Place::filled();
    place.ok("cert server s --ca-dir ca");
    let error = place.store_fails(1, "cert revoke --server s");
    assert!(
        error.starts_with("no certificate of server/s is recorded"),
        "{error}"
    );
    place.store_ok("cert revoke s.crt");
    place.store_ok("cert revoke --serial 0A:1B");
    let serials = revoked(&place);
    assert!(serials.contains(&"0a1b".parse().unwrap()) && serials.len() == 2);
    let list = place.open().revocations().unwrap();
    assert!(list.certificates.values().any(|one| one.expires.is_some()));
}

#[test]
fn no_ca_is_needed_to_revoke() {
    let place = recorded();
    fs::remove_dir_all(place.path("ca")).unwrap();
    place.store_ok("cert revoke --admin root");
    place.store_ok("cert revoke one/app.crt");
}

#[test]
fn what_expires_soon_is_warned_of_and_listed() {
    let place = recorded();
    assert_eq!(said(&place, "cert list"), "");
    assert_eq!(said(&place, "cert server s --ca-dir ca --days 20"), "");
    let warning = said(&place, "cert list");
    assert!(
        warning.starts_with("pgseal-keymaker: warning: the certificate of server/s expires in "),
        "{warning}"
    );
    assert_eq!(warning.lines().count(), 1);
    let list = place.run(&with_store("--json cert list --expiring 30d"));
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["identity"], "server/s");
    // Who has another that lasts longer, or none that is accepted, needs no warning.
    fs::remove_file(place.path("s.crt")).unwrap();
    assert_eq!(said(&place, "cert server s --ca-dir ca --days 300"), "");
    assert_eq!(said(&place, "cert list"), "");
    said(&place, "cert admin short --ca-dir ca --days 2");
    assert!(said(&place, "cert list").contains("admin/short expires in"));
    said(&place, "cert revoke --admin short");
    assert_eq!(said(&place, "cert list"), "");
}

#[test]
fn a_ca_that_expires_soon_is_warned_of_when_it_is_used() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    let place = Place::init();
    // The CA's own key under a certificate with three weeks left.
    let key = std::process::Command::new("openssl")
        .args([
            "pkey",
            "-in",
            "ca/ca.key",
            "-passin",
            "env:PGSEAL_CA_PASSPHRASE",
        ])
        .current_dir(place.directory.path())
        .env("PGSEAL_CA_PASSPHRASE", crate::support::PASSPHRASE)
        .output();
    let Ok(key) = key else {
        return;
    };
    let key = KeyPair::from_pem(&String::from_utf8(key.stdout).unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.not_after =
        (std::time::SystemTime::now() + std::time::Duration::from_secs(21 * 86_400)).into();
    let certificate = params.self_signed(&key).unwrap();
    fs::write(place.path("ca/ca.crt"), certificate.pem()).unwrap();
    let output = place.run("cert server s --ca-dir ca --days 3");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        said.starts_with("pgseal-keymaker: warning: the CA expires in 2"),
        "{said}"
    );
}

#[test]
fn files_that_are_no_certificate_of_ours_are_refused() {
    let place = Place::filled();
    fs::write(place.path("text"), "text").unwrap();
    for (file, says) in [
        ("none", "cannot read none: "),
        ("text", "text is not a certificate in PEM"),
        (
            "ca/ca.crt",
            "ca/ca.crt is no certificate of a client, server or admin of pgseal",
        ),
    ] {
        for command in ["record", "revoke", "show"] {
            let error = place.store_fails(1, &format!("cert {command} {file}"));
            assert!(error.starts_with(says), "{error}");
        }
    }
    for line in [
        "cert revoke",
        "cert revoke x --serial 0a",
        "cert revoke --serial xyz",
        "cert list --expiring never",
        "cert record",
    ] {
        place.store_fails(2, line);
    }
}
