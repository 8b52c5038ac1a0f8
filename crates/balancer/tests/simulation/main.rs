//! A day of fifty servers and a hundred thousand sessions, with servers that die, vanish, hang and slow
//! down, and a clock that leaps: what the balancer promises is asserted of it, and what it was is drawn
//! into docs/balancer-simulation.svg. What more servers bring is modelled in `growth`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agenda;
mod growth;
mod plot;
mod run;
mod seen;
mod world;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;
use std::{env, fs};

use pgseal_balancer::{Change, Policy};

use crate::run::{CHECKS, LISTENERS, Run, SERVERS, SESSIONS};
use crate::seen::{Outage, Seen};
use crate::world::Fault;

/// The day that is drawn, and with `PGSEAL_TEST_LONG=1` others.
static DAYS: LazyLock<Vec<Run>> = LazyLock::new(|| {
    let days = if env::var_os("PGSEAL_TEST_LONG").is_some() {
        20
    } else {
        1
    };
    let day = |seed| {
        let mut run = Run::new(seed);
        run.through_the_day();
        run
    };
    (SEED..SEED + days).map(day).collect()
});

const SEED: u64 = 20_261_122;

/// What an answer takes at most, of a server that is not slow.
const ANSWER: Duration = Duration::from_millis(5);

/// From a fault to the last check that it takes to be sure.
fn until_noticed(fault: Fault) -> Duration {
    let more = CHECKS.fall - 1;
    match fault {
        Fault::Killed => CHECKS.interval + CHECKS.down_interval * more + ANSWER * CHECKS.fall,
        Fault::Dropped | Fault::Hung => {
            CHECKS.interval + CHECKS.timeout + CHECKS.timeout.max(CHECKS.down_interval) * more
        }
        Fault::Slow => unreachable!("it answers in time"),
    }
}

/// From its return to being up: a check that it did not answer may still be waited for.
fn until_up() -> Duration {
    CHECKS.timeout + CHECKS.down_interval * CHECKS.rise + ANSWER
}

fn hard(day: &Run) -> impl Iterator<Item = &Outage> {
    day.outages.iter().filter(|outage| outage.fault.is_hard())
}

#[test]
fn every_server_that_does_not_answer_is_down_in_time() {
    for day in &*DAYS {
        let mut noticed = 0;
        for outage in hard(day) {
            let bound = until_noticed(outage.fault);
            let lasted = day.running(outage.began, outage.ended.unwrap());
            match outage.noticed {
                Some(when) => assert!(day.running(outage.began, when) <= bound, "{outage:?}"),
                None => assert!(lasted <= bound, "{outage:?}"),
            }
            noticed += u32::from(outage.noticed.is_some());
        }
        assert!(
            noticed > 500,
            "{noticed}: the day was too quiet to prove anything"
        );
    }
}

#[test]
fn no_server_is_down_that_answers_however_slow_it_is_and_however_the_clock_leaps() {
    for day in &*DAYS {
        for (when, server, change) in &day.events {
            if let Change::Down { .. } = change {
                let mut before = day.outages.iter().filter(|o| o.server == *server);
                let outage = before.rfind(|o| o.began <= *when);
                let outage = outage.expect("never had a fault");
                assert!(outage.fault.is_hard(), "{outage:?} {when:?}");
                // What was asked before its return may have failed after it.
                let over = day.running(outage.ended.unwrap(), *when);
                assert!(over <= CHECKS.timeout, "{outage:?} {when:?}");
            }
        }
        assert!(day.leaps.len() > 50 && day.stalls.len() > 20);
    }
}

#[test]
fn a_server_that_is_back_is_up_in_time_and_has_its_share_again_within_two_rounds() {
    for day in &*DAYS {
        let sum: u32 = day.world.servers.iter().map(|s| s.weight).sum();
        for outage in hard(day) {
            let (Some(noticed), Some(back)) = (outage.noticed, outage.back) else {
                assert!(outage.noticed.is_none(), "never came back: {outage:?}");
                continue;
            };
            let from = outage.ended.unwrap().max(noticed);
            assert!(day.running(from, back) <= until_up(), "{outage:?}");
            let round = sum / day.world.servers[outage.server].weight;
            assert!(outage.turns_missed <= 2 * u64::from(round), "{outage:?}");
        }
    }
}

#[test]
fn a_fault_and_its_end_are_one_change_each() {
    for day in &*DAYS {
        let count = |wanted: fn(&Change) -> bool| {
            let all = day.events.iter().filter(|(_, _, change)| wanted(change));
            all.count()
        };
        let noticed = hard(day).filter(|o| o.noticed.is_some()).count();
        assert_eq!(count(|c| matches!(c, Change::Down { .. })), noticed);
        assert_eq!(count(|c| matches!(c, Change::Up)), noticed + SERVERS);
    }
}

#[test]
fn every_session_gets_a_server_and_waits_for_no_more_than_the_dead_that_are_not_known_yet() {
    for day in &*DAYS {
        let mut connected = 0;
        for (seen, (target, _, _)) in day.seen.iter().zip(LISTENERS) {
            connected += seen.connected;
            assert_eq!(seen.gave_up, 0, "{target:?}");
            if target == pgseal_balancer::Target::Any {
                let longest = seen.waits.iter().max().unwrap();
                assert!(
                    *longest < 2 * run::CONNECT_TIMEOUT + CHECKS.timeout,
                    "{longest:?}"
                );
            }
            let share = seen.failed_attempts as f64 / seen.connected as f64;
            assert!(share < 0.002, "{target:?}: {share}");
        }
        assert_eq!(connected, SESSIONS);
    }
}

#[test]
fn shares_follow_weights() {
    for day in &*DAYS {
        let within = |policy: Policy, bound: f64| {
            for (n, share) in seen(day, policy).shares().enumerate() {
                let name = &day.world.servers[n].name;
                assert!((share - 1.0).abs() < bound, "{policy:?} {name}: {share}");
            }
        };
        within(Policy::RoundRobin, 0.02);
        // It evens out what is open at a time, of all listeners: a server that is the primary for long has
        // writers enough.
        within(Policy::LeastConnections, 0.5);
        // It prefers the quicker, which are up to four times as quick, and starves nobody. Of two that are
        // drawn, none gets more than twice its share.
        within(Policy::PeakEwma, 0.75);
    }
}

#[test]
fn peak_ewma_keeps_away_from_slow_servers() {
    for day in &*DAYS {
        let preference = |policy| seen(day, policy).slow as f64 / seen(day, policy).fair_slow;
        assert!((preference(Policy::RoundRobin) - 1.0).abs() < 0.1);
        assert!(preference(Policy::PeakEwma) < 0.33);
    }
}

#[test]
fn each_primary_that_was_replaced_is_told_of_when_it_comes_back_and_gets_no_session() {
    for day in &*DAYS {
        // That it gets none is asserted with each session of the run.
        let told = |(_, _, change): &&_| matches!(change, Change::Conflict { .. });
        let told = day.events.iter().filter(told).count();
        let promotions = usize::try_from(day.world.timeline - 1).unwrap();
        assert!(promotions >= 10, "{promotions}");
        // One that was away for a stall may have learned of it before it was asked.
        assert!(
            (promotions - 3..=promotions).contains(&told),
            "{told} of {promotions}"
        );
    }
}

/// With `PGSEAL_UPDATE_DOCS=1` both are brought up to date instead.
#[test]
fn the_plot_and_the_figures_in_docs_are_those_of_the_run() {
    let day = &DAYS[0];
    holds("balancer-simulation.svg", |_| plot::draw(day));
    holds("balancing.md", |page| {
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        format!("{before}{BEGIN}{}{END}{after}", figures(day))
    });
}

const BEGIN: &str =
    "<!-- figures of the simulation, made by crates/balancer/tests/simulation -->\n\n";
const END: &str = "\n<!-- end of the figures -->";

fn holds(name: &str, expected: impl FnOnce(&str) -> String) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    let page = fs::read_to_string(&path).unwrap_or_default();
    let expected = expected(&page);
    if env::var_os("PGSEAL_UPDATE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    assert!(
        page == expected,
        "{} is out of date; run: PGSEAL_UPDATE_DOCS=1 cargo test -p pgseal-balancer --test simulation",
        path.display()
    );
}

fn seen(day: &Run, policy: Policy) -> &Seen {
    let place = LISTENERS.iter().position(|(_, p, _)| *p == policy);
    &day.seen[place.unwrap()]
}

fn figures(day: &Run) -> String {
    let mut text = String::from(
        "| what happened to a server | times | down after, seconds: median | longest | promised | \
         up again after: longest | promised |\n|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for fault in [Fault::Killed, Fault::Dropped, Fault::Hung] {
        let of = || hard(day).filter(move |o| o.fault == fault);
        let mut noticed: Vec<_> = of()
            .filter_map(|o| Some(day.running(o.began, o.noticed?)))
            .collect();
        noticed.sort();
        let back = of()
            .filter_map(|o| Some(day.running(o.ended?.max(o.noticed?), o.back?)))
            .max();
        text += &format!(
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |\n",
            plot::name(fault),
            of().count(),
            noticed[noticed.len() / 2].as_secs_f64(),
            noticed[noticed.len() - 1].as_secs_f64(),
            until_noticed(fault).as_secs_f64(),
            back.unwrap().as_secs_f64(),
            until_up().as_secs_f64(),
        );
    }
    text += "\n| policy | sessions | connects that failed and went on to the next | \
             least and most, against weight | share of slow servers, against weight |\n\
             |---|---:|---:|---:|---:|\n";
    for policy in [
        Policy::RoundRobin,
        Policy::LeastConnections,
        Policy::PeakEwma,
    ] {
        let seen = seen(day, policy);
        let least = seen.shares().fold(f64::INFINITY, f64::min);
        let most = seen.shares().fold(0.0, f64::max);
        text += &format!(
            "| `{}` | {} | {} | {least:.2} – {most:.2} | {:.2} |\n",
            plot::policy(policy),
            seen.connected,
            seen.failed_attempts,
            seen.slow as f64 / seen.fair_slow
        );
    }
    text
}
