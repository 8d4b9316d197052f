//! What people say on the feedback topic.

use serde::Deserialize;

use super::MessageRef;
use crate::record::{Feedback, Verdict};

/// Longest message that is looked at.
const BYTES_MAX: usize = 64 * 1024;

/// The body of a verdict, as `config/schemas/feedback.v1.json` promises it. Further fields (who said
/// it, why) are for people.
#[derive(Deserialize)]
struct FeedbackBody {
    alert_id: String,
    verdict: Verdict,
}

/// Reads a verdict. Messages of one alert are ordered by their offsets: they have its id for a key.
///
/// # Errors
///
/// What is wrong with it, with its place.
pub fn feedback(message: &MessageRef<'_>) -> Result<Feedback, String> {
    let place = format!("{}/{}@{}", message.topic, message.partition, message.offset);
    let payload = message.payload.unwrap_or_default();
    if payload.len() > BYTES_MAX {
        return Err(format!("{place}: {} bytes, at most {BYTES_MAX}", payload.len()));
    }
    let FeedbackBody { alert_id, verdict } =
        serde_json::from_slice(payload).map_err(|error| format!("{place}: {error}"))?;
    Ok(Feedback { alert_id, verdict, position: message.offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_and_faults_are_told_with_their_place() {
        let read = |text: &str| {
            feedback(&MessageRef {
                topic: "f",
                partition: 2,
                offset: 7,
                timestamp_ms: None,
                key: None,
                payload: Some(text.as_bytes()),
                headers: &[],
            })
        };
        let good = r#"{"alert_id":"a-1","verdict":"new_normal","by":"ann","comment":"set point"}"#;
        let wanted = Feedback { alert_id: "a-1".into(), verdict: Verdict::NewNormal, position: 7 };
        assert_eq!(read(good), Ok(wanted));
        let fault = read(r#"{"alert_id":"a-1","verdict":"nice"}"#).unwrap_err();
        assert!(fault.starts_with("f/2@7: unknown variant `nice`"), "{fault}");
        assert!(read("").unwrap_err().starts_with("f/2@7: EOF"));
    }
}
