//! What is read, what is refused and with which words.

use proptest::prelude::*;

use super::*;

const KAFKA_MS: i64 = 1_700_000_100_000;

fn params() -> InputParams {
    InputParams {
        stream: "press-line".into(),
        timestamp: TimestampSource::Field { field: "/ts".into(), format: TimestampFormat::EpochMs },
        entity: EntitySource::Field { field: "/machine".into() },
        fields: vec!["/oil/temp".into(), "/flow".into()],
        channels: vec!["oil_temp".into(), "flow".into()],
        message_bytes_max: 1_000,
        ahead_max: Millis::new(60_000),
    }
}

fn message(payload: &[u8]) -> MessageRef<'_> {
    MessageRef {
        topic: "plant.press",
        partition: 5,
        offset: 42,
        timestamp_ms: Some(KAFKA_MS),
        key: Some(b"press-07"),
        payload: Some(payload),
        headers: &[],
    }
}

/// Entity, milliseconds and values, or the reason and text of the refusal.
fn read(params: &InputParams, message: &MessageRef<'_>) -> Result<String, String> {
    match Decoder::new(params).unwrap().decode(message) {
        Ok(record) => Ok(format!("{} {} {:?}", record.key, record.time.as_millis(), record.values)),
        Err(error) => {
            assert!(DecodeError::REASONS.contains(&error.reason()), "{error:?}");
            Err(format!("{}: {error}", error.reason()))
        }
    }
}

fn reads(params: &InputParams, cases: &[(&str, &str, Result<&str, &str>)]) {
    for (what, payload, expected) in cases {
        let got = read(params, &message(payload.as_bytes()));
        assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{what}: {payload}");
    }
}

#[test]
#[rustfmt::skip]
fn wide_json_is_read_along_the_pointers() {
    reads(&params(), &[
        ("all there", r#"{"ts":1700000000000,"machine":"m1","oil":{"temp":71.5},"flow":3}"#,
            Ok("m1 1700000000000 [71.5, 3.0]")),
        ("any order, other members skipped", r#"{"x":[1,{"ts":2}],"flow":-0.5,"oil":{"y":null,"temp":1e2},"machine":"m1","ts":1700000000000}"#,
            Ok("m1 1700000000000 [100.0, -0.5]")),
        ("null and absent are not observed", r#"{"ts":1700000000000,"machine":"m1","flow":null}"#,
            Ok("m1 1700000000000 [NaN, NaN]")),
        ("the last duplicate wins", r#"{"ts":1,"ts":1700000000000,"machine":"m1","flow":"x","flow":2,"oil":{"temp":1},"oil":{}}"#,
            Ok("m1 1700000000000 [NaN, 2.0]")),
        ("a whole number names a series", r#"{"ts":"1700000000000","machine":18446744073709551615,"flow":1}"#,
            Ok("18446744073709551615 1700000000000 [NaN, 1.0]")),
        ("escapes in keys and names", r#"{"ts":1700000000000,"mach\u0069ne":"m\u00e9\n","flow":1}"#,
            Ok("mé\n 1700000000000 [NaN, 1.0]")),
        ("a pointer into a plain value finds nothing", r#"{"ts":1700000000000,"machine":"m1","oil":7,"flow":1}"#,
            Ok("m1 1700000000000 [NaN, 1.0]")),
        ("exactly as far ahead as allowed", r#"{"ts":1700000160000,"machine":"m1","flow":1}"#,
            Ok("m1 1700000160000 [NaN, 1.0]")),
    ]);
}

#[test]
#[rustfmt::skip]
fn refusals_say_where_and_why() {
    reads(&params(), &[
        ("text", "hello", Err("json: value is not valid JSON at line 1, column 1: expected value")),
        ("empty", "", Err("json: value is not valid JSON at line 1, column 0: EOF while parsing a value")),
        ("cut off", "{\"ts\":1,\n\"flow\":", Err("json: value is not valid JSON at line 2, column 7: EOF while parsing a value")),
        ("NaN is not JSON", r#"{"flow":NaN}"#, Err("json: value is not valid JSON at line 1, column 9: expected value")),
        ("trailing text", "{} {}", Err("json: value is not valid JSON at line 1, column 4: trailing characters")),
        ("beyond f64", r#"{"flow":1e999}"#, Err("number_range: number out of range at line 1, column 13")),
        ("a string is no number", r#"{"ts":1700000000000,"machine":"m1","flow":"3"}"#,
            Err("channel_type: channel `flow` at `/flow` is a string, expected a number or null")),
        ("a boolean is no number", r#"{"ts":1700000000000,"machine":"m1","oil":{"temp":true}}"#,
            Err("channel_type: channel `oil_temp` at `/oil/temp` is a boolean, expected a number or null")),
        ("an object is no number", r#"{"flow":{"temp":1}}"#,
            Err("channel_type: channel `flow` at `/flow` is an object, expected a number or null")),
        ("an array is no number", r#"{"flow":[1]}"#,
            Err("channel_type: channel `flow` at `/flow` is an array, expected a number or null")),
        ("no channel", r#"{"ts":1700000000000,"machine":"m1"}"#,
            Err("no_channel: none of the 2 channels is present, first expected at `/oil/temp`")),
        ("null", "null", Err("no_channel: none of the 2 channels is present, first expected at `/oil/temp`")),
        ("no entity", r#"{"ts":1700000000000,"flow":1}"#, Err("entity_missing: no entity: `/machine` is missing or empty")),
        ("empty entity", r#"{"ts":1700000000000,"machine":"","flow":1}"#, Err("entity_missing: no entity: `/machine` is missing or empty")),
        ("fractional entity", r#"{"ts":1700000000000,"machine":1.5,"flow":1}"#,
            Err("entity_type: entity at `/machine` is a fractional number, expected a string or a whole number")),
        ("no time", r#"{"ts":null,"machine":"m1","flow":1}"#, Err("timestamp_missing: no timestamp: `/ts` is missing")),
        ("time of another kind", r#"{"ts":false,"machine":"m1","flow":1}"#,
            Err("timestamp_type: timestamp at `/ts` is a boolean, expected milliseconds since 1970")),
        ("time that does not read", r#"{"ts":"noon","machine":"m1","flow":1}"#,
            Err("timestamp_format: timestamp `noon` at `/ts` does not read as milliseconds since 1970")),
        ("time in another unit", r#"{"ts":1700000000000000,"machine":"m1","flow":1}"#,
            Err("timestamp_format: timestamp `1700000000000000` at `/ts` does not read as milliseconds since 1970")),
        ("before 1980", r#"{"ts":315532799999,"machine":"m1","flow":1}"#,
            Err("timestamp_old: timestamp 1979-12-31T23:59:59.999Z is before 1980-01-01T00:00:00Z")),
        ("ahead", r#"{"ts":1700000160001,"machine":"m1","flow":1}"#,
            Err("timestamp_ahead: timestamp 2023-11-14T22:16:00.001Z is 1m 1ms ahead of its Kafka time, allowed are 1m")),
    ]);
}

#[test]
fn messages_that_are_no_text_or_too_long_are_refused_before_parsing() {
    let tombstone = MessageRef { payload: None, ..message(b"") };
    let cases = [
        (tombstone, "tombstone: the message has no value (a tombstone)"),
        (
            message(&[b'x'; 1_001]),
            "too_long: value of 1001 bytes is longer than `kafka.message_bytes_max` = 1000",
        ),
        (message(b"{\"x\":\"\xff\"}"), "utf8: value is not valid UTF-8 at byte 6"),
    ];
    for (message, text) in cases {
        assert_eq!(read(&params(), &message), Err(text.into()));
    }
}

#[test]
fn the_key_and_the_time_may_come_from_kafka() {
    let params = InputParams {
        timestamp: TimestampSource::Kafka,
        entity: EntitySource::KafkaKey,
        ..params()
    };
    let good = message(b"{\"flow\":1}");
    assert_eq!(read(&params, &good), Ok("press-07 1700000100000 [NaN, 1.0]".into()));
    let early = MessageRef { timestamp_ms: Some(0), ..good };
    assert_eq!(read(&params, &early), Ok("press-07 0 [NaN, 1.0]".into()));
    let long = [b'x'; 257];
    #[rustfmt::skip]
    let cases = [
        (MessageRef { key: None, ..good }, "entity_missing: no entity: the Kafka key is missing or empty"),
        (MessageRef { key: Some(b""), ..good }, "entity_missing: no entity: the Kafka key is missing or empty"),
        (MessageRef { key: Some(b"a\xff"), ..good }, "entity_utf8: the Kafka key is not valid UTF-8 at byte 1"),
        (MessageRef { key: Some(&long), ..good }, "entity_too_long: entity of 257 bytes is longer than 256"),
        (MessageRef { timestamp_ms: None, ..good }, "timestamp_missing: no timestamp: the Kafka time is missing"),
    ];
    for (message, text) in cases {
        assert_eq!(read(&params, &message), Err(text.into()));
    }
}

#[test]
#[rustfmt::skip]
fn pointers_reach_into_arrays_and_through_escapes() {
    let params = InputParams {
        timestamp: TimestampSource::Field { field: "/0".into(), format: TimestampFormat::Rfc3339 },
        entity: EntitySource::Constant { name: "plant".into() },
        fields: vec!["/1/a~1b".into(), "/1/m~0n".into(), "/3".into(), "/3".into()],
        channels: ["a", "b", "c", "d"].map(String::from).to_vec(),
        ..params()
    };
    reads(&params, &[
        ("by index", r#"["2023-11-14T22:13:20Z",{"a/b":1,"m~n":2,"a~1b":9},{},4,5]"#, Ok("plant 1700000000000 [1.0, 2.0, 4.0, 4.0]")),
        ("an index is also a member name", r#"{"0":"2023-11-14 22:13:20.5","3":4}"#, Ok("plant 1700000000500 [NaN, NaN, 4.0, 4.0]")),
        ("a number is no RFC 3339", r#"[1700000000,{},{},4]"#,
            Err("timestamp_type: timestamp at `/0` is a whole number, expected an RFC 3339 time such as 2026-11-20T10:42:00Z")),
    ]);
}

#[test]
fn structured_cloud_events_are_unwrapped() {
    let kinds = ["application/cloudevents+json", "Application/CloudEvents+JSON; charset=UTF-8"];
    let inner = r#"{"ts":1700000000000,"machine":"m1","flow":1}"#;
    for kind in kinds {
        let headers = [("Content-Type".to_owned(), kind.as_bytes().to_vec())];
        let wrapped = format!(r#"{{"specversion":"1.0","ts":7,"data":{inner},"id":"x"}}"#);
        let event = MessageRef { headers: &headers, ..message(wrapped.as_bytes()) };
        assert_eq!(read(&params(), &event), Ok("m1 1700000000000 [NaN, 1.0]".into()));
        let bare = MessageRef { payload: Some(inner.as_bytes()), ..event };
        assert_eq!(
            read(&params(), &bare),
            Err("envelope: structured CloudEvent: no `data` member".into())
        );
    }
    let headers = [("content-type".to_owned(), b"application/cloudevents-batch+json".to_vec())];
    assert_eq!(
        read(&params(), &MessageRef { headers: &headers, ..message(b"[]") }),
        Err("envelope: structured CloudEvent: batches are not supported".into())
    );
    let headers = [("content-type".to_owned(), b"application/json".to_vec())];
    let binary = MessageRef { headers: &headers, ..message(inner.as_bytes()) };
    assert_eq!(read(&params(), &binary), Ok("m1 1700000000000 [NaN, 1.0]".into()));
}

#[test]
fn inputs_that_cannot_work_are_refused_at_the_start() {
    let none = InputParams { fields: vec![], channels: vec![], ..params() };
    let fewer = InputParams { channels: vec!["a".into()], ..params() };
    let unnamed =
        InputParams { entity: EntitySource::Constant { name: String::new() }, ..params() };
    let nested = InputParams { entity: EntitySource::Field { field: "/oil".into() }, ..params() };
    #[rustfmt::skip]
    let cases = [
        (none, "0 fields for 0 channels, expected one for each and at least one"),
        (fewer, "2 fields for 1 channels, expected one for each and at least one"),
        (unnamed, "the constant entity has 0 bytes, expected 1 to 256"),
        (nested, "`/oil/temp` lies inside `/oil`, which is read as a plain value"),
    ];
    for (params, text) in cases {
        assert_eq!(Decoder::new(&params).unwrap_err().to_string(), text);
    }
}

#[test]
fn a_refused_message_leaves_nothing_behind() {
    let mut decoder = Decoder::new(&params()).unwrap();
    let full = br#"{"ts":1700000000000,"machine":"m1","oil":{"temp":1},"flow":2}"#;
    for bad in [&b"{\"flow\":9,"[..], b"{\"oil\":{\"temp\":8},\"flow\":true}"] {
        assert!(decoder.decode(&message(full)).is_ok());
        assert!(decoder.decode(&message(bad)).is_err());
        let sparse = br#"{"ts":1700000000000,"machine":"m2","flow":null}"#;
        let record = decoder.decode(&message(sparse)).unwrap();
        assert_eq!((record.key, format!("{:?}", record.values)), ("m2", "[NaN, NaN]".into()));
    }
}

proptest! {
    /// Whatever arrives is a record or a refusal, never a panic, and the next message still reads.
    #[test]
    fn arbitrary_bytes_never_panic(payload in any::<Vec<u8>>(), key in any::<Option<Vec<u8>>>()) {
        let mut decoder = Decoder::new(&params()).unwrap();
        let _ = decoder.decode(&MessageRef { key: key.as_deref(), ..message(&payload) });
        let good = br#"{"ts":1700000000000,"machine":"m1","flow":1}"#;
        prop_assert!(decoder.decode(&message(good)).is_ok());
    }

    /// The same for texts made of what JSON is made of, which get deeper into the parser.
    #[test]
    fn arbitrary_json_like_text_never_panics(
        text in r#"(\{|\}|\[|\]|,|:|"ts"|"machine"|"oil"|"temp"|"flow"|1|-2\.5e3|1e999|null|true|"\\u12"|"x"| ){0,40}"#,
    ) {
        let _ = Decoder::new(&params()).unwrap().decode(&message(text.as_bytes()));
    }

    /// A record that was written as JSON is read back bit for bit, and agrees with a document tree.
    #[test]
    fn numbers_survive_the_way_through_json(
        temp in proptest::num::f64::NORMAL,
        flow in any::<i64>(),
        millis in 315_532_800_000_i64..KAFKA_MS,
    ) {
        let document = serde_json::json!({
            "ts": millis, "machine": "m1", "oil": {"temp": temp}, "flow": flow,
        });
        let text = document.to_string();
        let mut decoder = Decoder::new(&params()).unwrap();
        let record = decoder.decode(&message(text.as_bytes())).unwrap();
        prop_assert_eq!(record.values, &[temp, flow as f64][..]);
        prop_assert_eq!(record.time.as_millis(), millis);
    }
}
