//! Lets a schedule happen, each event at its time or as soon after it as the machine can, and looks at everything meanwhile.

use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, sleep_until};

use crate::cluster::Cluster;
use crate::fault::{Event, Mode, Way};
use crate::schedule::Schedule;
use crate::tell::tell;

/// How often processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) kills: u32,
    pub(crate) terminations: u32,
    pub(crate) pauses: u32,
    pub(crate) wishes: u32,
    pub(crate) full_disks: u32,
    pub(crate) lost_disks: u32,
    /// Times that the way to the backend was not open, or broke.
    pub(crate) backend_outages: u32,
    /// The same of any other way.
    pub(crate) outages: u32,
}

/// Lets everything happen that is planned until `length` is over.
pub(crate) async fn happen(schedule: &Schedule, length: Duration, cluster: &mut Cluster) -> anyhow::Result<Tally> {
    let (begun, mut tally) = (Instant::now(), Tally::default());
    for planned in &schedule.0 {
        watch(begun + planned.at, cluster).await?;
        tell(format_args!("{:>8.3}s  {}", begun.elapsed().as_secs_f64(), planned.event));
        cluster.happen(planned.event).await.with_context(|| planned.to_string())?;
        tally.count(planned.event);
    }
    watch(begun + length, cluster).await?;
    Ok(tally)
}

/// Looks at everything until then.
async fn watch(until: Instant, cluster: &mut Cluster) -> anyhow::Result<()> {
    loop {
        cluster.look()?;
        let next = Instant::now() + LOOK_EVERY;
        sleep_until(next.min(until)).await;
        if next >= until {
            return Ok(());
        }
    }
}

impl Tally {
    fn count(&mut self, event: Event) {
        match event {
            Event::Kill(_) => self.kills += 1,
            Event::Terminate(_) => self.terminations += 1,
            Event::Pause(_) => self.pauses += 1,
            Event::Scale { .. } => self.wishes += 1,
            Event::FillDisk => self.full_disks += 1,
            Event::LoseDisk(_) => self.lost_disks += 1,
            Event::Turn(Way::Backend, mode) if mode != Mode::Open => self.backend_outages += 1,
            Event::Turn(_, mode) if mode != Mode::Open => self.outages += 1,
            _ => {}
        }
    }
}
