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

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use sha2::Digest;

    use super::*;
    use crate::Secret;

    /// The vectors of `docs/keystore-format.md`.
    fn file() -> Value {
        serde_json::from_str(include_str!("../../../tests/vectors/store-v1.json")).unwrap()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        let digits = value.as_str().unwrap();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn master(file: &Value) -> MasterKey {
        let secret = Secret::from(file["master_key"].as_str().unwrap().to_owned());
        MasterKey::from_environment(&secret).unwrap()
    }

    fn write(head: &Head, master: &MasterKey, records: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut written = Vec::new();
        let mut writer = Writer::begin(&mut written, head, master).unwrap();
        for (name, value) in records {
            writer.record(name, value).unwrap();
        }
        writer.finish().unwrap();
        written
    }

    fn read(backup: &[u8], master: &MasterKey) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let (_, mut reader) = Reader::begin(Path::new("backup"), backup, master)?;
        let mut records = Vec::new();
        while let Some(Named { name, value }) = reader.record()? {
            records.push((name, value));
        }
        Ok(records)
    }

    /// The records of one vector, and the backup that it says they make.
    fn check(vector: &str) {
        let file = file();
        let master = master(&file);
        let vectors = file["backups"].as_array().unwrap();
        let vector = vectors.iter().find(|one| one["name"] == vector).unwrap();
        let records: Vec<_> = vector["lengths"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, length)| {
                let length = usize::try_from(length.as_u64().unwrap()).unwrap();
                let byte = u8::try_from(length % 256).unwrap();
                (name.clone(), vec![byte; length])
            })
            .collect();
        let head = Head {
            store: StoreId(bytes(&file["store_id"]).try_into().unwrap()),
            master: master.id(),
            salt: bytes(&vector["salt"]).try_into().unwrap(),
        };
        let backup = write(&head, &master, &records);
        assert_eq!(backup.len() as u64, vector["size"].as_u64().unwrap());
        assert!(backup.starts_with(&bytes(&vector["begins"])));
        assert_eq!(hex(&Sha256::digest(&backup)), vector["sha256"]);
        assert!(read(&backup, &master).unwrap() == records);
    }

    macro_rules! vectors {
        ($($name:ident)*) => {
            $(#[test]
            fn $name() {
                check(stringify!($name));
            })*

            #[test]
            fn every_backup_vector_is_a_test() {
                let file = file();
                let listed: Vec<_> = file["backups"].as_array().unwrap().iter()
                    .map(|vector| vector["name"].as_str().unwrap()).collect();
                assert_eq!(listed, [$(stringify!($name)),*]);
            }
        };
    }

    vectors! {
        backup_of_one_chunk
        backup_of_one_full_chunk
        backup_of_one_byte_over_a_chunk
        backup_of_many_chunks
    }

    /// Three chunks, and what they are made with.
    fn three_chunks() -> (Vec<u8>, MasterKey) {
        let master = MasterKey::generate().unwrap();
        let head = Head {
            store: StoreId([7; 16]),
            master: master.id(),
            salt: [9; 32],
        };
        let records = [("header".to_owned(), vec![1; 2 * CHUNK + 100])];
        (write(&head, &master, &records), master)
    }

    #[test]
    fn a_backup_that_ends_anywhere_but_at_its_end_is_refused() {
        let (backup, master) = three_chunks();
        let chunk = CHUNK + TAG;
        for length in [
            0,
            1,
            HEAD - 1,
            HEAD,
            HEAD + 1,
            HEAD + chunk - 1,
            HEAD + chunk,
            HEAD + chunk + 1,
            HEAD + 2 * chunk,
            backup.len() - TAG,
            backup.len() - 1,
        ] {
            assert!(read(&backup[..length], &master).is_err(), "{length}");
        }
        let longer = [backup.as_slice(), &[0]].concat();
        assert!(read(&longer, &master).is_err());
        assert!(read(&backup, &master).is_ok());
    }

    #[test]
    fn chunks_that_were_swapped_left_out_or_said_twice_are_refused() {
        let (backup, master) = three_chunks();
        let (head, chunks) = backup.split_at(HEAD);
        let chunks: Vec<&[u8]> = chunks.chunks(CHUNK + TAG).collect();
        let [one, two, last] = chunks.as_slice() else {
            panic!("there are not three");
        };
        for order in [
            vec![two, one, last],
            vec![one, last],
            vec![two, last],
            vec![last],
            vec![one, one, two, last],
            vec![one, two, two, last],
            vec![one, two, last, last],
        ] {
            let order: Vec<u8> = order.into_iter().flat_map(|chunk| chunk.to_vec()).collect();
            assert!(read(&[head, &order].concat(), &master).is_err());
        }
    }

    #[test]
    fn every_byte_of_a_backup_counts() {
        let (backup, master) = three_chunks();
        let places = (0..HEAD + 64).chain((HEAD + 64..backup.len()).step_by(1009));
        for place in places.chain(backup.len() - TAG..backup.len()) {
            let mut altered = backup.clone();
            altered[place] ^= 1;
            assert!(read(&altered, &master).is_err(), "{place}");
        }
    }

    #[test]
    fn another_master_key_is_refused_by_name_and_what_is_no_backup_as_such() {
        let (backup, master) = three_chunks();
        let wrong = read(&backup, &MasterKey::generate().unwrap());
        assert!(matches!(wrong, Err(Error::WrongMasterKey { .. })));
        for other in [b"SQLite format 3\0".repeat(20), Vec::new(), vec![b'p'; 16]] {
            let refused = read(&other, &master);
            assert!(matches!(refused, Err(Error::NotABackup { .. })));
        }
    }
}
