//! Dashboards name only what exists; Grafana's own alert rules say what those of Prometheus say.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::expressions::Catalogue;
use super::rules::{recorded, rules};
use super::{read, repository, yaml};

const DASHBOARDS: [&str; 5] = ["overview", "stream", "models", "forecasts", "delivery"];
const ALERTS: &str = "deploy/grafana/provisioning/alerting/latentd.json";
/// Name of the data source in `provisioning/datasources`.
const SOURCE: &str = "prometheus";

fn dashboard(name: &str) -> Value {
    let text = read(&format!("deploy/grafana/dashboards/latentd-{name}.json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All values of a key, wherever it stands.
fn find<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(table) => table.iter().for_each(|(own, inner)| match inner {
            Value::String(text) if own == key => found.push(text),
            _ => find(inner, key, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| find(item, key, found)),
        _ => {}
    }
}

#[test]
fn dashboards_name_only_what_exists() {
    let catalogue = Catalogue::new(&recorded());
    let mut ids = BTreeSet::new();
    for name in DASHBOARDS {
        let board = dashboard(name);
        assert!(ids.insert(board["uid"].as_str().expect("a uid").to_owned()));
        let (mut expressions, mut queries) = (Vec::new(), Vec::new());
        find(&board["panels"], "expr", &mut expressions);
        find(&board["annotations"], "expr", &mut expressions);
        find(&board["templating"], "query", &mut queries);
        assert!(expressions.len() >= 4, "{name}: {expressions:?}");
        let mut faults: Vec<String> =
            expressions.iter().flat_map(|e| catalogue.faults(e)).collect();
        for query in queries.iter().filter_map(|q| q.strip_prefix("label_values(")) {
            let (metric, label) = query.trim_end_matches(')').split_once(", ").expect("two");
            faults.extend(catalogue.faults(&format!("sum by ({label}) ({metric})")));
        }
        assert!(faults.is_empty(), "{name}: {}", faults.join("\n"));
    }
}

#[test]
fn panels_have_titles_descriptions_and_places_of_their_own() {
    for name in DASHBOARDS {
        let board = dashboard(name);
        let mut taken = BTreeSet::new();
        for panel in board["panels"].as_array().expect("panels") {
            let title = panel["title"].as_str().expect("a title");
            let row = panel["type"] == "row";
            assert!(row || panel["description"].as_str().is_some_and(|d| d.len() > 5), "{title}");
            let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
            assert!(at("x") + at("w") <= 24, "{name}, {title}");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{name}: {title} lies on another panel");
                }
            }
        }
    }
}

/// One rule of Prometheus as Grafana evaluates it: `A` is the value for texts, `B` is 1 wherever the
/// expression has a result, whatever its value, and the alert fires there.
fn rule(rule: &Value) -> Value {
    let (name, expression) = (rule["alert"].as_str(), rule["expr"].as_str());
    let (name, expression) = (name.expect("a name"), expression.expect("an expression"));
    let query = |id: &str, expression: &str| {
        json!({
            "refId": id, "datasourceUid": SOURCE, "relativeTimeRange": {"from": 600, "to": 0},
            "model": {"refId": id, "expr": expression, "instant": true, "range": false},
        })
    };
    let condition = json!({
        "refId": "C", "datasourceUid": "__expr__", "relativeTimeRange": {"from": 0, "to": 0},
        "model": {
            "refId": "C", "type": "threshold", "expression": "B",
            "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
        },
    });
    let mut annotations = rule["annotations"].clone();
    for text in annotations.as_object_mut().expect("a table").values_mut() {
        let said = text.as_str().expect("text").replace("$value", "$values.A.Value");
        *text = said.into();
    }
    json!({
        "uid": name.to_lowercase(), "title": name, "condition": "C",
        "data": [query("A", expression), query("B", &format!("({expression}) > bool -Inf")), condition],
        "for": rule["for"].as_str().unwrap_or("0s"), "noDataState": "OK", "execErrState": "Error",
        "labels": rule["labels"], "annotations": annotations,
    })
}

fn expected() -> Value {
    let mut groups: Vec<Value> = Vec::new();
    for (group, known) in rules().iter().filter(|(_, rule)| rule["alert"].is_string()) {
        if groups.last().is_none_or(|last| last["name"] != *group) {
            let new = json!({"orgId": 1, "name": group, "folder": "latentd", "interval": "1m", "rules": []});
            groups.push(new);
        }
        let last = groups.last_mut().and_then(|group| group["rules"].as_array_mut());
        last.expect("a group").push(rule(known));
    }
    groups.push(json!({
        "orgId": 1, "name": "latentd.streams", "folder": "latentd", "interval": "1m",
        "rules": [rule(&stream_rule())],
    }));
    json!({"apiVersion": 1, "groups": groups})
}

/// For those who have Grafana and no Alertmanager: a stream has an open alert. Prometheus has no such
/// rule, since latentd tells an Alertmanager itself, entity by entity.
fn stream_rule() -> Value {
    json!({
        "alert": "LatentdStreamAlert",
        "expr": "max by (stream) (latentd_stream_state) == 1",
        "labels": {"severity": "warning"},
        "annotations": {
            "summary": "stream {{ $labels.stream }} has an open alert",
            "description": "The page of latentd and the topic latentd.alerts.current.v1 say which machine, and which sensor.",
        },
    })
}

/// After a change of the rules: `UPDATE=1 cargo test grafana`.
#[test]
fn grafana_alerts_are_those_of_prometheus() {
    let expected = serde_json::to_string_pretty(&expected()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(repository(ALERTS), &expected).expect("a writable file");
    }
    assert_eq!(read(ALERTS), expected, "UPDATE=1 cargo test grafana");
    let catalogue = Catalogue::new(&recorded());
    let written: Value = serde_json::from_str(&expected).expect("JSON");
    let mut expressions = Vec::new();
    find(&written, "expr", &mut expressions);
    assert_eq!(expressions.len(), 42);
    let faults: Vec<String> = expressions.iter().flat_map(|e| catalogue.faults(e)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_provisioned_data_source_is_the_one_of_the_rules() {
    let sources = yaml("deploy/grafana/provisioning/datasources/latentd.yaml");
    assert_eq!(sources["datasources"][0]["uid"], SOURCE);
    let providers = yaml("deploy/grafana/provisioning/dashboards/latentd.yaml");
    let path = providers["providers"][0]["options"]["path"].as_str().expect("a path");
    let compose = read("deploy/compose.yaml");
    assert!(compose.contains(&format!("./grafana/dashboards:{path}:ro")), "{path}");
}
