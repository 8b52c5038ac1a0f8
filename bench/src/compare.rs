//! What the chain costs beside what would stand in its place: the same loads on each way to one database,
//! in slices that are taken in turns, so that what the machine does besides falls on all alike.

mod bulk;
mod figures;
mod idle;
mod load;
mod sealed;
mod slice;
mod way;

use harness::{Keys, Settings, raise_file_limit};

use figures::Figures;
use load::Load;
use way::Way;

/// How much is done.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How often each load is put on each way.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u32,
    /// How long each time, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    slice: u32,
    /// Each load once, for a second: to see that all works. Figures say little then.
    #[arg(long, conflicts_with_all = ["rounds", "slice"])]
    quick: bool,
    /// Loads whose names contain this, and no others.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Print JSON, with every slice.
    #[arg(long)]
    json: bool,
}

/// Sessions of what is measured beyond a few, at most: of idle ones.
const SESSIONS: u32 = 1000;

/// Prints the tables.
pub fn run(options: &Options) {
    // An idle session takes two descriptors of this process and of each proxy.
    raise_file_limit(10_000);
    let (rounds, seconds) = if options.quick {
        (1, 1)
    } else {
        (options.rounds, options.slice)
    };
    let database = Settings::new()
        .line("shared_buffers = 512MB")
        .line("synchronous_commit = off")
        .line("full_page_writes = off")
        .line("autovacuum = off")
        .line("jit = off")
        .line(&format!("max_connections = {}", 2 * SESSIONS + 100))
        .start_cluster();
    load::prepare(database.address().port());
    let keys = Keys::new();
    keys.add_client("app");
    let ways = Way::start_all(&database, &keys);
    let loads: Vec<_> = Load::all(&ways)
        .into_iter()
        .filter(|load| load.name.contains(&options.only))
        .collect();
    let mut figures = Figures::new(&ways);
    for round in 1..=rounds {
        for load in &loads {
            eprintln!("round {round} of {rounds}: {}", load.name);
            // Who comes first finds what the one before has left: each in turn.
            let turn = usize::try_from(round).unwrap_or_default() % ways.len();
            for way in ways[turn..].iter().chain(&ways[..turn]) {
                figures.add(load, way, load.put_on(way, seconds));
            }
        }
    }
    if idle::NAME.contains(&options.only) {
        for way in &ways {
            eprintln!("memory of idle sessions: {}", way.name);
            figures.add_idle(way, idle::kibibytes(&database, way, SESSIONS));
        }
    }
    let pgseal = ways.iter().find(|way| way.name == way::PGSEAL);
    if let Some(pgseal) = pgseal
        && sealed::NAME.contains(&options.only)
    {
        let rows = sealed::measure(&database, &keys, pgseal, rounds, seconds);
        figures.add_sealed(rows);
    }
    match options.json {
        true => println!("{}", figures.json()),
        false => print!("{}", figures.text()),
    }
}
