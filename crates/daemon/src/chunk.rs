//! Reading in chunks, without a buffer for a session that has nothing to read.
//!
//! A buffer is there while there are bytes in it. A read that has to wait lays it down for the next
//! one on its thread; a thousand idle sessions need no thousand buffers.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes read at once, or more where the buffer has room for more.
pub const CHUNK: usize = 64 << 10;

thread_local! {
    /// The buffer of a read that waits; empty, and for whoever reads next.
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// Reads about [`CHUNK`] bytes behind those that `chunk` holds, and answers how many; 0 at the end.
/// While it waits, an empty `chunk` takes no memory.
///
/// # Errors
/// The reader's.
pub async fn read_chunk(
    reader: &mut (impl AsyncRead + Unpin),
    chunk: &mut BytesMut,
) -> io::Result<usize> {
    poll_fn(|context| {
        if chunk.capacity() == 0
            && let Some(spare) = SPARE.take()
        {
            *chunk = spare;
        }
        chunk.reserve(CHUNK);
        let read = pin!(reader.read_buf(chunk)).poll(context);
        if let Poll::Pending = read
            && chunk.is_empty()
        {
            SPARE.set(Some(std::mem::take(chunk)));
        }
        read
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_read_that_waits_has_no_buffer_and_one_that_does_not_keeps_its_bytes() {
        let (mut writer, mut reader) = tokio::io::duplex(1 << 20);
        let mut chunk = BytesMut::new();
        let waiting = {
            let read = pin!(read_chunk(&mut reader, &mut chunk));
            tokio::select! {
                biased;
                read = read => read.is_err(),
                () = std::future::ready(()) => true,
            }
        };
        assert!(waiting && chunk.capacity() == 0);
        writer.write_all(b"abc").await.unwrap();
        assert_eq!(read_chunk(&mut reader, &mut chunk).await.unwrap(), 3);
        writer.write_all(&[7; 2 * CHUNK]).await.unwrap();
        assert!(read_chunk(&mut reader, &mut chunk).await.unwrap() >= CHUNK);
        assert_eq!(chunk[..5], *b"abc\x07\x07");
    }

    #[tokio::test]
    async fn one_buffer_will_do_for_many_that_take_turns() {
        let (mut writer, mut reader) = tokio::io::duplex(1 << 20);
        let mut places = Vec::new();
        for _ in 0..10 {
            let mut chunk = BytesMut::new();
            writer.write_all(b"x").await.unwrap();
            read_chunk(&mut reader, &mut chunk).await.unwrap();
            places.push(chunk.as_ptr());
            chunk.clear();
            tokio::select! {
                biased;
                _ = read_chunk(&mut reader, &mut chunk) => {}
                () = std::future::ready(()) => {}
            }
        }
        assert!(places.iter().all(|place| *place == places[0]));
    }
}
