//! What happens to a shard without a record: verdicts, maintenance, values that are known
//! beforehand, and all of it again from the journal.

use std::collections::{BTreeSet, VecDeque};

use crate::alert::Planned;
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
    while let Some(entry) = journal.pop_front_if(|entry| entry.next_offset <= offset) {
        match &entry.kind {
            JournalKind::CloseUntil { time } => shard.close_until(*time, outbox),
            JournalKind::Notice { notice } => {
                put_into_effect(shard, notice, outbox);
            }
        }
    }
}

/// What became of a notice in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The shard is another than before.
    Changed,
    /// It is not for this shard, or was heard before.
    None,
    /// A verdict on an alert that the shard does not know.
    Unknown,
    /// There is no room for all of it. What there is room for has changed the shard.
    NoRoom {
        /// There was room for some.
        changed: bool,
    },
}

impl Effect {
    /// The shard is another than before.
    pub fn has_changed(self) -> bool {
        matches!(self, Self::Changed | Self::NoRoom { changed: true })
    }
}

/// What the partitions of this process have not made of the notices, by number.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// Verdicts of which no partition has known the alert so far.
    pub unknown: BTreeSet<u64>,
    /// Notices for which a partition had no room, since this was looked at last.
    pub no_room: u64,
}

impl Refused {
    /// Takes note of what became of a notice in one partition.
    pub fn note(&mut self, number: u64, notice: &Notice, effect: Effect) {
        if matches!(notice, Notice::Verdict(_)) && effect != Effect::Unknown {
            self.unknown.remove(&number);
        }
        self.no_room += u64::from(matches!(effect, Effect::NoRoom { .. }));
    }
}

/// Whether a notice takes the place of an earlier one.
pub(super) fn replaces(later: &Notice, earlier: &Notice) -> bool {
    match (later, earlier) {
        (Notice::Maintenance(later), Notice::Maintenance(earlier)) => later.id == earlier.id,
        _ => false,
    }
}

/// Puts into effect what people want.
pub(super) fn put_into_effect(shard: &mut Shard, notice: &Notice, outbox: &mut Outbox) -> Effect {
    match notice {
        Notice::Verdict(feedback) => {
            let (entity, learned, dropped) = match shard.decide(feedback, outbox) {
                Decided::Applied { entity, learned, dropped } => (entity, learned, dropped),
                Decided::Heard => return Effect::None,
                Decided::Unknown => return Effect::Unknown,
            };
            let verdict = feedback.verdict.word();
            tracing::info!(%entity, verdict, alert = feedback.alert_id, learned, dropped, "verdict");
            Effect::Changed
        }
        Notice::Maintenance(window) => {
            shard.settle(outbox);
            match shard.apply_maintenance(window.clone()) {
                Planned::Changed => Effect::Changed,
                Planned::Unchanged => Effect::None,
                Planned::Refused => {
                    tracing::warn!(id = window.id, until = %window.until, "no room for maintenance");
                    Effect::NoRoom { changed: false }
                }
            }
        }
        Notice::Known(news) => {
            shard.settle(outbox);
            let Announced { changed, refused } = shard.apply_announcement(news);
            if refused > 0 {
                let Announcement { entity, channel, .. } = news;
                tracing::warn!(entity, channel, refused, "no room for announced values");
                return Effect::NoRoom { changed };
            }
            if changed { Effect::Changed } else { Effect::None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Feedback, Verdict};

    /// A verdict reaches all partitions; it is unknown only if none of them knows it.
    #[test]
    fn a_verdict_is_unknown_if_no_partition_knows_its_alert() {
        let verdict = Notice::Verdict(Feedback {
            alert_id: "a-000000000000".into(),
            verdict: Verdict::Expected,
            position: 1,
        });
        let mut refused = Refused::default();
        refused.unknown.extend([7, 8]);
        for (number, effect) in [(7, Effect::Unknown), (7, Effect::Changed), (8, Effect::Unknown)] {
            refused.note(number, &verdict, effect);
        }
        refused.note(9, &verdict, Effect::NoRoom { changed: true });
        assert_eq!((refused.unknown, refused.no_room), (BTreeSet::from([8]), 1));
    }
}
