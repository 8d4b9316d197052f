//! Draft.

mod calibration;
mod clock;
mod cycle;
mod discord;
mod masked;
mod normal;
mod period;
mod short;
mod spans;
mod tail;
mod track;

use serde::{Deserialize, Serialize};

use crate::model::MlpSpace;
use calibration::{BlockMax, HourScale};
use clock::Clock;
use cycle::Cycle;
use discord::Discord;
use normal::Normal;
use short::ShortNet;
use spans::Spans;
use tail::LogTail;
use track::Track;

/// Scratch memory.
#[derive(Debug)]
pub struct Scratch {
    short: MlpSpace,
    cycle: MlpSpace,
}

impl Scratch {
    /// For any number of detectors.
    pub fn new() -> Self {
        Self { short: ShortNet::new(0).space(), cycle: Cycle::new(1, 0).space() }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Parts for the lab.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Parts {
    pub tails: [f64; 6],
    pub range: f64,
    pub u: f64,
    pub g: [f64; 7],
    pub clock: f64,
    pub wu: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
struct Pending {
    time_ms: i64,
    value: f64,
    observed: bool,
    errors: Option<[f64; 6]>,
    /// hour scales
    raw: Option<[f64; 3]>,
    blocks: [f64; 7],
    point: bool,
    window: bool,
}

/// A univariate detector.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Univariate {
    seed: u64,
    rows: u64,
    normal: Normal,
    clock: Clock,
    x: Track,
    last: Option<f64>,
    short: ShortNet,
    cycle: Option<Cycle>,
    discord: Option<Discord>,
    period: usize,
    known: bool,
    u: f64,
    d: f64,
    one: Track,
    blind: Track,
    blind_scaled: Track,
    steps: Track,
    lowest: f64,
    highest: f64,
    hours: [HourScale; 3],
    blocks: Vec<BlockMax>,
    tails: Vec<LogTail>,
    quarantined: Spans,
    pending: Pending,
}

impl Univariate {
    /// New.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rows: 0,
            normal: Normal::default(),
            clock: Clock::default(),
            x: Track::new(period::LOOK_BACK),
            last: None,
            short: ShortNet::new(seed),
            cycle: None,
            discord: None,
            period: 0,
            known: false,
            u: 0.0,
            d: 0.0,
            one: Track::new(64),
            blind: Track::new(32),
            blind_scaled: Track::new(16),
            steps: Track::new(8),
            lowest: f64::INFINITY,
            highest: f64::NEG_INFINITY,
            hours: Default::default(),
            blocks: vec![BlockMax::default(); 7],
            tails: vec![LogTail::default(); 6],
            quarantined: Spans::default(),
            pending: Pending::default(),
        }
    }

    /// Judge.
    pub fn judge(&mut self, scratch: &mut Scratch, time_ms: i64, value: f64) -> Parts {
        let observed = !value.is_nan();
        let x = if observed { self.normal.scale(value) } else { f64::NAN };
        self.rows += 1;
        self.x.push(x as f32);
        self.clock.observe(time_ms, x);
        let context = self.clock.context(time_ms);
        let told = self.short.tell(&mut scratch.short, &self.x, context, &self.normal);
        let mut parts = Parts::default();
        let mut p = Pending { time_ms, value, observed, ..Pending::default() };
        // 3
        let (mut r1, mut r32) = (0.0, 0.0);
        if let (Some([a, b]), true) = (told, observed) {
            (r1, r32) = (value - a, value - b);
        }
        let diff = match self.last {
            Some(last) if observed => value - last,
            _ => 0.0,
        };
        if observed {
            self.last = Some(value);
            self.one.push((r1) as f32);
            self.blind.push(r32 as f32);
        }
        let rms = |t: &Track| {
            if t.len() < 64 { 0.0 } else { (t.kept().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 64.0).sqrt() }
        };
        let errors = [r32.abs(), self.blind.mean(16).abs(), self.blind.mean(32).abs(), rms(&self.one), r1.abs(), diff.abs()];
        if observed {
            for i in 0..6 {
                parts.tails[i] = self.tails[i].rarity(errors[i]);
            }
            if self.rows > 100 {
                p.errors = Some(errors);
            }
        }
        if observed && self.highest > self.lowest {
            let tol = 0.05 * (self.highest - self.lowest);
            if value > self.highest + tol || value < self.lowest - tol {
                parts.range = 1.0;
            }
        }
        // 5
        if let Some(cycle) = &mut self.cycle {
            if cycle.push(x as f32) {
                p.point = true;
                self.u = cycle.judge(&mut scratch.cycle).unwrap_or(self.u);
            }
        }
        if let Some(discord) = &mut self.discord {
            if discord.push(x as f32) {
                p.window = true;
                self.d = discord.distance().unwrap_or(self.d);
            }
        }
        parts.u = self.u;
        // 6
        let clock = self.clock.tells();
        let mut h = [0.0; 3];
        if self.rows > 40 && observed {
            let raw = [r1, r32, diff];
            for i in 0..3 {
                h[i] = if clock { self.hours[i].of(raw[i], time_ms) } else { self.hours[i].flat(raw[i]) };
            }
            p.raw = Some(raw);
        }
        if observed {
            self.blind_scaled.push(h[1] as f32);
            self.steps.push((h[2] * h[2]) as f32);
        }
        let mean4 = self.blind_scaled.newest(4).iter().map(|v| f64::from(*v)).sum::<f64>() / 4.0;
        let mean16 = self.blind_scaled.newest(16).iter().map(|v| f64::from(*v)).sum::<f64>() / 16.0;
        p.blocks = [self.u, mean4.abs(), mean16.abs(), h[0].abs(), h[2].abs(), self.d, self.steps.mean(8).sqrt()];
        for i in 0..7 {
            parts.g[i] = self.blocks[i].of(p.blocks[i]);
        }
        parts.clock = f64::from(u8::from(clock));
        let season = [86_400.0, 604_800.0].iter().any(|q| (self.period as f64 * self.clock.step_s() / q - 1.0).abs() < 0.1);
        parts.wu = if self.known && clock && season { 0.5 } else { 2.0 };
        self.pending = p;
        parts
    }

    /// Learn.
    pub fn learn(&mut self, scratch: &mut Scratch, learn: bool) {
        let p = std::mem::take(&mut self.pending);
        if learn {
            if p.observed {
                self.normal.learn(p.value);
                self.lowest = self.lowest.min(p.value);
                self.highest = self.highest.max(p.value);
            }
            if let Some(errors) = p.errors {
                for i in 0..6 { self.tails[i].learn(errors[i]); }
            }
            if let Some(raw) = p.raw {
                for i in 0..3 { self.hours[i].learn(raw[i], p.time_ms, self.clock.step_s()); }
            }
            if self.rows > 64 && p.observed {
                for i in 1..5 { self.blocks[i].learn(p.blocks[i]); }
                if p.blocks[0] > 0.0 { self.blocks[0].learn(p.blocks[0]); }
                self.blocks[6].learn(p.blocks[6]);
                if p.blocks[5] > 0.0 { self.blocks[5].learn(p.blocks[5]); }
            }
        } else {
            self.quarantined.push(self.x.total() - 1);
        }
        if p.point {
            if let Some(cycle) = &mut self.cycle { cycle.learn(learn); }
        }
        if let (Some(discord), true, false) = (&mut self.discord, p.window, learn) { discord.quarantine(); }
        if learn {
            let steps = if self.rows < 600 { 2 } else { 1 };
            for _ in 0..steps { self.short.train(&mut scratch.short, &self.x, &self.quarantined); }
            if let Some(cycle) = &mut self.cycle { cycle.train(&mut scratch.cycle, self.rows); }
        }
        if period::CHECKS.contains(&self.rows) && !self.known {
            self.look_for_period();
        }
    }

    fn look_for_period(&mut self) {
        let mut held = 0.0;
        let x: Vec<f64> = self.x.kept().iter().map(|x| { if !x.is_nan() { held = f64::from(*x); } held }).collect();
        let found = period::find_period(&x);
        self.known = found.is_some();
        let period = match found { Some(t) => t, None if self.rows >= 1000 && self.cycle.is_none() => 64, None => return };
        self.period = period;
        let stride = cycle::stride(period);
        if self.cycle.as_ref().is_some_and(|c| c.stride() == stride) { return; }
        let mut cycle = Cycle::new(stride, self.seed ^ 0x5bd1_e995_9e37_79b9);
        let mut discord = Discord::new(period);
        self.blocks[0] = BlockMax::default();
        self.blocks[5] = BlockMax::default();
        self.u = 0.0;
        self.d = 0.0;
        for x in self.x.kept() {
            cycle.push(*x);
            discord.push(*x);
        }
        cycle.owe(u32::try_from((2 * self.rows).min(2_000)).unwrap_or(2_000));
        self.cycle = Some(cycle);
        self.discord = Some(discord);
    }
}
