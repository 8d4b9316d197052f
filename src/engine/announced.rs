//! Values that are known before their rows come, and what was heard of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{EventTime, Millis};

/// Most announced values of a shard.
const VALUES_MAX: usize = 262_144;
/// Most names of which values are kept although there is no such series here: it may come, or belong to
/// another partition.
const PENDING_MAX: usize = 4_096;
/// Announced values are kept so long after their row.
const KEPT: Millis = Millis::new(2 * 86_400_000);
/// Event time from one look for old values to the next.
const PRUNE_EVERY: Millis = Millis::new(3_600_000);

/// Announced values of one channel, by the start of their row.
pub(super) type Values = BTreeMap<EventTime, f64>;

/// What became of an announcement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Announced {
    /// The state is another than before.
    pub changed: bool,
    /// Values for which there was no room.
    pub refused: usize,
}

/// By series (empty for all) and channel.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Board {
    values: BTreeMap<String, BTreeMap<usize, Values>>,
    /// Position of the newest announcement that was heard.
    heard: BTreeMap<String, BTreeMap<usize, i64>>,
    #[serde(skip)]
    held: usize,
    #[serde(skip)]
    pruned_at: Option<EventTime>,
}

/// One announcement, on the grid.
pub(super) struct News<'a> {
    pub entity: &'a str,
    pub channel: usize,
    pub position: i64,
    pub first: i64,
    pub step: Millis,
    pub values: &'a [f64],
}

impl Board {
    /// A stored board, or the values of a state from before there was one.
    pub(super) fn restored(
        self,
        older: BTreeMap<String, BTreeMap<usize, Values>>,
        channels: usize,
    ) -> Self {
        let mut board = self;
        if board.values.is_empty() {
            board.values = older;
        }
        board.values.values_mut().for_each(|of| of.retain(|channel, _| *channel < channels));
        board.heard.values_mut().for_each(|of| of.retain(|channel, _| *channel < channels));
        board.sweep();
        board
    }

    /// Values of a series, by channel.
    pub(super) fn of(&self, entity: &str) -> Option<&BTreeMap<usize, Values>> {
        self.values.get(entity)
    }

    /// Takes an announcement, unless it is older than what was heard; `now` is the watermark, `is_here`
    /// tells which series there are.
    pub(super) fn take(
        &mut self,
        news: &News<'_>,
        now: Option<EventTime>,
        is_here: impl Fn(&str) -> bool,
    ) -> Announced {
        self.prune(now);
        let heard = self.heard.get(news.entity).and_then(|of| of.get(&news.channel));
        if heard.is_some_and(|heard| news.position <= *heard) {
            return Announced::default();
        }
        let at = |i: usize| {
            let at = news.first.saturating_add((i as i64).saturating_mul(news.step.get()));
            EventTime::from_millis(at)
        };
        let oldest = now.map(|now| now - KEPT);
        let new = news.values.iter().enumerate().map(|(i, value)| (at(i), *value));
        let new: Vec<_> = new.filter(|(at, _)| oldest.is_none_or(|oldest| oldest <= *at)).collect();
        if new.is_empty() {
            return Announced::default();
        }
        if !self.has_place_for(news.entity, is_here) {
            return Announced { changed: false, refused: new.len() };
        }
        let mut outcome = Announced::default();
        let channels = self.values.entry(news.entity.to_owned()).or_default();
        let values = channels.entry(news.channel).or_default();
        for (at, value) in new {
            if self.held >= VALUES_MAX && !values.contains_key(&at) {
                outcome.refused += 1;
                continue;
            }
            let before = values.insert(at, value);
            self.held += usize::from(before.is_none());
            outcome.changed |= before != Some(value);
        }
        let heard = self.heard.entry(news.entity.to_owned()).or_default();
        heard.insert(news.channel, news.position);
        if outcome.refused > 0 {
            self.sweep();
        }
        outcome
    }

    fn has_place_for(&self, entity: &str, is_here: impl Fn(&str) -> bool) -> bool {
        let known = entity.is_empty() || self.values.contains_key(entity) || is_here(entity);
        known || self.values.keys().filter(|name| !is_here(name)).count() < PENDING_MAX
    }

    /// Forgets what is long past; not at every announcement, since that looks at everything.
    fn prune(&mut self, now: Option<EventTime>) {
        let Some(now) = now else { return };
        if self.pruned_at.is_some_and(|last| now < last + PRUNE_EVERY) {
            return;
        }
        self.pruned_at = Some(now);
        let keep = |values: &mut Values| *values = values.split_off(&(now - KEPT));
        self.values.values_mut().flat_map(BTreeMap::values_mut).for_each(keep);
        self.sweep();
    }

    /// Forgets names without values, and counts.
    fn sweep(&mut self) {
        let Self { values, heard, held, .. } = self;
        values.values_mut().for_each(|of| of.retain(|_, values| !values.is_empty()));
        values.retain(|_, of| !of.is_empty());
        heard.retain(|entity, of| {
            let values = values.get(entity);
            of.retain(|channel, _| values.is_some_and(|values| values.contains_key(channel)));
            !of.is_empty()
        });
        *held = values.values().flat_map(BTreeMap::values).map(Values::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn news<'a>(entity: &'a str, position: i64, first: i64, values: &'a [f64]) -> News<'a> {
        News { entity, channel: 1, position, first: first * HOUR, step: Millis::new(HOUR), values }
    }

    fn at(hour: i64) -> Option<EventTime> {
        Some(EventTime::from_millis(hour * HOUR))
    }

    #[test]
    fn an_older_announcement_does_not_undo_a_newer_one() {
        let mut board = Board::default();
        let mut take = |position, values: &[f64]| {
            board.take(&news("a", position, 100, values), at(99), |_| true);
            board.of("a").and_then(|of| of[&1].first_key_value()).map(|(_, value)| *value)
        };
        assert_eq!(take(3, &[1.0]), Some(1.0));
        assert_eq!(take(7, &[2.0]), Some(2.0));
        // The topic is read again from its beginning.
        assert_eq!(take(3, &[1.0]), Some(2.0));
    }

    #[test]
    fn what_is_long_past_changes_nothing_and_is_forgotten() {
        let mut board = Board::default();
        let old = board.take(&news("a", 1, 0, &[1.0, 2.0]), at(100), |_| true);
        assert_eq!((old, board.of("a")), (Announced::default(), None));
        assert!(board.take(&news("a", 2, 101, &[1.0]), at(100), |_| true).changed);
        board.take(&news("b", 3, 160, &[1.0]), at(160), |_| true);
        assert_eq!((board.of("a"), board.held, board.heard.len()), (None, 1, 1));
    }

    #[test]
    fn names_without_a_series_are_bounded_and_what_is_refused_is_told() {
        let mut board = Board::default();
        let mut refused = 0;
        for i in 0..PENDING_MAX + 5 {
            let name = format!("other-{i}");
            refused += board.take(&news(&name, i as i64, 10, &[1.0]), at(9), |_| false).refused;
        }
        assert_eq!((refused, board.values.len()), (5, PENDING_MAX));
        let here = board.take(&news("here", 1, 10, &[1.0]), at(9), |name| name == "here");
        assert!(here.changed);
    }

    #[test]
    fn values_are_bounded_and_a_name_without_room_leaves_nothing_behind() {
        let mut board = Board::default();
        let many = vec![1.0; VALUES_MAX];
        assert_eq!(board.take(&news("a", 1, 10, &many), at(9), |_| true).refused, 0);
        let outcome = board.take(&news("b", 2, 10, &[1.0, 2.0]), at(9), |_| true);
        assert_eq!(outcome, Announced { changed: false, refused: 2 });
        assert!(board.of("b").is_none() && !board.heard.contains_key("b"));
        assert_eq!(board.held, VALUES_MAX);
    }
}
