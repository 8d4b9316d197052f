//! Dead letters: the message as it came, and why it was refused.

use super::{MessageRef, OutMessage};

/// The headers that a dead letter adds. A letter that is sent back in and fails again gets them
/// anew instead of a second set.
const OWN: [&str; 7] = [
    "latentd-reason",
    "latentd-detail",
    "latentd-source-topic",
    "latentd-source-partition",
    "latentd-source-offset",
    "latentd-source-timestamp",
    "latentd-cut-from-bytes",
];

/// Longest `latentd-detail`, in bytes.
const DETAIL_BYTES_MAX: usize = 1024;

/// Makes the dead letter of `message` for topic `topic`: original key, value and headers, plus
/// `latentd-reason` (one of a bounded set), `latentd-detail` (a sentence) and the
/// `latentd-source-*` place it came from.
///
/// A broker refuses what is too large, and a letter that can never be delivered would stop the
/// stream: over `bytes_max` the value is cut to what fits, its full length goes to
/// `latentd-cut-from-bytes`, and if key and headers alone are too large they are left out. The
/// whole is still at its source.
pub fn dead_letter(
    topic: &str,
    message: &MessageRef<'_>,
    reason: &str,
    detail: &str,
    bytes_max: usize,
) -> OutMessage {
    let original = || message.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    let head = message.key.map_or(0, <[u8]>::len)
        + original().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    let room = bytes_max.checked_sub(head);
    let mut headers = match room {
        Some(_) => original().cloned().collect(),
        None => Vec::new(),
    };
    let value_max = room.unwrap_or(bytes_max);
    headers.extend(reasons(message, reason, detail));
    let whole = message.payload.map_or(0, <[u8]>::len);
    if whole > value_max {
        headers.push((OWN[6].to_owned(), whole.to_string().into_bytes()));
    }
    OutMessage {
        topic: topic.to_owned(),
        partition: None,
        key: message.key.filter(|_| room.is_some()).map(<[u8]>::to_vec),
        payload: message.payload.map(|value| value[..whole.min(value_max)].to_vec()),
        headers,
    }
}

fn reasons(
    message: &MessageRef<'_>,
    reason: &str,
    detail: &str,
) -> impl Iterator<Item = (String, Vec<u8>)> {
    let end = (0..=DETAIL_BYTES_MAX).rev().find_map(|end| detail.get(..end));
    let detail = if detail.len() > DETAIL_BYTES_MAX { end.unwrap_or_default() } else { detail };
    let timestamp = message.timestamp_ms.map(|ms| ms.to_string());
    let values = [
        Some(reason.to_owned()),
        Some(detail.to_owned()),
        Some(message.topic.to_owned()),
        Some(message.partition.to_string()),
        Some(message.offset.to_string()),
        timestamp,
    ];
    let named = OWN.into_iter().zip(values);
    named.filter_map(|(name, value)| Some((name.to_owned(), value?.into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(letter: &OutMessage) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        letter.headers.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect()
    }

    fn message<'a>(headers: &'a [(String, Vec<u8>)], payload: &'a [u8]) -> MessageRef<'a> {
        MessageRef {
            topic: "plant.press",
            partition: 5,
            offset: 42,
            timestamp_ms: Some(1_700_000_000_000),
            key: Some(b"\xffkey"),
            payload: Some(payload),
            headers,
        }
    }

    #[test]
    fn the_original_is_kept_and_the_place_is_named() {
        let kept = [("trace".to_owned(), b"7".to_vec()), (OWN[0].to_owned(), b"old".to_vec())];
        let message = message(&kept, b"\xfe{");
        let letter = dead_letter("latentd.dlq.v1", &message, "json", "not JSON", 1_000);
        assert_eq!((letter.topic.as_str(), letter.partition), ("latentd.dlq.v1", None));
        assert_eq!(letter.key.as_deref(), Some(&b"\xffkey"[..]));
        assert_eq!(letter.payload.as_deref(), Some(&b"\xfe{"[..]));
        assert_eq!(
            headers(&letter),
            [
                "trace: 7",
                "latentd-reason: json",
                "latentd-detail: not JSON",
                "latentd-source-topic: plant.press",
                "latentd-source-partition: 5",
                "latentd-source-offset: 42",
                "latentd-source-timestamp: 1700000000000",
            ]
        );
    }

    #[test]
    fn a_tombstone_stays_one_and_a_missing_time_is_left_out() {
        let message = MessageRef { payload: None, timestamp_ms: None, ..message(&[], b"") };
        let letter = dead_letter("dlq", &message, "tombstone", "", 10);
        assert_eq!(letter.payload, None);
        assert_eq!(headers(&letter).last().unwrap(), "latentd-source-offset: 42");
    }

    #[test]
    fn what_is_too_large_for_the_broker_is_cut_and_says_so() {
        let header = [("h".to_owned(), vec![b'x'; 10])];
        let letter = dead_letter("dlq", &message(&header, &[b'v'; 100]), "too_long", "", 25);
        assert_eq!(letter.payload.as_ref().map(Vec::len), Some(25 - 4 - 11));
        assert_eq!(headers(&letter).last().unwrap(), "latentd-cut-from-bytes: 100");
        let letter = dead_letter("dlq", &message(&header, &[b'v'; 100]), "too_long", "", 12);
        assert_eq!((letter.key.clone(), letter.payload.as_ref().map(Vec::len)), (None, Some(12)));
        assert!(headers(&letter)[0].starts_with("latentd-reason"));
    }
}
