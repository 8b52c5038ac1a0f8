//! A store that moves from a file into etcd, and back, while it is used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::Chain;

use super::*;
use crate::under_change::Work;

#[test]
fn a_store_moves_into_etcd_and_back_under_load_without_a_failed_query() {
    let etcd = Etcd::start();
    let keys = Keys::new();
    keys.add_zone_creator("app");
    let zone = keys.add_zone(&["app"]);
    let mut link = Chain::builder()
        .zone_mode("mixed")
        .on_refused("error")
        .connector("local_api.zones = true")
        .start_link(&keys);
    let back = keys.store().with_file_name("back.db");
    let (file, address) = (keys.store().display().to_string(), etcd.address("moved"));
    let in_etcd = lines_for(etcd.identity(), &etcd.password_file(), &address);
    let in_file = vec![format!("store = '{}'", back.display())];

    let done = AtomicBool::new(false);
    let (connector, database) = (&link.connector, &link.database);
    let work = Work {
        connector,
        database,
        zone: zone.owner().id(),
    };
    // Makes zones all the time; in the moment in which the store moves none is made.
    let make_zones = || {
        let (mut made, mut refused) = (Vec::new(), 0);
        while !done.load(Ordering::Relaxed) {
            let answer = connector.api(&Request::post("/v1/zones"));
            match answer.status {
                201 => made.push(answer.recipient().owner().id().to_owned()),
                503 => refused += 1,
                _ => panic!("{answer:?}"),
            }
        }
        (made, refused)
    };
    let (made, refused) = thread::scope(|scope| {
        let making = scope.spawn(make_zones);
        for (from, to, lines) in [
            (file.as_str(), address.as_str(), &in_etcd),
            (&address, &back.display().to_string(), &in_file),
        ] {
            work.goes_on(|| {
                copy_and_freeze(&etcd, &keys, from, to);
                let lines: Vec<_> = lines.iter().map(String::as_str).collect();
                link.server.apply(&lines);
            });
        }
        done.store(true, Ordering::Relaxed);
        making.join().unwrap()
    });
    assert!(
        made.len() > 10 && refused > 0,
        "{} made, {refused} not",
        made.len()
    );
    for id in made {
        let found = connector.api(&Request::get(&format!("/v1/zones/{id}")));
        assert_eq!(found.status, 200, "{id}");
    }
    let status = connector.api(&Request::get("/v1/status"));
    assert!(
        status.text().contains(&back.display().to_string()),
        "{status:?}"
    );
}
