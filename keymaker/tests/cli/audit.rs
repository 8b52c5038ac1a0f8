//! The audit log on the command line.

use std::fs;

use serde_json::{Value, json};

use crate::support::Place;

#[test]
fn the_log_is_listed_with_who_what_and_when() {
    let place = Place::filled();
    let text = place.store_ok("audit list");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 5);
    assert!(
        lines[0].starts_with("NUMBER  TIME                  WHO"),
        "{text}"
    );
    assert!(lines[1].contains("store-created master_key="), "{text}");
    assert!(
        lines[4].contains("zone-added clients=app,billing key="),
        "{text}"
    );
    let list = place.store_json("audit list");
    assert_eq!(list[1]["number"], 2);
    assert_eq!(list[1]["what"]["event"], "client-added");
    assert_eq!(list[1]["what"]["client"], "client/app");
    assert!(list[1]["by"].as_str().unwrap().starts_with("operator "));
    assert_eq!(list[1]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(place.store_json("audit list --since 1h"), list);
    assert_eq!(place.store_json("audit list --since 2000-01-01"), list);
    assert_eq!(
        place.store_json("audit list --since 2999-01-01T00:00:00Z"),
        json!([])
    );
    place.store_fails(2, "audit list --since yesterday");
}

#[test]
fn who_made_a_change_is_the_user_who_runs_the_program() {
    let place = Place::filled();
    let line = crate::support::with_store("client add third");
    for (number, (name, value)) in [("USER", "bob"), ("SUDO_USER", "alice")]
        .into_iter()
        .enumerate()
    {
        let line = line.replace("third", &format!("third-{number}"));
        let mut command = place.command(line.split_whitespace());
        command.env("USER", "root").env(name, value);
        assert!(command.output().unwrap().status.success());
        let log = place.store_json("audit list");
        let last = log.as_array().unwrap().last().unwrap();
        assert!(
            last["by"]
                .as_str()
                .unwrap()
                .starts_with(&format!("operator {value}@"))
        );
    }
}

#[test]
fn a_whole_log_has_no_fault_and_its_head_is_the_next_anchor() {
    let place = Place::filled();
    let text = place.store_ok("audit verify");
    assert!(
        text.starts_with("entries   4\nreceipts  0\nhead      4:"),
        "{text}"
    );
    let again = text.lines().last().unwrap().trim();
    let again = again.strip_prefix("pgseal-keymaker ").unwrap();
    place.store_ok("client add third");
    let answer = place.store_json(again);
    assert_eq!(answer["entries"], 5);
    assert_eq!(answer["faults"], json!([]));
}

/// What `audit verify` says of a store with faults.
fn faults(place: &Place, line: &str) -> (Vec<String>, String) {
    let line = crate::support::with_store(line);
    let output = place.run(&line);
    assert_eq!(output.status.code(), Some(1), "{line}");
    let said = String::from_utf8(output.stderr).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(str::to_owned).collect(), said)
}

#[test]
fn each_fault_is_a_line_and_the_exit_code_tells() {
    let place = Place::filled();
    let database = rusqlite::Connection::open(place.path("store.db")).unwrap();
    let remove = |name: &str| {
        database
            .execute("DELETE FROM record WHERE name = ?1", [name])
            .unwrap();
    };
    remove("client/billing");
    remove("key/zone/tenant-1/0000000001");
    let (lines, said) = faults(&place, "audit verify");
    assert_eq!(
        lines,
        [
            "record client/billing is missing",
            "record key/zone/tenant-1/0000000001 is missing"
        ]
    );
    let says = "pgseal-keymaker: 2 faults were found; find out who wrote the store, and restore it from a backup\n";
    assert_eq!(said, says);
    let (lines, _) = faults(&place, "--json audit verify");
    let answer: Value = serde_json::from_str(&lines.concat()).unwrap();
    assert_eq!(answer["faults"].as_array().unwrap().len(), 2);
    remove("audit/00000000000000000002");
    let (lines, _) = faults(&place, "audit verify");
    assert_eq!(lines, ["audit entry 2 was removed"]);
}

#[test]
fn an_anchor_that_is_not_in_the_log_is_a_fault() {
    let place = Place::filled();
    let anchor = format!("audit verify --anchor 4:{}", "0".repeat(64));
    let (lines, _) = faults(&place, &anchor);
    assert!(
        lines[0].starts_with("audit entry 4 is not the one that was seen before"),
        "{lines:?}"
    );
    for bad in ["4", "4:", "4:xyz", "x:00", "-1:00"] {
        place.store_fails(2, &format!("audit verify --anchor={bad}"));
    }
    let error = place.fails(2, "audit verify");
    assert_eq!(
        error,
        "give --store with its master key, or --file with an export"
    );
}

#[test]
fn an_export_is_checked_without_a_store() {
    let place = Place::filled();
    let text = place.store_ok("audit export --out log");
    assert!(
        text.contains("The next export goes on with --after 4."),
        "{text}"
    );
    let whole = fs::read_to_string(place.path("log")).unwrap();
    assert_eq!(place.store_ok("audit export"), whole);
    let verified = place.json("audit verify --file log");
    assert_eq!(
        (&verified["entries"], &verified["receipts"]),
        (&4.into(), &Value::Null)
    );
    assert_eq!(verified["head"], place.store_json("audit verify")["head"]);

    let part = place.store_ok("audit export --after 2");
    assert_eq!(part.lines().count(), 2);
    let head = verified["head"].as_str().unwrap();
    let line: Value = serde_json::from_str(whole.lines().nth(1).unwrap()).unwrap();
    let before = format!("2:{}", line["hash"].as_str().unwrap());
    fs::write(place.path("part"), &part).unwrap();
    for anchor in [head, &before] {
        place.ok(&format!("audit verify --file part --anchor {anchor}"));
    }
    assert_eq!(place.store_ok("audit export --since 2999-01-01"), "");
    let error = place.store_fails(1, "audit export --out log");
    assert!(error.starts_with("log exists already"), "{error}");
}

#[test]
fn an_export_that_was_edited_cut_or_reordered_is_told() {
    let place = Place::filled();
    let whole = place.store_ok("audit export");
    let lines: Vec<_> = whole.lines().collect();
    let edited = lines[1].replace("client/app", "client/apq");
    let verify = |lines: &[&str]| {
        fs::write(place.path("log"), format!("{}\n", lines.join("\n"))).unwrap();
        faults(&place, "audit verify --file log").0
    };
    assert_eq!(
        verify(&[lines[0], lines[2], lines[3]]),
        ["audit entry 2 was removed"]
    );
    let said = verify(&[lines[0], &edited, lines[2], lines[3]]);
    assert_eq!(
        said,
        [
            "audit entry 2 was edited",
            "audit entry 3 does not follow the one before it"
        ]
    );
    let said = verify(&[lines[0], lines[2], lines[1], lines[3]]);
    assert_eq!(said[1], "audit entry 2 stands after entry 3");
    for (content, says) in [
        ("", "log holds no entries"),
        ("text\n", "log is not an export of `audit export`"),
        ("{}\n", "log is not an export of `audit export`"),
        (
            lines[0],
            "cannot read log: a line is too long, or its end is missing",
        ),
    ] {
        fs::write(place.path("log"), content).unwrap();
        assert_eq!(place.fails(1, "audit verify --file log"), says);
    }
}
