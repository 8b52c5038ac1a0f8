//! What the log and the metrics are told.

use balancer::{Change, Event, Failure};

use crate::chooser::{Checker, Chooser};

impl<C: Checker> Chooser<C> {
    /// One line for the log, and the metrics.
    pub(super) fn tell(&self, event: &Event) {
        let (kind, name) = (C::NAME, &event.name);
        match &event.change {
            Change::Down {
                failure: Failure::Check | Failure::Connect,
            } => {
                let cause = self.lock().causes.get(&event.endpoint).cloned();
                let cause = cause.map(|it| it.what).unwrap_or_default();
                tracing::warn!(cause, "the {kind} {event}");
            }
            Change::Down { .. } => tracing::warn!("the {kind} {event}"),
            Change::Conflict { .. } | Change::Objected(_) => tracing::error!("the {kind} {event}"),
            _ => tracing::info!("the {kind} {event}"),
        }
        match event.change {
            Change::Up => self.counts.is_up(name, true),
            Change::Down { .. } => self.counts.is_up(name, false),
            Change::Conflict { .. } | Change::Objected(_) => self.counts.is_distrusted(name, true),
            Change::ConflictOver => self.counts.is_distrusted(name, false),
            Change::Removed => self.counts.removed(name),
            _ => {}
        }
    }
}
