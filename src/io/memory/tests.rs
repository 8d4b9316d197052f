//! The laws of a log, and what only this one promises.

use std::time::Duration;

use super::*;
use crate::io::laws::{self, PARTITIONS, World, part, record, start, take};
use crate::io::{DeliverError, Delivery, Log, LogEvent, OutMessage, Place};

fn world() -> MemoryBroker {
    let broker = MemoryBroker::new();
    broker.create_topic("input", PARTITIONS as usize);
    broker
}

fn open(broker: &MemoryBroker) -> MemoryLog {
    broker.join("g", &["input"], Delivery::AtLeastOnce)
}

impl World for MemoryBroker {
    fn produce(&mut self, records: Vec<OutMessage>) {
        for record in records {
            self.append(record, Some(1_700_000_000_000)).unwrap();
        }
    }

    fn open(&mut self) -> Box<dyn Log> {
        Box::new(open(self))
    }

    fn fail_next_deliver(&mut self) {
        MemoryBroker::fail_next_deliver(self, DeliverFault::Refused);
    }

    fn written(&mut self, _: usize) -> Vec<Vec<u8>> {
        self.records("output").into_iter().filter_map(|record| record.payload).collect()
    }
}

#[test]
fn everything_is_seen_in_order() {
    laws::everything_is_seen_in_order(world());
}

#[test]
fn the_group_resumes_where_it_delivered() {
    laws::the_group_resumes_where_it_delivered(world());
}

#[test]
fn a_failed_deliver_moves_nothing() {
    laws::a_failed_deliver_moves_nothing(world());
}

/// What one poll brings. Assigned partitions are started; wanted ones are not released.
fn events(log: &mut MemoryLog) -> Vec<String> {
    let (mut seen, mut arriving) = (Vec::new(), Vec::new());
    let numbers =
        |places: &[Place]| format!("{:?}", places.iter().map(|p| p.1).collect::<Vec<_>>());
    let mut note = |event: LogEvent<'_>| {
        seen.push(match event {
            LogEvent::Assigned(places) => {
                arriving.extend(places.iter().cloned());
                format!("+{}", numbers(places))
            }
            LogEvent::Revoking(places) => format!("~{}", numbers(places)),
            LogEvent::Lost(places) => format!("-{}", numbers(places)),
            LogEvent::Gone { place, position, bounds } => {
                format!("{}@{position} not in {}..{}", place.1, bounds.low, bounds.high)
            }
            LogEvent::Message(m) => format!("{}@{}", m.partition, m.offset),
        });
    };
    log.poll(100, Duration::ZERO, &mut note).unwrap();
    start(log, arriving);
    seen
}

fn place(partition: i32) -> Place {
    ("input".to_owned(), partition)
}

#[test]
fn a_partition_moves_only_after_its_owner_let_it_go() {
    let mut broker = world();
    broker.produce((0..PARTITIONS).map(|p| record(p, "x")).collect());
    let mut first = open(&broker);
    assert_eq!(events(&mut first), ["+[0, 1, 2]"]);
    assert_eq!(events(&mut first), ["0@0", "1@0", "2@0"]);
    let mut second = open(&broker);
    assert_eq!(events(&mut second), [""; 0]);
    assert_eq!(events(&mut first), ["~[1]"]);
    assert_eq!(events(&mut second), [""; 0], "not before it is released");
    first.deliver(&[part(1, Some(1), Vec::new())]).unwrap();
    first.release(&[place(1)]).unwrap();
    first.deliver(&[part(1, Some(0), Vec::new())]).unwrap();
    assert_eq!(broker.committed("g", "input", 1), Some(1), "what is not owned is not committed");
    assert_eq!(events(&mut second), ["+[1]"]);
    assert_eq!(events(&mut second), [""; 0]);
    drop(second);
    assert_eq!(events(&mut first), ["+[1]"]);
}

#[test]
fn a_member_that_was_thrown_out_delivers_nothing_and_is_told() {
    let mut broker = world();
    broker.produce(vec![record(0, "x")]);
    let mut log = broker.join("g", &["input"], Delivery::ExactlyOnce);
    events(&mut log);
    assert_eq!(events(&mut log), ["0@0"]);
    broker.expire_members("g");
    let output = OutMessage { topic: "output".into(), partition: None, ..record(0, "y") };
    let error = log.deliver(&[part(0, Some(1), vec![output])]).unwrap_err();
    assert!(matches!(error, DeliverError::Again(_)), "{error}");
    assert_eq!(broker.records("output"), []);
    assert_eq!(events(&mut log), ["-[0, 1, 2]", "+[0, 1, 2]"]);
    assert_eq!(events(&mut log), ["0@0"]);
}

#[test]
fn a_lost_acknowledgement_leaves_outputs_but_no_position() {
    let mut broker = world();
    broker.produce(vec![record(0, "x")]);
    let mut log = open(&broker);
    take(&mut log, 1);
    MemoryBroker::fail_next_deliver(&broker, DeliverFault::AnswerLost);
    let output = OutMessage { topic: "output".into(), partition: None, ..record(0, "y") };
    let part = part(0, Some(1), vec![output]);
    assert!(log.deliver(std::slice::from_ref(&part)).is_err());
    assert_eq!(broker.records("output").len(), 1);
    assert_eq!(broker.committed("g", "input", 0), None);
    log.deliver(&[part]).unwrap();
    assert_eq!(broker.records("output").len(), 2);
    assert_eq!(broker.committed("g", "input", 0), Some(1));
}

#[test]
fn an_output_for_no_partition_writes_nothing() {
    let broker = world();
    let mut log = open(&broker);
    let outputs = vec![record(0, "good"), record(PARTITIONS, "bad")];
    let error = log.deliver(&[part(0, None, outputs)]).unwrap_err();
    assert_eq!(error.to_string(), "kafka produce: topic input has no partition 3");
    assert_eq!(broker.records("input"), []);
}

#[test]
fn a_position_that_retention_ate_is_told_once() {
    let mut broker = world();
    broker.produce((0..5).map(|_| record(0, "x")).collect());
    broker.truncate("input", 0, 3);
    let mut log = open(&broker);
    broker.set_committed("g", "input", 0, 1);
    assert_eq!(events(&mut log), ["+[0, 1, 2]"]);
    assert_eq!(events(&mut log), ["0@1 not in 3..5"]);
    assert_eq!(events(&mut log), [""; 0]);
    log.seek(&place(0), 3).unwrap();
    assert_eq!(events(&mut log), ["0@3", "0@4"]);
}

#[test]
fn a_waiting_poll_wakes_up() {
    let mut broker = world();
    let mut log = open(&broker);
    let reader = std::thread::spawn(move || take(&mut log, 1));
    broker.produce(vec![record(0, "new")]);
    assert_eq!(reader.join().unwrap()[&0][0].0, 0);
}
