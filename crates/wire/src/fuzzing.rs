//! What holds for the reader that is this crate's own business, whatever bytes it reads: for the
//! workspace's fuzz targets (`fuzz/`), and no part of the crate's interface. It panics where it does
//! not hold.

use crate::cursor::Cursor;

/// How many of the bytes say what is read of the others, a byte for each read.
const READS: usize = 8;

/// Whatever is read is what stands there; and where that is too short, nothing is.
pub fn cursor(bytes: &[u8]) {
    let (reads, body) = bytes.split_at(bytes.len().min(READS));
    let mut cursor = Cursor::new(body, "any");
    let mut at = 0;
    for read in reads {
        let rest = &body[at..];
        let count = usize::from(read / 8);
        let (read, length, behind) = match read % 8 {
            0 => (cursor.u16().map(|it| it.to_be_bytes().to_vec()), Some(2), 0),
            1 => (cursor.u32().map(|it| it.to_be_bytes().to_vec()), Some(4), 0),
            2 => (cursor.i32().map(|it| it.to_be_bytes().to_vec()), Some(4), 0),
            3 => (cursor.array::<3>().map(|it| it.to_vec()), Some(3), 0),
            4 | 5 => (cursor.bytes(count).map(<[u8]>::to_vec), Some(count), 0),
            _ => {
                let end = rest.iter().position(|byte| *byte == 0);
                (cursor.c_string().map(<[u8]>::to_vec), end, 1)
            }
        };
        let expected = length.and_then(|length| rest.get(..length));
        assert_eq!(read.ok().as_deref(), expected);
        at += expected.map_or(0, |read| read.len() + behind);
    }
    match reads.first().is_some_and(|first| *first < 0x80) {
        true => assert_eq!(cursor.finish().is_ok(), at == body.len()),
        false => assert_eq!(cursor.rest(), &body[at..]),
    }
}
