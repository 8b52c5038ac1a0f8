//! Applications at work while keys, master keys and certificates are changed: nothing fails, and
//! nothing that was written becomes unreadable.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use envelope::Recipient;
use harness::http::Request;
use harness::raw::{Session, literal, rows};
use harness::{Chain, Cluster, Connector, Keys, Link, until};
use keystore::{MasterKey, Store};

/// Sessions that read and write at once.
const SESSIONS: usize = 3;
/// Rows that each of them writes at least, beside every change.
const ROWS: usize = 20;

/// Applications beside one connector.
pub struct Work<'a> {
    pub connector: &'a Connector,
    /// Its database, to be set up.
    pub database: &'a Cluster,
    /// The zone that they seal to besides their client.
    pub zone: &'a str,
}

impl Work<'_> {
    /// Has applications work while `change` is under way and for a while before and after it; each
    /// of their sessions must begin, each query succeed, and each value be read as it was written.
    pub fn goes_on(&self, change: impl FnOnce()) {
        let table = "create table if not exists written (tag text, value bytea, clear text)";
        self.database.query(table);
        let (done, written) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..SESSIONS)
                .map(|worker| {
                    let (done, written) = (&done, &written);
                    scope.spawn(move || self.work(worker, done, written))
                })
                .collect();
            let stopped = || workers.iter().any(|worker| worker.is_finished());
            let more = || {
                let begun = written.load(Ordering::Relaxed);
                until("rows to be written", || {
                    let enough = written.load(Ordering::Relaxed) >= begun + ROWS * SESSIONS;
                    (stopped() || enough).then_some(())
                });
            };
            more();
            change();
            more();
            done.store(true, Ordering::Relaxed);
        });
        self.all_is_read();
    }

    /// In a new session, everything that was ever written is read as it was.
    pub fn all_is_read(&self) {
        let answer = self
            .session()
            .extended("select tag, value, clear from written", 1);
        let found = rows(&answer);
        assert!(found.len() >= 2 * ROWS * SESSIONS, "{}", found.len());
        assert!(found.iter().all(|row| row[1] == row[2]));
    }

    /// One application: asks for the present public keys, seals, writes, reads back; in one session
    /// that stays, and in new ones.
    fn work(&self, worker: usize, done: &AtomicBool, written: &AtomicUsize) {
        let mut lasting = self.session();
        let zone = self.zone;
        let paths = ["/v1/client".to_owned(), format!("/v1/zones/{zone}")];
        let mut number = 0;
        while !done.load(Ordering::Relaxed) {
            number += 1;
            let path = &paths[number % paths.len()];
            let recipient = self.connector.api(&Request::get(path)).recipient();
            let clear = format!("{worker}: {number}");
            let sealed = literal(&recipient.seal(clear.as_bytes()).unwrap());
            let sql = format!(
                "insert into written (tag, value, clear) values ('{zone}', {sealed}, '{clear}') \
                 returning tag, value"
            );
            let answer = lasting.extended(&sql, 1);
            let value = rows(&answer).pop().and_then(|mut row| row.pop().flatten());
            assert_eq!(value.as_deref(), Some(clear.as_bytes()), "{answer:?}");
            let sql = "select tag, value, clear from written order by random() limit 10";
            let answer = self.session().extended(sql, 1);
            let read = rows(&answer);
            assert!(!read.is_empty(), "{answer:?}");
            assert!(read.iter().all(|row| row[1] == row[2]), "{answer:?}");
            written.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn session(&self) -> Session {
        let mut session = self.connector.address().raw();
        session.start();
        session
    }
}

struct Stand {
    link: Link,
    store: Store,
    keys: Keys,
    zone: Recipient,
}

impl Stand {
    fn start() -> Self {
        let keys = Keys::new();
        keys.add_zone_creator("app");
        let zone = keys.add_zone(&["app"]);
        let link = Chain::builder()
            .zone_mode("mixed")
            .on_refused("error")
            .start_link(&keys);
        let master = MasterKey::from_file(&keys.master_key_file()).unwrap();
        Self {
            store: Store::open(&keys.store(), master).unwrap(),
            link,
            keys,
            zone,
        }
    }

    fn work(&self) -> Work<'_> {
        Work {
            connector: &self.link.connector,
            database: &self.link.database,
            zone: self.zone.owner().id(),
        }
    }
}

#[test]
fn a_clients_key_is_rotated() {
    let stand = Stand::start();
    let app = stand.keys.client("app").owner().clone();
    stand.work().goes_on(|| {
        for _ in 0..5 {
            stand.store.by("a test").rotate_key(&app).unwrap();
        }
    });
}

#[test]
fn a_zones_key_is_rotated() {
    let stand = Stand::start();
    let zone = stand.zone.owner().clone();
    stand.work().goes_on(|| {
        for _ in 0..5 {
            stand.store.by("a test").rotate_key(&zone).unwrap();
        }
    });
}

#[test]
fn the_master_key_is_changed_and_changed_again() {
    let mut stand = Stand::start();
    for number in 0..3 {
        let path = stand
            .keys
            .store()
            .with_file_name(format!("new-{number}.key"));
        MasterKey::generate().unwrap().write_new(&path).unwrap();
        let new = MasterKey::from_file(&path).unwrap();
        stand.work().goes_on(|| {
            let author = stand.store.by("a test");
            author.rotate_master(&new, |_| {}).unwrap();
            until("the old key to be forgotten", || {
                author.forget_master().ok()
            });
        });
        std::fs::rename(&path, stand.keys.master_key_file()).unwrap();
    }
    // Started anew, with the last of the keys.
    stand.link.server.restart();
    stand.work().all_is_read();
}
