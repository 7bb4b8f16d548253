//! Sessions through `ssh -L`: a server of OpenSSH's that the test starts on 127.0.0.1.

use super::*;
use std::net::TcpListener;

/// The server and its keys; it ends with this.
struct Server {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

impl Server {
    /// Starts it. `None` where it cannot be: it takes root and `openssh-server`.
    fn start() -> Option<Self> {
        const PROGRAM: &str = "/usr/sbin/sshd";
        // SAFETY: asks for the number of this process' user.
        if unsafe { libc::geteuid() } != 0 || !Path::new(PROGRAM).exists() {
            let is_required = env::var("MANIPLE_REQUIRE_SSHD").is_ok_and(|value| value == "1");
            assert!(!is_required, "sshd cannot be started: it takes root and openssh-server");
            println!("skipped: sshd cannot be started here");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for name in ["host", "user"] {
            let mut keys = Command::new("ssh-keygen");
            assert!(
                keys.args(["-q", "-t", "ed25519", "-N", "", "-f", &path(name)]).status().unwrap().success()
            );
        }
        // Where the server puts its children without rights.
        fs::create_dir_all("/run/sshd").unwrap();
        let port = free_port();
        let settings = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\nAllowTcpForwarding local\n\
             AllowStreamLocalForwarding local\n",
            path("host"),
            path("user.pub")
        );
        fs::write(path("settings"), settings).unwrap();
        let mut server = Command::new(PROGRAM);
        server.args(["-D", "-e", "-f", &path("settings")]).stderr(Stdio::null());
        let process = server.spawn().unwrap();
        until("sshd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Self { process, folder, port })
    }

    /// `ssh -N -L FORWARD`, as rank 1 prints it.
    fn forward(&self, forward: &str) -> Child {
        let mut ssh = Command::new("ssh");
        ssh.args(["-N", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
        ssh.args([
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "ExitOnForwardFailure=yes",
            "-o",
            "LogLevel=ERROR",
        ]);
        ssh.arg("-i").arg(self.folder.path().join("user")).args([
            "-p",
            &self.port.to_string(),
            "-L",
            forward,
        ]);
        ssh.arg("root@127.0.0.1").stdin(Stdio::null()).spawn().unwrap()
    }
}

#[test]
fn a_session_comes_through_a_tunnel_of_openssh_by_socket_and_by_port() {
    let Some(server) = Server::start() else { return };
    for way in ways([3, 4]) {
        let cluster = Cluster::start(way, "tcp", &[]);
        let written = fs::read_to_string(cluster.file()).unwrap();
        for is_port in [false, true] {
            let mut connection: serde_json::Value = serde_json::from_str(&written).unwrap();
            let socket = cluster.folder.path().join(format!("forwarded-{is_port}.socket"));
            let (target, port) = (connection["socket"].as_str().unwrap().to_string(), free_port());
            let forward = match is_port {
                true => format!("127.0.0.1:{port}:127.0.0.1:{}", connection["port"]),
                false => format!("{}:{target}", socket.display()),
            };
            connection["socket"] = socket.display().to_string().into();
            connection["port"] = if is_port { port.into() } else { serde_json::Value::Null };
            let mut tunnel = server.forward(&forward);
            until("the tunnel stands", || match is_port {
                true => TcpStream::connect(("127.0.0.1", port)).is_ok(),
                false => socket.exists(),
            });
            let file = cluster.folder.path().join(format!("forwarded-{is_port}.json"));
            write_connection(&file, &connection);
            assert_clean(&session(&file, "everything").output().unwrap());
            // The tunnel ends, and with it a session.
            let waiting = begun(session(&file, "waits"), "waiting");
            tunnel.kill().unwrap();
            tunnel.wait().unwrap();
            let printed = text(&waiting.wait_with_output().unwrap().stderr);
            assert!(printed.contains(" is lost: "), "{printed}");
        }
        assert_clean(&cluster.session("left over").output().unwrap());
        cluster.shut_down();
    }
}
