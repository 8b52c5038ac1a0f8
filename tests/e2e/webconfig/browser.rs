//! The page in a real browser.

use harness::Tab;

use crate::seed_examples::{self, Language, Told};

use super::*;

const PASSWORD: &str = "correct horse battery";

/// A tab in which alice, an operator, has signed in.
pub(super) fn signed_in(page: &Webconfig) -> Tab {
    page.add_user("alice", "operator", PASSWORD);
    let mut tab = Tab::open(&url(page, "/"));
    assert_eq!(tab.eval("location.pathname"), "/sign-in");
    fill_in(&mut tab);
    tab
}

fn fill_in(tab: &mut Tab) {
    tab.eval(&format!(
        "document.getElementById('name').value = 'alice'; \
         document.getElementById('password').value = '{PASSWORD}'; \
         document.querySelector('form button').click()"
    ));
    tab.until("document.querySelector('h1')?.textContent === 'Fleet'");
}

pub(super) fn url(page: &Webconfig, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", page.port())
}

/// On the page of zone mode, says whether this one holds on every server.
pub(super) fn holds(mode: &str) -> String {
    format!(
        "document.querySelector('button[value={mode}]')?.getAttribute('aria-pressed') === 'true'"
    )
}

/// Clicks on a zone mode there.
#[track_caller]
pub(super) fn click(tab: &mut Tab, mode: &str) {
    tab.eval(&format!(
        "document.querySelector('button[value={mode}]').click()"
    ));
}

#[test]
fn an_operator_switches_zone_mode_and_sees_it_hold_and_others_see_it_without_asking() {
    let stand = Stand::start();
    let mut tab = signed_in(&stand.page);
    tab.until("document.body.textContent.includes('2 servers, all well')");
    tab.go(&url(&stand.page, "/zone-mode"));
    tab.until(&holds("off"));
    click(&mut tab, "on");
    tab.until(&holds("on"));
    tab.until("document.querySelector('[role=status]')?.textContent === 'Zone mode is on.'");
    // Somebody else changes it: the page follows, and what has the focus keeps it.
    tab.eval("window.kept = document.querySelector('button[value=off]'); kept.focus()");
    let bob = stand.page.user("bob", "operator");
    let answer = bob.fill_in("/zone-mode", "/zone-mode", &[("mode", "mixed")]);
    leads_to(&answer, "/zone-mode");
    tab.until(&holds("mixed"));
    assert_eq!(tab.eval("document.activeElement === window.kept"), true);
    assert_eq!(tab.complaints(), [] as [&str; 0]);
}

#[test]
fn the_seeds_examples_work_with_zones_and_without_where_the_page_switches() {
    let Stand { page, mut chain } = Stand::start_with(seed_examples::start(), &[]);
    let mut tab = signed_in(&page);
    tab.go(&url(&page, "/zone-mode"));
    tab.until(&holds("off"));
    Language::Python.prints_the_seeds_lines(Told::ByOptions, &mut chain, |_, mode| {
        click(&mut tab, mode);
        tab.until(&holds(mode));
    });
}

#[test]
fn a_page_that_is_left_open_says_that_its_program_is_away_and_asks_for_the_sign_in_after() {
    let mut stand = Stand::start();
    let mut tab = signed_in(&stand.page);
    // Its script is there, too.
    tab.until("document.readyState === 'complete'");
    stand.page.process().kill();
    tab.until("!document.getElementById('lost').hidden");
    let says = tab.eval("document.getElementById('lost').textContent");
    let says = says.as_str().unwrap();
    assert!(
        says.starts_with("pgseal-webconfig does not answer."),
        "{says}"
    );
    stand.page.restart();
    tab.until("location.pathname === '/sign-in'");
    tab.until("document.querySelector('form button') !== null");
    fill_in(&mut tab);
    tab.until("document.body.textContent.includes('2 servers, all well')");
}
