//! The same count on an OpenCL device: one launch a task, the same points, the same integer.

use crate::points;
use maniple::{
    Result,
    device::{Device, DeviceKind},
};

const SOURCE: &str = include_str!("points.cl");

/// How many of the points `first .. first + count` of `seed` lie in the quarter circle, counted on the
/// device of the worker that runs this task.
pub(crate) fn count_inside(seed: u64, first: u64, count: u64) -> Result<u64> {
    let device = maniple::device()?;
    Form::of(&device).count_inside(&device, seed, first, count)
}

/// How the kernel is compiled and spread over a device.
struct Form {
    /// How many points an item makes at a time.
    width: u32,
    /// How many items are in a group.
    group: usize,
    groups: usize,
}

impl Form {
    fn of(device: &Device) -> Self {
        let (units, width) = (device.record().compute_units.max(1) as usize, device.long_vector_width());
        match device.record().kind {
            // A CPU runs one item after the other.
            DeviceKind::Cpu => Self { width, group: 1, groups: 4 * units },
            // GPUs and accelerators hide their latencies behind thousands of items a unit.
            _ => Self { width, group: 256, groups: 8 * units },
        }
    }

    fn count_inside(&self, device: &Device, seed: u64, first: u64, count: u64) -> Result<u64> {
        let options = format!("-DWIDTH={} -DGROUP={}", self.width, self.group);
        let totals = device.empty_buffer::<u64>(self.groups)?;
        let kernel = device
            .kernel_with_options("count_inside", SOURCE, &options)?
            .arg(points::splitmix_state(seed))
            .arg(first)
            .arg(count)
            .arg(&totals)
            .in_groups_of([self.group]);
        // SAFETY: the parameters are three ulongs and an array of ulongs with one element a group.
        unsafe { kernel.run([self.group * self.groups])? };
        Ok(totals.read()?.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::Generator;
    use maniple::{
        Runtime,
        device::{self},
    };

    fn count(width: u32, group: usize, first: u64, count: u64) -> u64 {
        let device = maniple::device().expect("the worker is bound to a device");
        Form { width, group, groups: 3 }.count_inside(&device, 42, first, count).expect("it counts")
    }

    /// The forms of GPUs (one point a time, large groups) and of CPUs, on the CPU.
    #[test]
    fn every_form_of_the_kernel_counts_the_points_that_the_cpu_counts() {
        if !device::list().is_ok_and(|devices| devices.iter().any(|device| device.kind == DeviceKind::Cpu)) {
            assert!(std::env::var_os("MANIPLE_REQUIRE_OPENCL").is_none(), "no OpenCL for CPUs is installed");
            println!("skipped: no OpenCL for CPUs is installed");
            return;
        }
        let runtime = Runtime::builder().device(device::Binding::Gpu).device_type(device::DeviceType::Cpu);
        let checked = runtime.execute(|client| {
            for (width, group) in [(1, 256), (1, 1), (2, 4), (4, 1), (8, 1), (8, 16)] {
                for (first, points) in [(0, 1), (5, 30), (0, 100_000), (u64::MAX - 5000, 4999)] {
                    let found = client.submit(count, (width, group, first, points)).result()?;
                    let expected = Generator::SplitMix64.count_inside(42, first, points);
                    assert_eq!(
                        found, expected,
                        "{points} points from {first} on, {width} wide, {group} a group"
                    );
                }
            }
            Ok(())
        });
        checked.expect("the run goes well");
    }
}
