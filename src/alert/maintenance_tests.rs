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
        ("?", "ü", true), ("press", "press-1", false), ("**a", "bab", false),
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
    assert!(plan.announce(window("a", 10, 20), None));
    assert!(plan.announce(window("a", 10, 20), now(15)));
    assert_eq!(plan.windows().count(), 1);
    assert_eq!(plan.switches("any", time(19), time(19)), silent());
    assert_eq!(plan.switches("any", time(20), time(25)), Switches::ON);
    assert!(plan.announce(window("a", 10, 10), now(15)));
    assert_eq!(plan.switches("any", time(19), time(19)), Switches::ON);
    for i in 0..300 {
        assert_eq!(plan.announce(window(&i.to_string(), 10, 20), now(15)), i < WINDOWS_MAX);
    }
    // A day after their end they are forgotten.
    assert!(plan.announce(window("b", 10, 20), now(20 + KEPT.get())));
    assert_eq!(plan.windows().count(), 1);
}

proptest! {
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
        windows.iter().rev().for_each(|window| assert!(other.announce(window.clone(), None)));
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
