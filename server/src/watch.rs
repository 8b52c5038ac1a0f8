//! Tells a peer, for as long as it listens, what is new: the body of `GET /v1/watch`.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use control::{HEARTBEAT, News, Revocations};
use http_body_util::channel::Sender;
use tunnel::{List, Revoked};

/// A peer that does not take a line for this long hears no more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes a line at once, one at each change, and one at each heartbeat, until nobody listens.
pub async fn tell(revoked: Revoked, mut lines: Sender<Bytes, Infallible>) {
    let mut told = None;
    loop {
        let list = revoked.list();
        let news = News {
            revocations: Some(revocations(&list, told.as_ref(), &revoked)),
        };
        let Ok(mut line) = serde_json::to_vec(&news) else {
            return;
        };
        line.push(b'\n');
        let sent = tokio::time::timeout(PATIENCE, lines.send_data(line.into())).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
        tokio::select! {
            _ = revoked.changed(&list) => {}
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        told = Some(list);
    }
}

fn revocations(list: &List, told: Option<&List>, revoked: &Revoked) -> Revocations {
    let all = || {
        let serials = list.serials.iter();
        serials.map(|serial| serial.as_str().to_owned()).collect()
    };
    let age = revoked.age(Instant::now());
    Revocations {
        number: list.number.unwrap_or_default(),
        serials: (told != Some(list)).then(all),
        age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
    }
}
