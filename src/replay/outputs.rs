//! What the engine says, as files.

use std::path::PathBuf;
use std::sync::Arc;

use super::files::{CsvFile, JsonLines, check_distinct, reserve};
use super::lab::Lab;
use super::scores::ScoreLines;
use super::{ReplayArgs, ReplayError, cell};
use crate::io::{Encoder, Origin};
use crate::record::{FeatureRecord, ForecastRecord, HeadOutput, Interval, Outbox};

const FORECAST_HEADER: [&str; 11] = [
    "series",
    "channel",
    "issued_at",
    "target_at",
    "horizon",
    "yhat",
    "lower_80",
    "upper_80",
    "lower_95",
    "upper_95",
    "source",
];
/// Coverage levels with columns of their own.
const LEVELS: [f64; 2] = [0.8, 0.95];
const FEATURE_HEADER: [&str; 10] = [
    "series",
    "window_start",
    "window_end",
    "observed_ratio",
    "surprise",
    "anomaly_score",
    "reconstruction_error",
    "warming",
    "model_version",
    "latent_space_id",
];

/// The files that the arguments ask for.
pub(super) struct Outputs {
    pub scores: Option<ScoreLines>,
    /// Keeps what figures and plots are made of, if they are wanted.
    pub lab: Option<Lab>,
    alerts: Option<JsonLines>,
    forecasts: Option<CsvFile>,
    features: Option<Features>,
    number: String,
    /// A report will be written, or the lines of alerts are not wanted.
    quiet: bool,
}

struct Features {
    out: CsvFile,
    /// Widths of the code and of what the layer on top says, as in the header; `None` before that.
    widths: Option<[usize; 2]>,
}

impl Outputs {
    /// Refuses files that are inputs or another output.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] for the first of them.
    pub fn check(args: &ReplayArgs) -> Result<(), ReplayError> {
        let paths = [&args.scores, &args.alerts, &args.forecasts, &args.features, &args.report];
        check_distinct(&args.files, &paths.into_iter().flatten().collect::<Vec<_>>())
    }

    /// Creates the files, which were [checked](Self::check).
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if one cannot be created.
    pub fn create(args: &ReplayArgs, lab: Option<Lab>) -> Result<Self, ReplayError> {
        args.report.as_deref().map_or(Ok(()), reserve)?;
        let csv = |path: &Option<PathBuf>| match path {
            Some(path) => CsvFile::create(path).map(Some),
            None => Ok(None),
        };
        let mut forecasts = csv(&args.forecasts)?;
        if let Some(out) = &mut forecasts {
            out.write(FORECAST_HEADER)?;
        }
        let scores = csv(&args.scores)?;
        let wanted = scores.is_some() || lab.is_some();
        Ok(Self {
            scores: wanted.then(|| ScoreLines::new(scores)).transpose()?,
            quiet: lab.as_ref().is_some_and(Lab::is_quiet),
            lab,
            alerts: args.alerts.as_deref().map(JsonLines::create).transpose()?,
            forecasts,
            features: csv(&args.features)?.map(|out| Features { out, widths: None }),
            number: String::new(),
        })
    }

    /// Whether nobody would hear of alerts if they were not printed.
    pub fn is_empty(&self, args: &ReplayArgs) -> bool {
        !self.quiet
            && args.scores.is_none()
            && self.alerts.is_none()
            && self.forecasts.is_none()
            && self.features.is_none()
    }

    /// Writes what a log has said; `channels` are the names of its channels.
    pub fn take(
        &mut self,
        outbox: &Outbox,
        encoder: &mut Encoder,
        origin: Origin<'_>,
        channels: &[Arc<str>],
    ) -> Result<(), ReplayError> {
        if let Some(lab) = &mut self.lab {
            lab.take(outbox);
        }
        if let Some(scores) = &mut self.scores {
            scores.settle(&outbox.rows, self.lab.as_mut())?;
        }
        if let Some(alerts) = &mut self.alerts {
            for record in &outbox.alerts {
                alerts.write(&encoder.alert(record, origin).payload.unwrap_or_default())?;
            }
        }
        if let Some(features) = &mut self.features {
            outbox
                .features
                .iter()
                .try_for_each(|record| features.write(record, &mut self.number))?;
        }
        if let Some(forecasts) = &mut self.forecasts {
            for record in &outbox.forecasts {
                let channel = channels.get(record.channel).map_or("", |name| name);
                write_forecast(forecasts, record, channel, &mut self.number)?;
            }
        }
        Ok(())
    }

    /// Brings everything to the disk.
    pub fn finish(&mut self) -> Result<(), ReplayError> {
        if let Some(scores) = &mut self.scores {
            scores.finish()?;
        }
        if let Some(alerts) = &mut self.alerts {
            alerts.finish()?;
        }
        if let Some(features) = &mut self.features {
            features.out.finish()?;
        }
        self.forecasts.as_mut().map_or(Ok(()), CsvFile::finish)
    }
}

impl Features {
    fn write(&mut self, record: &FeatureRecord, number: &mut String) -> Result<(), ReplayError> {
        // Files of other widths than the first leave cells empty or have no column for the rest.
        let (word, said): (_, &[f64]) = match &record.head {
            Some(HeadOutput::Next(values)) => ("next", values),
            Some(HeadOutput::Rise(values)) => ("p_rise", values),
            None => ("", &[]),
        };
        let [latent, heads] = match self.widths {
            Some(widths) => widths,
            None => {
                let codes = (0..record.z.len()).map(|i| format!("z_{i}"));
                let heads = (0..said.len()).map(|i| format!("{word}_{i}"));
                let more: Vec<String> = codes.chain(heads).collect();
                let header = FEATURE_HEADER.into_iter().chain(more.iter().map(String::as_str));
                self.out.write(header)?;
                *self.widths.insert([record.z.len(), said.len()])
            }
        };
        let mut text = |value: f64| {
            cell::write_number(value, number);
            number.clone()
        };
        let mut line = vec![
            record.entity.to_string(),
            record.window.start.to_string(),
            record.window.end.to_string(),
            text(record.window.completeness),
            text(record.surprise),
            text(record.anomaly_score),
            text(record.reconstruction_error),
            u8::from(record.warming).to_string(),
            record.model_version.to_string(),
            record.latent_space_id.to_string(),
        ];
        line.extend(
            (0..latent).map(|i| record.z.get(i).map_or(String::new(), |z| format!("{z:?}"))),
        );
        line.extend((0..heads).map(|i| said.get(i).map_or(String::new(), |v| format!("{v:?}"))));
        self.out.write(line.iter().map(String::as_str))
    }
}

/// One line per horizon.
fn write_forecast(
    out: &mut CsvFile,
    record: &ForecastRecord,
    channel: &str,
    number: &mut String,
) -> Result<(), ReplayError> {
    let issued_at = record.issued_at.to_string();
    let mut text = |value: f64| {
        cell::write_number(value, number);
        number.clone()
    };
    for point in &record.points {
        let [low, high] = LEVELS.map(|level| point.intervals.iter().find(|i| i.level == level));
        let mut bound = |of: Option<&Interval>, end: fn(&Interval) -> f64| {
            of.map_or(String::new(), |interval| text(end(interval)))
        };
        let bounds = [
            bound(low, |i| i.lower),
            bound(low, |i| i.upper),
            bound(high, |i| i.lower),
            bound(high, |i| i.upper),
        ];
        out.write([
            &*record.entity,
            channel,
            &issued_at,
            &point.target_at.to_string(),
            &point.horizon.to_string(),
            &text(point.yhat),
            &bounds[0],
            &bounds[1],
            &bounds[2],
            &bounds[3],
            point.source.word(),
        ])?;
    }
    Ok(())
}
