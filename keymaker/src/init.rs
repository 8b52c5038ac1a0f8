//! `init`: a master key, a store and a certificate authority. What fails leaves nothing; what is
//! interrupted is gone on with when it is run again.

use std::fs;
use std::path::Path;

use keystore::{MasterKey, Store};
use serde::Serialize;

use crate::Error;
use crate::authority::{self, Authority};
use crate::cert::warn_of_authority;
use crate::cli::init::Init;
use crate::files::{NewFiles, is_taken, must_be_free, must_be_ours};
use crate::output::{Output, Text};
use crate::source::{self, Source};

#[derive(Serialize)]
struct Answer {
    store: String,
    /// `null` when the master key came from elsewhere.
    master_key_file: Option<String>,
    master_key_id: String,
    ca_certificate: String,
    ca_key: String,
    ca_fingerprint: String,
    ca_expires: String,
    found: Found,
}

/// What was there already, and is used.
#[derive(Serialize)]
struct Found {
    master_key: bool,
    ca: bool,
}

pub fn run(args: Init, output: &mut Output<'_>) -> Result<(), Error> {
    let (place, directory) = (args.store.place(), args.authority.ca_dir);
    let store = place.address.file();
    let source = source::master_key_source(args.store.master_key)?;
    let master_key_file = match &source {
        Source::File(path) => Some(path.clone()),
        Source::Command(_) | Source::Value(_) => None,
    };
    let certificate = directory.join(authority::CERTIFICATE);
    let key = directory.join(authority::KEY);
    if let Some(store) = store {
        must_be_free(store)?;
    }
    let has_key = is_taken(&key);
    if has_key {
        must_be_ours(&key)?;
    } else {
        must_be_free(&certificate)?;
    }
    let has_master = master_key_file.as_deref().is_some_and(is_taken);
    let known = match &master_key_file {
        Some(path) if has_master => {
            must_be_ours(path)?;
            Some(MasterKey::from_file(path)?)
        }
        _ => None,
    };
    let passphrase = match has_key {
        true => source::passphrase(args.authority.passphrase)?,
        false => source::new_passphrase(args.authority.passphrase)?,
    };

    // Dropped last, when nothing of the store is open any more.
    let mut files = NewFiles::default();
    files.directory(&directory, 0o700)?;
    for path in [store, master_key_file.as_deref()].into_iter().flatten() {
        files.private_directory_of(path)?;
    }
    if let Some(store) = store {
        must_be_apart(&directory, store)?;
    }
    let authority = Authority::in_directory(&directory, passphrase, &mut files)?;
    warn_of_authority(authority.expires(), output);
    let master = match (source, known) {
        (_, Some(master)) => master,
        (Source::File(path), None) => {
            let master = MasterKey::generate()?;
            master.write_new(&path)?;
            files.made(&path);
            master
        }
        (Source::Command(command), None) => MasterKey::from_command(&command)?,
        (Source::Value(secret), None) => MasterKey::from_environment(&secret)?,
    };
    let master_key_id = master.id().to_string();
    // Last: while there is no store, the rest is used by nobody, and this can be run again.
    let made = Store::create(place.clone(), master, &source::operator())?;
    if let Some(store) = store {
        files.made(store);
    }
    drop(made);

    let answer = Answer {
        store: place.address.to_string(),
        master_key_file: master_key_file.map(|path| path.display().to_string()),
        master_key_id,
        ca_certificate: certificate.display().to_string(),
        ca_key: key.display().to_string(),
        ca_fingerprint: authority.fingerprint(),
        ca_expires: authority.expires().to_string(),
        found: Found {
            master_key: has_master,
            ca: has_key,
        },
    };
    output.answer(&answer, &text(&answer, &directory))?;
    files.keep();
    Ok(())
}

fn text(answer: &Answer, directory: &Path) -> Text {
    let store = &answer.store;
    let was_there = |path: &str, was: bool| match was {
        true => format!("{path}, which was there already"),
        false => path.to_owned(),
    };
    let (master, keep, option) = match &answer.master_key_file {
        Some(path) => (
            was_there(path, answer.found.master_key),
            "Keep a copy of the master key apart from the store: without it, nothing opens again.",
            format!("--master-key-file {path}"),
        ),
        None => (
            "not written, it came from elsewhere".into(),
            "Whoever keeps the master key must not lose it: without it, nothing opens again.",
            "--master-key-command …".into(),
        ),
    };
    let authority = directory.display();
    Text::default()
        .fields(&[
            ("store", store.clone()),
            ("master key", master),
            ("master key id", answer.master_key_id.clone()),
            ("CA certificate", answer.ca_certificate.clone()),
            (
                "CA key",
                was_there(&format!("{}, encrypted", answer.ca_key), answer.found.ca),
            ),
            ("CA fingerprint", answer.ca_fingerprint.clone()),
            ("CA expires", answer.ca_expires.clone()),
        ])
        .line("")
        .line(keep)
        .line("The servers need the store and the master key, never the CA's key.")
        .line("")
        .line("Next, with ids of your own:")
        .line(&format!(
            "  pgseal-keymaker client add app --store {store} {option}"
        ))
        .line(&format!(
            "  pgseal-keymaker cert client app --ca-dir {authority} --out-dir certs"
        ))
        .line(&format!(
            "  pgseal-keymaker cert server server-1 --ca-dir {authority} --out-dir certs"
        ))
}

/// Refuses a CA in the directory of the store, where every server reads.
fn must_be_apart(authority: &Path, store: &Path) -> Result<(), Error> {
    let beside = match store.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // Both are there by now.
    match (fs::canonicalize(authority), fs::canonicalize(beside)) {
        (Ok(one), Ok(other)) if one == other => Err(Error::AuthorityBesideStore {
            directory: authority.into(),
        }),
        _ => Ok(()),
    }
}
