//! The steps between a key that is known and its use: all that must hold before a private key is
//! touched. The opener walks them for a row, and `control::why` for whoever asks about a value.
//!
//! Which key it is comes before, and whether the value is authentic after.

use control::ZoneMode;
use envelope::{ClientId, Envelope, Kind, Owner, PrivateKey, ScheduleId, ZoneId};
use keystore::{OpenKey, Use};

use crate::metrics::Reason;

/// What was found.
pub struct Looked<'k> {
    mode_opens: bool,
    others: Result<Allowed<'k>, Reason>,
}

/// A key that may be used for a value: every step holds. Only [`Looked`] hands it out.
pub struct Allowed<'k> {
    /// The private half.
    pub private: &'k PrivateKey,
    /// The zone whose tag stands before the value; none for a client's.
    pub tag: Option<&'k ZoneId>,
}

/// The schedule that opens an envelope, if its suite and flags are known.
pub fn schedule_id(envelope: &Envelope<'_>) -> Result<ScheduleId, Reason> {
    envelope.schedule_id().map_err(|_| Reason::Unsupported)
}

/// Looks at a value sealed to `key`, on its way to `client`. `is_tagged` says whether a zone's tag
/// stands before it, and is asked last but one: it is dear.
pub fn look<'k>(
    key: &'k OpenKey,
    client: &ClientId,
    zone_mode: ZoneMode,
    is_tagged: impl FnOnce(&ZoneId) -> bool,
) -> Looked<'k> {
    Looked {
        mode_opens: mode_opens(zone_mode, key.owner.kind()),
        others: others(key, client, is_tagged),
    }
}

impl<'k> Looked<'k> {
    /// The key, to be used; or the first step that does not hold.
    pub fn allowed(self) -> Result<Allowed<'k>, Reason> {
        match self.mode_opens {
            true => self.others,
            false => Err(Reason::ZoneMode),
        }
    }

    /// Whether zone mode opens this kind of owner.
    pub fn mode_opens(&self) -> bool {
        self.mode_opens
    }

    /// The first step that does not hold beside zone mode, if there is one. Without one, the value
    /// opens in another mode, unless it is forged.
    pub fn without_mode(&self) -> Option<Reason> {
        self.others.as_ref().err().copied()
    }
}

/// Whether a mode opens values that are sealed to this kind of owner.
pub fn mode_opens(zone_mode: ZoneMode, kind: Kind) -> bool {
    matches!(
        (zone_mode, kind),
        (ZoneMode::Mixed, _) | (ZoneMode::Off, Kind::Client) | (ZoneMode::On, Kind::Zone)
    )
}

fn others<'k>(
    key: &'k OpenKey,
    client: &ClientId,
    is_tagged: impl FnOnce(&ZoneId) -> bool,
) -> Result<Allowed<'k>, Reason> {
    // The owner is this session's client, or lets it open.
    if !key.permits(client) {
        return Err(Reason::NotPermitted);
    }
    // A zone's tag stands before the value.
    let tag = match &key.owner {
        Owner::Client(_) => None,
        Owner::Zone(zone) if is_tagged(zone) => Some(zone),
        Owner::Zone(_) => return Err(Reason::NotTagged),
    };
    match &key.private {
        Use::Opens(private) => Ok(Allowed { private, tag }),
        Use::Withheld(why) => Err((*why).into()),
    }
}
