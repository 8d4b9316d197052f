//! Whether the files that a sink names can be used, before it is needed.

use super::courier::Courier;
use super::{AlertingParams, NotifyError};

/// What is wrong with the files of each sink. Contacts nobody.
pub fn sink_faults(params: &AlertingParams) -> Vec<NotifyError> {
    let fault = |sink| {
        let courier = match Courier::new(sink, "", params.timeout_of(sink).to_duration()) {
            Ok(courier) => courier,
            Err(error) => return Some(error),
        };
        let unreadable = |why| NotifyError::Token { sink: sink.name.clone(), why };
        courier.token().err().map(unreadable)
    };
    params.sink.iter().filter_map(fault).collect()
}
