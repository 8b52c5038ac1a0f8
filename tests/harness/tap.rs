//! A TCP relay that records what passes, and disturbs it on command.
//!
//! Placed before a server or a database it sees what an eavesdropper there would see. It runs on
//! threads of its own, so a test may block while it works. How it cuts and joins what passes is in
//! [`pump`].

mod pump;

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::address::Address;
use crate::deadline::PATIENCE;
use crate::port::{Port, free_port};
use crate::random::Random;
use pump::{Chunking, Pump};

/// A relay between a port of its own and another. Dropping it closes every connection through it.
#[derive(Debug)]
pub struct Tap {
    port: Port,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the application's side.
    AppToDb,
    /// From the database's side.
    DbToApp,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    refusing: bool,
    stalled: bool,
    chunking: Chunking,
    /// How many more bytes from the database go on before the connection is cut.
    left: Option<usize>,
    accepted: usize,
    /// Where each direction of each open connection is read from, by numbers of their own.
    open: BTreeMap<usize, TcpStream>,
    /// Directions there have been so far.
    directions: usize,
    app_to_db: Vec<u8>,
    db_to_app: Vec<u8>,
}

impl Tap {
    /// Relays to a port of 127.0.0.1.
    pub fn to(upstream: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port.number()))
            .unwrap_or_else(|error| panic!("listening on port {port}: {error}"));
        let shared = Arc::new(Shared {
            upstream: Address::local(upstream).socket(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            port,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        Address::local(self.port.number())
    }

    /// The port where it listens.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// All bytes so far from the application's side, of all connections.
    pub fn app_to_db(&self) -> Vec<u8> {
        self.shared.state().app_to_db.clone()
    }

    /// All bytes so far from the database's side, of all connections.
    pub fn db_to_app(&self) -> Vec<u8> {
        self.shared.state().db_to_app.clone()
    }

    /// All bytes so far in both directions, for [`scan`](crate::scan).
    pub fn everything(&self) -> Vec<u8> {
        let state = self.shared.state();
        [state.app_to_db.as_slice(), &state.db_to_app].concat()
    }

    /// How many bytes have come so far in a direction, of all connections.
    pub fn count(&self, direction: Direction) -> usize {
        let state = self.shared.state();
        match direction {
            Direction::AppToDb => state.app_to_db.len(),
            Direction::DbToApp => state.db_to_app.len(),
        }
    }

    /// How many connections have been made through it so far.
    pub fn connections(&self) -> usize {
        self.shared.state().accepted
    }

    /// Cuts every open connection; new ones are relayed.
    pub fn cut(&self) {
        self.shared.state().cut();
    }

    /// Cuts every open connection and closes new ones at once, until [`flow`](Self::flow).
    pub fn refuse(&self) {
        let mut state = self.shared.state();
        state.refusing = true;
        state.cut();
    }

    /// Lets nothing through in either direction, and leaves the connections open, until
    /// [`flow`](Self::flow).
    pub fn stall(&self) {
        self.shared.state().stalled = true;
    }

    /// Ends [`stall`](Self::stall), [`refuse`](Self::refuse) and every way of cutting.
    pub fn flow(&self) {
        let mut state = self.shared.state();
        state.stalled = false;
        state.refusing = false;
        state.chunking = Chunking::AsTheyCome;
        self.shared.changed.notify_all();
    }

    /// Passes bytes on in pieces of at most `size`, each in its own packet, so that its receiver
    /// meets messages that are split anywhere.
    pub fn in_pieces(&self, size: usize) {
        assert!(size > 0, "pieces of no bytes carry nothing");
        self.shared.state().chunking = Chunking::Pieces(size);
    }

    /// Passes bytes on in pieces of random sizes; now and then it waits a little for more to come, so
    /// that its receiver meets messages that are split and messages that are joined.
    pub fn at_random(&self, random: Random) {
        self.shared.state().chunking = Chunking::Random(random);
    }

    /// In every connection from now on: lets the first `count` bytes of a direction through, and what
    /// follows only when their receiver has read them. So it reads no more than those first.
    pub fn split_at(&self, direction: Direction, count: usize) {
        self.shared.state().chunking = Chunking::Split(direction, count);
    }

    /// Cuts all connections once `count` more bytes from the database's side have passed.
    pub fn truncate_after(&self, count: usize) {
        self.shared.state().left = Some(count);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.closed = true;
            state.cut();
        }
        self.shared.changed.notify_all();
        // The acceptor wakes up for a connection only.
        let _ = TcpStream::connect_timeout(&self.address().socket(), PATIENCE);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How what comes now is to go on.
    fn chunking(&self) -> Chunking {
        match &mut self.state().chunking {
            Chunking::Random(random) => Chunking::Random(random.fork()),
            other => other.clone(),
        }
    }

    /// Records bytes, waits while the tap is stalled, and returns how many of them may go on.
    fn admit(&self, direction: Direction, bytes: &[u8]) -> Admitted {
        let mut state = self.state();
        match direction {
            Direction::AppToDb => state.app_to_db.extend(bytes),
            Direction::DbToApp => state.db_to_app.extend(bytes),
        }
        let mut state = self
            .changed
            .wait_while(state, |state| state.stalled && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let mut admitted = Admitted {
            count: bytes.len(),
            last: state.closed,
        };
        if direction == Direction::DbToApp
            && let Some(left) = state.left
        {
            admitted.count = admitted.count.min(left);
            admitted.last = bytes.len() >= left;
            state.left = (!admitted.last).then(|| left - admitted.count);
        }
        admitted
    }
}

/// What may go on of bytes just received.
struct Admitted {
    count: usize,
    /// Whether the connections are cut after it.
    last: bool,
}

impl State {
    fn cut(&mut self) {
        for (_, stream) in std::mem::take(&mut self.open) {
            // One that is closed already is as cut as can be.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes note of a direction that begins, to be cut; answers its number.
    fn opens(&mut self, from: TcpStream) -> usize {
        self.directions += 1;
        self.open.insert(self.directions, from);
        self.directions
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for application in listener.incoming() {
        let application = application.unwrap_or_else(|error| panic!("accepting: {error}"));
        let refusing = {
            let mut state = shared.state();
            if state.closed {
                return;
            }
            state.accepted += 1;
            state.refusing
        };
        if refusing {
            continue;
        }
        let Ok(database) = TcpStream::connect_timeout(&shared.upstream, PATIENCE) else {
            continue;
        };
        for (from, to, direction) in [
            (&application, &database, Direction::AppToDb),
            (&database, &application, Direction::DbToApp),
        ] {
            let (from, to) = (twin(from), twin(to));
            let number = shared.state().opens(twin(&from));
            let shared = Arc::clone(shared);
            thread::spawn(move || {
                Pump::new(from, to, direction).run(&shared);
                shared.state().open.remove(&number);
            });
        }
    }
}

fn twin(stream: &TcpStream) -> TcpStream {
    stream
        .try_clone()
        .expect("an open socket can be opened twice")
}
