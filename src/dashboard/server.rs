//! Connections: few, short, with limits on everything that others decide.

use super::{
    Sources,
    access::{Access, Asked, Verdict, query_value},
    board::Board,
};
use crate::{
    error,
    host::machine,
    ids::TaskId,
    lock::lock,
    rank::{Rank, driver_of},
    record,
};
use http_body_util::{BodyExt, Full, channel::Channel, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use socket2::SockRef;
use std::{
    convert::Infallible,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

/// How many connections there may be; a browser takes up to six, and one for its stream.
const CONNECTIONS_MAX: usize = 256;
/// How long a request, or the next one on a connection, may take to come.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long what was sent may wait to be taken, before the connection is given up.
const TAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// How many headers a request may have, and how many bytes with its first line.
const HEADERS_MAX: usize = 64;
const BUFFER_MAX: usize = 16 << 10;
/// How often the state is told, if the streams do not take more bytes a second than this then.
const PAUSE: Duration = Duration::from_millis(500);
const BYTES_A_SECOND_MAX: f64 = 20e6;
/// How often a point is added to the plots.
const POINT_EVERY: Duration = Duration::from_secs(1);
/// How long ranks may take to answer a question about a task, and how long it is to the next question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
const QUESTION_PAUSE: Duration = Duration::from_millis(100);
/// How long the end of the run waits for streams to take the last state.
const FAREWELL: Duration = Duration::from_millis(400);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What a page may do: run our scripts, and ask us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = concat!(include_str!("../page/page.css"), include_str!("page/dashboard.css"));
const SCRIPT: &str = concat!(include_str!("../page/page.js"), include_str!("page/dashboard.js"));

/// The files of the page: where, of what kind, and what.
const FILES: [(&str, &str, &str); 6] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/dashboard.css", "text/css; charset=utf-8", STYLE),
    ("/dashboard.js", "text/javascript; charset=utf-8", SCRIPT),
    ("/uPlot.js", "text/javascript; charset=utf-8", include_str!("page/uplot/uPlot.iife.min.js")),
    ("/uPlot.css", "text/css; charset=utf-8", include_str!("page/uplot/uPlot.min.css")),
    ("/uPlot.LICENSE", "text/plain; charset=utf-8", include_str!("page/uplot/LICENSE")),
];

/// What is new of the board, as all streams send it.
#[derive(Clone, Debug, Default)]
struct Said {
    number: u64,
    news: Bytes,
    is_over: bool,
}

struct Shared {
    access: Access,
    sources: Sources,
    /// When the dashboard began, by the recorder's clock.
    start: u64,
    board: Mutex<(Board, Option<Instant>)>,
    said: watch::Sender<Said>,
    /// When that was, unless more is known since.
    said_at: Mutex<Option<Instant>>,
    /// All of the board, as it was told last: for who comes, or was too slow for the news.
    all: Mutex<(u64, Bytes)>,
    connections: Arc<Semaphore>,
    refused: AtomicU64,
    questions: Semaphore,
}

/// Serves until the run is over; what the dashboard's thread does.
pub(super) fn serve(listener: TcpListener, access: Access, sources: Sources, is_over: watch::Receiver<bool>) {
    machine::give_way();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    let run = async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let shared = Arc::new(Shared::new(access, sources));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        publish(&shared, is_over).await;
        accepting.abort();
        Ok(())
    };
    let served: std::io::Result<()> = runtime.and_then(|runtime| {
        let served = runtime.block_on(run);
        // Who still asks something is not waited for.
        runtime.shutdown_background();
        served
    });
    if let Err(error) = served {
        error::show(format_args!("maniple: the dashboard has ended: {error}"));
    }
}

async fn accept(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match Arc::clone(&shared.connections).try_acquire_owned() {
                Ok(permit) => drop(tokio::spawn(attend(stream, Arc::clone(&shared), permit))),
                Err(_) => {
                    shared.refused.fetch_add(1, Ordering::Relaxed);
                    let _ =
                        stream.try_write(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n");
                }
            },
            // There may be too many open files; that may change.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn attend(stream: TcpStream, shared: Arc<Shared>, _permit: OwnedSemaphorePermit) {
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(TAKE_TIMEOUT));
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, &request).await) }
    });
    // What goes wrong here is the other side's.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(shared: &Arc<Shared>, request: &Request<Incoming>) -> Response<Body> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    // Two names are none.
    let host = Some(()).filter(|()| request.headers().get_all(header::HOST).iter().count() == 1);
    let asked = Asked {
        host: host.and_then(|()| header(header::HOST)),
        origin: header(header::ORIGIN),
        site: header(header::HeaderName::from_static("sec-fetch-site")),
        authorization: header(header::AUTHORIZATION),
        cookie: header(header::COOKIE),
        query: request.uri().query(),
    };
    match shared.access.verdict(asked) {
        Verdict::Forbidden => refuse(StatusCode::FORBIDDEN, "Not by this name, and not for other pages."),
        Verdict::Unknown => {
            refuse(StatusCode::UNAUTHORIZED, "Open the address that the run printed, with its token.")
        }
        Verdict::Welcome if !matches!(*request.method(), Method::GET | Method::HEAD) => {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "There is only something to see here.")
        }
        Verdict::Welcome => show(shared, request.uri().path(), asked.query).await,
    }
}

async fn show(shared: &Arc<Shared>, path: &str, query: Option<&str>) -> Response<Body> {
    if let Some((_, kind, text)) = FILES.iter().find(|(place, _, _)| *place == path) {
        let mut page = respond(StatusCode::OK, kind, Bytes::from_static(text.as_bytes()));
        // So that the token is needed in the address once only.
        if let Ok(cookie) = HeaderValue::from_str(&shared.access.cookie()) {
            page.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        return page;
    }
    match path {
        "/api/events" => events(shared),
        "/api/state" => {
            shared.say_if_old();
            let (_, all) = shared.all();
            // Without what makes an event of it.
            let body = all.slice("data: ".len()..all.len() - "\n\n".len());
            respond(StatusCode::OK, "application/json", body)
        }
        "/api/task" => story(shared, query).await,
        "/metrics" => {
            shared.say_if_old();
            let text = lock(&shared.board).0.metrics(shared.elapsed());
            respond(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into())
        }
        "/health" => respond(StatusCode::OK, "application/json", "{\"status\":\"ok\"}".into()),
        _ => refuse(StatusCode::NOT_FOUND, "There is no such page."),
    }
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Body> {
    finish(status, kind, Full::new(body).boxed_unsync())
}

fn refuse(status: StatusCode, words: &'static str) -> Response<Body> {
    let mut response = respond(status, "text/plain; charset=utf-8", Bytes::from_static(words.as_bytes()));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn finish(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The state, again and again, as it changes.
fn events(shared: &Arc<Shared>) -> Response<Body> {
    shared.say_if_old();
    let (shared, mut states) = (Arc::clone(shared), shared.said.subscribe());
    let (mut sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        let mut last = None;
        loop {
            let said = states.borrow_and_update().clone();
            let follows = last.is_some_and(|last| last + 1 == said.number);
            let (number, bytes) = if follows { (said.number, said.news) } else { shared.all() };
            // This waits for the other side; who is slow finds the newest state afterwards.
            if last != Some(number) && sender.send_data(bytes).await.is_err() {
                return;
            }
            last = Some(number);
            if said.is_over || states.changed().await.is_err() {
                return;
            }
        }
    });
    finish(StatusCode::OK, "text/event-stream", body.boxed_unsync())
}

/// What became of a task, in words.
async fn story(shared: &Arc<Shared>, query: Option<&str>) -> Response<Body> {
    let size = shared.sources.recorder.head().cluster.ranks().len() as u32;
    let Some(task) = query_value(query, "id").and_then(|text| task_of(text, driver_of(size))) else {
        return refuse(StatusCode::BAD_REQUEST, "A task is a number, or a rank and a number, like 7 or 1.7.");
    };
    let Ok(_one_at_a_time) = shared.questions.try_acquire() else {
        return refuse(StatusCode::TOO_MANY_REQUESTS, "Another question is being answered.");
    };
    let client = shared.sources.client.clone();
    let story = tokio::task::spawn_blocking(move || client.story_of(task, ANSWER_TIMEOUT)).await;
    sleep(QUESTION_PAUSE).await;
    match story {
        Ok(Ok(words)) => {
            respond(StatusCode::OK, "application/json", json!({"words": words}).to_string().into())
        }
        _ => refuse(StatusCode::SERVICE_UNAVAILABLE, "The ranks do not answer now."),
    }
}

/// A task as people write it: its number, maybe after the rank that submitted it.
fn task_of(text: &str, driver: Rank) -> Option<TaskId> {
    let (rank, number) = match text.split_once('.') {
        Some((rank, number)) => (Rank(rank.parse().ok().filter(|rank| *rank < 1 << 20)?), number),
        None => (driver, text),
    };
    let number = number.parse::<u64>().ok().filter(|number| number >> 44 == 0)?;
    Some(TaskId::new(rank, number))
}

/// Says how the run stands, as long as it goes on.
async fn publish(shared: &Shared, mut is_over: watch::Receiver<bool>) {
    loop {
        let said = shared.said.borrow().news.len() * shared.said.receiver_count();
        let pause = PAUSE.max(Duration::from_secs_f64(said as f64 / BYTES_A_SECOND_MAX));
        let is_over = timeout(pause, is_over.changed()).await.is_ok();
        shared.gather();
        if shared.said.receiver_count() > 0 {
            shared.say(is_over);
        }
        if is_over {
            break;
        }
    }
    if shared.said.receiver_count() == 0 {
        return;
    }
    let deadline = Instant::now() + FAREWELL;
    while shared.said.receiver_count() > 0 && Instant::now() < deadline {
        sleep(Duration::from_millis(10)).await;
    }
    // What was handed to a connection is on its way a moment later.
    sleep(Duration::from_millis(30)).await;
}

impl Shared {
    fn new(access: Access, sources: Sources) -> Self {
        let board = Board::new(sources.recorder.head().clone());
        Self {
            access,
            sources,
            start: record::now(),
            board: Mutex::new((board, None)),
            said: watch::Sender::new(Said::default()),
            said_at: Mutex::default(),
            all: Mutex::default(),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            refused: AtomicU64::new(0),
            questions: Semaphore::new(1),
        }
    }

    fn elapsed(&self) -> u64 {
        record::now() - self.start
    }

    /// Takes in what there is to know.
    fn gather(&self) {
        let Sources { recorder, tally, lines, .. } = &self.sources;
        let (told, progress, outstanding) = (recorder.take_heard(), tally.progress(), tally.outstanding());
        let mut guard = lock(&self.board);
        let (board, point_at) = &mut *guard;
        board.note_vacancies(tally.vacancies());
        board.hear(told, self.start, |spans| tally.places(spans.iter().map(|span| span.task)));
        board.note_progress(progress, outstanding, self.elapsed());
        board.note_failures(tally.take_failures());
        board.note_sessions(tally.sessions());
        board.note_lines(lines.take());
        if point_at.is_none_or(|at| at.elapsed() >= POINT_EVERY) {
            *point_at = Some(Instant::now());
            board.note_point(self.elapsed());
        }
        *lock(&self.said_at) = None;
    }

    /// Says to all streams what is new.
    fn say(&self, is_over: bool) {
        let server = json!({
            "streams": self.said.receiver_count(),
            "connections": CONNECTIONS_MAX - self.connections.available_permits(),
            "connectionsMax": CONNECTIONS_MAX,
            "refused": self.refused.load(Ordering::Relaxed),
        });
        let (news, number) = {
            let (board, _) = &mut *lock(&self.board);
            (event(&board.tell(self.elapsed(), is_over, &server)), board.number())
        };
        *lock(&self.said_at) = Some(Instant::now());
        self.said.send_replace(Said { number, news, is_over });
    }

    /// Sees to it that what was said is of now, or of a moment ago.
    fn say_if_old(&self) {
        let is_new = lock(&self.said_at).is_some_and(|at| at.elapsed() < PAUSE);
        if !is_new {
            self.gather();
            self.say(false);
        }
    }

    /// All of what was said last, and its number. It is made once.
    fn all(&self) -> (u64, Bytes) {
        let board = lock(&self.board);
        let mut all = lock(&self.all);
        if all.0 != board.0.number() {
            let (number, json) = board.0.all();
            *all = (number, event(&json));
        }
        all.clone()
    }
}

fn event(json: &str) -> Bytes {
    Bytes::from(format!("data: {json}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_read_as_people_write_them() {
        let task = |text| task_of(text, Rank(1));
        assert_eq!(task("7"), Some(TaskId::new(Rank(1), 7)));
        assert_eq!(task("3.9"), Some(TaskId::new(Rank(3), 9)));
        for wrong in ["", "-1", "x", "1.", ".1", "1.2.3", "99999999999999999", "99999999.1"] {
            assert_eq!(task(wrong), None, "{wrong}");
        }
    }
}
