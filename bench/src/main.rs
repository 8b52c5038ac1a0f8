//! What pgseal costs. Figures are for reading and comparing, never for asserting: a run prints a
//! table, and what it says depends on the machine, but for instruction counts.

mod compare;
mod failover;
mod instructions;
mod micro;

use clap::{Parser, Subcommand};

/// Measures pgseal's programs on a real PostgreSQL. Build them in release mode first:
/// `cargo build --release --bins`, and run this from there: `target/release/pgseal-bench`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Count the instructions of connector and server for one more query, with valgrind.
    ///
    /// Nearly the same on a busy machine and an idle one: runs of one program differ by up to three
    /// percent. Each workload is run twice over the same time, with few queries and with many; the
    /// difference is the price of a query without that of starting, connecting and stopping. `--keep`
    /// keeps callgrind's files, for callgrind_annotate.
    Instructions {
        /// Keep callgrind's files in this directory.
        #[arg(long, value_name = "DIR")]
        keep: Option<std::path::PathBuf>,
        /// Queries of the run with many, beyond those of the other.
        #[arg(long, value_name = "N", default_value_t = 2000)]
        queries: u32,
    },
    /// Lose one of two servers, or of two replicas behind a server, under a hundred connects a second:
    /// killed, packets dropped, hung.
    ///
    /// Through pgseal, which chooses between them, and through HAProxy before the same two, with checks
    /// of a TCP connect three seconds and one second apart. Root only, with haproxy and iproute2: each is
    /// on a host of its own, which is a network namespace.
    Failover(failover::Options),
    /// Put the same loads on pgseal and on what would stand in its place, in slices taken in turns.
    ///
    /// Beside the direct way: HAProxy, a pair of HAProxy and a pair of stunnel with TLS 1.3 and
    /// certificates on both sides, PgBouncer. Loads: pgbench's select-only in three protocols, by 1, 8 and
    /// 32 clients, with a connection for each transaction, at half of what the slowest way takes; tpcb-like;
    /// 100,000 rows read and copied; 1,000 idle sessions. Tables show medians, the least and the most. The
    /// last line has pgseal's figures as ratios of each other's. Run it on a machine that has nothing else
    /// to do.
    Compare(compare::Options),
    /// Time the parts of the path of one value, each by itself on one core.
    Micro(micro::Options),
}

fn main() {
    match Arguments::parse().command {
        Command::Instructions { keep, queries } => instructions::run(keep.as_deref(), queries),
        Command::Failover(options) => failover::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Micro(options) => micro::run(&options),
    }
}
