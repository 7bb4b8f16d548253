//! Where the dashboard listens.

use crate::error::{Error, Result};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs},
    str::FromStr,
};

/// The port where none is said, and how many after it are tried.
const PORT: u16 = 8787;
const PORTS_TRIED: u16 = 200;

/// Where a dashboard shall listen: what was said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    host: Option<String>,
    port: Option<u16>,
}

impl FromStr for Address {
    type Err = Error;

    /// Reads nothing, a port, a host, or both: ``, `8080`, `:8080`, `10.0.0.1`, `login1:8080`, `[::1]:8080`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let wrong = || {
            let words = "is no address like 8787, 127.0.0.1 or 127.0.0.1:8787";
            Error::Option(format!("dashboard address {text:?} {words}"))
        };
        if text.is_empty() {
            return Ok(Self::default());
        }
        let port = |text: &str| text.parse::<u16>().map_err(|_| wrong());
        if text.chars().all(|letter| letter.is_ascii_digit()) {
            return Ok(Self { host: None, port: Some(port(text)?) });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { host: Some(address.to_string()), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, text)) => (host, Some(port(text)?)),
            None => (text, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-._:%".contains(letter);
        if !host.chars().all(allowed) || host.contains(':') && host.parse::<IpAddr>().is_err() {
            return Err(wrong());
        }
        Ok(Self { host: Some(host.into()).filter(|host: &String| !host.is_empty()), port })
    }
}

impl Address {
    /// Begins to listen: at the port that was said, else at the next free one.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if that cannot be done.
    pub(crate) fn listen(&self) -> Result<TcpListener> {
        let ports = self.port.map_or(PORT..=PORT + PORTS_TRIED, |port| port..=port);
        let mut last = None;
        for port in ports {
            let addresses = match &self.host {
                None => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))],
                Some(host) => {
                    let found = (host.as_str(), port).to_socket_addrs();
                    found.map_err(|error| self.cannot(port, &error))?.collect()
                }
            };
            for address in addresses {
                match TcpListener::bind(address) {
                    Ok(listener) => return Ok(listener),
                    Err(error) => last = Some((port, error)),
                }
            }
            if last.as_ref().is_some_and(|(_, error)| error.kind() != io::ErrorKind::AddrInUse) {
                break;
            }
        }
        let (port, error) = last.unwrap_or_else(|| (PORT, io::ErrorKind::AddrNotAvailable.into()));
        Err(self.cannot(port, &error))
    }

    fn cannot(&self, port: u16, error: &io::Error) -> Error {
        let host = self.host.as_deref().unwrap_or("127.0.0.1");
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => "give another port, or none for the next free one",
            io::ErrorKind::AddrNotAvailable => "give an address of rank 0's host, or none for 127.0.0.1",
            io::ErrorKind::PermissionDenied => "give a port from 1024 on",
            _ => "give another address, or none for 127.0.0.1",
        };
        // The system's words end with a number that says nothing more.
        let words = error.to_string();
        let words = words.split(" (os error").next().unwrap_or_default();
        Error::Option(format!("the dashboard cannot listen at {host}:{port}: {words}: {remedy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Address>().unwrap();
        let address = |host: &str, port| {
            let host = Some(host.to_string()).filter(|host| !host.is_empty());
            Address { host, port }
        };
        for (text, host, port) in [
            ("", "", None),
            ("8080", "", Some(8080)),
            (":8080", "", Some(8080)),
            ("0.0.0.0", "0.0.0.0", None),
            ("login1", "login1", None),
            ("login1.site.org:80", "login1.site.org", Some(80)),
            ("::1", "::1", None),
            ("[::1]:8787", "::1", Some(8787)),
        ] {
            assert_eq!(read(text), address(host, port), "{text:?}");
        }
        for wrong in ["99999", "host:port", "http://host", "a b", "[::1", "::1:x"] {
            let words = wrong.parse::<Address>().unwrap_err().to_string();
            assert!(words.contains(wrong) && words.lines().count() == 1, "{words}");
        }
    }

    #[test]
    fn a_port_that_is_taken_is_an_error_if_it_was_asked_for() {
        let taken = Address { host: None, port: Some(0) }.listen().unwrap();
        let port = taken.local_addr().unwrap().port();
        let words = Address { host: None, port: Some(port) }.listen().unwrap_err().to_string();
        assert!(
            words.contains(&format!("127.0.0.1:{port}: Address already in use: give another")),
            "{words}"
        );
        let (one, other) = (Address::default().listen().unwrap(), Address::default().listen().unwrap());
        assert!(one.local_addr().unwrap().ip().is_loopback());
        assert_ne!(one.local_addr().unwrap(), other.local_addr().unwrap());
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        let words = "192.0.2.1:0".parse::<Address>().unwrap().listen().unwrap_err().to_string();
        assert!(words.contains("192.0.2.1:0: ") && words.contains("an address of rank 0's host"), "{words}");
    }
}
