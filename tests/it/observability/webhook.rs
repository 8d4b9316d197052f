//! A webhook is handed each change of an alert, in order, also one that it missed while it was away.

use serde_json::Value;

use super::hook::{Hook, Posted};
use super::{LIMIT, flow, ranged_stream};
use crate::broker::process::{Latentd, create_outputs, settings};
use crate::broker::{shared, wait_for};

const ALERT: &str = include_str!("../../../config/schemas/alert.v1.json");

fn changes(all: &[Posted]) -> Vec<String> {
    let mut ids: Vec<(&str, String)> = Vec::new();
    for posted in all {
        let change = posted.body["change"].as_str().expect("text").to_owned();
        // At least once: a repetition has the same id.
        if ids.iter().all(|(id, _)| *id != posted.header("latentd-event-id")) {
            ids.push((posted.header("latentd-event-id"), change));
        }
    }
    ids.into_iter().map(|(_, change)| change).collect()
}

#[test]
fn each_change_is_posted_at_least_once_and_in_order() {
    let (broker, name) = (shared(), "sink-hook");
    broker.create_topic("in.sink-hook", 1);
    create_outputs(broker, name);
    let produce = |key: &str, values: Vec<String>| {
        broker.produce("in.sink-hook", 0, values.iter().map(|v| (key, v.as_bytes())));
    };
    let hook = Hook::start(1);
    let sink = format!(
        "[[alerting.sink]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\nstreams = [\"press\"]\n\
         headers = {{ X-Site = \"plant\" }}\n",
        hook.url
    );
    let settings = settings(broker, name, &format!("{}\n{sink}", ranged_stream("in.sink-hook")));
    let daemon = Latentd::start(&settings);
    // It must have begun: what is older than its first life is not for it.
    wait_for("the webhook's group", LIMIT, || {
        let group = format!("{name}.hook");
        (broker.committed(&group, &format!("alerts.{name}"), 0) >= 0).then_some(())
    });
    produce("press-08", flow(0, &[50.0, 500.0, 500.0]));
    produce("press-07", flow(0, &[50.0, 50.0, 130.0, 130.0]));
    wait_for("the opening", LIMIT, || (!hook.taken().is_empty()).then_some(()));
    let requests = hook.requests();
    assert_eq!(requests[0].status, 503);
    let id = requests[1].header("latentd-event-id");
    assert_eq!(requests[0].header("latentd-event-id"), id, "tried again under the same id");
    assert!(id.contains("/alert/a-"), "{id}");
    assert_eq!(requests[1].header("x-site"), "plant");
    assert_eq!(requests[1].header("latentd-event-type"), "io.latentd.alert.opened.v1");
    let schema: Value = serde_json::from_str(ALERT).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&requests[1].body), "{}", requests[1].body);

    daemon.kill();
    let daemon = Latentd::start(&settings);
    produce("press-07", flow(4, &[500.0, 50.0, 50.0, 50.0, 50.0]));
    wait_for("the end", LIMIT, || {
        changes(&hook.taken()).last().is_some_and(|change| change == "closed").then_some(())
    });
    assert_eq!(changes(&hook.taken()), ["opened", "updated", "closed"]);
    assert!(hook.taken().iter().all(|posted| posted.body["entity"] == "press-07"), "maintenance");
    daemon.terminate();
}
