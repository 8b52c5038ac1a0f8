//! What was measured: tables of medians with the least and the most, and ratios within a round.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::idle;
use super::load::{Kind, Load};
use super::sealed;
use super::slice::{Slice, quantile};
use super::way::{DIRECT, PGSEAL, Way};

/// All slices, and the memory of idle sessions.
pub struct Figures {
    ways: Vec<&'static str>,
    rows: Vec<Row>,
    /// KiB for each session, by way.
    idle: Vec<(&'static str, f64)>,
    sealed: Vec<sealed::Row>,
}

/// A load on all ways.
struct Row {
    load: String,
    kind: Kind,
    /// By way, in the order of [`Figures::ways`], and by round.
    slices: Vec<Vec<Slice>>,
}

/// A figure of a slice.
type Measure = fn(&Row, &Slice) -> Option<f64>;

impl Figures {
    /// Without any slice yet.
    pub fn new(ways: &[Way]) -> Self {
        Self {
            ways: ways.iter().map(|way| way.name).collect(),
            rows: Vec::new(),
            idle: Vec::new(),
            sealed: Vec::new(),
        }
    }

    /// Takes in what a load has shown on a way.
    pub fn add(&mut self, load: &Load, way: &Way, slice: Slice) {
        let row = self.rows.iter().position(|row| row.load == load.name);
        let row = row.unwrap_or_else(|| {
            self.rows.push(Row {
                load: load.name.clone(),
                kind: load.kind,
                slices: vec![Vec::new(); self.ways.len()],
            });
            self.rows.len() - 1
        });
        let way = self.way(way.name);
        self.rows[row].slices[way].push(slice);
    }

    /// Takes in what an idle session takes on a way, in KiB.
    pub fn add_idle(&mut self, way: &Way, kibibytes: f64) {
        self.idle.push((way.name, kibibytes));
    }

    /// Takes in what results with sealed values have shown.
    pub fn add_sealed(&mut self, rows: Vec<sealed::Row>) {
        self.sealed.extend(rows);
    }

    fn way(&self, name: &str) -> usize {
        let way = self.ways.iter().position(|way| *way == name);
        way.unwrap_or_else(|| panic!("there is no way {name}"))
    }

    /// The tables, and the ratios in one last line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut part = |head: &str, table: String| {
            if !table.is_empty() {
                writeln!(text, "{head}\n\n{table}").expect("a text takes every line");
            }
        };
        part(
            "Processor time of the proxies, in seconds: of 100,000 transactions, of a GB where the load is `bulk`",
            self.table(cost, 2),
        );
        part(
            "Transactions or bytes a second, against `direct`",
            self.shares_of_direct(),
        );
        part("Median latency, in milliseconds", self.table(median, 3));
        part(
            "99th percentile of latency, in milliseconds",
            self.table(percentile, 3),
        );
        part(
            "Resident memory of the proxies for an idle session, in KiB",
            self.idle(),
        );
        if !self.sealed.is_empty() {
            part("Sealed values through pgseal", sealed::text(&self.sealed));
        }
        let ratios = self.ratios().into_iter();
        let ratios: Vec<_> = ratios
            .map(|(name, ratio)| format!("{name}={ratio:.3}"))
            .collect();
        writeln!(text, "{}", ratios.join(" ")).expect("a text takes every line");
        text
    }

    /// A line for each load that has such a figure, a column for each way, and what pgseal's is of each
    /// other's.
    fn table(&self, measure: Measure, digits: usize) -> String {
        let of = |row: &Row, way: usize| spread(row.measured(way, measure), digits);
        self.lines(measure, of)
    }

    fn shares_of_direct(&self) -> String {
        let direct = self.way(DIRECT);
        self.lines(rate, |row, way| spread(row.ratios(way, direct, rate), 2))
    }

    fn lines(&self, measure: Measure, cell: impl Fn(&Row, usize) -> String) -> String {
        let rows = self.rows.iter();
        let rows: Vec<_> = rows.filter(|row| row.has(measure)).collect();
        if rows.is_empty() {
            return String::new();
        }
        let mut text = format!("| load | {} |\n|---|", self.ways.join(" | "));
        text += &"---:|".repeat(self.ways.len());
        for row in rows {
            let cells: Vec<_> = (0..self.ways.len()).map(|way| cell(row, way)).collect();
            write!(text, "\n| {} | {} |", row.load, cells.join(" | ")).expect("it takes all");
        }
        text + "\n"
    }

    fn idle(&self) -> String {
        if self.idle.is_empty() {
            return String::new();
        }
        let names: Vec<_> = self.idle.iter().map(|(way, _)| *way).collect();
        let figures = self.idle.iter().map(|(_, figure)| format!("{figure:.1}"));
        format!(
            "| {} |\n|{}\n| {} |\n",
            names.join(" | "),
            "---:|".repeat(names.len()),
            figures.collect::<Vec<_>>().join(" | ")
        )
    }

    /// What pgseal's figure is of each other way's: `LOAD/WHAT/WAY`, the median of the rounds.
    fn ratios(&self) -> Vec<(String, f64)> {
        let measures: [(&str, Measure); 4] = [
            ("cpu", cost),
            ("rate", rate),
            ("p50", median),
            ("p99", percentile),
        ];
        let pgseal = self.way(PGSEAL);
        let mut ratios = Vec::new();
        for row in &self.rows {
            for (what, measure) in measures {
                for (way, name) in self.ways.iter().enumerate() {
                    let mut of = row.ratios(pgseal, way, measure);
                    if way != pgseal
                        && let Some(ratio) = quantile(&mut of, 0.5)
                    {
                        ratios.push((format!("{}/{what}/{name}", row.load), ratio));
                    }
                }
            }
        }
        let idle = self.idle.iter().find(|(way, _)| *way == PGSEAL);
        for (way, kibibytes) in &self.idle {
            if let Some((_, own)) = idle
                && *kibibytes > 0.0
                && *way != PGSEAL
            {
                ratios.push((format!("{}/memory/{way}", idle::NAME), own / kibibytes));
            }
        }
        ratios.extend(sealed::ratios(&self.sealed));
        ratios
    }

    /// All slices, and the ratios.
    pub fn json(&self) -> Value {
        let slice = |slice: &Slice| {
            json!({
                "done": slice.done,
                "seconds": slice.seconds,
                "cpu_seconds": slice.cpu,
                "latency_ms": slice.latency,
            })
        };
        let rows = self.rows.iter().map(|row| {
            let ways = self.ways.iter().zip(&row.slices);
            let ways = ways.map(|(way, slices)| {
                let slices: Vec<_> = slices.iter().map(slice).collect();
                ((*way).to_owned(), Value::from(slices))
            });
            (row.load.clone(), Value::Object(ways.collect()))
        });
        let pairs = |pairs: Vec<(String, f64)>| -> Value {
            Value::Object(
                pairs
                    .into_iter()
                    .map(|(name, it)| (name, json!(it)))
                    .collect(),
            )
        };
        let idle = self.idle.iter();
        json!({
            "loads": Value::Object(rows.collect()),
            "idle_kib": pairs(idle.map(|(way, it)| ((*way).to_owned(), *it)).collect()),
            "ratios": pairs(self.ratios()),
        })
    }
}

impl Row {
    fn has(&self, measure: Measure) -> bool {
        (0..self.slices.len()).any(|way| !self.measured(way, measure).is_empty())
    }

    fn measured(&self, way: usize, measure: Measure) -> Vec<f64> {
        let slices = self.slices[way].iter();
        slices.filter_map(|slice| measure(self, slice)).collect()
    }

    /// What this way's figure is of the other's, in each round.
    fn ratios(&self, way: usize, of: usize, measure: Measure) -> Vec<f64> {
        let rounds = self.slices[way].iter().zip(&self.slices[of]);
        let ratio = |(own, other)| Some(measure(self, own)? / measure(self, other)?);
        rounds
            .filter_map(ratio)
            .filter(|it| it.is_finite())
            .collect()
    }
}

/// Nothing, for a way without proxies.
fn cost(row: &Row, slice: &Slice) -> Option<f64> {
    let unit = match row.kind {
        Kind::Pgbench { .. } => 100_000.0,
        Kind::Bulk { .. } => 1e9,
    };
    (slice.cpu > 0.0).then(|| slice.cpu / slice.done * unit)
}

/// Nothing, where it is given.
fn rate(_: &Row, slice: &Slice) -> Option<f64> {
    let rate = slice.done / slice.seconds;
    slice.latency.is_none().then_some(rate)
}

fn median(_: &Row, slice: &Slice) -> Option<f64> {
    slice.latency.map(|[median, _]| median)
}

fn percentile(_: &Row, slice: &Slice) -> Option<f64> {
    slice.latency.map(|[_, percentile]| percentile)
}

/// `median [least–most]`.
pub fn spread(mut measured: Vec<f64>, digits: usize) -> String {
    let mut at = |share| quantile(&mut measured, share);
    match (at(0.5), at(0.0), at(1.0)) {
        (Some(median), Some(least), Some(most)) => {
            format!("{median:.digits$} [{least:.digits$}–{most:.digits$}]")
        }
        _ => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(done: f64, cpu: f64) -> Slice {
        Slice {
            done,
            seconds: 2.0,
            cpu,
            latency: None,
        }
    }

    fn figures() -> Figures {
        let slices = vec![
            vec![slice(1000.0, 0.0), slice(800.0, 0.0)],
            vec![slice(500.0, 0.02), slice(400.0, 0.02)],
            vec![slice(250.0, 0.005), slice(100.0, 0.01)],
        ];
        Figures {
            ways: vec![DIRECT, "other", PGSEAL],
            rows: vec![Row {
                load: "load".to_owned(),
                kind: Kind::Bulk { sql: "" },
                slices,
            }],
            idle: vec![(DIRECT, 0.0), ("other", 40.0), (PGSEAL, 30.0)],
            sealed: Vec::new(),
        }
    }

    #[test]
    fn ratios_are_those_of_each_round() {
        let ratios = figures().ratios();
        let of = |name: &str| {
            let found = ratios.iter().find(|(it, _)| it == name);
            found.map(|(_, ratio)| *ratio)
        };
        // 20,000 and 100,000 a unit, against 40,000 and 50,000.
        assert_eq!(of("load/cpu/other"), Some(2.0));
        assert_eq!(of("load/rate/direct"), Some(0.25));
        assert_eq!(of("load/cpu/direct"), None);
        assert_eq!(of("load/p50/other"), None);
        assert_eq!(of("idle/memory/other"), Some(0.75));
        assert_eq!(of("idle/memory/direct"), None);
    }

    #[test]
    fn the_last_line_has_all_ratios_and_no_table_is_empty() {
        let text = figures().text();
        let last = text.lines().last().unwrap_or_default();
        assert!(last.contains("load/cpu/other=2.000 "), "{last}");
        assert!(!text.contains("latency"), "{text}");
        assert!(
            text.contains("| 0.50 [0.50–0.50] | 0.25 [0.12–0.25] |"),
            "{text}"
        );
    }
}
