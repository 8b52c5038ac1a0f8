//! `store copy`, `store backup` and `store restore`, on files.

use std::fs;

use serde_json::json;

use crate::support::{Place, mode, with_store};

#[test]
fn a_store_is_copied_and_moved_and_the_old_place_says_where_it_is() {
    let place = Place::init();
    place.store_ok("client add app --create-zones");
    let copied = place.json("store copy --from store.db --to copy.db --master-key-file master.key");
    assert_eq!(copied["from"], "store.db");
    assert_eq!(copied["frozen"], false);
    assert!(copied["records"].as_u64() > Some(5), "{copied}");
    place.store_ok("zone add tenant-1 --client app");

    let line = "store copy --freeze --from store.db --to moved.db --master-key-file master.key";
    let text = String::from_utf8(place.run(line).stdout).unwrap();
    assert!(text.contains("store = \"moved.db\""), "{text}");
    let error = place.fails(1, &with_store("client add other"));
    assert!(
        error.contains("store.db has moved to moved.db and takes no more changes here"),
        "{error}"
    );
    let moved = "--store moved.db --master-key-file master.key";
    place.json(&format!("client add other {moved}"));
    let zones = place.json(&format!("zone list {moved}"));
    assert_eq!(zones[0]["id"], "tenant-1");
    assert!(
        place.store_ok("zone list").contains("tenant-1"),
        "it is still read"
    );
    // Asked for again it is done; to another place it has gone already.
    assert_eq!(place.json(line)["frozen"], true);
    let elsewhere = line.replace("moved.db", "else.db");
    assert!(place.fails(1, &elsewhere).contains("has moved to moved.db"));
    let error = place.fails(
        1,
        "store copy --from moved.db --to copy.db --master-key-file master.key",
    );
    assert!(error.contains("exists already"), "{error}");
}

#[test]
fn a_backup_is_restored_with_the_master_key_of_its_day() {
    let place = Place::init();
    place.store_ok("client add app");
    let made = place.json(&with_store("store backup one.backup"));
    assert_eq!(made["file"], "one.backup");
    assert_eq!(mode(&place.path("one.backup")), 0o600);
    let error = place.fails(1, &with_store("store backup one.backup"));
    assert!(error.contains("exists already"), "{error}");
    let restore = "store restore one.backup --store restored.db --master-key-file master.key";
    let restored = place.json(restore);
    assert_eq!(restored["records"], made["records"]);
    let clients = place.json("client list --store restored.db --master-key-file master.key");
    assert_eq!(clients[0]["id"], json!("app"));
    assert!(place.fails(1, restore).contains("exists already"));

    let mut bytes = fs::read(place.path("one.backup")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(place.path("bad.backup"), bytes).unwrap();
    let bad = "store restore bad.backup --store bad.db --master-key-file master.key";
    assert!(place.fails(1, bad).contains("nothing was restored"));
    assert!(!place.path("bad.db").exists());
    let no_backup = "store restore store.db --store bad.db --master-key-file master.key";
    assert!(
        place
            .fails(1, no_backup)
            .contains("store.db is not a backup")
    );
}

#[test]
fn an_address_that_is_none_is_bad_usage_and_an_etcd_that_is_away_is_told() {
    let place = Place::init();
    let error = place.fails(
        2,
        "client list --store http://x/y --master-key-file master.key",
    );
    assert!(error.contains("etcd://HOST:PORT"), "{error}");
    let afar = "client list --store etcd://192.0.2.1/pgseal --master-key-file master.key";
    assert!(place.fails(1, afar).contains("only with TLS"));
    let away = "client list --store etcd://localhost:1/pgseal --master-key-file master.key";
    let error = place.fails(1, away);
    assert!(
        error.contains("etcd does not answer: localhost:1"),
        "{error}"
    );
}
