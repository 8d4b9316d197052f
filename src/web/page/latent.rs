//! The latent map: recent codes on their first two principal axes.

use std::collections::BTreeMap;

use maud::{Markup, html};
use ndarray::{Array2, Axis};

use super::parts::{figure, legend};
use crate::chart::{self, Dot};
use crate::model::principal_axes;
use crate::web::history::Latent;

/// Fewer make no map.
const POINTS_MIN: usize = 8;

/// A map of the space with the most codes, or of that of the newest code of one series, whose codes are
/// then marked.
pub(super) fn map(latents: &[&Latent], entity: Option<&str>) -> Markup {
    let own = |latent: &&&Latent| entity.is_none_or(|entity| *latent.entity == *entity);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    latents.iter().for_each(|latent| *counts.entry(&latent.space).or_default() += 1);
    let space = match entity {
        Some(_) => latents.iter().rev().find(own).map(|latent| &*latent.space),
        None => counts.iter().max_by_key(|(_, count)| **count).map(|(space, _)| *space),
    };
    let codes: Vec<&&Latent> =
        latents.iter().filter(|latent| space == Some(&*latent.space)).collect();
    let (dots, explained) = match place(&codes) {
        Some(placed) if codes.len() >= POINTS_MIN => placed,
        _ => {
            return html! { p.note { "Too few latent codes yet: they are kept as they are emitted, see "
            code { "features.every" } "." } };
        }
    };
    let newest = codes.iter().rposition(own);
    let dots: Vec<Dot> = dots
        .into_iter()
        .zip(&codes)
        .enumerate()
        .map(|(i, (at, latent))| Dot {
            at,
            alarm: latent.anomaly_score >= 1.0,
            newest: newest == Some(i),
        })
        .collect();
    let alarms = dots.iter().filter(|dot| dot.alarm).count();
    let share = format!("{:.0} %", 100.0 * explained);
    let label = format!(
        "Latent map: {} codes on two principal axes that hold {share} of their variance, {alarms} of them alarms",
        dots.len()
    );
    html! {
        p.note { (dots.len()) " codes of the space " code { (space.unwrap_or_default()) }
            " on their first two principal axes, which hold " (share) " of the variance." }
        (legend(&[("series", "a window"), ("alert", "an alarm (cross)"), ("other", "the newest (ring)")]))
        div.map { (figure("", &label, 340, |size| {
            chart::scatter(&dots, chart::Size { width: size.width.min(620), ..size })
        })) }
    }
}

/// Codes on their first two principal axes, and the share of the variance that those hold.
fn place(codes: &[&&Latent]) -> Option<(Vec<[f64; 2]>, f64)> {
    let width = codes.first()?.z.len();
    let sound =
        |latent: &&&&Latent| latent.z.len() == width && latent.z.iter().all(|z| z.is_finite());
    if width == 0 || !codes.iter().all(|latent| sound(&latent)) {
        return None;
    }
    let all = codes.iter().flat_map(|latent| latent.z.iter().map(|z| f64::from(*z))).collect();
    let codes = Array2::from_shape_vec((codes.len(), width), all).ok()?;
    let centred = &codes - &codes.mean_axis(Axis(0))?;
    let mut axes = principal_axes(&centred, width.min(2))?;
    for mut axis in axes.rows_mut() {
        // An axis has no direction: without a rule the map would flip from one look to the next.
        let largest = axis.iter().copied().reduce(|a, b| if a.abs() < b.abs() { b } else { a })?;
        if largest < 0.0 {
            axis.mapv_inplace(|v| -v);
        }
    }
    let placed = centred.dot(&axes.t());
    let all: f64 = centred.iter().map(|v| v * v).sum();
    let held: f64 = placed.iter().map(|v| v * v).sum();
    let second = |row: usize| placed.get((row, 1)).copied().unwrap_or(0.0);
    let dots = (0..placed.nrows()).map(|row| [placed[(row, 0)], second(row)]).collect();
    Some((dots, if all > 0.0 { held / all } else { 1.0 }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::EventTime;

    fn code(i: usize, z: &[f32]) -> Latent {
        Latent {
            entity: Arc::from("press-1"),
            space: Arc::from("s"),
            at: EventTime::from_millis(i as i64),
            z: z.into(),
            anomaly_score: 0.0,
        }
    }

    #[test]
    fn distances_on_a_plane_are_kept() {
        let plane = |i: usize| {
            let (a, b) = ((i as f32).sin() * 3.0, (i as f32 * 1.7).cos());
            [a + 1.0, b - 2.0, a - b, 0.5]
        };
        let codes: Vec<Latent> = (0..40).map(|i| code(i, &plane(i))).collect();
        let codes: Vec<&Latent> = codes.iter().collect();
        let (dots, held) = place(&codes.iter().collect::<Vec<_>>()).unwrap();
        assert!(held > 0.999, "{held}");
        let distance = |i: usize, j: usize| {
            let [a, b] = [plane(i), plane(j)];
            a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
        };
        for (i, j) in [(0, 1), (3, 30), (12, 39)] {
            let [dx, dy] = [dots[i][0] - dots[j][0], dots[i][1] - dots[j][1]];
            assert!((dx.hypot(dy) - distance(i, j)).abs() < 1e-4);
        }
    }

    #[test]
    fn codes_of_one_number_are_drawn_and_of_none_and_nan_are_not() {
        let page = |z: &dyn Fn(usize) -> Vec<f32>| {
            let codes: Vec<Latent> = (0..20).map(|i| code(i, &z(i))).collect();
            map(&codes.iter().collect::<Vec<_>>(), None).into_string()
        };
        for z in [1, 2] {
            let drawn = page(&|i| vec![i as f32; z]);
            // A disc for each, and a ring around the newest; once for a wide screen, once for a phone.
            assert_eq!(drawn.matches("<circle").count(), 2 * 21, "{z:?}: {drawn}");
            assert!(!drawn.contains("NaN") && drawn.contains("20 codes"), "{z:?}: {drawn}");
        }
        for z in [vec![], vec![f32::NAN, 1.0]] {
            let drawn = page(&|_| z.clone());
            assert!(drawn.contains("Too few latent codes") && !drawn.contains("<svg"), "{drawn}");
        }
    }
}
