//! What must survive anything: real processes, a real broker, and faults at any moment.
//!
//! The short form runs with all tests. The long form is `tests/faults [KILLS]`.

mod check;
mod fleet;

use std::time::Duration;

use self::fleet::Fleet;
use crate::broker::{Broker, shared, wait_for};

const LIMIT: Duration = Duration::from_secs(90);

/// The points at which a process can be ended, in the order in which a life meets them.
const POINTS: [&str; 8] = [
    "during_restore",
    "before_begin",
    "after_begin",
    "mid_produce",
    "after_produce",
    "after_send_offsets",
    "during_commit",
    "after_commit",
];

#[test]
fn kills_at_every_point_of_a_transaction_and_at_random_change_no_output() {
    let mut fleet = Fleet::new(shared(), "kills", 1);
    for (i, point) in POINTS.iter().enumerate() {
        fleet.die_at("a", point, 1 + i % 3);
    }
    for _ in 0..4 {
        fleet.start("a");
        fleet.wait_progress("a", 200);
        fleet.kill("a");
    }
    fleet.start("a");
    fleet.verify(&["a"]);
}

#[test]
fn instances_that_come_go_and_freeze_change_no_output() {
    let mut fleet = Fleet::new(shared(), "rebalance", 1);
    fleet.start("a");
    fleet.wait_progress("a", 200);
    fleet.start("b");
    fleet.wait_progress("b joins", 300);
    // Longer than the session and than the transaction: the zombie wakes up fenced.
    fleet.freeze("a", Duration::from_secs(6));
    fleet.wait_progress("a thawed", 300);
    fleet.start("c");
    fleet.wait_progress("c joins", 300);
    fleet.stop("a");
    fleet.wait_progress("a left", 200);
    fleet.kill("b");
    fleet.wait_progress("b died", 200);
    fleet.start("a");
    fleet.verify(&["a", "c"]);
}

#[test]
fn a_broker_that_is_killed_and_stays_away_changes_no_output() {
    let broker = Broker::start();
    let mut fleet = Fleet::new(&broker, "broker", 2);
    fleet.start("a");
    fleet.wait_progress("a", 200);
    fleet.kill_broker(Duration::from_secs(2));
    fleet.wait_progress("the broker is back", 200);
    fleet.verify(&["a"]);
    broker.stop();
}

#[test]
fn two_processes_of_one_name_fence_each_other_say_so_and_change_no_output() {
    let mut fleet = Fleet::new(shared(), "twins", 1);
    fleet.start("a");
    fleet.wait_progress("a", 200);
    fleet.twin_until_fenced("a");
    fleet.wait_progress("the twin is gone", 200);
    fleet.verify(&["a"]);
}

#[test]
fn a_group_of_the_new_protocol_changes_no_output() {
    let mut fleet = Fleet::new(shared(), "kip848", 2);
    fleet.group = fleet::CONSUMER;
    fleet.start("a");
    fleet.wait_progress("a", 200);
    fleet.start("b");
    fleet.wait_progress("b joins", 300);
    fleet.stop("a");
    fleet.wait_progress("a left", 200);
    fleet.verify(&["b"]);
}

/// The long form: `LATENTD_FAULTS` kills and as many other faults as fit between them.
#[test]
#[ignore = "takes minutes: tests/faults"]
fn the_long_form() {
    let kills = std::env::var("LATENTD_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let broker = Broker::start();
    let mut fleet = Fleet::new(&broker, "long", 1);
    fleet.start("b");
    let mut point = 0;
    for kill in 0..kills {
        match kill % 10 {
            0..4 => {
                fleet.die_at("a", POINTS[point % POINTS.len()], 1 + kill % 4);
                point += 1;
            }
            4..7 => {
                fleet.start("a");
                fleet.wait_progress("a", 50 + 40 * (kill as i64 % 7));
                fleet.kill("a");
            }
            7 => {
                fleet.start("a");
                fleet.wait_progress("a", 100);
                fleet.kill("b");
                fleet.wait_progress("b died", 100);
                fleet.start("b");
                fleet.stop("a");
            }
            8 => {
                fleet.start("a");
                fleet.freeze("b", Duration::from_secs(5));
                fleet.kill("a");
            }
            _ => {
                fleet.start("a");
                if kill % 40 == 39 {
                    fleet.kill_broker(Duration::from_secs(if kill % 80 == 79 { 30 } else { 1 }));
                } else {
                    fleet.stop("b");
                    fleet.start("b");
                }
                fleet.wait_progress("after a rolling restart", 100);
                fleet.kill("a");
            }
        }
        if kill % 10 == 9 {
            eprintln!("{} faults so far, {} records", fleet.faults, fleet.total_committed());
        }
    }
    fleet.verify(&["b"]);
    let p50 = fleet.takeover_p50_ms();
    println!("faults={} violations=0 takeover_p50_ms={p50}", fleet.faults);
    wait_for("the broker", LIMIT, || Some(()));
    broker.stop();
}
