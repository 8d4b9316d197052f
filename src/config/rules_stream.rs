//! Rules of one `[[stream]]`: names, time, windows, alerts.

use super::StreamSettings;
use super::fault::Fault;
use super::rules::{quoted, unique};
use super::{maintenance, rules_model};
use crate::io::{Decoder, EntitySource, TimestampSource};
use crate::record::{Millis, Step};

/// The name is part of topic names, metric labels and ids.
const NAME_BYTES_MAX: usize = 100;
const CHANNEL_NAME_BYTES_MAX: usize = 128;
const CHANNELS_MAX: usize = 1024;

/// Checks the rules of one stream; `at` is its path, for example `stream[0]`.
pub(super) fn check(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let before = faults.len();
    names(stream, at, faults);
    sources(stream, at, faults);
    if faults.len() == before {
        fields(stream, at, faults);
    }
    times(stream, at, faults);
    windows(stream, at, faults);
    rules_model::check(stream, at, faults);
    ranges(stream, at, faults);
    budget(stream, at, faults);
    alerts(stream, at, faults);
    maintenance::check(&stream.maintenance, at, faults);
}

fn names(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let name = &stream.name;
    if name.is_empty() || NAME_BYTES_MAX < name.len() || !name.bytes().all(fine) {
        let why = format!("expected 1 to {NAME_BYTES_MAX} letters, digits, dots, `_` and `-`");
        faults.push(Fault::rule(format!("{at}.name"), quoted(name), why));
    }
    if stream.topics.is_empty() {
        faults.push(Fault::new(format!("{at}.topics"), "at least one topic is needed"));
    }
    let channels = &stream.channel;
    if channels.is_empty() || CHANNELS_MAX < channels.len() {
        let why = format!("expected 1 to {CHANNELS_MAX} channels, got {}", channels.len());
        faults.push(Fault::new(format!("{at}.channel"), why));
    }
    let path = |i| format!("{at}.channel[{i}].name");
    for (i, name) in channels.iter().map(|c| &c.name).enumerate() {
        let short = (1..=CHANNEL_NAME_BYTES_MAX).contains(&name.len());
        if !short || name.chars().any(char::is_control) {
            let why = format!("expected 1 to {CHANNEL_NAME_BYTES_MAX} bytes of printable text");
            faults.push(Fault::rule(path(i), quoted(name), why));
        }
    }
    unique(channels.iter().enumerate().map(|(i, c)| (path(i), c.name.as_str())), faults);
}

fn sources(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    if let TimestampSource::Field { field, .. } = &stream.timestamp {
        pointer(field, format!("{at}.timestamp.field"), faults);
    }
    match &stream.entity {
        EntitySource::Field { field } => pointer(field, format!("{at}.entity.field"), faults),
        EntitySource::Constant { name } if name.is_empty() => {
            let path = format!("{at}.entity.name");
            faults.push(Fault::rule(path, quoted(name), "must not be empty"));
        }
        EntitySource::Constant { .. } | EntitySource::KafkaKey => {}
    }
    for (i, channel) in stream.channel.iter().enumerate() {
        if let Some(field) = &channel.field {
            pointer(field, format!("{at}.channel[{i}].field"), faults);
        }
    }
}

/// What the fields of a record are together.
fn fields(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let input = stream.input(1);
    if let Err(error) = Decoder::new(&input) {
        faults.push(Fault::new(at, error.to_string()));
    }
    let aggregate = |i: usize| stream.channel[i].aggregate.unwrap_or(stream.aggregate);
    for (i, field) in input.fields.iter().enumerate() {
        let same = |j: &usize| input.fields[*j] == *field && aggregate(*j) == aggregate(i);
        if let Some(first) = (0..i).find(same) {
            let why = format!(
                "is what {at}.channel[{first}] reads already, by the same aggregate: two channels that \
                 are one"
            );
            faults.push(Fault::rule(format!("{at}.channel[{i}].field"), quoted(field), why));
        }
    }
}

/// RFC 6901: `/` before each part; in a part `~0` stands for `~` and `~1` for `/`.
fn pointer(text: &str, path: String, faults: &mut Vec<Fault>) {
    let escaped = |part: &str| part.starts_with(['0', '1']);
    let why = if !text.starts_with('/') {
        "a JSON pointer begins with `/`, for example `/oil/temp`"
    } else if !text.split('~').skip(1).all(escaped) {
        "in a JSON pointer `~` is written `~0` and `/` inside a name `~1`"
    } else {
        return;
    };
    faults.push(Fault::rule(path, quoted(text), why));
}

fn times(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    if stream.idle_timeout < Millis::new(1) {
        let why = "must be above 0s, or rows close before their records arrive";
        faults.push(Fault::rule(format!("{at}.idle_timeout"), stream.idle_timeout, why));
    }
    let Step::Grid(step) = stream.step else { return };
    // The newest row, and every row that ends after the watermark.
    let open = (stream.max_out_of_order.get() as u64).div_ceil(step.get() as u64).saturating_add(1);
    if (stream.open_rows_max as u64) < open {
        let why = format!(
            "{open} rows are open while max_out_of_order = {} keeps rows of step = {step} waiting",
            stream.max_out_of_order
        );
        faults.push(Fault::rule(format!("{at}.open_rows_max"), stream.open_rows_max, why));
    }
}

fn windows(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let window = &stream.window;
    if window.length < window.stride {
        let why =
            format!("is longer than window.length = {}: records would be skipped", window.length);
        faults.push(Fault::rule(format!("{at}.window.stride"), window.stride, why));
    }
    if window.min_completeness <= 0.0 {
        let why = "expected a number above 0: an empty window cannot be scored";
        let path = format!("{at}.window.min_completeness");
        faults.push(Fault::rule(path, window.min_completeness, why));
    }
}

fn ranges(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    for (i, channel) in stream.channel.iter().enumerate() {
        let Some(range) = &channel.data_range else { continue };
        let fine = matches!(range.as_slice(), [low, high] if low < high);
        if !fine {
            let path = format!("{at}.channel[{i}].data_range");
            let why = "expected the smallest and the largest possible value, such as [-20, 140]";
            faults.push(Fault::rule(path, format!("{range:?}"), why));
        }
    }
}

/// The shortest time from one row to the next.
fn shortest_row(stream: &StreamSettings) -> Millis {
    match stream.step {
        Step::Grid(step) => step,
        Step::Event => Millis::new(1),
    }
}

fn budget(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let (alert, shortest) = (&stream.alert, shortest_row(stream));
    if alert.budget.per < shortest {
        let why = format!("is shorter than one row, {shortest}");
        faults.push(Fault::rule(format!("{at}.alert.budget.per"), alert.budget.per, why));
    }
    let a_row = alert.budget.alerts.get() * shortest.get() as f64 / alert.budget.per.get() as f64;
    if shortest <= alert.budget.per && 1.0 < a_row {
        let why = format!(
            "is more than one alert a row of {shortest} in alert.budget.per = {}",
            alert.budget.per
        );
        let path = format!("{at}.alert.budget.alerts");
        faults.push(Fault::rule(path, alert.budget.alerts.get(), why));
    }
}

fn alerts(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let (alert, shortest) = (&stream.alert, shortest_row(stream));
    if alert.critical_ratio.get() < 1.0 {
        let why = "is below 1: alerts would be critical before they open";
        let path = format!("{at}.alert.critical_ratio");
        faults.push(Fault::rule(path, alert.critical_ratio.get(), why));
    }
    if alert.flap_limit.openings > 0 && alert.flap_limit.per < Millis::new(1) {
        let why = "must be above 0s; openings = 0 sets no limit";
        let path = format!("{at}.alert.flap_limit.per");
        faults.push(Fault::rule(path, alert.flap_limit.per, why));
    }
    // The watermark notices silence, and it lags by so much.
    if alert.stale_after > Millis::ZERO && alert.stale_after < shortest {
        let why = format!("is shorter than one row, {shortest}: calm series would be stale");
        faults.push(Fault::rule(format!("{at}.alert.stale_after"), alert.stale_after, why));
    }
    if alert.stuck_after == 1 {
        let why = "every value would be stuck; 0 watches nothing";
        faults.push(Fault::rule(format!("{at}.alert.stuck_after"), alert.stuck_after, why));
    }
    if alert.clock_skew.share > 0.0 && stream.ahead_max < alert.clock_skew.ahead {
        let why = format!(
            "is longer than ahead_max = {}: records so far ahead are dead letters",
            stream.ahead_max
        );
        let path = format!("{at}.alert.clock_skew.ahead");
        faults.push(Fault::rule(path, alert.clock_skew.ahead, why));
    }
    if alert.accept_after <= alert.for_rows {
        let why = format!(
            "is not above alert.for = {}: faults would be learned before they are told",
            alert.for_rows
        );
        faults.push(Fault::rule(format!("{at}.alert.accept_after"), alert.accept_after, why));
    }
}
