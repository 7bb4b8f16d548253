//! Workers on devices: PoCL's, which are the processor and its halves. Each worker proves what it is
//! bound to, kernels compute, and what goes wrong is told in one clear line.

mod arrays;

#[cfg(feature = "mpi")]
use crate::support;
use crate::support::{itself, opencl};
use itself::ARGS;
use maniple::{
    Builder, Client, MemoryLimit, Result, Runtime, SubmitOptions, WaitFor, current,
    device::{self, Binding, Buffer, Device, DeviceKind, DeviceType, DeviceVec},
};
use serde_json::Value;
use std::{
    env, fs,
    os::unix::process::ExitStatusExt,
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Set in the processes that a test has started: which program they are.
const PROGRAM: &str = "MANIPLE_DEVICE_PROGRAM";

const VADD: &str = "
kernel void vadd(global const float *a, global const float *b, global float *sum) {
    size_t i = get_global_id(0);
    sum[i] = a[i] + b[i];
}";

/// PoCL 3.1 does not like to be started up by several threads at a time.
fn turn() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn on(binding: Binding) -> Builder {
    Runtime::builder().device(binding).device_type(DeviceType::Cpu)
}

/// Runs `work` on one worker in this process that is bound to the processor.
fn with_device(work: impl FnOnce(&Client) + Send) {
    let _turn = turn();
    if opencl::is_installed() {
        on(Binding::Gpu)
            .execute(|client| {
                work(client);
                Ok(())
            })
            .expect("the run goes well");
    }
}

fn here() -> Device {
    maniple::device().expect("the worker has a device")
}

fn vadd(a: &[f32], b: &[f32]) -> Result<Buffer<f32>> {
    let device = maniple::device()?;
    let (a, b) = (device.buffer(a)?, device.buffer(b)?);
    let sum = device.empty_buffer(a.len())?;
    let kernel = device.kernel("vadd", VADD)?.arg(&a).arg(&b).arg(&sum);
    // SAFETY: the kernel's parameters are three arrays of floats, and each item touches one of each.
    unsafe { kernel.run([a.len()])? };
    Ok(sum)
}

/// How many of `length` sums are right, made by several tasks at a time.
fn right_sums(length: usize, shift: f32) -> usize {
    let a: Vec<f32> = (0..length).map(|i| i as f32).collect();
    let b = vec![shift; length];
    let sums = vadd(&a, &b).and_then(|sum| sum.read()).expect("the sums");
    (0..length).filter(|i| sums[*i] == a[*i] + shift).count()
}

#[test]
fn kernels_of_many_tasks_share_a_device() {
    with_device(|client| {
        let gpu = SubmitOptions::new().resource("GPU", 1);
        let shifts = || (0..40).map(|shift| (1000 + shift, shift as f32));
        let lengths: Vec<usize> = shifts().map(|(length, _)| length).collect();
        assert_eq!(
            client.gather(&client.map(right_sums, shifts())).unwrap(),
            lengths,
            "all threads at a time"
        );
        assert_eq!(client.gather(&client.with(&gpu).map(right_sums, shifts())).unwrap(), lengths);
    });
}

#[test]
fn a_worker_with_a_device_declares_a_gpu_and_is_in_the_table() {
    with_device(|client| {
        let worker = client.cluster().workers().next().unwrap();
        assert_eq!(worker.resources, [("GPU".to_string(), 1)]);
        let record = worker.device.as_ref().unwrap();
        assert_eq!((record.kind, record.index, record.tile), (DeviceKind::Cpu, 0, None));
        assert!(record.memory_bytes > 0 && record.compute_units > 0 && !record.name.is_empty());
        let table = format!("{:#}", client.cluster());
        assert!(table.contains("GPU=1") && table.contains(&record.to_string()), "{table}");
        let told = client.submit(|| format!("{:#}", here().record()), ()).result().unwrap();
        assert_eq!(told, format!("{record:#}"), "a task is told the same");
        assert!(device::list().unwrap().contains(record), "and so is everybody");
    });
}

#[test]
fn without_being_told_workers_have_no_device() {
    let _turn = turn();
    let run = Runtime::builder().device(Binding::Cpu).execute(|client| {
        assert!(
            client.cluster().workers().all(|worker| worker.device.is_none() && worker.resources.is_empty())
        );
        client.submit(|| maniple::device().map(drop).map_err(|error| error.to_string()), ()).result()
    });
    let words = run.unwrap().unwrap_err();
    assert_eq!(
        words,
        "the worker of rank 0 has no device: start with MANIPLE_DEVICE=gpu, and give the task the resource GPU=1"
    );
}

fn pool_reuses() -> (u64, u64, u64) {
    let device = here();
    let before = device.buffer_bytes().0;
    let first = device.buffer(&[1u32; 1000]).unwrap();
    let used = device.buffer_bytes().0 - before;
    drop(first);
    let idle = device.buffer_bytes().1;
    let _second = device.empty_buffer::<u32>(999).unwrap();
    (used, idle, device.buffer_bytes().1)
}

#[test]
fn buffers_return_to_a_pool() {
    with_device(|client| {
        let (used, idle, idle_again) = client.submit(pool_reuses, ()).result().unwrap();
        assert!((4000..5000).contains(&used), "{used}");
        assert_eq!((idle, idle_again), (used, 0), "the second one takes what the first one gave back");
    });
}

/// What a task says of its own mistake.
fn mistake(which: String) -> String {
    let device = here();
    let buffer = device.buffer(&[0f32; 64]).unwrap();
    let kernel = |name, source| device.kernel(name, source);
    let outcome = match which.as_str() {
        "compile" => kernel("broken", "kernel void broken(global float *x) { x[0] = nonsense; }").map(drop),
        "compile again" => {
            kernel("other", "kernel void broken(global float *x) { x[0] = nonsense; }").map(drop)
        }
        "name" => kernel("no_such", VADD).map(drop),
        // SAFETY: none of these is launched.
        "missing" => unsafe { kernel("vadd", VADD).unwrap().arg(&buffer).run([64]) },
        // SAFETY: as above.
        "too many" => unsafe {
            kernel("vadd", VADD).unwrap().arg(&buffer).arg(&buffer).arg(&buffer).arg(1f32).run([64])
        },
        // SAFETY: as above.
        "number" => unsafe { kernel("vadd", VADD).unwrap().arg(&buffer).arg(1u8).arg(&buffer).run([64]) },
        // SAFETY: as above.
        "group" => unsafe {
            let kernel = kernel("vadd", VADD).unwrap().arg(&buffer).arg(&buffer).arg(&buffer);
            kernel.in_groups_of([48]).run([64])
        },
        "memory" => device.empty_buffer::<u64>(device.record().buffer_bytes_max as usize / 8 + 1).map(drop),
        "overflow" => device.empty_buffer::<u64>(usize::MAX / 4).map(drop),
        other => panic!("no mistake is called {other}"),
    };
    outcome.expect_err("it is a mistake").to_string()
}

#[test]
fn mistakes_are_told_with_names_and_the_device_goes_on() {
    with_device(|client| {
        let told = |which: &str| client.submit(mistake, which.to_string()).result().unwrap();
        let compile = told("compile");
        assert!(compile.starts_with("kernel \"broken\" does not compile for "), "{compile}");
        assert!(compile.contains("nonsense"), "the compiler's own words: {compile}");
        assert!(told("compile again").starts_with("kernel \"other\" does not compile"));
        assert_eq!(told("name"), "the program has no kernel called \"no_such\"");
        assert_eq!(told("missing"), "kernel \"vadd\" wants 3 arguments, not 1");
        let many = told("too many");
        assert!(
            many.starts_with("argument 3 of kernel \"vadd\" does not fit: clSetKernelArg failed: "),
            "{many}"
        );
        let number = told("number");
        assert!(number.starts_with("argument 1 of kernel \"vadd\" does not fit"), "{number}");
        let group = told("group");
        assert!(
            group.contains("to launch kernel \"vadd\" for [64] items failed: CL_INVALID_WORK_GROUP_SIZE"),
            "{group}"
        );
        let memory = told("memory");
        assert!(memory.starts_with("a buffer of ") && memory.ends_with("use smaller chunks"), "{memory}");
        assert!(told("overflow").contains("is too large for CPU 0"));
        assert_eq!(client.submit(right_sums, (1000usize, 2f32)).result().unwrap(), 1000);
    });
}

/// Fills the device with buffers until it is full.
fn fill() -> (u64, String) {
    let device = here();
    let (total, most) = (device.record().memory_bytes, device.record().buffer_bytes_max);
    let mut buffers = Vec::new();
    loop {
        match device.empty_buffer::<u8>(most as usize) {
            Ok(buffer) => buffers.push(buffer),
            Err(error) => return (total - buffers.len() as u64 * most, error.to_string()),
        }
    }
}

#[test]
fn a_full_device_is_told_and_empties_again() {
    with_device(|client| {
        let (left, words) = client.submit(fill, ()).result().unwrap();
        assert!(words.starts_with("no room for ") && words.contains("on CPU 0"), "{words} ({left} left)");
        assert_eq!(client.submit(right_sums, (1000usize, 2f32)).result().unwrap(), 1000);
    });
}

/// Numbers that are made on the device and left there.
fn counted(length: u32, from: f32) -> DeviceVec<f32> {
    let device = here();
    let numbers = device.empty_buffer(length as usize).expect("room");
    let source =
        "kernel void count(float from, global float *x) { x[get_global_id(0)] = from + get_global_id(0); }";
    let kernel = device.kernel("count", source).expect("it compiles").arg(from).arg(&numbers);
    // SAFETY: the kernel has a float and an array of floats, and each item touches its own.
    unsafe { kernel.run([length as usize]).expect("it runs") };
    numbers.into()
}

/// The sum of two vectors, and where they were before: both on the device?
fn add(a: &DeviceVec<f32>, b: DeviceVec<f32>) -> (DeviceVec<f32>, bool) {
    let were_there = a.is_on_device() && b.is_on_device();
    let device = here();
    let sum = device.empty_buffer(a.len()).expect("room");
    let (a, b) = (a.buffer(&device).expect("room"), b.buffer(&device).expect("room"));
    let kernel = device.kernel("vadd", VADD).expect("it compiles").arg(&*a).arg(&*b).arg(&sum);
    // SAFETY: the kernel's parameters are three arrays of floats, and each item touches one of each.
    unsafe { kernel.run([sum.len()]).expect("it runs") };
    (sum.into(), were_there)
}

fn first_and_last(vector: DeviceVec<f32>) -> (f32, f32) {
    let numbers = vector.to_vec().expect("the numbers");
    (numbers[0], numbers[numbers.len() - 1])
}

#[test]
fn values_stay_on_the_device_between_tasks() {
    with_device(|client| {
        let (a, b) = (client.submit(counted, (10_000, 1.0)), client.submit(counted, (10_000, 0.5)));
        assert!(client.submit(|a: &DeviceVec<f32>| a.is_on_device(), &a).result().unwrap());
        let sum = client.submit(|a: &DeviceVec<f32>, b: DeviceVec<f32>| add(a, b).0, (&a, &b));
        assert!(
            client.submit(|a: &DeviceVec<f32>, b: DeviceVec<f32>| add(a, b).1, (&sum, &b)).result().unwrap()
        );
        let numbers = sum.result().unwrap().to_vec().unwrap();
        assert_eq!((numbers[0], numbers[9_999], numbers.len()), (1.5, 19_999.5, 10_000));
        let from_host = DeviceVec::from(vec![2f32; 10_000]);
        let sum = client.submit(|a: &DeviceVec<f32>, b: DeviceVec<f32>| add(a, b).0, (from_host, &b));
        assert_eq!(client.submit(first_and_last, &sum).result().unwrap(), (2.5, 10_001.5));
        drop((a, b, sum));
    });
}

#[test]
fn a_trace_shows_when_kernels_ran_and_for_which_task() {
    let _turn = turn();
    if !opencl::is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let run = on(Binding::Gpu).trace(&path).execute(|client| {
        let lengths: Vec<u32> = vec![100_000; 8];
        let sums = client.map(counted, lengths.into_iter().zip((0..8).map(|from| from as f32)));
        client.gather(&client.map(first_and_last, &sums)).map(drop)
    });
    run.expect("the run goes well");
    let trace: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let named = |words: &str| {
        let is_named = |event: &&Value| event["name"].as_str().is_some_and(|name| name.contains(words));
        events.iter().filter(is_named).filter(|event| event["ph"] == "X").collect::<Vec<_>>()
    };
    let kernels: Vec<&Value> =
        named("counted").into_iter().filter(|event| event["cat"] == "device").collect();
    assert_eq!(kernels.len(), 8, "{kernels:?}");
    let from = |event: &Value| event["ts"].as_f64().unwrap();
    let to = |event: &Value| from(event) + event["dur"].as_f64().unwrap();
    assert!(kernels.iter().all(|kernel| to(kernel) > from(kernel)), "they took time: {kernels:?}");
    let tasks = [named("counted"), named("first_and_last")].concat();
    let first = tasks.iter().map(|task| from(task)).fold(f64::INFINITY, f64::min);
    let last = tasks.iter().map(|task| to(task)).fold(0.0, f64::max);
    // The device's clock and ours are read one after the other.
    let slack = 2_000.0;
    assert!(
        kernels.iter().all(|kernel| from(kernel) >= first - slack && to(kernel) <= last + slack),
        "they ran while tasks did, {first} to {last} us: {kernels:?}"
    );
}

#[test]
fn a_full_device_moves_what_was_not_used_for_longest_to_the_host() {
    let _turn = turn();
    if !opencl::is_installed() {
        return;
    }
    let limit = MemoryLimit::Bytes(1 << 20);
    // Four vectors of 200 kB fit.
    let moved = on(Binding::Gpu).device_memory_limit(limit).execute(|client| {
        // One task at a time: those at work would fill the device together.
        let gpu = SubmitOptions::new().resource("GPU", 1);
        let vectors = client.with(&gpu).map(counted, (0..20).map(|from| (50_000, from as f32)));
        client.wait(&vectors, WaitFor::All, None)?;
        let bytes = client.submit(|| here().buffer_bytes(), ()).result()?;
        assert!(bytes.0 + bytes.1 <= 1 << 20, "{bytes:?}");
        let places = client.gather(&client.map(|vector: &DeviceVec<f32>| vector.is_on_device(), &vectors))?;
        assert!(places.iter().filter(|is_there| **is_there).count() <= 4, "{places:?}");
        assert!(places[..10].iter().all(|is_there| !is_there), "the oldest go first: {places:?}");
        // They come back when they are used, and nothing is lost.
        let sums = (0..19).map(|index| (&vectors[index], &vectors[index + 1]));
        let sums = client.with(&gpu).map(|a: &DeviceVec<f32>, b: DeviceVec<f32>| add(a, b).0, sums);
        for (index, (first, last)) in
            client.gather(&client.map(first_and_last, &sums))?.into_iter().enumerate()
        {
            assert_eq!((first, last), (2.0 * index as f32 + 1.0, 2.0 * index as f32 + 99_999.0));
        }
        let too_large = || here().empty_buffer::<u8>(2 << 20).map(drop).map_err(|error| error.to_string());
        client.submit(too_large, ()).result()
    });
    let words = moved.expect("the run goes well").unwrap_err();
    assert!(words.contains("it takes at most 1048576 bytes"), "{words}");
}

#[test]
fn two_workers_of_one_process_have_a_tile_each() {
    let _turn = turn();
    if !opencl::has_tiles() {
        return;
    }
    let run = |workers| on(Binding::Tile).local_workers(workers).execute(tiles_of_workers);
    assert_eq!(run(2).unwrap(), [Some(0), Some(1)]);
    let words = run(3).unwrap_err().to_string();
    assert!(
        words.starts_with("ranks 2 and 4 (") && words.contains("are both bound to CPU 0 tile 0 ("),
        "{words}"
    );
    assert!(words.contains("at most 2 workers"), "{words}");
    let shared = on(Binding::Tile).local_workers(3).share_device(true).execute(tiles_of_workers);
    assert_eq!(shared.unwrap(), [Some(0), Some(1), Some(0)]);
}

fn tiles_of_workers(client: &Client) -> Result<Vec<Option<u32>>> {
    assert!(
        client
            .gather(&client.run_on_workers(right_sums, (5000usize, 1f32)))?
            .iter()
            .all(|right| *right == 5000)
    );
    let tiles = client.gather(&client.run_on_workers(|| here().record().tile, ()))?;
    let table: Vec<Option<u32>> =
        client.cluster().workers().map(|worker| worker.device.as_ref().unwrap().tile).collect();
    assert_eq!(tiles, table);
    // What one worker has made, the last one adds up: its own stays where it is.
    let made = client.run_on_workers(counted, (10_000, 3f32));
    let last = client.cluster().workers().last().map(|worker| worker.rank);
    let there = SubmitOptions::new().workers(last);
    let sum = client
        .with(&there)
        .submit(|a: &DeviceVec<f32>, b: DeviceVec<f32>| add(a, b).0, (&made[0], &made[tiles.len() - 1]));
    let sum = sum.result()?.to_vec()?;
    assert_eq!((sum[0], sum[9_999]), (6.0, 20_004.0));
    Ok(tiles)
}

/// Runs a kernel that writes where it must not.
fn go_astray() -> Vec<u32> {
    let device = here();
    let buffer = device.buffer(&[0u32; 64]).unwrap();
    let source = "kernel void astray(global uint *x) { x[get_global_id(0) + (1UL << 40)] = 1; }";
    // SAFETY: it is not: this process is there to see what becomes of it.
    unsafe { device.kernel("astray", source).unwrap().arg(&buffer).run([64]).unwrap() };
    buffer.read().unwrap()
}

/// What the started processes do.
pub(crate) fn program() {
    if env::var_os(PROGRAM).is_none() {
        return;
    }
    let run = maniple::run(|client| {
        match env::var(PROGRAM).as_deref() {
            Ok("astray") => client.gather(&client.run_on_workers(go_astray, ())).map(drop)?,
            _ => println!("tiles {:?}", tiles_of_workers(client)?),
        }
        Ok(())
    });
    if let Err(error) = run {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

const TILES: [(&str, &str); 3] =
    [(PROGRAM, "yes"), ("MANIPLE_DEVICE", "tile"), ("MANIPLE_DEVICE_TYPE", "cpu")];

fn alone(variables: &[(&str, &str)]) -> Output {
    let this = env::current_exe().unwrap();
    Command::new(this).args(ARGS).envs(TILES).envs(variables.iter().copied()).output().unwrap()
}

/// Asserts that a process that is given these variables ends soon with these words, said once.
fn assert_refused(variables: &[(&str, &str)], words: &str) {
    let start = Instant::now();
    let output = alone(variables);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one line: {stderr}");
    assert!(stderr.starts_with("Error: rank 0 (") && stderr.contains(words), "{words:?} in {stderr}");
    assert!(start.elapsed() < Duration::from_secs(5), "ocl alone waits 10 s without a platform");
}

#[test]
fn what_is_missing_is_told_at_start() {
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    assert_refused(
        &[("MANIPLE_OPENCL_LIBRARY", "libnone.so.1")],
        "cannot start: no OpenCL loader: libnone.so.1: ",
    );
    assert_refused(&[("MANIPLE_OPENCL_LIBRARY", "libc.so.6")], "it lacks \"clGetPlatformIDs\"");
    assert_refused(&[("MANIPLE_DEVICE", "cuda")], "cannot start: MANIPLE_DEVICE: device \"cuda\" is neither");
    if opencl::is_installed() {
        let empty = tempfile::tempdir().unwrap();
        let vendors = [("OCL_ICD_VENDORS", empty.path().to_str().unwrap())];
        assert_refused(&vendors, "cannot start: no OpenCL platform: ");
        if device::list().unwrap().iter().all(|device| device.kind == DeviceKind::Cpu) {
            assert_refused(&[("MANIPLE_DEVICE_TYPE", "gpu")], "cannot start: OpenCL shows no GPU here: ");
        }
    }
}

#[test]
fn a_node_without_opencl_works_on_its_processor() {
    let Ok(output) = Command::new(env::current_exe().unwrap())
        .args(["--exact", "devices::without_being_told_workers_have_no_device", "--test-threads=1"])
        .env("MANIPLE_OPENCL_LIBRARY", "libnone.so.1")
        .output()
    else {
        panic!("this program starts");
    };
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn kernels_are_kept_for_the_next_run() {
    if env::var_os(PROGRAM).is_some() || !opencl::is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let variables = [("MANIPLE_LOCAL_DIRECTORY", folder.path().to_str().unwrap())];
    // With the time of the last change, the first of the two programs first.
    let kept = || {
        let kernels = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let files = fs::read_dir(kernels).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> =
            files.map(|file| (file.metadata().unwrap().modified().unwrap(), file.path())).collect();
        files.sort();
        files
    };
    assert!(alone(&variables).status.success());
    let files = kept();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(alone(&variables).status.success());
    assert_eq!(kept(), files, "they were read, not built");
    fs::write(&files[0].1, b"not a binary").unwrap();
    let output = alone(&variables);
    assert!(output.status.success() && output.stderr.is_empty(), "what is kept but useless is built again");
}

#[cfg(feature = "mpi")]
fn launched(ranks: u32, variables: &[(&str, &str)]) -> Option<Output> {
    if support::launcher().is_none() {
        assert!(env::var_os("MANIPLE_REQUIRE_MPI").is_none(), "no MPI launcher is installed");
        println!("skipped: no MPI launcher is installed");
        return None;
    }
    let caches = tempfile::tempdir().unwrap();
    let this = env::current_exe().unwrap();
    let args = opencl::with_own_caches(caches.path(), &this, &ARGS);
    let variables = [&TILES, variables].concat();
    Some(support::mpirun(ranks, "/bin/sh".as_ref(), &args, &variables, Duration::from_secs(60)))
}

#[cfg(feature = "mpi")]
#[test]
fn ranks_have_a_tile_each_and_no_two_the_same() {
    if env::var_os(PROGRAM).is_some() || !opencl::has_tiles() {
        return;
    }
    for (ranks, inclusive, tiles) in [
        (1, "0", "[Some(0)]"),
        (2, "0", "[Some(0)]"),
        (2, "1", "[Some(0), Some(1)]"),
        (4, "0", "[Some(0), Some(1)]"),
    ] {
        let Some(output) = launched(ranks, &[("MANIPLE_INCLUSIVE", inclusive)]) else { return };
        support::assert_clean(&output);
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(&format!("tiles {tiles}\n")),
            "{}",
            support::tell(&output)
        );
    }
    // MPICH, told to keep off shared memory, takes each rank for a node of its own; they have this one in common.
    let output = launched(4, &[("MPIR_CVAR_NOLOCAL", "1")]).unwrap();
    support::assert_clean(&output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("tiles [Some(0), Some(1)]\n"), "{output:?}");
    let output = launched(5, &[]).unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr.matches("Error: ranks 2 and 4 (").count(), 1, "{stderr}");
    let output = launched(5, &[("MANIPLE_SHARE_DEVICE", "1")]).unwrap();
    support::assert_clean(&output);
}

#[cfg(feature = "mpi")]
#[test]
fn a_rank_without_a_device_is_named() {
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    let start = Instant::now();
    let Some(output) = launched(4, &[("MANIPLE_OPENCL_LIBRARY", "libnone.so.1")]) else { return };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert_eq!(stderr.matches("cannot start: no OpenCL loader").count(), 1, "{stderr}");
    assert!(stderr.contains("Error: rank 2 ("), "the first worker: {stderr}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_kernel_that_goes_astray_ends_its_run_and_no_rank_waits() {
    if env::var_os(PROGRAM).is_some() || !opencl::is_installed() {
        return;
    }
    let variables = [(PROGRAM, "astray"), ("MANIPLE_SHARE_DEVICE", "1")];
    let output = alone(&variables);
    assert_eq!(
        output.status.signal(),
        Some(libc::SIGSEGV),
        "a kernel of a CPU runs in the process: {output:?}"
    );
    #[cfg(feature = "mpi")]
    if let Some(output) = launched(4, &variables) {
        assert!(!output.status.success(), "{}", support::tell(&output));
    }
}

#[test]
fn a_device_is_asked_for_within_tasks() {
    assert!(!maniple::is_in_task());
    assert!(std::panic::catch_unwind(maniple::device).is_err());
    assert!(std::panic::catch_unwind(current).is_err());
}
