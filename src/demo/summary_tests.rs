use super::*;
use crate::sim::FaultKind;

fn summary() -> Summary {
    Summary {
        ending: Ending::TimeUp,
        seed: 7,
        simulated_weeks: 2.04,
        wall_seconds: 59.6,
        records_produced: 1_234_567,
        records_processed: 1_234_000,
        records_per_second: 20_566.7,
        rows: 1_230_000,
        windows_scored: 1_229_999,
        peak_memory_bytes: Some(100 << 20),
        alerts: 3,
        features: 20_000,
        forecasts: 448,
        models: 40,
        dead_letters: 0,
        outputs_missed: 0,
        outputs_unreadable: 0,
        faults: vec![
            KindScore {
                kind: FaultKind::LevelShift,
                injected: 3,
                found: 2,
                median_delay_minutes: Some(1.0),
            },
            KindScore { kind: FaultKind::Stuck, injected: 1, found: 0, median_delay_minutes: None },
        ],
        false_alarms: vec![FalseAlarms::new("plant", 1, 4.0), FalseAlarms::new("shops", 0, 0.0)],
        accuracy: vec![
            HorizonScore { horizon: 1, points: 9, mase: 0.7, naive_mase: 1.0, coverage: 0.8 },
            HorizonScore { horizon: 2, points: 9, mase: 0.9, naive_mase: 1.0, coverage: 0.8 },
            HorizonScore {
                horizon: 24,
                points: 8,
                mase: 0.81234,
                naive_mase: 1.01,
                coverage: 0.75,
            },
        ],
    }
}

const TEXT: &str = "\
2.0 simulated weeks in 60 s, seed 7 (time is up)

  1,234,000 records processed of 1,234,567 produced, 20,566 per second, peak memory 100.00 MiB
  1,230,000 rows closed, 1,229,999 windows scored
  3 alerts, 20,000 latent features, 448 forecasts, 40 model records, 0 dead letters

  fault                injected    found   median delay
  level shift                 3        2          1 min
  stuck                       1        0              -
  all                         4        2

  false alarms, plant: 1 (0.25 per entity and week)
  false alarms, shops: 0 (- per entity and week)

  demand forecast                  1 h    24 h
  scaled error, latentd          0.700   0.812
  scaled error, best naive       1.000   1.010
  inside the 80 % interval      80.0 %  75.0 %
";

#[test]
fn the_text_shows_the_figures_and_the_horizons_that_matter() {
    assert_eq!(summary().to_string(), TEXT);
}

#[test]
fn without_checked_forecasts_the_text_says_so() {
    let text = Summary { accuracy: Vec::new(), outputs_missed: 5, ..summary() }.to_string();
    assert!(text.ends_with("\n  forecasts: none could be checked yet\n"), "{text}");
    assert!(text.contains("\n  5 outputs were dropped by the broker before they could be read\n"));
}

#[test]
fn the_json_has_every_figure_under_its_name() {
    let json = serde_json::to_value(summary()).expect("plain data");
    assert_eq!(json["ending"], "time_up");
    assert_eq!(json["faults"][0]["kind"], "level_shift");
    assert_eq!(json["faults"][0]["found"], 2);
    assert_eq!(json["false_alarms"][1]["per_entity_week"], serde_json::Value::Null);
    assert_eq!(json["accuracy"][1]["horizon"], 2);
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let fault = summary().write(Path::new("/nowhere/at/all.json")).expect_err("no such folder");
    assert!(fault.to_string().starts_with("summary /nowhere/at/all.json: "), "{fault}");
}
