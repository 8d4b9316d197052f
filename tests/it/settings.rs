//! The configuration from outside: layers, exact fault texts, schema and examples.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use latentd::config::{ConfigError, Layers, Settings, TextFormat, json_schema};
use latentd::io::{EntitySource, TimestampSource};
use latentd::record::{Millis, Step};
use serde_json::{Value, json};

const SMALLEST: &str = r#"
[[stream]]
name = "press"
topics = ["plant.press"]
channel = [{ name = "temperature" }, { name = "pressure" }]
"#;

fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn load(text: &str) -> Result<Settings, ConfigError> {
    Settings::from_text(text, &BTreeMap::new())
}

fn usable(text: &str) -> Settings {
    load(text).unwrap_or_else(|e| panic!("{e}"))
}

/// The fault text of [`SMALLEST`] with keys of the stream added.
fn fault(addition: &str) -> String {
    load(&format!("{SMALLEST}{addition}")).expect_err("faulty on purpose").to_string()
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn a_stream_needs_a_name_topics_and_channels_only() {
    let settings = usable(SMALLEST);
    let stream = &settings.stream[0];
    assert_eq!(stream.step, Step::Grid(Millis::new(60_000)));
    assert_eq!(stream.timestamp, TimestampSource::Kafka);
    assert_eq!(stream.entity, EntitySource::KafkaKey);
    assert_eq!((stream.model.latent, stream.window.length), (8, 16));
    assert_eq!(settings.kafka.brokers, ["127.0.0.1:9092"]);
    assert_eq!(settings.topics.alerts, "latentd.alerts.v1");
}

#[test]
fn the_defaults_name_every_key_but_those_of_one_stream_and_files_without_a_default() {
    let defaults = std::fs::read_to_string(in_repository("config/default.toml")).unwrap();
    let defaults: Value = toml::from_str(&defaults).unwrap();
    let properties = |pointer: &str| json_schema().pointer(pointer).unwrap()["properties"].clone();
    let compare = |pointer: &str, defaults: &Value| {
        let Value::Object(known) = properties(pointer) else { panic!("{pointer}") };
        let missing = known.keys().filter(|key| defaults.get(key.as_str()).is_none());
        missing.cloned().collect::<Vec<_>>()
    };
    assert_eq!(compare("", &defaults), Vec::<String>::new());
    assert_eq!(
        compare("/$defs/KafkaParams", &defaults["kafka"]),
        ["instance", "sasl_password_file"]
    );
    assert_eq!(
        compare("/$defs/HttpSettings", &defaults["http"]),
        ["tls_cert_file", "tls_key_file", "token_file"]
    );
    let stream = &defaults["stream_defaults"];
    assert_eq!(compare("/$defs/StreamDefaults", stream), Vec::<String>::new());
    for (table, name) in [
        ("window", "WindowParams"),
        ("model", "ModelParams"),
        ("alert", "AlertParams"),
        ("features", "FeatureSettings"),
        ("forecast", "ForecastSettings"),
    ] {
        let missing = compare(&format!("/$defs/{name}"), &stream[table]);
        assert_eq!(missing, Vec::<String>::new(), "{table}");
    }
}

#[test]
fn the_defaults_of_the_model_are_those_of_its_type() {
    let settings = usable(SMALLEST);
    assert_eq!(settings.stream[0].model, latentd::model::ModelParams::default());
    let latent = &settings.stream[0].forecast.latent;
    assert_eq!(*latent, latentd::forecast::LatentParams::default());
}

#[test]
fn each_variant_asks_for_what_it_needs() {
    #[rustfmt::skip]
    let cases = [
        (r#"model = { variant = "deep" }"#,
            "stream[0].model.hidden = [32]: a deep network has two hidden layers or more on each side, for example [64, 32]"),
        (r#"model = { variant = "stacked", stacked = { pretrain_steps = 200 } }"#,
            "stream[0].model.stacked.pretrain_steps = 200: 2 pairs of layers take 400 windows, longer than model.warmup = 300"),
        (r#"model = { variant = "vq_vae", vq_vae = { groups = 3 } }"#,
            "stream[0].model.vq_vae.groups = 3: does not divide model.latent = 8"),
        (r#"model = { variant = "denoising", denoising = { block_rows = [4, 0] } }"#,
            "stream[0].model.denoising.block_rows[1] = 0: a block has at least one row"),
        (r#"model = { variant = "vae", vae = { samples = 0 } }"#,
            "stream[0].model.vae.samples: expected a whole number from 1 to 64, got 0"),
        (r#"model = { variant = "sparse", sparse = { target = 1.5 } }"#,
            "stream[0].model.sparse.target: expected a number between 0 and 1, got 1.5"),
        (r#"model = { optimizer = { momentum = 1.0 } }"#,
            "stream[0].model.optimizer.momentum: expected a number from 0 to 0.999, got 1.0"),
    ];
    for (text, why) in cases {
        assert_eq!(fault(text), format!("settings are not usable: {why}"), "{text}");
    }
    // A sparse code may be wider than the input.
    usable(&format!("{SMALLEST}{}", r#"model = { variant = "sparse", latent = 40 }"#));
    for variant in ["undercomplete", "stacked", "sparse", "denoising", "vae", "vq_vae"] {
        usable(&format!("{SMALLEST}model = {{ variant = \"{variant}\" }}"));
    }
}

#[test]
fn stream_defaults_lie_under_every_stream() {
    let settings = usable(
        r#"
        [stream_defaults]
        step = "5m"
        timestamp = { from = "field", field = "/ts", format = "epoch_ms" }
        [stream_defaults.window]
        length = 8
        min_completeness = 0.9

        [[stream]]
        name = "a"
        topics = ["a"]
        channel = [{ name = "x" }, { name = "y" }]
        [stream.window]
        length = 12

        [[stream]]
        name = "b"
        topics = ["b"]
        channel = [{ name = "x" }, { name = "y" }]
        timestamp = { from = "kafka" }
        "#,
    );
    let [a, b] = settings.stream.as_slice() else { panic!("two streams") };
    assert_eq!((a.window.length, a.window.min_completeness, a.window.stride), (12, 0.9, 1));
    assert_eq!((b.window.length, b.window.min_completeness), (8, 0.9));
    assert!(matches!(&a.timestamp, TimestampSource::Field { field, .. } if field == "/ts"));
    assert_eq!(b.timestamp, TimestampSource::Kafka, "another `from` replaces the whole table");
    assert_eq!(a.step, b.step);
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables = env(&[
        ("LATENTD__KAFKA__GROUP_ID", "line-7"),
        ("LATENTD__KAFKA__BROKERS", "k1:9092, k2:9092"),
        ("LATENTD__KAFKA__BATCH_RECORDS_MAX", "500"),
        ("LATENTD__STREAM_DEFAULTS__ALERT__BUDGET__ALERTS", "0.5"),
        ("LATENTD__STREAM__0__MODEL__HIDDEN", "64,16"),
        ("LATENTD__STREAM__0__CHANNEL__1__FIELD", "/p"),
        ("LATENTD__STREAM__0__ENTITY", r#"{"from": "constant", "name": "7"}"#),
        ("LATENTD__SEED", "18446744073709551615"),
        ("LATENTD_PORT", "tcp://10.0.0.1:9108"),
        ("PATH", "/bin"),
    ]);
    let text = format!("kafka.group_id = 'from-file'\n{SMALLEST}");
    let settings = Settings::from_text(&text, &variables).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(settings.kafka.group_id, "line-7");
    assert_eq!(settings.kafka.brokers, ["k1:9092", "k2:9092"]);
    assert_eq!(settings.kafka.batch_records_max, 500);
    assert_eq!(settings.seed, u64::MAX);
    let stream = &settings.stream[0];
    assert_eq!(stream.alert.budget.alerts.get(), 0.5);
    assert_eq!(stream.alert.budget.per, Millis::new(7 * 86_400_000));
    assert_eq!(stream.model.hidden, [64, 16]);
    assert_eq!(stream.channel[0].field, None);
    assert_eq!(stream.channel[1].field.as_deref(), Some("/p"));
    assert_eq!(stream.entity, EntitySource::Constant { name: "7".into() });
}

#[test]
fn a_variable_that_lacks_an_underscore_is_not_passed_over() {
    let of_others =
        [("LATENTD_PORT_9108_TCP_PORT", "1"), ("LATENTD_SERVICE__X", "2"), ("LATENTD_", "3")];
    Settings::from_text(SMALLEST, &env(&of_others)).expect("they are none of ours");
    let fault =
        Settings::from_text(SMALLEST, &env(&[("LATENTD_KAFKA__GROUP_ID", "x")])).unwrap_err();
    assert!(fault.to_string().contains(
        "LATENTD_KAFKA__GROUP_ID: not read: two underscores belong behind LATENTD, as in LATENTD__KAFKA__"
    ));
}

#[test]
fn faults_of_the_environment_name_the_variable() {
    let variables = env(&[
        ("LATENTD__KAFKA__GRUP_ID", "x"),
        ("LATENTD__KAFKA__BATCH_RECORDS_MAX", "many"),
        ("LATENTD__STREAM__1__STEP", "5s"),
        ("LATENTD__STREAM__0__STEP", "soon"),
    ]);
    assert_eq!(
        Settings::from_text(SMALLEST, &variables).unwrap_err().to_string(),
        "settings are not usable, 4 rules are broken\n  \
         stream[1].step: no such item, there are 1, from 0 on (set by LATENTD__STREAM__1__STEP)\n  \
         kafka.grup_id: unknown key, did you mean `group_id`? (set by LATENTD__KAFKA__GRUP_ID)\n  \
         kafka.batch_records_max: expected a whole number from 1 to 1000000, got `many` \
         (set by LATENTD__KAFKA__BATCH_RECORDS_MAX)\n  \
         stream[0].step: expected a duration such as 30s, 5m or 2w, got `soon` (set by LATENTD__STREAM__0__STEP)"
    );
}

#[test]
fn a_single_fault_stands_on_the_first_line() {
    #[rustfmt::skip]
    let cases = [
        ("modle = { latent = 2 }",
            "stream[0].modle: unknown key, did you mean `model`?"),
        ("latent = 2",
            "stream[0].latent: unknown key, did you mean `model.latent`?"),
        ("window_length = 2",
            "stream[0].window_length: unknown key, did you mean `window.length`?"),
        ("[stream.window]\nlength = 8\nstep = '10s'",
            "stream[0].window.step: unknown key, did you mean `stream[0].step`?"),
        ("zzz = 1",
            "stream[0].zzz: unknown key"),
        ("model.learning_rate = -0.001",
            "stream[0].model.learning_rate: expected a number above 0, got -0.001"),
        ("model.latent = 0",
            "stream[0].model.latent: expected a whole number of at least 1, got 0"),
        ("model.latent = 2.5",
            "stream[0].model.latent: expected a whole number of at least 1, got 2.5"),
        ("model.warmup = 5000000000",
            "stream[0].model.warmup: expected a whole number from 1 to 4294967295, got 5000000000"),
        ("window.min_completeness = 1.5",
            "stream[0].window.min_completeness: expected a number from 0 to 1, got 1.5"),
        ("alert.memory = inf",
            "stream[0].alert.memory: expected a number above 0, got nan, inf or nothing"),
        ("idle_timeout = '-5s'",
            "stream[0].idle_timeout: expected a duration such as 30s, 5m or 2w, got `-5s`"),
        ("alert.renotify = '99999999w'",
            "stream[0].alert.renotify: is longer than 5200w"),
        ("model.loss = 'mae'",
            "stream[0].model.loss: expected one of `mse`, `huber`, got `mae`"),
        ("[alerts]\nfor = 2",
            "alerts: unknown key, did you mean `stream_defaults.alert`?"),
        ("alert.release_ratio = 1.0",
            "stream[0].alert.release_ratio: expected a number between 0 and 1, got 1.0"),
        ("aggregate = 'averge'",
            "stream[0].aggregate: expected one of `last`, `mean`, `sum`, `min`, `max`, `count`, got `averge`"),
        ("aggregate = 'men'",
            "stream[0].aggregate: expected one of `last`, `mean`, `sum`, `min`, `max`, `count`, got `men`, did you mean `mean`?"),
        ("timestamp = { from = 'feild' }",
            "stream[0].timestamp.from: expected one of `field`, `kafka`, got `feild`, did you mean `field`?"),
        ("timestamp = { from = 'field', field = '/ts' }",
            "stream[0].timestamp.format: is missing"),
        ("timestamp = { from = 'kafka', field = '/ts' }",
            "stream[0].timestamp.field: unknown key"),
        ("window = 5",
            "stream[0].window: expected a table, got 5"),
        ("model.hidden = 32",
            "stream[0].model.hidden: expected a list, got 32"),
        ("max_out_of_order = 30",
            "stream[0].max_out_of_order: expected text in quotes, got 30"),
        ("step = '0s'",
            "stream[0].step: expected `event` or a step of at least 1ms"),
    ];
    for (addition, expected) in cases {
        assert_eq!(fault(addition), format!("settings are not usable: {expected}"), "{addition}");
    }
}

#[test]
fn rules_between_keys_say_both_sides() {
    #[rustfmt::skip]
    let cases = [
        ("window = { length = 16, stride = 20 }",
            "stream[0].window.stride = 20: is longer than window.length = 16: records would be skipped"),
        ("model.learning_rate = 1e39",
            "stream[0].model.learning_rate = 1000000000000000000000000000000000000000: is a step longer than the weights themselves: expected at most 1"),
        ("window.length = 4",
            "stream[0].model.latent = 8: is not smaller than the 8 inputs (2 channels x 4 rows)"),
        ("window.min_completeness = 0",
            "stream[0].window.min_completeness = 0: expected a number above 0: an empty window cannot be scored"),
        ("model.hidden = [32, 0]",
            "stream[0].model.hidden[1] = 0: a layer needs at least one neuron"),
        ("model.hidden = [1000000]",
            "stream[0].model.hidden = [1000000]: makes 82000040 weights with the 32 inputs (2 channels x 16 rows), at most 16777216 are possible"),
        ("window.length = 2048\nmodel.reservoir = 1000000",
            "stream[0].model.reservoir = 1000000: windows of 4096 inputs (2 channels x 2048 rows), at most 67108864 values are kept"),
        ("max_out_of_order = '2h'",
            "stream[0].open_rows_max = 64: 121 rows are open while max_out_of_order = 2h keeps rows of step = 1m waiting"),
        ("idle_timeout = '0s'",
            "stream[0].idle_timeout = 0s: must be above 0s, or rows close before their records arrive"),
        ("alert.budget.per = '30s'",
            "stream[0].alert.budget.per = 30s: is shorter than one row, 1m"),
        ("alert.budget = { alerts = 1e9, per = '1h' }",
            "stream[0].alert.budget.alerts = 1000000000: is more than one alert a row of 1m in alert.budget.per = 1h"),
        ("entity = { from = 'field', field = '/pressure/of' }",
            "stream[0]: `/pressure/of` lies inside `/pressure`, which is read as a plain value"),
        ("forecast = { targets = ['pressure'], horizons = ['4w'] }",
            "stream[0].forecast.horizons[0] = 4w: is 40320 rows of step = 1m, at most 10080 are possible"),
        ("alert.critical_ratio = 0.5",
            "stream[0].alert.critical_ratio = 0.5: is below 1: alerts would be critical before they open"),
        ("alert = { for = 500 }",
            "stream[0].alert.accept_after = 400: is not above alert.for = 500: faults would be learned before they are told"),
        ("timestamp = { from = 'field', field = 'ts', format = 'rfc3339' }",
            "stream[0].timestamp.field = \"ts\": a JSON pointer begins with `/`, for example `/oil/temp`"),
        ("entity = { from = 'field', field = '/a~b' }",
            "stream[0].entity.field = \"/a~b\": in a JSON pointer `~` is written `~0` and `/` inside a name `~1`"),
        ("forecast.levels = [0.9, 0.8]",
            "stream[0].forecast.levels[1] = 0.8: is not above the level before it, 0.9"),
        ("forecast = { targets = ['temperatur'], horizons = ['1m'] }",
            "stream[0].forecast.targets[0] = \"temperatur\": is not a channel of this stream, did you mean `temperature`?"),
        ("forecast = { targets = ['pressure'] }",
            "stream[0].forecast.horizons: at least one is needed to forecast, for example [\"1h\"]"),
        ("forecast = { targets = ['pressure'], horizons = ['90s'] }",
            "stream[0].forecast.horizons[0] = 1m 30s: is not a whole multiple of step = 1m"),
        ("forecast = { targets = ['pressure'], horizons = ['2m', '1m'] }",
            "stream[0].forecast.horizons[1] = 1m: is not longer than the one before it, 2m"),
        ("forecast = { targets = ['pressure'], horizons = ['1m'], seasons = ['30s'] }",
            "stream[0].forecast.seasons[0] = 30s: is not a whole multiple of step = 1m"),
        ("forecast = { targets = ['pressure'], horizons = ['1m'], latent = { w_fc = 0 } }",
            "stream[0].forecast.latent.w_fc = 0: leaves the network nothing to learn, for w_rec is 0, too: one must be above 0"),
        ("forecast = { targets = ['pressure'], horizons = ['1m'], exogenous = ['flux'] }",
            "stream[0].forecast.exogenous[0] = \"flux\": is not a channel of this stream"),
        ("forecast = { targets = ['pressure'], horizons = ['1m'], time_zone = 'Mars/Base' }",
            "stream[0].forecast.time_zone = \"Mars/Base\": is no time zone: expected an IANA name such as Europe/Berlin"),
        ("forecast = { targets = ['pressure'], horizons = ['1m'], holidays = ['25.12.2026'] }",
            "stream[0].forecast.holidays[0] = \"25.12.2026\": expected a date such as 2026-12-25"),
        ("model.scope = 'shard'\nforecast = { targets = ['pressure'], horizons = ['1m'] }",
            "stream[0].forecast.seasons: is needed with model.scope = \"shard\", for example [\"1d\", \"1w\"]: series that share a network share its seasons"),
        ("step = 'event'\nforecast = { targets = ['pressure'], horizons = ['1m'] }",
            "stream[0].forecast.targets = [\"pressure\"]: forecasts need rows at fixed distances: set `step` to a duration"),
    ];
    for (addition, expected) in cases {
        assert_eq!(fault(addition), format!("settings are not usable: {expected}"), "{addition}");
    }
}

#[test]
fn the_daemon_never_reads_what_it_writes_and_no_name_is_taken_twice() {
    let text = r#"
        schema = 2
        topics.dlq = "latentd.alerts.v1"
        http.listen = "localhost"
        kafka.brokers = ["kafka"]
        [[stream]]
        name = "a"
        topics = ["in", "latentd.features.v1"]
        channel = [{ name = "x" }, { name = "x" }]
        [[stream]]
        name = "a"
        topics = ["in", "no spaces"]
        channel = []
    "#;
    let expected = "settings are not usable, 10 rules are broken
  schema = 2: this latentd reads version 1 of the settings
  kafka.brokers[0] = \"kafka\": expected host:port such as kafka-1:9092
  http.listen = \"localhost\": expected address:port such as 127.0.0.1:9108 or [::]:9108
  stream[0].channel[1].name = \"x\": is also stream[0].channel[0].name
  stream[1].channel: expected 1 to 1024 channels, got 0
  stream[1].name = \"a\": is also stream[0].name
  stream[1].topics[1] = \"no spaces\": Kafka topics are named by 1 to 249 letters, digits, dots, `_` and `-`
  stream[0].topics[1] = \"latentd.features.v1\": is also topics.features: the daemon would read what it writes
  topics.dlq = \"latentd.alerts.v1\": is also topics.alerts
  stream[1].topics[0] = \"in\": is also stream[0].topics[0]";
    assert_eq!(load(text).unwrap_err().to_string(), expected);
}

#[test]
fn unknown_keys_wrong_kinds_and_missing_keys_are_told_together() {
    let text = r#"
        [htp]
        [stream_defaults]
        name = "all"
        model.batch = "32"
        [[stream]]
        topics = "plant.press"
        channel = [{ nam = "x" }]
    "#;
    let expected = "settings are not usable, 7 rules are broken
  htp: unknown key, did you mean `http`?
  stream[0].channel[0].nam: unknown key, did you mean `name`?
  stream[0].topics: expected a list, got `plant.press`
  stream_defaults.name: unknown key: each [[stream]] has its own
  stream_defaults.model.batch: expected a whole number from 1 to 4096, got `32`
  stream[0].name: is missing
  stream[0].channel[0].name: is missing";
    assert_eq!(load(text).unwrap_err().to_string(), expected);
}

#[test]
fn a_document_that_is_no_table_is_refused() {
    for value in [json!(88888), json!([{"stream": []}]), json!("x"), Value::Null] {
        let refused = Layers::new().table(value).settings().unwrap_err().to_string();
        assert!(
            refused.starts_with("settings are not usable: expected a table, got "),
            "{refused}"
        );
    }
    for (format, text) in [
        (TextFormat::Json, "88888"),
        (TextFormat::Json, "[]"),
        (TextFormat::Yaml, "- a"),
        (TextFormat::Yaml, "x"),
        (TextFormat::Toml, "88888"),
    ] {
        let refused = Layers::new().text(text, format, "file.x").unwrap_err().to_string();
        assert!(refused.contains("file.x"), "{refused}");
    }
}

#[test]
fn without_a_stream_there_is_nothing_to_do() {
    let fault = Settings::load(None, &BTreeMap::new()).unwrap_err();
    let expected = "settings are not usable: stream: at least one [[stream]] is needed";
    assert_eq!(fault.to_string(), expected);
}

#[test]
fn secrets_come_from_the_environment_or_a_file_of_their_own_and_are_never_shown() {
    let in_file = format!("[kafka.rdkafka]\nsasl.password = 'hunter2'\n{SMALLEST}");
    let fault = load(&in_file).unwrap_err().to_string();
    assert_eq!(
        fault,
        "settings are not usable: kafka.rdkafka.sasl.password: secrets do not belong in a settings \
         file: name a file with it in `kafka.sasl_password_file`, or set \
         LATENTD__KAFKA__RDKAFKA__SASL_PASSWORD in the environment"
    );
    let variables = env(&[
        ("LATENTD__KAFKA__RDKAFKA__SASL_PASSWORD", "hunter2"),
        ("LATENTD__KAFKA__RDKAFKA__SSL__KEY__PASSWORD", "hunter3"),
    ]);
    let text = format!("[kafka.rdkafka]\n'sasl.username' = 'latentd'\nlinger.ms = 5\n{SMALLEST}");
    let settings = Settings::from_text(&text, &variables).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(settings.kafka.rdkafka["sasl.password"], "hunter2");
    assert_eq!(settings.kafka.rdkafka["ssl.key.password"], "hunter3");
    assert_eq!(
        settings.redacted()["kafka"]["rdkafka"],
        json!({
            "sasl.username": "latentd", "linger.ms": "5",
            "sasl.password": "***", "ssl.key.password": "***",
        })
    );
    assert!(!settings.redacted().to_string().contains("hunter"));
    let twice = format!("kafka.sasl_password_file = '/p'\n{SMALLEST}");
    assert_eq!(
        Settings::from_text(&twice, &env(&[("LATENTD__KAFKA__RDKAFKA__SASL_PASSWORD", "hunter2")]))
            .unwrap_err()
            .to_string(),
        "settings are not usable: kafka.rdkafka.sasl.password: the password is given twice, \
         `kafka.sasl_password_file` names one already (set by LATENTD__KAFKA__RDKAFKA__SASL_PASSWORD)"
    );
}

#[test]
fn client_settings_that_the_promises_hang_on_cannot_be_changed() {
    let text = format!(
        "[kafka.rdkafka]\nenable.auto.commit = true\ngroup.id = 'x'\nlist = []\n{SMALLEST}"
    );
    let expected = "settings are not usable, 3 rules are broken
  kafka.rdkafka.list: expected text, a number, true or false
  kafka.rdkafka.enable.auto.commit: cannot be passed through: latentd commits offsets itself, after the outputs
  kafka.rdkafka.group.id: cannot be passed through: use `kafka.group_id`";
    assert_eq!(load(&text).unwrap_err().to_string(), expected);
}

#[test]
fn what_the_client_library_does_not_take_is_told_by_key() {
    let text = format!(
        "[kafka]\nworkers = 2\n[kafka.rdkafka]\nsecurity.protocl = 'SSL'\n\
         security.protocol = 'SASLSSL'\nsession.timeout.ms = 'abc'\nisolation.level = 'read_uncommitted'\n\
         statistics.interval.ms = 5\nmessage.max.bytes = 1000\ngroup.instance.id = 'x'\n{SMALLEST}"
    );
    let expected = [
        "kafka.rdkafka.isolation.level: cannot be passed through: latentd reads",
        "kafka.rdkafka.message.max.bytes: cannot be passed through: use `kafka.message_bytes_max`",
        "kafka.rdkafka.security.protocl: No such configuration property",
        "kafka.rdkafka.security.protocol: Invalid value \"SASLSSL\"",
        "kafka.rdkafka.session.timeout.ms: Invalid value",
        "kafka.rdkafka.statistics.interval.ms: cannot be passed through",
        "kafka.rdkafka.group.instance.id: each worker is a member of the group: with kafka.workers = 2",
    ];
    let Err(ConfigError::Faults(faults)) = load(&text) else { panic!("faulty on purpose") };
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
}

/// Two channels may read one field if they make something else of it.
#[test]
fn a_channel_is_no_copy_of_another() {
    let channels = |second: &str| {
        let text = SMALLEST.replace("{ name = \"pressure\" }", second);
        load(&text).map_err(|error| error.to_string())
    };
    let copy = channels("{ name = 'copy', field = '/temperature' }").unwrap_err();
    let expected = "settings are not usable: stream[0].channel[1].field = \"/temperature\": is what \
                    stream[0].channel[0] reads already, by the same aggregate: two channels that are one";
    assert_eq!(copy, expected);
    assert!(channels("{ name = 'most', field = '/temperature', aggregate = 'max' }").is_ok());
}

#[test]
fn keys_that_begin_as_they_should_are_suggested() {
    for (wrong, meant) in [
        ("kafka.group = 'x'", "kafka.group: unknown key, did you mean `group_id`?"),
        (
            "kafka.sasl_password = 'x'",
            "kafka.sasl_password: unknown key, did you mean `sasl_password_file`?",
        ),
        (
            "stream_defaults.topics = ['x']",
            "stream_defaults.topics: unknown key: each [[stream]] has its own",
        ),
    ] {
        let fault = load(&format!("{wrong}\n{SMALLEST}")).unwrap_err().to_string();
        assert_eq!(fault, format!("settings are not usable: {meant}"));
    }
}

#[test]
fn the_program_may_lay_its_own_values_on_top() {
    let settings = Layers::new()
        .toml(SMALLEST, "a test")
        .and_then(|layers| {
            layers.table(json!({ "kafka": { "brokers": ["127.0.0.1:19092"] } })).settings()
        })
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(settings.kafka.brokers, ["127.0.0.1:19092"]);
    assert_eq!(settings.kafka.group_id, "latentd");
}

#[test]
fn durations_become_rows_and_names_become_indexes() {
    let settings = usable(
        &format!(
            "{SMALLEST}aggregate = 'mean'
         channel = []
         forecast = {{ targets = ['pressure'], horizons = ['1m', '1h'], seasons = ['1d'] }}"
        )
        .replace("channel = []", "")
        .replace("{ name = \"temperature\" }", "{ name = 'oil/temp', aggregate = 'max' }"),
    );
    let stream = &settings.stream[0];
    let spec = stream.spec(7);
    let forecast = spec.forecast.as_ref().unwrap();
    assert_eq!(forecast.targets, [1]);
    assert_eq!(
        (forecast.memory, forecast.latent.refresh, forecast.half_life.get()),
        (10_080, 1, 524_160.0)
    );
    assert_eq!((&forecast.horizons[..], &forecast.seasons[..]), (&[1, 60][..], &[1440][..]));
    assert_eq!((spec.shape().cells(), spec.seed), (32, 7));
    assert_eq!(format!("{:?}", spec.rows.aggregates), "[Max, Mean]");
    let input = stream.input(settings.kafka.message_bytes_max);
    assert_eq!(input.fields, ["/oil~1temp", "/pressure"]);
    assert_eq!(input.channels, ["oil/temp", "pressure"]);
    assert_eq!(input.message_bytes_max, 1 << 20);
    assert_eq!(usable(SMALLEST).stream[0].spec(7).forecast, None);
}

#[test]
fn files_are_read_by_their_extension_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Settings::load(Some(&path), &BTreeMap::new())
            .map_err(|e| e.to_string().replace(&*folder.path().to_string_lossy(), ""))
    };
    let json = r#"{"stream": [{"name": "a", "topics": ["in"], "channel": [{"name": "x"}]}]}"#;
    let yaml = "stream:\n  - name: a\n    topics: [in]\n    channel:\n      - name: x\n";
    let toml = "[[stream]]\nname = 'a'\ntopics = ['in']\nchannel = [{ name = 'x' }]\n";
    let read = load("a.toml", toml).unwrap();
    assert_eq!(load("a.json", json).as_ref(), Ok(&read));
    assert_eq!(load("a.yaml", yaml).as_ref(), Ok(&read));
    assert_eq!(
        load("a.conf", toml).unwrap_err(),
        "settings file /a.conf has no known format: the name must end in .toml, .yaml, .yml or .json"
    );
    assert_eq!(
        load("big.toml", &"#".repeat((1 << 20) + 1)).unwrap_err(),
        "settings file /big.toml is larger than 1048576 bytes"
    );
    let syntax = load("bad.toml", "kafka = {\n").unwrap_err();
    assert!(syntax.starts_with("settings in /bad.toml cannot be parsed: "), "{syntax}");
    assert!(syntax.contains("line 1"), "{syntax}");
    assert_eq!(
        load("null.yaml", &format!("{yaml}kafka:\nseed:\n")).unwrap_err(),
        "settings are not usable, 2 rules are broken\n  \
         kafka: expected a table, got nothing\n  \
         seed: expected a whole number of at least 0, got nothing"
    );
}

/// `UPDATE=1 cargo test` writes the file anew.
#[test]
fn the_schema_file_is_the_schema_of_the_types() {
    let path = in_repository("config/latentd.schema.json");
    let generated = serde_json::to_string_pretty(json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == generated, "config/latentd.schema.json is old, run with UPDATE=1");
}

#[test]
fn defaults_and_examples_are_usable_and_valid_by_the_schema() {
    let validator = jsonschema::validator_for(json_schema()).unwrap();
    for name in ["default.toml", "sensors.toml", "demand.toml"] {
        let path = in_repository("config").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let value: Value = toml::from_str(&text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
        if name != "default.toml" {
            let settings = Settings::load(Some(&path), &BTreeMap::new());
            let settings = settings.unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(settings.check(), Ok(()));
        }
    }
}

#[test]
fn what_is_shipped_for_systemd_kubernetes_and_compose_is_usable() {
    for path in ["systemd/latentd.toml", "kubernetes/base/latentd.toml", "latentd.toml"] {
        let settings = Settings::load(Some(&in_repository("deploy").join(path)), &BTreeMap::new());
        let settings = settings.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(settings.check(), Ok(()), "{path}");
    }
}

/// What the walk over the schema lets pass, serde must take, and the other way round: a file that
/// the published schema refuses must not load.
#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let validator = jsonschema::validator_for(json_schema()).unwrap();
    let base = json!({"stream": [{"name": "a", "topics": ["in"], "channel": [{"name": "x"}]}]});
    assert!(validator.is_valid(&base));
    for (key, value) in [
        ("/stream/0/modle", json!(1)),
        ("/stream/0/step", json!(5)),
        ("/stream/0/idle_timeout", json!("soon")),
        ("/stream/0/timestamp", json!({"from": "field"})),
        ("/stream/0/model", json!({"learning_rate": 0})),
        ("/stream/0/alert", json!({"release_ratio": 1})),
        ("/stream/0/series_max", json!(0)),
        ("/stream_defaults", json!({"name": "a"})),
        ("/seed", json!(-1)),
    ] {
        let mut broken = base.clone();
        let (table, key) = key.rsplit_once('/').unwrap();
        broken.pointer_mut(table).unwrap()[key] = value;
        assert!(!validator.is_valid(&broken), "{key}");
        let toml = toml::to_string(&broken).unwrap();
        assert!(matches!(load(&toml), Err(ConfigError::Faults(_))), "{key}");
    }
}

#[test]
fn every_configuration_of_the_readme_is_usable() {
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```toml").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<&str> = blocks.collect();
    assert!(blocks.len() > 2, "only {} found", blocks.len());
    let first = usable(blocks[0]);
    assert_eq!(first.stream[0].channel.len(), 2);
    // The others are parts: they stand below a stream that has the channels they name.
    let stream = "[[stream]]\nname = \"shops\"\ntopics = [\"in\"]\nstep = \"1h\"\n\
                  channel = [{ name = \"units\" }, { name = \"footfall\" }, { name = \"promotion\" }]\n";
    for part in &blocks[1..] {
        usable(&format!("{stream}{part}"));
    }
}

#[test]
fn the_defaults_of_alerts_are_those_of_their_type() {
    let settings = usable(SMALLEST);
    assert_eq!(settings.stream[0].alert, latentd::alert::AlertParams::default());
}

#[test]
fn maintenance_and_ranges_become_what_the_engine_takes() {
    let settings = usable(&format!(
        "{}{}",
        SMALLEST
            .replace("{ name = \"pressure\" }", "{ name = \"pressure\", data_range = [0, 9.5] }"),
        r#"
        [[stream.maintenance]]
        name = "weekly"
        entities = ["press-0*"]
        cron = "0 22 * * SUN"
        time_zone = "Europe/Berlin"
        duration = "6h"
        [[stream.maintenance]]
        name = "rebuild"
        from = "2026-12-24T12:00:00+01:00"
        until = "2027-01-02T06:00:00Z"
        alert = true
        score = false
        "#
    ));
    let spec = settings.stream[0].spec(1);
    assert_eq!(spec.data_ranges, [None, Some([0.0, 9.5])]);
    let [weekly, rebuild] = spec.maintenance.as_slice() else { panic!("two") };
    assert_eq!(
        (&*weekly.name, weekly.switches.score, weekly.switches.alert),
        ("weekly", true, false)
    );
    assert!(weekly.entities.contain("press-07") && !weekly.entities.contain("press-17"));
    assert!(rebuild.switches.alert && !rebuild.switches.score && !rebuild.switches.learn);
    assert!(rebuild.entities.contain("anything"));
    let empty = usable(SMALLEST).stream[0].spec(1);
    assert_eq!((empty.data_ranges.len(), empty.maintenance.len()), (0, 0));
    // None of it shapes the state.
    assert_eq!(spec.fingerprint(), empty.fingerprint());
}

#[test]
fn faults_of_alerts_and_maintenance_say_what_is_needed() {
    let one = |keys: &str| format!("maintenance = [{{ name = 'm', {keys} }}]");
    #[rustfmt::skip]
    let cases = [
        (one("cron = '0 22 * * SUN'"),
            "stream[0].maintenance[0].duration: is needed beside `cron`"),
        (one("duration = '1h'"),
            "stream[0].maintenance[0]: needs `cron` and `duration`, or `from` and `until`"),
        (one("cron = '0 0 30 2 *', duration = '1h'"),
            "stream[0].maintenance[0].cron = \"0 0 30 2 *\": never happens"),
        (one("cron = '0 22 * * SUN', duration = '1h', time_zone = 'Berlin'"),
            "stream[0].maintenance[0].time_zone = \"Berlin\": is no time zone such as Europe/Berlin"),
        (one("cron = '0 22 * * SUN', from = '2026-12-24T12:00:00Z'"),
            "stream[0].maintenance[0].cron: goes with `duration`, not with `from` and `until`"),
        (one("from = 'today', until = '2026-12-24T12:00:00Z'"),
            "stream[0].maintenance[0].from = \"today\": expected a time such as 2026-11-20T22:00:00Z or 2026-11-20T23:00:00+01:00"),
        (one("from = '2026-12-24T12:00:00Z', until = '2026-12-24T12:00:00Z'"),
            "stream[0].maintenance[0].until = \"2026-12-24T12:00:00Z\": is not after from = 2026-12-24T12:00:00Z"),
        (one("cron = '0 22 * * SUN', duration = '1h', alert = 'no'"),
            "stream[0].maintenance[0].alert: expected true or false, got `no`"),
        (one("cron = '0 22 * * SUN', duration = '1h', entities = []"),
            "stream[0].maintenance[0].entities: is empty: leave it out to mean all"),
        ("maintenance = [{ cron = '0 22 * * SUN', duration = '1h' }]".to_owned(),
            "stream[0].maintenance[0].name: is missing"),
        ("alert.flap_limit.per = '0s'".to_owned(),
            "stream[0].alert.flap_limit.per = 0s: must be above 0s; openings = 0 sets no limit"),
        ("alert.stale_after = '30s'".to_owned(),
            "stream[0].alert.stale_after = 30s: is shorter than one row, 1m: calm series would be stale"),
        ("alert.stuck_after = 1".to_owned(),
            "stream[0].alert.stuck_after = 1: every value would be stuck; 0 watches nothing"),
        ("ahead_max = '10s'".to_owned(),
            "stream[0].alert.clock_skew.ahead = 1m: is longer than ahead_max = 10s: records so far ahead are dead letters"),
    ];
    for (addition, expected) in cases {
        let expected = format!("settings are not usable: {expected}");
        assert_eq!(fault(&addition), expected, "{addition}");
    }
    let range = SMALLEST.replace("\"pressure\"", "\"pressure\", data_range = [9]");
    assert_eq!(
        load(&range).expect_err("faulty").to_string(),
        "settings are not usable: stream[0].channel[1].data_range = [9.0]: expected the smallest \
         and the largest possible value, such as [-20, 140]"
    );
}

#[test]
fn rules_of_the_http_server_name_the_key() {
    let fault = |http: &str| {
        let text = format!("http = {{ {http} }}\n{SMALLEST}");
        Settings::from_text(&text, &BTreeMap::new()).unwrap_err().to_string()
    };
    assert_eq!(
        fault("tls_cert_file = '/a'"),
        "settings are not usable: http.tls_key_file: is missing: a certificate and its key are used together"
    );
    assert_eq!(
        fault("request_timeout = '1ms'"),
        "settings are not usable: http.request_timeout = 1ms: expected a duration from 100ms to 10m"
    );
    assert_eq!(
        fault("connections_max = 0"),
        "settings are not usable: http.connections_max: expected a whole number from 1 to 65536, got 0"
    );
}
