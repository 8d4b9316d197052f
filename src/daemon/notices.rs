//! What happens to a shard without a record: verdicts, maintenance, values that are known
//! beforehand, and all of it again from the journal.

use std::collections::VecDeque;

use crate::engine::{Announced, Shard};
use crate::io::Notice;
use crate::io::snapshot::{JournalEntry, JournalKind};
use crate::record::{Announcement, Decided, Outbox};

/// Does again what the journal says happened before the record of `offset`.
pub(super) fn catch_up(
    shard: &mut Shard,
    journal: &mut VecDeque<JournalEntry>,
    offset: i64,
    outbox: &mut Outbox,
) {
    while journal.front().is_some_and(|entry| entry.next_offset <= offset) {
        let Some(entry) = journal.pop_front() else { return };
        match &entry.kind {
            JournalKind::CloseUntil { time } => shard.close_until(*time, outbox),
            JournalKind::Notice { notice } => drop(put_into_effect(shard, notice, outbox)),
        }
    }
}

/// Whether a notice takes the place of an earlier one.
pub(super) fn replaces(later: &Notice, earlier: &Notice) -> bool {
    match (later, earlier) {
        (Notice::Maintenance(later), Notice::Maintenance(earlier)) => later.id == earlier.id,
        _ => false,
    }
}

/// Puts into effect what people want. Returns whether that changed the shard.
pub(super) fn put_into_effect(shard: &mut Shard, notice: &Notice, outbox: &mut Outbox) -> bool {
    match notice {
        Notice::Verdict(feedback) => {
            let decided = shard.decide(feedback, outbox);
            let Decided::Applied { entity, learned, dropped } = decided else { return false };
            let verdict = feedback.verdict.word();
            tracing::info!(%entity, verdict, alert = feedback.alert_id, learned, dropped, "verdict");
            true
        }
        Notice::Maintenance(window) => {
            shard.settle(outbox);
            let before = shard.plan().windows().find(|known| known.id == window.id).cloned();
            shard.apply_maintenance(window.clone());
            let after = shard.plan().windows().find(|known| known.id == window.id);
            before.as_ref() != after
        }
        Notice::Known(news) => {
            shard.settle(outbox);
            let Announced { changed, refused } = shard.apply_announcement(news);
            if refused > 0 {
                let Announcement { entity, channel, .. } = news;
                tracing::warn!(entity, channel, refused, "no room for announced values");
            }
            changed
        }
    }
}
