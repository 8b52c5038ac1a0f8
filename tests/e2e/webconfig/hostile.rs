//! Requests that no page of ours makes.

use std::io::{Read, Write};
use std::net::TcpStream;

use harness::http::Request;
use harness::webconfig::{hidden, post};

use super::*;

#[test]
fn a_form_without_its_sessions_token_or_from_another_site_does_nothing() {
    let page = alone(&[]);
    let (alice, bob) = (page.user("alice", "operator"), page.user("bob", "operator"));
    let token = |of: &harness::Browser| hidden(of.get("/").text(), "token");
    let (own, anothers) = (token(&alice), token(&bob));
    let sign_out = |token: &str| post("/sign-out", &[("token", token.to_owned())]);
    let host = format!("http://localhost:{}", page.port());
    for (what, request) in [
        ("no token", sign_out("")),
        ("another's token", sign_out(&anothers)),
        ("no field", post("/sign-out", &[])),
        (
            "origin",
            sign_out(&own).header("Origin", "http://evil.example"),
        ),
        ("null", sign_out(&own).header("Origin", "null")),
        ("port", sign_out(&own).header("Origin", &host)),
        (
            "site",
            sign_out(&own).header("Sec-Fetch-Site", "cross-site"),
        ),
    ] {
        let answer = alice.send(request);
        assert!(matches!(answer.status, 403 | 422), "{what}: {answer:?}");
        assert_eq!(alice.get("/").status, 200, "{what}");
    }
    let from_here = sign_out(&own)
        .header("Origin", "http://localhost")
        .header("Sec-Fetch-Site", "same-origin");
    leads_to(&alice.send(from_here), "/sign-in");
    leads_to(&alice.get("/"), "/sign-in");
}

/// Every form of a page by which something is changed.
const FORMS: [(&str, &[(&str, &str)]); 16] = [
    ("/zone-mode", &[("number", "1"), ("mode", "on")]),
    ("/undo", &[("number", "1")]),
    (
        "/settings",
        &[
            ("number", "1"),
            ("name", "zone_mode"),
            ("value", "on"),
            ("what", "change"),
        ],
    ),
    ("/drain", &[("server", "x:1"), ("draining", "true")]),
    ("/zones", &[("id", "tenant-1"), ("clients", "")]),
    ("/zones/tenant-1", &[("what", "grant"), ("client", "app")]),
    ("/zones/tenant-1", &[("what", "revoke"), ("client", "app")]),
    ("/zones/tenant-1", &[("what", "rotate"), ("version", "1")]),
    (
        "/zones/tenant-1",
        &[("what", "destroy"), ("confirm", "tenant-1"), ("grace", "1")],
    ),
    (
        "/zones/tenant-1",
        &[
            ("what", "confirm"),
            ("confirm", "tenant-1"),
            ("request", "1"),
        ],
    ),
    ("/zones/tenant-1", &[("what", "withdraw"), ("request", "1")]),
    ("/zones/tenant-1", &[("what", "keep")]),
    ("/clients", &[("id", "app"), ("zones_per_day", "")]),
    ("/clients/app", &[("what", "allow"), ("zones_per_day", "")]),
    ("/clients/app", &[("what", "rotate"), ("version", "1")]),
    ("/sign-out-everywhere", &[]),
];

#[test]
fn no_form_is_taken_without_its_token_or_from_another_site_and_none_that_changes_from_a_viewer() {
    let page = alone(&[]);
    let (alice, vera) = (page.user("alice", "operator"), page.user("vera", "viewer"));
    let token = |of: &harness::Browser| hidden(of.get("/").text(), "token");
    let (own, veras) = (token(&alice), token(&vera));
    for (path, fields) in FORMS {
        let form = |token: &str| {
            let own = fields.iter().map(|(name, it)| (*name, (*it).to_owned()));
            post(
                path,
                &own.chain([("token", token.to_owned())]).collect::<Vec<_>>(),
            )
        };
        let stolen = alice.send(form(&veras));
        assert_eq!(stolen.status, 403, "{path}: {stolen:?}");
        let says = "This form is of an earlier sign-in, or of another site.";
        assert!(stolen.text().contains(says), "{path}: {}", stolen.text());
        let elsewhere = alice.send(form(&own).header("Origin", "http://evil.example"));
        assert_eq!(elsewhere.status, 403, "{path}: {elsewhere:?}");
        assert!(
            elsewhere.text().contains("a page of another site"),
            "{path}"
        );
        leads_to(&form(&own).send(page.port()), "/sign-in");
        if path != "/sign-out-everywhere" {
            let viewer = vera.send(form(&veras));
            assert_eq!(viewer.status, 403, "{path}: {viewer:?}");
            assert!(viewer.text().contains("A viewer changes nothing"), "{path}");
        }
    }
}

#[test]
fn a_sign_in_form_that_another_site_has_made_signs_nobody_in() {
    let page = alone(&[]);
    page.add_user("mallory", "viewer", "correct horse battery");
    let form = Request::get("/sign-in").send(page.port());
    let fields = [
        ("token", hidden(form.text(), "token")),
        ("name", "mallory".into()),
        ("password", "correct horse battery".into()),
    ];
    // Its token, without the cookie that only the browser has that was given it.
    let answer = post("/sign-in", &fields).send(page.port());
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(
        !answer
            .headers
            .iter()
            .any(|(_, value)| value.starts_with("pgseal="))
    );
}

#[test]
fn names_that_are_markup_are_shown_as_text() {
    let page = alone(&[]);
    let name = "\"><script>alert(1)</script>";
    let answer = page.sign_in(name, "whatever it is");
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(
        answer.text().contains("value=\"&#34;&#62;&#60;script&#62;"),
        "{}",
        answer.text()
    );
    assert!(!answer.text().contains("<script>alert"));
    let refused = page.order(&["user", "add", name], "correct horse battery");
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn every_answer_holds_the_browser_to_files_of_this_program_and_out_of_frames() {
    let page = alone(&[]);
    let alice = page.user("alice", "operator");
    for path in [
        "/",
        "/zone-mode",
        "/settings",
        "/zones",
        "/clients",
        "/assets/page.js",
        "/nowhere",
        "/sign-in",
    ] {
        let answer = alice.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let text = answer.text();
        for stopped in [
            " style=",
            "<style",
            " onclick",
            "<script>",
            "http://",
            "innerHTML",
            "eval(",
        ] {
            assert!(!text.contains(stopped), "{path}: {stopped}");
        }
    }
}

#[test]
fn bodies_that_are_too_long_or_malformed_are_refused_and_paths_lead_nowhere_else() {
    let page = alone(&[]);
    let alice = page.user("alice", "operator");
    let long = post("/settings", &[("token", "x".repeat(20_000))]);
    assert_eq!(alice.send(long).status, 413);
    for body in ["%", "token=%ff%fe", "{}", "a&b&c=", "\0\0\0"] {
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post("/zone-mode")
            .header("Content-Type", kind)
            .body(body);
        let status = alice.send(request).status;
        assert!((400..500).contains(&status), "{body:?}: {status}");
    }
    let json = Request::post("/zone-mode").header("Content-Type", "application/json");
    assert_eq!(alice.send(json.body("{}")).status, 415);
    for path in [
        "/assets/../Cargo.toml",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/events/..%2f..",
        "/users",
    ] {
        assert_eq!(alice.get(path).status, 404, "{path}");
    }
    assert_eq!(alice.send(Request::new("DELETE", "/settings")).status, 405);
    assert_eq!(alice.get("/").status, 200);
}

#[test]
fn half_a_request_does_not_keep_its_connection() {
    let page = alone(&[]);
    let mut stream = TcpStream::connect(("127.0.0.1", page.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
        .write_all(b"POST /sign-in HTTP/1.1\r\nHost: lo")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(
        !answer.starts_with(b"HTTP/1.1 2"),
        "{}",
        answer.escape_ascii()
    );
}

#[test]
fn a_name_of_another_site_that_leads_here_gets_no_page_where_no_certificate_says_who_we_are() {
    let page = alone(&[]);
    for host in ["evil.example", "evil.example:8000", "10.1.2.3", ""] {
        for path in ["/", "/sign-in", "/assets/page.js"] {
            let answer = Request::get(path).header("Host", host).send(page.port());
            assert_eq!(answer.status, 403, "{host} {path}");
        }
    }
    for host in ["localhost:8000", "127.0.0.1", "[::1]:8000"] {
        let asked = Request::get("/sign-in").header("Host", host);
        assert_eq!(asked.send(page.port()).status, 200, "{host}");
    }
}
