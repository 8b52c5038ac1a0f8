//! What configurations that were read are taken to say.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::net::IpAddr;

use balancer::MaxLag;
use chooser::settings::{Balance, Checks, LagLimit, Needs, OnRoleChange, Policy, Target};
use control::LIVE_SETTINGS;
use daemon::{HostPort, Subnet};
use toml::Table;

pub fn server(config: &pgseal_server::config::Config, table: &Table) {
    assert_eq!(config.waiting_for_restart(config), Vec::<String>::new());
    let several = config.databases.iter().map(|it| it.address.to_string());
    let names: Vec<_> = match &config.database.address {
        Some(address) => vec![address.to_string()],
        None => several.collect(),
    };
    let patroni = &config.database.monitor.patroni;
    let is_right = config.database.address.is_some() == config.databases.is_empty()
        && is_set(&names)
        && (patroni.is_none() || config.databases.is_empty());
    match config.databases() {
        Ok(listed) => {
            assert!(is_right);
            let largest = config.balance.max_connections;
            let endpoints = listed.iter().map(|it| it.endpoint(largest));
            assert!(endpoints.map(|it| it.name).eq(names));
            if config.databases.is_empty() {
                assert_eq!(listed[0].patroni, *patroni);
            }
        }
        Err(line) => {
            one_line(&line);
            assert!(!is_right, "{line}");
        }
    }
    let live = config.live();
    for setting in LIVE_SETTINGS {
        let mut at = table;
        let (tables, last) = setting.name.rsplit_once('.').unwrap_or(("", setting.name));
        for name in tables.split('.').filter(|name| !name.is_empty()) {
            at = at[name].as_table().expect("it is one");
        }
        assert_eq!(at[last].as_str(), Some(setting.read(&live).as_str()));
    }
    let sslmode = config.database.sslmode.to_string();
    assert_eq!(
        table["database"]["sslmode"].as_str(),
        Some(sslmode.as_str())
    );
    let place = config.place();
    assert_eq!(place.address, config.store);
    assert_eq!(config.tuning().keepalive, config.tcp_keepalive.0);
    assert_eq!(config.tuning().user_timeout, config.tcp_user_timeout.0);
    config.proxy_protocol_from.iter().copied().for_each(subnet);
    config.peers.iter().for_each(host);
    for bind in &config.listen.0 {
        listener(&config.balance, &bind.needs);
    }
    written(&config.listen, &table["listen"]);
    checks(&config.checks);
}

pub fn connector(config: &pgseal_connector::config::Config, table: &Table) {
    assert_eq!(config.waiting_for_restart(config), Vec::<String>::new());
    let one = config.server.iter();
    let several = config.servers.iter().map(|it| &it.address);
    let names: Vec<_> = one.chain(several).map(HostPort::as_str).collect();
    let is_right = config.server.is_some() == config.servers.is_empty()
        && is_set(&names)
        && (config.control.is_none() || config.servers.is_empty());
    match config.listed() {
        Ok(listed) => {
            assert!(is_right);
            for server in &listed {
                host(&server.address);
                let endpoint = server.share.endpoint("a", config.balance.max_connections);
                assert_eq!(endpoint.weight, server.share.weight);
                assert_eq!(endpoint.backup, server.share.backup);
                let limit = server
                    .share
                    .max_connections
                    .or(config.balance.max_connections);
                let limit = limit.map(|limit| u32::try_from(limit.0).unwrap_or(u32::MAX));
                assert_eq!(endpoint.max_connections, limit);
            }
            assert!(listed.iter().map(|it| it.address.as_str()).eq(names));
        }
        Err(line) => {
            one_line(&line);
            assert!(!is_right, "{line}");
        }
    }
    assert_eq!(config.tuning().keepalive, config.tcp_keepalive.0);
    assert_eq!(config.tuning().user_timeout, config.tcp_user_timeout.0);
    let listeners = config.listeners();
    assert_eq!(listeners.len(), config.listen.0.len());
    for (bind, listener) in config.listen.0.iter().zip(&listeners) {
        self::listener(&config.balance, &bind.needs);
        assert_eq!(listener.wait_for_primary, config.balance.wait_for_primary.0);
        let tcp = bind.address.to_string().parse().ok();
        assert_eq!(bind.address.tcp(), tcp);
    }
    written(&config.listen, &table["listen"]);
    written(&config.api_listen, &table["api_listen"]);
    checks(&config.checks);
}

pub fn webconfig(config: &pgseal_webconfig::config::Config, _: &Table) {
    assert_eq!(config.waiting_for_restart(config), Vec::<String>::new());
    let names: Vec<_> = config.servers.iter().map(HostPort::as_str).collect();
    config.servers.iter().for_each(host);
    let https = [&config.https.certificate, &config.https.private_key];
    let https = https.map(Option::is_some);
    let is_right = is_set(&names)
        && !names.is_empty()
        && (https == [true; 2] || https == [false; 2] && config.listen.0.ip().is_loopback());
    let checked = config.check();
    assert_eq!(checked.is_ok(), is_right, "{checked:?}");
    if let Err(line) = checked {
        one_line(&line);
    }
}

/// Whether none is there twice.
fn is_set<T: Ord>(names: &[T]) -> bool {
    names.iter().collect::<BTreeSet<_>>().len() == names.len()
}

fn one_line(line: &str) {
    assert!(!line.contains(char::is_control), "it is one line: {line}");
}

/// One text, or a list of them, and none of it is lost.
fn written<T: Display>(read: &chooser::settings::OneOrSeveral<T>, value: &toml::Value) {
    let texts: Vec<_> = read.0.iter().map(ToString::to_string).collect();
    match value {
        toml::Value::Array(list) => {
            assert!(list.len() > 1);
            assert!(
                list.iter()
                    .map(|it| it.as_str())
                    .eq(texts.iter().map(|it| Some(it.as_str())))
            );
        }
        one => assert_eq!((one.as_str(), texts.len()), (Some(texts[0].as_str()), 1)),
    }
    assert_eq!(read.to_string(), texts.join(", "));
}

/// What is not said behind an address holds as for all.
fn listener(balance: &Balance, needs: &Needs) {
    let listener = balance.listener(needs);
    let choice = listener.choice;
    fn word<T: Into<String>>(word: Option<T>, of_all: T) -> String {
        word.unwrap_or(of_all).into()
    }
    let target = match word(needs.target, balance.target).as_str() {
        "any" => balancer::Target::Any,
        "primary" => balancer::Target::Primary,
        _ => balancer::Target::Replica,
    };
    same(&choice.target, &target);
    let policy = match word(needs.policy, balance.policy).as_str() {
        "round-robin" => balancer::Policy::RoundRobin,
        "least-connections" => balancer::Policy::LeastConnections,
        _ => balancer::Policy::PeakEwma,
    };
    same(&choice.policy, &policy);
    let kept = word(needs.on_role_change, balance.on_role_change) == "keep";
    assert_eq!(listener.on_role_change == OnRoleChange::Keep, kept);
    let fallback = needs
        .fallback_to_primary
        .unwrap_or(balance.fallback_to_primary);
    assert_eq!(choice.fallback_to_primary, fallback);
    let lag = match needs.max_lag.or(balance.max_lag) {
        None => MaxLag::default(),
        Some(LagLimit::Bytes(size)) => MaxLag {
            bytes: Some(size.0 as u64),
            time: None,
        },
        Some(LagLimit::Time(period)) => MaxLag {
            bytes: None,
            time: Some(period.0),
        },
    };
    same(&choice.max_lag, &lag);
    assert_eq!(choice.max_queue, balance.max_queue.0);
    assert_eq!(choice.queue_timeout, balance.queue_timeout.0);
    // Each word alone is written as it is read.
    let Needs {
        target,
        policy,
        max_lag,
        fallback_to_primary,
        on_role_change,
    } = *needs;
    let words = [
        target.map(Target::into).map(|it: String| ("target", it)),
        policy.map(Policy::into).map(|it: String| ("policy", it)),
        max_lag
            .map(LagLimit::into)
            .map(|it: String| ("max_lag", it)),
        on_role_change
            .map(OnRoleChange::into)
            .map(|it: String| ("on_role_change", it)),
        fallback_to_primary.map(|it| ("fallback_to_primary", it.to_string())),
    ];
    let mut again = Needs::default();
    for (word, value) in words.iter().flatten() {
        assert_eq!(again.take(word, Some(value)), Ok(true));
    }
    assert_eq!(again, *needs);
}

fn checks(checks: &Checks) {
    let read = balancer::Checks::from(checks);
    assert_eq!(read.interval, checks.interval.0);
    assert_eq!(read.down_interval, checks.down_interval.0);
    assert_eq!(read.timeout, checks.timeout.0);
    assert_eq!(read.slow_start, checks.slow_start.0);
    let counts = [(read.fall, checks.fall.0), (read.rise, checks.rise.0)];
    for (read, said) in counts {
        assert_eq!(read, u32::try_from(said).unwrap_or(u32::MAX));
    }
}

fn same(read: &impl Debug, expected: &impl Debug) {
    assert_eq!(format!("{read:?}"), format!("{expected:?}"));
}

/// Host and port put together are the address.
fn host(address: &HostPort) {
    let (host, text) = (address.host(), address.as_str());
    let port = text.rsplit(':').next().unwrap_or_default();
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0));
    let plain = text == format!("{host}:{port}");
    assert!(plain || text == format!("[{host}]:{port}"), "{text}");
}

/// A network holds its first address and those that differ in what is behind its bits, and no other.
fn subnet(subnet: Subnet) {
    let text = subnet.to_string();
    let (first, bits) = text.split_once('/').expect("it has a size");
    let first: IpAddr = first.parse().expect("it has a first address");
    let bits: u32 = bits.parse().expect("it has a size");
    assert!(subnet.contains(first));
    let (all, with_bit): (u32, Box<dyn Fn(u32) -> IpAddr>) = match first {
        IpAddr::V4(it) => (
            32,
            Box::new(move |bit| IpAddr::V4((it.to_bits() ^ 1 << bit).into())),
        ),
        IpAddr::V6(it) => (
            128,
            Box::new(move |bit| IpAddr::V6((it.to_bits() ^ 1 << bit).into())),
        ),
    };
    for bit in 0..all {
        // IPv4 addresses stand in IPv6's too, and are none of it.
        let other = with_bit(bit);
        if other.to_canonical().is_ipv4() == first.to_canonical().is_ipv4() {
            assert_eq!(subnet.contains(other), bit < all - bits, "{text}: {other}");
        }
    }
}
