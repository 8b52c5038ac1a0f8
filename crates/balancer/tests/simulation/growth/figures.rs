//! What growing is asserted to bring, told in figures and drawn.

use std::sync::LazyLock;

use pgseal_balancer::Policy;

use super::{CONNECTORS, Growth, SERVERS, SESSIONS, grow};
use crate::plot::{self, LEFT, Panel, RIGHT, Svg};

static ALL: LazyLock<Vec<Growth>> = LazyLock::new(|| {
    let policies = [Policy::RoundRobin, Policy::PeakEwma];
    let each = policies
        .into_iter()
        .flat_map(|policy| SERVERS.map(|servers| (servers, policy)));
    each.map(|(servers, policy)| grow(servers, policy))
        .collect()
});

#[test]
fn many_servers_are_worth_nearly_as_many() {
    for growth in &*ALL {
        let worth = growth.worth() / growth.servers as f64;
        assert!(
            worth > 0.75,
            "{} {:?}: {worth}",
            growth.servers,
            growth.policy
        );
    }
}

#[test]
fn when_one_of_many_is_killed_its_sessions_are_spread_over_the_others_and_none_waits() {
    for growth in ALL.iter().filter(|growth| growth.servers > 1) {
        assert_eq!(growth.waited, 0, "{} {:?}", growth.servers, growth.policy);
        let strain = growth.strain_without().unwrap();
        assert!(
            strain < 1.3,
            "{} {:?}: {strain}",
            growth.servers,
            growth.policy
        );
    }
}

#[test]
fn a_server_that_is_back_has_its_share_again_before_all_older_sessions_have_ended() {
    for growth in ALL.iter().filter(|growth| growth.servers > 1) {
        let returned = growth.returned.expect("it never had its share again");
        assert!(
            returned < super::LASTS.end,
            "{} {:?}: {returned:?}",
            growth.servers,
            growth.policy
        );
    }
}

/// With `PGSEAL_UPDATE_DOCS=1` both are brought up to date instead.
#[test]
fn the_plot_and_the_table_in_docs_are_those_of_the_model() {
    crate::holds("balancer-growth.svg", |_| draw());
    crate::holds("balancing.md", |page| {
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        format!("{before}{BEGIN}{}{END}{after}", table())
    });
}

const BEGIN: &str =
    "<!-- figures of growth, made by crates/balancer/tests/simulation/growth -->\n\n";
const END: &str = "\n<!-- end of the figures of growth -->";

fn table() -> String {
    let mut text = String::from(
        "| servers | policy | sessions of each | worth as many servers, evenly used, as | one is killed: connects \
         that failed and went on | most on one of the others, against an even share | back with nine tenths of \
         its share after, seconds |\n|---:|---|---:|---:|---:|---:|---:|\n",
    );
    for growth in &*ALL {
        let strain = growth
            .strain_without()
            .map_or(String::from("none is left"), |strain| {
                format!("{strain:.2}")
            });
        let returned = growth.returned.filter(|_| growth.servers > 1);
        let returned = returned.map_or(String::from("–"), |time| {
            format!("{:.0}", time.as_secs_f64())
        });
        text += &format!(
            "| {} | `{}` | {} – {} | {:.1} | {} | {strain} | {returned} |\n",
            growth.servers,
            plot::policy(growth.policy),
            growth.least,
            growth.most,
            growth.worth(),
            growth.failed,
        );
    }
    text
}

fn draw() -> String {
    let mut svg = Svg::new("Servers, and what they are worth", 360.0);
    let title = format!(
        "A model: {SESSIONS} sessions of {CONNECTORS} connectors that know nothing of each other"
    );
    svg.text("title", LEFT, 28.0, "start", &title);
    let head =
        "So many servers, evenly used, would do the same, by how many there are (dashed: as many)";
    let most = SERVERS[SERVERS.len() - 1] as f64;
    let panel = Panel::new(&mut svg, (76.0, 310.0), head, (most, 20.0));
    let x = |servers: f64| LEFT + (RIGHT - LEFT) * servers / most;
    svg.line("bound", (x(0.0), panel.y(0.0)), (x(most), panel.y(most)));
    svg.text("small", RIGHT + 6.0, panel.y(most), "start", "as many");
    for (policy, class) in [(Policy::RoundRobin, "known"), (Policy::PeakEwma, "other")] {
        let of = ALL.iter().filter(|growth| growth.policy == policy);
        let points: Vec<_> = of
            .map(|growth| (x(growth.servers as f64), panel.y(growth.worth())))
            .collect();
        svg.path(class, &points, "");
    }
    // The two are hardly told apart.
    let last = panel.y(ALL[SERVERS.len() - 1].worth());
    svg.text("small", RIGHT + 6.0, last + 12.0, "start", "either policy");
    for servers in SERVERS {
        svg.text(
            "small",
            x(servers as f64),
            325.0,
            "middle",
            &servers.to_string(),
        );
    }
    svg.text("small", (LEFT + RIGHT) / 2.0, 344.0, "middle", "servers");
    svg.end()
}
