//! The day as an SVG: what servers did, how soon the balancer knew, and who got the sessions. Colours are
//! told apart by shape too, and follow the reader's light or dark.

use std::fmt::Write as _;
use std::time::Duration;

use pgseal_balancer::{Change, Policy};

use crate::run::{DAY, Run, SERVERS, SESSIONS};
use crate::seen::{Outage, Seen};
use crate::until_noticed;
use crate::until_up;
use crate::world::Fault;

pub(crate) fn draw(run: &Run) -> String {
    let mut svg = Svg::new("A simulated day of the balancer", 880.0);
    let title = format!(
        "A simulated day: {SERVERS} servers, {SESSIONS} sessions, {} faults, {} leaps of the clock, {} stalls",
        run.outages.len(),
        run.leaps.len(),
        run.stalls.len()
    );
    svg.text("title", LEFT, 28.0, "start", &title);
    servers_down(&mut svg, run);
    noticed(&mut svg, run);
    returned(&mut svg, run);
    shares(&mut svg, &run.seen[0]);
    svg.end()
}

pub(crate) fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Killed => "killed",
        Fault::Dropped => "packets dropped",
        Fault::Hung => "hung",
        Fault::Slow => "slow",
    }
}

pub(crate) fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::RoundRobin => "round-robin",
        Policy::LeastConnections => "least-connections",
        Policy::PeakEwma => "peak-ewma",
    }
}

const WIDTH: f64 = 960.0;
pub(crate) const LEFT: f64 = 56.0;
pub(crate) const RIGHT: f64 = 860.0;
/// Of the day, for what is averaged.
const BUCKETS: u32 = 144;

const STYLE: &str = "
.paper{fill:#ffffff}.title{font-weight:600;font-size:15px}.head{font-weight:600}
text{font:12px system-ui,sans-serif;fill:#1f2328}.small{font-size:11px;fill:#59636e}
.axis{stroke:#8c959f;fill:none}.bound{stroke:#8c959f;stroke-dasharray:5 4}
.truth{fill:#b6bfc9}.known{stroke:#0969da;fill:none;stroke-width:1.5}
.other{stroke:#9a6700;fill:none;stroke-width:1.5;stroke-dasharray:2 3}
.killed{fill:#cf222e}.dropped{fill:#0969da}.hung{fill:#9a6700}.stall{fill:#8c959f;opacity:.35}
.bar{fill:#0969da;opacity:.75}.due{stroke:#1f2328;stroke-width:2}
@media (prefers-color-scheme:dark){
.paper{fill:#0d1117}text{fill:#e6edf3}.small{fill:#9198a1}
.truth{fill:#3d444d}.known{stroke:#58a6ff}.other{stroke:#e3b341}
.killed{fill:#ff7b72}.dropped{fill:#58a6ff}.hung{fill:#e3b341}
.bar{fill:#58a6ff}.due{stroke:#e6edf3}}
";

pub(crate) struct Svg(String);

impl Svg {
    pub(crate) fn new(title: &str, height: f64) -> Self {
        let mut svg = Self(String::new());
        svg.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">"
        ));
        svg.add(format_args!("<title>{title}</title><style>{STYLE}</style>"));
        svg.add(format_args!(
            "<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>"
        ));
        svg
    }

    pub(crate) fn end(self) -> String {
        self.0 + "</svg>\n"
    }

    fn add(&mut self, what: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{what}").unwrap();
    }

    pub(crate) fn text(&mut self, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.add(format_args!(
            "<path class=\"{class}\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    pub(crate) fn path(&mut self, class: &str, points: &[(f64, f64)], close: &str) {
        let mut d = String::new();
        for (n, (x, y)) in points.iter().enumerate() {
            write!(d, "{}{x:.1} {y:.1}", if n == 0 { 'M' } else { 'L' }).unwrap();
        }
        self.add(format_args!("<path class=\"{class}\" d=\"{d}{close}\"/>"));
    }

    /// A circle, a square or a triangle, by what the fault was.
    fn mark(&mut self, fault: Fault, x: f64, y: f64) {
        match fault {
            Fault::Killed => self.add(format_args!(
                "<circle class=\"killed\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"
            )),
            Fault::Dropped => self.add(format_args!(
                "<path class=\"dropped\" d=\"M{:.1} {:.1}h4.6v4.6h-4.6z\"/>",
                x - 2.3,
                y - 2.3
            )),
            Fault::Hung | Fault::Slow => self.add(format_args!(
                "<path class=\"hung\" d=\"M{x:.1} {:.1}l3 5.4h-6z\"/>",
                y - 3.0
            )),
        }
    }
}

/// A panel with the day from left to right, or what else fills it.
pub(crate) struct Panel {
    top: f64,
    bottom: f64,
    most: f64,
}

impl Panel {
    pub(crate) fn new(
        svg: &mut Svg,
        (top, bottom): (f64, f64),
        head: &str,
        (most, step): (f64, f64),
    ) -> Self {
        let panel = Self { top, bottom, most };
        svg.text("head", LEFT, top - 12.0, "start", head);
        svg.path("axis", &[(LEFT, top), (LEFT, bottom), (RIGHT, bottom)], "");
        let mut value = 0.0;
        while value <= most {
            svg.text(
                "small",
                LEFT - 6.0,
                panel.y(value) + 4.0,
                "end",
                &format!("{value}"),
            );
            value += step;
        }
        panel
    }

    pub(crate) fn y(&self, value: f64) -> f64 {
        let part = (value / self.most).min(1.0);
        self.bottom - part * (self.bottom - self.top)
    }

    fn hours(&self, svg: &mut Svg) {
        for hour in (0..=24).step_by(3) {
            let x = x(Duration::from_secs(hour * 3600));
            svg.text(
                "small",
                x,
                self.bottom + 15.0,
                "middle",
                &format!("{hour}:00"),
            );
        }
    }

    fn bound(&self, svg: &mut Svg, value: Duration, text: &str) {
        let y = self.y(value.as_secs_f64());
        svg.line("bound", (LEFT, y), (RIGHT, y));
        svg.text("small", RIGHT + 6.0, y + 4.0, "start", text);
    }
}

fn x(time: Duration) -> f64 {
    LEFT + (RIGHT - LEFT) * time.as_secs_f64() / DAY.as_secs_f64()
}

fn servers_down(svg: &mut Svg, run: &Run) {
    let head = "Servers that did not answer (grey), and were down to the balancer (line); mean of ten minutes";
    let panel = Panel::new(svg, (76.0, 196.0), head, (4.0, 1.0));
    let hard = || run.outages.iter().filter(|o| o.fault.is_hard());
    let truth = averaged(hard().map(|o| (o.began, o.ended.unwrap_or(DAY))));
    let known = averaged(downs(run).into_iter());
    let points = |values: &[f64]| -> Vec<_> {
        let middle = |n: usize| DAY * (2 * u32::try_from(n).unwrap() + 1) / (2 * BUCKETS);
        let point = |(n, value): (usize, &f64)| (x(middle(n)), panel.y(*value));
        values.iter().enumerate().map(point).collect()
    };
    let mut area = points(&truth);
    area.push((RIGHT, panel.bottom));
    area.push((LEFT, panel.bottom));
    svg.path("truth", &area, "Z");
    svg.path("known", &points(&known), "");
    panel.hours(svg);
}

/// From each event that said down to the next that said up.
fn downs(run: &Run) -> Vec<(Duration, Duration)> {
    let mut since = vec![None; SERVERS];
    let mut spans = Vec::new();
    for (when, server, change) in &run.events {
        match change {
            Change::Down { .. } => since[*server] = Some(*when),
            Change::Up => spans.extend(since[*server].take().map(|from| (from, *when))),
            _ => {}
        }
    }
    spans
}

/// How many spans there were at a time, bucket by bucket.
fn averaged(spans: impl Iterator<Item = (Duration, Duration)>) -> Vec<f64> {
    let width = DAY / BUCKETS;
    let mut sums = vec![Duration::ZERO; BUCKETS as usize];
    for (from, to) in spans {
        for (sum, n) in sums.iter_mut().zip(0..) {
            let (begin, end) = (width * n, width * (n + 1));
            *sum += to.min(end).saturating_sub(from.max(begin));
        }
    }
    let width = width.as_secs_f64();
    sums.iter().map(|sum| sum.as_secs_f64() / width).collect()
}

fn noticed(svg: &mut Svg, run: &Run) {
    let head = "Seconds from a fault until it was down (dashed: promised)";
    let panel = Panel::new(svg, (252.0, 412.0), head, (3.5, 1.0));
    legend(svg, panel.top - 12.0);
    stalls(svg, run, &panel);
    panel.bound(svg, until_noticed(Fault::Hung), "dropped, hung");
    panel.bound(svg, until_noticed(Fault::Killed), "killed");
    let time =
        |outage: &Outage| Some((outage.noticed?, run.running(outage.began, outage.noticed?)));
    marks(svg, run, &panel, time);
    panel.hours(svg);
}

fn returned(svg: &mut Svg, run: &Run) {
    let head = "Seconds from its return until it was up (dashed: promised)";
    let panel = Panel::new(svg, (468.0, 588.0), head, (2.0, 1.0));
    stalls(svg, run, &panel);
    panel.bound(svg, until_up(), "all");
    let time = |outage: &Outage| {
        let from = outage.ended?.max(outage.noticed?);
        Some((outage.back?, run.running(from, outage.back?)))
    };
    marks(svg, run, &panel, time);
    panel.hours(svg);
}

fn marks(
    svg: &mut Svg,
    run: &Run,
    panel: &Panel,
    time: impl Fn(&Outage) -> Option<(Duration, Duration)>,
) {
    for outage in &run.outages {
        if let Some((when, took)) = time(outage).filter(|(when, _)| *when <= DAY) {
            svg.mark(outage.fault, x(when), panel.y(took.as_secs_f64()));
        }
    }
}

/// When nobody ran, which is not counted; a minute is less than a pixel, so each is at least that.
fn stalls(svg: &mut Svg, run: &Run, panel: &Panel) {
    for (when, _) in &run.stalls {
        svg.add(format_args!(
            "<rect class=\"stall\" x=\"{:.1}\" y=\"{}\" width=\"1.5\" height=\"{}\"/>",
            x(*when),
            panel.top,
            panel.bottom - panel.top
        ));
    }
}

fn legend(svg: &mut Svg, y: f64) {
    let mut x = 484.0;
    for fault in [Fault::Killed, Fault::Dropped, Fault::Hung] {
        svg.mark(fault, x, y - 4.0);
        svg.text("small", x + 8.0, y, "start", name(fault));
        x += if fault == Fault::Dropped { 110.0 } else { 60.0 };
    }
    svg.add(format_args!(
        "<rect class=\"stall\" x=\"{x}\" y=\"{}\" width=\"1.5\" height=\"10\"/>",
        y - 9.0
    ));
    svg.text("small", x + 8.0, y, "start", "nobody ran, not counted");
}

fn shares(svg: &mut Svg, seen: &Seen) {
    let head = "Sessions by round-robin for each server (bars), and what weight and health make of it (lines)";
    let panel = Panel::new(svg, (644.0, 824.0), head, (1600.0, 400.0));
    let slot = (RIGHT - LEFT) / SERVERS as f64;
    for (n, (sessions, fair)) in seen.sessions.iter().zip(&seen.fair).enumerate() {
        let left = LEFT + slot * n as f64;
        let top = panel.y(*sessions as f64);
        svg.add(format_args!(
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            left + 3.0,
            slot - 6.0,
            panel.bottom - top
        ));
        let due = panel.y(*fair);
        svg.line("due", (left + 1.0, due), (left + slot - 1.0, due));
        if (n + 1) % 5 == 0 || n == 0 {
            let number = format!("{}", n + 1);
            let middle = left + slot / 2.0;
            svg.text("small", middle, panel.bottom + 15.0, "middle", &number);
        }
    }
    let foot = "server, of weights 1, 2, 4, 1, 2, 4 and so on";
    svg.text(
        "small",
        (LEFT + RIGHT) / 2.0,
        panel.bottom + 34.0,
        "middle",
        foot,
    );
}
