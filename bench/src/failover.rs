//! What applications meet while one of two servers is lost, or one of two replicas behind a server:
//! through pgseal, which chooses between them, and through HAProxy before the same two.

mod figures;
mod stand;

use std::thread;
use std::time::{Duration, Instant};

use harness::raw::{Ended, Session};
use harness::{Connect, Then, connects, raise_file_limit};

use figures::{Lost, Row};
use stand::{Fault, Path, Replicas, Servers, Stand};

/// Between two connects.
const PACE: Duration = Duration::from_millis(10);

/// How much is done.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How often each fault is brought about on each way.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u32,
    /// How long is watched after each fault, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 22)]
    watch: u64,
    /// After how many seconds without an answer a connect has failed.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    limit: u64,
    /// What is lost, of what there are two; otherwise first the one and then the other.
    #[arg(long, value_name = "WHAT")]
    of: Option<Of>,
    /// Print JSON, with every round.
    #[arg(long)]
    json: bool,
}

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// A server before a database.
    Server,
    /// A replica behind a server.
    Replica,
}

/// Prints the table.
pub fn run(options: &Options) {
    // A connect that is not answered keeps its socket, and there are a hundred a second.
    raise_file_limit(10_000);
    let mut rows = Vec::new();
    if options.of != Some(Of::Replica) {
        rows.extend(lose_all(&mut Servers::start(), options));
    }
    if options.of != Some(Of::Server) {
        rows.extend(lose_all(&mut Replicas::start(), options));
    }
    match options.json {
        true => println!("{}", figures::json(&rows)),
        false => print!("{}", figures::table(&rows)),
    }
}

/// Each fault on each way, as often as wanted.
fn lose_all<S: Stand>(stand: &mut S, options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for fault in Fault::ALL {
        for path in Path::ALL {
            let mut rounds = Vec::new();
            for round in 1..=options.rounds {
                let of = options.rounds;
                eprintln!("{} {fault}, {path}: {round} of {of}", S::LOST);
                rounds.push(lose(stand, fault, path, options));
            }
            rows.push(Row {
                lost: S::LOST,
                fault,
                path,
                rounds,
            });
        }
    }
    rows
}

/// Loses one once, under connects and with a session on it, and brings it back.
fn lose(stand: &mut impl Stand, fault: Fault, path: Path, options: &Options) -> Lost {
    stand.wait_until_whole();
    let address = stand.address(path);
    let held = stand.session_on_lost(path);
    let (watch, limit) = (
        Duration::from_secs(options.watch),
        Duration::from_secs(options.limit),
    );
    held.set_timeout(watch);
    let mut begun = Instant::now();
    let mut ended = None;
    let connects = connects(address, Then::End, PACE, limit, || {
        let holding = thread::spawn(move || ends(held));
        begun = Instant::now();
        stand.bring(fault);
        thread::sleep((begun + watch).saturating_duration_since(Instant::now()));
        ended = holding.join().expect("reading does not panic");
    });
    stand.mend(fault);
    // Those that began before it did not meet it.
    let since = |connect: &&Connect| connect.begun + connect.took >= begun;
    let met: Vec<_> = connects.iter().filter(since).collect();
    let failed = met.iter().filter(|connect| connect.met.is_some());
    Lost {
        connects: met.len(),
        failed: failed.clone().count(),
        longest: met.iter().map(|it| it.took).max().unwrap_or_default(),
        failed_until: failed.map(|it| it.begun + it.took - begun).max(),
        session_ended: ended.map(|at: Instant| at.saturating_duration_since(begun)),
    }
}

/// When a session ends by itself, if it does within its timeout.
fn ends(mut session: Session) -> Option<Instant> {
    loop {
        match session.read() {
            Ok(_) => {}
            Err(Ended::Closed) => return Some(Instant::now()),
            Err(Ended::TimedOut) => return None,
        }
    }
}
