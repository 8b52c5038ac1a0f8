//! The file of a backup: its head, its chunks, and records in them. What they mean is the caller's.

use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::damaged;
use crate::Error;
use crate::engine::{MAX_VALUE, Named};
use crate::master_key::{MasterKey, MasterKeyId};
use crate::seal::StoreId;

/// What a backup begins with; the number is the version of its form.
const MAGIC: &[u8; 16] = b"pgseal-backup-1\n";
/// Label of the keys of backups.
const LABEL: &[u8] = b"pgseal backup v1\0";
/// The plaintext of a chunk, in bytes; that of the last one may be shorter.
const CHUNK: usize = 64 << 10;
const TAG: usize = 16;
const HEAD: usize = 72;
/// The longest name: it fits into a chunk, and every name of a store is far shorter.
const MAX_NAME: usize = 1024;

/// What a backup says of itself in clear.
pub struct Head {
    pub store: StoreId,
    /// The master key that it is encrypted under.
    pub master: MasterKeyId,
    pub salt: [u8; 32],
}

impl Head {
    fn bytes(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let parts = [MAGIC.as_slice(), &self.store.0, &self.master.0, &self.salt];
        bytes.copy_from_slice(&parts.concat());
        bytes
    }
}

/// The cipher of one backup, and where it is in it.
struct Stream {
    cipher: Aes256Gcm,
    head: [u8; HEAD],
    chunk: u64,
}

impl Stream {
    fn new(head: &Head, master: &MasterKey) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(&head.salt), master.expose_secret())
            .expand_multi_info(&[LABEL, &head.store.0], key.as_mut_slice())
            .expect("32 bytes are less than HKDF's limit");
        Self {
            cipher: Aes256Gcm::new(&(*key).into()),
            head: head.bytes(),
            chunk: 0,
        }
    }

    /// The nonce of the next chunk: its number in eleven bytes, and whether it is the last.
    fn nonce(&mut self, last: bool) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.chunk.to_be_bytes());
        nonce[11] = last.into();
        self.chunk += 1;
        nonce
    }

    fn seal(&mut self, chunk: &mut Vec<u8>, last: bool) {
        let nonce = Nonce::from(self.nonce(last));
        let tag = self
            .cipher
            .encrypt_inout_detached(&nonce, &self.head, chunk.as_mut_slice().into())
            .expect("a chunk is far below AES-GCM's limit");
        chunk.extend_from_slice(&tag);
    }

    /// Opens a chunk in its place; false if it is not what was sealed here.
    fn open(&mut self, chunk: &mut Vec<u8>, last: bool) -> bool {
        let Some((_, tag)) = chunk.split_last_chunk::<TAG>() else {
            return false;
        };
        let tag = (*tag).into();
        let nonce = Nonce::from(self.nonce(last));
        chunk.truncate(chunk.len() - TAG);
        self.cipher
            .decrypt_inout_detached(&nonce, &self.head, chunk.as_mut_slice().into(), &tag)
            .is_ok()
    }
}

/// Writes a backup.
pub struct Writer<W: Write> {
    out: BufWriter<W>,
    stream: Stream,
    /// Less than a chunk, except while a record is added.
    plain: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub fn begin(out: W, head: &Head, master: &MasterKey) -> io::Result<Self> {
        let stream = Stream::new(head, master);
        let mut out = BufWriter::new(out);
        out.write_all(&stream.head)?;
        Ok(Self {
            out,
            stream,
            plain: Vec::new(),
        })
    }

    pub fn record(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        let too_long = |_| io::Error::other("a record that is too long");
        let name_length = u16::try_from(name.len()).map_err(too_long)?;
        let value_length = u32::try_from(value.len()).map_err(too_long)?;
        self.plain.extend_from_slice(&name_length.to_be_bytes());
        self.plain.extend_from_slice(name.as_bytes());
        self.plain.extend_from_slice(&value_length.to_be_bytes());
        self.plain.extend_from_slice(value);
        // A chunk is written when something follows it: the last one is not known before.
        while self.plain.len() > CHUNK {
            let rest = self.plain.split_off(CHUNK);
            let mut chunk = std::mem::replace(&mut self.plain, rest);
            self.stream.seal(&mut chunk, false);
            self.out.write_all(&chunk)?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.stream.seal(&mut self.plain, true);
        self.out.write_all(&self.plain)?;
        self.out.flush()
    }
}

/// Reads a backup.
pub struct Reader<R: Read> {
    path: PathBuf,
    from: R,
    stream: Stream,
    /// What was read of the next chunk: one byte tells that there is one.
    next: Vec<u8>,
    plain: Vec<u8>,
    /// How much of `plain` was given out.
    taken: usize,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the head. The master key must be the one that the backup is encrypted under.
    pub fn begin(path: &Path, mut from: R, master: &MasterKey) -> Result<(Head, Self), Error> {
        let no_backup = || Error::NotABackup { path: path.into() };
        let mut bytes = [0; HEAD];
        if let Err(error) = from.read_exact(&mut bytes) {
            return Err(match error.kind() {
                io::ErrorKind::UnexpectedEof => no_backup(),
                _ => unreadable(path, error),
            });
        }
        let parts = bytes.strip_prefix(MAGIC).and_then(|rest| {
            let (store, rest) = rest.split_first_chunk()?;
            let (key, salt) = rest.split_first_chunk()?;
            Some((StoreId(*store), MasterKeyId(*key), salt.try_into().ok()?))
        });
        let (store, needed, salt) = parts.ok_or_else(no_backup)?;
        let head = Head {
            store,
            master: needed,
            salt,
        };
        if master.id() != needed {
            return Err(Error::WrongMasterKey {
                path: path.into(),
                needed,
                given: master.id(),
            });
        }
        let reader = Self {
            path: path.into(),
            from,
            stream: Stream::new(&head, master),
            next: Vec::new(),
            plain: Vec::new(),
            taken: 0,
            ended: false,
        };
        Ok((head, reader))
    }

    /// The next record; `None` at the end, once the last chunk has been found to be the last.
    pub fn record(&mut self) -> Result<Option<Named>, Error> {
        let Some(length) = self.take(2, true)? else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(array(&length)));
        if length > MAX_NAME {
            return Err(damaged(&self.path, "a name is too long"));
        }
        let name = String::from_utf8(self.must_take(length)?)
            .map_err(|_| damaged(&self.path, "a name is no text"))?;
        let length = u32::from_be_bytes(array(&self.must_take(4)?));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_VALUE {
            return Err(damaged(&self.path, "a value is too long"));
        }
        let value = self.must_take(length)?;
        Ok(Some(Named { name, value }))
    }

    fn must_take(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        let taken = self.take(count, false)?;
        taken.ok_or_else(|| damaged(&self.path, "a record is cut short"))
    }

    /// The next bytes of the plaintext; nothing at its end, if that is allowed here.
    fn take(&mut self, count: usize, may_end: bool) -> Result<Option<Vec<u8>>, Error> {
        while self.plain.len() - self.taken < count {
            if self.ended {
                let left = self.plain.len() - self.taken;
                return match (may_end, left) {
                    (true, 0) => Ok(None),
                    _ => Err(damaged(&self.path, "a record is cut short")),
                };
            }
            self.plain.drain(..self.taken);
            self.taken = 0;
            self.read_chunk()?;
        }
        let taken = self.plain.get(self.taken..self.taken + count);
        let taken = taken.map(<[u8]>::to_vec);
        self.taken += count;
        Ok(taken)
    }

    fn read_chunk(&mut self) -> Result<(), Error> {
        let whole = (CHUNK + TAG + 1) as u64;
        let wanted = whole - self.next.len() as u64;
        let mut chunk = std::mem::take(&mut self.next);
        (&mut self.from)
            .take(wanted)
            .read_to_end(&mut chunk)
            .map_err(|error| unreadable(&self.path, error))?;
        // One byte more than a chunk: another one follows.
        let last = chunk.len() <= CHUNK + TAG;
        if !last {
            self.next = chunk.split_off(CHUNK + TAG);
        }
        if !self.stream.open(&mut chunk, last) {
            return Err(damaged(
                &self.path,
                "a part of it is missing, or not what was written there",
            ));
        }
        self.plain.extend_from_slice(&chunk);
        self.ended = last;
        Ok(())
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("as many as were taken")
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::File {
        action: "read",
        path: path.into(),
        source,
    }
}
