//! A list and a search are there at once, however many zones there are: a million with
//! `PGSEAL_TEST_LONG`.

use envelope::ZoneId;
use keystore::{MasterKey, Permitted, Store};

use super::*;

/// How long a page may take.
const WITHIN: Duration = Duration::from_millis(100);
/// Pages asked for of each kind: half of them must be there in time, for other work may be under way.
const PAGES: usize = 21;

fn zones() -> usize {
    match std::env::var_os("PGSEAL_TEST_LONG") {
        Some(_) => 1_000_000,
        None => 5_000,
    }
}

#[test]
fn a_list_and_a_search_of_a_million_zones_are_there_within_a_tenth_of_a_second() {
    let stand = Owners::start();
    let master = MasterKey::from_file(&stand.keys.master_key_file()).unwrap();
    let store = Store::open(stand.keys.store(), master).unwrap();
    let ids: Vec<ZoneId> = (0..zones())
        .map(|number| format!("tenant-{number:07}").parse().unwrap())
        .collect();
    let clients = Permitted::Only(["app".parse().unwrap()].into());
    store
        .by("a test")
        .import_zones(&ids, &clients, |_| Ok(()))
        .unwrap();
    let vera = stand.page.user("vera", "viewer");
    let middle = &ids[ids.len() / 2];
    let last = &ids[ids.len() - 1];
    for (path, shows) in [
        ("/zones".to_owned(), &ids[0]),
        (format!("/zones?q={middle}"), middle),
        ("/zones?q=tenant-".to_owned(), &ids[0]),
        (
            format!("/zones?q=tenant-&after={}", ids[ids.len() - 2]),
            last,
        ),
        (format!("/zones/{middle}"), middle),
    ] {
        let mut times: Vec<_> = (0..PAGES)
            .map(|_| {
                let begun = Instant::now();
                let shown = vera.get(&path);
                let took = begun.elapsed();
                says(shown.text(), shows.as_str());
                took
            })
            .collect();
        times.sort();
        let median = times[PAGES / 2];
        println!("{path}: {median:?}, at most {:?}", times[PAGES - 1]);
        assert!(median <= WITHIN, "{path}: {times:?}");
    }
}
