//! A database of another cluster behind one of the addresses.

use harness::{Pair, Settings};

use super::*;

const FOREIGN: &str =
    "has a database of another cluster (another system identifier): it gets no sessions";

#[test]
fn a_primary_of_another_cluster_gets_no_sessions_on_however_new_a_timeline_it_is() {
    let Pair { primary, replica } = Pair::start();
    let own = Settings::new().of_its_own();
    let foreign = own.start_cluster();
    let chooser = Chooser::start(&[&foreign, &primary, &replica], &[]);
    chooser.says(&foreign, FOREIGN);
    for _ in 0..4 {
        drop(chooser.is_reached(PRIMARY, &primary));
        drop(chooser.is_reached(REPLICA, &replica));
        let mut anywhere = chooser.begins(ANY).unwrap();
        assert!(!is_of(&mut anywhere, foreign.address()));
    }
    // Nor is what it says of itself anything to the others.
    promote(&replica);
    drop(chooser.is_reached(PRIMARY, &replica));
    assert!(chooser.distrusts(&foreign) && chooser.distrusts(&primary));
}

#[test]
fn between_two_clusters_nobody_decides_but_an_operator() {
    let one = Settings::new().start_cluster();
    let other = Settings::new().of_its_own().start_cluster();
    let mut chooser = Chooser::start(&[&one, &other], &[]);
    chooser.says(&one, FOREIGN);
    chooser.says(&other, FOREIGN);
    for listener in [PRIMARY, ANY] {
        chooser.is_refused(listener);
    }
    let list = format!("databases = ['{}']", one.address());
    chooser.server.reconfigure(&[&list]);
    chooser.server.restart();
    drop(chooser.is_reached(PRIMARY, &one));
}
