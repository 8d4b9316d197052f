//! What the other tests on the real broker rely on.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::broker::client::kcat;
use crate::broker::{Broker, shared};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn records_of_a_foreign_client_are_read_with_key_and_headers() {
    let broker = shared();
    broker.create_topic("foreign", 1);
    kcat(broker, &["-P", "-t", "foreign", "-K", "=", "-H", "unit=degC"], "a=1\nb=2\n");
    let got = broker.read_until("foreign", LIMIT, |seen| seen.len() == 2);
    assert_eq!((got[0].key.as_deref(), got[0].text()), (Some("a"), "1"));
    assert_eq!((got[1].key.as_deref(), got[1].text()), (Some("b"), "2"));
    assert_eq!(got[1].header("unit"), Some("degC"));
}

/// The reason for a real broker: the mock cluster shows aborted records.
#[test]
fn an_aborted_transaction_is_not_seen() {
    let broker = shared();
    broker.create_topic("transactions", 1);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap()).set("transactional.id", "t");
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(LIMIT).expect("initialised");
    for (value, commit) in [("aborted", false), ("committed", true)] {
        producer.begin_transaction().expect("begun");
        let record = BaseRecord::<str, str>::to("transactions").payload(value);
        producer.send(record).map_err(|(e, _)| e).expect("queued");
        producer.flush(LIMIT).expect("stored");
        let end = if commit {
            producer.commit_transaction(LIMIT)
        } else {
            producer.abort_transaction(LIMIT)
        };
        end.expect("ended");
    }
    let got = broker.read_until("transactions", LIMIT, |seen| !seen.is_empty());
    assert_eq!(got[0].text(), "committed");
}

#[test]
fn a_broker_that_is_killed_comes_back_with_its_records() {
    let broker = Broker::start();
    broker.create_topic("kept", 1);
    broker.produce("kept", 0, [("k", b"before".as_slice())]);
    broker.kill();
    broker.resume();
    broker.produce("kept", 0, [("k", b"after".as_slice())]);
    let got = broker.read_until("kept", LIMIT, |seen| seen.len() == 2);
    assert_eq!((got[0].text(), got[1].text()), ("before", "after"));
    broker.stop();
}
