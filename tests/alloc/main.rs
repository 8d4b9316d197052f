//! Memory taken from the system while training goes on: a test binary of its own, for the counting
//! allocator belongs to the whole process.

use std::alloc::System;
use std::sync::Arc;

use latentd::model::{InPlace, Learner, ModelParams, Role, Scope, Variant, WindowShape, Workspace};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

/// The bound of training in event time is off.
const NOW: latentd::record::EventTime = latentd::record::EventTime::from_millis(0);

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of 50 refreshes of `steps` training steps each, and of 1,000 scoring passes.
fn allocations(variant: Variant, steps: u32) -> (usize, usize) {
    let hidden = if variant == Variant::Deep { vec![32, 16] } else { vec![32] };
    let mut params = ModelParams { variant, hidden, scope: Scope::Shard, ..ModelParams::default() };
    params.refresh_steps = steps;
    params.gate.every = 0;
    let shape = WindowShape { rows: 64, channels: 1 };
    let mut learner = Learner::new(&params, shape, 1, Arc::from("test"));
    let mut space = Workspace::new(learner.network(), 64);
    for i in 0..400_usize {
        let window = ndarray::Array1::from_shape_fn(64, |j| ((i * 13 + j) as f32 * 0.37).sin());
        let targets = if learner.head().is_some() { &[0.5][..] } else { &[] };
        learner.offer(window.view(), targets, Role::Train);
        space.window_mut(i % 64).assign(&window);
    }
    (0..5).for_each(|_| _ = learner.refresh(&InPlace, &mut space, NOW));
    let region = Region::new(COUNTING);
    (0..50).for_each(|_| _ = learner.refresh(&InPlace, &mut space, NOW));
    let training = region.change().allocations;
    let region = Region::new(COUNTING);
    (0..1_000).for_each(|_| learner.network().reconstruct(&mut space, 64));
    (training, region.change().allocations)
}

#[test]
fn a_step_in_steady_state_allocates_nothing() {
    for variant in Variant::ALL {
        let (few, scoring) = allocations(variant, 4);
        let (many, _) = allocations(variant, 32);
        // A refresh is a value: its windows, its result and a code book have memory of their own.
        assert!(few <= 50 * 6, "{variant:?}: {few} allocations in 50 refreshes");
        assert_eq!(many, few, "{variant:?}: eight times the steps take no more");
        assert_eq!(scoring, 0, "{variant:?}");
    }
}
