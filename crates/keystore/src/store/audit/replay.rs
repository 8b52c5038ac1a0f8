//! What the audit log says the store holds, compared with what it does hold.

use std::collections::{BTreeMap, BTreeSet};

use envelope::Owner;

use crate::Error;
use crate::master_key::MasterKeyId;
use crate::name::RecordName;
use crate::record::{
    Client, Entry, Event, Fate, KeyRecord, KeyState, Permitted, Serial, Settings, Timestamp, Zone,
};
use crate::store::owners::label;
use crate::store::{MAX_PAGE, Store};

/// A zone whose keys are gone.
const DESTROYED: &str = "destroyed";

/// The state that the entries read so far lead to.
#[derive(Default)]
pub(super) struct Replay {
    clients: BTreeMap<String, Limits>,
    zones: BTreeMap<String, ZoneState>,
    keys: BTreeMap<(String, u32), KeyState>,
    /// The version of each owner's active key.
    active: BTreeMap<String, u32>,
    /// Of certificates: whose they are, and until when they are valid.
    certificates: BTreeMap<String, (String, Timestamp)>,
    /// Until when those that are revoked would be valid, where that is known.
    revoked: BTreeMap<String, Option<Timestamp>>,
    settings: Settings,
    masters: Masters,
}

/// The ids of master keys.
#[derive(Default)]
struct Masters {
    in_use: String,
    /// The one that records may still be sealed under.
    replacing: Option<String>,
    /// Those that have a record of the other.
    handed_over: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Limits {
    create_zones: bool,
    zones_per_day: Option<u32>,
}

struct ZoneState {
    clients: Permitted,
    fate: &'static str,
}

impl Replay {
    /// Takes in one entry.
    pub fn take(&mut self, entry: Entry) {
        match entry.event {
            Event::ClientAdded {
                client,
                create_zones,
                zones_per_day,
                ..
            } => {
                self.activate(&client, 1);
                let limits = Limits {
                    create_zones,
                    zones_per_day,
                };
                self.clients.insert(client, limits);
            }
            Event::ClientChanged {
                client,
                create_zones,
                zones_per_day,
            } => {
                let limits = Limits {
                    create_zones,
                    zones_per_day,
                };
                self.clients.insert(client, limits);
            }
            Event::ZoneAdded { zone, clients, .. } => {
                self.activate(&zone, 1);
                let fate = "kept";
                self.zones.insert(zone, ZoneState { clients, fate });
            }
            Event::GrantAdded { zone, client } => self.grant(&zone, &client, true),
            Event::GrantRemoved { zone, client } => self.grant(&zone, &client, false),
            Event::KeyRotated { owner, version, .. } => {
                if let Some(before) = version.checked_sub(1) {
                    self.keys
                        .insert((owner.clone(), before), KeyState::OpenOnly);
                }
                self.activate(&owner, version);
            }
            Event::KeyRetired { owner, version } => {
                self.keys.insert((owner, version), KeyState::Retired);
            }
            Event::KeyRestored { owner, version } => {
                self.keys.insert((owner, version), KeyState::OpenOnly);
            }
            Event::KeyDestroyed { owner, version, .. } => {
                self.keys.insert((owner, version), KeyState::Destroyed);
            }
            Event::DestructionOrdered { zone, .. } => self.fate(&zone, "to be destroyed"),
            Event::DestructionCancelled { zone } => self.fate(&zone, "kept"),
            Event::ZoneDestroyed { zone } => self.fate(&zone, DESTROYED),
            Event::CertificateRecorded {
                serial,
                identity,
                expires,
            } => {
                self.certificates.insert(serial, (identity, expires));
            }
            Event::CertificateRevoked {
                serial, expires, ..
            } => {
                self.revoked.insert(serial, expires);
            }
            Event::SettingChanged { name, to, .. } => {
                self.settings
                    .change(&name, to.as_ref(), &entry.by, entry.at);
            }
            Event::StoreCreated { master_key, .. } => self.masters.in_use = master_key,
            Event::MasterRotationBegun { from, to } => {
                self.masters = Masters {
                    handed_over: [from.clone(), to.clone()].into(),
                    replacing: Some(from),
                    in_use: to,
                };
            }
            Event::MasterRotated { to } => {
                self.masters.replacing = None;
                self.masters.handed_over.remove(&to);
            }
            Event::MasterForgotten { master_key } => {
                self.masters.handed_over.remove(&master_key);
            }
            Event::StoreCopied { .. } | Event::StoreMoved { .. } | Event::StoreRestored { .. } => {}
        }
    }

    fn activate(&mut self, owner: &str, version: u32) {
        self.keys.insert((owner.into(), version), KeyState::Active);
        self.active.insert(owner.into(), version);
    }

    fn fate(&mut self, zone: &str, fate: &'static str) {
        if let Some(state) = self.zones.get_mut(zone) {
            state.fate = fate;
        }
    }

    fn grant(&mut self, zone: &str, client: &str, added: bool) {
        let Some(state) = self.zones.get_mut(zone) else {
            return;
        };
        match (client, added) {
            ("*", true) => state.clients = Permitted::All,
            ("*", false) => state.clients = Permitted::Only(BTreeSet::new()),
            (client, added) => {
                let id = client
                    .strip_prefix("client/")
                    .and_then(|id| id.try_into().ok());
                if let (Some(id), Permitted::Only(listed)) = (id, &mut state.clients) {
                    match added {
                        true => listed.insert(id),
                        false => listed.remove(&id),
                    };
                }
            }
        }
    }

    /// Adds a line to `faults` for whatever the store holds otherwise.
    pub fn compare(mut self, store: &Store, faults: &mut Vec<String>) -> Result<(), Error> {
        self.compare_masters(store, faults)?;
        self.compare_clients(store, faults)?;
        let gone = self.zones.iter().filter(|(_, zone)| zone.fate == DESTROYED);
        let gone: BTreeSet<String> = gone.map(|(zone, _)| zone.clone()).collect();
        self.compare_zones(store, faults)?;
        self.compare_keys(store, &gone, faults)?;
        self.compare_certificates(store, faults)?;
        if store.settings()? != self.settings {
            faults.push(differs(&RecordName::Settings));
        }
        let list = store.revocations()?;
        let is_listed = |serial: &str| list.certificates.keys().any(|one| one.as_str() == serial);
        // What has expired has left the list.
        let is_over = |expires: Option<Timestamp>| expires.is_some_and(|at| at < Timestamp::now());
        for (serial, expires) in self.revoked {
            if !is_over(expires) && !is_listed(&serial) {
                faults.push(format!(
                    "the revocation of certificate {serial} is missing from record revocations"
                ));
            }
        }
        Ok(())
    }

    /// A header that was put back may have the store opened with a key that was replaced.
    fn compare_masters(&self, store: &Store, faults: &mut Vec<String>) -> Result<(), Error> {
        let found = store.master_state()?;
        let replacing = found.replacing.map(|id| id.to_string());
        if found.in_use.to_string() != self.masters.in_use || replacing != self.masters.replacing {
            faults.push(differs(&RecordName::Header));
        }
        let handed_over = store.handed_over()?;
        let handed_over: BTreeSet<_> = handed_over.iter().map(MasterKeyId::to_string).collect();
        let others = handed_over.symmetric_difference(&self.masters.handed_over);
        faults.extend(others.map(|id| differs(&format_args!("master/{id}"))));
        Ok(())
    }

    fn compare_certificates(
        &mut self,
        store: &Store,
        faults: &mut Vec<String>,
    ) -> Result<(), Error> {
        let mut after: Option<Serial> = None;
        loop {
            let page = store.certificates(after.as_ref(), MAX_PAGE)?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.serial.clone());
            for one in page {
                let said = self.certificates.remove(one.serial.as_str());
                if said != Some((one.identity, one.expires)) {
                    faults.push(differs(&RecordName::Certificate(one.serial)));
                }
            }
        }
        let missing = self.certificates.keys();
        faults.extend(missing.map(|serial| format!("record certificate/{serial} is missing")));
        Ok(())
    }

    fn compare_clients(&mut self, store: &Store, faults: &mut Vec<String>) -> Result<(), Error> {
        let mut page = store.clients(None, MAX_PAGE)?;
        while let Some(last) = page.last().map(|client| client.id.clone()) {
            for client in page {
                self.compare_client(&client, faults);
            }
            page = store.clients(Some(&last), MAX_PAGE)?;
        }
        let missing = self.clients.keys();
        faults.extend(missing.map(|client| format!("record {client} is missing")));
        Ok(())
    }

    fn compare_client(&mut self, client: &Client, faults: &mut Vec<String>) {
        let label = label(&Owner::Client(client.id.clone()));
        let found = Limits {
            create_zones: client.create_zones,
            zones_per_day: client.zones_per_day,
        };
        let active = self.active.get(&label) == Some(&client.active);
        if self.clients.remove(&label) != Some(found) || !active {
            faults.push(differs(&label));
        }
    }

    fn compare_zones(&mut self, store: &Store, faults: &mut Vec<String>) -> Result<(), Error> {
        let mut page = store.zones(None, MAX_PAGE)?;
        while let Some(last) = page.last().map(|zone| zone.id.clone()) {
            for zone in page {
                self.compare_zone(store, &zone, faults)?;
            }
            page = store.zones(Some(&last), MAX_PAGE)?;
        }
        let missing = self.zones.keys();
        faults.extend(missing.map(|zone| format!("record {zone} is missing")));
        Ok(())
    }

    fn compare_zone(
        &mut self,
        store: &Store,
        zone: &Zone,
        faults: &mut Vec<String>,
    ) -> Result<(), Error> {
        let label = label(&Owner::Zone(zone.id.clone()));
        let fate = match zone.fate {
            Fate::Kept => "kept",
            Fate::Destroying { due, .. } => {
                require(store, &RecordName::Pending(due, zone.id.clone()), faults)?;
                require(store, &RecordName::Clock, faults)?;
                "to be destroyed"
            }
            Fate::Destroyed { .. } => DESTROYED,
        };
        let active = self.active.get(&label) == Some(&zone.active);
        let said = self.zones.remove(&label);
        if said.is_none_or(|said| said.clients != zone.clients || said.fate != fate) || !active {
            faults.push(differs(&label));
        }
        Ok(())
    }

    /// `gone` are the zones that were destroyed as a whole, all their receipts before that was said.
    fn compare_keys(
        &mut self,
        store: &Store,
        gone: &BTreeSet<String>,
        faults: &mut Vec<String>,
    ) -> Result<(), Error> {
        let mut page = store.keys(None, None, MAX_PAGE)?;
        while let Some(last) = page.last().cloned() {
            for key in page {
                let label = label(&key.owner);
                let said = self.keys.remove(&(label.clone(), key.version));
                if said != Some(key.state) {
                    faults.push(differs(&RecordName::Key(key.owner.clone(), key.version)));
                }
                require_with_key(store, &key, faults)?;
                if gone.contains(&label) {
                    let receipt = RecordName::Receipt(key.owner.clone(), key.version);
                    require(store, &receipt, faults)?;
                }
            }
            page = store.keys(None, Some(&last), MAX_PAGE)?;
        }
        let missing = self.keys.keys();
        faults.extend(
            missing.map(|(owner, version)| format!("record key/{owner}/{version:010} is missing")),
        );
        Ok(())
    }
}

fn differs(record: &impl std::fmt::Display) -> String {
    format!("record {record} is not what the audit log says")
}

/// The records that go with a key.
fn require_with_key(store: &Store, key: &KeyRecord, faults: &mut Vec<String>) -> Result<(), Error> {
    require(store, &RecordName::KeyId(key.key_id), faults)?;
    if key.state == KeyState::Destroyed {
        return Ok(());
    }
    let private = RecordName::Private(key.owner.clone(), key.version);
    require(store, &private, faults)
}

fn require(store: &Store, name: &RecordName, faults: &mut Vec<String>) -> Result<(), Error> {
    if store.engine.get(&name.to_string())?.is_none() {
        faults.push(format!("record {name} is missing"));
    }
    Ok(())
}
