//! Which channels the records of a partition have: one that is renamed at its source is only missing
//! from then on, and no record is refused for it.

/// Records that are looked at together.
const BLOCK: u32 = 256;
/// Records of a block that have a channel, from which on its absence from the next block is no chance.
const USUAL_MIN: u32 = 26;

/// What has become of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SchemaChange {
    /// A tenth of the records of a block or more had it, and none of the next.
    Gone,
    /// One that was gone comes again.
    Back,
}

impl SchemaChange {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Gone, Self::Back];

    /// Its name in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gone => "channel_gone",
            Self::Back => "channel_back",
        }
    }
}

/// Counts by channel. Begins anew with each ownership.
#[derive(Debug, Default)]
pub(super) struct Presence {
    records: u32,
    channels: Vec<Channel>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Channel {
    now: u32,
    before: u32,
    gone: bool,
}

impl Presence {
    /// Takes a record that could be read: for each channel whether it has the field, be it null. Returns
    /// what has changed, by the index of the channel.
    pub fn take(&mut self, present: impl Iterator<Item = bool>) -> Vec<(usize, SchemaChange)> {
        let mut changes = Vec::new();
        for (i, present) in present.enumerate() {
            if i == self.channels.len() {
                self.channels.push(Channel::default());
            }
            let channel = &mut self.channels[i];
            channel.now += u32::from(present);
            if present && channel.gone {
                channel.gone = false;
                changes.push((i, SchemaChange::Back));
            }
        }
        self.records += 1;
        if self.records == BLOCK {
            self.records = 0;
            let ends = self.channels.iter_mut().enumerate();
            let gone = ends.filter_map(|(i, c)| c.end().then_some((i, SchemaChange::Gone)));
            changes.extend(gone);
        }
        changes
    }
}

impl Channel {
    /// Ends a block; whether the channel is gone since.
    fn end(&mut self) -> bool {
        let gone = self.before >= USUAL_MIN && self.now == 0;
        self.gone |= gone;
        (self.before, self.now) = (self.now, 0);
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of so many records have channel 1; all have channel 0.
    fn changes(records: usize, has: impl Fn(usize) -> bool) -> Vec<(usize, (usize, SchemaChange))> {
        let mut presence = Presence::default();
        let told = |i| presence.take([true, has(i)].into_iter()).into_iter().map(move |c| (i, c));
        (0..records).flat_map(told).collect()
    }

    #[test]
    fn a_channel_that_is_renamed_is_told_once_and_its_return_once() {
        let found = changes(4_000, |i| !(1_000..3_000).contains(&i));
        // 1,000 lies in the block that ends with record 1,023.
        let gone = (1_279, (1, SchemaChange::Gone));
        assert_eq!(found, [gone, (3_000, (1, SchemaChange::Back))]);
    }

    #[test]
    fn a_channel_that_few_records_have_may_be_away() {
        assert_eq!(changes(10_000, |i| i % 400 == 0), []);
        assert_eq!(changes(10_000, |_| false), []);
        assert_eq!(changes(10_000, |i| i % 9 == 0), []);
    }
}
