//! Many sessions under load, and connects all the time, while both programs restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use harness::{Address, Keys, Settings, eventually, raise_file_limit};
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::chain;

const SESSIONS: usize = 500;

/// Between two questions of a session: the programs have the processor, too.
const PAUSE: Duration = Duration::from_millis(500);

/// What all of them do, and have done.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    answers: AtomicUsize,
    connects: AtomicUsize,
}

impl Load {
    /// Asks again and again on one session, to the end.
    async fn session(self: Arc<Self>, session: Client, sealed: Arc<Vec<u8>>) {
        let mut number: i32 = 0;
        while !self.over.load(Ordering::Relaxed) {
            let asked = "select $1::bytea, $2::int";
            let row = session.query_one(asked, &[&*sealed, &number]).await;
            let row = row.unwrap();
            assert_eq!(row.get::<_, &[u8]>(0), b"opened");
            assert_eq!(row.get::<_, i32>(1), number);
            number += 1;
            self.answers.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Opens sessions one after another, each for one question.
    async fn connects(self: Arc<Self>, address: Address) {
        while !self.over.load(Ordering::Relaxed) {
            let session = address.connect().await;
            let row = session.query_one("select 6 * 7", &[]).await.unwrap();
            assert_eq!(row.get::<_, i32>(0), 42);
            self.connects.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until each session has had its turn about once more, and some have come.
    async fn goes_on(&self) {
        let counts = || {
            let count = |it: &AtomicUsize| it.load(Ordering::Relaxed);
            (count(&self.answers), count(&self.connects))
        };
        let (answers, connects) = counts();
        eventually("answers and connects", async || {
            let (more_answers, more_connects) = counts();
            (more_answers > answers + SESSIONS && more_connects > connects + 3).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_is_lost_and_no_connect_fails_while_both_programs_restart() {
    raise_file_limit(4096);
    let keys = Keys::new();
    let sealed = Arc::new(keys.add_client("app").seal(b"opened").unwrap());
    let crowded = Settings::new().line("max_connections = 600");
    let mut link = chain()
        .settings(crowded)
        .server("startup_timeout = '1m'")
        .connector("startup_timeout = '1m'")
        .connector("connect_timeout = '1m'")
        .start_link(&keys);
    let load = Arc::new(Load::default());
    let mut running = JoinSet::new();
    for _ in 0..SESSIONS {
        // One after another: all at once they would be a test of handshakes.
        let session = link.connect().await;
        running.spawn(load.clone().session(session, sealed.clone()));
    }
    for _ in 0..4 {
        running.spawn(load.clone().connects(link.address()));
    }
    load.goes_on().await;
    let mut before = Vec::new();
    for round in 0..2 {
        before.push(tokio::task::block_in_place(|| link.server.hand_over()));
        load.goes_on().await;
        before.push(tokio::task::block_in_place(|| link.connector.hand_over()));
        load.goes_on().await;
        let has_ended = before.iter().any(|process| process.ended().is_some());
        assert!(!has_ended, "they have sessions, after round {round}");
    }
    load.over.store(true, Ordering::Relaxed);
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    // With their last session they end, the first of them first.
    for process in &before {
        assert!(process.wait().success(), "{}", process.log());
    }
}
