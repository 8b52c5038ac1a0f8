//! Where a store is, and what its records are called. What stands in them is `keystore::fuzzing`'s.

use keystore::StoreAddress;

/// Addresses and names: each is written as it is read.
pub fn addresses(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    keystore::fuzzing::name(text);
    let Ok(address) = text.parse::<StoreAddress>() else {
        return;
    };
    assert_eq!(address.to_string().parse().as_ref(), Ok(&address));
    match &address {
        StoreAddress::File(path) => assert_eq!(path.as_os_str(), text),
        StoreAddress::Etcd(etcd) => {
            assert!(etcd.prefix().starts_with('/'));
            assert!(!etcd.endpoints().is_empty());
        }
    }
}
