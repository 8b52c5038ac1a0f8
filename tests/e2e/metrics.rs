//! What both programs count, what docs/operations.md says of it, and what the dashboard shows.

use std::collections::BTreeSet;
use std::fs;

use harness::http::Request;
use harness::raw::literal;
use harness::{Connector, Keys, Pair, Server, root, until};
use serde_json::Value;

/// A server before two databases that it watches, and a connector before two of its listeners: all that
/// can be counted is.
struct Stand {
    connector: Connector,
    server: Server,
    _pair: Pair,
    _keys: Keys,
}

impl Stand {
    fn start() -> Self {
        let (keys, pair) = (Keys::new(), Pair::start());
        keys.add_client("app");
        let databases = [&pair.primary, &pair.replica].map(|it| it.address().to_string());
        let lines = [
            "database.monitor.user = 'postgres'",
            "metrics_by_owner = true",
            // Values of clients are refused.
            "zone_mode = 'on'",
        ];
        let needs = ["target=primary", "target=any"];
        let identity = keys.server_identity("server");
        let server = Server::start_among("server", &identity, &keys, &databases, &needs, &lines);
        let servers = [0, 1].map(|it| format!("127.0.0.1:{}", server.port_of(it)));
        let identity = keys.client_identity("app");
        let connector = Connector::start_among("connector", &identity, &servers, &[""], &[]);
        for address in &servers {
            let up = format!("server_up{{server=\"{address}\"}}");
            until("both to be up", || {
                (connector.counted(&up) == 1).then_some(())
            });
        }
        let sealed = keys.client("app").seal(b"x").unwrap();
        let mut session = connector.address().raw();
        session.start();
        session.query(&format!("select {}", literal(&sealed)));
        Self {
            connector,
            server,
            _pair: pair,
            _keys: keys,
        }
    }

    /// The names of all samples that the programs' metrics have.
    fn counted(&self) -> BTreeSet<String> {
        let of_connector = self.connector.api(&Request::get("/metrics"));
        let of_server = self.server.ops("/metrics");
        let texts = [of_connector.text(), of_server.text()];
        texts.into_iter().flat_map(samples).collect()
    }
}

/// The names of samples in a text after OpenMetrics 1.0: a counter's end in `_total`.
fn samples(text: &str) -> Vec<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let name = |line: &str| match line.split_once(' ') {
        Some((name, "counter")) => format!("{name}_total"),
        Some((name, "gauge")) => name.to_owned(),
        _ => panic!("a kind of metric that this test does not know: {line}"),
    };
    types.map(name).collect()
}

/// The names in the document's tables of metrics.
fn documented(document: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut prefix = None;
    for line in document.lines() {
        let first = line
            .strip_prefix("| ")
            .and_then(|line| line.split(" | ").next());
        let Some(first) = first else {
            // Between tables.
            prefix = prefix.filter(|_| line.starts_with('|'));
            continue;
        };
        let heading = first.strip_prefix("metric of `");
        if let Some(heading) = heading.and_then(|it| it.strip_suffix("…`")) {
            prefix = Some(heading);
        } else if let Some(prefix) = prefix {
            let words = first.split('`').skip(1).step_by(2);
            let words = words.filter_map(|word| word.split('{').next());
            let words = words.filter(|word| !word.is_empty());
            names.extend(words.map(|word| format!("{prefix}{word}")));
        }
    }
    names
}

/// The names in the queries of a dashboard.
fn shown(dashboard: &Value) -> BTreeSet<String> {
    fn collect<'a>(value: &'a Value, queries: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match (name.as_str(), value) {
                        ("expr" | "query", Value::String(query)) => queries.push(query),
                        _ => collect(value, queries),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, queries)),
            _ => {}
        }
    }
    let mut queries = Vec::new();
    collect(dashboard, &mut queries);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = queries
        .iter()
        .flat_map(|query| query.split(|c| !is_name(c)));
    let names = words.filter(|word| word.starts_with("pgseal_"));
    names.map(ToOwned::to_owned).collect()
}

#[test]
fn every_metric_is_documented_and_the_dashboard_shows_none_that_is_not_there() {
    let counted = Stand::start().counted();
    let document = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    assert_eq!(counted, documented(&document));

    let dashboard = fs::read(root().join("docs/grafana/pgseal.json")).unwrap();
    let shown = shown(&serde_json::from_slice(&dashboard).unwrap());
    let unknown: Vec<_> = shown.difference(&counted).collect();
    assert!(unknown.is_empty(), "the dashboard shows {unknown:?}");
    assert!(shown.len() > 25, "the dashboard shows only {shown:?}");
}

#[test]
fn a_dashboards_panels_have_a_place_a_title_and_a_query_each() {
    let dashboard = fs::read(root().join("docs/grafana/pgseal.json")).unwrap();
    let dashboard: Value = serde_json::from_slice(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "twice: {panel}");
        assert!(!panel["title"].as_str().unwrap().is_empty(), "{panel}");
        let place = &panel["gridPos"];
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| place[side].as_u64().unwrap());
        assert!(x + w <= 24, "Grafana has 24 columns: {panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "one panel lies on another: {panel}");
        }
        if panel["type"] != "row" {
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{panel}");
            for target in targets {
                assert!(target["expr"].is_string(), "{target}");
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{target}");
            }
        }
    }
}
