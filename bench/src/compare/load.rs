//! The loads: pgbench's own, and results of many rows.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use harness::raw::message;
use harness::{Program, TestDir, installed};

use super::bulk;
use super::slice::{Slice, processor_time, quantile};
use super::way::Way;

/// A load.
pub struct Load {
    /// As the tables have it.
    pub name: String,
    /// What it does, and what its cost is a cost of.
    pub kind: Kind,
}

/// What a load does.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A script of pgbench's own.
    Pgbench {
        script: &'static str,
        protocol: &'static str,
        clients: u32,
        /// A connection for each transaction.
        connects: bool,
        /// Transactions a second, where not as many as can be.
        rate: Option<u32>,
    },
    /// A statement with a long result, again and again.
    Bulk { sql: &'static str },
}

const SELECT: &str = "select-only";
const TPCB: &str = "tpcb-like";

/// How many thousand accounts a client's transaction finds its own among, times a hundred.
const SCALE: &str = "--scale=10";

impl Load {
    /// All of them. The fixed rate is half of what the slowest way takes.
    pub fn all(ways: &[Way]) -> Vec<Self> {
        let mut loads = Vec::new();
        for clients in [1, 8, 32] {
            for protocol in ["simple", "extended", "prepared"] {
                loads.push(pgbench("select", SELECT, protocol, clients));
            }
        }
        loads.push(pgbench("tpcb", TPCB, "simple", 8));
        loads.push(Self {
            name: "connects-8".to_owned(),
            kind: Kind::Pgbench {
                script: SELECT,
                protocol: "simple",
                clients: 8,
                connects: true,
                rate: None,
            },
        });
        let bulk = |name: &str, sql| Self {
            name: name.to_owned(),
            kind: Kind::Bulk { sql },
        };
        loads.push(bulk("bulk-rows", "select * from bulk"));
        loads.push(bulk("bulk-copy", "copy bulk to stdout"));
        let fastest = pgbench("", SELECT, "prepared", 8);
        let rates = ways.iter().map(|way| {
            let slice = fastest.put_on(way, 1);
            slice.done / slice.seconds
        });
        let slowest = rates.fold(f64::INFINITY, f64::min);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "transactions a second, of one machine"
        )]
        let half = (slowest / 2.0) as u32;
        eprintln!("half of what the slowest way takes: {half} transactions a second");
        loads.push(Self {
            name: "latency-8".to_owned(),
            kind: Kind::Pgbench {
                script: SELECT,
                protocol: "prepared",
                clients: 8,
                connects: false,
                rate: Some(half),
            },
        });
        loads
    }

    /// Puts it on a way for this long.
    pub fn put_on(&self, way: &Way, seconds: u32) -> Slice {
        let before = processor_time(&way.processes);
        let mut slice = match self.kind {
            Kind::Bulk { sql } => {
                let time = Duration::from_secs(seconds.into());
                let bulk = bulk::ask(way.port, &message::query(sql), time);
                Slice {
                    done: bulk.bytes,
                    seconds: bulk.seconds,
                    cpu: 0.0,
                    latency: None,
                }
            }
            Kind::Pgbench { .. } => self.pgbench(way, seconds),
        };
        slice.cpu = processor_time(&way.processes) - before;
        slice
    }

    fn pgbench(&self, way: &Way, seconds: u32) -> Slice {
        let Kind::Pgbench {
            script,
            protocol,
            clients,
            connects,
            rate,
        } = self.kind
        else {
            unreachable!("asked of pgbench's loads alone");
        };
        let dir = TestDir::new("pgbench");
        let mut program = client(way.port)
            .arg(format!("--builtin={script}"))
            .arg(format!("--protocol={protocol}"))
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={}", clients.min(2)))
            .arg(format!("--time={seconds}"))
            .args(["--no-vacuum", SCALE])
            .limit(Duration::from_secs(60) + Duration::from_secs(seconds.into()));
        if connects {
            program = program.arg("--connect");
        }
        if let Some(rate) = rate {
            let prefix = dir.join("log");
            program = program
                .arg(format!("--rate={rate}"))
                .arg("--log")
                .arg(format!("--log-prefix={}", prefix.display()));
        }
        let said = program.run().success();
        let done = after(&said, "number of transactions actually processed: ");
        Slice {
            done,
            seconds: done / after(&said, "tps = "),
            cpu: 0.0,
            latency: rate.map(|_| latency(&dir)),
        }
    }
}

fn pgbench(what: &str, script: &'static str, protocol: &'static str, clients: u32) -> Load {
    Load {
        name: format!("{what}-{protocol}-{clients}"),
        kind: Kind::Pgbench {
            script,
            protocol,
            clients,
            connects: false,
            rate: None,
        },
    }
}

/// Fills the database that listens on this port.
pub fn prepare(port: u16) {
    let rows = client(port).args(["--initialize", "--init-steps=dtgvp", "--quiet", SCALE]);
    rows.limit(Duration::from_secs(120)).run().success();
    let mut sql = String::new();
    write!(
        sql,
        "create table bulk as select id, repeat('x', 200) as filler from generate_series(1, {}) id;
         vacuum analyze bulk; checkpoint",
        bulk::ROWS
    )
    .expect("a text takes every line");
    for statement in sql.split(';') {
        harness::psql(&harness::Address::local(port).conninfo(), ["-c", statement]).success();
    }
}

fn client(port: u16) -> Program {
    installed("pgbench").env("PGSSLMODE", "disable").args([
        "--host=127.0.0.1".to_owned(),
        format!("--port={port}"),
        "--username=postgres".to_owned(),
        "postgres".to_owned(),
    ])
}

/// The number that stands behind these words.
fn after(said: &str, words: &str) -> f64 {
    let found = said.lines().find_map(|line| line.strip_prefix(words));
    let number = found.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("pgbench says no '{words}': {said}"))
}

/// The median and the 99th percentile of what it has logged, in milliseconds, without what transactions
/// waited for the one before.
fn latency(dir: &TestDir) -> [f64; 2] {
    let files = fs::read_dir(dir.path()).expect("a directory of our own");
    let logs = files.flatten().map(|file| file.path());
    let logs = logs.filter_map(|path| fs::read_to_string(path).ok());
    let mut took = Vec::new();
    for log in logs {
        took.extend(log.lines().filter_map(service));
    }
    let mut of = |share| quantile(&mut took, share).unwrap_or(f64::NAN);
    [of(0.5), of(0.99)]
}

/// Of a line of the log: client, number, time, script, second, microsecond, lag.
fn service(line: &str) -> Option<f64> {
    let fields: Vec<_> = line.split(' ').collect();
    let [_, _, time, _, _, _, lag] = fields[..] else {
        return None;
    };
    let (time, lag): (f64, f64) = (time.parse().ok()?, lag.parse().ok()?);
    Some((time - lag) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_says_is_read() {
        let said = "number of transactions actually processed: 200\ntps = 12.5 (including all)\n";
        assert_eq!(after(said, "tps = "), 12.5);
        assert_eq!(
            after(said, "number of transactions actually processed: "),
            200.0
        );
        assert_eq!(service("0 7 1500 0 1700000000 12 300"), Some(1.2));
        assert_eq!(service("progress"), None);
    }
}
