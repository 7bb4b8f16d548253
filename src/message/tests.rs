//! Messages of all shapes, whole and broken.

use super::*;
use proptest::{collection::vec, option, prelude::*, sample::Index};

fn task() -> impl Strategy<Value = TaskId> {
    (0u32..9, 0u64..1 << 44).prop_map(|(owner, sequence)| TaskId::new(Rank(owner), sequence))
}

fn tasks_of(count: impl Strategy<Value = u32>) -> impl Strategy<Value = Tasks> {
    (task(), count).prop_map(|(first, count)| Tasks { first, count })
}

fn publication() -> impl Strategy<Value = Publication> {
    (".{0,9}", bytes(), ranges()).prop_map(|(kind, head, tasks)| Publication { kind, head, tasks })
}

fn catalog_request() -> impl Strategy<Value = CatalogRequest> {
    prop_oneof![
        (".{0,9}", publication())
            .prop_map(|(name, publication)| CatalogRequest::Publish { name, publication }),
        ".{0,9}".prop_map(|name| CatalogRequest::Find { name }),
        ".{0,9}".prop_map(|name| CatalogRequest::Unpublish { name }),
        Just(CatalogRequest::List),
    ]
}

fn ranges() -> impl Strategy<Value = Vec<Tasks>> {
    vec(tasks_of(any::<u32>()), 0..4)
}

fn code() -> impl Strategy<Value = Code> {
    (any::<u64>(), any::<u64>()).prop_map(|(module, offset)| Code { module, offset })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..20)
}

fn packed(count: usize) -> impl Strategy<Value = Packed> {
    vec(bytes(), count).prop_map(|values| values.iter().map(Vec::as_slice).collect())
}

fn held() -> impl Strategy<Value = Held> {
    let size = any::<(u64, u8)>().prop_map(|(bytes, align)| Size { bytes, align });
    (task(), any::<u32>(), size).prop_map(|(task, holder, size)| Held { task, holder: Rank(holder), size })
}

fn need() -> impl Strategy<Value = Need> {
    prop_oneof![
        bytes().prop_map(Need::Inline),
        held().prop_map(Need::Held),
        held().prop_map(Need::Part),
        task().prop_map(Need::Own),
        task().prop_map(Need::Sent),
    ]
}

fn column(count: usize) -> impl Strategy<Value = Column> {
    let lists = || vec(ranges(), count);
    prop_oneof![
        bytes().prop_map(Column::Same),
        packed(count).prop_map(Column::Each),
        (task(), 0u32..3).prop_map(|(first, stride)| Column::stride(first, stride)),
        vec(task(), count).prop_map(Column::values),
        (lists(), code()).prop_map(|(lists, collect)| Column::Lists { lists, collect }),
        (lists(), packed(count)).prop_map(|(lists, cuts)| Column::Parts { lists, cuts }),
    ]
}

fn argument(count: usize) -> impl Strategy<Value = Given> {
    let lists = || vec(vec(need(), 0..3), count);
    prop_oneof![
        bytes().prop_map(Given::Same),
        packed(count).prop_map(Given::Each),
        vec(need(), count).prop_map(Given::Values),
        (lists(), code()).prop_map(|(lists, collect)| Given::Lists { lists, collect }),
        (lists(), packed(count)).prop_map(|(lists, cuts)| Given::Parts { lists, cuts }),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let workers = vec(any::<u32>().prop_map(Rank), 0..3);
    let resources = vec((".{0,5}", any::<u32>()), 0..3);
    (any::<(i32, bool, bool, u64, u64)>(), workers, resources, option::of(".{0,9}")).prop_map(
        |((priority, one_each, allow_other, expected, timeout), workers, resources, label)| Options {
            priority,
            workers,
            one_each,
            allow_other,
            expected_nanoseconds: expected,
            timeout_nanoseconds: timeout,
            resources,
            label,
            ..Options::default()
        },
    )
}

fn layer() -> impl Strategy<Value = Layer> {
    (1u32..6).prop_flat_map(|count| {
        let columns = vec(column(count as usize), 0..4);
        (tasks_of(Just(count)), code(), columns, any::<u32>(), option::of(options())).prop_map(
            |(tasks, code, columns, level, options)| Layer {
                tasks,
                code,
                columns,
                level,
                depth: 0,
                options: options.map(Box::new),
            },
        )
    })
}

fn run() -> impl Strategy<Value = Run> {
    (1u32..6).prop_flat_map(|count| {
        let arguments = vec(argument(count as usize), 0..4);
        (tasks_of(Just(count)), code(), any::<(u32, u64)>(), arguments, option::of(".{0,9}")).prop_map(
            |(tasks, code, (attempt, timeout_nanoseconds), arguments, label)| Run {
                tasks,
                code,
                attempt,
                arguments,
                label,
                timeout_nanoseconds,
                is_kept: false,
                depth: 0,
                order: 0,
            },
        )
    })
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![
        (task(), bytes()).prop_map(|(task, value)| Made::Small { task, value }),
        held().prop_map(Made::Large),
    ]
}

fn finished() -> impl Strategy<Value = Finished> {
    let values = (0usize..5).prop_flat_map(packed);
    (task(), values).prop_map(|(first, values)| Finished { first, values })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        bytes().prop_map(Outcome::Value),
        ".{0,9}".prop_map(Outcome::Error),
        ".{0,9}".prop_map(Outcome::Panic),
        Just(Outcome::Stopping),
    ]
}

fn to_scheduler() -> impl Strategy<Value = ToScheduler> {
    let times = (finished(), any::<u64>());
    prop_oneof![
        layer().prop_map(ToScheduler::Submit),
        finished().prop_map(ToScheduler::Give),
        held().prop_map(|held| ToScheduler::Place {
            task: held.task,
            size: held.size,
            holders: vec![held.holder]
        }),
        ranges().prop_map(ToScheduler::Release),
        ranges().prop_map(ToScheduler::Cancel),
        vec(any::<u32>().prop_map(Rank), 0..3).prop_map(ToScheduler::Retire),
        times.prop_map(|(finished, nanoseconds)| ToScheduler::Finished { finished, nanoseconds }),
        held().prop_map(|held| ToScheduler::Stored { task: held.task, size: held.size, nanoseconds: 7 }),
        ranges().prop_map(ToScheduler::Yielded),
        (task(), 0u32..9, any::<u64>()).prop_map(|(task, target, order)| ToScheduler::Missed {
            task,
            target: Rank(target),
            order
        }),
        any::<i32>().prop_map(ToScheduler::Blocked),
        any::<u64>().prop_map(|nanoseconds| ToScheduler::Behind { nanoseconds }),
        (any::<u32>(), ".{0,9}").prop_map(|(rank, how)| ToScheduler::Died { rank: Rank(rank), how }),
        (any::<u64>(), catalog_request())
            .prop_map(|(question, request)| ToScheduler::Catalog { question, request }),
        outcome().prop_map(ToScheduler::Shutdown),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let to_store = prop_oneof![
        held().prop_map(ToStore::Pull),
        (task(), any::<u16>()).prop_map(|(task, tag)| ToStore::Fetch { task, tag, part: None }),
        (task(), bytes()).prop_map(|(task, head)| ToStore::Head { task, head }),
        (task(), ".{0,9}").prop_map(|(task, reason)| ToStore::Gone { task, reason }),
    ];
    prop_oneof![
        to_scheduler().prop_map(Message::ToScheduler),
        run().prop_map(|run| Message::ToWorker(ToWorker::Run(run))),
        ranges().prop_map(|tasks| Message::ToWorker(ToWorker::Free(tasks))),
        (task(), 0u32..9, any::<u64>()).prop_map(|(task, target, order)| Message::ToWorker(
            ToWorker::Forward { task, target: Rank(target), order }
        )),
        (any::<u64>(), made()).prop_map(|(order, made)| Message::ToWorker(ToWorker::Made { order, made })),
        finished().prop_map(|finished| Message::ToClient(ToClient::Finished(finished))),
        held().prop_map(|held| Message::ToClient(ToClient::Stored(held))),
        to_store.prop_map(Message::ToStore),
        outcome().prop_map(Message::Stop),
        bytes().prop_map(Message::Recorded),
        (any::<u64>(), option::of(task())).prop_map(|(question, task)| Message::Ask { question, task }),
    ]
}

/// Reads of a message what its receivers do: the arguments of each task.
fn read(message: &Message) {
    let values = |values: &Packed| values.iter().for_each(|value| drop(value.to_vec()));
    let value = |values: &Packed, place| drop(values.iter().nth(place).expect("one a task").to_vec());
    match message {
        Message::ToScheduler(ToScheduler::Submit(layer)) => {
            (0..layer.tasks.count.min(100)).for_each(|task| drop(layer.slice(task, 1)));
        }
        Message::ToScheduler(ToScheduler::Give(given)) => values(&given.values),
        Message::ToScheduler(ToScheduler::Finished { finished, .. }) => values(&finished.values),
        Message::ToClient(ToClient::Finished(finished)) => values(&finished.values),
        Message::ToWorker(ToWorker::Run(run)) => {
            for task in 0..run.tasks.count.min(100) as usize {
                run.arguments.iter().for_each(|argument| match argument {
                    Given::Same(_) => {}
                    Given::Each(values) => value(values, task),
                    Given::Values(needs) => drop(needs[task].clone()),
                    Given::Lists { lists, .. } => drop(lists[task].clone()),
                    Given::Parts { lists, cuts } => {
                        drop(lists[task].clone());
                        value(cuts, task);
                    }
                });
            }
        }
        _ => {}
    }
}

/// Changes one byte, or ends the frame there.
fn damage(frame: &mut Vec<u8>, place: Index, bits: u8) {
    let place = place.index(frame.len());
    match bits {
        0 => frame.truncate(place),
        bits => frame[place] ^= bits,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn messages_arrive_as_they_were_sent(messages in vec(message(), 0..4)) {
        let mut frame = Vec::new();
        messages.iter().for_each(|message| encode(message, &mut frame));
        prop_assert_eq!(decode(Rank(1), &frame).unwrap(), messages);
    }

    #[test]
    fn a_damaged_message_is_an_error_or_can_be_read(
        message in message(),
        damages in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut frame = Vec::new();
        encode(&message, &mut frame);
        for (place, bits) in damages {
            if !frame.is_empty() {
                damage(&mut frame, place, bits);
            }
        }
        if let Ok(messages) = decode(Rank(1), &frame) {
            messages.iter().for_each(read);
        }
    }
}

#[test]
fn a_frame_holds_its_messages_in_order() {
    let tasks = vec![Tasks { first: TaskId::new(Rank(1), 3), count: 4 }];
    let messages = [
        Message::ToScheduler(ToScheduler::Release(tasks.clone())),
        Message::ToScheduler(ToScheduler::Cancel(tasks)),
    ];
    let mut frame = Vec::new();
    messages.iter().for_each(|message| encode(message, &mut frame));
    assert_eq!(decode(Rank(1), &frame).unwrap(), messages);
}

#[test]
fn a_run_with_too_few_arguments_is_refused() {
    let run = Run {
        tasks: Tasks { first: TaskId(0), count: 2 },
        code: Code { module: 0, offset: 0 },
        attempt: 0,
        arguments: vec![Given::Each([[1u8].as_slice()].into_iter().collect())],
        label: None,
        timeout_nanoseconds: 0,
        is_kept: false,
        depth: 0,
        order: 0,
    };
    let mut frame = Vec::new();
    encode(&Message::ToWorker(ToWorker::Run(run)), &mut frame);
    let error = decode(Rank(0), &frame).unwrap_err();
    assert!(matches!(error, Error::Decode(error) if error.kind() == DecodeErrorKind::Message));
}
