//! Whatever writes is killed at every step, and leaves a store that is as before or as after.
//!
//! Each command of a table runs under strace, once to learn its writing system calls, and then once
//! for each of them, killed as it enters it. What it leaves is opened and checked; then the same
//! command is run again. `PGSEAL_TEST_LONG=1` takes every step; otherwise some of them are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use envelope::Owner;
use keystore::{Fate, KeyState, MasterKey, Store};

use crate::support::{PASSPHRASE, Place};

/// The system calls that change something: files, their names, and what is sent to the disk.
const WRITING: &str = "openat,write,writev,pwrite64,pwritev,fsync,fdatasync,rename,renameat,renameat2,\
                       link,linkat,unlink,unlinkat,ftruncate,fallocate,mkdir,mkdirat,chmod,fchmod";

const STORE: &str = "--store store.db --master-key-file master.key";

/// A command to be killed.
struct Case {
    /// What is run before, to the end; empty for a place where nothing is yet.
    before: &'static [&'static str],
    line: &'static str,
    /// What it may say when it is run again, if it does not succeed.
    done: &'static str,
    /// Its changes of the store.
    changes: Changes,
    /// Of how many steps one is taken, unless all are.
    stride: usize,
}

#[derive(PartialEq)]
enum Changes {
    /// One, or none.
    One,
    /// Several, each of which is told by the audit log, and is gone on from.
    Several,
    /// None: it only makes files, or the store itself.
    Files,
}

const fn case(before: &'static [&'static str], line: &'static str, done: &'static str) -> Case {
    Case {
        before,
        line,
        done,
        changes: Changes::One,
        stride: 5,
    }
}

impl Case {
    const fn several(mut self) -> Self {
        self.changes = Changes::Several;
        self
    }

    const fn files(mut self) -> Self {
        self.changes = Changes::Files;
        self
    }

    /// For what derives the CA's key, which is meant to be slow.
    const fn slow(mut self) -> Self {
        self.stride = 11;
        self
    }
}

/// A place with the clients `app`, `billing` and `third`, the zone `tenant-1`, two versions of the
/// keys of `app` and of the zone, and a certificate in `s.crt` that is recorded.
const FILLED: &[&str] = &[
    "client add app --create-zones",
    "client add billing",
    "client add third",
    "zone add tenant-1 --client app --client billing",
    "key rotate --client app",
    "key rotate --zone tenant-1",
    "cert server s --ca-dir ca",
];

/// Panics unless the command can be killed anywhere.
fn kill(case: &Case) {
    let base = base(case);
    let line = match case.changes {
        Changes::Files if case.before.is_empty() => case.line.to_owned(),
        _ if ["--store", "--from", "authority"]
            .iter()
            .any(|part| case.line.contains(part)) =>
        {
            case.line.to_owned()
        }
        _ => format!("{} {STORE}", case.line),
    };
    let before = dump(&base);
    let finished = copy(&base);
    let steps = steps(&finished, &line);
    let (after, names_after) = (dump(&finished), names(&finished));

    let long = std::env::var_os("PGSEAL_TEST_LONG").is_some_and(|value| value == "1");
    let stride = if long { 1 } else { case.stride };
    assert!(steps.len() > 3, "`{line}` writes {} times", steps.len());
    // The last ones are those after the change; they count too.
    let (mut tried, mut killed) = (0, 0);
    for step in steps.iter().rev().step_by(stride) {
        let place = copy(&base);
        let output = run_killed(&place, &line, step);
        tried += 1;
        if output.status.success() {
            // What is drawn decides where in the file it goes, and so how many pages are written.
            continue;
        }
        killed += 1;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // strace ends as the program did.
        assert_eq!(output.status.signal(), Some(9), "{line}, {step:?}: {said}");
        let at = format!("`{line}`, killed at {step:?}");

        // What it left is looked at in a copy, and run again as it is.
        let left = dump(&copy(&place));
        check(case, [&before, &left, &after], &at);
        let again = place.run(&line);
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        let is_done = !case.done.is_empty() && said.contains(case.done);
        assert!(again.status.success() || is_done, "{at}, and again: {said}");
        let end = dump(&place);
        if left == before || case.changes == Changes::Several {
            assert_eq!(end, after, "{at}, and again");
        }
        assert_eq!(names(&place), names_after, "{at}, and again");
        for copy in ["copy.db", "other.db"].map(|name| place.path(name)) {
            if copy.exists() {
                let master = MasterKey::from_file(&place.path("master.key")).unwrap();
                let audited = Store::open(&copy, master)
                    .unwrap()
                    .verify_audit(None, |_| {});
                assert_eq!(
                    audited.unwrap().faults,
                    Vec::<String>::new(),
                    "{at}, and again"
                );
            }
        }
    }
    assert!(
        4 * killed >= 3 * tried,
        "`{line}` was killed {killed} of {tried} times"
    );
}

fn check(case: &Case, [before, left, after]: [&Option<Content>; 3], at: &str) {
    match case.changes {
        Changes::One | Changes::Files => {
            assert!(left == before || left == after, "{at}: {left:?}");
        }
        Changes::Several => {
            let events = |content: &Option<Content>| content.clone().unwrap().events;
            let (before, left, after) = (events(before), events(left), events(after));
            assert!(
                left.starts_with(&before) && after.starts_with(&left),
                "{at}: {left:?}"
            );
        }
    }
}

fn base(case: &Case) -> Place {
    if case.before.is_empty() {
        return Place::empty();
    }
    let place = Place::init();
    for line in case.before {
        let line = match line.contains("--store") {
            true => (*line).to_owned(),
            false => format!("{line} {STORE}"),
        };
        place.ok(&line);
    }
    place
}

fn copy(from: &Place) -> Place {
    let place = Place::empty();
    let copied = Command::new("cp")
        .args(["-a", "."])
        .arg(place.directory.path())
        .current_dir(from.directory.path())
        .status();
    assert!(copied.unwrap().success());
    place
}

/// A writing system call: its name, and its count among those of this name.
#[derive(Debug)]
struct Step {
    name: String,
    count: usize,
}

/// Runs the program to its end. Answers its writing system calls, in their order.
fn steps(place: &Place, line: &str) -> Vec<Step> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = strace(place, line, log.path().to_str().unwrap(), &[]);
    assert!(output.status.success(), "{line}: {output:?}");
    let mut counts = BTreeMap::<String, usize>::new();
    let mut steps = Vec::new();
    for call in fs::read_to_string(log.path()).unwrap().lines() {
        let Some((name, arguments)) = call.split_once('(') else {
            continue;
        };
        let count = counts.entry(name.into()).or_default();
        *count += 1;
        // Opening what is there changes nothing.
        if name != "openat" || arguments.contains("O_CREAT") || arguments.contains("O_TMPFILE") {
            steps.push(Step {
                name: name.into(),
                count: *count,
            });
        }
    }
    steps
}

/// Runs the program until it enters this system call.
fn run_killed(place: &Place, line: &str, step: &Step) -> Output {
    let Step { name, count } = step;
    let inject = format!("inject={name}:signal=SIGKILL:when={count}");
    strace(place, line, "/dev/null", &["-e", &inject])
}

fn strace(place: &Place, line: &str, log: &str, options: &[&str]) -> Output {
    Command::new("strace")
        .args(["-qq", "-o", log, "-e", &format!("trace={WRITING}")])
        .args(options)
        .arg(env!("CARGO_BIN_EXE_pgseal-keymaker"))
        .args(line.split_whitespace())
        .current_dir(place.directory.path())
        .env("PGSEAL_CA_PASSPHRASE", PASSPHRASE)
        .env_remove("PGSEAL_STORE")
        .env_remove("PGSEAL_MASTER_KEY_FILE")
        .stdin(Stdio::null())
        .output()
        .expect("strace is installed: apt-get install strace")
}

/// The names of all files; SQLite's own beside a store come and go.
fn names(place: &Place) -> BTreeSet<String> {
    let root = place.directory.path();
    let all = crate::support::files(root);
    let names = all.iter().map(|(path, ..)| {
        let name = path.strip_prefix(root).unwrap();
        name.to_str().unwrap().to_owned()
    });
    names
        .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect()
}

/// What a store holds, without what is drawn or timed anew in every run.
#[derive(Clone, Debug, PartialEq)]
struct Content {
    records: Vec<String>,
    events: Vec<String>,
}

/// Opens every record. `None` if there is no store. Panics if anything is wrong with one.
fn dump(place: &Place) -> Option<Content> {
    let path = place.path("store.db");
    if !path.exists() {
        return None;
    }
    let key = |name: &str| MasterKey::from_file(&place.path(name));
    let store = Store::open(&path, key("master.key").unwrap());
    let store = store
        .or_else(|_| Store::open(&path, key("new.key")?))
        .unwrap();
    let audited = store.verify_audit(None, |_| {}).unwrap();
    assert_eq!(audited.faults, Vec::<String>::new());

    let mut records = Vec::new();
    for client in store.clients(None, 100).unwrap() {
        let (may, most) = (client.create_zones, client.zones_per_day);
        records.push(format!("{} {may} {most:?} {}", client.id, client.active));
    }
    for zone in store.zones(None, 100).unwrap() {
        let fate = match zone.fate {
            Fate::Kept => "kept",
            Fate::Destroying { .. } => "destroying",
            Fate::Destroyed { .. } => "destroyed",
        };
        records.push(format!(
            "{} {fate} {:?} {}",
            zone.id, zone.clients, zone.active
        ));
    }
    for key in store.keys(None, None, 100).unwrap() {
        let private = store.private_key(&key);
        assert_eq!(private.is_ok(), key.state != KeyState::Destroyed, "{key:?}");
        assert_eq!(store.key_by_id(key.key_id).unwrap().as_ref(), Some(&key));
        let receipt = store.receipt(&key.owner, key.version).unwrap().is_some();
        let owner: &Owner = &key.owner;
        records.push(format!("{owner} {} {} {receipt}", key.version, key.state));
    }
    let revoked = store.revocations().unwrap().certificates.into_values();
    records.extend(revoked.map(|one| format!("revoked {:?}", one.identity)));
    let settings = store.settings().unwrap();
    records.push(format!("settings {}", settings.number));
    let set = settings.set.into_iter();
    records.extend(set.map(|(name, setting)| format!("setting {name} {}", setting.value)));
    let certificates = store.certificates(None, 100).unwrap();
    records.extend(certificates.into_iter().map(|one| one.identity));
    let state = store.master_state().unwrap();
    let (unfinished, two) = (state.replacing.is_some(), state.replaced.is_some());
    // Serial numbers are drawn, and with them the order of certificates.
    records.sort();
    records.push(format!("unfinished {unfinished}, two keys {two}"));
    let events = store.audit(0, 1000).unwrap().into_iter();
    let name = |entry: keystore::Entry| {
        let event = serde_json::to_value(entry.event).unwrap();
        let whose =
            ["owner", "zone", "client", "identity", "name"].map(|name| event[name].to_string());
        format!("{} {}", event["event"], whose.concat())
    };
    Some(Content {
        records,
        events: events.map(name).collect(),
    })
}

/// Declares one test for each command, so that they run side by side.
macro_rules! cases {
    ($($name:ident: $case:expr,)*) => {
        $(#[test]
        fn $name() {
            kill(&$case);
        })*
    };
}

cases! {
    init: case(
        &[],
        "init --store store.db --master-key-file master.key --ca-dir ca",
        "store.db exists already",
    ).files().slow(),
    client_add: case(FILLED, "client add fourth", "client fourth exists already"),
    client_set: case(FILLED, "client set app --zones-per-day 3", ""),
    zone_add: case(FILLED, "zone add tenant-2 --client app", "zone tenant-2 exists already"),
    zone_destroy: case(FILLED, "zone destroy tenant-1", ""),
    zone_keep: case(ORDERED, "zone keep tenant-1", ""),
    zone_destroy_now: case(
        FILLED,
        "zone destroy tenant-1 --now --confirm tenant-1",
        "zone tenant-1 was destroyed",
    ).several(),
    zone_receipt: case(DESTROYED, "zone receipt tenant-1 --out r", "r exists already").files(),
    grant_add: case(FILLED, "grant add --zone tenant-1 --client third", ""),
    grant_remove: case(FILLED, "grant remove --zone tenant-1 --client app", ""),
    key_rotate: case(FILLED, "key rotate --client app", ""),
    key_retire: case(FILLED, "key retire --client app --version 1", ""),
    key_restore: case(RETIRED, "key restore --client app --version 1", ""),
    key_destroy: case(FILLED, "key destroy --client app --version 1 --yes", "").several(),
    setting_set: case(FILLED, "setting set zone_mode mixed", ""),
    setting_reset: case(SET, "setting reset zone_mode", ""),
    cert_with_a_store: case(
        FILLED,
        "cert client app --ca-dir ca --out-dir certs",
        "certs/app.crt exists already",
    ).slow(),
    cert_authority: case(FILLED, "cert authority --ca-dir new", "new/ca.crt exists already").files().slow(),
    cert_record: case(UNRECORDED, "cert record t.crt", ""),
    cert_revoke: case(FILLED, "cert revoke --server s --reason lost", ""),
    master_rotate: case(FILLED, "master rotate --new-master-key-file new.key", "").several(),
    master_forget: case(
        REPLACED,
        "master forget --store store.db --master-key-file new.key",
        "",
    ).several(),
    store_copy: case(
        FILLED,
        "store copy --from store.db --to copy.db --master-key-file master.key",
        "copy.db",
    ),
    store_move: case(
        FILLED,
        "store copy --freeze --from store.db --to copy.db --master-key-file master.key",
        "copy.db",
    ).several(),
    store_backup: case(FILLED, "store backup b", "b exists already").files(),
    store_restore: case(
        BACKED_UP,
        "store restore b --store other.db --master-key-file master.key",
        "other.db exists already",
    ).files(),
    audit_export: case(FILLED, "audit export --out log", "log exists already").files(),
}

const ORDERED: &[&str] = &[
    "client add app",
    "zone add tenant-1 --client app",
    "zone destroy tenant-1",
];
const SET: &[&str] = &["client add app", "setting set zone_mode mixed"];
const DESTROYED: &[&str] = &[
    "client add app",
    "zone add tenant-1 --client app",
    "zone destroy tenant-1 --now --confirm tenant-1",
];
const RETIRED: &[&str] = &[
    "client add app",
    "key rotate --client app",
    "key retire --client app --version 1",
];
const UNRECORDED: &[&str] = &[
    "client add app",
    "cert server t --ca-dir ca --days 200",
    "client add other",
];
const BACKED_UP: &[&str] = &["client add app", "store backup b"];
const REPLACED: &[&str] = &[
    "client add app",
    "master rotate --new-master-key-file new.key",
];
