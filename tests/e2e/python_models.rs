//! The SQLAlchemy types and the self-refreshing key of the Python package, through a real chain.

use std::time::{Duration, Instant};

use harness::{Chain, Connector, Keys, TestDir, python, root};
use keystore::{MasterKey, Store};

/// Seconds that the script lets a key live, and what a change of the store may take to be seen.
const PROMISE: Duration = Duration::from_millis(500 + 1000);

#[test]
fn models_are_sealed_and_opened_and_a_rotated_key_is_in_use_without_a_restart() {
    let keys = Keys::new();
    let old = keys.add_client("app");
    let zone = keys.add_zone(&["app"]);
    let link = Chain::builder().zone_mode("mixed").start_link(&keys);
    let identity = keys.client_identity("app");
    let connector = Connector::start_with_sockets("connector", &identity, link.server.port(), &[]);
    let url = |host: &str| format!("postgresql+psycopg://postgres@/postgres?{host}");
    let by_chain = url(&format!(
        "host={}&port=5432",
        connector.socket_dir().display()
    ));
    let direct = url(&format!(
        "host={}&port={}",
        link.database.socket_dir().display(),
        link.database.address().port()
    ));
    let script = root().join("sdk/python/tests/chain_models.py");
    let dir = TestDir::new("models");
    let program = python([
        script.to_str().unwrap(),
        &by_chain,
        &direct,
        &format!("unix:{}", connector.api_socket().display()),
        zone.owner().id(),
    ]);
    let process = program.start(&dir);
    process.wait_for_line("read what was written");
    process.wait_for_line("the database has it sealed");
    process.wait_for_line(&format!("writing with {}", old.key_id()));

    let master = MasterKey::from_file(&keys.master_key_file()).unwrap();
    let store = Store::open(&keys.store(), master).unwrap();
    store.by("a test").rotate_key(old.owner()).unwrap();
    let rotated = Instant::now();
    let new = keys.client("app").key_id();
    assert_ne!(new, old.key_id());
    process.wait_for_line(&format!("writing with {new}"));
    let took = rotated.elapsed();
    // And a statement or two.
    assert!(took < PROMISE + Duration::from_secs(1), "{took:?}");
    process.wait_for_line("read all of both keys");
    assert!(process.wait().success(), "{}", process.log());
}
