//! The same count on an OpenCL device: one launch a task, the same points, the same integer.

use crate::points;
use maniple::{Result, device::DeviceKind};

const SOURCE: &str = include_str!("points.cl");

/// How many of the points `first .. first + count` of `seed` lie in the quarter circle, counted on the
/// device of the worker that runs this task.
pub(crate) fn count_inside(seed: u64, first: u64, count: u64) -> Result<u64> {
    let device = maniple::device()?;
    let units = device.record().compute_units.max(1) as usize;
    // A GPU hides its latencies with thousands of items a unit; a CPU runs one after the other.
    let (group, groups) = match device.record().kind {
        DeviceKind::Cpu => (1, 4 * units),
        DeviceKind::Gpu | DeviceKind::Accelerator => (256, 8 * units),
    };
    let options = format!("-DWIDTH={} -DGROUP={group}", device.long_vector_width());
    let totals = device.empty_buffer::<u64>(groups)?;
    let kernel = device
        .kernel_with_options("count_inside", SOURCE, &options)?
        .arg(points::splitmix_state(seed))
        .arg(first)
        .arg(count)
        .arg(&totals)
        .in_groups_of([group]);
    // SAFETY: the parameters are three ulongs and an array of ulongs with one element a group.
    unsafe { kernel.run([group * groups])? };
    Ok(totals.read()?.iter().sum())
}
