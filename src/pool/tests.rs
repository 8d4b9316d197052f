use std::sync::Arc;

use prometheus::Registry;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::model::{
    Activation, InPlace, Learner, ModelParams, Role, Scope, Variant, VqVaeParams, WindowShape,
};
use crate::record::Positive;

/// The bound of training in event time is off.
const NOW: crate::record::EventTime = crate::record::EventTime::from_millis(0);

fn learner() -> Learner {
    let params = ModelParams {
        variant: Variant::Undercomplete,
        scope: Scope::Series,
        hidden: vec![12],
        latent: 3,
        activation: Activation::Tanh,
        learning_rate: Positive::try_from(0.01).expect("above 0"),
        batch: 8,
        train_every: 1,
        warmup_train_every: 1,
        refresh_steps: 3,
        reservoir: 40,
        warmup: 10,
        ..ModelParams::default()
    };
    Learner::new(&params, WindowShape { rows: 16, channels: 1 }, 5, Arc::from("test"))
}

fn pool(threads: usize) -> TrainingPool {
    let metrics = TrainingMetrics::register_alone(&Registry::new()).expect("a fresh registry");
    TrainingPool::new(threads, metrics).expect("threads")
}

/// 60 windows through a few learners; their networks.
fn train(trainer: &dyn Trainer) -> Vec<String> {
    let mut learners: Vec<Learner> = (0..5).map(|_| learner()).collect();
    let mut space = Workspace::new(learners[0].network(), 8);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    for _ in 0..60 {
        let window = ndarray::Array1::from_shape_simple_fn(16, || rng.gen_range(-1.0_f32..1.0));
        for learner in &mut learners {
            learner.offer(window.view(), &[], Role::Train);
            if learner.count_window() {
                learner.refresh(trainer, &mut space, NOW);
            }
        }
    }
    learners.iter().map(|l| format!("{} {:?}", l.version(), l.network())).collect()
}

/// A trainer that does everything as late as possible.
#[derive(Debug)]
struct Lazy;

#[derive(Debug)]
struct Later(Refresh);

impl Trainer for Lazy {
    fn start(&self, refresh: Refresh, _: &mut Workspace) -> Started {
        Started::Running(Box::new(Later(refresh)))
    }
}

impl Running for Later {
    fn finish(self: Box<Self>, space: &mut Workspace) -> crate::model::Refreshed {
        self.0.run(space)
    }
}

#[test]
fn who_trains_and_when_changes_no_bit() {
    let in_place = train(&InPlace);
    assert!(
        in_place[0].starts_with("57 "),
        "19 refreshes of 3 steps are in effect, one is not due"
    );
    assert_eq!(in_place, train(&Lazy));
    for threads in [0, 1, 3] {
        assert_eq!(in_place, train(&pool(threads)), "{threads} threads");
    }
}

/// Networks that differ only in what their scratch memory looks like, through one thread.
#[test]
fn refreshes_of_different_shapes_do_not_share_memory() {
    let pool = pool(1);
    let shapes = [(16, 1), (8, 2), (4, 4)];
    let kinds = [
        (Variant::Stacked, Activation::Tanh),
        (Variant::Stacked, Activation::Gelu),
        (Variant::Undercomplete, Activation::Gelu),
        (Variant::Vae, Activation::Tanh),
        (Variant::VqVae, Activation::Tanh),
        (Variant::Denoising, Activation::Tanh),
    ];
    for (variant, activation) in kinds {
        for (rows, channels) in shapes {
            let shape = WindowShape { rows, channels };
            let vq_vae = VqVaeParams { groups: 1, ..VqVaeParams::default() };
            let params = ModelParams { variant, activation, vq_vae, ..ModelParams::default() };
            let mut learner = Learner::new(&params, shape, 5, Arc::from("test"));
            let mut space = Workspace::new(learner.network(), 32);
            let targets = vec![0.5; if learner.head().is_some() { channels } else { 0 }];
            for _ in 0..3 {
                learner.offer(ndarray::Array1::zeros(16).view(), &targets, Role::Train);
                learner.refresh(&pool, &mut space, NOW);
            }
            assert_eq!(learner.version(), 8, "{variant:?} {activation:?} {channels}");
        }
    }
}

#[test]
fn a_full_queue_sends_refreshes_back_to_the_shard() {
    let pool = pool(1);
    let learners = WAITING_MAX + 10;
    let mut learners: Vec<Learner> = (0..learners).map(|_| learner()).collect();
    let mut space = Workspace::new(learners[0].network(), 8);
    let window = ndarray::Array1::from_elem(16, 0.5_f32);
    for _ in 0..4 {
        for learner in &mut learners {
            learner.offer(window.view(), &[], Role::Train);
            learner.refresh(&pool, &mut space, NOW);
        }
    }
    for learner in &mut learners {
        learner.settle(&mut space);
        assert_eq!(learner.version(), 9, "three of four refreshes are in effect");
    }
    let (by_pool, by_shard) = pool.metrics.refreshes("");
    assert_eq!(by_pool + by_shard, 4 * learners.len() as u64);
}

#[test]
fn refreshes_are_counted_under_the_stream_they_are_of() {
    let pool = pool(1);
    let press = pool.of_stream("press").expect("it keeps accounts");
    train(&*press);
    let (metrics, shop) = (pool.metrics.clone(), pool.of_stream("shop").expect("the same"));
    // The threads end with the last handle, and what they began is counted then.
    drop((pool, press, shop));
    let (by_pool, by_shard) = metrics.refreshes("press");
    assert!(by_pool + by_shard > 0);
    assert_eq!((metrics.refreshes("shop"), metrics.refreshes("")), ((0, 0), (0, 0)));
}

#[test]
fn a_panic_in_training_is_a_panic_of_the_shard() {
    let slot = Arc::new(Slot::new(refresh(), Arc::from("")));
    assert!(slot.take().is_some());
    slot.end(Err(Box::new("out of luck")));
    let metrics = TrainingMetrics::register_alone(&Registry::new()).expect("a fresh registry");
    let ticket = Box::new(Ticket { slot, metrics });
    let mut space = Workspace::new(learner().network(), 8);
    let panic = panic::catch_unwind(AssertUnwindSafe(|| ticket.finish(&mut space)));
    let panic = panic.expect_err("told");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"out of luck"));
}

/// Any refresh.
fn refresh() -> Refresh {
    #[derive(Debug, Default)]
    struct Catch(Mutex<Option<Refresh>>);
    impl Trainer for Catch {
        fn start(&self, refresh: Refresh, _: &mut Workspace) -> Started {
            *self.0.lock().expect("one thread") = Some(refresh);
            Started::Running(Box::new(Never))
        }
    }
    #[derive(Debug)]
    struct Never;
    impl Running for Never {
        fn finish(self: Box<Self>, _: &mut Workspace) -> crate::model::Refreshed {
            unreachable!("the learner is dropped before")
        }
    }
    let (catch, mut learner) = (Catch::default(), learner());
    let mut space = Workspace::new(learner.network(), 8);
    learner.offer(ndarray::Array1::zeros(16).view(), &[], Role::Train);
    learner.refresh(&catch, &mut space, NOW);
    catch.0.into_inner().expect("one thread").expect("a refresh was started")
}
