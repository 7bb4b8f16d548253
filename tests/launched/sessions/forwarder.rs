//! What `ssh -L` does: it listens somewhere, and passes on what comes to another place. This one can also break what it
//! passes on, and break off.

use super::*;
use std::{
    io::{self, Read},
    net::{Shutdown, TcpListener},
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// One end of a forwarded connection.
pub(super) trait End: Read + Write + Send + 'static {
    fn again(&self) -> Box<dyn End>;
    fn shut_down(&self);
}

impl End for UnixStream {
    fn again(&self) -> Box<dyn End> {
        Box::new(self.try_clone().unwrap())
    }
    fn shut_down(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl End for TcpStream {
    fn again(&self) -> Box<dyn End> {
        Box::new(self.try_clone().unwrap())
    }
    fn shut_down(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// A forwarder to a cluster, and the connection file through which it is reached.
pub(super) struct Forwarder {
    pub(super) file: PathBuf,
    ends: Arc<Mutex<Vec<Box<dyn End>>>>,
    /// Whether whatever connects is turned away.
    is_down: Arc<AtomicBool>,
}

/// Passes bytes on, and changes each lot of them.
fn pass_on(mut source: Box<dyn End>, mut target: Box<dyn End>, mut change: impl FnMut(&mut [u8])) {
    let mut bytes = [0; 64 << 10];
    while let Ok(count @ 1..) = source.read(&mut bytes) {
        change(&mut bytes[..count]);
        if target.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    source.shut_down();
    target.shut_down();
}

impl Forwarder {
    /// Through a Unix socket, or through a port. What sessions send is changed on the way.
    pub(super) fn new(cluster: &Cluster, is_port: bool, change: fn(&mut u64, &mut [u8])) -> Self {
        let folder = cluster.folder.path();
        let text = fs::read_to_string(cluster.file()).unwrap();
        let mut connection: serde_json::Value = serde_json::from_str(&text).unwrap();
        let target = connection.clone();
        let kind = if is_port { "port" } else { "socket" };
        let socket = folder.join(format!("forwarded-{}.socket", fs::read_dir(folder).unwrap().count()));
        let ends: Arc<Mutex<Vec<Box<dyn End>>>> = Arc::default();
        connection["socket"] = socket.display().to_string().into();
        connection["port"] = serde_json::Value::Null;
        let is_down: Arc<AtomicBool> = Arc::default();
        let (kept, turns_away) = (Arc::clone(&ends), Arc::clone(&is_down));
        let forward = move |from: Box<dyn End>, to: Box<dyn End>| {
            if turns_away.load(Ordering::SeqCst) {
                return;
            }
            let mut sent = 0;
            kept.lock().unwrap().extend([from.again(), to.again()]);
            let (back_from, back_to) = (to.again(), from.again());
            thread::spawn(move || pass_on(from, to, |bytes| change(&mut sent, bytes)));
            thread::spawn(move || pass_on(back_from, back_to, |_| ()));
        };
        if is_port {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            connection["port"] = listener.local_addr().unwrap().port().into();
            let port = target["port"].as_u64().unwrap() as u16;
            thread::spawn(move || {
                for from in listener.incoming().map_while(io::Result::ok) {
                    let Ok(to) = TcpStream::connect(("127.0.0.1", port)) else { return };
                    forward(Box::new(from), Box::new(to));
                }
            });
        } else {
            let listener = UnixListener::bind(&socket).unwrap();
            let path = target["socket"].as_str().unwrap().to_string();
            thread::spawn(move || {
                for from in listener.incoming().map_while(io::Result::ok) {
                    let Ok(to) = UnixStream::connect(&path) else { return };
                    forward(Box::new(from), Box::new(to));
                }
            });
        }
        let file = socket.with_extension(format!("{kind}.json"));
        write_connection(&file, &connection);
        Self { file, ends, is_down }
    }

    /// Breaks off all connections.
    pub(super) fn break_off(&self) {
        self.ends.lock().unwrap().drain(..).for_each(|end| end.shut_down());
    }

    /// Breaks off all connections, and lets none through any more.
    pub(super) fn go_down(&self) {
        self.is_down.store(true, Ordering::SeqCst);
        self.break_off();
    }
}

#[test]
fn a_session_through_a_forwarded_socket_or_port_is_as_any_other() {
    for way in ways([3, 4]) {
        let cluster = Cluster::start(way, "tcp", &[]);
        for is_port in [false, true] {
            let forwarder = Forwarder::new(&cluster, is_port, |_, _| ());
            assert_clean(&session(&forwarder.file, "everything").output().unwrap());
            // Its connection breaks.
            let waiting = begun(session(&forwarder.file, "waits"), "waiting");
            forwarder.break_off();
            let printed = text(&waiting.wait_with_output().unwrap().stderr);
            assert!(printed.contains(" is lost: "), "{printed}");
        }
        assert_clean(&cluster.session("left over").output().unwrap());
        cluster.shut_down();
    }
}

/// Breaks the payload of the frames that follow the first 2000 bytes.
fn break_frames(sent: &mut u64, bytes: &mut [u8]) {
    *sent += bytes.len() as u64;
    // A header has 12 bytes, of which the first says that it is a frame.
    if *sent > 2000 && bytes.len() > 12 && bytes[..2] == [1, 0] {
        bytes[12..].fill(0xff);
    }
}

#[test]
fn a_session_that_sends_a_broken_frame_ends_and_nothing_else_does() {
    for way in ways([3, 4]) {
        let cluster = Cluster::start(way, "", &[]);
        let mut other = begun(cluster.session("waits"), "waiting");
        let forwarder = Forwarder::new(&cluster, false, break_frames);
        let output = session(&forwarder.file, "everything").output().unwrap();
        let printed = text(&output.stderr);
        assert!(!output.status.success(), "{printed}");
        let reasons = ["the cluster has ended this session: a frame from", " is lost: "];
        assert!(reasons.iter().any(|reason| printed.contains(reason)), "{printed}");
        assert!(other.try_wait().unwrap().is_none(), "another session goes on");
        assert_clean(&cluster.session("square").output().unwrap());
        other.kill().unwrap();
        other.wait().unwrap();
        assert_clean(&cluster.session("left over").output().unwrap());
        cluster.shut_down();
    }
}

#[test]
fn a_session_whose_connection_breaks_again_and_again_goes_on_with_nothing_lost() {
    for way in ways([3, 4]) {
        let cluster = Cluster::start(way, "tcp", &[]);
        for is_port in [false, true] {
            let forwarder = Forwarder::new(&cluster, is_port, |_, _| ());
            let mut command = session(&forwarder.file, "everything thrice");
            let mut running = command.env("MANIPLE_RECONNECT_TIMEOUT", "30").spawn().unwrap();
            let mut lines = BufReader::new(running.stdout.take().unwrap()).lines().map_while(io::Result::ok);
            assert!(lines.any(|line| line.contains("connected")));
            // To the end, or it would have nobody to write to.
            thread::spawn(move || lines.count());
            let start = Instant::now();
            let mut breaks = 0;
            while running.try_wait().unwrap().is_none() {
                assert!(start.elapsed() < TIMEOUT, "it goes on");
                // Further and further apart, so that values get through.
                thread::sleep(Duration::from_millis(20 + 10 * breaks));
                forwarder.break_off();
                breaks += 1;
            }
            assert_clean(&running.wait_with_output().unwrap());
            assert!(breaks > 3, "it was broken off {breaks} times");
        }
        assert_clean(&cluster.session("left over").output().unwrap());
        cluster.shut_down();
    }
}

#[test]
fn a_session_that_does_not_come_back_in_time_has_ended() {
    for way in ways([3, 4]) {
        let cluster = Cluster::start(way, "", &[]);
        let forwarder = Forwarder::new(&cluster, false, |_, _| ());
        let start = |seconds: &str, program: &str, line: &str| {
            let mut command = session(&forwarder.file, program);
            command.env("MANIPLE_RECONNECT_TIMEOUT", seconds);
            begun(command, line)
        };
        // One is killed: its values stay for the grace time, and go then.
        let mut killed = start("1", "holds", "holding");
        killed.kill().unwrap();
        killed.wait().unwrap();
        let waiting = start("0.5", "waits", "waiting");
        forwarder.go_down();
        let printed = text(&waiting.wait_with_output().unwrap().stderr);
        assert!(
            printed.contains(" is lost: ") && printed.contains("not made anew within 500ms"),
            "{printed}"
        );
        assert_clean(&cluster.session("left over").output().unwrap());
        cluster.shut_down();
    }
}
