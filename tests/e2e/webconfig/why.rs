//! Why a value opens or stays sealed, asked of a server through the page, the command line and the
//! control API; and that it is told to nobody else, and nothing with it.

use harness::http::Request;
use harness::raw::{literal, rows};
use harness::{Browser, until};
use serde_json::{Value, json};

use super::*;

/// What is sealed in every test here, and may be told by nobody.
const CLEAR: &[u8] = b"the clear text that nobody is told";

/// A stand, and what asks there.
struct Asking {
    stand: Stand,
    port: u16,
}

impl Asking {
    fn start() -> Self {
        let stand = Stand::start();
        stand.chain.keys.add_client("other");
        let port = stand.chain.primary.server.port();
        Self { stand, port }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What `ctl why` answers of a value that holds one envelope, as JSON.
    #[track_caller]
    fn of(&self, value: &[u8], more: &[&str]) -> Value {
        let (address, hex) = (self.address(), hex(value));
        let order = [
            "ctl", "why", "--json", "--server", &address, "--value", &hex,
        ];
        let answer = self
            .stand
            .page
            .order(&[&order, more].concat(), "")
            .success();
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        let envelopes = answer["value"]["envelopes"].take();
        assert_eq!(envelopes.as_array().unwrap().len(), 1, "{envelopes}");
        envelopes[0].clone()
    }

    fn keymaker(&self, order: &[&str]) {
        self.stand.chain.keys.keymaker(order).success();
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("\\x{}", digits.collect::<String>())
}

/// Which steps hold, which do not, and which were not looked at: `+`, `-` and `.`.
fn steps(envelope: &Value) -> String {
    let steps = envelope["steps"].as_array().unwrap().iter();
    let mark = |step: &Value| match step["holds"].as_bool() {
        Some(true) => '+',
        Some(false) => '-',
        None => '.',
    };
    steps.map(mark).collect()
}

/// What is said of a step.
fn says(envelope: &Value, step: usize) -> String {
    envelope["steps"][step]["says"].as_str().unwrap().to_owned()
}

#[test]
fn each_step_is_told_of_and_the_first_that_does_not_hold_is_why() {
    let asking = Asking::start();
    let (app, zone) = (
        asking.stand.chain.client(),
        asking.stand.chain.keys.add_zone(&["app"]),
    );
    let id = zone.owner().id().to_owned();
    let (clients, zones) = (app.seal(CLEAR).unwrap(), zone.seal(CLEAR).unwrap());
    let altered = |at: usize| {
        let mut altered = clients.clone();
        altered[at] ^= 1;
        altered
    };
    let tagged = [format!("[{id}]").as_bytes(), &zones].concat();
    let last = clients.len() - 1;
    let told = |value: &[u8], more: &[&str]| {
        let answer = asking.of(value, more);
        assert_eq!(
            answer["opens"].as_bool(),
            answer["reason"].is_null().then_some(true).or(Some(false))
        );
        (
            steps(&answer),
            answer["reason"].as_str().unwrap_or("opens").to_owned(),
        )
    };
    let expect = |steps: &str, reason: &str| (steps.to_owned(), reason.to_owned());
    // Under `off`, as it comes.
    assert_eq!(told(&clients, &[]), expect("++++++", "opens"));
    assert_eq!(
        told(&clients, &["--client", "app"]),
        expect("++++++", "opens")
    );
    assert_eq!(
        told(&clients, &["--client", "other"]),
        expect("++-...", "not_permitted")
    );
    assert_eq!(told(&altered(last), &[]), expect("+++++-", "not_authentic"));
    assert_eq!(told(&altered(8), &[]), expect("-.....", "unknown_key"));
    assert_eq!(told(&altered(5), &[]), expect("-.....", "unsupported"));
    let by_app = ["--client", "app", "--zone", &id];
    assert_eq!(told(&zones, &by_app), expect("+-+++.", "zone_mode"));
    let answer = asking.of(&zones, &by_app);
    assert_eq!(answer["owner"], format!("zone/{id}"));
    assert_eq!(
        (&answer["version"], &answer["state"]),
        (&json!(1), &json!("active"))
    );
    assert_eq!(
        says(&answer, 1),
        "Zone mode is off here, which opens values sealed to a client alone."
    );
    assert!(says(&answer, 5).starts_with("Not tried"), "{answer}");

    // Under `mixed`, for values of a zone.
    asking
        .stand
        .page
        .order(&["ctl", "set", "zone_mode", "mixed"], "")
        .success();
    until("the server to follow", || {
        (told(&zones, &by_app) == expect("++++++", "opens")).then_some(())
    });
    assert_eq!(
        told(&tagged, &["--client", "app"]),
        expect("++++++", "opens")
    );
    assert_eq!(
        told(&zones, &["--client", "app"]),
        expect("+++-..", "not_tagged")
    );
    let elsewhere = ["--client", "app", "--zone", "another-zone"];
    assert_eq!(told(&zones, &elsewhere), expect("+++-..", "not_tagged"));
    assert!(
        says(&asking.of(&zones, &elsewhere), 3).ends_with("what stands there is another-zone.")
    );
    let by_other = ["--client", "other", "--zone", &id];
    assert_eq!(told(&zones, &by_other), expect("++-...", "not_permitted"));
    assert!(says(&asking.of(&zones, &by_other), 2).ends_with("which opens for app."));
    let by_nobody = asking.of(&zones, &["--zone", &id]);
    assert_eq!(
        (steps(&by_nobody), &by_nobody["opens"]),
        ("++....".into(), &Value::Null)
    );

    // Of a key's life.
    asking.keymaker(&["key", "rotate", "--client", "app"]);
    let state = |value: &[u8], expected: &str| {
        until("the key's state to be told", || {
            let answer = asking.of(value, &[]);
            (answer["state"] == expected).then_some((steps(&answer), answer["reason"].clone()))
        })
    };
    assert_eq!(state(&clients, "open-only"), ("++++++".into(), Value::Null));
    asking.keymaker(&[
        "key",
        "retire",
        "--client",
        "app",
        "--version",
        "1",
        "--force",
    ]);
    until("the key to open nothing", || {
        (state(&clients, "retired") == ("++++-.".into(), json!("retired"))).then_some(())
    });
    asking.keymaker(&[
        "key",
        "destroy",
        "--client",
        "app",
        "--version",
        "1",
        "--force",
        "--yes",
    ]);
    until("the key to be gone", || {
        (state(&clients, "destroyed") == ("++++-.".into(), json!("shredded"))).then_some(())
    });
    let logs = [
        asking.stand.chain.logs(),
        asking.stand.page.process().log_bytes(),
    ]
    .concat();
    assert_eq!(harness::scan(&logs, &[CLEAR]), []);
    // Asking is no use of a key, and no value that was opened.
    let status = asking.stand.chain.primary.server.ops("/metrics");
    assert!(
        status
            .text()
            .contains("values_opened_total{owner=\"client\"} 0"),
        "{status:?}"
    );
}

#[test]
fn an_operator_asks_by_the_page_of_a_value_and_of_a_session_and_is_told_no_clear_text() {
    let asking = Asking::start();
    let (page, link) = (&asking.stand.page, &asking.stand.chain.primary);
    let alice = page.user("alice", "operator");
    let app = asking.stand.chain.client();
    let sealed = app.seal(CLEAR).unwrap();
    let whole = [b"a field with ".as_slice(), &sealed, &sealed, b" in it"].concat();
    let address = asking.address();
    let asks = |hex: &str, client: &str| {
        let fields = [
            ("server", address.as_str()),
            ("hex", hex),
            ("client", client),
            ("zone", ""),
        ];
        let answer = alice.fill_in("/why", "/why", &fields);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(harness::scan(&answer.body, &[CLEAR]), []);
        answer.text().to_owned()
    };
    let opens = asks(&hex(&whole), "app");
    assert_eq!(
        opens
            .matches("<span class=\"badge good\">opens</span>")
            .count(),
        2
    );
    assert!(
        opens.contains(&format!("{} bytes from byte 13 on", sealed.len())),
        "{opens}"
    );
    let armored = asks(&format!("[tag]{}", envelope::armor(&sealed)), "app");
    assert!(armored.contains("from byte 5 on"), "{armored}");
    assert!(armored.contains("<span class=\"badge good\">opens</span>"));
    let stays = asks(&hex(&sealed), "other");
    assert!(
        stays.contains("<p><b>It is client app&#39;s, and not other&#39;s.</b></p>"),
        "{stays}"
    );
    assert!(asks("\\x00ff", "").contains("There is no envelope in it"));
    assert!(asks(&hex(&sealed[..40]), "").contains("begins at byte 0 and does not end"));

    let log = link.server.process().log();
    assert!(
        log.contains("it was asked why values open by=\"page for alice\" values=2"),
        "{log}"
    );

    // A session: found by what its database calls it.
    let mut session = link.address().raw();
    session.start();
    let answer = session.extended("select pg_backend_pid()::text", 0);
    let pid = String::from_utf8(rows(&answer)[0][0].clone().unwrap()).unwrap();
    for _ in 0..3 {
        session.extended(&format!("select {}", literal(&sealed)), 1);
    }
    let mut unknown = sealed.clone();
    unknown[8] ^= 1;
    session.extended(&format!("select {}", literal(&unknown)), 1);
    let listed = alice.get(&format!("/why?server={address}"));
    let row = listed.text().split("<tr>").find(|row| row.contains(&pid));
    let row = row.unwrap_or_else(|| panic!("no process {pid}: {}", listed.text()));
    let number = row.split_once("name=\"session\" value=\"").unwrap().1;
    let number = number.split_once('"').unwrap().0;
    let shown = alice.get(&format!("/why?server={address}&session={number}"));
    let text = shown.text();
    assert!(
        text.contains("<th scope=\"row\">client/app</th><td data-label=\"Opened\">3</td>"),
        "{text}"
    );
    assert!(
        text.contains("1: sealed to a key that the store does not have"),
        "{text}"
    );
    let order = ["ctl", "why", "--server", &address, "--session", number];
    let by_command = page.order(&order, "").success();
    assert!(
        by_command.contains("client/app: 3 opened; refused: none"),
        "{by_command}"
    );
    drop(session);
    until("the session to be gone", || {
        let gone = page.order(&order, "");
        (gone.code == Some(1) && gone.stderr.contains("does not run here")).then_some(())
    });
}

#[test]
fn nobody_but_an_operator_asks_why_and_nothing_that_is_asked_does_harm() {
    let asking = Asking::start();
    let page = &asking.stand.page;
    let (alice, vera) = (page.user("alice", "operator"), page.user("vera", "viewer"));
    let address = asking.address();
    let sealed = hex(&asking.stand.chain.client().seal(CLEAR).unwrap());
    // As a browser escapes it: hex stands for itself.
    let form = |browser: &Browser, token: &str, hex: &str, client: &str| {
        let hex = hex.replace('\\', "%5C");
        let client = client
            .replace('<', "%3C")
            .replace('>', "%3E")
            .replace('/', "%2F");
        let body = format!("token={token}&server={address}&hex={hex}&client={client}&zone=");
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post("/why").header("Content-Type", kind);
        browser.send(request.body(body))
    };
    let token = |of: &Browser| harness::webconfig::hidden(of.get("/").text(), "token");
    let (hers, own) = (token(&vera), token(&alice));
    assert_eq!(vera.get("/why").status, 403);
    assert_eq!(
        vera.get(&format!("/why?server={address}&session=1")).status,
        403
    );
    assert_eq!(form(&vera, &hers, &sealed, "").status, 403);
    assert!(!vera.get("/").text().contains("href=\"/why\""));
    assert_eq!(form(&alice, "", &sealed, "").status, 403);
    assert_eq!(form(&alice, &hers, &sealed, "").status, 403);
    for (hex, client, problem) in [
        ("zz", "", "hex: these are not pairs"),
        ("abc", "", "hex: these are not pairs"),
        ("\\x", "", "hex: it is empty"),
        (&"ab".repeat(30_001), "", "hex: at most 30000 bytes"),
        (&"ab".repeat(40_000), "", "the body is too long"),
        (&sealed, "<script>alert(1)</script>", "client: "),
    ] {
        let answer = form(&alice, &own, hex, client);
        assert_eq!(answer.status, 200, "{problem}");
        let text = answer.text();
        assert!(text.contains(problem), "{problem}: {text}");
        assert!(!text.contains("<script>alert"), "{text}");
    }
    assert_eq!(form(&alice, &own, &"ab".repeat(60_000), "").status, 413);
    // As much as there may be: of some of it nothing is told.
    let flood = format!("\\x{}", sealed[2..].repeat(200));
    let told = form(&alice, &own, &flood, "");
    assert!(
        told.text().contains("136 more are not told of"),
        "{}",
        told.text()
    );
    for (query, status) in [
        ("server=nowhere", 404),
        (&format!("server={address}&session=999999"), 200),
        (&format!("server={address}&session=-1%3Cscript%3E"), 200),
    ] {
        let answer = alice.get(&format!("/why?{query}"));
        assert_eq!(answer.status, status, "{query}");
        assert!(!answer.text().contains("-1<script>"));
    }

    // Nor by the control API.
    let (server, keys) = (&asking.stand.chain.primary.server, &asking.stand.chain.keys);
    let ask = |identity: &harness::Identity, body: &str| {
        let request = Request::post("/v1/why").header("Content-Type", "application/json");
        server.control(identity, &request.body(body))
    };
    let body = json!({ "value": { "hex": sealed } }).to_string();
    let admin = keys.admin_identity("page");
    assert_eq!(ask(&admin, &body).status, 200);
    assert_eq!(ask(&keys.client_identity("app"), &body).status, 403);
    assert_eq!(ask(&keys.server_identity("primary"), &body).status, 403);
    for (body, status) in [
        ("", 400),
        ("[]", 400),
        ("{}", 400),
        (r#"{"value":{}}"#, 400),
        (r#"{"value":{"hex":"f5","key":"x"}}"#, 400),
        (r#"{"value":{"hex":"f"}}"#, 422),
        (r#"{"value":{"hex":"f5","client":"not an id"}}"#, 422),
        (r#"{"value":{"hex":"f5","zone":"not\u0000one"}}"#, 422),
        (r#"{"session":-1}"#, 400),
        (r#"{"session":18446744073709551615}"#, 404),
    ] {
        let answer = ask(&admin, body);
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
}
