//! Schedules of jobs, as settings hold them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskflow_core::{AcceptedSchedules, CatchUp, JobPlan, Timestamp};

fuzz_target!(|text: &str| {
    let now = Timestamp::from_micros(1_795_417_200_123_456);
    for accepted in [AcceptedSchedules::OneClock, AcceptedSchedules::LocalTimes, AcceptedSchedules::ChosenTimes] {
        let Ok(Some(plan)) = JobPlan::parse(text, CatchUp::All, accepted) else { continue };
        let written = plan.written(CatchUp::All);
        assert_eq!(JobPlan::parse(&written, CatchUp::All, accepted), Ok(Some(plan.clone())), "{written:?}");
        assert!(plan.schedule.next(now) > now, "the next time is to come");
        assert!(plan.schedule.latest(now) <= now, "the latest time has been");
        let _ = plan.due(Timestamp::MIN, now);
        let _ = plan.schedule.count(Timestamp::from_micros(now.as_micros() - 7 * 86_400_000_000), now);
    }
});
