//! `latentd feedback`: a verdict on an alert.

use std::io::Write as _;

use serde_json::json;

use super::args::FeedbackArgs;
use super::exit::Failure;
use super::run::load;
use crate::io::{OutMessage, write_one};
use crate::record::Saying;

/// Writes the verdict to the feedback topic.
pub(super) fn run(args: &FeedbackArgs) -> Result<(), Failure> {
    let FeedbackArgs { alert_id, verdict, by, comment, .. } = args.clone();
    let said = Saying { alert_id, verdict, by, comment }.checked().map_err(Failure::usage)?;
    let settings = load(&args.config)?;
    let message = OutMessage {
        topic: settings.topics.feedback.clone(),
        partition: None,
        key: Some(said.alert_id.clone().into_bytes()),
        payload: Some(json!(said).to_string().into_bytes()),
        headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
    };
    let (partition, offset) = write_one(&settings.kafka, &message).map_err(Failure::failed)?;
    let topic = &message.topic;
    // A reader that has closed the pipe has seen enough.
    let _ = writeln!(
        std::io::stdout(),
        "{}: {} ({topic}/{partition}@{offset})",
        said.alert_id,
        said.verdict.word()
    );
    Ok(())
}
