//! One direction of a connection through a [`Tap`](super::Tap): what comes in leaves whole, in
//! pieces, or joined.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::{Direction, Shared};
use crate::random::Random;
use crate::unread::wait_until_read;

/// How long it waits for more to join to what has come.
const LULL: Duration = Duration::from_millis(1);

/// In which pieces bytes go on.
#[derive(Clone, Debug, Default)]
pub(super) enum Chunking {
    #[default]
    AsTheyCome,
    /// Of at most so many bytes.
    Pieces(usize),
    Random(Random),
    /// In two: the first has so many bytes of this direction.
    Split(Direction, usize),
}

pub(super) struct Pump {
    from: TcpStream,
    to: TcpStream,
    direction: Direction,
    /// Bytes that have gone on.
    passed: usize,
}

impl Pump {
    pub(super) fn new(from: TcpStream, to: TcpStream, direction: Direction) -> Self {
        Self {
            from,
            to,
            direction,
            passed: 0,
        }
    }

    /// Carries bytes until either side has ended.
    pub(super) fn run(mut self, shared: &Shared) {
        // Small pieces must not be joined again on the way.
        let _ = self.to.set_nodelay(true);
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(mut count @ 1..) = self.from.read(&mut buffer) {
            let chunking = shared.chunking();
            if let Chunking::Random(random) = &chunking {
                let wanted = random.clone().below(buffer.len());
                while count < wanted
                    && let Some(more @ 1..) = self.read_soon(buffer.get_mut(count..))
                {
                    count += more;
                }
            }
            let received = buffer
                .get(..count)
                .expect("a read fills a part of the buffer");
            let admitted = shared.admit(self.direction, received);
            let passed = received
                .get(..admitted.count)
                .expect("no more goes on than was received");
            let taken = self.pass(passed, chunking);
            if admitted.last {
                shared.state().cut();
            }
            if taken.is_err() {
                // Nobody takes what this side sends. It must not wait for that, and what the other
                // side said before it closed is still to arrive.
                let _ = io::copy(&mut self.from, &mut io::sink());
            }
        }
        let _ = self.to.shutdown(Shutdown::Write);
    }

    /// Reads what is there already or comes in a moment.
    fn read_soon(&mut self, room: Option<&mut [u8]>) -> Option<usize> {
        self.from.set_read_timeout(Some(LULL)).ok()?;
        let read = self.from.read(room.unwrap_or_default());
        self.from.set_read_timeout(None).ok()?;
        read.ok()
    }

    fn pass(&mut self, mut bytes: &[u8], chunking: Chunking) -> io::Result<()> {
        match chunking {
            Chunking::AsTheyCome => self.to.write_all(bytes)?,
            Chunking::Pieces(size) => bytes
                .chunks(size)
                .try_for_each(|piece| self.to.write_all(piece))?,
            Chunking::Random(mut random) => {
                while !bytes.is_empty() {
                    // From single bytes to what is more than one message.
                    let most = [2, 20, 200, 20_000][random.below(4)];
                    let size = (1 + random.below(most)).min(bytes.len());
                    let (piece, rest) = bytes.split_at(size);
                    self.to.write_all(piece)?;
                    bytes = rest;
                }
            }
            Chunking::Split(direction, at) => {
                let first = at.checked_sub(self.passed).filter(|first| *first > 0);
                let first = first.filter(|first| *first <= bytes.len());
                if let Some(first) = first.filter(|_| direction == self.direction) {
                    let (before, after) = bytes.split_at(first);
                    self.to.write_all(before)?;
                    wait_until_read(&self.to);
                    self.to.write_all(after)?;
                } else {
                    self.to.write_all(bytes)?;
                }
                self.passed += bytes.len();
            }
        }
        Ok(())
    }
}
