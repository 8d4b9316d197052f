//! Seeds and ids that are the same on every replay, whatever order series appear in.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::record::{AlertKind, EventTime, hex};

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

/// `a-` and 12 hex digits for the alert of an entity that started at a time.
pub(super) fn alert_id(stream: &str, entity: &str, starts_at: EventTime) -> String {
    let start = starts_at.as_millis().to_string();
    format!("a-{}", hex(&digest(0, &["alert", stream, entity, &start])[..6]))
}

/// The same for a kind; that of an anomaly is as it was when there were no others.
pub(super) fn kind_alert_id(
    stream: &str,
    entity: &str,
    starts_at: EventTime,
    kind: AlertKind,
) -> String {
    if kind == AlertKind::Anomaly {
        return alert_id(stream, entity, starts_at);
    }
    let start = starts_at.as_millis().to_string();
    format!("a-{}", hex(&digest(0, &["alert", stream, entity, &start, kind.word()])[..6]))
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
        assert_eq!(alert_id("s", "e", at), alert_id("s", "e", at));
        assert_ne!(alert_id("s", "e", at), alert_id("se", "", at));
        assert_ne!(seed(1, &["ab", "c"]), seed(1, &["a", "bc"]));
        assert_ne!(seed(1, &["a"]), seed(2, &["a"]));
        assert_eq!(alert_id("s", "e", at).len(), 14);
        let ids = AlertKind::ALL.map(|kind| kind_alert_id("s", "e", at, kind));
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
        assert_eq!(ids[0], alert_id("s", "e", at));
    }
}
