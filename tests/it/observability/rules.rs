//! The rules of Prometheus: what they name exists, and each alert has its page.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::expressions::Catalogue;
use super::{read, repository, yaml};

pub const RULES: &str = "deploy/prometheus/latentd.rules.yml";
/// Where the pages are, until somebody puts them where their people read.
const RUNBOOKS: &str = "https://runbooks.example.org/latentd";
const MANIFEST: &str = "deploy/kubernetes/overlays/production/prometheusrule.yaml";

/// The catalogue of `field` that is asked of a daemon like this one.
#[rustfmt::skip]
const ALERTS: [&str; 20] = [
    "LatentdDown", "LatentdNotReady", "LatentdLagGrowing", "LatentdWatermarkStalled",
    "LatentdLateRecordsHigh", "LatentdDeadLetters", "LatentdCheckpointStale", "LatentdConfigReloadFailed",
    "LatentdTooManyRestarts", "LatentdMemoryNearLimit", "LatentdModelRejectedRepeatedly",
    "LatentdModelRolledBack", "LatentdSelfTestBlind", "LatentdAlertBudgetBurning",
    "LatentdForecastWorseThanNaive", "LatentdCoverageOff", "LatentdSeriesDropped",
    "LatentdAlertDeliveryFailing", "LatentdSchemaChanged", "LatentdSensorStale",
];

/// All rules, each with the name of its group.
pub fn rules() -> Vec<(String, Value)> {
    let groups = yaml(RULES)["groups"].as_array().expect("groups").clone();
    let of = |group: Value| {
        let name = group["name"].as_str().expect("a name").to_owned();
        let rules = group["rules"].as_array().expect("rules").clone();
        rules.into_iter().map(move |rule| (name.clone(), rule))
    };
    groups.into_iter().flat_map(of).collect()
}

/// Names that recording rules make.
pub fn recorded() -> Vec<String> {
    rules().iter().filter_map(|(_, rule)| rule["record"].as_str().map(str::to_owned)).collect()
}

fn alerts() -> BTreeSet<String> {
    rules().iter().filter_map(|(_, rule)| rule["alert"].as_str().map(str::to_owned)).collect()
}

#[test]
fn rules_name_only_what_exists() {
    let catalogue = Catalogue::new(&recorded());
    let rules = rules();
    let expressions = rules.iter().map(|(_, rule)| rule["expr"].as_str().expect("an expression"));
    let faults: Vec<String> = expressions.flat_map(|e| catalogue.faults(e)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_alert_has_a_page_that_names_only_what_exists_and_a_test() {
    assert_eq!(alerts(), ALERTS.map(str::to_owned).into());
    let pages = fs::read_dir(repository("deploy/runbooks")).expect("a folder");
    let pages: BTreeSet<String> = pages
        .map(|page| page.expect("a file").file_name().to_string_lossy().replace(".md", ""))
        .collect();
    assert_eq!(pages, alerts());
    let catalogue = Catalogue::new(&recorded());
    let tests = read("deploy/prometheus/latentd.rules.test.yml");
    for (_, rule) in rules().iter().filter(|(_, rule)| rule["alert"].is_string()) {
        let name = rule["alert"].as_str().expect("a name");
        assert_eq!(rule["annotations"]["runbook_url"], format!("{RUNBOOKS}/{name}.md"));
        assert!(tests.contains(&format!("name: {name} fires")), "{name} has no test");
        let page = read(&format!("deploy/runbooks/{name}.md"));
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        let code = page.split('`').skip(1).step_by(2);
        // Names of topics have dots.
        let metrics = code.filter(|c| c.contains("latentd_") && !c.contains("latentd."));
        // People call a histogram by its name, expressions by its parts.
        let unknown = |m: &&str| {
            !catalogue.faults(m).is_empty() && !catalogue.faults(&format!("{m}_count")).is_empty()
        };
        let faults: Vec<&str> = metrics.filter(unknown).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

/// The rules as the Prometheus operator takes them.
fn manifest() -> String {
    let rules = read(RULES);
    let groups = rules.lines().skip_while(|line| !line.starts_with("groups:"));
    let mut text = "# Made from deploy/prometheus/latentd.rules.yml: UPDATE=1 cargo test prometheus_operator\n\
         apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: latentd\nspec:\n"
        .to_owned();
    for line in groups {
        if !line.is_empty() {
            text += "  ";
        }
        text += line;
        text.push('\n');
    }
    text
}

/// After a change of the rules: `UPDATE=1 cargo test prometheus_operator`.
#[test]
fn the_prometheus_operator_gets_the_same_rules() {
    let expected = manifest();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(repository(MANIFEST), &expected).expect("a writable file");
    }
    assert_eq!(read(MANIFEST), expected, "UPDATE=1 cargo test prometheus_operator");
    assert_eq!(yaml(MANIFEST)["spec"]["groups"], yaml(RULES)["groups"]);
    // The rules know latentd by the name of its job.
    let monitor = yaml("deploy/kubernetes/overlays/production/podmonitor.yaml");
    assert_eq!(monitor["spec"]["jobLabel"], "app.kubernetes.io/name");
}
