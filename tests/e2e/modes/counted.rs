//! Refused values are counted by reason and logged at a limited rate, without what they hold.

use std::time::Instant;

use harness::http::Request;
use harness::raw::{literal, rows};
use harness::{Chain, Keys, scan};

use super::{Stand, forged};

#[test]
fn refused_values_are_counted_by_reason_and_not_told_to_the_application() {
    let stand = Stand::start(
        &Chain::builder()
            .zone_mode("on")
            .server("max_open_row = '100KiB'"),
    );
    let zone = stand.zone.seal(b"x").unwrap();
    let header = |place: usize, byte: u8| {
        let mut changed = zone.clone();
        changed[place] = byte;
        changed
    };
    stand.keys.add_client("other");
    let strangers = stand.keys.add_zone(&["other"]);
    let cases = [
        ("unsupported", header(5, 2)),
        ("unsupported", header(6, 1)),
        ("unknown_key", header(8, zone[8] ^ 1)),
        (
            "unknown_key",
            Keys::new().add_client("app").seal(b"x").unwrap(),
        ),
        ("zone_mode", stand.app.seal(b"x").unwrap()),
        ("not_permitted", strangers.seal(b"x").unwrap()),
        ("not_tagged", stand.zone.seal(b"x").unwrap()),
        ("not_authentic", forged(zone.clone())),
    ];
    let mut session = stand.session();
    let tag = |reason: &str| {
        if reason == "not_tagged" {
            ""
        } else {
            stand.tag()
        }
    };
    for (reason, value) in &cases {
        let metric = format!(r#"values_refused_total{{reason="{reason}"}}"#);
        let before = stand.link.server.counted(&metric);
        let sql = format!("select '{}', {}", tag(reason), literal(value));
        let answer = session.extended(&sql, 1);
        assert_eq!(rows(&answer)[0][1].as_ref(), Some(value), "{reason}");
        assert_eq!(stand.link.server.counted(&metric), before + 1, "{reason}");
    }
    // After so many in a row that are not authentic, the others are not tried.
    let many = vec![literal(&forged(zone.clone())); 70].join(", ");
    session.query(&format!(
        "select '{}', {many}, {}",
        stand.tag(),
        literal(&zone)
    ));
    let counted = |reason: &str| {
        let metric = format!(r#"values_refused_total{{reason="{reason}"}}"#);
        stand.link.server.counted(&metric)
    };
    assert_eq!((counted("not_authentic"), counted("untried")), (1 + 64, 7));
    let status = stand.link.connector.api(&Request::get("/v1/status")).json();
    assert_eq!(status["values"]["refused"], 8 + 71);
    assert_eq!(status["values"]["opened"], 0);
}

#[test]
fn refusals_are_logged_once_a_second_with_their_number_and_without_content() {
    let stand = Stand::start(&Chain::builder().on_refused("null"));
    let mut session = stand.session();
    let secret = forged(stand.app.seal(b"a value that is refused").unwrap());
    let select = format!("select {} from generate_series(1, 10)", literal(&secret));
    let begun = Instant::now();
    for _ in 0..100 {
        session.query(&select);
    }
    let seconds = begun.elapsed().as_secs();
    let process = stand.link.server.process();
    process.wait_for_line("sealed values refused");
    let log = process.log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("refused"))
        .collect();
    assert!(
        lines.len() as u64 <= seconds + 1,
        "{} lines in {seconds} s",
        lines.len()
    );
    let first = lines[0];
    assert!(
        first.contains("WARN") && first.contains("client=app"),
        "{first}"
    );
    assert!(
        first.contains("not_authentic") && first.contains("values=1"),
        "{first}"
    );
    let needles = [secret[20..].to_vec(), b"a value that is refused".to_vec()];
    assert_eq!(scan(&process.log_bytes(), &needles), []);
    assert_eq!(
        stand
            .link
            .server
            .counted(r#"values_refused_total{reason="not_authentic"}"#),
        1000
    );
}

#[test]
fn owners_are_counted_in_the_metrics_where_that_is_asked_for_and_nowhere_else() {
    for (line, told) in [
        ("metrics_by_owner = false", false),
        ("metrics_by_owner = true", true),
    ] {
        let stand = Stand::start(&Chain::builder().server(line));
        let mut session = stand.link.address().raw();
        session.start();
        let sealed = literal(&stand.app.seal(b"a value").unwrap());
        session.query(&format!("select {sealed}, {sealed}"));
        let metrics = stand.link.server.ops("/metrics").text().to_owned();
        let counted = r#"pgseal_server_owner_values_opened_total{owner="client/app"} 2"#;
        assert_eq!(metrics.contains(counted), told, "{metrics}");
        assert_eq!(metrics.contains("owner=\"client/"), told, "{metrics}");
    }
}
