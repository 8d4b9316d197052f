use ndarray::Array2;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::model::ModelParams;
use crate::model::exam::{Reason, Report};
use crate::model::net::Recipe;
use crate::record::Marks;

const SHAPE: WindowShape = WindowShape { rows: 6, channels: 1 };

/// A gate that has closed, the network that scores, the one in training.
struct Scene {
    gate: Gate,
    network: Network,
    version: u64,
    latent_space_id: Arc<str>,
    trainee: Trainee,
}

fn scene() -> Scene {
    let params = ModelParams { hidden: vec![4], latent: 2, ..ModelParams::default() };
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let network = Network::new(&params, SHAPE, &mut rng);
    let mut gate = Gate::new(&params.gate, SHAPE.cells());
    let window = |i: usize| Array2::from_shape_fn((1, 6), |(_, j)| ((i + j) as f32).sin());
    let mut past = Reservoir::new(24, SHAPE.cells());
    (0..24).for_each(|i| past.insert(&window(i).into_raw_vec_and_offset().0, &mut rng));
    let mut space = Workspace::new(&network, 8);
    gate.begin_latent_space(&network, &past, SHAPE, &mut space);
    let latent_space_id = gate.next_latent_space("owner");
    let trainee = Trainee::new(network.clone(), &Recipe::new(&params, SHAPE));
    Scene { gate, network, version: 0, latent_space_id, trainee }
}

/// A network whose calm loss is known: it carries it in a bias that no test reads otherwise.
fn set_loss(network: &mut Network, loss: f64) {
    network.all_layers_mut()[0].biases[0] = loss as f32;
}

fn marks(network: &Network) -> Marks {
    let loss = f64::from(network.all_layers()[0].biases[0]);
    Marks { false_alarms: 0.05, loss, recall: [0.9; 6], delay: [1.0; 6] }
}

impl Scene {
    /// Examines a challenger of that loss against whoever is there.
    fn examine(&mut self, loss: f64, alignment_error: f64) -> Examined {
        let mut challenger = self.network.clone();
        set_loss(&mut challenger, loss);
        self.trainee.restart(&challenger);
        let report = Report {
            champion: marks(&self.network),
            challenger: marks(&challenger),
            predecessor: self.gate.predecessor.as_ref().map(|before| marks(&before.network)),
            alignment_error,
        };
        let codes = Array2::from_elem((24, 2), loss as f32);
        let champion = Champion {
            network: &mut self.network,
            version: &mut self.version,
            latent_space_id: &mut self.latent_space_id,
        };
        self.gate.judge(Sat { report, codes }, champion, &mut self.trainee)
    }

    fn loss(&self) -> f64 {
        marks(&self.network).loss
    }
}

/// Slow poison: each challenger is a little worse than the champion, within the margin.
#[test]
fn small_losses_do_not_add_up() {
    let mut scene = scene();
    set_loss(&mut scene.network, 1.0);
    let mut promoted = 0;
    for exam in 0..20 {
        let examined = scene.examine(1.09 * scene.loss(), 0.0);
        promoted += usize::from(examined.verdict == Verdict::Promoted);
        assert!(exam > 4 || scene.loss() < 1.1 * 1.001, "{} after {exam}", scene.loss());
    }
    // 1.09 to the power of 20 is 5.6.
    assert!(scene.loss() < 1.45, "{} after {promoted} promotions", scene.loss());
}

/// One that is as good passes in each examination of the watch, and the oldest is still there.
#[test]
fn the_predecessor_stays_while_its_successors_follow_each_other() {
    let mut scene = scene();
    set_loss(&mut scene.network, 1.0);
    let first = scene.network.clone();
    for loss in [0.99, 0.98, 0.97, 0.96] {
        assert_eq!(scene.examine(loss, 0.0).verdict, Verdict::Promoted);
        assert_eq!(scene.gate.predecessor.as_ref().map(|p| &p.network), Some(&first));
    }
    let before = scene.network.clone();
    assert_eq!(scene.examine(0.95, 0.0).verdict, Verdict::Promoted);
    assert_eq!(
        scene.gate.predecessor.as_ref().map(|p| &p.network),
        Some(&before),
        "its watch ended"
    );
}

#[test]
fn a_roll_back_restores_network_version_and_latent_space() {
    for leaves_space in [false, true] {
        let mut scene = scene();
        set_loss(&mut scene.network, 1.0);
        scene.version = 77;
        let before = (scene.network.clone(), scene.latent_space_id.clone());
        let anchors = scene.gate.anchors.clone();
        // Better on the calm windows of its examination, for whatever reason.
        let promoted = scene.examine(0.9, if leaves_space { 0.8 } else { 0.1 });
        assert_eq!(
            (promoted.verdict, promoted.new_latent_space),
            (Verdict::Promoted, leaves_space)
        );
        assert_eq!(
            scene.latent_space_id != before.1,
            leaves_space,
            "a space that is left is named"
        );
        assert_eq!(scene.gate.anchors != anchors, leaves_space);
        // Then worse than the one before it, as is who trains on from it.
        set_loss(&mut scene.network, 2.0);
        let examined = scene.examine(2.0, 0.1);
        assert_eq!(examined.verdict, Verdict::RolledBack(Reason::Loss));
        assert_eq!(examined.new_latent_space, leaves_space);
        assert_eq!((&scene.network, scene.version), (&before.0, 77));
        assert_eq!((&scene.latent_space_id, &scene.gate.anchors), (&before.1, &anchors));
        assert_eq!(scene.trainee.network(), &before.0, "training goes on from there");
        assert!(scene.gate.predecessor.is_none());
    }
}

/// The space that comes back after two were begun is the one of the network that comes back.
#[test]
fn a_roll_back_over_two_latent_spaces_ends_in_the_first() {
    let mut scene = scene();
    set_loss(&mut scene.network, 1.0);
    let (first, anchors) = (scene.latent_space_id.clone(), scene.gate.anchors.clone());
    let mut names = vec![first.clone()];
    for loss in [0.9, 0.8] {
        assert!(scene.examine(loss, f64::INFINITY).new_latent_space);
        names.push(scene.latent_space_id.clone());
    }
    set_loss(&mut scene.network, 2.0);
    assert!(matches!(scene.examine(2.0, 0.0).verdict, Verdict::RolledBack(_)));
    assert_eq!((scene.latent_space_id.clone(), &scene.gate.anchors), (first, &anchors));
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
    // A name is given once.
    assert!(scene.examine(0.7, 0.9).new_latent_space);
    assert!(!names.contains(&scene.latent_space_id), "{names:?}");
}
