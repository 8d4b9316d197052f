//! What an Alertmanager is to know: open alerts, and ends that it has not taken yet.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::text;
use crate::record::{
    AlertChange, AlertKind, AlertRecord, EventTime, Millis, OpenAlert, SeriesKey, Severity,
};
use crate::telemetry::PartitionLabels;

/// An open alert is told again so many times before it would end by itself: a lost request, or a
/// restart, must not look like a recovery.
const RESENDS_AHEAD: i64 = 4;

/// Labels of an alert: its identity.
type Labels = BTreeMap<String, String>;

/// Topic and partition: what is known of it is dropped when it moves away.
type Place = (String, i32);

/// An entity has one open alert of a kind.
type Subject = (SeriesKey, AlertKind);

/// One alert as `POST /api/v2/alerts` takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Postable {
    labels: Labels,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

/// What a request holds, and what is done with once it was taken.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Message {
    pub alerts: Vec<Postable>,
    told: Vec<(Place, Subject, u64)>,
    ended: Vec<(Place, Subject, Severity, u64)>,
}

impl Message {
    fn join(&mut self, other: Self) {
        self.alerts.extend(other.alerts);
        self.told.extend(other.told);
        self.ended.extend(other.ended);
    }
}

/// What all alerts of a sink have in common.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub labels: BTreeMap<String, String>,
    pub external_url: Option<String>,
    pub runbook_url: Option<String>,
    pub resend: Millis,
}

#[derive(Debug, Clone)]
struct Told {
    labels: Labels,
    annotations: BTreeMap<&'static str, String>,
    alert_id: String,
    severity: Severity,
    starts_at: EventTime,
    /// It is over, since then or since now.
    ended: bool,
    ends_at: Option<EventTime>,
    /// Counts the changes of the book: which of them a request has carried.
    change: u64,
    news: bool,
}

/// Open alerts and untold ends of the partitions of this process.
#[derive(Debug)]
pub(super) struct Book {
    frame: Frame,
    entries_max: usize,
    open: BTreeMap<Place, BTreeMap<Subject, Told>>,
    /// By severity, too: an alert that rises ends under its old labels.
    ended: BTreeMap<Place, BTreeMap<(Subject, Severity), Told>>,
    changes: u64,
}

impl Book {
    pub fn new(frame: Frame, entries_max: usize) -> Self {
        let (open, ended) = (BTreeMap::new(), BTreeMap::new());
        Self { frame, entries_max, open, ended, changes: 0 }
    }

    /// Takes a committed change of an alert. Returns whether there was room for it.
    pub fn take(
        &mut self,
        of: PartitionLabels<'_>,
        record: &AlertRecord,
        channels: &[impl AsRef<str>],
    ) -> bool {
        let subject = (record.entity.clone(), record.kind);
        let annotations = BTreeMap::from([
            ("summary", text::summary(record, channels)),
            ("description", text::description(record, channels)),
        ]);
        match record.change {
            AlertChange::Suppressed => true,
            AlertChange::Opened | AlertChange::Updated => {
                let alert = OpenAlert {
                    alert_id: record.alert_id.clone(),
                    kind: record.kind,
                    severity: record.severity,
                    entity: record.entity.clone(),
                    starts_at: record.starts_at,
                    sequence: record.sequence,
                    model_version: record.model_version,
                };
                self.open(of, &alert, annotations)
            }
            AlertChange::Closed => {
                self.close(&place(of), &subject, record.ends_at);
                true
            }
        }
    }

    /// Takes the alerts that are open in the restored state of a partition, in the place of those
    /// that were. Returns how many found no room.
    pub fn restore(&mut self, of: PartitionLabels<'_>, open: &[OpenAlert]) -> u64 {
        self.forget(of);
        let mut refused = 0;
        for alert in open {
            let (entity, kind) = (&alert.entity, alert.kind.word());
            let since = alert.starts_at;
            let summary = format!("{entity}: {kind} since {since}, known from stored state");
            let fitted = self.open(of, alert, BTreeMap::from([("summary", summary)]));
            refused += u64::from(!fitted);
        }
        refused
    }

    /// Forgets what is open in a partition that is another process's now: it is the one to speak.
    /// Ends that were not taken are still told: the next owner knows nothing of them.
    pub fn forget(&mut self, of: PartitionLabels<'_>) {
        self.open.remove(&place(of));
    }

    /// Changes that were not taken yet.
    pub fn news(&self) -> usize {
        let open = self.open.values().flat_map(BTreeMap::values).filter(|told| told.news).count();
        open + self.ended.values().map(BTreeMap::len).sum::<usize>()
    }

    fn entries(&self) -> usize {
        let open: usize = self.open.values().map(BTreeMap::len).sum();
        open + self.ended.values().map(BTreeMap::len).sum::<usize>()
    }

    fn open(
        &mut self,
        of: PartitionLabels<'_>,
        alert: &OpenAlert,
        mut annotations: BTreeMap<&'static str, String>,
    ) -> bool {
        let (place, subject) = (place(of), (alert.entity.clone(), alert.kind));
        let before = self.open.get(&place).and_then(|open| open.get(&subject)).cloned();
        if before.is_none() && self.entries() >= self.entries_max {
            return false;
        }
        if before.as_ref().is_some_and(|before| before.severity != alert.severity) {
            // The labels change: the old ones end where the new ones begin to be told.
            self.close(&place, &subject, None);
        }
        self.changes += 1;
        annotations.insert("alert_id", alert.alert_id.clone());
        annotations.insert("model", format!("{}@{}", of.stream, alert.model_version));
        if let Some(url) = &self.frame.runbook_url {
            annotations.insert("runbook_url", url.clone());
        }
        let told = Told {
            labels: self.labels(of.stream, alert),
            annotations,
            alert_id: alert.alert_id.clone(),
            severity: alert.severity,
            starts_at: alert.starts_at,
            ended: false,
            ends_at: None,
            change: self.changes,
            news: true,
        };
        if let Some(ended) = self.ended.get_mut(&place) {
            ended.remove(&(subject.clone(), alert.severity));
        }
        self.open.entry(place).or_default().insert(subject, told);
        true
    }

    fn labels(&self, stream: &str, alert: &OpenAlert) -> Labels {
        let severity = match alert.severity {
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        let own = [
            ("alertname", text::alert_name(alert.kind)),
            ("stream", stream),
            ("entity", &*alert.entity),
            ("kind", alert.kind.word()),
            ("severity", severity),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.frame.labels.clone().into_iter().chain(own).collect()
    }

    fn close(&mut self, place: &Place, subject: &Subject, ends_at: Option<EventTime>) {
        let Some(mut told) = self.open.get_mut(place).and_then(|open| open.remove(subject)) else {
            return;
        };
        self.changes += 1;
        (told.ended, told.ends_at, told.change) = (true, ends_at, self.changes);
        let ended = self.ended.entry(place.clone()).or_default();
        ended.insert((subject.clone(), told.severity), told);
    }

    /// What to post at `now`: with `all` every open alert, else those with news; and all ends.
    /// In parts of at most `alerts_max`, but an end and what follows it stay together.
    pub fn messages(&self, now: EventTime, all: bool, alerts_max: usize) -> Vec<Message> {
        let active: BTreeSet<&Labels> =
            self.open.values().flat_map(BTreeMap::values).map(|told| &told.labels).collect();
        let mut messages = vec![Message::default()];
        let mut group = |groups: Message| {
            let fits = |m: &Message| m.alerts.len() + groups.alerts.len() <= alerts_max;
            match messages.last_mut().filter(|m| fits(m) || m.alerts.is_empty()) {
                Some(last) => last.join(groups),
                None => messages.push(groups),
            }
        };
        let nothing = BTreeMap::new();
        let places: BTreeSet<&Place> = self.open.keys().chain(self.ended.keys()).collect();
        for place in places {
            let open = self.open.get(place).unwrap_or(&nothing);
            let mut groups: BTreeMap<&Subject, Message> = BTreeMap::new();
            for ((subject, severity), told) in self.ended.get(place).into_iter().flatten() {
                let message = groups.entry(subject).or_default();
                message.ended.push((place.clone(), subject.clone(), *severity, told.change));
                // Another partition of the stream may say that the same entity goes on.
                if !active.contains(&told.labels) {
                    message.alerts.push(self.postable(told, now));
                }
            }
            for (subject, told) in open.iter().filter(|(_, told)| all || told.news) {
                let message = groups.entry(subject).or_default();
                message.told.push((place.clone(), subject.clone(), told.change));
                message.alerts.push(self.postable(told, now));
            }
            groups.into_values().for_each(&mut group);
        }
        messages.retain(|m| !(m.alerts.is_empty() && m.ended.is_empty()));
        messages
    }

    /// Notes that a message was taken. What has changed meanwhile stays news.
    pub fn taken(&mut self, message: Message) {
        for (place, subject, change) in message.told {
            let told = self.open.get_mut(&place).and_then(|open| open.get_mut(&subject));
            if let Some(told) = told.filter(|told| told.change == change) {
                told.news = false;
            }
        }
        for (place, subject, severity, change) in message.ended {
            let key = (subject, severity);
            if let Some(ended) = self.ended.get_mut(&place)
                && ended.get(&key).is_some_and(|told| told.change == change)
            {
                ended.remove(&key);
            }
        }
    }

    fn postable(&self, told: &Told, now: EventTime) -> Postable {
        // Event time may run ahead of the clock of the Alertmanager, or end before it began there.
        let starts_at = told.starts_at.min(now);
        let ahead = Millis::new(self.frame.resend.get().saturating_mul(RESENDS_AHEAD));
        let ends_at = if told.ended { told.ends_at.unwrap_or(now).min(now) } else { now + ahead };
        let link = |url: &String| format!("{}/alerts/{}", url.trim_end_matches('/'), told.alert_id);
        Postable {
            labels: told.labels.clone(),
            annotations: told.annotations.clone(),
            starts_at: starts_at.to_string(),
            ends_at: ends_at.max(starts_at).to_string(),
            generator_url: self.frame.external_url.as_ref().map(link),
        }
    }
}

fn place(of: PartitionLabels<'_>) -> Place {
    (of.topic.to_owned(), of.partition)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
