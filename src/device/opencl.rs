//! Which OpenCL devices there are, and what their drivers tell of them.
//!
//! `ocl` waits 10 s, or panics, where there is no platform, cannot make sub-devices, and knows no
//! extension's questions: those go through its raw bindings here.

use super::{
    DeviceKind, DeviceRecord,
    binding::{DeviceType, repeated},
    loader,
};
use crate::error::{Error, Result};
use ocl::{
    Device, Platform,
    core::{DeviceId, DeviceInfo, DeviceInfoResult, PlatformId},
    ffi,
};
use std::{
    ffi::c_void,
    ptr,
    sync::{Mutex, PoisonError},
};

// Questions of extensions.
const DEVICE_UUID: u32 = 0x106a;
const PCI_BUS_INFO: u32 = 0x410f;
const PCI_BUS_ID_NVIDIA: u32 = 0x4008;
const PCI_SLOT_ID_NVIDIA: u32 = 0x4009;
const PCI_DOMAIN_ID_NVIDIA: u32 = 0x400a;
const TOPOLOGY_AMD: u32 = 0x4037;

// What a device's floats are like.
const SINGLE_FP_CONFIG: u32 = 0x101b;
const DOUBLE_FP_CONFIG: u32 = 0x1032;
const CORRECTLY_ROUNDED_DIVIDE_SQRT: u64 = 1 << 7;

// How a device is cut, in the words of `clCreateSubDevices`.
const PARTITION_PROPERTIES: u32 = 0x1044;
const PARTITION_AFFINITY_DOMAIN: u32 = 0x1045;
const PARTITION_EQUALLY: isize = 0x1086;
const PARTITION_BY_AFFINITY_DOMAIN: isize = 0x1088;
const NEXT_PARTITIONABLE: isize = 1 << 5;

/// A device as its driver lists it, with its tiles.
pub(super) struct Root {
    pub platform: Platform,
    pub device: Device,
    pub record: DeviceRecord,
    /// The tiles, if it can be cut into at least two.
    pub tiles: Vec<Tile>,
}

/// A tile of a device. A sub-device lives until its process ends.
pub(super) struct Tile {
    pub device: Device,
    pub record: DeviceRecord,
}

/// All devices, each followed by its tiles.
pub(super) fn list() -> Result<Vec<DeviceRecord>> {
    let with_tiles = |root: Root| {
        let tiles: Vec<DeviceRecord> = root.tiles.into_iter().map(|tile| tile.record).collect();
        std::iter::once(root.record).chain(tiles)
    };
    Ok(roots(DeviceType::All)?.into_iter().flat_map(with_tiles).collect())
}

/// All devices of these types, in the order of the platforms and of their drivers. A card that two
/// platforms list comes once.
///
/// # Errors
///
/// [`Error::Device`] if there is no loader or no platform.
pub(super) fn roots(types: DeviceType) -> Result<Vec<Root>> {
    // Workers that are threads of one process come at the same time, and PoCL 3.1 starts up but once.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    loader::open().map_err(Error::Device)?;
    let mut roots = Vec::new();
    for platform in platforms()? {
        for device in devices(platform, types)? {
            roots.push(root(platform, device, roots.len() as u32));
        }
    }
    let records: Vec<DeviceRecord> = roots.iter().map(|root| root.record.clone()).collect();
    let mut again = repeated(&records).into_iter();
    roots.retain(|_| !again.next().unwrap_or(false));
    for (root, index) in roots.iter_mut().zip(0..) {
        root.record.index = index;
        root.tiles = tiles(root);
        root.record.tile_count = root.tiles.len() as u32;
    }
    Ok(roots)
}

/// The platforms. Asks itself, because `ocl` tries for 10 s where there is none.
fn platforms() -> Result<Vec<PlatformId>> {
    let none = "no OpenCL platform: no driver is registered with the loader (look at `clinfo`, /etc/OpenCL/vendors \
                and OCL_ICD_VENDORS)";
    let mut count = 0;
    // SAFETY: asks for the number only.
    let status = unsafe { ffi::clGetPlatformIDs(0, ptr::null_mut(), &raw mut count) };
    if status != 0 || count == 0 {
        return Err(Error::Device(none.into()));
    }
    ocl::core::get_platform_ids().map_err(|_| Error::Device(none.into()))
}

fn devices(platform: PlatformId, types: DeviceType) -> Result<Vec<DeviceId>> {
    let types = match types {
        DeviceType::Gpu => ffi::CL_DEVICE_TYPE_GPU | ffi::CL_DEVICE_TYPE_ACCELERATOR,
        DeviceType::Cpu => ffi::CL_DEVICE_TYPE_CPU,
        DeviceType::All => ffi::CL_DEVICE_TYPE_ALL,
    };
    let mut count = 0;
    // SAFETY: asks for the number only.
    let status = unsafe { ffi::clGetDeviceIDs(platform.as_ptr(), types, 0, ptr::null_mut(), &raw mut count) };
    if status == NOT_FOUND || count == 0 {
        return Ok(Vec::new());
    }
    let mut devices = vec![ptr::null_mut(); count as usize];
    // SAFETY: there is room for as many as the driver has told of.
    let status = unsafe {
        ffi::clGetDeviceIDs(platform.as_ptr(), types, count, devices.as_mut_ptr(), ptr::null_mut())
    };
    check("clGetDeviceIDs", status)?;
    // SAFETY: the driver has filled them in.
    Ok(devices.into_iter().map(|device| unsafe { DeviceId::from_raw(device) }).collect())
}

fn root(platform: PlatformId, device: DeviceId, index: u32) -> Root {
    let device = Device::from(device);
    let platform = Platform::from(platform);
    let record = DeviceRecord {
        index,
        uuid: uuid(&device),
        pci: pci(&device),
        platform: platform.name().unwrap_or_default().trim().into(),
        ..describe(&device)
    };
    Root { platform, device, record, tiles: Vec::new() }
}

/// What every driver tells.
fn describe(device: &Device) -> DeviceRecord {
    let number = |info| match device.info(info) {
        Ok(DeviceInfoResult::GlobalMemSize(bytes) | DeviceInfoResult::MaxMemAllocSize(bytes)) => bytes,
        Ok(DeviceInfoResult::MaxComputeUnits(units)) => u64::from(units),
        _ => 0,
    };
    let types = match device.info(DeviceInfo::Type) {
        Ok(DeviceInfoResult::Type(types)) => types.bits(),
        _ => 0,
    };
    DeviceRecord {
        kind: match types {
            types if types & ffi::CL_DEVICE_TYPE_GPU != 0 => DeviceKind::Gpu,
            types if types & ffi::CL_DEVICE_TYPE_CPU != 0 => DeviceKind::Cpu,
            _ => DeviceKind::Accelerator,
        },
        name: device.name().unwrap_or_default().trim().into(),
        driver: text(device, DeviceInfo::DriverVersion),
        memory_bytes: number(DeviceInfo::GlobalMemSize),
        buffer_bytes_max: number(DeviceInfo::MaxMemAllocSize),
        compute_units: number(DeviceInfo::MaxComputeUnits) as u32,
        has_doubles: raw(device, DOUBLE_FP_CONFIG).is_some_and(|config| u64::from_ne_bytes(config) != 0),
        ..DeviceRecord::default()
    }
}

fn text(device: &Device, info: DeviceInfo) -> String {
    device.info(info).map(|text| text.to_string().trim().to_string()).unwrap_or_default()
}

/// The answer to a question that the driver may not know.
fn raw<const LENGTH: usize>(device: &Device, question: u32) -> Option<[u8; LENGTH]> {
    let mut answer = [0; LENGTH];
    let mut length = 0;
    // SAFETY: the driver writes at most as many bytes as there is room for.
    let status = unsafe {
        let room = answer.as_mut_ptr().cast::<c_void>();
        ffi::clGetDeviceInfo(device.as_core().as_raw(), question, LENGTH, room, &raw mut length)
    };
    (status == 0 && length == LENGTH).then_some(answer)
}

/// The compiler's options with which divisions and square roots of single floats are rounded as on a CPU.
pub(super) fn exact_options(device: &Device) -> &'static str {
    let config = raw(device, SINGLE_FP_CONFIG).map_or(0, u64::from_ne_bytes);
    if config & CORRECTLY_ROUNDED_DIVIDE_SQRT != 0 { "-cl-fp32-correctly-rounded-divide-sqrt" } else { "" }
}

fn uuid(device: &Device) -> Option<[u8; 16]> {
    raw(device, DEVICE_UUID).filter(|uuid| *uuid != [0; 16])
}

fn pci(device: &Device) -> Option<String> {
    let word = |question| raw(device, question).map(u32::from_ne_bytes);
    let khronos = || {
        let bytes = raw::<16>(device, PCI_BUS_INFO)?;
        let word = |index: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|byte| bytes[4 * index + byte]));
        Some((word(0), word(1), word(2), word(3)))
    };
    let nvidia = || {
        let (bus, slot) = (word(PCI_BUS_ID_NVIDIA)?, word(PCI_SLOT_ID_NVIDIA)?);
        Some((word(PCI_DOMAIN_ID_NVIDIA).unwrap_or(0), bus, slot >> 3, slot & 7))
    };
    let amd = || {
        let bytes = raw::<24>(device, TOPOLOGY_AMD)?;
        // A word that says PCI, then at the end of the union bus, device, function.
        (bytes[0] == 1).then(|| (0, bytes[21].into(), bytes[22].into(), bytes[23].into()))
    };
    let (domain, bus, slot, function) = khronos().or_else(nvidia).or_else(amd)?;
    Some(format!("{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"))
}

/// Cuts a device: by affinity domain where the driver offers it, as for the tiles of a GPU; else into
/// halves, if it can be cut equally.
fn tiles(root: &Root) -> Vec<Tile> {
    let device = root.device.as_core();
    let offered = words(&root.device, PARTITION_PROPERTIES);
    let domains = words(&root.device, PARTITION_AFFINITY_DOMAIN).first().copied().unwrap_or(0);
    let properties = if offered.contains(&PARTITION_BY_AFFINITY_DOMAIN) && domains & NEXT_PARTITIONABLE != 0 {
        [PARTITION_BY_AFFINITY_DOMAIN, NEXT_PARTITIONABLE, 0]
    } else if offered.contains(&PARTITION_EQUALLY) && root.record.compute_units >= 2 {
        [PARTITION_EQUALLY, (root.record.compute_units / 2) as isize, 0]
    } else {
        return Vec::new();
    };
    let mut count = 0;
    // SAFETY: the list ends with a zero; asks for the number only.
    let status = unsafe {
        let properties = properties.as_ptr().cast();
        ffi::clCreateSubDevices(device.as_raw(), properties, 0, ptr::null_mut(), &raw mut count)
    };
    if status != 0 || count < 2 {
        return Vec::new();
    }
    let mut parts = vec![ptr::null_mut(); count as usize];
    // SAFETY: as above, with room for as many as the driver has told of.
    let status = unsafe {
        let properties = properties.as_ptr().cast();
        ffi::clCreateSubDevices(device.as_raw(), properties, count, parts.as_mut_ptr(), ptr::null_mut())
    };
    if status != 0 {
        return Vec::new();
    }
    // Three units make two halves of one, and one is left over.
    let most = if properties[0] == PARTITION_EQUALLY { 2 } else { parts.len() };
    let tile = |(part, number): (ffi::cl_device_id, u32)| {
        // SAFETY: the driver has filled it in.
        let device = Device::from(unsafe { DeviceId::from_raw(part) });
        let own = describe(&device);
        let record = DeviceRecord {
            tile: Some(number),
            memory_bytes: own.memory_bytes,
            buffer_bytes_max: own.buffer_bytes_max,
            compute_units: own.compute_units,
            ..root.record.clone()
        };
        Tile { device, record }
    };
    parts.into_iter().take(most).zip(0..).map(tile).collect()
}

/// An answer that is a list of words.
fn words(device: &Device, question: u32) -> Vec<isize> {
    let mut words = [0isize; 16];
    let mut bytes = 0;
    // SAFETY: the driver writes at most as many bytes as there is room for.
    let status = unsafe {
        let room = words.as_mut_ptr().cast::<c_void>();
        ffi::clGetDeviceInfo(device.as_core().as_raw(), question, size_of_val(&words), room, &raw mut bytes)
    };
    let count = if status == 0 { bytes / size_of::<isize>() } else { 0 };
    words[..count].to_vec()
}

const NOT_FOUND: i32 = -1;

/// An error that names the call and OpenCL's word for its status. `ocl` panics at statuses it does not
/// know, such as those that NVIDIA's driver has for a kernel that went astray.
pub(super) fn check(call: &str, status: i32) -> Result<()> {
    match status {
        0 => Ok(()),
        status => Err(Error::Device(format!("{call} failed: {}", status_name(status)))),
    }
}

/// OpenCL's word for a status.
pub(super) fn status_name(status: i32) -> String {
    let name = match status {
        -2 => "CL_DEVICE_NOT_AVAILABLE",
        -4 => "CL_MEM_OBJECT_ALLOCATION_FAILURE",
        -5 => "CL_OUT_OF_RESOURCES",
        -6 => "CL_OUT_OF_HOST_MEMORY",
        -11 => "CL_BUILD_PROGRAM_FAILURE",
        -14 => "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
        -34 => "CL_INVALID_CONTEXT",
        -36 => "CL_INVALID_COMMAND_QUEUE",
        -38 => "CL_INVALID_MEM_OBJECT",
        -46 => "CL_INVALID_KERNEL_NAME",
        -49 => "CL_INVALID_ARG_INDEX",
        -50 => "CL_INVALID_ARG_VALUE",
        -51 => "CL_INVALID_ARG_SIZE",
        -52 => "CL_INVALID_KERNEL_ARGS",
        -54 => "CL_INVALID_WORK_GROUP_SIZE",
        -55 => "CL_INVALID_WORK_ITEM_SIZE",
        -61 => "CL_INVALID_BUFFER_SIZE",
        -63 => "CL_INVALID_GLOBAL_WORK_SIZE",
        status => return format!("OpenCL's status {status}"),
    };
    format!("{name} ({status})")
}
