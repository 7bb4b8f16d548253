//! What is known of a device, for people and to tell devices apart.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a device is, in OpenCL's sense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DeviceKind {
    /// A GPU.
    #[default]
    Gpu,
    /// The host's processors.
    Cpu,
    /// An accelerator, or what is new.
    Accelerator,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gpu => "GPU",
            Self::Cpu => "CPU",
            Self::Accelerator => "accelerator",
        })
    }
}

/// A device, or a tile of one, as its driver describes it.
///
/// `Display` prints where it is and what proves it: `GPU 0 tile 1 (Name, uuid 0123...)`. The alternate
/// form `{:#}` adds what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeviceRecord {
    /// What it is.
    pub kind: DeviceKind,
    /// The number of the device among those that this process sees, in the drivers' order, from 0.
    pub index: u32,
    /// The number of the tile, from 0, if it is one.
    pub tile: Option<u32>,
    /// How many tiles the device can be cut into: 0 or at least 2.
    pub tile_count: u32,
    /// Its name.
    pub name: String,
    /// The platform that it belongs to.
    pub platform: String,
    /// The driver's version.
    pub driver: String,
    /// What tells the card from all others, if the driver says (`cl_khr_device_uuid`). A tile may have
    /// that of its card.
    pub uuid: Option<[u8; 16]>,
    /// Its address on the bus, such as `0000:1b:00.0`, if the driver says (`cl_khr_pci_bus_info`, or
    /// what NVIDIA and AMD had before).
    pub pci: Option<String>,
    /// How many bytes of memory it has.
    pub memory_bytes: u64,
    /// How many bytes of it one buffer may have.
    pub buffer_bytes_max: u64,
    /// How many compute units it has.
    pub compute_units: u32,
    /// Whether it has 64-bit floats (`cl_khr_fp64`).
    pub has_doubles: bool,
}

impl DeviceRecord {
    /// The UUID as 32 hexadecimal digits, if the driver tells.
    pub fn uuid_text(&self) -> Option<String> {
        self.uuid.map(|uuid| uuid.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// What proves which device it is: its UUID, else its address, else a word that there is neither.
    fn proof(&self) -> String {
        match (self.uuid_text(), &self.pci) {
            (Some(uuid), _) => format!("uuid {uuid}"),
            (None, Some(pci)) => format!("PCI {pci}"),
            (None, None) => "known by its number only".into(),
        }
    }
}

impl fmt::Display for DeviceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.index)?;
        if let Some(tile) = self.tile {
            write!(f, " tile {tile}")?;
        }
        write!(f, " ({}, {}", self.name, self.proof())?;
        if f.alternate() {
            if let (Some(_), Some(pci)) = (self.uuid, &self.pci) {
                write!(f, ", PCI {pci}")?;
            }
            let gibibytes = self.memory_bytes as f64 / f64::from(1 << 30);
            write!(f, ", {gibibytes:.1} GiB, {} compute units", self.compute_units)?;
            if self.tile_count > 0 {
                write!(f, ", {} tiles", self.tile_count)?;
            }
            write!(f, ", {}, driver {}", self.platform, self.driver)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_by_what_proves_it() {
        let mut device = DeviceRecord { name: "Max 1550".into(), index: 4, ..DeviceRecord::default() };
        assert_eq!(device.to_string(), "GPU 4 (Max 1550, known by its number only)");
        device.pci = Some("0000:1b:00.0".into());
        device.tile = Some(1);
        assert_eq!(device.to_string(), "GPU 4 tile 1 (Max 1550, PCI 0000:1b:00.0)");
        device.uuid = Some(std::array::from_fn(|byte| byte as u8));
        assert_eq!(device.to_string(), "GPU 4 tile 1 (Max 1550, uuid 000102030405060708090a0b0c0d0e0f)");
        device.memory_bytes = 64 << 30;
        device.compute_units = 512;
        (device.platform, device.driver) = ("Level".into(), "25.1".into());
        assert_eq!(
            format!("{device:#}"),
            "GPU 4 tile 1 (Max 1550, uuid 000102030405060708090a0b0c0d0e0f, PCI 0000:1b:00.0, 64.0 GiB, \
             512 compute units, Level, driver 25.1)"
        );
    }
}
