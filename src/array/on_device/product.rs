//! Products of matrices on a device.

use crate::{
    array::{DataType, Element, element::Sealed},
    device::{Buffer, Device, DeviceArray, Kernel},
    error::Result,
};

/// Tiles in local memory, for elements of the type `NUMBER`.
const SOURCE: &str = include_str!("product.cl");
/// How many items a group has along each of two dimensions, and how many rows and columns it makes.
const ITEMS: usize = 16;
const SIDE: usize = 64;

/// How many products of matrices are made, and of how many rows and columns each is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProductSizes {
    pub(crate) count: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Stacks of matrices of a type.
type Matrices<T> = DeviceArray<<T as Sealed>::OnDevice>;

/// Adds the products of pairs of stacks of matrices to `before`, if anything was, and leaves the sum on the
/// device.
///
/// # Panics
///
/// Panics if the pairs have not as many elements as the sizes ask for.
pub(crate) fn product<T: Element>(
    device: &Device,
    sizes: ProductSizes,
    pairs: &[(&Matrices<T>, &Matrices<T>)],
    before: Option<&Matrices<T>>,
) -> Result<Buffer<T::OnDevice>> {
    let ProductSizes { count, rows, columns } = sizes;
    let result = device.empty_buffer::<T::OnDevice>(count * rows * columns)?;
    if result.is_empty() {
        return Ok(result);
    }
    let mut before = before.map(|before| before.elements().buffer(device)).transpose()?;
    let mut has_before = before.is_some();
    for (left, right) in pairs {
        let (left, right) = (left.elements().buffer(device)?, right.elements().buffer(device)?);
        let length = left.len() / (count * rows);
        assert_eq!(left.len(), count * rows * length, "rows of the same length");
        assert_eq!(right.len(), count * length * columns, "columns as long as rows");
        if let Some(before) = &before {
            assert_eq!(before.len(), result.len(), "a sum of products of the same sizes");
        }
        let kernel = kernel::<T>(device, "product")?
            .arg(&result)
            .arg(before.as_deref().unwrap_or(&result))
            .arg(u32::from(has_before))
            .arg(&*left)
            .arg(&*right)
            .arg(rows as u32)
            .arg(length as u32)
            .arg(columns as u32)
            .in_groups_of([ITEMS, ITEMS, 1]);
        let items = [columns.div_ceil(SIDE) * ITEMS, rows.div_ceil(SIDE) * ITEMS, count];
        // SAFETY: the kernel's parameters are these; it stays within matrices of the sizes that were found to
        // be those of the buffers.
        unsafe { kernel.run(items)? };
        (before, has_before) = (None, true);
    }
    // A value is told of when it is there, and what fails is this task's.
    device.finish()?;
    Ok(result)
}

/// The sum of blocks, in order; it stays on the device.
///
/// # Panics
///
/// Panics if there are none, or they have not as many elements.
pub(crate) fn add<T: Element>(device: &Device, parts: &[&Matrices<T>]) -> Result<Buffer<T::OnDevice>> {
    let mut before = Some(parts[0].elements().buffer(device)?);
    let result = device.empty_buffer::<T::OnDevice>(parts[0].elements().len())?;
    for part in &parts[1..] {
        let part = part.elements().buffer(device)?;
        assert_eq!(part.len(), result.len(), "parts of the same sizes");
        let kernel =
            kernel::<T>(device, "add")?.arg(&result).arg(before.as_deref().unwrap_or(&result)).arg(&*part);
        // SAFETY: the kernel's parameters are these, and each item touches one element of each.
        unsafe { kernel.run([result.len()])? };
        before = None;
    }
    device.finish()?;
    Ok(result)
}

fn kernel<'a, T: Element>(device: &Device, name: &str) -> Result<Kernel<'a>> {
    let options = match T::DATA_TYPE {
        DataType::F32 => "-DNUMBER=float",
        DataType::F64 => "-DNUMBER=double -DDOUBLES",
        other => unreachable!("devices have no products of {other}"),
    };
    device.kernel_with_options(name, SOURCE, options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        device::{Binding, DeviceType},
        units::MemoryLimit,
    };
    use ndarray::{Array3, Axis};
    use std::path::Path;

    fn numbers(shape: (usize, usize, usize), seed: usize) -> Array3<f64> {
        // Small whole numbers: their products and sums are exact in any order.
        Array3::from_shape_fn(shape, |(i, j, k)| ((i * 31 + j * 7 + k * 13 + seed) % 17) as f64 - 8.0)
    }

    fn compare<T: Element<OnDevice = T> + bytemuck::Pod + PartialEq>(device: &Device, of: fn(f64) -> T) {
        // Less than a tile, tiles, and a bit more; vectors; nothing to add up; and nothing at all.
        for (count, rows, length, columns) in [
            (1, 3, 5, 2),
            (1, 64, 32, 128),
            (2, 65, 17, 70),
            (3, 1, 200, 130),
            (1, 130, 33, 1),
            (2, 4, 0, 3),
            (1, 0, 4, 3),
        ] {
            let pairs: Vec<(Array3<f64>, Array3<f64>)> = (0..2)
                .map(|seed| {
                    (numbers((count, rows, length), seed), numbers((count, length, columns), seed + 5))
                })
                .collect();
            let before = numbers((count, rows, columns), 9);
            let on_device = |array: &Array3<f64>| DeviceArray::from(array.mapv(of).into_dyn());
            let given: Vec<_> =
                pairs.iter().map(|(left, right)| (on_device(left), on_device(right))).collect();
            let given: Vec<_> = given.iter().map(|(left, right)| (left, right)).collect();
            for has_before in [false, true] {
                let mut expected =
                    if has_before { before.clone() } else { Array3::zeros((count, rows, columns)) };
                for (left, right) in &pairs {
                    for (place, mut expected) in expected.axis_iter_mut(Axis(0)).enumerate() {
                        expected += &left.index_axis(Axis(0), place).dot(&right.index_axis(Axis(0), place));
                    }
                }
                let before = has_before.then(|| on_device(&before));
                let sizes = ProductSizes { count, rows, columns };
                let found = product::<T>(device, sizes, &given, before.as_ref()).unwrap();
                let expected: Vec<T> = expected.iter().copied().map(of).collect();
                assert!(found.read().unwrap() == expected, "{sizes:?}, {length} long");
            }
            let parts = [on_device(&before), on_device(&before), on_device(&before)];
            let sum = add::<T>(device, &parts.iter().collect::<Vec<_>>()).unwrap().read().unwrap();
            assert!(sum == before.iter().map(|number| of(3.0 * number)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn products_are_what_ndarray_makes() {
        let limit = MemoryLimit::Auto;
        let found = Device::bind(0, Binding::Gpu, DeviceType::Cpu, limit, false, Path::new("/proc"));
        match found {
            Ok(device) => {
                compare::<f64>(&device, |number| number);
                compare::<f32>(&device, |number| number as f32);
            }
            Err(error) => {
                assert!(std::env::var_os("MANIPLE_REQUIRE_OPENCL").is_none(), "{error}");
                println!("skipped: {error}");
            }
        }
    }
}
