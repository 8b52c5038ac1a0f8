//! What a driver's program writes and reads: a folder with two files for each value, one as it is
//! written, the other as it is read.

use envelope::Recipient;
use harness::{Random, TestDir, is_long};

/// Long enough for a row to be held rather than opened in place; in a long run as long as `large`.
const LONG: usize = 100_000;
const LARGE: usize = 8 << 20;

/// Plaintexts by name.
pub struct Values(Vec<(&'static str, Vec<u8>)>);

impl Values {
    /// A card's number, nothing, every byte, and random ones.
    pub fn random() -> Self {
        let mut random = Random::new();
        let long = if is_long() { LARGE } else { LONG };
        Self(vec![
            ("card", b"4000001234567899".to_vec()),
            ("empty", Vec::new()),
            ("bytes", (0..=u8::MAX).collect()),
            ("long", random.bytes(long)),
            ("large", random.bytes(LARGE)),
        ])
    }

    /// They are written as they are read.
    pub fn in_clear(&self) -> TestDir {
        self.folder("values-in-clear", <[u8]>::to_vec)
    }

    /// They are written sealed to this client.
    pub fn sealed_to(&self, client: &Recipient) -> TestDir {
        self.folder("values-sealed", |plain| client.seal(plain).unwrap())
    }

    fn folder(&self, name: &str, seal: impl Fn(&[u8]) -> Vec<u8>) -> TestDir {
        let folder = TestDir::new(name);
        for (name, plain) in &self.0 {
            folder.write(&format!("{name}.plain"), plain);
            folder.write(&format!("{name}.sealed"), seal(plain));
        }
        folder
    }
}
