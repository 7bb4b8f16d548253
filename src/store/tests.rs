//! Stories of stores: what they are told, and what they want done.

use super::*;
use crate::disk::{Compression, Disk, SpillFile, SpillPlace};
use crate::{
    part::{Assembly, Run},
    value::encode,
};

fn value(elements: usize) -> Value {
    encode(vec![1.5f64; elements], 0, &mut Vec::new()).unwrap().unwrap()
}

type Posted = Vec<(Rank, Rank, BodyTag, Buffer)>;

/// Carries the actions of both stores out until there are none.
fn exchange(stores: &mut [Store; 2], posted: &mut Posted) {
    loop {
        let mut quiet = true;
        for this in 0..2 {
            for action in stores[this].take_actions() {
                quiet = false;
                let from = Rank(this as u32);
                match action {
                    Action::Post { source, tag, buffer } => posted.push((from, source, tag, buffer)),
                    Action::Say { target, message } => stores[target.index()].handle(from, message),
                    Action::SendBody { target, tag, body } => {
                        let place = posted
                            .iter()
                            .position(|(to, source, t, _)| (*to, *source, *t) == (target, from, tag));
                        let (_, _, _, mut buffer) =
                            posted.remove(place.expect("posted before it is asked for"));
                        buffer.fill_from(body.as_slice());
                        stores[target.index()].body_arrived(from, tag, buffer);
                    }
                    Action::Withdraw { source, tag } => {
                        let count = posted.len();
                        posted
                            .retain(|(to, from, t, _)| (*to, *from, *t) != (Rank(this as u32), source, tag));
                        assert_eq!(posted.len() + 1, count, "what is withdrawn was posted");
                    }
                    Action::Spill { .. } | Action::Load { .. } => unreachable!("there is no limit"),
                }
            }
        }
        if quiet {
            return;
        }
    }
}

fn held(task: u64, holder: u32, value: &Value) -> Held {
    Held { task: TaskId(task), holder: Rank(holder), size: value.size() }
}

#[test]
fn the_room_for_a_value_that_cannot_be_had_is_freed_and_its_tag_may_be_used_again() {
    let (mut stores, mut posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Vec::new());
    stores[0].put(TaskId(7), Value::broken("the disk is gone".into()), Claim::Worker);
    assert!(!stores[1].want(held(7, 0, &value(100)), Claim::Worker));
    exchange(&mut stores, &mut posted);
    assert_eq!((posted.len(), stores[1].coming.len(), stores[1].given_count), (0, 0, 0));
    let value = stores[1].get(TaskId(7)).expect("it is there, broken");
    assert_eq!(value.get::<Vec<f64>>(), Err("the disk is gone".to_string()));
}

#[test]
fn a_lost_ranks_own_value_is_awaited_by_nobody() {
    let fetch = |task: TaskId| ToStore::Fetch { task, tag: 0, part: None };
    let (own, mut store) = (TaskId::new(Rank(2), 5), Store::new(Rank(0)));
    // One asks for it after it is gone from here, another one after the loss is known.
    store.handle(Rank(1), fetch(own));
    assert_eq!(store.len(), 1);
    assert_eq!(store.lose(Rank(2)), (vec![], vec![]));
    store.handle(Rank(1), fetch(own));
    assert!(store.is_empty());
}

#[test]
fn what_was_coming_from_a_lost_rank_is_lacking_and_may_come_from_another() {
    let (mut store, value) = (Store::new(Rank(0)), value(100));
    assert!(!store.want(held(7, 2, &value), Claim::Worker));
    assert!(!store.want(held(8, 3, &value), Claim::Worker));
    assert_eq!(store.lose(Rank(2)), (vec![TaskId(7)], vec![]));
    assert_eq!((store.len(), store.coming_count()), (1, 1));
    store.take_actions();
    assert!(!store.want(held(7, 3, &value), Claim::Worker));
    assert!(matches!(
        store.take_actions()[..],
        [Action::Post { source: Rank(3), .. }, Action::Say { target: Rank(3), .. }]
    ));
}

/// A driver that gives a worker as many values as there are tags, and more, before the first of them has come.
#[test]
fn more_values_are_given_than_can_be_on_their_way() {
    let (mut store, value) = (Store::new(Rank(2)), value(100));
    let (head, body) = value.to_wire().unwrap();
    let count = u64::from(TAG_MAX) + 100;
    for task in 0..count {
        store.handle(Rank(1), ToStore::Pull(held(task, 1, &value)));
    }
    // One of those that wait is given up: who gave it hears of it all the same.
    store.free(TaskId(count - 1), Claim::Worker);
    let (mut pulled, mut posted) = (0, FxHashMap::default());
    loop {
        assert!(store.coming_count() <= COMING_MAX);
        let actions = store.take_actions();
        if actions.is_empty() {
            break;
        }
        for action in actions {
            match action {
                Action::Post { tag, buffer, .. } => assert!(posted.insert(tag, buffer).is_none()),
                Action::Say { target: Rank(1), message: ToStore::Fetch { task, tag, part: None } } => {
                    store.handle(Rank(1), ToStore::Head { task, head: head.clone() });
                    let mut buffer = posted.remove(&tag).expect("posted before it is asked for");
                    buffer.fill_from(body.as_slice());
                    store.body_arrived(Rank(1), tag, buffer);
                }
                Action::Say { target: Rank(1), message: ToStore::Pulled(_) } => pulled += 1,
                action => panic!("{action:?}"),
            }
        }
    }
    assert_eq!((pulled, store.len() as u64, store.coming_count()), (count, count - 1, 0));
}

#[test]
fn a_value_moves_once_to_who_wants_it() {
    let (mut stores, mut posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
    let value = value(100);
    assert!(!stores[1].want(held(7, 0, &value), Claim::Worker));
    assert!(!stores[1].want(held(7, 0, &value), Claim::Worker), "asked for once");
    exchange(&mut stores, &mut posted);
    assert!(stores[1].take_news().is_empty(), "not made yet");
    stores[0].put(TaskId(7), value.clone(), Claim::Worker);
    exchange(&mut stores, &mut posted);
    assert_eq!(stores[1].take_news(), [TaskId(7)]);
    assert_eq!(*stores[1].get(TaskId(7)).unwrap().get::<Vec<f64>>().unwrap(), vec![1.5; 100]);
    assert_eq!((stores[0].bytes(), stores[1].bytes()), (800, 800));
    assert!(posted.is_empty());
    stores[0].free(TaskId(7), Claim::Worker);
    stores[1].free(TaskId(7), Claim::Worker);
    assert_eq!((stores[0].len(), stores[1].len(), stores[0].bytes()), (0, 0, 0));
}

#[test]
fn a_part_comes_without_the_value() {
    let (mut stores, mut posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
    let value = encode((0..9u32).collect::<Vec<_>>(), 0, &mut Vec::new()).unwrap().unwrap();
    let cut = |from: usize, step: i64| {
        let (assembly, _) = Assembly::new(vec![vec![Run { piece: 0, from, step, count: 3 }]]);
        Cut { element_bytes: 4, align: 4, assembly }
    };
    let names = [TaskId::of_part(0), TaskId::of_part(1), TaskId::of_part(2)];
    stores[1].want_part(names[0], held(7, 0, &value), Some(cut(4, 1)));
    exchange(&mut stores, &mut posted);
    assert!(stores[1].take_news().is_empty(), "not made yet");
    stores[0].put(TaskId(7), value.clone(), Claim::Worker);
    stores[1].want_part(names[1], held(7, 0, &value), Some(cut(8, -4)));
    stores[1].want_part(names[2], held(7, 0, &value), Some(cut(7, 1)));
    exchange(&mut stores, &mut posted);
    assert_eq!(stores[1].take_news(), names);
    let part = |name| stores[1].get(name).unwrap().get::<Vec<u32>>();
    assert_eq!(*part(names[0]).unwrap(), [4, 5, 6]);
    assert_eq!(*part(names[1]).unwrap(), [8, 4, 0]);
    assert!(part(names[2]).unwrap_err().contains("has no part"), "there is no element 9");
    assert!(stores[1].get(TaskId(7)).is_none());
    names.into_iter().for_each(|name| stores[1].free(name, Claim::Worker));
    assert_eq!((stores[1].len(), stores[1].bytes()), (0, 0));
}

#[test]
fn more_parts_than_there_are_tags_come_one_after_the_other() {
    let (mut stores, mut posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
    let (value, count) = (value(2), 1 + u64::from(TAG_MAX) + 1);
    stores[0].put(TaskId(7), value.clone(), Claim::Worker);
    let (assembly, _) = Assembly::new(vec![vec![Run { piece: 0, from: 1, step: 1, count: 1 }]]);
    let cut = Cut { element_bytes: 8, align: 8, assembly };
    for part in 0..count {
        stores[1].want_part(TaskId::of_part(part), held(7, 0, &value), Some(cut.clone()));
    }
    assert_eq!(stores[1].coming_count(), COMING_MAX);
    exchange(&mut stores, &mut posted);
    assert_eq!(stores[1].take_news().len() as u64, count);
    assert_eq!(stores[1].coming_count(), 0);
}

#[test]
fn a_value_freed_on_its_way_goes_when_it_has_come() {
    let (mut stores, mut posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
    let value = value(3);
    stores[1].want(held(7, 0, &value), Claim::Worker);
    stores[1].free(TaskId(7), Claim::Worker);
    stores[0].put(TaskId(7), value, Claim::Worker);
    exchange(&mut stores, &mut posted);
    assert!(stores[1].is_empty() && stores[1].take_news().is_empty());
}

#[test]
fn a_value_put_for_the_worker_and_for_the_client_is_counted_once() {
    let (mut store, value) = (Store::new(Rank(0)), value(3));
    store.put(TaskId(1), value.clone(), Claim::Worker);
    store.put(TaskId(1), value, Claim::Client);
    assert_eq!(store.bytes(), 24);
    store.free(TaskId(1), Claim::Client);
    store.free(TaskId(1), Claim::Worker);
    assert_eq!((store.len(), store.bytes()), (0, 0));
}

#[test]
fn who_pulls_reports_to_who_told_it() {
    let (mut stores, _posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
    let value = value(3);
    stores[0].put(TaskId(1), value.clone(), Claim::Client);
    stores[1].handle(Rank(0), ToStore::Pull(held(1, 0, &value)));
    let fetch = stores[1].take_actions();
    assert_eq!(fetch.len(), 2);
    stores[0].handle(Rank(1), ToStore::Fetch { task: TaskId(1), tag: 0, part: None });
    let [Action::Say { .. }, Action::SendBody { body, .. }] = &stores[0].take_actions()[..] else { panic!() };
    stores[1].body_arrived(Rank(0), 0, Buffer::copy_of(body.as_slice(), 8));
    assert!(stores[1].take_actions().is_empty(), "the head is missing");
    stores[1].handle(Rank(0), ToStore::Head { task: TaskId(1), head: vec![1] });
    let [Action::Say { target: Rank(0), message: ToStore::Pulled(TaskId(1)) }] = stores[1].take_actions()[..]
    else {
        panic!()
    };
}

#[test]
fn what_did_not_come_whole_is_lacking_when_its_sender_is_known_to_be_lost() {
    let (mut sender, mut store) = (Store::new(Rank(1)).checking(true), Store::new(Rank(0)).checking(true));
    let value = value(3);
    sender.put(TaskId(1), value.clone(), Claim::Worker);
    store.want(held(1, 1, &value), Claim::Worker);
    assert_eq!(store.take_actions().len(), 2);
    sender.handle(Rank(0), ToStore::Fetch { task: TaskId(1), tag: 0, part: None });
    let mut sent = sender.take_actions().into_iter();
    let (Some(Action::Say { message, .. }), Some(Action::SendBody { body, .. })) = (sent.next(), sent.next())
    else {
        panic!()
    };
    let mut torn = body.as_slice().to_vec();
    torn[8..16].fill(0);
    store.handle(Rank(1), message);
    store.body_arrived(Rank(1), 0, Buffer::copy_of(&torn, 8));
    assert!(store.get(TaskId(1)).is_none() && store.take_news().is_empty());
    assert_eq!(store.lose(Rank(1)), (vec![TaskId(1)], vec![]));
    assert_eq!((store.len(), store.bytes()), (0, 0));
}

#[test]
fn a_value_that_cannot_be_sent_is_gone() {
    let mut stores = [Store::new(Rank(0)), Store::new(Rank(1))];
    let broken = Value::from_wire(vec![1], Buffer::new(9, 8));
    assert!(broken.get::<Vec<f64>>().is_err());
    stores[0].put(TaskId(7), broken, Claim::Worker);
    stores[1]
        .want(Held { task: TaskId(7), holder: Rank(0), size: Size { bytes: 9, align: 8 } }, Claim::Worker);
    for action in stores[1].take_actions() {
        if let Action::Say { message, .. } = action {
            stores[0].handle(Rank(1), message);
        }
    }
    for action in stores[0].take_actions() {
        if let Action::Say { message, .. } = action {
            stores[1].handle(Rank(0), message);
        }
    }
    assert_eq!(stores[1].take_news(), [TaskId(7)]);
    let error = stores[1].get(TaskId(7)).unwrap().get::<Vec<f64>>().unwrap_err();
    assert!(error.contains("Vec<f64>"), "{error}");
}

/// A store of rank 0 with a limit.
fn limited(limit_bytes: u64) -> (Store, Arc<Account>) {
    let mut store = Store::new(Rank(0));
    let account = Arc::new(Account::default());
    store.limit_memory(limit_bytes, Thresholds::default(), Arc::clone(&account));
    (store, account)
}

type Numbered = Vec<(u64, Value)>;

/// Which values are to be moved to the disk and which to be read back, in order.
fn disk_actions(store: &mut Store) -> (Numbered, Numbered) {
    let (mut spills, mut loads) = (Vec::new(), Vec::new());
    for action in store.take_actions() {
        match action {
            Action::Spill { task, value } => spills.push((task.0, value)),
            Action::Load { task, value } => loads.push((task.0, value)),
            _ => {}
        }
    }
    (spills, loads)
}

/// Does what the store wants done with the disk.
fn move_to_disk(store: &mut Store, disk: &Arc<dyn Disk>) -> Vec<u64> {
    let (spills, _) = disk_actions(store);
    let moved = spills.iter().map(|(task, _)| *task).collect();
    for (task, value) in spills {
        let outcome = value.spill(disk, Compression::None);
        store.spilled(TaskId(task), outcome);
    }
    moved
}

fn disk() -> Arc<dyn Disk> {
    Arc::new(SpillFile::new(std::env::temp_dir(), SpillPlace::Anywhere))
}

#[test]
fn a_value_that_is_freed_while_it_is_read_for_a_lost_rank_makes_room() {
    let (mut store, account) = limited(1000);
    let disk = disk();
    for task in 1..=4 {
        store.put(TaskId(task), value(30), Claim::Worker);
    }
    store.keep_within_memory(0);
    assert_eq!(move_to_disk(&mut store, &disk), [1, 2]);
    for task in 1..=2 {
        store.handle(Rank(1 + task as u32), ToStore::Fetch { task: TaskId(task), tag: 0, part: None });
    }
    // One at a time where there is no room.
    let (_, loads) = disk_actions(&mut store);
    assert_eq!(loads.iter().map(|(task, _)| *task).collect::<Vec<u64>>(), [1]);
    store.lose(Rank(2));
    store.free(TaskId(1), Claim::Worker);
    store.loaded(TaskId(1));
    store.keep_within_memory(0);
    let (_, loads) = disk_actions(&mut store);
    assert_eq!(loads.iter().map(|(task, _)| *task).collect::<Vec<u64>>(), [2], "{account:?}");
    assert_eq!(store.len(), 3);
}

#[test]
fn what_was_not_used_for_longest_goes_to_the_disk_and_comes_back_when_asked_for() {
    let (mut store, account) = limited(1000);
    let disk = disk();
    for task in 0..3 {
        // 240 bytes each: two fit into 600.
        store.put(TaskId(task), value(30), Claim::Worker);
    }
    assert!(store.claim(TaskId(0), Claim::Worker), "0 is used, so 1 was not used for longest");
    store.keep_within_memory(0);
    assert_eq!(move_to_disk(&mut store, &disk), [1]);
    assert_eq!((account.resident_bytes(), account.spilled_bytes(), store.bytes()), (480, 240, 720));
    assert_eq!(store.spilled_news(), Some(240));
    assert_eq!(*store.get(TaskId(1)).unwrap().get::<Vec<f64>>().unwrap(), vec![1.5; 30]);
    assert_eq!((account.resident_bytes(), account.spilled_bytes()), (720, 0));
    assert!(store.claim(TaskId(2), Claim::Worker) && store.claim(TaskId(0), Claim::Worker));
    store.keep_within_memory(0);
    assert_eq!(move_to_disk(&mut store, &disk), [2], "1 was read back after all others were used");
    (0..3).for_each(|task| store.free(TaskId(task), Claim::Worker));
    assert_eq!((account.resident_bytes(), account.spilled_bytes(), store.len()), (0, 0, 0));
}

#[test]
fn a_value_that_is_used_again_on_its_way_to_the_disk_goes_there_once() {
    let (mut store, account) = limited(300);
    let disk = disk();
    store.put(TaskId(0), value(30), Claim::Worker);
    store.keep_within_memory(0);
    let (spills, _) = disk_actions(&mut store);
    assert!(store.claim(TaskId(0), Claim::Worker));
    store.put(TaskId(1), value(30), Claim::Worker);
    store.keep_within_memory(0);
    assert_eq!(move_to_disk(&mut store, &disk), [1]);
    store.spilled(TaskId(0), spills[0].1.spill(&disk, Compression::None));
    assert!(!store.fullness().unwrap().changes, "nothing is on its way any more");
    assert_eq!(account.resident_bytes(), 0);
}

#[test]
fn a_value_that_a_task_uses_stays() {
    let (mut store, account) = limited(300);
    let disk = disk();
    store.put(TaskId(0), value(30), Claim::Worker);
    let used = store.get(TaskId(0)).unwrap().get::<Vec<f64>>().unwrap();
    store.keep_within_memory(0);
    assert!(move_to_disk(&mut store, &disk).is_empty());
    drop(used);
    store.keep_within_memory(0);
    assert_eq!(move_to_disk(&mut store, &disk), [0]);
    assert_eq!(account.resident_bytes(), 0);
}

#[test]
fn room_is_made_for_a_task_that_waits_for_it() {
    let (mut store, _) = limited(1000);
    let disk = disk();
    for task in 0..2 {
        store.put(TaskId(task), value(30), Claim::Worker);
    }
    store.keep_within_memory(300);
    assert!(move_to_disk(&mut store, &disk).is_empty(), "300 and 480 fit into 800");
    store.keep_within_memory(400);
    assert_eq!(move_to_disk(&mut store, &disk), [0]);
}

#[test]
fn another_rank_gets_what_is_on_the_disk() {
    let (mut store, _) = limited(300);
    let disk = disk();
    store.put(TaskId(0), value(30), Claim::Worker);
    store.keep_within_memory(0);
    assert_eq!(move_to_disk(&mut store, &disk), [0]);
    store.handle(Rank(1), ToStore::Fetch { task: TaskId(0), tag: 7, part: None });
    let (_, loads) = disk_actions(&mut store);
    assert_eq!(loads.len(), 1);
    loads[0].1.load();
    store.free(TaskId(0), Claim::Worker);
    store.loaded(TaskId(0));
    let [
        Action::Say { message: ToStore::Head { .. }, .. },
        Action::SendBody { target: Rank(1), tag: 7, body },
    ] = &store.take_actions()[..]
    else {
        panic!("it is sent")
    };
    assert_eq!(body.as_slice().len(), 240);
    assert!(store.is_empty(), "nobody here needed it");
}

#[test]
fn values_are_asked_for_as_far_as_there_is_room() {
    let (mut store, _) = limited(1000);
    let held = |task| Held { task: TaskId(task), holder: Rank(1), size: Size { bytes: 500, align: 8 } };
    for task in 0..3 {
        assert!(!store.want(held(task), Claim::Worker));
    }
    let asked = |store: &mut Store| {
        let fetch = |action| match action {
            Action::Say { message: ToStore::Fetch { task, tag, .. }, .. } => Some((task.0, tag)),
            _ => None,
        };
        store.take_actions().into_iter().filter_map(fetch).collect::<Vec<_>>()
    };
    let first = asked(&mut store);
    assert_eq!(first.len(), 1, "500 of 800 bytes: another 500 have to wait");
    store.free(TaskId(1), Claim::Worker);
    store.handle(Rank(1), ToStore::Head { task: TaskId(0), head: vec![1] });
    store.body_arrived(Rank(1), first[0].1, Buffer::new(500, 8));
    store.keep_within_memory(0);
    assert_eq!(
        asked(&mut store).iter().map(|(task, _)| *task).collect::<Vec<_>>(),
        [2],
        "nobody wants 1 any more"
    );
}

#[test]
fn a_full_disk_leaves_values_in_memory_until_it_is_looked_at_again() {
    let (mut store, _) = limited(300);
    store.put(TaskId(0), value(30), Claim::Worker);
    store.keep_within_memory(0);
    assert_eq!(disk_actions(&mut store).0.len(), 1);
    store.spilled(TaskId(0), Spill::Failed("no space left".into()));
    store.keep_within_memory(0);
    assert!(disk_actions(&mut store).0.is_empty());
    assert_eq!(store.fullness().unwrap().hard_room_bytes, Some(60));
    store.observe(0);
    store.keep_within_memory(0);
    assert_eq!(disk_actions(&mut store).0.len(), 1);
}

#[test]
fn what_the_process_has_besides_leaves_less_room_for_values() {
    let (mut store, _) = limited(1000);
    store.put(TaskId(0), value(30), Claim::Worker);
    store.keep_within_memory(0);
    assert!(disk_actions(&mut store).0.is_empty());
    store.observe(900);
    store.keep_within_memory(0);
    assert_eq!(disk_actions(&mut store).0.len(), 1);
}

#[test]
fn an_ended_session_leaves_no_room_no_request_and_in_the_end_no_value() {
    let session = Rank(9);
    let own = |sequence| TaskId::new(session, sequence);
    let mut store = Store::new(Rank(2));
    // It was to send one value to this rank, which passes it on, and had asked for another that is not there yet.
    let held = Held { task: own(0), holder: session, size: value(10).size() };
    store.handle(session, ToStore::Pull(held));
    store.handle(Rank(3), ToStore::Fetch { task: own(0), tag: 1, part: None });
    store.handle(session, ToStore::Fetch { task: own(7), tag: 4, part: None });
    store.put(own(8), value(10), Claim::Worker);
    store.take_actions();
    store.end_session(session);
    let actions = store.take_actions();
    let withdrawn = |action: &Action| matches!(action, Action::Withdraw { source, .. } if *source == session);
    assert!(actions.iter().any(withdrawn), "{actions:?}");
    let refused = |action: &Action| matches!(action, Action::Say { target: Rank(3), message: ToStore::Gone { task, .. } } if *task == own(0));
    assert!(actions.iter().any(refused), "{actions:?}");
    assert!(!actions.iter().any(|action| matches!(action, Action::Say { target, .. } if *target == session)));
    assert!(store.get(own(0)).is_some(), "whoever waits for it gets a broken one");
    assert_eq!((store.coming_count(), store.len()), (0, 2));
    store.forget_session(session);
    assert!(store.is_empty());
}

#[test]
fn what_an_ended_session_has_not_given_is_broken_for_whoever_waits_for_it() {
    let session = Rank(9);
    let own = |sequence| TaskId::new(session, sequence);
    let mut store = Store::new(Rank(2));
    // The scheduler has said that they are here: it has heard of them, and the session ended before this rank did.
    let held = |sequence| Held { task: own(sequence), holder: Rank(2), size: value(10).size() };
    assert!(!store.want(held(0), Claim::Worker));
    store.handle(Rank(3), ToStore::Fetch { task: own(1), tag: 1, part: None });
    assert_eq!((store.take_news(), store.take_actions().len()), (vec![], 0));
    store.end_session(session);
    // Word of this one comes later; and these were with the session alone.
    assert!(!store.want(held(2), Claim::Worker));
    let with_session = |sequence| Held { holder: session, ..held(sequence) };
    assert!(!store.want(with_session(3), Claim::Worker));
    store.want_part(own(5), with_session(4), None);
    assert_eq!(store.take_news(), [own(0), own(2), own(3), own(5)]);
    assert!([0, 2, 3, 5].iter().all(|sequence| store.get(own(*sequence)).is_some()), "broken values");
    let actions = store.take_actions();
    let refused = |action: &Action| matches!(action, Action::Say { target: Rank(3), message: ToStore::Gone { task, .. } } if *task == own(1));
    assert!(actions.iter().any(refused), "{actions:?}");
    store.forget_session(session);
    assert!(store.is_empty());
}

/// The scheduler hears before this rank that a session has ended, and frees what this rank has not even heard of.
#[test]
fn what_is_freed_before_its_session_has_sent_it_waits_for_that_session_to_end() {
    let session = Rank(9);
    let own = |sequence| TaskId::new(session, sequence);
    let value = value(10);
    let held = |sequence| Held { task: own(sequence), holder: session, size: value.size() };
    let mut store = Store::new(Rank(2)).with_sessions_from(Rank(4));
    // Another rank was told to get one of them here.
    store.handle(Rank(3), ToStore::Fetch { task: own(1), tag: 1, part: None });
    for sequence in 0..3 {
        store.free(own(sequence), Claim::Worker);
    }
    store.handle(session, ToStore::Pull(held(0)));
    let actions = store.take_actions();
    let Some(Action::Post { tag, mut buffer, .. }) =
        actions.into_iter().find(|action| matches!(action, Action::Post { .. }))
    else {
        panic!("the session waits for word that it has come");
    };
    let (head, body) = value.to_wire().unwrap();
    store.handle(session, ToStore::Head { task: own(0), head });
    buffer.fill_from(body.as_slice());
    store.body_arrived(session, tag, buffer);
    assert!(store.get(own(0)).is_none(), "nobody needs it");
    store.take_actions();
    store.end_session(session);
    let refused = |action: &Action| matches!(action, Action::Say { target: Rank(3), message: ToStore::Gone { task, .. } } if *task == own(1));
    let actions = store.take_actions();
    assert!(actions.iter().any(refused), "{actions:?}");
    assert!(store.is_empty() && store.freed_early.is_empty());
}

/// A session has a value passed on from worker to worker; it ends, and the worker that has the value is lost.
#[test]
fn what_nobody_can_give_any_more_is_broken_for_those_who_wait_for_it() {
    let (session, lost, waiting) = (Rank(9), Rank(3), Rank(4));
    let (task, value) = (TaskId::new(session, 0), value(10));
    let mut store = Store::new(Rank(2)).with_sessions_from(Rank(5));
    store.handle(session, ToStore::Pull(Held { task, holder: lost, size: value.size() }));
    store.handle(waiting, ToStore::Fetch { task, tag: 1, part: None });
    store.end_session(session);
    store.take_actions();
    assert_eq!(store.lose(lost), (vec![task], vec![]));
    let actions = store.take_actions();
    let is_told = |action: &Action| matches!(action, Action::Say { target, message: ToStore::Gone { .. } } if *target == waiting);
    assert!(actions.iter().any(is_told), "{actions:?}");
    assert!(store.is_empty());
}
