//! No page has a barrier for those who use it otherwise than most, in any light, on any screen. Looked for
//! by axe-core, which is put beside the page and not into it: the page's policy stays as strict as it is.

use harness::{Browser, Tab, is_long, target};

use super::browser::{click, signed_in, url};
use super::changing::is_ready;
use super::*;

/// Widths in CSS pixels, a telephone's and a desk's, in the dark and not. The first two have each of it.
const SCREENS: [(u32, bool); 4] = [(400, true), (1280, false), (400, false), (1280, true)];

/// What is serious or worse of what is found, each with the elements that it is about.
const LOOK: &str = "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => \
    violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => \
    `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(', ')}`))";

pub(super) fn axe() -> String {
    let path = target().join("accessibility/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; tests/run.sh installs it", path.display()))
}

/// Looks at the page that a tab shows.
#[track_caller]
pub(super) fn has_no_barrier(tab: &mut Tab, axe: &str, page: &str) {
    let screens = if is_long() {
        &SCREENS[..]
    } else {
        &SCREENS[..2]
    };
    for (width, dark) in screens {
        tab.show(*width, 800, 1, *dark);
        let found = tab.eval_apart(axe, LOOK);
        let shown = format!("{page}, {width} pixels, dark: {dark}");
        assert_eq!(found, serde_json::json!([]), "{shown}");
        let wide = tab.eval("document.documentElement.scrollWidth");
        assert!(
            wide.as_u64().unwrap() <= (*width).into(),
            "{shown}: {wide} pixels"
        );
    }
}

/// Asks why a client's value opens.
#[track_caller]
fn ask_why(tab: &mut Tab, stand: &Stand) {
    let sealed = stand.chain.client().seal(b"a value").unwrap();
    let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    tab.go(&url(&stand.page, "/why"));
    tab.eval(&format!(
        "document.getElementById('hex').value = '{hex}'; \
         document.querySelector('form[method=post][action=\"/why\"] button').click()"
    ));
    tab.until("document.getElementById('answer') !== null");
}

#[test]
fn no_page_has_a_barrier_in_any_light_on_any_screen() {
    let (stand, axe) = (Stand::start(), axe());
    let mut tab = Tab::open(&url(&stand.page, "/sign-in"));
    has_no_barrier(&mut tab, &axe, "sign-in");
    drop(tab);
    let mut tab = signed_in(&stand.page);
    let all_is_well = "document.body.textContent.includes('2 servers, all well')";
    tab.until(all_is_well);
    let zone = stand.chain.keys.add_zone(&["app"]);
    let zone = format!("/zones/{}", zone.owner().id());
    for page in PAGES.into_iter().chain([zone.as_str(), "/clients/app"]) {
        tab.go(&url(&stand.page, page));
        has_no_barrier(&mut tab, &axe, page);
    }
    ask_why(&mut tab, &stand);
    has_no_barrier(&mut tab, &axe, "why, with an answer");
    tab.go(&url(&stand.page, "/no-such"));
    has_no_barrier(&mut tab, &axe, "a page that there is not");

    // With something wrong, something to tell, and a change to undo.
    let bob: Browser = stand.page.user("bob", "operator");
    is_ready(&bob);
    stand.chain.replica.server.process().kill();
    tab.go(&url(&stand.page, "/zone-mode"));
    tab.until("document.body.textContent.includes('Not heard')");
    click(&mut tab, "on");
    tab.until("document.querySelector('[role=status]') !== null");
    has_no_barrier(&mut tab, &axe, "zone mode, without a server");
    let pages = if is_long() { &PAGES[..] } else { &PAGES[..1] };
    for page in pages {
        tab.go(&url(&stand.page, page));
        has_no_barrier(&mut tab, &axe, &format!("{page}, without a server"));
    }
    tab.go(&url(&stand.page, "/"));
    stand.page.process().kill();
    tab.until("!document.getElementById('lost').hidden");
    has_no_barrier(&mut tab, &axe, "a page whose program is away");
}
