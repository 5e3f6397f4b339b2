//! Measuring: the thread's own processor time where the system tells it, wall time, medians, memory.

use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Processor time of this thread; wall time where the system does not tell.
    pub cpu: Duration,
    /// Wall time.
    pub wall: Duration,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.wall += other.wall;
    }
}

/// Runs something and tells its cost.
pub fn cost<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (cpu, start) = (cpu_time(), Instant::now());
    let done = work();
    let wall = start.elapsed();
    let spent = cpu_time().zip(cpu).map(|(after, before)| after.saturating_sub(before));
    (done, Cost { cpu: spent.unwrap_or(wall), wall })
}

/// Whether processor time is measured, or wall time stands in its place.
pub fn measures_cpu() -> bool {
    cpu_time().is_some()
}

/// The first figure is the nanoseconds that the thread has spent on a processor, as far as the kernel has counted
/// them: it counts when a thread offers to make way.
fn cpu_time() -> Option<Duration> {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// The middle of some figures, and how far from it they go, as a fraction of it.
pub fn median(figures: &[f64]) -> (f64, f64) {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some((first, last)) = sorted.first().zip(sorted.last()) else { return (0.0, 0.0) };
    let middle = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
    (middle, (last - first) / middle.max(f64::MIN_POSITIVE))
}

/// The process's memory now and at its highest since [`forget_peak`], in bytes.
pub fn memory() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let figure = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    };
    Some((figure("VmRSS:")?, figure("VmHWM:")?))
}

/// Starts the count of the highest memory anew, where the system allows it.
pub fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
