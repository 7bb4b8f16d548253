//! A dashboard from start to end: its address, its token and its thread.

use super::{Sources, access, server};
use crate::error::{Error, Result};
use std::{
    net::{SocketAddr, TcpListener},
    thread::{self, JoinHandle},
};
use tokio::sync::watch;

/// Serves until it is dropped; then tells everybody who looks how the run stood at the end.
#[derive(Debug)]
pub(crate) struct Dashboard {
    over: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Dashboard {
    /// Begins to serve, and prints where.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if the system has no thread or no randomness for it.
    pub(crate) fn start(listener: TcpListener, sources: Sources) -> Result<Self> {
        let cannot =
            |error: &dyn std::fmt::Display| Error::Option(format!("the dashboard cannot start: {error}"));
        let address = listener.local_addr().map_err(|error| cannot(&error))?;
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| cannot(&error))?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let access = access::Access::new(token, address.ip(), address.port(), &sources.host);
        eprint!("{}", welcome(address, &sources.host, access.token()));
        let (over, is_over) = watch::channel(false);
        let serve = move || server::serve(listener, access, sources, is_over);
        let thread =
            thread::Builder::new().name("dashboard".into()).spawn(serve).map_err(|error| cannot(&error))?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        let _ = self.over.send(true);
        if let Some(thread) = self.thread.take() {
            // A panic there has been told, and the run went well all the same.
            let _ = thread.join();
        }
    }
}

/// Where to look, and how to get there from another machine.
fn welcome(address: SocketAddr, host: &str, token: &str) -> String {
    let port = address.port();
    let at = if address.ip().is_unspecified() { format!("{host}:{port}") } else { address.to_string() };
    let inner = if address.ip().is_unspecified() { format!("127.0.0.1:{port}") } else { address.to_string() };
    let open = if address.ip().is_loopback() { "" } else { " (not encrypted: prefer ssh -L)" };
    format!(
        "maniple: dashboard at http://{at}/?token={token}{open}\n\
         maniple: from another machine: ssh -L {port}:{inner} {host}, then http://127.0.0.1:{port}/?token={token}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_it_is_and_how_to_get_there() {
        let words = |address: &str| welcome(address.parse().unwrap(), "node7", "abc");
        assert_eq!(
            words("127.0.0.1:8788"),
            "maniple: dashboard at http://127.0.0.1:8788/?token=abc\n\
             maniple: from another machine: ssh -L 8788:127.0.0.1:8788 node7, then \
             http://127.0.0.1:8788/?token=abc\n"
        );
        assert!(words("[::1]:80").contains("http://[::1]:80/?token=abc\n"));
        assert!(
            words("0.0.0.0:80").contains("at http://node7:80/?token=abc (not encrypted: prefer ssh -L)\n")
        );
        assert!(words("0.0.0.0:80").contains("ssh -L 80:127.0.0.1:80 node7,"));
    }
}
