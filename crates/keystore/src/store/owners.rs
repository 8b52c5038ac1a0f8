//! Clients and zones: adding them with their first key, what they may do, and who opens for whom.

use std::collections::BTreeSet;

use envelope::{ClientId, Kind, Owner, ZoneId};
use serde::de::DeserializeOwned;

use super::{Author, Store, Transaction, json, keys};
use crate::Error;
use crate::engine::MAX_VALUE;
use crate::name::RecordName;
use crate::record::{
    Client, ClientBody, Event, Fate, KeyRecord, Permitted, Timestamp, UsageBody, Zone, ZoneBody,
};

/// How often an id is drawn anew that is taken; a second time is a chance below 2^-60 already.
pub(super) const MAX_DRAWS: usize = 8;

/// Zones that are imported in one change at most; each takes five conditions and as many edits.
const IMPORT: usize = 20;

/// What a zone takes of a change beside its list of clients, which stands in its record and in the
/// log; in bytes, amply.
const ZONE: usize = 4 << 10;

/// A zone to be added.
pub struct NewZone {
    /// Its id; `None` to have one drawn.
    pub id: Option<ZoneId>,
    /// Who may open values sealed to it; every client listed must be there.
    pub clients: Permitted,
    /// The client that asks for it, which must be there and allowed to; `None` for an operator.
    pub creator: Option<ClientId>,
}

impl Author<'_> {
    /// Adds a client with its first key. `zones_per_day` bounds the zones that it may create in a
    /// day (UTC), where it may create any; `None` is no bound.
    pub fn add_client(
        &self,
        id: &ClientId,
        create_zones: bool,
        zones_per_day: Option<u32>,
    ) -> Result<KeyRecord, Error> {
        let owner = Owner::Client(id.clone());
        let name = RecordName::Owner(owner.clone());
        let (key, _) = self.change(|tx| {
            if tx.is_taken(&name)? {
                return Err(Error::ClientExists(id.clone()));
            }
            let key = keys::add(tx, &owner, 1)?;
            tx.put_json(
                &name,
                &ClientBody {
                    created: Timestamp::now(),
                    create_zones,
                    zones_per_day,
                    active: 1,
                },
            )?;
            tx.log(Event::ClientAdded {
                client: label(&owner),
                key: key.key_id.to_string(),
                create_zones,
                zones_per_day,
            });
            Ok(key)
        })?;
        Ok(key)
    }

    /// Changes what a client may do; `None` leaves it as it is.
    pub fn change_client(
        &self,
        id: &ClientId,
        create_zones: Option<bool>,
        zones_per_day: Option<Option<u32>>,
    ) -> Result<Client, Error> {
        let owner = Owner::Client(id.clone());
        let name = RecordName::Owner(owner.clone());
        let (client, _) = self.change(|tx| {
            let Some(mut body) = tx.read_json::<ClientBody>(&name)? else {
                return Err(Error::UnknownClient(id.clone()));
            };
            body.create_zones = create_zones.unwrap_or(body.create_zones);
            body.zones_per_day = zones_per_day.unwrap_or(body.zones_per_day);
            tx.put_json(&name, &body)?;
            tx.log(Event::ClientChanged {
                client: label(&owner),
                create_zones: body.create_zones,
                zones_per_day: body.zones_per_day,
            });
            Ok(body.client(id.clone()))
        })?;
        Ok(client)
    }

    /// Adds a zone with its first key; the key's owner names the zone.
    pub fn add_zone(&self, zone: &NewZone) -> Result<KeyRecord, Error> {
        for _ in 0..MAX_DRAWS {
            let id = match &zone.id {
                Some(id) => id.clone(),
                None => ZoneId::generate()?,
            };
            match self.change(|tx| add_zone(tx, &id, zone)) {
                Err(Error::ZoneExists(_)) if zone.id.is_none() => {}
                added => return Ok(added?.0),
            }
        }
        Err(Error::EveryIdTaken(MAX_DRAWS))
    }

    /// Adds many zones that the same clients may open, each with its first key; `each` is told of
    /// every one as it has been added. Some are written at a time: after an error those that were
    /// told of are there.
    pub fn import_zones(
        &self,
        ids: &[ZoneId],
        clients: &Permitted,
        mut each: impl FnMut(KeyRecord) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for some in ids.chunks(at_once(clients)) {
            let (keys, _) = self.change(|tx| {
                let add = |id: &ZoneId| {
                    let zone = NewZone {
                        id: Some(id.clone()),
                        clients: clients.clone(),
                        creator: None,
                    };
                    add_zone(tx, id, &zone)
                };
                some.iter().map(add).collect::<Result<Vec<_>, _>>()
            })?;
            keys.into_iter().try_for_each(&mut each)?;
        }
        Ok(())
    }

    /// Lets a client open for a zone, or with [`Permitted::All`] every client. Answers who may
    /// then; no change if it may already.
    pub fn add_grant(&self, zone: &ZoneId, client: Option<&ClientId>) -> Result<Permitted, Error> {
        if let Some(client) = client {
            self.store.require_client(client)?;
        }
        self.change_grants(
            zone,
            |clients| match (client, clients) {
                (_, Permitted::All) => false,
                (Some(client), Permitted::Only(listed)) => listed.insert(client.clone()),
                (None, clients) => {
                    *clients = Permitted::All;
                    true
                }
            },
            |zone, client| Event::GrantAdded { zone, client },
            client,
        )
    }

    /// Takes the right to open for a zone from a client, or with `None` the `*` for all, so that
    /// nobody is left. Answers who still may.
    pub fn remove_grant(
        &self,
        zone: &ZoneId,
        client: Option<&ClientId>,
    ) -> Result<Permitted, Error> {
        if client.is_some() {
            let found = self.store.zone(zone)?;
            if found.is_some_and(|zone| zone.clients == Permitted::All) {
                return Err(Error::GrantedToAll(zone.clone()));
            }
        }
        self.change_grants(
            zone,
            |clients| match (client, clients) {
                (Some(client), Permitted::Only(listed)) => listed.remove(client),
                (None, clients @ Permitted::All) => {
                    *clients = Permitted::Only(BTreeSet::new());
                    true
                }
                _ => false,
            },
            |zone, client| Event::GrantRemoved { zone, client },
            client,
        )
    }

    fn change_grants(
        &self,
        id: &ZoneId,
        edit: impl Fn(&mut Permitted) -> bool,
        event: impl Fn(String, String) -> Event,
        client: Option<&ClientId>,
    ) -> Result<Permitted, Error> {
        let owner = Owner::Zone(id.clone());
        let name = RecordName::Owner(owner.clone());
        let (clients, _) = self.change(|tx| {
            let Some(mut body) = tx.read_json::<ZoneBody>(&name)? else {
                return Err(Error::UnknownZone(id.clone()));
            };
            if edit(&mut body.clients) {
                tx.put_json(&name, &body)?;
                let client = client.map_or("*".into(), |client| format!("client/{client}"));
                tx.log(event(label(&owner), client));
            }
            Ok(body.clients)
        })?;
        Ok(clients)
    }
}

/// How many zones for these clients are imported in one change: etcd takes little more than the
/// longest value in one.
fn at_once(clients: &Permitted) -> usize {
    let each = ZONE + 2 * json(clients).len();
    (MAX_VALUE / each).clamp(1, IMPORT)
}

fn add_zone(tx: &mut Transaction<'_>, id: &ZoneId, zone: &NewZone) -> Result<KeyRecord, Error> {
    if let Permitted::Only(clients) = &zone.clients {
        // Clients are never removed, so that what is read here still holds at the commit.
        for client in clients {
            tx.store().require_client(client)?;
        }
    }
    let owner = Owner::Zone(id.clone());
    let name = RecordName::Owner(owner.clone());
    if let Some(creator) = &zone.creator {
        count_zone(tx, creator)?;
    }
    if tx.is_taken(&name)? {
        return Err(Error::ZoneExists(id.clone()));
    }
    let key = keys::add(tx, &owner, 1)?;
    tx.put_json(
        &name,
        &ZoneBody {
            created: Timestamp::now(),
            creator: zone.creator.clone(),
            clients: zone.clients.clone(),
            active: 1,
            fate: Fate::Kept,
        },
    )?;
    tx.log(Event::ZoneAdded {
        zone: label(&owner),
        key: key.key_id.to_string(),
        clients: zone.clients.clone(),
    });
    Ok(key)
}

/// Checks that a client may create one more zone today, and counts it.
fn count_zone(tx: &mut Transaction<'_>, creator: &ClientId) -> Result<(), Error> {
    let name = RecordName::Owner(Owner::Client(creator.clone()));
    let Some(client) = tx.read_json::<ClientBody>(&name)? else {
        return Err(Error::UnknownClient(creator.clone()));
    };
    if !client.create_zones {
        return Err(Error::MayNotCreateZones(creator.clone()));
    }
    let Some(most) = client.zones_per_day else {
        return Ok(());
    };
    let usage = RecordName::Usage(creator.clone());
    let today = Timestamp::now().day();
    let used: UsageBody = tx.read_json(&usage)?.unwrap_or_default();
    // A clock that is set back by a day does not begin a new one; a day further ahead was none.
    let is_today = today <= used.day && used.day <= today + 1;
    let zones = if is_today { used.zones } else { 0 };
    if zones >= most {
        return Err(Error::ZonesUsedUp {
            client: creator.clone(),
            most,
        });
    }
    tx.put_json(
        &usage,
        &UsageBody {
            day: if is_today { used.day } else { today },
            zones: zones + 1,
        },
    )
}

impl Store {
    /// The client of this id.
    pub fn client(&self, id: &ClientId) -> Result<Option<Client>, Error> {
        let name = RecordName::Owner(Owner::Client(id.clone()));
        let body: Option<ClientBody> = self.read_json(&name)?;
        Ok(body.map(|body| body.client(id.clone())))
    }

    /// The zone of this id.
    pub fn zone(&self, id: &ZoneId) -> Result<Option<Zone>, Error> {
        let name = RecordName::Owner(Owner::Zone(id.clone()));
        let body: Option<ZoneBody> = self.read_json(&name)?;
        Ok(body.map(|body| body.zone(id.clone())))
    }

    /// A page of clients by id, those that follow `after`: at most `limit`, and at most
    /// [`MAX_PAGE`](crate::MAX_PAGE). An empty page is the end.
    pub fn clients(&self, after: Option<&ClientId>, limit: usize) -> Result<Vec<Client>, Error> {
        self.find_clients("", after, limit)
    }

    /// A page of those clients whose ids begin so, as [`Store::clients`].
    pub fn find_clients(
        &self,
        begins: &str,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<Client>, Error> {
        let after = after.map(|id| RecordName::Owner(Owner::Client(id.clone())));
        let page = self.find(Kind::Client, begins, after.as_ref(), limit)?;
        let client = |(name, body): (RecordName, ClientBody)| match name {
            RecordName::Owner(Owner::Client(id)) => Ok(body.client(id)),
            other => Err(self.altered(other.to_string())),
        };
        page.into_iter().map(client).collect()
    }

    /// A page of zones, as [`Store::clients`].
    pub fn zones(&self, after: Option<&ZoneId>, limit: usize) -> Result<Vec<Zone>, Error> {
        self.find_zones("", after, limit)
    }

    /// A page of those zones whose ids begin so, as [`Store::clients`].
    pub fn find_zones(
        &self,
        begins: &str,
        after: Option<&ZoneId>,
        limit: usize,
    ) -> Result<Vec<Zone>, Error> {
        let after = after.map(|id| RecordName::Owner(Owner::Zone(id.clone())));
        let page = self.find(Kind::Zone, begins, after.as_ref(), limit)?;
        let zone = |(name, body): (RecordName, ZoneBody)| match name {
            RecordName::Owner(Owner::Zone(id)) => Ok(body.zone(id)),
            other => Err(self.altered(other.to_string())),
        };
        page.into_iter().map(zone).collect()
    }

    /// A page of owners of a kind whose ids begin so: none where no id can.
    fn find<T: DeserializeOwned>(
        &self,
        kind: Kind,
        begins: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Vec<(RecordName, T)>, Error> {
        if !begins.is_empty() && ClientId::try_from(begins).is_err() {
            return Ok(Vec::new());
        }
        self.scan(&(RecordName::owners(kind) + begins), after, limit)
    }

    fn require_client(&self, id: &ClientId) -> Result<(), Error> {
        match self.client(id)? {
            Some(_) => Ok(()),
            None => Err(Error::UnknownClient(id.clone())),
        }
    }
}

/// An owner as the audit log names it.
pub(super) fn label(owner: &Owner) -> String {
    format!("{}/{}", owner.kind(), owner.id())
}

#[cfg(test)]
mod tests;
