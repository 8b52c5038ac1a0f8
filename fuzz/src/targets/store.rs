//! Where a store is, and what its records are called. What stands in them is `keystore::fuzzing`'s.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use keystore::StoreAddress;

/// Addresses and names: each is written as it is read.
pub fn addresses(bytes: &[u8]) {
    let read = StoreAddress::try_from(OsString::from_vec(bytes.to_vec()));
    let Ok(text) = str::from_utf8(bytes) else {
        // What is no text can be a file's name all the same.
        let name = OsString::from_vec(bytes.to_vec());
        assert_eq!(
            read.ok().as_ref().and_then(StoreAddress::file),
            Some(Path::new(&name))
        );
        return;
    };
    assert_eq!(read, text.parse());
    keystore::fuzzing::name(text);
    keystore::fuzzing::address(text);
}
