//! The same by command line.

use harness::http::Request;
use harness::raw::tls::Hello;
use harness::until;

use super::*;

#[test]
fn the_fleet_is_looked_at_and_changed_without_a_browser() {
    let stand = Stand::start();
    let page = &stand.page;
    let status = |expected: i32| {
        let finished = page.order(&["ctl", "status", "--json"], "");
        assert_eq!(finished.code, Some(expected), "{finished:?}");
        serde_json::from_str::<serde_json::Value>(&finished.stdout).unwrap()
    };
    let before = status(0);
    assert_eq!(before["problems"], serde_json::json!([]));
    assert_eq!(before["servers"][1]["zone_mode"], "off");
    let changed = page
        .order(&["ctl", "set", "zone_mode", "on", "--json"], "")
        .success();
    let changed: serde_json::Value = serde_json::from_str(&changed).unwrap();
    assert_eq!(changed["number"], 1);
    // While one is behind the other, that is wrong.
    let follow = |mode: &str| {
        until("both servers to follow", || {
            let answer = page.order(&["ctl", "status", "--json"], "").stdout;
            let after = serde_json::from_str::<serde_json::Value>(&answer).unwrap();
            let both = (0..2).all(|it| after["servers"][it]["zone_mode"] == mode);
            both.then_some(())
        });
    };
    follow("on");
    status(0);
    let late = page.order(&["ctl", "set", "zone_mode", "off", "--number", "0"], "");
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(
        late.stderr.contains("changed meanwhile by admin page"),
        "{late:?}"
    );
    let unknown = page.order(&["ctl", "set", "no_such", "1"], "");
    assert!(
        unknown.stderr.contains("knows no such setting"),
        "{unknown:?}"
    );
    page.order(&["ctl", "set", "zone_mode", "--reset"], "")
        .success();
    follow("off");

    let address = format!("127.0.0.1:{}", stand.chain.primary.server.port());
    page.order(&["ctl", "drain", &address], "").success();
    let draining = status(1);
    assert_eq!(draining["servers"][0]["availability"], "draining");
    assert!(
        draining["problems"][0]["what"]
            .as_str()
            .unwrap()
            .contains("draining")
    );
    page.order(&["ctl", "drain", &address, "--off"], "")
        .success();
    status(0);
    let nowhere = page.order(&["ctl", "drain", "nowhere:1"], "");
    assert_eq!(nowhere.code, Some(2), "{nowhere:?}");
}

#[test]
fn what_is_wrong_with_a_configuration_is_said_in_a_line() {
    let (keys, port) = (harness::Keys::new(), harness::free_port());
    let page = Webconfig::start(&keys.admin_identity("page"), &[port.number()], &[]);
    let check = |lines: &[&str]| {
        let finished = page.order(&[lines, &["--check-config"]].concat(), "");
        (finished.code, finished.stdout + &finished.stderr)
    };
    assert_eq!(check(&[]).0, Some(0));
    let (code, says) = check(&["--listen", "0.0.0.0:8000"]);
    assert_eq!(code, Some(2), "{says}");
    assert!(
        says.contains("listen: 0.0.0.0:8000 is no loopback address"),
        "{says}"
    );
}

#[test]
fn the_page_is_served_by_tls_with_a_cookie_for_that_alone() {
    let keys = harness::Keys::new();
    let shown = keys.server_identity("page");
    let lines = [
        format!("https.certificate = '{}'", shown.certificate.display()),
        format!("https.private_key = '{}'", shown.private_key.display()),
    ];
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let port = harness::free_port();
    let page = Webconfig::start(&keys.admin_identity("page"), &[port.number()], &lines);
    let hello = Hello::anonymous().alpn(&["http/1.1"]);
    let session = hello.connect(page.port()).unwrap();
    let answer = Request::get("/sign-in").send_over(&mut session.into_stream());
    assert_eq!(answer.status, 200, "{answer:?}");
    let set = answer.header("set-cookie").unwrap();
    assert!(set.ends_with("SameSite=Strict; Secure"), "{set}");
}
