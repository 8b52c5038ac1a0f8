//! Which values open in which mode.

use harness::Chain;
use harness::raw::{literal, rows};

use super::Stand;

#[test]
fn each_mode_opens_its_kind_of_owner_in_a_session_that_is_already_open() {
    let mut stand = Stand::start(&Chain::builder());
    let (tag, bracketed) = (stand.tag().to_owned(), format!("[{}]", stand.tag()));
    let by_client = stand.app.seal(b"a client's").unwrap();
    let by_zone = stand.zone.seal(b"a zone's").unwrap();
    let behind_tag = |value: &[u8]| [bracketed.as_bytes(), value].concat();
    // What stands before it in the row, the value, what it opens to, and where: off, on, mixed.
    let cases = [
        (
            "",
            by_client.clone(),
            "a client's".to_owned(),
            [true, false, true],
        ),
        (
            &tag,
            by_client.clone(),
            "a client's".to_owned(),
            [true, false, true],
        ),
        (
            "",
            behind_tag(&by_client),
            format!("{bracketed}a client's"),
            [true, false, true],
        ),
        (
            "",
            by_zone.clone(),
            "a zone's".to_owned(),
            [false, false, false],
        ),
        (
            &tag,
            by_zone.clone(),
            "a zone's".to_owned(),
            [false, true, true],
        ),
        (
            "",
            behind_tag(&by_zone),
            "a zone's".to_owned(),
            [false, true, true],
        ),
        (
            &tag,
            behind_tag(&by_zone),
            "a zone's".to_owned(),
            [false, true, true],
        ),
    ];
    let mut session = stand.session();
    // The first is the default; the others come by SIGHUP.
    for (mode, index) in [("", 0), ("on", 1), ("mixed", 2), ("off", 0)] {
        if !mode.is_empty() {
            stand.apply(&format!("zone_mode = '{mode}'"));
        }
        for (case, (before, sealed, clear, opens)) in cases.iter().enumerate() {
            let answer = session.extended(&format!("select '{before}', {}", literal(sealed)), 1);
            let expected = if opens[index] {
                clear.as_bytes()
            } else {
                sealed
            };
            assert_eq!(
                rows(&answer),
                [[Some(before.as_bytes().to_vec()), Some(expected.to_vec())]],
                "case {case} in mode '{mode}'"
            );
        }
    }
    let refused = stand
        .link
        .server
        .counted(r#"values_refused_total{reason="zone_mode"}"#);
    // Off (twice) refuses the four of the zone, on the three of the client.
    assert_eq!(refused, 4 + 3 + 4);
}
