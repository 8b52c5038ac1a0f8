//! What can go wrong with a store, its master key, or a file that holds a secret.
//!
//! Every text is one line: what it is, where, and what to do. All of them are for the operator; a
//! peer hears none of them. None holds a key, or the text of a command that might hold one.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use envelope::{ClientId, KeyId, Owner, ZoneId};

use crate::etcd::EtcdError;
use crate::master_key::MasterKeyId;
use crate::record::{KeyState, LastChange, Timestamp};
use crate::store::MAX_SETTINGS;

/// A failure of the keystore. Nothing was changed when one is returned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no store of this name.
    #[error("there is no store {path}; `pgseal-keymaker init` makes one with its master key")]
    NoStore {
        /// The file asked for.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("{path} does not exist")]
    Missing {
        /// The file asked for.
        path: PathBuf,
    },
    /// A master key was given where its file's name belongs, and is not repeated.
    #[error(
        "the name of the master key's file is asked for, not the key itself; make a new key if others could see this one"
    )]
    KeyForPath,
    /// A file that was to be made is there already.
    #[error("{path} exists already and is left as it is; choose another name or move it away")]
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// Somebody other than the file's owner can read or write it.
    #[error("{path} is open to other users (mode {mode:04o}); run `chmod 600 {path}`")]
    LooseMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is something else than a store.
    #[error("{path} is not a pgseal store")]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// A later version of pgseal wrote the store.
    #[error(
        "{path} has store format {found}, newer than {known}, the newest this program knows; use a newer pgseal"
    )]
    NewerFormat {
        /// The store.
        path: PathBuf,
        /// The format version found.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The store was made with another master key.
    #[error("wrong master key for {path}: it was made with key {needed}, this is key {given}")]
    WrongMasterKey {
        /// The store.
        path: PathBuf,
        /// The master key that the store names.
        needed: MasterKeyId,
        /// The master key that was given.
        given: MasterKeyId,
    },
    /// Another file stands where the store was: what is written there is not seen here.
    #[error("{path} was moved away or replaced; restart the program to use what is there now")]
    Replaced {
        /// Where the store was.
        path: PathBuf,
    },
    /// Another process kept the store locked for longer than the busy timeout.
    #[error(
        "{path} is locked by another process (waited {waited:?}); try again, or see who holds it with `fuser {path}`"
    )]
    Locked {
        /// The store.
        path: PathBuf,
        /// How long the lock was waited for.
        waited: Duration,
    },
    /// The file's structure is broken: pages, tables, or the header.
    #[error("{path} is damaged ({what}); restore it from a backup")]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What is broken.
        what: String,
    },
    /// A copy, or what was restored from a backup, that is not complete.
    #[error(
        "{path} is an unfinished copy of a store; run the same `store copy` or `store restore` again to finish it"
    )]
    Unfinished {
        /// Where it is.
        path: PathBuf,
    },
    /// What should be a backup is none.
    #[error("{path} is not a backup of a store")]
    NotABackup {
        /// The file.
        path: PathBuf,
    },
    /// A backup that was cut short, put together otherwise, or altered.
    #[error("the backup {path} is damaged or was altered ({what}); nothing was restored")]
    BackupDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A record is not what was sealed under its name in this store.
    #[error("record {record} in {path} was altered or is damaged; restore the store from a backup")]
    Altered {
        /// The store.
        path: PathBuf,
        /// The record's name.
        record: String,
    },
    /// A record that another one says is there is not.
    #[error("record {record} is missing from {path}; restore the store from a backup")]
    RecordMissing {
        /// The store.
        path: PathBuf,
        /// The record's name.
        record: String,
    },
    /// A record is authentic, but not of a form known here.
    #[error(
        "record {record} in {path} is not in a form this program knows ({what}); use a newer pgseal"
    )]
    UnknownForm {
        /// The store.
        path: PathBuf,
        /// The record's name.
        record: String,
        /// What is unexpected.
        what: String,
    },
    /// There is no room for a change.
    #[error("{path}: the disk is full; nothing was changed, make room and try again")]
    DiskFull {
        /// The store.
        path: PathBuf,
    },
    /// The store, or the directory it is in, cannot be written.
    #[error(
        "{path}: {source}; the file, its directory and the log beside it must be writable for this user"
    )]
    ReadOnly {
        /// The store.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// Another process makes a file of this name at the moment.
    #[error("{path} is being made by another process; wait for it")]
    BeingMade {
        /// The file to be made.
        path: PathBuf,
    },
    /// SQLite failed in some other way.
    #[error("{path}: {source}")]
    Engine {
        /// The store.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },

    /// etcd, or the way to it.
    #[error(transparent)]
    Etcd(#[from] EtcdError),

    /// A client of this id is there already.
    #[error("client {0} exists already")]
    ClientExists(ClientId),
    /// A zone of this id is there already.
    #[error("zone {0} exists already")]
    ZoneExists(ZoneId),
    /// No such client.
    #[error("there is no client {0}; `pgseal-keymaker client add` adds one")]
    UnknownClient(ClientId),
    /// No such zone.
    #[error("there is no zone {0}; `pgseal-keymaker zone add` adds one")]
    UnknownZone(ZoneId),
    /// The client's record does not allow it to create zones.
    #[error("client {0} may not create zones")]
    MayNotCreateZones(ClientId),
    /// The client has created as many zones today as it may.
    #[error(
        "client {client} may create {most} zones a day (UTC), and has; an operator may allow more"
    )]
    ZonesUsedUp {
        /// Which client.
        client: ClientId,
        /// How many it may create in a day.
        most: u32,
    },
    /// Every client may open for the zone, so the right cannot be taken from one.
    #[error("zone {0} is open to all clients (`*`); remove `*` first, and then add those that may")]
    GrantedToAll(ZoneId),
    /// The zone is to be destroyed.
    #[error("zone {0} is to be destroyed; `pgseal-keymaker zone keep` keeps it")]
    ZoneGoing(ZoneId),
    /// The zone's keys are gone for good.
    #[error("zone {0} was destroyed")]
    ZoneGone(ZoneId),
    /// The zone is not to be destroyed.
    #[error("zone {0} is not to be destroyed, or not any more")]
    ZoneKept(ZoneId),
    /// No such version of an owner's key.
    #[error("there is no key of {owner} with version {version}")]
    UnknownKey {
        /// Whose key.
        owner: Owner,
        /// The version asked for.
        version: u32,
    },
    /// A key is not in the state that a change needs.
    #[error(
        "key version {version} of {owner} is {state}, and must be {needed} for this; an active one is replaced with `pgseal-keymaker key rotate` first"
    )]
    OtherState {
        /// Whose key it is.
        owner: Owner,
        /// Its version.
        version: u32,
        /// The state it is in.
        state: KeyState,
        /// The state it must be in.
        needed: KeyState,
    },
    /// Somebody else has given an owner a new key since it was looked at.
    #[error(
        "the active key of {owner} is version {found}, and not {expected} any more; look at it again, and then rotate it if it still has to be"
    )]
    RotatedMeanwhile {
        /// Whose key it is.
        owner: Owner,
        /// The version that was expected.
        expected: u32,
        /// The one that is active.
        found: u32,
    },
    /// A key was used lately, so that values sealed to it are likely to be read again.
    #[error(
        "key version {version} of {owner} was last used {last}, less than 30 days ago; seal anew what is sealed to it, or give --force"
    )]
    RecentlyUsed {
        /// Whose key it is.
        owner: Owner,
        /// Its version.
        version: u32,
        /// When it was used last.
        last: Timestamp,
    },
    /// Somebody else has changed the settings since they were looked at.
    #[error(
        "the settings were changed meanwhile{}: they are at number {found}, and not {expected} any more; look at them again, and then change them",
        .last.as_ref().map(|last| format!(" by {} ({})", last.by, last.at)).unwrap_or_default()
    )]
    SettingsChanged {
        /// The number that was expected.
        expected: u64,
        /// The number they are at.
        found: u64,
        /// Who changed them last, and when.
        last: Option<LastChange>,
    },
    /// More settings than can be changed as one.
    #[error("{0} settings are too many for one change; change at most {MAX_SETTINGS} at once")]
    TooManySettings(usize),
    /// The store is under this master key already.
    #[error("the store is sealed under this master key already; make a new one")]
    SameMasterKey,
    /// A change of master keys was begun and not finished.
    #[error(
        "{path}: the master key is being replaced already; finish that with the same new key, then `pgseal-keymaker master forget`"
    )]
    MasterRotating {
        /// The store.
        path: PathBuf,
    },
    /// The master key was replaced a moment ago.
    #[error("running programs are still taking over the new master key; try again in {wait:?}")]
    HandingOver {
        /// How long it must be waited.
        wait: Duration,
    },
    /// The store takes no more changes here.
    #[error("{path} has moved to {to} and takes no more changes here; use the new place")]
    Moved {
        /// The store.
        path: PathBuf,
        /// Where it is now.
        to: String,
    },
    /// Others write the same records all the time.
    #[error("{path}: {attempts} attempts to write collided with other writers; try again")]
    Contended {
        /// The store.
        path: PathBuf,
        /// How often it was tried.
        attempts: u32,
    },
    /// The key has no private half any more.
    #[error("key {key_id} ({owner}, version {version}) was destroyed")]
    Destroyed {
        /// Whose key it was.
        owner: Owner,
        /// Its version.
        version: u32,
        /// Its id.
        key_id: KeyId,
    },
    /// Every id that was drawn is taken, which chance does not explain.
    #[error(
        "{0} ids drawn one after another are all taken; the system's random generator is broken"
    )]
    EveryIdTaken(usize),
    /// A record that is larger than a store takes.
    #[error("{what} takes {found} bytes, at most {most} fit into one record")]
    TooLarge {
        /// What was to be stored.
        what: String,
        /// Its size.
        found: usize,
        /// The largest size allowed.
        most: usize,
    },

    /// What should hold a master key holds something else.
    #[error("{origin} holds no master key, which reads `pgseal-master-1.` and 43 characters more")]
    NotAMasterKey {
        /// Where it was read: a path, a command, a variable.
        origin: String,
    },
    /// A secret that is too long, or not text.
    #[error("{origin} is not a secret of at most {most} bytes of UTF-8 text")]
    NotASecret {
        /// Where it was read.
        origin: String,
        /// The most bytes that are read.
        most: usize,
    },
    /// A command that was to give a secret failed. Its text may hold one, so it is not repeated.
    #[error("the {what} command failed ({status}); what it wrote to its error output says why")]
    CommandFailed {
        /// The secret asked for.
        what: &'static str,
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// A command that was to give a secret could not be run.
    #[error("cannot run the {what} command with `sh -c`: {source}")]
    CommandNotRun {
        /// The secret asked for.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// The verb: read, make, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandom,
}

impl Error {
    /// True if etcd did not answer, which says nothing of the store in it. Whether a change was made
    /// may be unknown then.
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Error::Etcd(EtcdError::Unreachable(_) | EtcdError::Unheard(_))
        )
    }

    /// True if the store cannot be read now, and may be later: it says nothing against what was read
    /// of it before.
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            Error::Locked { .. }
                | Error::Etcd(_)
                | Error::Engine { .. }
                | Error::File { .. }
                | Error::NoStore { .. }
                | Error::Missing { .. }
                | Error::Replaced { .. }
        )
    }
}

impl From<envelope::RandomFailed> for Error {
    fn from(_: envelope::RandomFailed) -> Self {
        Error::NoRandom
    }
}
