//! Clients and zones through the control API: for admins alone, by the same rules as keymaker's, and
//! each change with its author in the audit log.

use harness::Server;

use super::*;

/// A day, the shortest grace.
const DAY: u64 = 24 * 60 * 60;

/// A server whose store has the client `app`.
struct Stand {
    keys: Keys,
    link: Link,
}

impl Stand {
    fn start() -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let link = Chain::builder().zone_mode("on").start_link(&keys);
        Self { keys, link }
    }

    fn server(&self) -> &Server {
        &self.link.server
    }

    /// What an admin's program is answered.
    fn ask(&self, request: &Request) -> Response {
        let admin = self.keys.admin_identity("page");
        self.server().control(&admin, request)
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let answer = self.ask(&Request::get(path));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    fn post(&self, path: &str, body: &Value) -> Response {
        self.ask(&Request::post(path).body(body.to_string()))
    }

    /// Has a zone changed.
    #[track_caller]
    fn change(&self, zone: &str, change: Value) -> Value {
        let answer = self.post(&format!("/v1/owners/zones/{zone}"), &change);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Who did what, by the audit log, from the last `count` entries.
    fn audited(&self, count: usize) -> Vec<(String, String)> {
        let listed = self.keys.keymaker(&["audit", "list", "--json"]).success();
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entry = |it: &Value| (text(&it["what"]["event"]), text(&it["by"]));
        listed[listed.len() - count..].iter().map(entry).collect()
    }
}

/// The ids of a page of zones.
fn ids(page: &Value) -> Vec<&str> {
    let zones = page["zones"].as_array().unwrap();
    zones.iter().map(|it| it["id"].as_str().unwrap()).collect()
}

#[test]
fn zones_are_found_by_the_beginning_of_their_ids_a_page_at_a_time() {
    let stand = Stand::start();
    let ids_of_all: Vec<_> = (0..7).map(|number| format!("tenant-{number}")).collect();
    for id in ids_of_all.iter().map(String::as_str).chain(["zulu-zulu"]) {
        let new = json!({ "id": id, "clients": ["app"] });
        assert_eq!(stand.post("/v1/owners/zones", &new).status, 201);
    }
    let all = stand.get("/v1/owners/zones");
    assert_eq!(ids(&all).len(), 8);
    assert_eq!(all["next"], Value::Null);
    let first = stand.get("/v1/owners/zones?prefix=tenant&limit=4");
    assert_eq!(ids(&first), ids_of_all[..4]);
    assert_eq!(first["next"], "tenant-3");
    // Exactly to the end of what was looked for, and no further.
    let second = stand.get("/v1/owners/zones?prefix=tenant&limit=3&after=tenant-3");
    assert_eq!(ids(&second), ids_of_all[4..]);
    assert_eq!(second["next"], Value::Null);
    assert_eq!(
        ids(&stand.get("/v1/owners/zones?prefix=zulu-zulu")),
        ["zulu-zulu"]
    );
    assert_eq!(
        ids(&stand.get("/v1/owners/zones?prefix=%3Cscript%3E")),
        [""; 0]
    );
    let clients = stand.get("/v1/owners/clients?prefix=ap");
    assert_eq!(clients["clients"][0]["id"], "app");
    assert_eq!(clients["clients"][0]["create_zones"], false);
    // Of many versions the last hundred are told, and of a long list in a list its beginning.
    let store = keystore::Store::open(
        stand.keys.store(),
        keystore::MasterKey::from_file(&stand.keys.master_key_file()).unwrap(),
    )
    .unwrap();
    let author = store.by("a test");
    let app = envelope::Owner::Client("app".parse().unwrap());
    for _ in 0..120 {
        author.rotate_key(&app).unwrap();
    }
    let keys = stand.get("/v1/owners/clients/app")["keys"].clone();
    let versions: Vec<_> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["version"].clone())
        .collect();
    let expected: Vec<_> = (22..=121).rev().map(Value::from).collect();
    assert_eq!(versions, expected);
    for client in ["b", "c", "d", "e"] {
        author
            .add_client(&client.parse().unwrap(), false, None)
            .unwrap();
    }
    let clients = json!({ "id": "wide-open", "clients": ["app", "b", "c", "d", "e"] });
    stand.post("/v1/owners/zones", &clients);
    let listed = stand.get("/v1/owners/zones?prefix=wide")["zones"][0]["opened_by"].clone();
    assert_eq!(
        listed,
        json!({ "all": false, "count": 5, "clients": ["app", "b", "c"] })
    );
    let shown = stand.get("/v1/owners/zones/wide-open")["zone"]["opened_by"].clone();
    assert_eq!(shown["clients"].as_array().unwrap().len(), 5);
}

#[test]
fn a_zone_is_made_opened_rotated_given_up_and_kept_and_the_log_tells_for_whom() {
    let stand = Stand::start();
    let for_alice = |path: &str, body: Value| {
        let request = Request::post(path).header("pgseal-user", "alice");
        let answer = stand.ask(&request.body(body.to_string()));
        assert!(matches!(answer.status, 200 | 201), "{path} {answer:?}");
        answer.json()
    };
    let client = json!({ "id": "reports", "create_zones": true, "zones_per_day": 5 });
    let client = for_alice("/v1/owners/clients", client);
    assert_eq!(client["client"]["zones_per_day"], 5);
    let made = for_alice("/v1/owners/zones", json!({ "clients": ["app"] }));
    let id = made["zone"]["id"].as_str().unwrap();
    let path = format!("/v1/owners/zones/{id}");
    let opened = for_alice(&path, json!({ "change": "grant", "client": "reports" }));
    let both = json!({ "all": false, "count": 2, "clients": ["app", "reports"] });
    assert_eq!(opened["zone"]["opened_by"], both);
    for_alice(&path, json!({ "change": "revoke", "client": "app" }));
    let rotated = for_alice(&path, json!({ "change": "rotate", "version": 1 }));
    let states = |it: &Value, at: usize| {
        (
            it["keys"][at]["version"].clone(),
            it["keys"][at]["state"].clone(),
        )
    };
    assert_eq!(states(&rotated, 0), (json!(2), json!("active")));
    assert_eq!(states(&rotated, 1), (json!(1), json!("open-only")));
    let key = stand.keys.zone(id);
    let public = STANDARD.encode(key.public_key().as_bytes());
    assert_eq!(rotated["keys"][0]["public_key"], public);
    assert_eq!(rotated["keys"][0]["key_id"], key.key_id().to_string());
    let order = json!({ "change": "destroy", "grace_seconds": DAY, "confirm": id });
    let going = for_alice(&path, order);
    assert_eq!(going["zone"]["fate"]["state"], "destroying");
    assert!(
        going["zone"]["fate"]["earliest_end"].as_str() > going["zone"]["fate"]["ordered"].as_str()
    );
    let kept = for_alice(&path, json!({ "change": "keep" }));
    assert_eq!(kept["zone"]["fate"], json!({ "state": "kept" }));
    assert_eq!(stand.get(&path), kept);
    // Without a user the log names the certificate alone.
    stand.change(id, json!({ "change": "grant", "client": "*" }));

    let by = "admin page for alice through server primary";
    let events = [
        ("client-added", by),
        ("zone-added", by),
        ("grant-added", by),
        ("grant-removed", by),
        ("key-rotated", by),
        ("destruction-ordered", by),
        ("destruction-cancelled", by),
        ("grant-added", "admin page through server primary"),
    ];
    let events = events.map(|(event, by)| (event.to_owned(), by.to_owned()));
    assert_eq!(stand.audited(events.len()), events);
    let verified = stand.keys.keymaker(&["audit", "verify"]).success();
    assert!(verified.contains("No fault was found"), "{verified}");
}

#[test]
fn whoever_is_no_admin_reads_and_changes_no_owners_and_asks_for_nobody_else() {
    let stand = Stand::start();
    let zone = stand.keys.add_zone(&["app"]);
    let before = stand.keys.keymaker(&["audit", "list"]).success();
    let of_zone = format!("/v1/owners/zones/{}", zone.owner().id());
    let grant = json!({ "change": "grant", "client": "*" }).to_string();
    let new = json!({ "id": "tenant-42" }).to_string();
    let requests = [
        Request::get("/v1/owners/clients"),
        Request::get("/v1/owners/clients/app"),
        Request::post("/v1/owners/clients").body(&new),
        Request::post("/v1/owners/clients/app").body(r#"{"change":"rotate","version":1}"#),
        Request::get("/v1/owners/zones"),
        Request::get(&of_zone),
        Request::post("/v1/owners/zones").body(&new),
        Request::post(&of_zone).body(&grant),
    ];
    let identities = [
        stand.keys.client_identity("app"),
        stand.keys.server_identity("replica"),
    ];
    for request in &requests {
        for identity in &identities {
            let case = format!("{request:?} as {}", identity.certificate.display());
            let said = error(&stand.server().control(identity, request), 403, &case);
            assert!(
                said.starts_with("only an admin's certificate looks at"),
                "{said}"
            );
        }
        // The connector beside an application passes none of it on.
        error(&stand.link.connector.api(request), 404, "connector");
    }
    assert_eq!(stand.keys.keymaker(&["audit", "list"]).success(), before);
    // Nor does it say that it asks for somebody else, whom an admin has to name well.
    let status = |name: &str| Request::get("/v1/status").header("pgseal-user", name);
    for identity in [
        stand.keys.client_identity("app"),
        stand.keys.server_identity("replica"),
    ] {
        let answer = stand.server().control(&identity, &status("alice"));
        error(&answer, 403, "pgseal-user");
    }
    assert_eq!(stand.ask(&status("alice")).status, 200);
    let long = "a".repeat(65);
    for bad in [
        "",
        "al ice",
        "alice through server x",
        "<b>",
        "a,b",
        "\u{e4}",
        &long,
    ] {
        let said = error(&stand.ask(&status(bad)), 400, bad);
        assert!(said.starts_with("pgseal-user: a name is 1 to 64"), "{said}");
    }
    let twice = status("alice").header("pgseal-user", "bob");
    error(&stand.ask(&twice), 400, "two names");
}

#[test]
fn a_request_about_owners_that_is_wrong_says_what_is_wrong_and_changes_nothing() {
    let stand = Stand::start();
    stand.post(
        "/v1/owners/zones",
        &json!({ "id": "tenant-1", "clients": ["*"] }),
    );
    stand.post(
        "/v1/owners/zones",
        &json!({ "id": "tenant-2", "clients": ["app"] }),
    );
    stand.post("/v1/owners/zones", &json!({ "id": "tenant-3" }));
    let now = [
        "zone",
        "destroy",
        "tenant-3",
        "--now",
        "--confirm",
        "tenant-3",
    ];
    stand.keys.keymaker(&now).success();
    let order = json!({ "change": "destroy", "grace_seconds": DAY, "confirm": "tenant-2" });
    stand.change("tenant-2", order.clone());
    let before = stand.keys.keymaker(&["audit", "list"]).success();
    let long = "a".repeat(129);
    let (zones, clients) = ("/v1/owners/zones", "/v1/owners/clients");
    let one = "/v1/owners/zones/tenant-1";
    let get = |path: &str| Request::get(path);
    let post = |path: &str, body: Value| Request::post(path).body(body.to_string());
    let destroy = |grace: u64, confirm: &str| json!({ "change": "destroy", "grace_seconds": grace, "confirm": confirm });
    for (status, request, says) in [
        (404, get("/v1/owners/zones/tenant-9"), "no zone tenant-9"),
        (404, get("/v1/owners/zones/short"), "no such zone"),
        (
            404,
            get("/v1/owners/zones/%2e%2e%2fclients"),
            "no such zone",
        ),
        (404, get("/v1/owners/clients/nobody"), "no client nobody"),
        (404, get("/v1/owners/clients/%ff"), "no such client"),
        (404, get("/v1/owners"), "no such path"),
        (
            404,
            post("/v1/owners/zones/tenant-9", json!({ "change": "keep" })),
            "no zone",
        ),
        (405, Request::new("DELETE", one), "another method"),
        (400, get("/v1/owners/zones?limit=x"), "the query: "),
        (400, get("/v1/owners/zones?order=desc"), "the query: "),
        (422, get("/v1/owners/zones?limit=0"), "limit: 1 to 500"),
        (422, get("/v1/owners/zones?limit=501"), "limit: 1 to 500"),
        (
            422,
            get(&format!("/v1/owners/zones?prefix={long}")),
            "prefix: longer",
        ),
        (422, get("/v1/owners/zones?after=%2f"), "after: "),
        (400, post(zones, json!([])), "not an object"),
        (400, post(zones, json!({ "name": "x" })), "unknown field"),
        (
            413,
            post(zones, json!({ "id": "x".repeat(70_000) })),
            "too long",
        ),
        (422, post(zones, json!({ "id": "short" })), "id: "),
        (
            422,
            post(zones, json!({ "id": "tenant-4", "clients": ["*", "app"] })),
            "clients: ",
        ),
        (
            422,
            post(zones, json!({ "id": "tenant-4", "clients": ["nobody"] })),
            "no client nobody",
        ),
        (
            409,
            post(zones, json!({ "id": "tenant-1" })),
            "exists already",
        ),
        (409, post(clients, json!({ "id": "app" })), "exists already"),
        (422, post(clients, json!({ "id": "a/b" })), "id: "),
        (
            400,
            post(clients, json!({ "id": "b", "zones_per_day": -1 })),
            "the body: ",
        ),
        (
            400,
            post(one, json!({ "change": "shred" })),
            "unknown variant",
        ),
        (
            400,
            post(one, json!({ "change": "rotate" })),
            "missing field",
        ),
        (
            400,
            post(one, json!({ "change": "grant", "client": "app", "x": 1 })),
            "unknown field",
        ),
        (
            422,
            post(one, json!({ "change": "grant", "client": "nobody" })),
            "no client nobody",
        ),
        (
            422,
            post(one, json!({ "change": "grant", "client": "a b" })),
            "client: ",
        ),
        (
            409,
            post(one, json!({ "change": "revoke", "client": "app" })),
            "remove `*` first",
        ),
        (
            409,
            post(one, json!({ "change": "rotate", "version": 7 })),
            "version 1, and not 7",
        ),
        (
            422,
            post(one, destroy(DAY, "tenant-2")),
            "confirm: not the zone's id",
        ),
        (
            422,
            post(one, destroy(DAY - 1, "tenant-1")),
            "grace_seconds: ",
        ),
        (
            422,
            post(one, destroy(3651 * DAY, "tenant-1")),
            "grace_seconds: ",
        ),
        (
            409,
            post("/v1/owners/zones/tenant-2", order.clone()),
            "keep it first",
        ),
        (
            410,
            post(
                "/v1/owners/zones/tenant-2",
                json!({ "change": "rotate", "version": 1 }),
            ),
            "to be destroyed",
        ),
        (
            410,
            post("/v1/owners/zones/tenant-3", destroy(DAY, "tenant-3")),
            "was destroyed",
        ),
        (
            410,
            post("/v1/owners/zones/tenant-3", json!({ "change": "keep" })),
            "was destroyed",
        ),
    ] {
        let case = format!("{request:?}");
        let said = error(&stand.ask(&request), status, &case);
        assert!(said.contains(says), "{case}: {said}");
    }
    assert_eq!(stand.keys.keymaker(&["audit", "list"]).success(), before);
}
