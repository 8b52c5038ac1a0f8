//! A store of very many zones: a server starts as fast, finds as fast, and takes as much memory as
//! with few. A million of them with `PGSEAL_TEST_LONG`.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use envelope::{Owner, Recipient, ZoneId};
use harness::raw::{literal, rows};
use harness::{Chain, Keys, Random};
use keystore::{KeyCache, MasterKey, Permitted, Store};

/// From the start of the program to its first answer.
const STARTS_WITHIN: Duration = Duration::from_secs(2);
/// From a key's id to the key, read from the store and unwrapped.
const FINDS_WITHIN: Duration = Duration::from_millis(5);
/// How much more memory a server may take than one with an empty store.
const MEMORY: u64 = 32 << 20;
/// Zones whose values are read.
const READ: usize = 500;

fn zones() -> usize {
    match std::env::var_os("PGSEAL_TEST_LONG") {
        Some(_) => 1_000_000,
        None => 5_000,
    }
}

#[test]
fn a_server_with_very_many_zones_starts_finds_and_remembers_as_with_few() {
    let empty = Chain::builder().start_link(&{
        let keys = Keys::new();
        keys.add_client("app");
        keys
    });
    let memory_of_empty = empty.server.process().resident_memory();

    let keys = Keys::new();
    keys.add_client("app");
    let store = Store::open(
        &keys.store(),
        MasterKey::from_file(&keys.master_key_file()).unwrap(),
    )
    .unwrap();
    let ids: Vec<ZoneId> = (0..zones())
        .map(|number| format!("tenant-{number}").parse().unwrap())
        .collect();
    let clients = Permitted::Only(["app".parse().unwrap()].into());
    let mut random = Random::new();
    let wanted: Vec<usize> = (0..READ).map(|_| random.below(ids.len())).collect();
    store
        .by("a test")
        .import_zones(&ids, &clients, |_| Ok(()))
        .unwrap();

    // Found by their ids, cold.
    let some = NonZeroUsize::new(1).unwrap();
    let mut times: Vec<Duration> = wanted
        .iter()
        .map(|&number| {
            let key = store.active_key(&Owner::Zone(ids[number].clone())).unwrap();
            let begun = Instant::now();
            let loaded = KeyCache::new(some, some).load(&store, &[key.key_id]);
            assert_eq!(loaded.unwrap().keys.len(), 1);
            begun.elapsed()
        })
        .collect();
    times.sort();
    let median = times[times.len() / 2];
    assert!(
        median <= FINDS_WITHIN,
        "{median:?}, at most {:?}",
        times.last()
    );

    let mut link = Chain::builder()
        .zone_mode("on")
        .on_refused("error")
        .start_link(&keys);
    let begun = Instant::now();
    link.server.restart();
    assert!(begun.elapsed() <= STARTS_WITHIN, "{:?}", begun.elapsed());
    let unused = link.server.process().resident_memory();
    assert!(
        unused <= memory_of_empty + MEMORY,
        "{unused} and {memory_of_empty}"
    );

    let mut session = link.address().raw();
    session.start();
    for number in wanted {
        let id = ids[number].clone();
        let key = store.active_key(&Owner::Zone(id.clone())).unwrap();
        let sealed = Recipient::new(key.owner, key.public_key)
            .seal(b"x")
            .unwrap();
        let answer = session.query(&format!("select '{id}', {}", literal(&sealed)));
        assert_eq!(
            rows(&answer)[0][1].as_deref(),
            Some(&br"\x78"[..]),
            "{answer:?}"
        );
    }
    let used = link.server.process().resident_memory();
    assert!(used <= unused + MEMORY, "{used} and {unused}");
}
