//! What the page says, before the switch is set, that each zone mode would do.

use harness::raw::{literal, rows};
use harness::{Browser, until};

use super::*;

/// Rows of a client's values that are read, and half as many of a zone's.
const ROWS: usize = 1200;

/// Reads values of the client, of a zone, and forged ones of the client, all in one mode.
fn read_values(stand: &Stand, link: &Link) {
    let (app, zone) = (stand.chain.client(), stand.chain.keys.add_zone(&["app"]));
    let clients = app.seal(b"a client's").unwrap();
    let zones = literal(&zone.seal(b"a zone's").unwrap());
    // Of a key that the store does not have: it opens in no mode.
    let mut unknown = clients.clone();
    unknown[8] ^= 1;
    let (clients, unknown) = (literal(&clients), literal(&unknown));
    let tag = zone.owner().id().to_owned();
    let mut session = link.address().raw();
    session.start();
    let mut read = |select: &str, count: usize| {
        let sql = format!("select {select} from generate_series(1, {count})");
        assert_eq!(rows(&session.extended(&sql, 1)).len(), count);
    };
    read(&clients, ROWS);
    read(&format!("'{tag}'::text, {zones}"), ROWS / 2);
    read(&unknown, ROWS / 4);
}

/// Opened and refused per second under each mode (off, on, mixed), as the page says of whom.
fn forecast(browser: &Browser, of: &str) -> Option<[(f64, f64); 3]> {
    let shown = browser.get("/zone-mode");
    let row = shown
        .text()
        .split_once(&format!("<th scope=\"row\">{of}</th>"))?
        .1;
    let row = row.split_once("</tr>")?.0;
    let cell = |mode: &str| {
        let cell = row.split_once(&format!("<td data-label=\"{mode}\">"))?.1;
        let mut numbers = cell.split("<b>").skip(1).map(|it| it.split_once('<'));
        let mut next = || numbers.next()??.0.parse::<f64>().ok();
        Some((next()?, next()?))
    };
    Some([cell("off")?, cell("on")?, cell("mixed")?])
}

/// Whether the numbers stand to each other as those of the values that were read.
fn are_as_read([off, on, mixed]: &[(f64, f64); 3]) -> bool {
    let client = off.0;
    let pairs = [
        (off.1, client * 0.75),
        (on.0, client * 0.5),
        (on.1, client * 1.25),
        (mixed.0, client * 1.5),
        (mixed.1, client * 0.25),
    ];
    let is_near = |(found, expected): (f64, f64)| (found - expected).abs() <= 0.05 * client + 0.1;
    client > 0.0 && pairs.into_iter().all(is_near)
}

#[test]
fn before_the_switch_is_set_the_page_says_what_each_mode_would_open_and_refuse() {
    let stand = Stand::start();
    let vera = stand.page.user("vera", "viewer");
    let of_fleet = || forecast(&vera, "All servers");
    let port = |link: &Link| format!("127.0.0.1:{}", link.server.port());
    until("the page to know both servers", || {
        let known = stand.chain.links().map(|link| forecast(&vera, &port(link)));
        known.iter().all(Option::is_some).then_some(())
    });
    assert_eq!(of_fleet(), Some([(0.0, 0.0); 3]));
    read_values(&stand, &stand.chain.primary);
    until("the page to show them", || of_fleet().filter(are_as_read));
    // They were read by one server alone.
    let one = forecast(&vera, &port(&stand.chain.primary)).unwrap();
    assert!(are_as_read(&one), "{one:?}");
    let other = forecast(&vera, &port(&stand.chain.replica));
    assert_eq!(other, Some([(0.0, 0.0); 3]));
    // So does the other, in another mode than that of before.
    stand
        .page
        .order(&["ctl", "set", "zone_mode", "on"], "")
        .success();
    read_values(&stand, &stand.chain.replica);
    until("the page to show those under `on` too", || {
        let found =
            [&stand.chain.primary, &stand.chain.replica].map(|it| forecast(&vera, &port(it)));
        found.iter().flatten().all(are_as_read).then_some(())
    });
    assert!(of_fleet().is_some_and(|it| are_as_read(&it)));
    // The switch says so too.
    let text = vera.get("/zone-mode");
    let switch = text.text().split_once("value=\"off\"").unwrap().1;
    assert!(
        switch
            .split_once("</button>")
            .unwrap()
            .0
            .contains("Would open "),
        "{switch}"
    );
}
