//! Who is turned away: strangers at the port, and other users.

use super::*;
use std::{
    io::{ErrorKind, Read},
    os::unix::net::UnixStream,
};

/// A connection file of its own, for this user only.
fn private_file(cluster: &Cluster, name: &str, connection: &serde_json::Value) -> PathBuf {
    let file = cluster.folder.path().join(name).with_extension("json");
    write_connection(&file, connection);
    file
}

#[test]
fn strangers_are_turned_away_and_cost_nothing() {
    let cluster = Cluster::start(None, "tcp", &[]);
    let text = fs::read_to_string(cluster.file()).unwrap();
    let connection: serde_json::Value = serde_json::from_str(&text).unwrap();
    let port = connection["port"].as_u64().unwrap() as u16;
    let socket = connection["socket"].as_str().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(Path::new(socket)), mode(Path::new(socket).parent().unwrap())), (0o600, 0o700));
    let open = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    // Some say nothing, some half a greeting, some rubbish, some a right greeting and a wrong proof.
    let mut hello = b"MANIPLE1".to_vec();
    hello.extend([3; 64]);
    hello[48..].fill(0);
    let greetings: [&[u8]; 5] = [b"", b"MANIPLE1half", &[0xff; 72], b"GET / HTTP/1.1\r\n\r\n", &hello];
    let mut strangers: Vec<TcpStream> = Vec::new();
    for round in 0..200 {
        let mut stranger = open();
        let _ = stranger.write_all(greetings[round % greetings.len()]);
        if round % greetings.len() == 4 {
            let _ = stranger.write_all(&[0xff; 4096]);
        }
        strangers.push(stranger);
    }
    let before = resident_bytes(cluster.process.id());
    // A session comes in at once, at the socket and at the port, which the strangers besiege.
    assert_clean(&cluster.session("square").output().unwrap());
    let mut by_port = connection.clone();
    by_port["socket"] = "/nonexistent/socket".into();
    assert_clean(&session(&private_file(&cluster, "port", &by_port), "square").output().unwrap());
    // With a wrong token: one line, which does not have it.
    let mut wrong = connection.clone();
    wrong["token"] = "ab".repeat(32).into();
    let file = private_file(&cluster, "wrong", &wrong);
    let error = Runtime::builder().connect(&file).execute(|_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("does not know the token") && !error.contains("abab"), "{error}");
    let after = resident_bytes(cluster.process.id());
    assert!(after < before + (16 << 20), "{before} and {after} bytes");
    drop(strangers);
    let token = connection["token"].as_str().unwrap().to_string();
    let arguments = fs::read(format!("/proc/{}/cmdline", cluster.process.id())).unwrap();
    let environment = fs::read(format!("/proc/{}/environ", cluster.process.id())).unwrap();
    assert!(!itself::text(&arguments).contains(&token) && !itself::text(&environment).contains(&token));
    cluster.shut_down();
}

/// A user that is not the one of the tests.
const ANOTHER_USER: u32 = 65_534;

/// How many bytes a cluster answers to a right greeting.
fn greet(socket: &Path) -> Result<usize, ErrorKind> {
    let answer = |mut stream: UnixStream| {
        let mut hello = b"MANIPLE1".to_vec();
        hello.resize(72, 0);
        // It may have been closed already.
        let _ = stream.write_all(&hello);
        stream.read(&mut [0; 256])
    };
    UnixStream::connect(socket).and_then(answer).map_err(|error| error.kind())
}

/// What a process of another user tries: to open the socket, to connect with the file, and with a copy of it.
pub(super) fn try_as_another_user() {
    let path = |name: &str| PathBuf::from(env::var_os(name).unwrap());
    println!("socket: {:?}", greet(&path("SESSIONS_SOCKET")));
    for name in ["SESSIONS_FILE", "SESSIONS_COPY"] {
        let error = Runtime::builder().connect(path(name)).execute(|_| Ok(())).unwrap_err();
        println!("{name}: {error}");
    }
}

#[test]
fn another_user_of_the_host_is_refused() {
    // SAFETY: asks for the number of this process' user.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: only root can start a process of another user");
        return;
    }
    let cluster = Cluster::start(None, "", &[]);
    let connection: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(cluster.file()).unwrap()).unwrap();
    let socket = PathBuf::from(connection["socket"].as_str().unwrap());
    // Where this user can read them: the program, and a connection file that is its own.
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(cluster.folder.path(), 0o755);
    let program = cluster.folder.path().join("program");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let attempt = |name, socket: &Path| {
        let mut connection = connection.clone();
        connection["socket"] = socket.to_str().unwrap().into();
        let copy = private_file(&cluster, name, &connection);
        std::os::unix::fs::chown(&copy, Some(ANOTHER_USER), None).unwrap();
        let mut command = Command::new(&program);
        command.args(itself::ARGS).env(PROGRAM, "another user").env("SESSIONS_SOCKET", socket);
        command.env("SESSIONS_FILE", cluster.file()).env("SESSIONS_COPY", &copy);
        text(&command.uid(ANOTHER_USER).gid(ANOTHER_USER).output().unwrap().stdout)
    };
    let printed = attempt("copy", &socket);
    assert!(printed.contains("socket: Err(PermissionDenied)"), "{printed}");
    assert!(printed.contains("SESSIONS_FILE: cannot read the connection file"), "{printed}");
    let of_copy = printed.lines().find(|line| line.starts_with("SESSIONS_COPY")).unwrap();
    assert!(of_copy.contains("Permission denied"), "{printed}");
    // If its directory and the socket were open to all, both sides would look who is at the other end. The directory
    // is that of other tests' sockets, too: so it is reached from elsewhere.
    let place = tempfile::tempdir_in("/tmp").unwrap();
    let open_socket = place.path().join("socket");
    fs::hard_link(&socket, &open_socket).unwrap();
    open(place.path(), 0o755);
    open(&socket, 0o666);
    let printed = attempt("second", &open_socket);
    assert!(
        printed.contains("socket: Ok(0)") || printed.contains("socket: Err(ConnectionReset)"),
        "{printed}"
    );
    let of_copy = printed.lines().find(|line| line.starts_with("SESSIONS_COPY")).unwrap();
    assert!(of_copy.contains("the socket is another user's"), "{printed}");
    assert!(greet(&socket).unwrap() > 0, "this user is answered");
    assert_clean(&cluster.session("square").output().unwrap());
    cluster.shut_down();
}
