//! States that were stored, by this version or by one of before.

use super::Tuning;
use super::evidence::Blocks;
use super::memory::Memory;
use super::related::Related;
use super::running::Running;
use super::track::Track;

impl Running {
    /// What is stored, with what states of before lack.
    pub(super) fn completed(mut self, channels: usize, tuning: &Tuning) -> Self {
        self.memory = self.memory.completed(channels, tuning);
        self.tracking = self.tracking.completed(channels, tuning);
        self
    }

    pub(super) fn fits(&self, channels: usize, tuning: &Tuning) -> bool {
        self.predictor.fits(channels)
            && self.finder.fits(channels)
            && self.memory.fits(channels, tuning)
            && self.tracking.fits(channels, tuning)
            && self.lately.len() == channels
    }
}

impl Memory {
    /// This memory with its tracks as they are made now, and those of sensors that one from before there
    /// were so many lacks: they know where each sensor is as after a first fit, and have no say before
    /// they have seen blocks of their own. One that does not [fit](Self::fits) anyway stays as it is.
    pub(super) fn completed(mut self, channels: usize, tuning: &Tuning) -> Self {
        let tracks = self.raw.iter_mut().zip(&tuning.raw);
        let tracks = tracks.chain(self.error_tracks.iter_mut().zip(&tuning.errors));
        tracks.for_each(|(track, how)| track.make(*how));
        self.related = self.related.map(Related::completed);
        if self.calibration.len() < self.raw.len() || !self.sensors.fits(channels) {
            return self;
        }
        for how in tuning.raw.iter().skip(self.raw.len()) {
            let track = Track::new(*how, &self.sensors, channels, tuning.first_fit as f64);
            self.calibration.insert(self.raw.len(), Blocks::new(1.0));
            self.raw.push(track);
        }
        self
    }

    pub(super) fn fits(&self, channels: usize, tuning: &Tuning) -> bool {
        self.sensors.fits(channels)
            && self.errors.fits(channels)
            && (self.raw.len(), self.error_tracks.len()) == (tuning.raw.len(), tuning.errors.len())
            && self.related.as_ref().is_none_or(|related| related.fits(channels))
            && self.before.fits()
            && self.range.as_ref().is_none_or(|range| range.fits(channels))
            && self.calibration.len() == tuning.raw.len() + tuning.errors.len()
            && self.raw.iter().chain(&self.error_tracks).all(|track| track.fits(channels))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lift, new, plant, run};
    use super::super::{Multivariate, MultivariateSpace};
    use super::*;

    /// Each memory as another version might have stored it.
    fn change(detector: &mut Multivariate, how: impl Fn(&mut Memory)) {
        let running = detector.running.as_mut().expect("it runs");
        [&mut running.memory, &mut running.tracking].into_iter().for_each(how);
    }

    /// Another version had one track of the sensors: its state is taken, and soon says what it would have
    /// said with both.
    #[test]
    fn a_state_with_fewer_tracks_is_completed() {
        let mut rows = plant(2_400, 11);
        lift(&mut rows[2_000..2_030], 5.0);
        let (mut detector, mut space) = new();
        run(&mut detector, &mut space, &rows[..1_000]);
        change(&mut detector, |memory| {
            memory.raw.pop();
            memory.calibration.remove(memory.raw.len());
        });
        let mut detector = detector.adopt(new().0).expect("it is completed");
        let evidence = run(&mut detector, &mut space, &rows[1_000..]);
        assert!(evidence[..1_000].iter().all(|e| *e < 3.7), "calm");
        assert!(evidence[1_000..1_030].iter().any(|e| *e > 5.0), "a fault");
        let (mut other, mut space) =
            (Multivariate::new(2, Tuning::default(), 1), MultivariateSpace::new(2));
        run(&mut other, &mut space, &vec![vec![1.0, 2.0]; 500]);
        assert!(other.adopt(new().0).is_none(), "of two sensors");
    }

    /// Another version did not look at the phase of the long track: this one does, and says the same
    /// where there is no period.
    #[test]
    fn a_track_is_made_as_this_version_makes_it() {
        let rows = plant(1_600, 12);
        let (mut detector, mut space) = new();
        run(&mut detector, &mut space, &rows[..1_000]);
        let mut stored = detector.clone();
        change(&mut stored, |memory| {
            let plain = Tuning::default().raw[0];
            memory.raw[1].make(plain);
        });
        let mut adopted = stored.adopt(new().0).expect("it is made anew");
        let [a, b] =
            [&mut detector, &mut adopted].map(|detector| run(detector, &mut space, &rows[1_000..]));
        assert_eq!(a, b);
    }
}
