//! The latent experts of one series: networks that are trained on the series, or one that is trained on
//! all of its shard, with the heads that read their codes.
//!
//! Network and head are swapped together.

use serde::{Deserialize, Serialize};

use super::ForecastParams;
use super::design::Design;
use super::encoder::Encoder;
use super::head::{LatentHead, Plan, Scratch};
use super::shared::Shared;

/// The latent experts of a series: one, or with a cross-fitted one beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Latent {
    heads: Vec<LatentHead>,
    /// Own networks: what is trained, and what is used until the next version. Empty if shared.
    nets: Vec<Net>,
    refreshes: u64,
}

/// A network in training, and its last version that the head knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Net {
    trainee: Encoder,
    /// `None` while it is the trainee itself.
    used: Option<Encoder>,
}

impl Net {
    fn used(&self) -> &Encoder {
        self.used.as_ref().unwrap_or(&self.trainee)
    }
}

impl Latent {
    pub(super) fn new(params: &ForecastParams, design: &Design, seed: u64) -> Self {
        let latent = &params.latent;
        let crossed = latent.cross_fitted && !params.shared;
        let sides: &[Option<usize>] = if crossed { &[None, Some(0), Some(1)] } else { &[None] };
        let net = |i: usize| {
            let seed = seed.wrapping_add((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            Net { trainee: Encoder::new(design, latent, seed), used: None }
        };
        let nets = if params.shared { 0 } else { sides.len() };
        Self {
            heads: sides.iter().map(|side| LatentHead::new(design, latent, *side)).collect(),
            nets: (0..nets).map(net).collect(),
            refreshes: 0,
        }
    }

    pub(super) fn adopt(self, fresh: Self) -> Option<Self> {
        let like = self.heads.len() == fresh.heads.len()
            && self.nets.len() == fresh.nets.len()
            && self.heads.iter().zip(&fresh.heads).all(|(a, b)| a.is_like(b));
        like.then_some(())?;
        let nets = self.nets.into_iter().zip(fresh.nets).map(|(net, fresh)| {
            let used = match net.used {
                Some(used) => Some(used.adopt(&fresh.trainee)?),
                None => None,
            };
            Some(Net { trainee: net.trainee.adopt(&fresh.trainee)?, used })
        });
        Some(Self { nets: nets.collect::<Option<_>>()?, ..self })
    }

    /// Experts it counts for.
    pub(super) fn experts(&self) -> usize {
        if self.heads.len() > 1 { 2 } else { 1 }
    }

    /// Training steps behind the newest network in use.
    pub(super) fn version(&self) -> u64 {
        self.heads.first().and_then(|head| head.version).unwrap_or(0)
    }

    /// A season is over: train, take over a version if it is time, fit the weights.
    pub(super) fn refresh(
        &mut self,
        plan: &Plan<'_>,
        r: usize,
        shared: Option<&Shared>,
        scratch: &mut Scratch,
    ) {
        let every = u64::from(plan.latent().refresh.max(1));
        let swap = self.refreshes.is_multiple_of(every);
        for (i, head) in self.heads.iter_mut().enumerate() {
            let Some(net) = self.nets.get_mut(i) else {
                match shared.map(Shared::current) {
                    Some(encoder) if head.version != Some(encoder.version) => {
                        head.rebuild(plan, r, encoder, scratch);
                    }
                    _ => head.solve(plan),
                }
                continue;
            };
            if every > 1 && net.used.is_none() {
                net.used = Some(net.trainee.clone());
            }
            head.train(plan, r, &mut net.trainee, scratch);
            if swap || head.version.is_none() {
                net.used = (every > 1).then(|| net.trainee.clone());
                head.rebuild(plan, r, net.used(), scratch);
            } else {
                head.solve(plan);
            }
        }
        self.refreshes += u64::from(!plan.memory(r).is_empty());
    }

    /// Takes an origin whose targets are now known, where the sums go on.
    pub(super) fn learn(
        &mut self,
        plan: &Plan<'_>,
        t: usize,
        shared: Option<&Shared>,
        scratch: &mut Scratch,
    ) {
        if self.nets.is_empty() {
            for head in &mut self.heads {
                let encoder = shared.zip(head.version).and_then(|(s, v)| s.version(v));
                if let Some(encoder) = encoder {
                    head.learn(plan, t, encoder, scratch);
                }
            }
        } else if plan.latent().refresh > 1 {
            for (head, net) in self.heads.iter_mut().zip(&self.nets) {
                if head.parity.is_none_or(|own| plan.parity(t) != own) {
                    head.learn(plan, t, net.used(), scratch);
                }
            }
        }
    }

    /// Forecasts of row `t`'s origin, standardised; NaN where there is none. One list an expert.
    pub(super) fn say(
        &self,
        plan: &Plan<'_>,
        (t, own): (usize, &[f64]),
        shared: Option<&Shared>,
        scratch: &mut Scratch,
        mut put: impl FnMut(usize, &[f64]),
    ) {
        let horizons = plan.design.horizons.len();
        for expert in 0..self.experts() {
            let heads = if expert == 0 { 0..1 } else { 1..self.heads.len() };
            let share = 1.0 / heads.len() as f64;
            let mut said = vec![0.0; horizons];
            let whole = heads.into_iter().all(|i| {
                let head = &self.heads[i];
                let encoder = match self.nets.get(i) {
                    Some(net) => Some(net.used()),
                    None => shared.zip(head.version).and_then(|(s, v)| s.version(v)),
                };
                encoder.is_some_and(|e| head.say(plan, (t, own, share), e, scratch, &mut said))
            });
            if !whole {
                said.fill(f64::NAN);
            }
            put(expert, &said);
        }
    }

    pub(super) fn state_bytes(&self) -> usize {
        let nets = self.nets.iter().map(|net| {
            net.trainee.state_bytes() + net.used.as_ref().map_or(0, Encoder::state_bytes)
        });
        self.heads.iter().map(LatentHead::state_bytes).sum::<usize>() + nets.sum::<usize>()
    }
}
