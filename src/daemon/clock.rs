//! The only clock of the process. Everything that needs to know what time it is asks here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::record::{EventTime, Millis};

/// A steady clock and the wall clock, both of the system or both set by hand.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System(Instant),
    /// Milliseconds.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The clock of the system.
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// A clock that stands still until [`Clock::advance`]; clones move together.
    pub fn manual(now: EventTime) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(now.as_millis()))))
    }

    /// Moves a manual clock; the system's clock moves by itself.
    pub fn advance(&self, by: Millis) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(by.get(), Ordering::SeqCst);
        }
    }

    /// Time since some fixed instant; never goes back.
    pub fn steady(&self) -> Duration {
        match &self.0 {
            Source::System(start) => start.elapsed(),
            Source::Manual(now) => Millis::new(now.load(Ordering::SeqCst)).to_duration(),
        }
    }

    /// Time of day. May jump when the system's clock is set.
    #[expect(clippy::disallowed_methods, reason = "this is the only clock")]
    pub fn wall(&self) -> EventTime {
        let millis = match &self.0 {
            Source::System(_) => match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
                // A clock before 1970 is not set; only a latency metric reads this.
                Err(_) => 0,
            },
            Source::Manual(now) => now.load(Ordering::SeqCst),
        };
        EventTime::from_millis(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_with_its_clones() {
        let clock = Clock::manual(EventTime::from_millis(5_000));
        let clone = clock.clone();
        clone.advance(Millis::new(250));
        assert_eq!(clock.steady(), Duration::from_millis(5_250));
        assert_eq!(clock.wall(), EventTime::from_millis(5_250));
    }
}
