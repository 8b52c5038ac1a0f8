//! Hears one server, and asks it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use control::{ClientError, News, Revocations};
use tunnel::{BadSerial, Serial, TooManyRevoked};

use super::prospects::Prospects;
use super::{Fleet, Server};

/// The first wait before a lost connection is made again; each further one is twice as long,
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// up to this one: a server that is back is seen within two seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How often a server is asked for what it does not tell by itself.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often for its settings, although they have not changed.
const SETTINGS_INTERVAL: Duration = Duration::from_secs(10);

/// Why a server is not listened to any more.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("its list of revoked certificates cannot be read: {0}")]
    Serial(#[from] BadSerial),
    #[error("its list of revoked certificates is too long: {0}")]
    TooMany(#[from] TooManyRevoked),
    #[error("its certificate was revoked")]
    Revoked,
}

/// Listens, and connects again whenever the connection is lost.
pub async fn listen(server: Arc<Server>, fleet: Arc<Fleet>) {
    let mut wait = FIRST_WAIT;
    loop {
        let begun = Instant::now();
        let Err(error) = hear(&server, &fleet).await;
        let was_heard = server.lock().heard.is_some_and(|at| at >= begun);
        let is_news = server.lock().silent.replace(error.to_string()).is_none();
        if is_news {
            tracing::warn!(%error, server = server.address, "the server is not heard");
        }
        fleet.has_changed();
        wait = match was_heard {
            true => FIRST_WAIT,
            false => LONGEST_WAIT.min(wait * 2),
        };
        tokio::time::sleep(wait).await;
    }
}

/// One connection, to its end.
async fn hear(server: &Server, fleet: &Fleet) -> Result<Infallible, Unheard> {
    let mut watch = server.client.watch().await?;
    let serial = watch.server.serial.clone();
    let hear = async {
        loop {
            let news = watch.next().await?;
            if let Some(revocations) = &news.revocations {
                take_over(fleet, revocations)?;
            }
            if server.told(news) {
                fleet.has_changed();
            }
        }
    };
    tokio::select! {
        ended = hear => ended,
        () = fleet.revoked.revoked(&serial) => Err(Unheard::Revoked),
    }
}

fn take_over(fleet: &Fleet, revocations: &Revocations) -> Result<(), Unheard> {
    let (now, age) = (Instant::now(), Duration::from_millis(revocations.age_ms));
    let Some(serials) = &revocations.serials else {
        return Ok(());
    };
    let serials = serials.iter().map(|serial| serial.parse::<Serial>());
    let serials = serials.collect::<Result<Vec<_>, _>>()?;
    fleet.revoked.hear(revocations.number, serials, now, age)?;
    Ok(())
}

/// Asks for the status every second, and for the settings when they have changed.
pub async fn ask(server: Arc<Server>, fleet: Arc<Fleet>) {
    let mut settings_asked = Instant::now();
    loop {
        let asked = Instant::now();
        match server.client.status().await {
            Ok(mut status) => {
                // They are not shown, and long where there are many sessions.
                status.access = Vec::new();
                status.owners = Vec::new();
                let has_new_settings = {
                    let mut known = server.lock();
                    known.rates.note(status.values, asked);
                    known.prospects.note(status.by_zone_mode, asked);
                    let shown = known.settings.as_ref().map(|it| (it.number, it.taken));
                    let is_new = known.settings_due
                        || shown != Some((status.settings.number, status.settings.taken));
                    known.unanswered = None;
                    known.status = Some(status);
                    is_new
                };
                if has_new_settings || settings_asked.elapsed() >= SETTINGS_INTERVAL {
                    settings_asked = asked;
                    if let Err(error) = server.ask_settings().await {
                        server.lock().unanswered = Some(error.to_string());
                    }
                }
            }
            Err(error) => {
                let mut known = server.lock();
                known.unanswered = Some(error.to_string());
                known.rates.missed();
                known.prospects = Prospects::default();
            }
        }
        fleet.has_changed();
        // Woken, it asks at once.
        let _ = tokio::time::timeout(INTERVAL, server.wake.notified()).await;
    }
}

impl Server {
    /// Takes note of what it tells. Gives whether that is to be shown.
    fn told(&self, news: News) -> bool {
        let mut known = self.lock();
        known.heard = Some(Instant::now());
        let is_back = known.silent.take().is_some();
        if is_back {
            known.settings_due = true;
            tracing::info!(server = self.address, "the server is heard again");
            self.wake();
        }
        let Some(standing) = news.standing else {
            return is_back;
        };
        let before = known.standing.as_ref().map(|it| it.settings);
        if before != Some(standing.settings) {
            // What it began with, nobody here has seen it take over.
            known.took = before.map(|_| SystemTime::now());
            self.wake();
        }
        known.standing = Some(standing);
        true
    }
}
