//! Puts a block together on a device, of blocks and regions of blocks.

use super::{
    Device, DeviceArray,
    array::{AnyBuffer, Block},
};
use crate::{error::Result, part::Assembly};
use bytemuck::Pod;
use std::ops::Range;

/// Puts a block together of whole blocks and of regions that were cut out already (`true`), and leaves it on the
/// device.
///
/// # Panics
///
/// Panics unless what is taken of each input is [evenly spaced](is_even).
pub(crate) fn gather<E: Pod + Send + Sync>(
    device: &Device,
    assembly: &Assembly,
    inputs: &[(&dyn Block, bool)],
) -> Result<DeviceArray<E>> {
    let shape = assembly.shape();
    let output = device.empty_buffer::<E>(shape.iter().product())?;
    if !output.is_empty() {
        for (place, (input, is_region)) in inputs.iter().enumerate() {
            let copy = Copied::new(assembly, place, input.shape(), *is_region);
            launch(device, &copy, size_of::<E>(), &*input.buffer(device)?, &output)?;
        }
        // A value is reported when it is there, and a failure is this task's.
        device.finish()?;
    }
    Ok(DeviceArray::new(shape, output.into()))
}

/// Whether what is taken of each input is evenly spaced along each axis.
pub(super) fn is_even(assembly: &Assembly) -> bool {
    let of_piece = |axis: usize, piece: usize| {
        assembly.axes[axis].iter().filter(|run| run.piece == piece && run.count > 0).count()
    };
    (0..assembly.axes.len()).all(|axis| (0..assembly.pieces[axis]).all(|piece| of_piece(axis, piece) <= 1))
}

/// The elements that are copied from one input: where they lie there and in the block.
#[derive(Debug, PartialEq)]
struct Copied {
    /// Outer ones first; axes that both sides pass as one are one.
    axes: Vec<Axis>,
    source: i64,
    target: i64,
}

/// An axis of what is copied, its strides in elements.
#[derive(Debug, PartialEq)]
struct Axis {
    length: usize,
    source: i64,
    target: i64,
}

impl Copied {
    fn new(assembly: &Assembly, place: usize, input: &[usize], is_region: bool) -> Self {
        assert!(is_even(assembly), "devices copy what is evenly spaced");
        let mut copied = Self { axes: Vec::new(), source: 0, target: 0 };
        let (mut source_stride, mut target_stride) = (1, 1);
        let axes = assembly.axes.iter().zip(input).zip(assembly.piece(place));
        for ((runs, input_length), piece) in axes.rev() {
            let at = runs.iter().position(|run| run.piece == piece).expect("a piece that is wanted");
            let run = runs[at];
            let (from, step) = if is_region { (0, 1) } else { (run.from as i64, run.step) };
            let before: usize = runs[..at].iter().map(|run| run.count).sum();
            copied.source += from * source_stride;
            copied.target += before as i64 * target_stride;
            copied.push(Axis { length: run.count, source: step * source_stride, target: target_stride });
            source_stride *= *input_length as i64;
            target_stride *= runs.iter().map(|run| run.count as i64).sum::<i64>();
        }
        copied.axes.reverse();
        copied
    }

    /// Adds the next outer axis, to the one before it where that goes on.
    fn push(&mut self, axis: Axis) {
        let goes_on = |inner: &Axis| {
            let length = inner.length as i64;
            (axis.source, axis.target) == (inner.source * length, inner.target * length)
        };
        match self.axes.last_mut() {
            _ if axis.length == 1 => {}
            Some(inner) if goes_on(inner) => inner.length *= axis.length,
            _ => self.axes.push(axis),
        }
    }

    /// How many elements are copied.
    fn count(&self) -> usize {
        self.axes.iter().map(|axis| axis.length).product()
    }

    /// The elements of a buffer between the first and the last that is touched.
    fn span(&self, start: i64, stride: impl Fn(&Axis) -> i64) -> Range<i64> {
        let ways = || self.axes.iter().map(|axis| stride(axis) * (axis.length as i64 - 1));
        let first: i64 = ways().map(|way| way.min(0)).sum();
        let last: i64 = ways().map(|way| way.max(0)).sum();
        start + first..start + last + 1
    }

    /// The kernel for as many axes; lengths and strides are its arguments.
    fn kernel(&self, element_bytes: usize) -> String {
        let number = match element_bytes {
            1 => "uchar",
            2 => "ushort",
            4 => "uint",
            8 => "ulong",
            other => unreachable!("devices have no elements of {other} bytes"),
        };
        let (mut parameters, mut body) = (String::new(), String::new());
        for axis in (0..self.axes.len()).rev() {
            parameters += &format!(", const uint n{axis}, const long s{axis}, const long t{axis}");
            body += &format!("    const uint i{axis} = rest % n{axis};\n    rest /= n{axis};\n");
            body += &format!("    source += i{axis} * s{axis};\n    target += i{axis} * t{axis};\n");
        }
        format!(
            "kernel void copy(global const {number} *restrict input, global {number} *restrict output, \
             const uint count, long source, long target{parameters})\n\
             {{\n    uint rest = get_global_id(0);\n    if (rest >= count) return;\n{body}    \
             output[target] = input[source];\n}}\n"
        )
    }
}

fn launch(
    device: &Device,
    copied: &Copied,
    element_bytes: usize,
    input: &dyn AnyBuffer,
    output: &dyn AnyBuffer,
) -> Result<()> {
    let count = copied.count();
    if count == 0 {
        return Ok(());
    }
    for (buffer, span) in [
        (input, copied.span(copied.source, |axis| axis.source)),
        (output, copied.span(copied.target, |axis| axis.target)),
    ] {
        let length = buffer.len() as i64;
        assert!(span.start >= 0 && span.end <= length, "a copy touches {span:?} of {length} elements");
    }
    let number = |count: usize| u32::try_from(count).expect("fewer elements than devices count");
    let mut kernel = device
        .kernel("copy", &copied.kernel(element_bytes))?
        .arg(input)
        .arg(output)
        .arg(number(count))
        .arg(copied.source)
        .arg(copied.target);
    for axis in copied.axes.iter().rev() {
        kernel = kernel.arg(number(axis.length)).arg(axis.source).arg(axis.target);
    }
    // SAFETY: the kernel's parameters are these, and it stays within the spans, which lie within the buffers. Groups of
    // any size fit, and drivers prefer multiples of a power of two.
    unsafe { kernel.run([count.next_multiple_of(64)]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Run;

    fn run(piece: usize, from: usize, step: i64, count: usize) -> Run {
        Run { piece, from, step, count }
    }

    #[test]
    fn axes_that_both_sides_pass_as_one_are_one() {
        let axis = |length, source, target| Axis { length, source, target };
        let copied = |axes: Vec<Vec<Run>>, place: usize, input: &[usize], is_region: bool| {
            Copied::new(&Assembly::new(axes).0, place, input, is_region)
        };
        let whole = |length| vec![run(0, 0, 1, length)];
        let found = copied(vec![whole(6), whole(5)], 0, &[6, 5], false);
        assert_eq!(found, Copied { axes: vec![axis(30, 1, 1)], source: 0, target: 0 });
        let axes = vec![vec![run(0, 4, -2, 3)], whole(5)];
        let found = copied(axes.clone(), 0, &[6, 5], false);
        assert_eq!(found, Copied { axes: vec![axis(3, -10, 5), axis(5, 1, 1)], source: 20, target: 0 });
        assert_eq!(found.span(found.source, |axis| axis.source), 0..25);
        let found = copied(axes, 0, &[3, 5], true);
        assert_eq!(found, Copied { axes: vec![axis(15, 1, 1)], source: 0, target: 0 });
        // Of two blocks, the second one: two rows before, three of its own.
        let axes = vec![vec![run(0, 3, 1, 2), run(1, 0, 1, 3)], whole(5)];
        let found = copied(axes, 1, &[4, 5], false);
        assert_eq!(found, Copied { axes: vec![axis(15, 1, 1)], source: 0, target: 10 });
    }

    #[test]
    fn lists_of_indices_are_not_even() {
        let of = |runs| Assembly::new(vec![runs, vec![run(0, 0, 1, 4)]]).0;
        assert!(is_even(&of(vec![run(0, 5, -2, 3), run(1, 0, 1, 3)])));
        assert!(!is_even(&of(vec![run(0, 5, 1, 2), run(0, 0, 1, 3)])));
        assert!(!is_even(&of(vec![run(0, 5, 1, 2), run(1, 0, 1, 3), run(0, 2, 1, 1)])));
    }
}
