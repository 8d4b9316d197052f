//! The detector of one series that looks at every row, with networks of its own.

use serde::{Deserialize, Serialize};

use super::spec::StreamSpec;
use crate::detect::multivariate::{BLOCK, FaultHint, Multivariate, MultivariateSpace, Tuning};
use crate::detect::univariate::{Scratch, Univariate};
use crate::record::{Contribution, EventTime, FaultClass};

/// Rows without a record that are told to a detector one by one; of a longer gap only so many.
const GAP_MAX: u64 = 64;

/// What judges the rows of a series: one channel by its own past, many by how they go together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Detector {
    Univariate(Box<Univariate>),
    Multivariate(Box<Multivariate>),
}

/// Scratch memory for the detectors of one stream.
#[derive(Debug)]
pub(super) enum Eyes {
    /// The stream is judged by the errors of its network.
    None,
    One(Scratch),
    Many(MultivariateSpace),
}

/// What a detector says of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Ranks rows.
    pub surprise: f64,
    /// `-log10` of a chance.
    pub evidence: f64,
    /// The same to a past that learns every row, of alerts, too. None of many channels: to their tracks
    /// that learn nothing is news for long, and alerts of their own cost budget (F1 on SKAB 0.84, with
    /// them 0.80).
    pub news: f64,
    /// Share of the warm-up that is over, while it is not.
    pub warming: Option<f64>,
    /// Expected value and band of the only channel.
    band: Option<[f64; 3]>,
}

impl Eyes {
    pub(super) fn new(spec: &StreamSpec) -> Self {
        match spec.channels.len() {
            _ if !spec.has_detectors() => Self::None,
            1 => Self::One(Scratch::default()),
            channels => Self::Many(MultivariateSpace::new(channels)),
        }
    }
}

impl Detector {
    /// A detector that knows nothing; `None` if the stream is judged by the errors of its network.
    pub(super) fn new(spec: &StreamSpec, seed: u64) -> Option<Self> {
        spec.has_detectors().then(|| match spec.channels.len() {
            1 => Self::Univariate(Box::new(Univariate::new(seed))),
            n => Self::Multivariate(Box::new(Multivariate::new(n, Tuning::default(), seed))),
        })
    }

    /// This detector, if it is of the shape of `fresh`.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        match (self, fresh) {
            (Self::Univariate(own), Self::Univariate(fresh)) => {
                Some(Self::Univariate(Box::new(own.adopt(fresh)?)))
            }
            (Self::Multivariate(own), Self::Multivariate(fresh)) => {
                Some(Self::Multivariate(Box::new(own.adopt(Multivariate::clone(fresh))?)))
            }
            _ => None,
        }
    }

    /// Judges a row by what was known before it; followed by [`Detector::learn`].
    pub(super) fn judge(&mut self, eyes: &mut Eyes, time: EventTime, values: &[f64]) -> Seen {
        match (self, eyes) {
            (Self::Univariate(detector), Eyes::One(scratch)) => {
                let said = detector.judge(scratch, time.as_millis(), values[0]);
                let band = Some([said.yhat, said.lower, said.upper]);
                let (surprise, evidence, news) = (said.surprise, said.evidence, said.news);
                Seen { surprise, evidence, news, warming: said.warming, band }
            }
            (Self::Multivariate(detector), Eyes::Many(space)) => {
                let said = detector.judge(values, space);
                let (surprise, evidence) = (said.surprise, said.evidence);
                Seen { surprise, evidence, news: 0.0, warming: said.warming, band: None }
            }
            _ => Seen { surprise: 0.0, evidence: 0.0, news: 0.0, warming: Some(0.0), band: None },
        }
    }

    /// Observed rows up to the first that may raise an alert.
    pub(super) fn warm_up_left(&self) -> u64 {
        match self {
            Self::Univariate(detector) => detector.warm_up_left(),
            Self::Multivariate(detector) => detector.warm_up_left(),
        }
    }

    /// Learns the row judged last, or, while the series is at fault, does not.
    pub(super) fn learn(&mut self, eyes: &mut Eyes, learn: bool) {
        match (self, eyes) {
            (Self::Univariate(detector), Eyes::One(scratch)) => detector.learn(scratch, learn),
            (Self::Multivariate(detector), Eyes::Many(space)) => detector.learn(learn, space),
            _ => {}
        }
    }

    /// Takes the row judged last for nothing that the series has done: no alert is the reason.
    pub(super) fn pass_over(&mut self, eyes: &mut Eyes) {
        match (self, eyes) {
            (Self::Univariate(detector), Eyes::One(scratch)) => detector.pass_over(scratch),
            (Self::Multivariate(detector), _) => detector.pass_over(),
            _ => {}
        }
    }

    /// Rows in which nothing was observed, the last of them one `step_ms` before `time`; `learn` as in
    /// [`Detector::learn`].
    pub(super) fn pass(
        &mut self,
        eyes: &mut Eyes,
        rows: u64,
        (time, step_ms): (EventTime, i64),
        learn: bool,
    ) {
        let channels = match self {
            Self::Univariate(_) => 1,
            Self::Multivariate(detector) => detector.channels(),
        };
        if let Self::Multivariate(detector) = self {
            detector.skip(rows.saturating_sub(GAP_MAX));
        }
        let nothing = vec![f64::NAN; channels];
        for back in (1..=rows.min(GAP_MAX)).rev() {
            let then = time.as_millis() - back as i64 * step_ms;
            self.judge(eyes, EventTime::from_millis(then), &nothing);
            self.learn(eyes, learn);
        }
    }

    /// P-value of a row which a share `share` of calm rows is below. That of many channels holds what was
    /// evident in the rows before: a calm row looks like the largest of a block.
    pub(super) fn rare(&self, share: f64) -> f64 {
        match self {
            Self::Univariate(_) => share,
            Self::Multivariate(_) => 1.0 - (1.0 - share).powf(1.0 / f64::from(BLOCK)),
        }
    }

    /// What an alert at the edge lifts the threshold by. Evidence of many statistics has a tail that is
    /// heavier than it says, the more of them were fitted to one channel; measured by false alerts on
    /// the public sets (NAB, SKAB). The errors of a network alone keep their promise: no lift.
    pub(super) fn looseness(&self) -> f64 {
        match self {
            Self::Univariate(_) => 0.4,
            Self::Multivariate(_) => 0.05,
        }
    }

    /// Nothing of the alert that fires is to be learned (one channel: many do not keep apart what they have
    /// learned of it).
    pub(super) fn never_learn(&mut self) {
        if let Self::Univariate(detector) = self {
            detector.never_learn();
        }
    }

    /// The next rows are calm, however unusual they look.
    pub(super) fn welcome(&mut self, rows: usize) {
        if let Self::Multivariate(detector) = self {
            detector.welcome(rows);
        }
    }

    /// What lasted, or what comes next, is normal from now on. Unless it is `watched`, nothing is judged
    /// until that is known.
    pub(super) fn accept_new_normal(&mut self, watched: bool) {
        match self {
            Self::Univariate(detector) => detector.accept_new_normal(watched),
            Self::Multivariate(detector) => detector.accept_new_normal(),
        }
    }

    /// Observed and expected values of the row judged last, and each channel's part.
    pub(super) fn explain(&self, seen: &Seen, values: &[f64]) -> Vec<Contribution> {
        match (self, seen.band) {
            (Self::Univariate(_), Some([yhat, lower, upper])) => {
                vec![Contribution { channel: 0, y: values[0], yhat, lower, upper, share: 1.0 }]
            }
            (Self::Multivariate(detector), _) => {
                let views = detector.explain().into_iter().zip(values).enumerate();
                let part = |(channel, (view, y)): (usize, (_, &f64))| {
                    let crate::detect::multivariate::SensorView {
                        yhat, lower, upper, share, ..
                    } = view;
                    Contribution { channel, y: *y, yhat, lower, upper, share }
                };
                views.map(part).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether one sensor or the process seems to be at fault, for the row judged last.
    pub(super) fn cause(&self) -> Option<FaultClass> {
        let Self::Multivariate(detector) = self else { return None };
        Some(match detector.hint()? {
            FaultHint::Sensor(channel) => FaultClass::Sensor(channel),
            FaultHint::Process => FaultClass::Process,
        })
    }
}
