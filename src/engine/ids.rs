//! Seeds and ids that are the same on every replay, whatever order series appear in.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::record::{AlertKind, EventTime, hex, is_alert_id};

/// A random seed for the network named by `parts`, derived from the configured seed.
pub(super) fn seed(root: u64, parts: &[&str]) -> u64 {
    let digest = digest(root, parts);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(bytes)
}

/// Name of the latent coordinates of the network named by `parts`.
pub(super) fn latent_space_id(root: u64, parts: &[&str]) -> Arc<str> {
    Arc::from(hex(&digest(root, parts)[8..12]))
}

/// The bytes behind the id of an alert.
pub(super) type AlertKey = [u8; 6];

/// Of the alert of an entity and kind that started at a time; those of anomalies are as they were when
/// there were no other kinds.
pub(super) fn alert_key(
    stream: &str,
    entity: &str,
    starts_at: EventTime,
    kind: AlertKind,
) -> AlertKey {
    let start = starts_at.as_millis().to_string();
    let parts = ["alert", stream, entity, &start, kind.word()];
    let parts = if kind == AlertKind::Anomaly { &parts[..4] } else { &parts };
    let mut key = AlertKey::default();
    key.copy_from_slice(&digest(0, parts)[..6]);
    key
}

/// `a-` and 12 hex digits.
pub(super) fn alert_id(key: AlertKey) -> String {
    format!("a-{}", hex(&key))
}

/// The key of an id; `None` for what is no id.
pub(super) fn key_of(alert_id: &str) -> Option<AlertKey> {
    let digits = alert_id.strip_prefix("a-").filter(|_| is_alert_id(alert_id))?;
    let mut key = AlertKey::default();
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

/// The id of the alert of an entity and kind that started at a time.
pub(super) fn kind_alert_id(
    stream: &str,
    entity: &str,
    starts_at: EventTime,
    kind: AlertKind,
) -> String {
    alert_id(alert_key(stream, entity, starts_at, kind))
}

fn digest(root: u64, parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(root.to_le_bytes());
    for part in parts {
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_every_part_and_repeat() {
        let at = EventTime::from_millis(5);
        let id = |stream, entity| kind_alert_id(stream, entity, at, AlertKind::Anomaly);
        assert_eq!(id("s", "e"), id("s", "e"));
        assert_ne!(id("s", "e"), id("se", ""));
        assert_ne!(seed(1, &["ab", "c"]), seed(1, &["a", "bc"]));
        assert_ne!(seed(1, &["a"]), seed(2, &["a"]));
        let keys = AlertKind::ALL.map(|kind| alert_key("s", "e", at, kind));
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
        assert_eq!(keys.map(|key| key_of(&alert_id(key))), keys.map(Some));
        for other in [
            "",
            "a-",
            "b-0123456789ab",
            "a-0123456789a",
            "a-0123456789xy",
            "a-ü0123456789",
            "a-+123456789ab",
        ] {
            assert_eq!(key_of(other), None, "{other}");
        }
    }
}
