//! Settings that are sound and may not mean what they seem to: told by `latentd check`, and at the start.

use super::Settings;
use super::settings::StreamSettings;
use crate::record::{Millis, Step};

/// What lasts shorter is a fault rather than a new normal, and nobody waits longer for the latter.
const ACCEPTED: [Millis; 2] = [Millis::new(3_600_000), Millis::new(100 * 86_400_000)];

impl Settings {
    /// One line for each setting that is worth a second look, or has no effect, with its key.
    pub fn notes(&self) -> Vec<String> {
        let of = |(i, stream): (usize, &StreamSettings)| {
            let Step::Grid(step) = stream.step else { return Vec::new() };
            let notes = [acceptance(stream, step), budget(stream, step)];
            notes.into_iter().flatten().map(|note| format!("stream[{i}].alert.{note}")).collect()
        };
        self.stream.iter().enumerate().flat_map(of).chain(self.without_effect()).collect()
    }
}

/// Rows are seconds here and days there.
fn acceptance(stream: &StreamSettings, step: Millis) -> Option<String> {
    let rows = stream.alert.accept_after;
    let lasts = Millis::new(step.get().saturating_mul(i64::from(rows)));
    let [short, long] = ACCEPTED;
    let what = if lasts < short {
        "a fault that lasts so long is learned as the new normal"
    } else if long < lasts {
        "a new normal is an alert for so long, unless a verdict ends it"
    } else {
        return None;
    };
    Some(format!("accept_after = {rows}: {lasts} at a step of {step}; {what}"))
}

/// With long steps a bound on the share of rows is far below the budget.
fn budget(stream: &StreamSettings, step: Millis) -> Option<String> {
    let allowance = stream.alert.allowance();
    let (asked, share) = (stream.alert.budget.alerts.get(), allowance.share_of_rows(step));
    let most = share * stream.alert.budget.per.get() as f64 / step.get() as f64;
    let hint = if allowance.is_spent { "" } else { "; `spend_budget = true` allows more" };
    let per = stream.alert.budget.per;
    (most < 0.999 * asked).then(|| {
        format!(
            "budget: of {asked} alerts in {per} at most {most:.2} open at a step of {step}{hint}"
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Layers;

    fn notes(keys: &str) -> Vec<String> {
        let text = format!(
            "[[stream]]\nname = 'a'\ntopics = ['in']\nchannel = [{{ name = 'x' }}]\n{keys}"
        );
        let layers = Layers::new().toml(&text, "a test").expect("it is TOML");
        layers.settings().expect("it is sound").notes()
    }

    #[test]
    fn rows_that_are_too_short_or_too_long_are_told_as_what_they_last() {
        assert_eq!(notes("step = '1m'"), [""; 0]);
        assert_eq!(notes("step = '1m'\nalert = { accept_after = 50 }").len(), 1);
        assert_eq!(
            notes("step = '1s'"),
            [
                "stream[0].alert.accept_after = 400: 6m 40s at a step of 1s; a fault that lasts so long is \
              learned as the new normal"
            ]
        );
        assert_eq!(notes("step = '1s'\nalert = { accept_after = 86400 }"), [""; 0]);
        let days = notes("step = '1d'\nalert = { budget = { alerts = 0.001, per = '1w' } }");
        assert_eq!(days.len(), 1, "{days:?}");
        assert!(days[0].contains("a new normal is an alert for so long"), "{days:?}");
    }

    #[test]
    fn a_budget_that_the_step_does_not_allow_is_told() {
        assert_eq!(
            notes("step = '1h'"),
            ["stream[0].alert.budget: of 2 alerts in 1w at most 0.17 open at a step of 1h; \
              `spend_budget = true` allows more"]
        );
        assert_eq!(notes("step = '1h'\nalert = { spend_budget = true }"), [""; 0]);
        let days = "step = '1d'\nalert = { spend_budget = true, accept_after = 30 }";
        assert_eq!(
            notes(days),
            ["stream[0].alert.budget: of 2 alerts in 1w at most 0.35 open at a step of 1d"]
        );
    }
}
