//! Connectors on the page: each with the servers that it listens to, for as long as it does.

use harness::http::Request;
use harness::raw::tls::Hello;
use harness::{Connector, Keys, Server, free_port, until};
use serde_json::{Value, json};

use super::*;

/// Two servers before a database that is not there: connectors listen all the same.
struct Servers {
    keys: Keys,
    servers: [Server; 2],
}

impl Servers {
    fn start() -> Self {
        let (keys, port) = (Keys::new(), free_port());
        let database = format!("127.0.0.1:{port}");
        let servers = ["one", "two"].map(|name| {
            let identity = keys.server_identity(name);
            Server::start(name, &identity, &keys, &database, &[])
        });
        Self { keys, servers }
    }

    fn ports(&self) -> [u16; 2] {
        [self.servers[0].port(), self.servers[1].port()]
    }

    fn addresses(&self) -> [String; 2] {
        self.ports().map(|port| format!("127.0.0.1:{port}"))
    }

    /// A connector to these servers.
    fn connector(&self, client: &str, servers: &[String]) -> Connector {
        self.keys.add_client(client);
        let identity = self.keys.client_identity(client);
        Connector::start_among(
            &format!("connector-{client}"),
            &identity,
            servers,
            &[""],
            &[],
        )
    }
}

/// What `ctl status` says of connectors: client and servers of each.
fn told(page: &Webconfig) -> Vec<(Value, Value)> {
    let said = page.order(&["ctl", "status", "--json"], "").stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    let mut rows = said["connectors"].as_array().unwrap().clone();
    rows.iter_mut()
        .map(|it| (it["client"].take(), it["servers"].take()))
        .collect()
}

#[test]
fn connectors_are_shown_with_their_servers_until_they_end() {
    let stand = Servers::start();
    let identity = stand.keys.admin_identity("page");
    let page = Webconfig::start(&identity, &stand.ports(), &[]);
    let [one, two] = stand.addresses();
    let both = stand.connector("both", &[one.clone(), two.clone()]);
    let single = stand.connector("single", std::slice::from_ref(&two));
    let expected = [
        (json!("both"), json!([one, two])),
        (json!("single"), json!([two])),
    ];
    until("both to be told of", || {
        (told(&page) == expected).then_some(())
    });

    let vera = page.user("vera", "viewer");
    let row = |client: &str| {
        let shown = vera.get("/");
        let (_, table) = shown.text().split_once("<h2>Connectors</h2>")?;
        let mut rows = table.split("<tr>");
        let row = rows.find(|it| it.contains(&format!(">{client}</th>")));
        row.map(str::to_owned)
    };
    let servers = format!("{one}, {two}");
    let shown = until("the page to show both", || {
        row("single")?;
        row("both").filter(|it| it.contains(&servers))
    });
    for part in [env!("CARGO_PKG_VERSION"), ">127.0.0.1<"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    single.process().kill();
    until("one to be forgotten", || {
        row("single").is_none().then_some(())
    });
    assert!(row("both").is_some());
    drop(both);
    until("all to be forgotten", || {
        told(&page).is_empty().then_some(())
    });
}

#[test]
fn a_connector_of_another_version_is_told_of_and_what_says_nothing_of_itself_is_not() {
    let stand = Servers::start();
    stand.keys.add_client("app");
    let (admin, app) = (
        stand.keys.admin_identity("page"),
        stand.keys.client_identity("app"),
    );
    let page = Webconfig::start(&admin, &stand.ports(), &[]);
    let listen = |program: &str| {
        let session = Hello::from(&app).alpn(&["http/1.1"]);
        let session = session.connect(stand.servers[0].port()).unwrap();
        let mut stream = session.into_stream();
        let head = "GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n";
        let request = format!("{head}User-Agent: {program}\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        stream
    };
    let _curl = listen("curl/8.1");
    let _old = listen("pgseal-connector/99.1.0");
    let shown = until("both to be shown", || {
        let status = page.order(&["ctl", "status", "--json"], "");
        let said: Value = serde_json::from_str(&status.stdout).unwrap();
        (said["connectors"].as_array()?.len() == 2).then_some(said)
    });
    let versions: Vec<_> = [0, 1]
        .map(|it| shown["connectors"][it]["version"].clone())
        .into();
    assert_eq!(versions, [Value::Null, json!("99.1.0")]);
    let problems: Vec<_> = shown["problems"].as_array().unwrap().iter().collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let what = problems[0]["what"].as_str().unwrap();
    let says = "The connector of app at 127.0.0.1 has version 99.1.0, its servers ";
    assert!(what.starts_with(says), "{what}");
    // What others do is no client's matter.
    let status = stand.servers[0]
        .control(&app, &Request::get("/v1/status"))
        .json();
    assert_eq!(status.get("connectors"), None);
}
