//! The bodies of forecasts.

use super::*;
use crate::record::{
    Coverage, ForecastPoint, ForecastSource, GroupSkill, HorizonGroup, Interval, Skill,
};

pub(super) fn forecast() -> ForecastRecord {
    let point = |horizon: u32, source| ForecastPoint {
        horizon,
        target_at: at(NOON + (i64::from(horizon) - 1) * HOUR),
        yhat: 14.2,
        intervals: vec![
            Interval { level: 0.8, lower: 9.0, upper: 19.0 },
            Interval { level: 0.95, lower: 6.0, upper: 24.0 },
        ],
        source,
        p_zero: (horizon == 36).then_some(0.25),
        group: HorizonGroup::Near,
    };
    ForecastRecord {
        entity: "store-12/sku-884".into(),
        channel: 1,
        issued_at: at(NOON),
        step: Millis::new(HOUR),
        points: vec![point(1, ForecastSource::Mix), point(36, ForecastSource::SeasonalNaive)],
        skill: Some(Skill { last_value: 0.21, seasonal_naive: -0.08, windows: 336 }),
        group_skill: [(HorizonGroup::Near, 0.31), (HorizonGroup::Beyond, -0.25)]
            .map(|(group, seasonal_naive)| GroupSkill { group, last_value: 0.5, seasonal_naive })
            .to_vec(),
        coverage: [(0.8, 0.79), (0.95, 0.94)]
            .map(|(level, covered)| Coverage { level, covered, width: 3.0 })
            .to_vec(),
        group_coverage: Vec::new(),
        weights: vec![("skip_ridge", 0.75), ("latent_ridge", 0.25)],
        model_version: 17,
        offset: 99,
    }
}

#[test]
fn a_forecast_reads_as_promised() {
    let message = encoder().forecast(&forecast(), ORIGIN);
    assert_eq!(message.topic, "latentd.forecasts.v1");
    assert_eq!(message.key.as_deref(), Some(&b"store-12/sku-884"[..]));
    let intervals =
        r#"[{"level":0.8,"lower":9.0,"upper":19.0},{"level":0.95,"lower":6.0,"upper":24.0}]"#;
    assert_eq!(
        body(&message),
        [
            r#"{"stream":"press-line","entity":"store-12/sku-884","target":"flow","#,
            r#""issued_at":"2023-11-14T22:13:20Z","points":["#,
            r#"{"horizon":"PT1H","at":"2023-11-14T22:13:20Z","yhat":14.2,"intervals":"#,
            intervals,
            r#","source":"mix"},{"horizon":"PT36H","at":"2023-11-16T09:13:20Z","yhat":14.2,"intervals":"#,
            intervals,
            r#","source":"seasonal_naive","p_zero":0.25}],"#,
            r#""skill":{"last_value":0.21,"seasonal_naive":-0.08,"windows":336},"#,
            r#""group_skill":{"near":0.31,"beyond":-0.25},"#,
            r#""group_skill_last_value":{"near":0.5,"beyond":0.5},"#,
            r#""coverage":{"0.8":0.79,"0.95":0.94},"#,
            r#""weights":{"skip_ridge":0.75,"latent_ridge":0.25},"model_version":"17"}"#,
        ]
        .concat()
    );
    let headers = headers(&message);
    assert_eq!(headers[2], "ce_id: plant.press/5/99/forecast/flow/store-12/sku-884/1700000000000");
    assert_eq!(headers[4], "ce_type: io.latentd.forecast.v1");
}
