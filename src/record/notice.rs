//! What people tell the daemon: verdicts on alerts, values that are known beforehand.

use serde::{Deserialize, Serialize};

use super::{EventTime, SeriesKey};

/// What an operator says about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A fault: nothing of it is learned, and it never becomes normal by lasting.
    TruePositive,
    /// No fault: what it saw is learned as calm, and the alert closes.
    FalsePositive,
    /// Unusual, and known to be: the alert closes, nothing is learned however long it lasts.
    Expected,
    /// The state is normal from now on: it is learned in the place of what was.
    NewNormal,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::TruePositive, Self::FalsePositive, Self::Expected, Self::NewNormal];

    /// Its name in payloads, metrics and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::FalsePositive => "false_positive",
            Self::Expected => "expected",
            Self::NewNormal => "new_normal",
        }
    }
}

impl std::str::FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|verdict| verdict.word() == text);
        let words = || Self::ALL.map(Self::word).join(", ");
        named.ok_or_else(|| format!("`{text}` is no verdict: expected one of {}", words()))
    }
}

/// Whether `text` has the form of an id of an alert: `a-` and 12 small hex digits.
pub fn is_alert_id(text: &str) -> bool {
    let digits = text.strip_prefix("a-").unwrap_or_default();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digits.len() == 12 && digits.bytes().all(is_digit)
}

/// A verdict on one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Which alert.
    pub alert_id: String,
    /// What is said of it.
    pub verdict: Verdict,
    /// Where it was said: a later verdict on the same alert counts, an earlier one does not. For a
    /// record of Kafka its offset.
    pub position: i64,
}

/// A verdict as people say it: the body of a record of the feedback topic, whose schema is
/// `config/schemas/feedback.v1.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Saying {
    /// Which alert.
    pub alert_id: String,
    /// What is said of it.
    pub verdict: Verdict,
    /// Who says so; for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why; for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Saying {
    /// Longest name of who says so, in characters.
    pub const BY_MAX: usize = 256;
    /// Longest comment, in characters.
    pub const COMMENT_MAX: usize = 4_000;

    /// The same, fit to be written; what is empty is left out.
    ///
    /// # Errors
    ///
    /// Which field is wrong, and what is expected of it.
    pub fn checked(self) -> Result<Self, String> {
        let Self { alert_id, verdict, by, comment } = self;
        let digits = alert_id.strip_prefix("a-").unwrap_or_default();
        if digits.len() != 12 || !digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(format!("alert_id: expected `a-` and 12 hex digits, got `{alert_id}`"));
        }
        let fit = |what: &str, text: Option<String>, most: usize| match text
            .as_ref()
            .map_or(0, |text| text.chars().count())
        {
            0 => Ok(None),
            length if length <= most => Ok(text),
            length => Err(format!("{what}: expected 0 to {most} characters, got {length}")),
        };
        let by = fit("by", by, Self::BY_MAX)?;
        let comment = fit("comment", comment, Self::COMMENT_MAX)?;
        Ok(Self { alert_id, verdict, by, comment })
    }
}

/// Values of a channel that are known before their rows come: a price, a promotion, a weather forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Announcement {
    /// Stream it is for; empty for all that have the channel.
    pub stream: String,
    /// Series it is for; empty for all.
    pub entity: String,
    /// Name of the channel.
    pub channel: String,
    /// Start of the row of the first value.
    pub from: EventTime,
    /// One per row.
    pub values: Vec<f64>,
    /// Where it was said: of two that name a series and channel the later one counts. For a record of
    /// Kafka its offset.
    #[serde(default)]
    pub position: i64,
}

/// What a verdict did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// No series of this shard has had such an alert of late.
    Unknown,
    /// It is not newer than one that was heard before.
    Heard,
    /// It was put into effect.
    Applied {
        /// Series of the alert.
        entity: SeriesKey,
        /// Quarantined windows that were learned.
        learned: u64,
        /// Quarantined windows that were dropped.
        dropped: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saying_is_checked_wherever_it_comes_from() {
        let say = |alert_id: &str, by: &str, comment: &str| {
            let [by, comment] = [by, comment].map(|text| Some(text.to_owned()));
            let verdict = Verdict::Expected;
            Saying { alert_id: alert_id.to_owned(), verdict, by, comment }.checked()
        };
        let said = serde_json::to_string(&say("a-0123456789ab", "ann", "").unwrap()).unwrap();
        assert_eq!(said, r#"{"alert_id":"a-0123456789ab","verdict":"expected","by":"ann"}"#);
        for id in ["", "a-", "a-0123456789AB", "a-0123456789abc", "0123456789abcd"] {
            let fault = say(id, "", "").unwrap_err();
            assert!(fault.starts_with("alert_id: expected `a-` and 12 hex digits"), "{fault}");
        }
        assert_eq!(
            say("a-0123456789ab", &"x".repeat(257), "").unwrap_err(),
            "by: expected 0 to 256 characters, got 257"
        );
        assert!(say("a-0123456789ab", "", &"ä".repeat(4_000)).is_ok());
    }

    #[test]
    fn verdicts_are_read_back_from_their_words() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.word().parse(), Ok(verdict));
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.word());
        }
        let fault = "good".parse::<Verdict>().unwrap_err();
        assert!(
            fault.starts_with("`good` is no verdict: expected one of true_positive"),
            "{fault}"
        );
    }
}
