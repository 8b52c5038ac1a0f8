//! Certificates: what they say, that OpenSSL agrees where it is installed, and what is refused.

use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384,
    SanType, date_time_ymd,
};
use serde_json::Value;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

use crate::support::{PASSPHRASE, Place, mode, set_mode};

fn pem(path: &Path) -> Pem {
    let text = fs::read(path).unwrap();
    x509_parser::pem::parse_x509_pem(&text).unwrap().1
}

/// What a certificate says, extension by extension.
fn described(certificate: &X509Certificate<'_>) -> Vec<String> {
    let describe = |extension: &ParsedExtension<'_>| match extension {
        ParsedExtension::SubjectAlternativeName(names) => names
            .general_names
            .iter()
            .map(|name| match name {
                GeneralName::URI(uri) => format!("uri {uri}"),
                other => format!("other name {other}"),
            })
            .collect::<Vec<_>>()
            .join(" "),
        ParsedExtension::KeyUsage(usage) => format!("key usage {}", usage.flags),
        ParsedExtension::ExtendedKeyUsage(usage) => {
            assert!(!usage.any && usage.other.is_empty());
            format!("server {} client {}", usage.server_auth, usage.client_auth)
        }
        ParsedExtension::BasicConstraints(basic) => format!("ca {}", basic.ca),
        ParsedExtension::AuthorityKeyIdentifier(_) => "authority key".into(),
        ParsedExtension::SubjectKeyIdentifier(_) => "subject key".into(),
        other => format!("{other:?}"),
    };
    let mut all: Vec<_> = certificate
        .extensions()
        .iter()
        .map(|extension| describe(extension.parsed_extension()))
        .collect();
    all.sort();
    all
}

/// What every leaf says.
fn leaf(identity: &str, server: bool) -> [String; 6] {
    [
        "authority key".into(),
        "ca false".into(),
        "key usage 1".into(),
        format!("server {server} client true"),
        "subject key".into(),
        format!("uri {identity}"),
    ]
}

/// Runs OpenSSL; `None` where it is not installed.
fn openssl(place: &Place, line: &str) -> Option<(bool, String)> {
    let output = Command::new("openssl")
        .args(line.split_whitespace())
        .current_dir(place.directory.path())
        .env("PGSEAL_CA_PASSPHRASE", PASSPHRASE)
        .output()
        .ok()?;
    let said = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

/// A signing request for `key` that asks for more than it gets.
fn request(key: &KeyPair) -> String {
    let mut params = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
    params
        .subject_alt_names
        .push(SanType::URI("pgseal://admin/root".try_into().unwrap()));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.serialize_request(key).unwrap().pem().unwrap()
}

const SIGN: &str = "cert sign --csr app.csr --role client --id app --ca-dir ca --out-dir certs";

#[test]
fn each_role_gets_its_usages_and_one_uri() {
    let place = Place::init();
    for (role, server) in [("client", false), ("server", true), ("admin", false)] {
        let id = format!("{role}-1:a@b.c_d");
        let line = format!("cert {role} {id} --ca-dir ca --out-dir certs");
        let answer = place.json(&line);
        let identity = format!("pgseal://{role}/{id}");
        assert_eq!(answer["identity"], identity.as_str());
        assert_eq!(answer["certificate"], format!("certs/{id}.crt"));
        assert_eq!(answer["key"], format!("certs/{id}.key"));

        let pem = pem(&place.path(&format!("certs/{id}.crt")));
        let certificate = pem.parse_x509().unwrap();
        assert_eq!(described(&certificate), leaf(&identity, server));
        assert_eq!(mode(&place.path(&format!("certs/{id}.key"))), 0o600);
        let serial: String = certificate
            .raw_serial()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(
            answer["serial"],
            serial.strip_prefix("00").unwrap_or(&serial)
        );
        let key = fs::read_to_string(place.path(&format!("certs/{id}.key"))).unwrap();
        let key = KeyPair::from_pem(&key).unwrap();
        let public = &certificate.public_key().subject_public_key;
        assert_eq!(key.public_key_raw(), public.as_ref());
    }
}

#[test]
fn openssl_trusts_them_for_their_purpose_only_and_shows_the_same_fingerprint() {
    let place = Place::init();
    for (role, purposes) in [
        ("client", ["sslclient"].as_slice()),
        ("server", &["sslserver", "sslclient"]),
        ("admin", &["sslclient"]),
    ] {
        let answer = place.json(&format!("cert {role} {role} --ca-dir ca --out-dir certs"));
        for purpose in ["sslclient", "sslserver"] {
            let line = format!("verify -purpose {purpose} -CAfile ca/ca.crt certs/{role}.crt");
            let Some((trusted, said)) = openssl(&place, &line) else {
                return;
            };
            assert_eq!(
                trusted,
                purposes.contains(&purpose),
                "{role} {purpose}: {said}"
            );
        }
        let line = format!("x509 -in certs/{role}.crt -noout -fingerprint -sha256");
        let (_, said) = openssl(&place, &line).unwrap();
        let fingerprint = answer["fingerprint"].as_str().unwrap();
        assert_eq!(said.trim_end(), format!("sha256 Fingerprint={fingerprint}"));
    }
}

#[test]
fn openssl_reads_the_cas_key_with_the_passphrase_and_only_with_it() {
    let place = Place::init();
    let text = fs::read_to_string(place.path("ca/ca.key")).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    let public = "pkey -in ca/ca.key -pubout -passin";
    let Some((read, from_key)) = openssl(&place, &format!("{public} env:PGSEAL_CA_PASSPHRASE"))
    else {
        return;
    };
    assert!(read, "{from_key}");
    let (_, from_certificate) = openssl(&place, "x509 -in ca/ca.crt -noout -pubkey").unwrap();
    assert_eq!(from_key, from_certificate);
    let (read, _) = openssl(&place, &format!("{public} pass:another")).unwrap();
    assert!(!read);
}

#[test]
fn serials_differ_and_days_are_counted_from_now() {
    let place = Place::init();
    let one = place.json("cert client one --ca-dir ca --days 1");
    let other = place.json("cert client other --ca-dir ca --days 90");
    assert_ne!(one["serial"], other["serial"]);
    for (name, days) in [("one", 1), ("other", 90)] {
        let pem = pem(&place.path(&format!("{name}.crt")));
        let validity = pem.parse_x509().unwrap().validity().clone();
        let span = validity.not_after.timestamp() - validity.not_before.timestamp();
        assert_eq!(span, days * 24 * 60 * 60 + 300);
        assert!(validity.is_valid());
    }
}

#[test]
fn a_client_is_reminded_of_the_store() {
    let place = Place::init();
    let text = place.ok("cert client app --ca-dir ca");
    assert!(text.contains("\nNot recorded in a store; "), "{text}");
    let says = "\nThe store must know the client too: pgseal-keymaker client add app\n";
    assert!(text.ends_with(says), "{text}");
    let text = place.ok("cert server server-1 --ca-dir ca");
    assert!(!text.contains("The store must"), "{text}");
}

#[test]
fn an_id_too_long_for_a_common_name_still_names_its_holder() {
    let place = Place::init();
    let id = "a".repeat(128);
    place.ok(&format!("cert client {id} --ca-dir ca"));
    let pem = pem(&place.path(&format!("{id}.crt")));
    let certificate = pem.parse_x509().unwrap();
    assert_eq!(
        described(&certificate),
        leaf(&format!("pgseal://client/{id}"), false)
    );
    assert_eq!(certificate.subject().iter_common_name().count(), 0);
}

#[test]
fn nothing_is_overwritten() {
    let place = Place::init();
    for taken in ["app.crt", "app.key"] {
        fs::write(place.path(taken), "mine").unwrap();
        let error = place.fails(1, "cert client app --ca-dir ca --out-dir .");
        assert!(
            error.starts_with(&format!("./{taken} exists already")),
            "{error}"
        );
        fs::remove_file(place.path(taken)).unwrap();
    }
    place.ok("cert client app --ca-dir ca");
    place.fails(1, "cert server app --ca-dir ca");
    // A key that was left without its certificate is used for another.
    let key = fs::read(place.path("app.key")).unwrap();
    fs::remove_file(place.path("app.crt")).unwrap();
    place.ok("cert server app --ca-dir ca");
    assert_eq!(fs::read(place.path("app.key")).unwrap(), key);
    // The CA's own files are as safe as any.
    place.fails(1, "cert client ca --ca-dir ca --out-dir ca");
}

#[test]
fn a_passphrase_comes_from_a_file_or_a_command_too() {
    let place = Place::init();
    fs::write(place.path("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
    set_mode(&place.path("passphrase"), 0o600);
    for (id, option, value) in [
        ("one", "--ca-passphrase-file", "passphrase"),
        ("two", "--ca-passphrase-command", "cat passphrase"),
    ] {
        let mut command = place.command(["cert", "client", id, "--ca-dir", "ca", option, value]);
        // The command line goes first.
        command.env("PGSEAL_CA_PASSPHRASE", "another passphrase");
        assert!(command.output().unwrap().status.success());
    }
    set_mode(&place.path("passphrase"), 0o644);
    let error = place.fails(
        1,
        "cert client app --ca-dir ca --ca-passphrase-file passphrase",
    );
    assert!(
        error.ends_with("(mode 0644); run `chmod 600 passphrase`"),
        "{error}"
    );
}

#[test]
fn a_wrong_passphrase_is_refused_and_not_repeated() {
    let place = Place::init();
    for line in ["cert client app --ca-dir ca --out-dir certs", SIGN] {
        let key = KeyPair::generate().unwrap();
        fs::write(place.path("app.csr"), request(&key)).unwrap();
        let mut command = place.command(line.split(' '));
        let error = place.command_fails(1, command.env("PGSEAL_CA_PASSPHRASE", "another one"));
        assert_eq!(
            error,
            "wrong passphrase for ca/ca.key, or the file is damaged"
        );
    }
}

#[test]
fn a_ca_that_is_unfit_is_refused() {
    let certify = "cert client app --ca-dir ca --out-dir certs";
    let says = |change: &dyn Fn(&Place), expected: &str| {
        let place = Place::init();
        change(&place);
        let error = place.fails(1, certify);
        assert!(error.starts_with(expected), "{error}");
    };
    let write = |name: &'static str, content: String| {
        move |place: &Place| fs::write(place.path(name), &content).unwrap()
    };
    says(
        &|place| fs::remove_file(place.path("ca/ca.crt")).unwrap(),
        "cannot read ca/ca.crt: ",
    );
    says(
        &write("ca/ca.crt", "nothing".into()),
        "ca/ca.crt is not a certificate in PEM",
    );
    says(
        &write("ca/ca.key", "nothing".into()),
        "ca/ca.key is not an encrypted private key",
    );
    let key = KeyPair::generate().unwrap();
    says(
        &write("ca/ca.key", key.serialize_pem()),
        "ca/ca.key is not an encrypted private key",
    );
    says(
        &|place| {
            place.ok("cert client other --ca-dir ca");
            fs::copy(place.path("other.crt"), place.path("ca/ca.crt")).unwrap();
        },
        "ca/ca.crt is not the certificate of a CA",
    );
    says(
        &|place| {
            let other = Place::fresh();
            fs::copy(other.path("ca/ca.crt"), place.path("ca/ca.crt")).unwrap();
        },
        "ca/ca.key is not the key of the CA's certificate",
    );
    let mut expired = CertificateParams::default();
    expired.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    expired.not_after = date_time_ymd(2020, 1, 1);
    let expired = expired.self_signed(&key).unwrap().pem();
    says(
        &write("ca/ca.crt", expired),
        "ca/ca.crt has expired, or is not valid yet",
    );
}

#[test]
fn another_ca_is_made_beside_the_first_and_signs_for_itself() {
    let place = Place::init();
    let text = place.ok("cert authority --ca-dir new-ca");
    assert!(
        text.contains("CA key          new-ca/ca.key, encrypted\n"),
        "{text}"
    );
    assert_eq!(mode(&place.path("new-ca")), 0o700);
    assert_eq!(mode(&place.path("new-ca/ca.key")), 0o600);
    place.ok("cert server s --ca-dir new-ca");
    let signed_by = |ca: &str| {
        let (pem, leaf) = (
            pem(&place.path(&format!("{ca}/ca.crt"))),
            pem(&place.path("s.crt")),
        );
        let (ca, leaf) = (pem.parse_x509().unwrap(), leaf.parse_x509().unwrap());
        leaf.verify_signature(Some(ca.public_key())).is_ok()
    };
    assert!(signed_by("new-ca") && !signed_by("ca"));
    let error = place.fails(1, "cert authority --ca-dir new-ca");
    assert!(error.starts_with("new-ca/ca.crt exists already"), "{error}");
    // A key whose certificate was never written gets one.
    fs::remove_file(place.path("new-ca/ca.crt")).unwrap();
    let key = fs::read(place.path("new-ca/ca.key")).unwrap();
    place.ok("cert authority --ca-dir new-ca");
    assert_eq!(fs::read(place.path("new-ca/ca.key")).unwrap(), key);
    assert!(signed_by("new-ca"));
}

#[test]
fn a_certificate_does_not_outlive_its_ca() {
    let place = Place::init();
    // Ten years from now is the same second as the CA's expiry, or a later one.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let error = place.fails(1, "cert client app --ca-dir ca --days 3650");
    assert!(error.starts_with("the CA expires on 20"), "{error}");
    place.ok("cert client app --ca-dir ca --days 3649");
}

#[test]
fn a_request_gets_its_key_certified_and_nothing_else_that_it_asks_for() {
    let place = Place::init();
    let key = KeyPair::generate().unwrap();
    fs::write(place.path("app.csr"), request(&key)).unwrap();
    let answer = place.json(SIGN);
    assert_eq!(answer["key"], Value::Null);
    assert_eq!(fs::read_dir(place.path("certs")).unwrap().count(), 1);
    let pem = pem(&place.path("certs/app.crt"));
    let certificate = pem.parse_x509().unwrap();
    assert_eq!(described(&certificate), leaf("pgseal://client/app", false));
    assert_eq!(
        certificate.subject().to_string(),
        "O=pgseal, OU=client, CN=app"
    );
    let public = &certificate.public_key().subject_public_key;
    assert_eq!(key.public_key_raw(), public.as_ref());
}

#[test]
fn a_request_made_by_openssl_is_signed() {
    let place = Place::init();
    let made = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout app.key \
                -subj /CN=whoever -addext subjectAltName=DNS:evil.example -out app.csr";
    let Some((true, _)) = openssl(&place, made) else {
        assert!(openssl(&place, "version").is_none());
        return;
    };
    place.ok(SIGN);
    let (trusted, said) = openssl(&place, "verify -CAfile ca/ca.crt certs/app.crt").unwrap();
    assert!(trusted, "{said}");
}

#[test]
fn a_request_that_proves_no_key_is_refused() {
    let place = Place::init();
    let says = |content: &[u8], expected: &str| {
        fs::write(place.path("app.csr"), content).unwrap();
        let error = place.fails(1, SIGN);
        assert!(error.starts_with(&format!("app.csr {expected}")), "{error}");
    };
    says(b"", "is not a certificate signing request (PKCS#10, PEM)");
    says(
        &[b'a'; 65_537],
        "is too large for a certificate signing request",
    );
    let certificate = fs::read(place.path("ca/ca.crt")).unwrap();
    says(
        &certificate,
        "is not a certificate signing request (PKCS#10, PEM)",
    );
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    says(
        request(&p384).as_bytes(),
        "asks for a certificate of another key than P-256",
    );

    // Another name in the request than the one that was signed.
    let request = request(&KeyPair::generate().unwrap());
    let (_, pem) = x509_parser::pem::parse_x509_pem(request.as_bytes()).unwrap();
    let mut der = pem.contents;
    let at = der.windows(4).position(|part| part == b"evil").unwrap();
    der[at] = b'E';
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
    let altered =
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n");
    says(altered.as_bytes(), "is not signed with the key it is for");

    fs::remove_file(place.path("app.csr")).unwrap();
    assert!(place.fails(1, SIGN).starts_with("cannot read app.csr: "));
}
