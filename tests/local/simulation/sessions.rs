//! Sessions that come and go while a cluster stands, each with a program of its own: they leave or are killed at any
//! instant, publish, and use what others have published.
//!
//! Of an ended session nothing is left but what it published. What is published has its value until somebody forgets
//! the name, whoever is there; and whoever is there gets the right answers, as if it were alone.

use super::{
    functions::*,
    model::{Failure, Hold, name},
    program::Program,
    tell_lines, variable, words_of, world,
};
use maniple::{
    Client, Error, Rank, Reason, TaskError,
    internals::{
        comm::simulated::Random,
        ids::TaskId,
        simulation::{Question, Simulation, find, publish, unpublish},
    },
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many seeds a test run tries.
const SEEDS: u64 = 60;
/// How many sessions there are in a run at most, and at a time.
const SESSIONS_MAX: usize = 7;
const SESSIONS_AT_A_TIME: usize = 3;

/// Why a value is broken that its session was to send.
const SESSION_ENDED: &str = "its session has ended before it was sent";

/// What was published, or may have been: nobody knows what came of it when its publisher was killed.
struct Publication {
    name: String,
    /// Which session has published it, and which of its tasks it is.
    session: usize,
    place: usize,
    is_list: bool,
    is_known: bool,
    /// Whether somebody has asked to forget it, and whether that was done.
    may_be_gone: bool,
    is_gone: bool,
}

/// What a session has asked of the catalog.
enum Asked {
    Publish,
    Unpublish,
    /// It looks the name up, which was known already or not, or gone.
    Find {
        was_known: bool,
        was_gone: bool,
    },
}

/// A future of what was published, or of a task that takes it.
struct Found {
    publication: usize,
    is_derived: bool,
    hold: Option<Hold>,
    asked: bool,
    answer: Option<Result<Vec<u64>, Box<TaskError>>>,
}

struct Session {
    rank: Rank,
    program: Program,
    questions: Vec<(Question, usize, Asked)>,
    found: Vec<Found>,
    is_here: bool,
}

/// All that goes on in a run.
struct Life {
    random: Random,
    seed: u64,
    losses: bool,
    driver: Program,
    sessions: Vec<Session>,
    publications: Vec<Publication>,
}

/// A program without what concerns others: how much time is left, disks that damage values, and losses.
fn program(client: Client, seed: u64, losses: bool) -> Program {
    let mut program = Program::new(client, seed, losses);
    (program.timing, program.damages) = (None, false);
    program
}

impl Life {
    fn new(simulation: &Simulation, seed: u64, losses: bool) -> Self {
        Self {
            random: Random::new(seed ^ 0x5e55_1045),
            seed,
            losses,
            driver: program(simulation.client(), seed, losses),
            sessions: Vec::new(),
            publications: Vec::new(),
        }
    }

    fn connect(&mut self, simulation: &mut Simulation) {
        let (rank, client) = simulation.connect();
        let mut program =
            program(client, self.seed.wrapping_mul(31) + self.sessions.len() as u64, self.losses);
        // Workers are lost by the driver's program, all of them maybe; none is retired.
        program.losing.iter_mut().for_each(|losing| losing.left = 0);
        program.retiring = None;
        let (questions, found) = (Vec::new(), Vec::new());
        self.sessions.push(Session { rank, program, questions, found, is_here: true });
    }

    fn here(&self) -> Vec<usize> {
        (0..self.sessions.len()).filter(|index| self.sessions[*index].is_here).collect()
    }

    /// Something that a session or the driver does.
    fn act(&mut self, simulation: &mut Simulation) {
        let here = self.here();
        let may_connect = self.sessions.len() < SESSIONS_MAX && here.len() < SESSIONS_AT_A_TIME;
        if may_connect && (here.is_empty() || self.random.chance(1, 20)) {
            return self.connect(simulation);
        }
        if here.is_empty() || self.random.chance(1, 6) {
            return if self.driver.actions_left > 0 {
                self.driver.act()
            };
        }
        let index = *self.random.choose(&here);
        match self.random.below(24) {
            0 => self.end(simulation, index),
            1..=4 => self.publish(index),
            5..=7 => self.ask_for_one(index, false),
            8 => self.ask_for_one(index, true),
            9 | 10 => self.let_go(index),
            _ if self.sessions[index].program.actions_left > 0 => self.sessions[index].program.act(),
            _ => self.end(simulation, index),
        }
    }

    fn end(&mut self, simulation: &mut Simulation, index: usize) {
        let is_killed = self.random.chance(1, 2);
        let session = &mut self.sessions[index];
        simulation.end_session(session.rank, is_killed);
        session.is_here = false;
        session.questions.clear();
        session.found.iter_mut().for_each(|found| found.hold = None);
        session.program.entries.iter_mut().for_each(|entry| entry.hold = None);
    }

    fn publish(&mut self, index: usize) {
        let program = &self.sessions[index].program;
        let held = |place: &usize| program.entries[*place].hold.is_some();
        let places: Vec<usize> = (0..program.entries.len()).filter(held).collect();
        if places.is_empty() {
            return;
        }
        let place = *self.random.choose(&places);
        let (name, client) = (format!("x{}", self.publications.len()), &program.client);
        let (is_list, question) = match program.entries[place].hold.as_ref().expect("it is held") {
            Hold::Number(future) => (false, publish(client, &name, future)),
            Hold::List(future) => (true, publish(client, &name, future)),
        };
        let Some(question) = question else { return };
        self.sessions[index].questions.push((question, self.publications.len(), Asked::Publish));
        let (is_known, may_be_gone, is_gone) = (false, false, false);
        let session = index;
        self.publications.push(Publication { name, session, place, is_list, is_known, may_be_gone, is_gone });
    }

    fn ask_for_one(&mut self, index: usize, forgets: bool) {
        if !self.publications.is_empty() {
            let place = self.random.below(self.publications.len() as u64) as usize;
            self.ask(index, place, forgets);
        }
    }

    /// Asks for what is published, or to forget it.
    fn ask(&mut self, index: usize, place: usize, forgets: bool) {
        let (session, publication) = (&mut self.sessions[index], &mut self.publications[place]);
        let (client, name) = (&session.program.client, &publication.name);
        let (question, asked) = match forgets {
            true => (unpublish(client, name), Asked::Unpublish),
            false => {
                let (was_known, was_gone) = (publication.is_known, publication.is_gone);
                (find(client, name), Asked::Find { was_known, was_gone })
            }
        };
        publication.may_be_gone |= forgets;
        session.questions.push((question, place, asked));
    }

    /// Takes in the answers of the catalog.
    fn hear(&mut self, index: usize) {
        let (session, publications) = (&mut self.sessions[index], &mut self.publications);
        let random = &mut self.random;
        let client = session.program.client.clone();
        session.questions.retain(|(question, place, asked)| {
            let publication = &mut publications[*place];
            let name = &publication.name;
            match asked {
                Asked::Publish => {
                    let Some(is_done) = question.done() else { return true };
                    assert!(is_done, "{name}: nobody else has the name");
                    publication.is_known = true;
                }
                Asked::Unpublish => {
                    let Some(is_done) = question.done() else { return true };
                    assert!(!(is_done && publication.is_gone), "{name}: it is forgotten once");
                    publication.is_gone |= is_done;
                }
                Asked::Find { was_known, was_gone } => {
                    let found = match publication.is_list {
                        true => question.found().map(|found| found.map(Hold::List)),
                        false => question.found().map(|found| found.map(Hold::Number)),
                    };
                    let Some(found) = found else { return true };
                    assert!(found.is_none() || !was_gone, "{name}: it was forgotten");
                    let must_be_there = *was_known && !publication.may_be_gone;
                    assert!(found.is_some() || !must_be_there, "{name}: it is not there");
                    let Some(hold) = found else { return false };
                    let derived = random.chance(1, 2).then(|| match &hold {
                        Hold::Number(future) => Hold::Number(client.submit(add, (future, 1))),
                        Hold::List(future) => Hold::Number(client.submit(sum, future)),
                    });
                    let both = [(false, Some(hold)), (true, derived)];
                    session.found.extend(both.into_iter().filter(|(_, hold)| hold.is_some()).map(
                        |(is_derived, hold)| Found {
                            publication: *place,
                            is_derived,
                            hold,
                            asked: false,
                            answer: None,
                        },
                    ));
                }
            }
            false
        });
    }

    /// Lets go of what was found, answered or not.
    fn let_go(&mut self, index: usize) {
        let (found, random) = (&mut self.sessions[index].found, &mut self.random);
        found
            .iter_mut()
            .filter(|found| !found.asked && random.chance(1, 3))
            .for_each(|found| found.hold = None);
    }

    fn poll(&mut self) {
        self.driver.poll();
        for index in self.here() {
            self.hear(index);
            let session = &mut self.sessions[index];
            session.program.poll();
            for found in session.found.iter_mut().filter(|found| found.answer.is_none()) {
                let Some(hold) = &found.hold else { continue };
                found.answer = hold.poll(&mut found.asked).map(|result| match result {
                    Ok(value) => Ok(value),
                    Err(Error::Task(error)) => Err(Box::new((*error).clone())),
                    Err(error) => panic!("{}: {error}", self.publications[found.publication].name),
                });
            }
        }
    }

    /// Lets everything happen that does, until all have their answers.
    fn settle(&mut self, simulation: &mut Simulation) {
        loop {
            self.poll();
            self.driver.lose(simulation);
            if simulation.step() {
                continue;
            }
            self.poll();
            if !simulation.step() {
                return self.assert_answered(simulation);
            }
        }
    }

    fn assert_answered(&self, simulation: &Simulation) {
        let programs = self.here().into_iter().map(|index| &self.sessions[index].program);
        let unanswered = programs.chain([&self.driver]).find_map(Program::unanswered);
        assert!(unanswered.is_none(), "task {unanswered:?}: nobody will ever answer\n{simulation:?}");
        for index in self.here() {
            let session = &self.sessions[index];
            assert!(session.questions.is_empty(), "the catalog does not answer session {}", session.rank);
            for found in session.found.iter().filter(|found| found.hold.is_some()) {
                let task = self.task_of(&self.publications[found.publication]);
                assert!(found.answer.is_some(), "task {task:?}: session {} waits for it", session.rank);
            }
        }
    }

    fn task_of(&self, publication: &Publication) -> TaskId {
        self.sessions[publication.session].program.entries[publication.place].id
    }

    /// Compares all answers with the model.
    fn check(&mut self) {
        self.driver.check();
        let losing = self.driver.losing.as_ref().map(|losing| losing.ranks.clone());
        for session in &mut self.sessions {
            session.program.losing.iter_mut().zip(&losing).for_each(|(own, all)| own.ranks.clone_from(all));
            session.program.check();
        }
        let known: Vec<_> = self.sessions.iter().map(|session| session.program.model()).collect();
        for found in self.sessions.iter().flat_map(|session| &session.found) {
            let publication = &self.publications[found.publication];
            let publisher = &self.sessions[publication.session];
            let (place, program) = (publication.place, &publisher.program);
            let (has_value, failures) = &known[publication.session][place];
            let (value, is_derived) = (&program.entries[place].value, found.is_derived);
            let label = if publication.is_list { name(&sum) } else { name(&add) };
            let task = self.task_of(publication);
            match &found.answer {
                None => {}
                Some(Ok(answer)) => {
                    let value = match (is_derived, publication.is_list) {
                        (false, _) => value.clone(),
                        (true, true) => vec![sum(value)],
                        (true, false) => vec![value[0].wrapping_add(1)],
                    };
                    assert!(has_value, "task {task:?}: it must fail: {failures:?}");
                    assert_eq!(*answer, value, "task {task:?}: another one has found it");
                }
                Some(Err(error)) => {
                    let is = |failure: &Failure| {
                        let mut failure = failure.clone();
                        failure.dependents.extend(is_derived.then(|| label.clone()));
                        failure.is(error)
                    };
                    // What a session gave went with it, before a worker had it or after the workers that did were lost.
                    let no_worker = losing.as_ref().is_some_and(Vec::is_empty);
                    let is_given = |error: &TaskError| {
                        error.function == "a value that was given" || error.message.starts_with(SESSION_ENDED)
                    };
                    let is_lost = match error.reason {
                        Reason::Lost if no_worker || program.needs_given(place) => self.losses,
                        // Large arguments are given, too.
                        Reason::Lost | Reason::Decode => self.losses && !publisher.is_here && is_given(error),
                        Reason::NoWorker => no_worker,
                        _ => false,
                    };
                    assert!(is_lost || failures.iter().any(is), "task {task:?}: {error:?}, not {failures:?}");
                }
            }
        }
    }

    /// Of sessions that have ended there is nothing but what they published.
    fn assert_only_published(&self, simulation: &Simulation) {
        for (index, session) in self.sessions.iter().enumerate().filter(|(_, session)| !session.is_here) {
            let is_published = |task: &TaskId| {
                let mut its = self.publications.iter().filter(|publication| publication.session == index);
                its.any(|publication| self.task_of(publication) == *task && !publication.is_gone)
            };
            let left = simulation.held_of(session.rank);
            // Where losses are survived, what values were made of stays with them.
            if let Some(task) = left.iter().find(|task| !is_published(task) && !self.losses) {
                panic!("task {task:?}: it is left of session {}\n{simulation:?}", session.rank);
            }
            for publication in self.publications.iter().filter(|publication| publication.session == index) {
                let must_be_there = publication.is_known && !publication.may_be_gone;
                let task = self.task_of(publication);
                assert!(!must_be_there || left.contains(&task), "task {task:?}: it was published");
            }
        }
    }
}

/// Runs a seed to its end. Returns how many publications outlived their sessions and were read.
fn play(simulation: &mut Simulation, seed: u64, losses: bool) -> usize {
    let mut life = Life::new(simulation, seed, losses);
    let (haste, mut actions) = (1 + life.random.below(30), 60 + life.random.below(120));
    while actions > 0 {
        if life.random.chance(1, haste) || !simulation.step() {
            life.act(simulation);
            actions -= 1;
        }
        life.driver.lose(simulation);
        life.poll();
    }
    let read_all = |program: &mut Program| {
        program.entries.iter_mut().for_each(|entry| entry.is_read = entry.hold.is_some());
    };
    read_all(&mut life.driver);
    life.sessions.iter_mut().for_each(|session| read_all(&mut session.program));
    life.settle(simulation);
    life.driver.entries.iter_mut().for_each(|entry| entry.hold = None);
    // All end while others still run, then one comes that finds what they left.
    for index in life.here() {
        life.end(simulation, index);
    }
    life.settle(simulation);
    life.assert_only_published(simulation);
    life.connect(simulation);
    let last = life.sessions.len() - 1;
    (0..life.publications.len()).for_each(|place| life.ask(last, place, false));
    life.settle(simulation);
    let is_read = |found: &&Found| !found.is_derived && found.answer.as_ref().is_some_and(Result::is_ok);
    let read = life.sessions[last].found.iter().filter(is_read).count();
    life.sessions[last].found.iter_mut().for_each(|found| found.hold = None);
    (0..life.publications.len()).for_each(|place| life.ask(last, place, true));
    life.settle(simulation);
    life.check();
    let left = simulation.left_over();
    assert!(left.is_empty(), "something is left\n{simulation:?}");
    life.end(simulation, last);
    life.settle(simulation);
    assert!(simulation.left_over().is_empty(), "something is left of the last session\n{simulation:?}");
    simulation.shut_down();
    while simulation.step() {}
    assert!(simulation.is_over(), "every rank hears of the end");
    read
}

fn simulation(seed: u64, losses: bool, is_traced: bool) -> Simulation {
    let mut options = world(seed, losses);
    options.disk.damages = false;
    Simulation::new(options, is_traced)
}

/// Plays seeds, and if one fails tells all there is to know. Returns how many publications were read.
fn check(losses: bool) -> usize {
    let only = variable("MANIPLE_SEED");
    let first = only.or(variable("MANIPLE_FIRST_SEED")).unwrap_or(0);
    let count = only.map_or_else(|| variable("MANIPLE_SEEDS").unwrap_or(SEEDS), |_| 1);
    let play_one = |seed| {
        let mut run = simulation(seed, losses, false);
        let played = catch_unwind(AssertUnwindSafe(|| play(&mut run, seed, losses)));
        played.unwrap_or_else(|panic| {
            let mut run = simulation(seed, losses, true);
            let _ = catch_unwind(AssertUnwindSafe(|| play(&mut run, seed, losses)));
            let words = words_of(&*panic);
            tell_lines(&run, &words, only.is_some());
            panic!("{words}\nseed {seed} failed: replay with MANIPLE_SEED={seed} and --test local simulation::sessions")
        })
    };
    (first..first + count).map(play_one).sum()
}

#[test]
fn sessions_leave_nothing_but_what_they_published() {
    let read = check(false);
    assert!(read > 0 || variable("MANIPLE_SEED").is_some(), "publications outlive their sessions");
}

#[test]
fn sessions_survive_the_loss_of_workers() {
    check(true);
}
