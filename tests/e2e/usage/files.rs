//! The files that a configuration names: the store, certificates and their keys.

use std::fs::{self, File};

use harness::{Ca, Identity, Leaf};

use super::{CONNECTOR, Place, SERVER, set_mode};

#[test]
fn what_is_wrong_with_the_store_is_said_with_what_to_do() {
    let place = Place::new();
    let store = fs::read(place.keys.store()).unwrap();
    let mut damaged = store.clone();
    damaged.truncate(5_000);
    let garbage = place.dir.write_private("garbage.db", [7; 9_000]);
    let damaged = place.dir.write_private("damaged.db", damaged);
    let empty = place.dir.write_private("empty.db", "");
    let loose = place.dir.write("loose.db", &store);
    set_mode(&loose, 0o640);
    for (path, says) in [
        (garbage, "garbage.db is not a pgseal store"),
        (damaged, "damaged.db is damaged"),
        (empty, "empty.db is not a pgseal store"),
        (
            loose,
            "loose.db is open to other users (mode 0640); run `chmod 600 ",
        ),
        (place.dir.path().to_owned(), " is not a pgseal store"),
        (
            place.dir.join("missing.db"),
            "missing.db; `pgseal-keymaker init` makes one",
        ),
    ] {
        let line = format!("store = '{}'", path.display());
        let error = place.refuses(&place.program(SERVER, &[&line]), 1);
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_locked_store_is_given_up_after_a_while() {
    let place = Place::new();
    let file = File::options()
        .write(true)
        .open(place.keys.store())
        .unwrap();
    // Every byte of it, those that SQLite locks among them.
    let operation = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::fcntl_lock(&file, operation).unwrap();
    // Looking at the store's bytes meanwhile would give up the lock.
    let finished = place.program(SERVER, &[]).run();
    drop(file);
    let error = place.one_line(&finished, 1);
    let store = place.keys.store();
    assert!(
        error.starts_with(&format!(
            "{} is locked by another process (waited 5s); ",
            store.display()
        )),
        "{error}"
    );
    place
        .program(SERVER, &[])
        .arg("--check-config")
        .run()
        .success();
}

/// The lines that set a program up with this identity.
fn tls(identity: &Identity) -> [String; 3] {
    [
        format!("tls.certificate = '{}'", identity.certificate.display()),
        format!("tls.private_key = '{}'", identity.private_key.display()),
        format!("tls.ca = '{}'", identity.ca.display()),
    ]
}

#[test]
fn a_certificate_of_the_wrong_role_says_whose_it_is_and_how_to_make_the_right_one() {
    let place = Place::new();
    let (server, client) = (
        place.keys.server_identity("primary"),
        place.keys.client_identity("app"),
    );
    for (program, identity, says) in [
        (
            SERVER,
            &client,
            "the certificate is that of client app, not of a server; make one with: pgseal-keymaker cert server ID",
        ),
        (
            SERVER,
            &place.keys.admin_identity("root"),
            "the certificate is that of admin root, not of a server",
        ),
        (
            CONNECTOR,
            &server,
            "the certificate is that of server primary, not of a client; make one with: pgseal-keymaker cert client ID",
        ),
        (
            CONNECTOR,
            &place.keys.admin_identity("root"),
            "the certificate is that of admin root, not of a client",
        ),
    ] {
        let lines = tls(identity);
        let changes: Vec<&str> = lines.iter().map(String::as_str).collect();
        let error = place.refuses(&place.program(program, &changes), 2);
        let expected = format!(
            "tls.certificate: {}: {says}",
            identity.certificate.display()
        );
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn what_is_wrong_with_a_certificate_or_its_key_is_said_with_its_file() {
    let place = Place::new();
    let ca = Ca::new();
    let loose = {
        let identity = place.keys.server_identity("primary");
        let key = place
            .dir
            .write("loose.key", fs::read(identity.private_key).unwrap());
        set_mode(&key, 0o644);
        key
    };
    let garbage = place.dir.write_private("garbage.pem", "canary, and no PEM");
    let nobody = ca.issue(&Leaf::server("s").without_uri()).certificate;
    let two = ca
        .issue(&Leaf::server("s").and_uri("pgseal://server/other"))
        .certificate;
    let other = ca.issue(&Leaf::server("s")).private_key;
    let expired = [Leaf::server("s"), Leaf::client("c")];
    let expired = expired.map(|leaf| ca.issue(&leaf.expired()).certificate);
    let missing = place.dir.join("missing.pem");
    for program in [SERVER, CONNECTOR] {
        for (key, path, says) in [
            (
                "tls.private_key",
                &loose,
                "mode 0644 lets others read the private key; run: chmod 600 ",
            ),
            ("tls.private_key", &garbage, "no private key in it"),
            ("tls.private_key", &missing, "No such file"),
            (
                "tls.private_key",
                &other,
                "this private key does not belong to the certificate",
            ),
            ("tls.certificate", &garbage, "no certificate in it"),
            ("tls.certificate", &missing, "I/O error: No such file"),
            (
                "tls.certificate",
                &nobody,
                "the certificate has 0 URI names, and needs exactly one of the form pgseal://ROLE/ID",
            ),
            (
                "tls.certificate",
                &two,
                "the certificate has 2 URI names, and needs exactly one",
            ),
            (
                "tls.certificate",
                &expired[usize::from(program == CONNECTOR)],
                "the certificate is valid from 2020-01-01T00:00:00Z to 2021-01-01T00:00:00Z, and not now; make a new one",
            ),
            ("tls.ca", &garbage, "no certificate in it"),
            ("tls.ca", &missing, "I/O error: No such file"),
        ] {
            let line = format!("{key} = '{}'", path.display());
            let error = place.refuses(&place.program(program, &[&line]), 2);
            let expected = format!("{key}: {}: {says}", path.display());
            assert!(error.starts_with(&expected), "{program}, {key}: {error}");
        }
    }
}
