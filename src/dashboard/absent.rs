//! What stands for the dashboard in a build without the feature: the error that says so.

use super::Sources;
use crate::error::{Error, Result};
use std::{net::TcpListener, str::FromStr};

/// Where a dashboard would listen: none is ever read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {}

impl FromStr for Address {
    type Err = Error;

    fn from_str(_: &str) -> Result<Self> {
        Err(unavailable())
    }
}

impl Address {
    pub(crate) fn listen(&self) -> Result<TcpListener> {
        match *self {}
    }
}

/// Never made.
#[derive(Debug)]
#[expect(dead_code, reason = "there is none")]
pub(crate) struct Dashboard(Box<Address>);

impl Dashboard {
    pub(crate) fn start(_: TcpListener, _: Sources) -> Result<Self> {
        Err(unavailable())
    }
}

fn unavailable() -> Error {
    Error::Option(
        "no dashboard: this program was built without maniple's feature `dashboard`; add it in Cargo.toml, or run \
         without MANIPLE_DASHBOARD and --dashboard"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_dashboard_that_is_not_built_is_refused_in_one_line() {
        let error = crate::Runtime::builder().dashboard("").execute(|_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("built without maniple's feature `dashboard`"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
