//! The replay itself: which files are one log, and each log through a shard of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use prometheus::Registry;

use super::ahead::Ahead;
use super::infer::infer;
use super::lab::{self, Lab};
use super::layout::Layout;
use super::order::Order;
use super::outputs::Outputs;
use super::scores::Input;
use super::table::{Row, Table};
use super::{ReplayArgs, ReplayError, ReplaySummary, settings};
use crate::config::{Settings, StreamSettings};
use crate::engine::{Shard, StreamSpec};
use crate::io::{Encoder, EntitySource, Origin};
use crate::model::Trainer;
use crate::notify::opened_line;
use crate::pool::TrainingPool;
use crate::record::{AlertChange, EventTime, Millis, Outbox, Placement, RecordRef};
use crate::telemetry::{TrainingMetrics, say};

/// Rows between two looks at what the engine has said. Changes no output.
const SETTLE_EVERY: u64 = 1_024;

/// Replays the files of the arguments; `env` holds the variables that overlay a configuration.
///
/// Progress is drawn on standard error if that is a terminal. Alerts go to standard output, a
/// line each, if no file is to be written.
///
/// # Errors
///
/// [`ReplayError`]: settings, or the place in a file that cannot be read. What was written until
/// then stays.
pub fn run(
    args: &ReplayArgs,
    env: &BTreeMap<String, String>,
) -> Result<ReplaySummary, ReplayError> {
    if let Some(folder) = &args.nab {
        return lab::nab(args, folder, env);
    }
    Outputs::check(args)?;
    let progress = progress_bar(&args.files)?;
    if let Some(config) = &args.against {
        // Its faults are told before hours of work, not after them.
        settings::configured(&lab::silent(args, config), config, env)?;
    }
    let first = once(args, env, &progress, Lab::wanted(args)?)?;
    let mut others = Vec::new();
    if let Some(config) = &args.against {
        progress.reset();
        let args = lab::silent(args, config);
        others.extend(once(&args, env, &progress, Lab::wanted(&args)?)?.lab);
    }
    progress.finish_and_clear();
    if let Some(lab) = first.lab {
        lab::publish(args, lab, others.pop(), &first.summary)?;
    }
    Ok(first.summary)
}

/// One replay of the files of the arguments, and what the laboratory has kept of it.
pub(super) struct Run {
    pub summary: ReplaySummary,
    pub lab: Option<Lab>,
}

/// Replays with one configuration.
///
/// # Errors
///
/// As [`run()`].
pub(super) fn once(
    args: &ReplayArgs,
    env: &BTreeMap<String, String>,
    progress: &ProgressBar,
    lab: Option<Lab>,
) -> Result<Run, ReplayError> {
    let configured = match &args.config {
        Some(path) => Some(settings::configured(args, path, env)?),
        None => None,
    };
    // The files of a benchmark say themselves what they hold.
    let (configured, detector) = match args.nab {
        Some(_) => (None, configured),
        None => (configured, None),
    };
    let mut replay = Replay {
        args,
        detector,
        summary: ReplaySummary::default(),
        progress: progress.clone(),
        outbox: Outbox { keep_rows: args.scores.is_some() || lab.is_some(), ..Outbox::default() },
        trainer: Arc::new(trainer(configured.as_ref())?),
        outputs: None,
        lab,
    };
    match names_series(args, configured.as_ref())? {
        true => replay.log(configured.as_ref(), &args.files, None)?,
        false => {
            for (file, series) in args.files.iter().zip(series_names(&args.files)) {
                replay.log(configured.as_ref(), std::slice::from_ref(file), Some(&series))?;
            }
        }
    }
    if let Some(outputs) = &mut replay.outputs {
        outputs.finish()?;
    }
    Ok(Run { summary: replay.summary, lab: replay.outputs.and_then(|outputs| outputs.lab) })
}

/// Threads that train; nobody asks for the metrics of a replay.
fn trainer(configured: Option<&Settings>) -> Result<TrainingPool, ReplayError> {
    let threads = configured.map_or(1, |settings| settings.training.threads);
    let metrics =
        TrainingMetrics::register_alone(&Registry::new()).map_err(ReplayError::Metrics)?;
    TrainingPool::new(threads, metrics).map_err(ReplayError::Thread)
}

/// Whether rows say which series they belong to: then all files are parts of one log.
fn names_series(args: &ReplayArgs, settings: Option<&Settings>) -> Result<bool, ReplayError> {
    let stream = settings.and_then(|settings| settings.stream.first());
    match stream.map(|stream| (stream, &stream.entity)) {
        _ if args.entity.is_some() => Ok(true),
        Some((_, EntitySource::Constant { .. })) => Ok(true),
        Some((stream, EntitySource::Field { .. })) => {
            let table = Table::open(&args.files[0], &ProgressBar::hidden())?;
            Ok(Layout::new(&table, stream, args)?.entity.is_some())
        }
        Some((_, EntitySource::KafkaKey)) | None => Ok(false),
    }
}

/// Names of files without folder and extension; where two are alike, with the folder.
fn series_names(files: &[PathBuf]) -> Vec<String> {
    let short = |path: &Path| {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        name.strip_suffix(".csv").unwrap_or(name).to_owned()
    };
    let names: Vec<String> = files.iter().map(|path| short(path)).collect();
    let twice = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
    let full = |path: &Path| path.display().to_string();
    names.iter().zip(files).map(|(n, path)| if twice(n) { full(path) } else { n.clone() }).collect()
}

struct Replay<'a> {
    args: &'a ReplayArgs,
    /// Settings of the detector for files that say themselves what they hold.
    detector: Option<Settings>,
    /// Until the outputs are created.
    lab: Option<Lab>,
    /// Created as late as possible: a wrong argument leaves no empty file behind.
    outputs: Option<Outputs>,
    summary: ReplaySummary,
    progress: ProgressBar,
    outbox: Outbox,
    trainer: Arc<dyn Trainer>,
}

/// One partition: its engine and what its outputs are called.
struct Log<'a> {
    shard: Shard,
    spec: Arc<StreamSpec>,
    encoder: Encoder,
    origin: String,
    /// Name of the series if the rows do not say it.
    series: Option<&'a str>,
    offset: i64,
    /// Rows come so much before their instant on the grid.
    lead: Millis,
    /// Announces what is known beforehand in the file.
    ahead: Option<Ahead>,
    order: Order,
}

impl<'a> Log<'a> {
    /// The log of the first stream of `settings`; nothing of it was read.
    fn new(
        settings: &Settings,
        shard: impl FnOnce(Arc<StreamSpec>) -> Shard,
        origin: String,
        series: Option<&'a str>,
    ) -> Self {
        let spec = Arc::new(settings.stream[0].spec(settings.seed));
        let topics = settings.topics.clone();
        let build = env!("CARGO_PKG_VERSION");
        Self {
            shard: shard(Arc::clone(&spec)),
            encoder: Encoder::new(&spec.name, &spec.channels, topics, build),
            spec,
            origin,
            series,
            offset: 0,
            lead: Millis::ZERO,
            ahead: None,
            order: Order::default(),
        }
    }
}

impl Replay<'_> {
    /// Runs files as one log; `series` is the name of its only series, if the rows name none.
    fn log(
        &mut self,
        configured: Option<&Settings>,
        files: &[PathBuf],
        series: Option<&str>,
    ) -> Result<(), ReplayError> {
        let own;
        let (settings, lead) = match configured {
            Some(settings) => (settings, Millis::ZERO),
            None => {
                own = self.inferred(&files[0])?;
                (&own.0, own.1)
            }
        };
        let stream = &settings.stream[0];
        let constant = match &stream.entity {
            EntitySource::Constant { name } if self.args.entity.is_none() => Some(name.as_str()),
            _ => None,
        };
        let origin = match configured {
            Some(_) => stream.topics[0].clone(),
            None => files[0].display().to_string(),
        };
        let shard = |spec| Shard::new(spec, 0).with_trainer(Arc::clone(&self.trainer));
        let log = Log::new(settings, shard, origin, constant.or(series));
        let mut log = Log { lead, ..log };
        if let Some(why) = stream.too_wide(&log.spec) {
            tracing::warn!("{}: of its channels {why}", files[0].display());
        }
        for file in files {
            let table = Table::open(file, &self.progress)?;
            let layout = Layout::new(&table, stream, self.args)?;
            for channel in layout.missing(stream) {
                tracing::warn!("{}: no column for channel `{channel}`", table.path().display());
            }
            log.order.file(file);
            log.ahead = Ahead::open(file, (stream, &log.spec), self.args, log.ahead.take())?;
            self.file(table, layout, &mut log, stream)?;
        }
        log.shard.close_until(EventTime::from_millis(i64::MAX), &mut self.outbox);
        self.drain(&mut log)?;
        self.summary.series += log.shard.status().series;
        self.summary.jump = self.summary.jump.take().or(log.order.jump());
        Ok(())
    }

    /// Settings, and how far rows come before their instant on the grid.
    fn inferred(&self, file: &Path) -> Result<(Settings, Millis), ReplayError> {
        let found = infer(&mut Table::open(file, &ProgressBar::hidden())?, self.args)?;
        for why in &found.passed_over {
            tracing::warn!("{}: no channel: {why}", file.display());
        }
        let settings = settings::inferred(self.args, &found, self.detector.as_ref())?;
        if self.args.nab.is_some() {
            // The windows of the benchmark name rows by their times.
            return Ok((settings, Millis::ZERO));
        }
        tracing::info!(
            step = %serde_json::json!(found.step),
            time = found.time,
            channels = found.channels.join(","),
            "{}", file.display()
        );
        Ok((settings, found.lead))
    }

    fn file(
        &mut self,
        mut table: Table,
        mut layout: Layout,
        log: &mut Log<'_>,
        stream: &StreamSettings,
    ) -> Result<(), ReplayError> {
        self.summary.files += 1;
        let outputs = match &mut self.outputs {
            Some(outputs) => outputs,
            None => self.outputs.insert(Outputs::create(self.args, self.lab.take())?),
        };
        if let Some(lab) = &mut outputs.lab {
            lab.begin(&log.spec, stream.alert.budget);
        }
        let mut values = Vec::new();
        while let Some(row) = table.next()? {
            self.row(row, &mut layout, log, &mut values)?;
            if self.summary.records.is_multiple_of(SETTLE_EVERY) {
                log.shard.settle(&mut self.outbox);
                self.drain(log)?;
            }
        }
        Ok(())
    }

    fn row(
        &mut self,
        row: Row<'_>,
        layout: &mut Layout,
        log: &mut Log<'_>,
        values: &mut Vec<f64>,
    ) -> Result<(), ReplayError> {
        let (text, told) = layout.time(row)?;
        let time = told + log.lead;
        layout.values(row, values)?;
        let key = layout.series(row, log.series)?;
        if let Some(ahead) = &mut log.ahead {
            ahead.announce(time, log.series, &mut log.shard, &mut self.outbox)?;
        }
        let record = RecordRef { key, time, values, offset: log.offset };
        log.offset += 1;
        // A file has no other clock than its own: nothing is ahead of it.
        let placement = log.shard.push(record, time, &mut self.outbox);
        self.summary.count(placement);
        log.order.see(row.line(), told, placement);
        let Some(Outputs { scores: Some(scores), lab, .. }) = &mut self.outputs else {
            return Ok(());
        };
        if let Some(lab) = lab {
            lab.input(key, time, values);
        }
        let part = placement == Placement::Placed;
        let start = part.then(|| log.spec.rows.step.row_of(time).0);
        let label = layout.label(row)?;
        scores.expect(Input { series: key, timestamp: text, time, label, row: start });
        Ok(())
    }

    /// Writes what the engine has said.
    fn drain(&mut self, log: &mut Log<'_>) -> Result<(), ReplayError> {
        self.summary.add(&self.outbox.facts);
        if let Some(outputs) = &mut self.outputs {
            let origin = Origin { topic: &log.origin, partition: 0 };
            outputs.take(&self.outbox, &mut log.encoder, origin, &log.spec.channels)?;
            if outputs.is_empty(self.args) {
                let opened = self.outbox.alerts.iter().filter(|a| a.change == AlertChange::Opened);
                let text = |alert| opened_line(alert, &log.spec.channels);
                self.progress.suspend(|| opened.for_each(|alert| say(&text(alert))));
            }
        }
        let Self { progress, summary, .. } = self;
        progress.set_message(format!("{} rows, {} alerts", summary.records, summary.alerts));
        self.outbox.clear();
        Ok(())
    }
}

/// A bar of the bytes of all files; it draws nothing in a pipe.
fn progress_bar(files: &[PathBuf]) -> Result<ProgressBar, ReplayError> {
    let mut bytes = 0;
    for path in files {
        let fault = |source| ReplayError::File { path: path.clone(), source };
        bytes += std::fs::metadata(path).map_err(fault)?.len();
    }
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    let style = "{elapsed_precise} {bar:30} {binary_bytes}/{binary_total_bytes}  {msg}";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    Ok(bar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_named_after_their_files() {
        let names =
            |files: &[&str]| series_names(&files.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["a/x.csv", "y.csv.gz", "z"]), ["x", "y", "z"]);
        assert_eq!(names(&["a/x.csv", "b/x.csv"]), ["a/x.csv", "b/x.csv"]);
    }
}
