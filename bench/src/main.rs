//! What pgseal costs. Figures are for reading and comparing, never for asserting: a run prints a
//! table, and what it says depends on the machine, but for instruction counts.

mod failover;
mod instructions;

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
}

fn main() {
    match Arguments::parse().command {
        Command::Instructions { keep, queries } => instructions::run(keep.as_deref(), queries),
        Command::Failover(options) => failover::run(&options),
    }
}
