//! Programs that are killed while a change is made: the fleet is as before it, or as after, everywhere.

use std::thread::{self, JoinHandle};

use harness::http::Request;
use harness::webconfig::{hidden, post};
use harness::{Browser, is_long, report, until};
use keystore::{MasterKey, Store};
use rusqlite::Connection;

use super::changing::is_in;
use super::*;

/// The settings of a fleet: the number that counts them, and the zone mode.
type Agreed = (u64, String);

/// Waits until the store and both servers have the same settings.
#[track_caller]
fn agreed(stand: &Stand) -> Agreed {
    let keys = &stand.chain.keys;
    let master = MasterKey::from_file(&keys.master_key_file()).unwrap();
    let store = Store::open(keys.store(), master).unwrap();
    let admin = keys.admin_identity("ops");
    until("store and servers to agree", || {
        let stored = store.settings().ok()?;
        let mode = stored.set.get("zone_mode");
        let mode = mode.map_or("off".to_owned(), |it| it.value.to_string());
        let servers = stand.chain.links().map(|link| &link.server);
        let same = servers.iter().all(|server| {
            let view = server.control(&admin, &Request::get("/v1/settings")).json();
            let settings = view["settings"].as_array().unwrap();
            let own = settings
                .iter()
                .find(|it| it["name"] == "zone_mode")
                .unwrap();
            view["number"] == stored.number
                && view["taken"] == stored.number
                && own["value"] == mode.as_str()
        });
        same.then_some((stored.number, mode))
    })
}

/// Which program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    Page,
    /// The server through which the change is made,
    Primary,
    /// and the other one, which is only asked before.
    Replica,
}

impl Killed {
    fn kill(self, stand: &Stand) {
        match self {
            Self::Page => stand.page.process().kill(),
            Self::Primary => stand.chain.primary.server.process().kill(),
            Self::Replica => stand.chain.replica.server.process().kill(),
        };
    }

    fn restart(self, stand: &mut Stand) {
        match self {
            Self::Page => stand.page.restart(),
            Self::Primary => stand.chain.primary.server.restart(),
            Self::Replica => stand.chain.replica.server.restart(),
        }
    }
}

const PASSWORD: &str = "correct horse battery";

/// A stand with an operator, alice.
fn start(lines: &[&str]) -> Stand {
    let stand = Stand::start_with(Chain::builder().start(), lines);
    stand.page.add_user("alice", "operator", PASSWORD);
    stand
}

/// Alice, in a browser that sees both servers as they are agreed to be.
fn alice(stand: &Stand) -> (Browser, Agreed) {
    let alice = stand.page.browser(&stand.page.sign_in("alice", PASSWORD));
    let now = agreed(stand);
    until("the page to show the settings", || {
        let shown = alice.get("/zone-mode");
        let is_shown =
            hidden(shown.text(), "number") == now.0.to_string() && is_in(shown.text(), &now.1);
        is_shown.then_some(())
    });
    (alice, now)
}

/// Sends the form that switches zone mode to the other one, and what the settings are to be then. The
/// answer may never come.
fn ask(browser: &Browser, before: &Agreed) -> (JoinHandle<Response>, Agreed) {
    let after = (
        before.0 + 1,
        if before.1 == "on" { "off" } else { "on" }.to_owned(),
    );
    let shown = browser.get("/zone-mode");
    let hidden = ["token", "number"].map(|name| (name, hidden(shown.text(), name)));
    let fields = [&hidden[..], &[("mode", after.1.clone())]].concat();
    let (browser, form) = (browser.clone(), post("/zone-mode", &fields));
    (thread::spawn(move || browser.send(form)), after)
}

/// The moments of a change at which something is killed: each millisecond of it in a long run, and a few
/// of them otherwise.
fn moments(stand: &Stand) -> Vec<Duration> {
    let took = (0..3).map(|_| {
        let (alice, before) = alice(stand);
        let begun = Instant::now();
        let (asked, after) = ask(&alice, &before);
        leads_to(&asked.join().unwrap(), "/zone-mode");
        let took = begun.elapsed();
        assert_eq!(agreed(stand), after);
        took
    });
    let longest = took.max().unwrap();
    let step = if is_long() {
        Duration::from_millis(1)
    } else {
        longest / 5
    };
    let moments = (0..).map(|it| step * it);
    moments
        .take_while(|moment| *moment <= longest + step)
        .collect()
}

/// Kills it at moments of changes. Each is made or not, for all; and the fleet can be changed after it.
fn is_killed_at_any_moment(killed: Killed) {
    let mut stand = start(&[]);
    let (mut made, moments) = (0, moments(&stand));
    for moment in &moments {
        let (alice, before) = alice(&stand);
        let (asked, after) = ask(&alice, &before);
        // Nothing is waited for: this is the moment.
        thread::sleep(*moment);
        killed.kill(&stand);
        let answer = asked.join();
        killed.restart(&mut stand);
        let now = agreed(&stand);
        assert!(
            now == before || now == after,
            "{moment:?}: {before:?}, {now:?}"
        );
        made += usize::from(now == after);
        // Whoever was told that it was made, was told the truth.
        if killed != Killed::Page && now == before {
            let told = alice.get("/zone-mode");
            let says = format!("Zone mode is {}.", after.1);
            assert!(!told.text().contains(&says), "{answer:?}");
        }
    }
    let (last, before) = alice(&stand);
    let (asked, after) = ask(&last, &before);
    leads_to(&asked.join().unwrap(), "/zone-mode");
    assert_eq!(agreed(&stand), after);
    let count = moments.len();
    report(
        &format!("killed-{killed:?}"),
        &format!("{killed:?} was killed at {count} moments of a change: {made} were made\n"),
    );
}

#[test]
fn a_page_that_is_killed_at_any_moment_leaves_a_change_made_or_not_made_everywhere() {
    is_killed_at_any_moment(Killed::Page);
}

#[test]
fn a_server_that_is_killed_at_any_moment_of_a_change_made_through_it_agrees_with_the_other_after() {
    is_killed_at_any_moment(Killed::Primary);
}

#[test]
fn a_server_that_is_killed_at_any_moment_of_a_change_made_through_another_agrees_with_it_after() {
    is_killed_at_any_moment(Killed::Replica);
}

/// Has a change wait for the store between its validation and its commit, and kills that. Gives the
/// settings before it, those it is about, and those that there are since.
fn is_killed_before_the_commit(killed: Killed) -> [Agreed; 3] {
    let mut stand = start(&["answer_timeout = '500ms'"]);
    let (browser, before) = alice(&stand);
    let lock = Connection::open(stand.chain.keys.store()).unwrap();
    lock.execute_batch("begin immediate").unwrap();
    let (asked, after) = ask(&browser, &before);
    leads_to(&asked.join().unwrap(), "/zone-mode");
    let told = browser.get("/zone-mode");
    let says = "It is not known what became of it: ";
    assert!(told.text().contains(says), "{}", told.text());
    killed.kill(&stand);
    lock.execute_batch("rollback").unwrap();
    killed.restart(&mut stand);
    // It is made by a server that nobody waits for any more, or by none.
    if killed == Killed::Page {
        until("the change to be made", || {
            (agreed(&stand) == after).then_some(())
        });
    }
    let (_, now) = alice(&stand);
    [before, after, now]
}

#[test]
fn a_change_whose_page_is_killed_before_the_commit_is_made_by_the_server() {
    let [_, after, now] = is_killed_before_the_commit(Killed::Page);
    assert_eq!(now, after);
}

#[test]
fn a_change_whose_server_is_killed_before_the_commit_is_made_nowhere() {
    let [before, _, now] = is_killed_before_the_commit(Killed::Primary);
    assert_eq!(now, before);
}
