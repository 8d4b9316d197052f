//! The laws of a log, and what only this one promises.

use std::time::Duration;

use super::*;
use crate::io::laws::{self, PARTITIONS, World, record, take};
use crate::io::{Log, LogEvent, OffsetReset, OutMessage, Position};

fn world() -> MemoryBroker {
    let broker = MemoryBroker::new();
    broker.create_topic("input", PARTITIONS as usize);
    broker
}

fn open(broker: &MemoryBroker) -> MemoryLog {
    broker.join("g", &["input"], OffsetReset::Earliest)
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
        MemoryBroker::fail_next_deliver(self, DeliverFault::BeforeWrite);
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

fn events(log: &mut MemoryLog) -> Vec<String> {
    let mut seen = Vec::new();
    let mut note = |event: LogEvent<'_>| {
        seen.push(match event {
            LogEvent::Assigned(places) => {
                format!("+{:?}", places.iter().map(|p| p.1).collect::<Vec<_>>())
            }
            LogEvent::Revoked(places) => {
                format!("-{:?}", places.iter().map(|p| p.1).collect::<Vec<_>>())
            }
            LogEvent::Message(m) => format!("{}@{}", m.partition, m.offset),
        });
    };
    log.poll(100, Duration::ZERO, &mut note).unwrap();
    seen
}

#[test]
fn a_partition_moves_only_after_its_owner_let_it_go() {
    let mut broker = world();
    broker.produce((0..PARTITIONS).map(|p| record(p, "x")).collect());
    let mut first = open(&broker);
    assert_eq!(events(&mut first), ["+[0, 1, 2]", "0@0", "1@0", "2@0"]);
    let mut second = open(&broker);
    assert_eq!(events(&mut second), [""; 0]);
    assert_eq!(events(&mut first), ["-[1]"]);
    let lost = [Position { topic: "input".into(), partition: 1, next_offset: 1 }];
    first.deliver(Vec::new(), &lost).unwrap();
    assert_eq!(broker.committed("g", "input", 1), None);
    assert_eq!(events(&mut second), ["+[1]", "1@0"]);
    drop(second);
    assert_eq!(events(&mut first), ["+[1]", "1@0"]);
}

#[test]
fn a_lost_acknowledgement_leaves_outputs_but_no_position() {
    let mut broker = world();
    broker.produce(vec![record(0, "x")]);
    let mut log = open(&broker);
    take(&mut log, 1);
    MemoryBroker::fail_next_deliver(&broker, DeliverFault::AfterWrite);
    let output = OutMessage { topic: "output".into(), partition: None, ..record(0, "y") };
    let position = Position { topic: "input".into(), partition: 0, next_offset: 1 };
    assert!(log.deliver(vec![output.clone()], std::slice::from_ref(&position)).is_err());
    assert_eq!(broker.records("output").len(), 1);
    assert_eq!(broker.committed("g", "input", 0), None);
    log.deliver(vec![output], &[position]).unwrap();
    assert_eq!(broker.records("output").len(), 2);
    assert_eq!(broker.committed("g", "input", 0), Some(1));
}

#[test]
fn an_output_for_no_partition_writes_nothing() {
    let broker = world();
    let mut log = open(&broker);
    let outputs = vec![record(0, "good"), record(PARTITIONS, "bad")];
    let error = log.deliver(outputs, &[]).unwrap_err();
    assert_eq!(error.to_string(), "kafka produce: topic input has no partition 3");
    assert_eq!(broker.records("input"), []);
}

#[test]
fn latest_starts_behind_what_is_there_and_a_waiting_poll_wakes_up() {
    let mut broker = world();
    broker.produce(vec![record(0, "old")]);
    let mut log = broker.join("late", &["input"], OffsetReset::Latest);
    assert_eq!(events(&mut log), ["+[0, 1, 2]"]);
    let reader = std::thread::spawn(move || take(&mut log, 1));
    broker.produce(vec![record(0, "new")]);
    assert_eq!(reader.join().unwrap()[&0][0].0, 1);
}
