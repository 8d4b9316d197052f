use proptest::prelude::*;

use super::*;
use crate::alert::ScheduleError;

fn at(text: &str) -> EventTime {
    let time: jiff::Timestamp = text.parse().expect("a time");
    EventTime::from_millis(time.as_millisecond())
}

fn silent() -> Switches {
    Switches { score: true, alert: false, learn: false }
}

fn weekly(zone: &str) -> Plan {
    let schedule = Schedule::new("0 22 * * SUN", zone, Millis::new(6 * 3_600_000)).expect("sound");
    Plan::new(&[Maintenance {
        name: "weekly".into(),
        entities: Entities(vec!["press-0?".into()]),
        when: When::Recurring(Box::new(schedule)),
        switches: silent(),
    }])
}

#[test]
fn globs_match_the_whole_name() {
    #[rustfmt::skip]
    let cases = [
        ("press-0*", "press-07", true), ("press-0*", "press-17", false), ("*", "", true),
        ("*7", "press-07", true), ("a*b*c", "aXbbYc", true), ("a*b*c", "aXbbY", false),
        ("?", "ü", true), ("press", "press-1", false), ("**a", "bab", false), ("", "", true),
        ("*?", "", false), ("a**", "a", true), ("*a?", "aaab", true), ("", "a", false),
    ];
    for (glob, text, wanted) in cases {
        assert_eq!(matches(glob, text), wanted, "{glob} {text}");
    }
}

#[test]
fn a_schedule_follows_the_clocks_of_its_zone() {
    #[rustfmt::skip]
    let cases = [
        // Sunday the 22nd of November 2026, 22:00 in Berlin is 21:00 UTC.
        ("Europe/Berlin", "press-01", "2026-11-22T20:59:59.999Z", true),
        ("Europe/Berlin", "press-01", "2026-11-22T21:00:00Z", false),
        ("Europe/Berlin", "press-11", "2026-11-22T21:00:00Z", true),
        ("Europe/Berlin", "press-01", "2026-11-23T02:59:59.999Z", false),
        ("Europe/Berlin", "press-01", "2026-11-23T03:00:00Z", true),
        // In summer it is 20:00 UTC.
        ("Europe/Berlin", "press-01", "2026-07-05T20:00:00Z", false),
        ("UTC", "press-01", "2026-11-22T21:59:59.999Z", true),
        ("UTC", "press-01", "2026-11-22T22:00:00Z", false),
    ];
    for (zone, entity, time, alert) in cases {
        let found = weekly(zone).switches(entity, at(time), at(time));
        assert_eq!(found.alert, alert, "{zone} {entity} {time}");
    }
    // A window of rows that reaches into maintenance is part of it.
    let (start, end) = (at("2026-11-23T02:50:00Z"), at("2026-11-23T03:06:00Z"));
    assert_eq!(weekly("Europe/Berlin").switches("press-01", start, end), silent());
}

#[test]
fn what_is_no_schedule_is_told() {
    let hour = Millis::new(3_600_000);
    let why = |cron, zone| Schedule::new(cron, zone, hour).expect_err("not sound");
    assert_eq!(why("0 0 30 2 *", "UTC"), ScheduleError::Never);
    assert_eq!(why("0 22 * * SUN", "Mars/Olympus"), ScheduleError::Zone);
    assert!(matches!(why("0 0 22 * * SUN", "UTC"), ScheduleError::Cron(_)));
    assert!(matches!(why("often", "UTC"), ScheduleError::Cron(_)));
}

fn window(id: &str, from: i64, until: i64) -> MaintenanceWindow {
    MaintenanceWindow {
        id: id.into(),
        streams: Entities::default(),
        entities: Entities::default(),
        from: EventTime::from_millis(from),
        until: EventTime::from_millis(until),
        switches: silent(),
    }
}

#[test]
fn announced_windows_are_replaced_by_id_called_off_and_bounded() {
    let mut plan = Plan::default();
    let now = |ms| Some(EventTime::from_millis(ms));
    let time = |ms| EventTime::from_millis(ms);
    use Planned::{Changed, Refused, Unchanged};
    assert_eq!(plan.announce(window("a", 10, 20), None), Changed);
    assert_eq!(plan.announce(window("a", 10, 20), now(15)), Unchanged);
    assert_eq!(plan.windows().count(), 1);
    assert_eq!(plan.switches("any", time(19), time(19)), silent());
    assert_eq!(plan.switches("any", time(20), time(25)), Switches::ON);
    assert_eq!(plan.announce(window("a", 10, 10), now(15)), Changed);
    assert_eq!(plan.announce(window("a", 10, 10), now(15)), Unchanged);
    assert_eq!(plan.switches("any", time(19), time(19)), Switches::ON);
    for i in 0..300 {
        let planned = plan.announce(window(&i.to_string(), 10, 20), now(15));
        assert_eq!(planned, if i < WINDOWS_MAX { Changed } else { Refused });
    }
    // One that is over makes room.
    assert_eq!(plan.announce(window("b", 10, 30), now(20)), Changed);
    assert_eq!(plan.windows().count(), WINDOWS_MAX);
    // A day after their end they are forgotten, and not taken again.
    let late = now(20 + KEPT.get());
    assert_eq!(plan.announce(window("c", 10, 20), late), Unchanged);
    assert_eq!(plan.windows().map(|w| w.id.as_str()).collect::<Vec<_>>(), ["b"]);
    // What is moved to long ago is called off.
    assert_eq!(plan.announce(window("b", 10, 20), late), Changed);
    assert_eq!(plan.windows().count(), 0);
}

/// A partition that begins hears years of announcements before it knows what time it is.
#[test]
fn old_announcements_leave_room_for_tonight() {
    let mut plan = Plan::default();
    let day = 86_400_000;
    for i in 0..1_000 {
        let planned = plan.announce(window(&i.to_string(), i * day, i * day + 10), None);
        assert_eq!(planned, Planned::Changed, "{i}");
    }
    assert_eq!(plan.announce(window("older", 0, 5), None), Planned::Refused);
    assert_eq!(
        plan.announce(window("tonight", 1_000 * day, 1_000 * day + 10), None),
        Planned::Changed
    );
    let tonight = EventTime::from_millis(1_000 * day);
    assert_eq!(plan.switches("any", tonight, tonight), silent());
    assert_eq!(plan.windows().count(), WINDOWS_MAX);
}

/// The days on which the clocks of Berlin change, minute by minute.
#[test]
fn schedules_hold_on_days_with_23_and_25_hours() {
    let hour = 3_600_000;
    let on = |cron: &str, hours: i64, day: &str| -> Vec<String> {
        let schedule =
            Schedule::new(cron, "Europe/Berlin", Millis::new(hours * hour)).expect("sound");
        let mut plan = Plan::new(&[Maintenance {
            name: "dst".into(),
            entities: Entities::default(),
            when: When::Recurring(Box::new(schedule)),
            switches: silent(),
        }]);
        // From noon to noon, UTC.
        let noon = at(&format!("{day}T12:00:00Z"));
        let is_off = |minute: i64| {
            let time = noon - Millis::new(24 * hour) + Millis::new(60_000 * minute);
            (time, !plan.switches("any", time, time).alert)
        };
        let all: Vec<_> = (0..24 * 60).map(is_off).collect();
        let edges = all.windows(2).filter(|pair| pair[0].1 != pair[1].1).map(|pair| pair[1].0);
        edges.map(|edge| edge.to_string()[11..16].to_owned()).collect()
    };
    #[rustfmt::skip]
    let cases = [
        // 02:00 becomes 03:00 on the 29th of March, at 01:00 UTC. 
        ("0 1 * * *", 1, "2026-03-29", ["00:00", "01:00"].as_slice()),
        ("0 1 * * *", 3, "2026-03-29", &["00:00", "03:00"]),
        ("0 4 * * *", 1, "2026-03-29", &["02:00", "03:00"]),
        ("30 2 * * *", 1, "2026-03-28", &["01:30", "02:30"]),
        ("30 2 * * *", 1, "2026-03-30", &["00:30", "01:30"]),
        // There is no 02:30 on that day: the next there is.
        ("30 2 * * *", 1, "2026-03-29", &["01:00", "02:00"]),
        // 03:00 becomes 02:00 on the 25th of October, at 01:00 UTC.
        ("0 1 * * *", 1, "2026-10-25", &["23:00", "00:00"]),
        ("0 1 * * *", 4, "2026-10-25", &["23:00", "03:00"]),
        ("0 4 * * *", 1, "2026-10-25", &["03:00", "04:00"]),
        // There are two 02:30 on that day: the first.
        ("30 2 * * *", 1, "2026-10-25", &["00:30", "01:30"]),
    ];
    for (cron, hours, day, wanted) in cases {
        assert_eq!(on(cron, hours, day), wanted, "{cron} {day}");
    }
}

/// What a glob is, without any care for time.
fn fits(glob: &[char], text: &[char]) -> bool {
    match (glob, text) {
        ([], _) => text.is_empty(),
        (['*', rest @ ..], _) => (0..=text.len()).any(|n| fits(rest, &text[n..])),
        (['?', glob @ ..], [_, text @ ..]) => fits(glob, text),
        ([g, glob @ ..], [t, text @ ..]) => g == t && fits(glob, text),
        _ => false,
    }
}

proptest! {
    #[test]
    fn globs_match_as_they_are_defined(glob in "[ab*?ü]{0,8}", text in "[abü]{0,10}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(matches(&glob, &text), fits(&chars(&glob), &chars(&text)));
    }

    /// Each switch is what all maintenance allows; the order of announcements, and what was asked
    /// before, change nothing.
    #[test]
    fn switches_are_independent(
        windows in proptest::collection::vec((0_i64..50, 1_i64..20, any::<[bool; 3]>()), 0..8),
        times in proptest::collection::vec((0_i64..80, 0_i64..5), 1..40),
    ) {
        let announced = |(i, (from, length, on)): (usize, &(i64, i64, [bool; 3]))| {
            let [score, alert, learn] = *on;
            let switches = Switches { score, alert, learn };
            MaintenanceWindow { switches, ..window(&i.to_string(), *from, from + length) }
        };
        let windows: Vec<_> = windows.iter().enumerate().map(announced).collect();
        let (mut plan, mut other) = (weekly("UTC"), Plan::default());
        for window in &windows {
            plan.announce(window.clone(), None);
        }
        for window in windows.iter().rev() {
            assert_eq!(other.announce(window.clone(), None), Planned::Changed);
        }
        let mut other = other.adopt(weekly("UTC"));
        for (start, length) in times {
            let (start, end) = (EventTime::from_millis(start), EventTime::from_millis(start + length));
            let found = plan.switches("press-01", start, end);
            let all = |switch: fn(&Switches) -> bool| windows.iter().all(|w| {
                switch(&w.switches) || end.max(start + Millis::new(1)) <= w.from || w.until <= start
            });
            prop_assert_eq!(found.score, all(|s| s.score));
            prop_assert_eq!(found.alert, all(|s| s.alert));
            prop_assert_eq!(found.learn, all(|s| s.learn));
            prop_assert_eq!(found, other.switches("press-01", start, end));
        }
    }
}
