//! Rules of `[alerting]` and its sinks.

use super::Settings;
use super::fault::Fault;
use super::rules::{quoted, unique};
use crate::notify::{
    AlertingParams, SinkKind, SinkParams, UrlFault, header_fault, masked, url_fault,
};
use crate::record::Millis;

const TIMEOUT: [Millis; 2] = [Millis::new(100), Millis::new(300_000)];
const RESEND: [Millis; 2] = [Millis::new(1_000), Millis::new(3_600_000)];
/// Labels that latentd sets itself.
const OWN_LABELS: [&str; 5] = ["alertname", "stream", "entity", "kind", "severity"];

pub(super) fn check(settings: &Settings, faults: &mut Vec<Fault>) {
    let AlertingParams { sink, resend, timeout, external_url, runbook_url, .. } =
        &settings.alerting;
    within("alerting.resend", *resend, RESEND, faults);
    within("alerting.timeout", *timeout, TIMEOUT, faults);
    for (key, url) in [("external_url", external_url), ("runbook_url", runbook_url)] {
        check_url(&format!("alerting.{key}"), url.as_deref(), "", faults);
    }
    for (i, sink) in sink.iter().enumerate() {
        let at = format!("alerting.sink[{i}]");
        check_sink(sink, &at, faults);
        let names = || settings.stream.iter().map(|stream| &stream.name);
        for (j, stream) in sink.streams.iter().enumerate() {
            if !names().any(|name| name == stream) {
                let why = "there is no such stream";
                faults.push(Fault::rule(format!("{at}.streams[{j}]"), quoted(stream), why));
            }
        }
    }
    let names = sink.iter().enumerate();
    unique(names.map(|(i, s)| (format!("alerting.sink[{i}].name"), s.name.as_str())), faults);
}

fn check_sink(sink: &SinkParams, at: &str, faults: &mut Vec<Fault>) {
    if sink.name.trim().is_empty() {
        faults.push(Fault::rule(format!("{at}.name"), quoted(&sink.name), "must not be empty"));
    }
    match (&sink.url, &sink.url_file) {
        (None, None) => faults.push(Fault::new(format!("{at}.url"), "is missing")),
        (Some(_), Some(_)) => {
            let why = "the address is given twice, `url` is one already";
            faults.push(Fault::new(format!("{at}.url_file"), why));
        }
        (url, _) => check_url(&format!("{at}.url"), url.as_deref(), ": use `token_file`", faults),
    }
    if let Some(timeout) = sink.timeout {
        within(&format!("{at}.timeout"), timeout, TIMEOUT, faults);
    }
    if let Some(resend) = sink.resend {
        within(&format!("{at}.resend"), resend, RESEND, faults);
    }
    for (name, value) in &sink.headers {
        if let Some(why) = header_fault(name, value) {
            faults.push(Fault::new(format!("{at}.headers.{name}"), why));
        }
    }
    for name in sink.labels.keys() {
        let why = match name.as_str() {
            own if OWN_LABELS.contains(&own) => "latentd sets it itself",
            name if is_label(name) => continue,
            _ => "labels are named by letters, digits and `_`, and begin with no digit",
        };
        faults.push(Fault::new(format!("{at}.labels.{name}"), why));
    }
    if sink.kind == SinkKind::Webhook {
        let unused = [("resend", sink.resend.is_some()), ("labels", !sink.labels.is_empty())];
        for (key, _) in unused.iter().filter(|(_, set)| *set) {
            faults.push(Fault::new(format!("{at}.{key}"), "is for Alertmanagers, not webhooks"));
        }
    }
}

/// `instead` is told to who puts a password into the address: no fault may repeat it.
fn check_url(at: &str, url: Option<&str>, instead: &str, faults: &mut Vec<Fault>) {
    let Some((url, fault)) = url.and_then(|url| Some((url, url_fault(url)?))) else { return };
    let instead = if fault == UrlFault::Credentials { instead } else { "" };
    faults.push(Fault::rule(at, quoted(masked(url)), format!("{fault}{instead}")));
}

fn within(at: &str, value: Millis, [least, most]: [Millis; 2], faults: &mut Vec<Fault>) {
    if value < least || most < value {
        let why = format!("expected a duration from {least} to {most}");
        faults.push(Fault::rule(at, value, why));
    }
}

/// As Prometheus has it.
fn is_label(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use crate::config::Layers;

    const STREAM: &str = "[[stream]]\nname = 'a'\ntopics = ['in']\nchannel = [{ name = 'x' }]\n";

    fn told(sink: &str) -> Vec<String> {
        let text = format!("{STREAM}\n[[alerting.sink]]\n{sink}");
        match Layers::new().toml(&text, "a test").unwrap().settings() {
            Ok(_) => Vec::new(),
            Err(crate::config::ConfigError::Faults(faults)) => {
                faults.iter().map(ToString::to_string).collect()
            }
            Err(other) => vec![other.to_string()],
        }
    }

    #[test]
    fn a_sink_that_can_work_is_accepted() {
        let sink = "name = 'pager'\nkind = 'alertmanager'\nurl = 'https://am:9093/base'\n\
             streams = ['a']\nresend = '30s'\ntoken_file = '/run/token'\n\
             headers = { X-Scope-OrgID = 'plant' }\nlabels = { site = 'x' }";
        assert_eq!(told(sink), [""; 0]);
        let hook = "name = 'hook'\nkind = 'webhook'\nurl_file = '/run/hook'";
        assert_eq!(told(hook), [""; 0]);
    }

    #[test]
    fn faults_of_sinks_are_told_with_their_keys() {
        #[rustfmt::skip]
        let cases = [
            ("name = 'x'\nkind = 'webhook'",
             "alerting.sink[0].url: is missing"),
            ("name = 'x'\nkind = 'webhook'\nurl = 'file:///etc'",
             "alerting.sink[0].url = \"file:///etc\": expected http:// or https:// and a host"),
            ("name = 'x'\nkind = 'webhook'\nurl = 'http://h'\nurl_file = '/f'",
             "alerting.sink[0].url_file: the address is given twice, `url` is one already"),
            ("name = 'x'\nkind = 'webhook'\nurl = 'http://h'\nresend = '30s'",
             "alerting.sink[0].resend: is for Alertmanagers, not webhooks"),
            ("name = 'x'\nkind = 'alertmanager'\nurl = 'http://h'\nresend = '5ms'",
             "alerting.sink[0].resend = 5ms: expected a duration from 1s to 1h"),
            ("name = 'x'\nkind = 'alertmanager'\nurl = 'http://h'\nstreams = ['b']",
             "alerting.sink[0].streams[0] = \"b\": there is no such stream"),
            ("name = 'x'\nkind = 'alertmanager'\nurl = 'http://h'\nlabels = { severity = 'x' }",
             "alerting.sink[0].labels.severity: latentd sets it itself"),
            ("name = 'x'\nkind = 'alertmanager'\nurl = 'http://h'\nheaders = { Authorization = 'x' }",
             "alerting.sink[0].headers.Authorization: secrets do not belong in a settings file: \
              use `token_file`"),
        ];
        for (sink, expected) in cases {
            assert_eq!(told(sink), [expected]);
        }
    }

    #[test]
    fn no_fault_repeats_a_password() {
        let hook = |url: &str| told(&format!("name = 'x'\nkind = 'webhook'\nurl = '{url}'"));
        let why = "names and passwords do not belong here";
        let expected =
            format!("alerting.sink[0].url = \"http://***@h:1/x\": {why}: use `token_file`");
        assert_eq!(hook("http://user:hunter2@h:1/x"), [expected]);
        for odd in ["http://user:hunter2 @h", "user:hunter2@h", "ftp://user:hunter2@h"] {
            let told = hook(odd).join("\n");
            assert!(told.contains("***@h") && !told.contains("hunter2"), "{told}");
        }
        let sink = "name = 'x'\nkind = 'webhook'\nurl = 'http://h'\n";
        let table = "[alerting]\nexternal_url = 'http://user:hunter2@h:1/x'";
        let expected = format!("alerting.external_url = \"http://***@h:1/x\": {why}");
        assert_eq!(told(&format!("{sink}{table}")), [expected]);
    }
}
