//! `latentd feedback`: a verdict on an alert.

use std::io::Write as _;

use serde_json::json;

use super::args::FeedbackArgs;
use super::exit::Failure;
use super::run::load;
use crate::io::{OutMessage, write_one};

/// Writes the verdict to the feedback topic.
pub(super) fn run(args: &FeedbackArgs) -> Result<(), Failure> {
    let settings = load(&args.config)?;
    let mut body = json!({ "alert_id": args.alert_id, "verdict": args.verdict.word() });
    for (key, value) in [("by", &args.by), ("comment", &args.comment)] {
        if let Some(value) = value {
            body[key] = json!(value);
        }
    }
    let message = OutMessage {
        topic: settings.topics.feedback.clone(),
        partition: None,
        key: Some(args.alert_id.clone().into_bytes()),
        payload: Some(body.to_string().into_bytes()),
        headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
    };
    let (partition, offset) = write_one(&settings.kafka, &message).map_err(Failure::failed)?;
    let topic = &message.topic;
    // A reader that has closed the pipe has seen enough.
    let _ = writeln!(
        std::io::stdout(),
        "{}: {} ({topic}/{partition}@{offset})",
        args.alert_id,
        args.verdict.word()
    );
    Ok(())
}
