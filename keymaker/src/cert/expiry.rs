//! Warnings of certificates that expire soon, from what the store has recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use keystore::{Certificate, Serial, Store, Timestamp};

use crate::Error;
use crate::output::Output;
use crate::times::roughly;

/// How long before it expires a certificate is warned of.
const WARNING: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most warnings of one command.
const MAX_WARNINGS: usize = 10;

/// Warns of holders whose last certificate expires soon. One that is just being made is meant to.
pub fn warn_of_expiry(
    store: &Store,
    new: Option<&Serial>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let list = store.revocations()?;
    let mut last: BTreeMap<String, Certificate> = BTreeMap::new();
    each(store, |one| {
        let known = last.get(&one.identity);
        let is_later = known.is_none_or(|known| known.expires < one.expires);
        if is_later && !list.certificates.contains_key(&one.serial) {
            last.insert(one.identity.clone(), one);
        }
    })?;
    let now = Timestamp::now();
    let soon: Vec<_> = last
        .values()
        .filter(|one| one.expires >= now && one.expires <= now.plus(WARNING))
        .filter(|one| Some(&one.serial) != new)
        .collect();
    for one in soon.iter().take(MAX_WARNINGS) {
        output.note(&format!(
            "warning: the certificate of {} expires in {}, on {}",
            one.identity,
            roughly(one.expires.since(now)),
            one.expires
        ));
    }
    if soon.len() > MAX_WARNINGS {
        output.note(&format!(
            "warning: so do those of {} others; `cert list --expiring 30d` lists them",
            soon.len() - MAX_WARNINGS
        ));
    }
    Ok(())
}

/// Warns of a CA that expires soon.
pub fn warn_of_authority(expires: Timestamp, output: &mut Output<'_>) {
    let now = Timestamp::now();
    if expires <= now.plus(WARNING) {
        output.note(&format!(
            "warning: the CA expires in {}, on {expires}; make a new one, and trust both for a while",
            roughly(expires.since(now))
        ));
    }
}

/// Hands out every recorded certificate.
pub fn each(store: &Store, mut take: impl FnMut(Certificate)) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = store.certificates(after.as_ref(), keystore::MAX_PAGE)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.serial.clone());
        page.into_iter().for_each(&mut take);
    }
}
