//! What holds for Patroni's documents, whatever bytes they are: for the workspace's fuzz targets.

use std::time::{Duration, SystemTime};

use control::DatabaseRole;
use serde_json::Value;

use super::{moment, status};

/// A document says what its JSON does, read as any other; and a moment in it is the same in another
/// time zone.
pub fn patroni(document: &[u8]) {
    if let Ok(text) = str::from_utf8(document) {
        moment(text);
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let Ok(answer) = status::parse(document, now) else {
        return;
    };
    // In a field that is passed over, a text need not be one.
    let json: Value = serde_json::from_slice(document).unwrap_or_default();
    if !(json.is_object() && json["xlog"].is_object()) {
        // What reads objects takes lists for them.
        return;
    }
    assert_eq!(json["state"], "running");
    let (role, position) = match json["role"].as_str() {
        Some("master" | "primary") => (DatabaseRole::Primary, "location"),
        _ => (DatabaseRole::Replica, "replayed_location"),
    };
    assert_eq!(answer.standing.role, role);
    let told = json["xlog"][position].as_u64();
    assert_eq!(Some(answer.standing.position), told);
    let timeline = json["timeline"].as_u64().unwrap_or_default();
    assert_eq!(u64::from(answer.standing.timeline), timeline);
    let lineage = answer.standing.lineage;
    let system = json["database_system_identifier"].as_str();
    assert_eq!(lineage.system, system.and_then(|text| text.parse().ok()));
    assert_eq!(Some(answer.version.into()), json["server_version"].as_u64());
    assert_eq!(answer.following.is_some(), role == DatabaseRole::Replica);
    if let Some(following) = answer.following {
        assert_eq!(
            following.received,
            json["xlog"]["received_location"].as_u64()
        );
        assert_eq!(following.paused, json["xlog"]["paused"] == true);
    }
}

fn moment(text: &str) {
    let Some(then) = moment::parse(text) else {
        return;
    };
    let local = text.strip_suffix("+00:00");
    let Some(east) = local.and_then(|local| moment::parse(&format!("{local}+01:30"))) else {
        return;
    };
    assert_eq!(
        then.duration_since(east).ok(),
        Some(Duration::from_secs(5400))
    );
}
