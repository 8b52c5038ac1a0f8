//! A primary that is cut off, replaced, and comes back as if nothing had been.

use harness::{Host, Network, Pair};

use super::*;

#[test]
fn a_primary_that_was_cut_off_and_replaced_gets_no_sessions_when_it_comes_back() {
    let mut network = Network::new();
    let hosts = [90, 91].map(|user| Host::new(&mut network, user));
    let keys = Keys::new();
    keys.add_client("app");
    let Pair {
        primary: old,
        replica: new,
    } = Pair::start();
    let server = |number: usize, database: &Cluster| {
        let (host, label) = (&hosts[number], format!("server-{number}"));
        let lines = [
            format!("store = '{}'", host.install(&keys.store()).display()),
            format!("database.address = '{}'", database.socket().display()),
            "database.monitor.user = 'postgres'".to_owned(),
        ];
        let identity = keys.server_identity(&label);
        let lines = lines.each_ref().map(String::as_str);
        Server::start_on(host, &label, &identity, &keys.master_key_file(), &lines)
    };
    let servers = [server(0, &old), server(1, &new)];
    let list = hosts
        .each_ref()
        .map(|host| format!("{}:9393", host.address()));
    let identity = keys.client_identity("app");
    let needs = ["target=primary"];
    let connector = Connector::start_among("connector", &identity, &list, &needs, &[]);
    let gets = |database: &Cluster| {
        until("sessions to get the primary", || {
            let mut session = begins(connector.address()).ok()?;
            let answer = session.query("select current_setting('port')");
            let port = rows(&answer)[0][0].clone()?;
            let is_there = String::from_utf8_lossy(&port) == database.address().port().to_string();
            is_there.then_some(session)
        })
    };
    let writer = gets(&old);
    hosts[0].namespace().unplug();
    assert_eq!(ends(writer), "57P01");
    promote(&new);
    drop(gets(&new));
    hosts[0].namespace().plug();
    let line = connector
        .process()
        .wait_for_line("claims to be primary on timeline 1");
    assert!(line.contains("ERROR") && line.contains(&list[0]), "{line}");
    for _ in 0..5 {
        drop(gets(&new));
    }
    let distrusted = |server: usize| {
        let line = format!("server_distrusted{{server=\"{}\"}}", list[server]);
        connector.counted(&line)
    };
    assert_eq!([0, 1].map(distrusted), [1, 0]);
    drop(servers);
}
