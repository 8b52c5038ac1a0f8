//! Cancel requests of every kind where there are three servers: through connectors that choose between
//! them, through HAProxy, which gives each request to the next, and when a server is lost.

use harness::http::Request;
use harness::{Connector, Haproxy, Keys, Random, Several, free_port, is_long, until};

use super::mixture::{LONG_COUNT, Meant, Mixture};

/// Cancel requests in all.
const COUNT: usize = 300;

/// HAProxy before these servers, each in turn.
fn balance(several: &Several, port: u16) -> Haproxy {
    let servers = several.servers.iter().zip(1..).map(|(server, number)| {
        let (data, ops) = (server.port(), server.ops_port());
        format!("    server s{number} 127.0.0.1:{data} check port {ops}\n")
    });
    let servers: String = servers.collect();
    let text = format!(
        "defaults
    mode tcp
    timeout connect 4s
    timeout client 1h
    timeout server 1h
    retries 3
    option redispatch 1
    default-server inter 250ms fall 2 rise 1
listen servers
    bind 127.0.0.1:{port}
    balance roundrobin
    option httpchk GET /health
{servers}"
    );
    let haproxy = Haproxy::start(&text, &[port]);
    haproxy.wait_until_up("servers", &["s1", "s2", "s3"]);
    haproxy
}

/// Of these sessions those that one of the servers has.
fn on<'a, 'b>(
    several: &Several,
    server: usize,
    meant: &'b mut [Meant<'a>],
) -> Vec<&'b mut Meant<'a>> {
    let peer = several.keys.server_identity("server-0");
    let view = several.servers[server].control(&peer, &Request::get("/v1/sessions"));
    let view = view.json();
    let here = view["sessions"].as_array().unwrap();
    let has = |key: &[u8]| {
        let process = u32::from_be_bytes(key[..4].try_into().unwrap());
        here.iter().any(|it| it["process"] == process)
    };
    meant.iter_mut().filter(|it| has(&it.key)).collect()
}

#[test]
fn over_three_servers_none_is_lost_and_none_hits_another_query_even_when_one_server_is() {
    let count = if is_long() { LONG_COUNT } else { COUNT };
    let keys = Keys::new();
    keys.add_client("other");
    let mut several = Several::start_with(keys, 3, &[], &[]);
    several.make_peers();
    let port = free_port();
    let haproxy = balance(&several, port.number());
    let identities = ["app", "other"].map(|client| several.keys.client_identity(client));
    let list = several.list();
    // One that chooses by itself, and one behind HAProxy, of each client.
    let connectors = identities.each_ref().map(|identity| {
        [
            Connector::start_among("choosing", identity, &list, &[""], &[]),
            Connector::start("behind", identity, port.number(), &[]),
        ]
    });
    let of_app = [
        several.address(),
        connectors[0][0].address(),
        connectors[0][1].address(),
    ];
    let of_other = [connectors[1][0].address(), connectors[1][1].address()];
    let mixture = Mixture::new([&of_app, &of_other], several.database.address());

    let mut meant = mixture.open(&mut Random::new());
    until("a session on the server that is to be lost", || {
        let is_there = !on(&several, 0, &mut meant).is_empty();
        if !is_there {
            meant[0].open_again();
        }
        is_there.then_some(())
    });
    let mut meant = mixture.run(meant, count / 2);
    let found = |several: &Several| -> u64 {
        let servers = several.servers.iter();
        servers.map(|it| it.counted("cancels_total")).sum()
    };
    // One that a connector puts to all servers may be put to its session's by the others, too.
    assert!(found(&several) >= mixture.right());

    let lost = on(&several, 0, &mut meant);
    assert!(!lost.is_empty());
    several.servers[0].process().kill();
    for meant in lost {
        let heard = meant.session.read_until_closed();
        assert_eq!(heard.last().map(|it| it.tag), Some(b'E'), "{heard:?}");
        meant.open_again();
    }
    mixture.run(meant, count);
    drop(haproxy);
}
