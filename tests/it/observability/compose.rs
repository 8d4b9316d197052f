//! `deploy/compose.yaml` is what the Compose Specification allows, and what it mounts is there.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::{read, repository, yaml};
use crate::broker::require;

const COMPOSE: &str = "deploy/compose.yaml";

/// The schema is that of github.com/compose-spec/compose-go v2.16.2 (Apache-2.0), unchanged.
#[test]
fn compose_yaml_follows_the_schema_of_the_specification() {
    let schema: Value =
        serde_json::from_str(include_str!("../golden/compose-spec.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let compose = yaml(COMPOSE);
    let faults: Vec<String> =
        validator.iter_errors(&compose).map(|e| format!("{}: {e}", e.instance_path)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let mut broken = compose;
    broken["services"]["kafka"]["prots"] = Value::from(1);
    assert!(!validator.is_valid(&broken), "the schema refuses what it does not know");
}

#[test]
fn what_compose_mounts_and_depends_on_is_there() {
    let compose = yaml(COMPOSE);
    let services = compose["services"].as_object().expect("services");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let mut mounted = 0;
    for (name, service) in services {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let volume = text(volume);
            let (source, _) = volume.split_once(':').expect("source and target");
            let named = compose["volumes"].get(source).is_some();
            let there = repository("deploy").join(source).exists();
            assert!(named || there, "{name}: {source}");
            mounted += 1;
        }
        let depends = &service["depends_on"];
        let listed = depends.as_array().into_iter().flatten().map(text);
        let keyed = depends.as_object().into_iter().flat_map(|table| table.keys().cloned());
        for other in listed.chain(keyed) {
            assert!(services.contains_key(&other), "{name} depends on {other}");
        }
    }
    assert!(mounted >= 8, "{mounted} volumes");
}

#[test]
fn the_broker_keeps_its_log_on_its_volume() {
    let kafka = &yaml(COMPOSE)["services"]["kafka"];
    let log = kafka["environment"]["KAFKA_LOG_DIRS"].as_str().expect("a folder");
    let volumes = kafka["volumes"].as_array().expect("volumes");
    let targets = volumes.iter().filter_map(|volume| volume.as_str()?.split(':').nth(1));
    assert!(targets.into_iter().any(|target| target == log), "{log} is on no volume");
}

#[test]
fn the_mounted_settings_can_be_used() {
    let settings =
        latentd::config::Settings::load(Some(&repository("deploy/latentd.toml")), &BTreeMap::new());
    let settings = settings.unwrap_or_else(|error| panic!("{error}"));
    let compose = yaml(COMPOSE);
    let broker = settings.kafka.brokers[0].split(':').next().expect("a host").to_owned();
    assert!(compose["services"].get(&broker).is_some(), "{broker}");
    let sink = settings.alerting.sink[0].url.as_deref().expect("an address");
    assert_eq!(sink, "http://alertmanager:9093");
    assert!(read("deploy/prometheus/prometheus.yml").contains("latentd:9108"));
    // The server listens for all of its network: without a token it would refuse verdicts.
    let token = &compose["services"]["latentd"]["configs"][0];
    let file = settings.http.token_file.expect("a token file").display().to_string();
    assert_eq!(token["target"], file);
    let source = token["source"].as_str().expect("a name");
    let content = compose["configs"][source]["content"].as_str().expect("a default");
    let default = content.trim_end_matches('}').split(":-").nth(1).expect("a default");
    assert!((16..=4_096).contains(&default.len()), "{default}");
    // The default of the key is never: the rule and the page of a stale sensor need another.
    for file in [
        "deploy/latentd.toml",
        "deploy/systemd/latentd.toml",
        "deploy/kubernetes/base/latentd.toml",
        "config/sensors.toml",
    ] {
        let settings = latentd::config::Settings::load(Some(&repository(file)), &BTreeMap::new());
        let settings = settings.unwrap_or_else(|error| panic!("{file}: {error}"));
        let told = settings.stream.iter().all(|stream| stream.alert.stale_after.get() > 0);
        assert!(told, "{file}: LatentdSensorStale cannot fire");
    }
    for (command, package, arguments) in [
        ("promtool", "prometheus", ["check", "config", "deploy/prometheus/prometheus.yml"]),
        (
            "amtool",
            "prometheus-alertmanager",
            ["check-config", "deploy/alertmanager/alertmanager.yml", ""],
        ),
    ] {
        require(command, package);
        let arguments = arguments.iter().filter(|argument| !argument.is_empty());
        let out = Command::new(command).args(arguments).current_dir(repository(".")).output();
        let out = out.expect("it starts");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
}
