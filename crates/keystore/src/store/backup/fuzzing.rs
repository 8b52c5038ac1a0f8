//! What holds for a backup's file, whatever is in it.

use std::path::Path;

use super::file::{Head, Reader, Writer};
use crate::Error;
use crate::engine::{MAX_VALUE, Named};
use crate::master_key::MasterKey;
use crate::seal::StoreId;

/// Lines of `name=value` are backed up, and read back; with one byte of the file changed, or cut off
/// anywhere, nothing is read to its end. Read as a file of their own, they are none.
pub fn backup(bytes: &[u8]) {
    let master = MasterKey::from_bytes(&[7; 32]).expect("it has 32 bytes");
    let (at, records) = bytes.split_first_chunk::<4>().unwrap_or((&[0; 4], bytes));
    assert!(read(records, &master).is_err());
    let mut made = Vec::new();
    for line in records.split(|byte| *byte == b'\n') {
        let Ok(line) = str::from_utf8(line) else {
            continue;
        };
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        // A value that fills chunks, out of few bytes.
        let value = value
            .as_bytes()
            .repeat(1 + 997 * usize::from(name.ends_with('*')));
        made.push((name.to_owned(), value));
    }
    let mut file = written(&made, &master);
    let again = read(&file, &master).map_err(|error| error.to_string());
    let fits = |(name, value): &(String, Vec<u8>)| name.len() <= 1024 && value.len() <= MAX_VALUE;
    if made.iter().all(fits) {
        assert_eq!(again.as_ref(), Ok(&made));
    } else {
        assert!(again.is_err());
        return;
    }
    let [place @ .., change] = *at;
    let place = place
        .iter()
        .fold(0, |at, byte| at << 8 | usize::from(*byte))
        % file.len();
    match change {
        0 => file.truncate(place),
        _ => file[place] ^= change,
    }
    assert!(read(&file, &master).is_err());
}

type Records = Vec<(String, Vec<u8>)>;

fn written(records: &Records, master: &MasterKey) -> Vec<u8> {
    let head = Head {
        store: StoreId([1; 16]),
        master: master.id(),
        salt: [2; 32],
    };
    let mut file = Vec::new();
    let begun = Writer::begin(&mut file, &head, master);
    let mut writer = begun.expect("memory can be written");
    for (name, value) in records {
        writer.record(name, value).expect("memory can be written");
    }
    writer.finish().expect("memory can be written");
    file
}

fn read(file: &[u8], master: &MasterKey) -> Result<Records, Error> {
    let (_, mut reader) = Reader::begin(Path::new("backup"), file, master)?;
    let mut records = Vec::new();
    while let Some(Named { name, value }) = reader.record()? {
        records.push((name, value));
    }
    Ok(records)
}
