//! What goes wrong outside: full disks, read-only stores, stores that have moved or are newer.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rusqlite::Connection;

use crate::support::{Place, set_mode, with_store};

/// Commands that write to the store, one of each kind.
const WRITING: [&str; 9] = [
    "client add third",
    "client set app --create-zones false",
    "zone add --client app",
    "zone destroy tenant-1",
    "key rotate --client app",
    "grant add --zone tenant-1 --client third",
    "cert revoke --serial 0a",
    "master rotate --new-master-key-file new.key",
    "key destroy --client app --version 1 --yes",
];

#[test]
fn a_store_of_a_newer_version_is_named_and_left_as_it_is() {
    let place = Place::filled();
    let database = Connection::open(place.path("store.db")).unwrap();
    database.pragma_update(None, "user_version", 2).unwrap();
    drop(database);
    for line in WRITING {
        let error = place.store_fails(1, line);
        let says = "store.db has store format 2, newer than 1, the newest this program knows; use a newer pgseal";
        assert_eq!(error, says, "{line}");
    }
}

#[test]
fn a_store_that_cannot_be_written_is_told_in_one_line() {
    let place = Place::filled();
    let root = place.directory.path();
    let is_root = rustix::process::geteuid().is_root();
    let nobody = 65_534;
    if is_root {
        // Nothing is closed to root.
        for name in ["store.db", "master.key", "."] {
            std::os::unix::fs::chown(place.path(name), Some(nobody), Some(nobody)).unwrap();
        }
    }
    set_mode(&place.path("store.db"), 0o400);
    set_mode(root, 0o500);
    for line in ["client list", "client add third"] {
        let line = with_store(line);
        let program = env!("CARGO_BIN_EXE_pgseal-keymaker");
        let copy = std::env::temp_dir().join(format!("keymaker-{}", std::process::id()));
        // By another process: this one's other threads would hold it open for writing as they fork.
        let copied = Command::new("install")
            .args(["-m", "755", program])
            .arg(&copy)
            .status();
        assert!(copied.unwrap().success());
        let mut command = Command::new(&copy);
        command
            .args(line.split_whitespace())
            .current_dir(root)
            .env_clear();
        if is_root {
            command.uid(nobody).gid(nobody);
        }
        let output = command.output().unwrap();
        fs::remove_file(&copy).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert!(
            said.contains("must be writable for this user"),
            "{line}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    set_mode(root, 0o700);
}

#[test]
fn a_full_disk_is_told_and_leaves_the_store_as_it_was() {
    // A file system of 200 KiB, which only this command sees.
    let place = Place::filled();
    let keymaker = env!("CARGO_BIN_EXE_pgseal-keymaker");
    let script = format!(
        "set -e; mkdir small; mount -t tmpfs -o size=200k,mode=700 tmpfs small; \
         cp -p store.db master.key small; cd small; \
         dd if=/dev/zero of=filling bs=1k count=1000 2>/dev/null || true; \
         code=0; {keymaker} client add third --store store.db --master-key-file master.key || code=$?; \
         rm filling; \
         {keymaker} client list --store store.db --master-key-file master.key >../list; \
         {keymaker} audit verify --store store.db --master-key-file master.key >../verified; \
         dd if=/dev/zero of=filling bs=1k count=1000 2>/dev/null || true; \
         {keymaker} master rotate --new-master-key-file new.key --store store.db \
            --master-key-file master.key || test ! -e new.key; \
         exit $code"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script]);
    let output = command
        .current_dir(place.directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    if said.starts_with("unshare: ") {
        // Not every system lets this user have a mount of his own.
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lines: Vec<_> = said.lines().collect();
    let says =
        "pgseal-keymaker: store.db: the disk is full; nothing was changed, make room and try again";
    assert_eq!(lines[0], says, "{said}");
    assert!(
        lines[1].contains("No space left on device") || lines[1].contains("the disk is full"),
        "{said}"
    );
    let list = fs::read_to_string(place.path("list")).unwrap();
    assert_eq!(list.lines().count(), 3, "{list}");
    let verified = fs::read_to_string(place.path("verified")).unwrap();
    assert!(verified.contains("No fault was found"), "{verified}");
}
