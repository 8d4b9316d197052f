use std::sync::Arc;

use linfa_linalg::cholesky::SolveCInplace;
use ndarray::{Array1, Array2, s};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::faults::Fault;
use super::*;
use crate::model::net::Freedom;
use crate::model::{
    Examined, GateParams, InPlace, Learner, ModelParams, Role, Variant, WindowShape, Workspace,
};
use crate::record::{FaultKind, Positive};

/// The bound of training in event time is off.
const NOW: crate::record::EventTime = crate::record::EventTime::from_millis(0);

const SHAPE: WindowShape = WindowShape { rows: 8, channels: 2 };

fn params() -> ModelParams {
    ModelParams {
        hidden: vec![16],
        latent: 3,
        learning_rate: Positive::try_from(0.004).expect("above 0"),
        reservoir: 512,
        warmup: 400,
        gate: GateParams { every: 32, ..GateParams::default() },
        ..ModelParams::default()
    }
}

/// Windows of two channels that follow one load; the stream goes on from call to call.
struct Plant {
    row: usize,
    rng: Xoshiro256PlusPlus,
    /// What the second channel makes of the load.
    gain: f32,
}

impl Plant {
    fn new(seed: u64) -> Self {
        Self { row: 0, rng: Xoshiro256PlusPlus::seed_from_u64(seed), gain: -0.8 }
    }

    /// Who sees the window that was drawn last.
    fn role(&self) -> Role {
        Role::of(self.row as u64, SHAPE.rows, 5)
    }

    fn window(&mut self) -> Array1<f32> {
        self.row += 1;
        let (start, gain, rng) = (self.row, self.gain, &mut self.rng);
        Array1::from_shape_fn(SHAPE.cells(), |cell| {
            let t = (start + cell / 2) as f32;
            let load = (t / 4.0).sin() + 0.4 * (t / 9.0).cos();
            [load, 0.5 + gain * load][cell % 2] + rng.gen_range(-0.15_f32..0.15)
        })
    }

    fn windows(&mut self, n: usize) -> Array2<f32> {
        let mut all = Array2::zeros((n, SHAPE.cells()));
        all.rows_mut().into_iter().for_each(|mut row| row.assign(&self.window()));
        all
    }
}

/// A learner beyond its warm-up, and what its examinations said.
fn trained(params: &ModelParams, windows: usize) -> (Learner, Plant, Vec<Examined>) {
    let mut learner = Learner::new(params, SHAPE, 3, Arc::from("owner"));
    let mut plant = Plant::new(1);
    let exams = go_on(&mut learner, windows, &mut plant);
    (learner, plant, exams)
}

fn go_on(learner: &mut Learner, windows: usize, plant: &mut Plant) -> Vec<Examined> {
    let mut space = Workspace::new(learner.network(), 32);
    let mut exams = Vec::new();
    for _ in 0..windows {
        let window = plant.window();
        learner.offer(window.view(), &[], plant.role());
        if learner.count_window() {
            exams.extend(
                learner.refresh(&InPlace, &mut space, NOW).and_then(|(_, examined)| examined),
            );
        }
    }
    exams
}

fn marks_of(network: &Network, holdout: &Array2<f32>) -> Marks {
    let mut space = Workspace::new(network, 16);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    marks::mark(network, holdout, SHAPE, None, &mut space, &mut rng).0
}

#[test]
fn faults_are_what_they_are_called() {
    let window = Array1::from_shape_fn(SHAPE.cells(), |i| i as f32 / 100.0);
    let other = Array1::from_elem(SHAPE.cells(), 9.0);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut inject = |kind| {
        let mut out = Array1::zeros(SHAPE.cells());
        let fault = Fault { kind, channel: 1, sign: -1.0 };
        fault.inject((window.view(), other.view()), SHAPE, 3, &mut rng, out.view_mut());
        // The other channel, and the rows before the onset.
        for row in 0..8 {
            assert_eq!(out[2 * row], window[2 * row]);
            assert!(row >= 5 || out[2 * row + 1] == window[2 * row + 1], "{kind:?}");
        }
        [5, 6, 7].map(|row| out[2 * row + 1] - window[2 * row + 1])
    };
    let close = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close(inject(FaultKind::Spike), [0.0, 0.0, -1.5]));
    assert!(close(inject(FaultKind::Offset), [-1.5; 3]));
    assert!(close(inject(FaultKind::Drift), [-0.375, -0.75, -1.125]));
    assert!(close(inject(FaultKind::Stuck), [-0.02, -0.04, -0.06]));
    assert!(close(inject(FaultKind::Decorrelated), [8.89, 8.87, 8.85]));
    let noise = inject(FaultKind::Noise);
    assert!(noise.iter().all(|n| *n != 0.0) && noise[0] != noise[1]);
}

#[test]
fn a_good_network_passes_again_and_again() {
    let (learner, mut plant, exams) = trained(&params(), 4_000);
    let promoted = exams.iter().filter(|e| e.verdict == Verdict::Promoted).count();
    assert!(exams.len() > 80, "one each 32 steps: {}", exams.len());
    // Against two networks, on few windows, one in five has bad luck.
    let rejected: Vec<Verdict> =
        exams.iter().map(|e| e.verdict).filter(|v| *v != Verdict::Promoted).collect();
    assert!(promoted * 10 > exams.len() * 7, "{promoted} of {}: {rejected:?}", exams.len());
    assert!(exams.iter().all(|e| !matches!(e.verdict, Verdict::RolledBack(_))));
    assert!(learner.version() > 3_800, "{}", learner.version());
    assert_eq!(&**learner.latent_space_id(), "owner-1", "{rejected:?}");
    let marks = marks_of(learner.network(), &plant.windows(200));
    assert!(marks.mean_recall() > 0.85, "{marks:?}");
    assert!(marks.false_alarms < 0.12, "{marks:?}");
    assert!(marks.delay[1] <= 3.0, "an offset is found early: {marks:?}");
}

/// A code as wide as the input reconstructs faults as well as anything else.
#[test]
fn a_widened_bottleneck_shows_as_falling_recall_and_does_not_pass() {
    let (narrow, mut plant, _) = trained(&params(), 3_000);
    let wide = ModelParams { hidden: vec![], latent: SHAPE.cells(), ..params() };
    let (wide, ..) = trained(&wide, 6_000);
    let holdout = plant.windows(64);
    let [champion, challenger] = [&narrow, &wide].map(|l| marks_of(l.network(), &holdout));
    assert!(challenger.loss < champion.loss, "{challenger:?} {champion:?}");
    assert!(challenger.mean_recall() < champion.mean_recall() - 0.1, "{challenger:?} {champion:?}");
    let report = Report { champion, challenger, predecessor: None, alignment_error: 0.0 };
    assert_eq!(report.verdict(&GateParams::default()), Verdict::Rejected(Reason::Recall));
}

#[test]
fn poisoned_training_never_reaches_the_champion() {
    let (mut learner, mut plant, _) = trained(&params(), 2_000);
    let before = learner.network().clone();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
    // Garbage that nobody has noticed; the rare typical window is calm.
    let mut space = Workspace::new(learner.network(), 32);
    let (mut exams, mut promoted_at) = (Vec::new(), Vec::new());
    for i in 0..1_200 {
        if i % 8 == 0 {
            learner.offer(plant.window().view(), &[], plant.role());
        } else {
            let garbage = Array1::from_shape_simple_fn(16, || rng.gen_range(-3.0_f32..3.0));
            learner.offer(garbage.view(), &[], Role::Train);
        }
        if learner.count_window()
            && let Some((_, Some(examined))) = learner.refresh(&InPlace, &mut space, NOW)
        {
            promoted_at.extend((examined.verdict == Verdict::Promoted).then_some(i));
            exams.push(examined.verdict);
        }
    }
    let rejected = exams.iter().filter(|v| matches!(v, Verdict::Rejected(_))).count();
    assert!(exams.len() > 30 && rejected + 3 >= exams.len(), "{exams:?}");
    // Those that pass at the start have not learned the garbage yet.
    assert!(promoted_at.iter().all(|i| *i < 120), "{promoted_at:?}");
    let holdout = plant.windows(100);
    let (then, now) = (marks_of(&before, &holdout), marks_of(learner.network(), &holdout));
    assert!(now.loss < 1.3 * then.loss && now.mean_recall() > then.mean_recall() - 0.08);
}

/// The test of the latent contract: a model fitted once on the codes goes on working.
#[test]
fn a_linear_consumer_survives_twenty_promotions() {
    let (mut learner, mut plant, _) = trained(&params(), 1_500);
    let data = plant.windows(400);
    let load = data.slice(s![.., 14]).to_owned();
    let codes = |learner: &Learner| {
        let mut space = Workspace::new(learner.network(), 400);
        space.windows.assign(&data);
        learner.network().reconstruct(&mut space, 400);
        let mut with_one = Array2::ones((400, 4));
        with_one.slice_mut(s![.., ..3]).assign(&space.codes(400));
        with_one.mapv(f64::from)
    };
    let load = load.mapv(f64::from);
    let z = codes(&learner);
    // Least squares by the normal equations.
    let mut gram = z.t().dot(&z) + Array2::<f64>::eye(4) * 1e-6;
    let right: Array1<f64> = z.t().dot(&load);
    let right = right.insert_axis(ndarray::Axis(1));
    let weights: Array2<f64> = gram.solvec_into(right).expect("positive definite");
    let weights = weights.column(0).to_owned();
    let unexplained = |z: &Array2<f64>| {
        let error: Array1<f64> = z.dot(&weights) - &load;
        error.mapv(|e| e * e).sum() / (load.var(0.0) * 400.0)
    };
    let fitted = 1.0 - unexplained(&z);
    let mut promotions = 0;
    while promotions < 20 {
        let exams = go_on(&mut learner, 64, &mut plant);
        assert!(exams.iter().all(|e| !e.new_latent_space));
        promotions += exams.iter().filter(|e| e.verdict == Verdict::Promoted).count();
    }
    let later = 1.0 - unexplained(&codes(&learner));
    assert!(fitted > 0.9, "{fitted}");
    assert!(later > 0.95 * fitted, "{fitted} at the start, {later} after {promotions} promotions");
}

/// Turns the code of a network by 0.7 in its first two numbers.
fn turned(network: &Network, part: usize) -> Network {
    let angle = 0.7_f32;
    let mut turn = Array2::<f32>::eye(part);
    turn.slice_mut(s![..2, ..2])
        .assign(&ndarray::array![[angle.cos(), angle.sin()], [-angle.sin(), angle.cos()],]);
    let mut network = network.clone();
    match network.freedom() {
        Freedom::Weights(_) => network.rotate(&turn),
        Freedom::Output(_) => network.turn_output(&turn),
        Freedom::None => {}
    }
    network
}

fn variant(variant: Variant) -> ModelParams {
    let mut params = params();
    (params.variant, params.latent) = (variant, if variant == Variant::VqVae { 4 } else { 3 });
    (params.vq_vae.codes, params.vq_vae.groups) = (16, 2);
    params
}

#[test]
fn aligning_turns_the_code_and_nothing_else() {
    for (variant_of, part) in [(Variant::Undercomplete, 3), (Variant::Vae, 3), (Variant::VqVae, 2)]
    {
        let params = variant(variant_of);
        let (learner, mut plant, _) = trained(&params, 1_000);
        let windows = plant.windows(64);
        let mut space = Workspace::new(learner.network(), 64);
        let anchors = Anchors::new(learner.network(), windows.clone(), &mut space);
        let recipe = Recipe::new(&params, SHAPE);
        let network = turned(learner.network(), part);
        let (away, _) = anchors.error(&network, &mut space);
        assert!(away > 0.2, "{variant_of:?}: {away}");
        let mut trainee = Trainee::new(network, &recipe);
        let (error, codes) = trainee.align(&anchors, &mut space);
        assert!(error < 1e-4, "{variant_of:?}: {error}");
        let reconstruct = |network: &Network, space: &mut Workspace| {
            space.windows.assign(&windows);
            network.reconstruct(space, 64);
            [space.reconstructions(64).to_owned(), space.codes(64).to_owned()]
        };
        let was = reconstruct(learner.network(), &mut space);
        let is = reconstruct(trainee.network(), &mut space);
        assert_eq!(is[1], codes, "{variant_of:?}: what is told is what is compared");
        for (was, is) in was.into_iter().zip(is) {
            assert!((was - is).iter().all(|d| d.abs() < 1e-3), "{variant_of:?}");
        }
    }
}

/// The numbers of a code book's vectors mean the same after a refresh that has shuffled them.
#[test]
fn vectors_of_a_code_book_keep_their_numbers() {
    let params = variant(Variant::VqVae);
    let (learner, mut plant, _) = trained(&params, 1_500);
    let windows = plant.windows(64);
    let mut space = Workspace::new(learner.network(), 64);
    let anchors = Anchors::new(learner.network(), windows.clone(), &mut space);
    let picks = |network: &Network, space: &mut Workspace| {
        space.windows.assign(&windows);
        network.reconstruct(space, 64);
        space.picks().to_vec()
    };
    let was = picks(learner.network(), &mut space);
    let mut shuffled = turned(learner.network(), 2);
    let book = learner.network().book().expect("started");
    let backwards: Vec<usize> = (0..16).rev().collect();
    shuffled.renumber(&book.select(ndarray::Axis(0), &backwards));
    let away = picks(&shuffled, &mut space);
    assert!(was.iter().zip(&away).filter(|(was, is)| was == is).count() < 32, "{away:?}");
    let mut trainee = Trainee::new(shuffled, &Recipe::new(&params, SHAPE));
    trainee.align(&anchors, &mut space);
    assert_eq!(picks(trainee.network(), &mut space), was);
}

/// Codes that are all alike have no spread that another code could be near in.
#[test]
fn a_dead_code_is_no_latent_space_to_stay_in() {
    let (learner, mut plant, _) = trained(&params(), 500);
    let mut dead = learner.network().clone();
    let at = dead.pairs() - 1;
    dead.all_layers_mut()[at].weights.fill(0.0);
    let mut space = Workspace::new(&dead, 64);
    let anchors = Anchors::new(&dead, plant.windows(64), &mut space);
    assert_eq!(anchors.error(&dead, &mut space).0, 0.0);
    assert_eq!(anchors.error(learner.network(), &mut space).0, f64::INFINITY);
}

/// By a bar of its own every network has the same share of false alarms.
#[test]
fn a_champion_that_raises_more_false_alarms_than_its_predecessor_is_rolled_back() {
    let (learner, mut plant, _) = trained(&params(), 2_000);
    let good = learner.network().clone();
    let mut bad = good.clone();
    let last = 2 * bad.pairs() - 1;
    // Off by a little everywhere: the loss stays within its margin.
    bad.all_layers_mut()[last].biases += 0.05;
    let recipe = Recipe::new(&params(), SHAPE);
    let mut trainee = Trainee::new(bad.clone(), &recipe);
    let mut space = Workspace::new(&bad, 32);
    let holdout = plant.windows(64);
    let exam = Exam {
        anchors: Arc::new(Anchors::new(&good, holdout.clone(), &mut space)),
        champion: bad,
        predecessor: Some(good),
        holdout,
        seed: 1,
    };
    let report = exam.run(&mut trainee, &recipe, &mut space).report;
    let gate = GateParams { loss_ratio: 3.0, recall_drop: 1.0, ..GateParams::default() };
    assert_eq!(report.verdict(&gate), Verdict::RolledBack(Reason::FalseAlarms), "{report:?}");
}

/// Who has followed a drift is examined by what is now, not by what was.
#[test]
fn after_a_drift_a_challenger_passes_by_windows_of_now() {
    let (mut learner, mut plant, _) = trained(&params(), 2_000);
    plant.gain = 0.8;
    learner.forget_past();
    // What was under way is by windows of before.
    go_on(&mut learner, 16, &mut plant);
    let before = learner.version();
    let exams = go_on(&mut learner, 600, &mut plant);
    let first = exams.first().expect("examined as soon as there is enough");
    assert_eq!(first.verdict, Verdict::Promoted, "{:?}", first.report);
    assert!(first.report.challenger.loss < 0.5 * first.report.champion.loss, "{:?}", first.report);
    assert!(learner.version() > before);
}

/// What was learned from the old normal is no coordinate system for the new one.
#[test]
fn a_new_normal_begins_a_new_latent_space() {
    let (mut learner, mut plant, _) = trained(&params(), 1_500);
    assert_eq!(&**learner.latent_space_id(), "owner-1");
    learner.accept_new_normal();
    let interim = learner.latent_space_id().clone();
    assert_eq!(&*interim, "owner-2", "weights take effect unseen and unaligned until it closes");
    go_on(&mut learner, 600, &mut plant);
    assert_eq!(&**learner.latent_space_id(), "owner-3");
}

fn marks(false_alarms: f64, recall: f64, loss: f64) -> Marks {
    Marks { false_alarms, loss, recall: [recall; 6], delay: [1.0; 6] }
}

#[test]
fn verdicts_follow_the_marks() {
    let one_kind_lost = Marks { recall: [0.9, 0.9, 0.9, 0.9, 0.9, 0.7], ..marks(0.05, 0.9, 1.0) };
    let champion = || marks(0.05, 0.9, 1.0);
    #[rustfmt::skip]
    let cases = [
        ("as good",           champion(),                   None,                          Verdict::Promoted),
        ("slightly worse",    marks(0.10, 0.85, 1.09),      None,                          Verdict::Promoted),
        ("false alarms",      marks(0.12, 0.9, 0.5),        None,                          Verdict::Rejected(Reason::FalseAlarms)),
        ("recall",            marks(0.05, 0.83, 0.5),       None,                          Verdict::Rejected(Reason::Recall)),
        ("one kind",          one_kind_lost,                None,                          Verdict::Rejected(Reason::Recall)),
        ("loss",              marks(0.05, 0.9, 1.2),        None,                          Verdict::Rejected(Reason::Loss)),
        ("NaN",               marks(0.05, 0.9, f64::NAN),   None,                          Verdict::Rejected(Reason::NotFinite)),
        ("watched, fine",     champion(),                   Some(marks(0.05, 0.95, 0.92)), Verdict::Promoted),
        ("worse and worse",   marks(0.05, 0.9, 1.05),       Some(marks(0.05, 0.9, 0.95)),  Verdict::Rejected(Reason::Loss)),
        ("watched, fallen",   champion(),                   Some(marks(0.05, 0.9, 0.7)),   Verdict::RolledBack(Reason::Loss)),
        ("watched, mended",   marks(0.05, 0.9, 0.72),       Some(marks(0.05, 0.9, 0.7)),   Verdict::Promoted),
    ];
    for (what, challenger, predecessor, verdict) in cases {
        let report = Report { champion: champion(), challenger, predecessor, alignment_error: 0.0 };
        assert_eq!(report.verdict(&GateParams::default()), verdict, "{what}");
    }
}
