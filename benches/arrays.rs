//! What array programs take, beside the machine's own pace in the same run.
//!
//! `mpirun -n 4 <this> [part...]`, or without `mpirun` in one process with `MANIPLE_THREADS=2`; parts:
//! floor transpose elementwise generated rechunk matmul qr pi graph. `--scale 0.1` takes a tenth of the
//! elements; `--philox` has generated and pi draw with Philox. Prints a line a figure: median, least and
//! most of the repetitions, in seconds, and how far the memory of the workers rose above what it was before,
//! which includes the input where it is resident.

use maniple::{
    Array, Client, Result,
    array::{BitGenerator, chunks},
};
use ndarray::Array2;
use std::{fs, hint::black_box, time::Instant};

#[global_allocator]
static ALLOCATOR: maniple::Allocator = maniple::Allocator::new();

const REPETITIONS: usize = 5;

fn report(what: &str, unit: &str, mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let median = figures[figures.len() / 2];
    let (least, most) = (figures[0], figures[figures.len() - 1]);
    println!("{what:<66} {median:>11.4} {unit:<5} ({least:.4} to {most:.4})");
    median
}

/// Times `once` again and again, after one time that does not count.
fn time(client: &Client, what: &str, mut once: impl FnMut() -> Result<()>) -> Result<f64> {
    client.gather(&client.run_on_workers(|_: u8| reset_peak(), 0))?;
    once()?;
    let mut figures = Vec::new();
    for _ in 0..REPETITIONS {
        let start = Instant::now();
        once()?;
        figures.push(start.elapsed().as_secs_f64());
    }
    let seconds = report(what, "s", figures);
    let peaks = client.gather(&client.run_on_workers(|_: u8| memory("VmHWM:"), 0))?;
    let megabytes = |bytes: u64| bytes / 1_000_000;
    println!(
        "  peak of all workers {} MB, of one {} MB",
        megabytes(peaks.iter().sum()),
        megabytes(peaks.iter().copied().max().unwrap_or(0))
    );
    Ok(seconds)
}

/// Forgets the most memory that this process has had, and what it keeps for later.
fn reset_peak() {
    ALLOCATOR.give_back();
    // Without the right to it the peak is that since the start.
    let _: std::io::Result<()> = fs::write("/proc/self/clear_refs", "5");
}

/// What the system says of this process's memory, in bytes.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    1024 * kilobytes.unwrap_or(0)
}

/// What all threads of the workers do together, in 1e9 a second: `once` says how many it did a second.
fn together(client: &Client, what: &str, unit: &str, once: impl Fn() -> Result<Vec<f64>>) -> Result<f64> {
    assert_eq!(once()?.len(), client.cluster().thread_count());
    let mut totals = Vec::new();
    for _ in 0..REPETITIONS {
        totals.push(once()?.iter().sum::<f64>() / 1e9);
    }
    Ok(report(what, unit, totals))
}

/// The machine's pace, each thread with memory of its own.
struct Floors {
    /// Bytes read a second, in 1e9.
    read: f64,
    /// Operations of a product of matrices a second, in 1e9.
    product: f64,
}

const FLOOR_BYTES: usize = 512 << 20;

fn fill(bytes: usize) -> Vec<f64> {
    vec![1.0; bytes / 8]
}

fn read(numbers: &[f64]) -> f64 {
    let start = Instant::now();
    let mut lanes = [0.0; 32];
    for chunk in numbers.as_chunks::<32>().0 {
        lanes.iter_mut().zip(chunk).for_each(|(lane, number)| *lane += number);
    }
    black_box(lanes);
    size_of_val(numbers) as f64 / start.elapsed().as_secs_f64()
}

/// Copies one half of the memory over the other.
fn copy(mut numbers: Vec<f64>) -> f64 {
    let half = numbers.len() / 2;
    let (target, source) = numbers.split_at_mut(half);
    let start = Instant::now();
    target.copy_from_slice(&source[..half]);
    black_box(&target);
    (8 * half) as f64 / start.elapsed().as_secs_f64()
}

fn multiply(side: usize) -> f64 {
    let (a, b) = (Array2::<f64>::ones((side, side)), Array2::<f64>::ones((side, side)));
    let start = Instant::now();
    black_box(a.dot(&b));
    2.0 * (side as f64).powi(3) / start.elapsed().as_secs_f64()
}

impl Floors {
    fn measure(client: &Client) -> Result<Self> {
        let threads = client.cluster().thread_count();
        let memory = client.map(fill, vec![FLOOR_BYTES; threads]);
        let floors = Self {
            read: together(client, "read bandwidth of all threads", "GB/s", || {
                client.gather(&client.map(read, &memory))
            })?,
            product: together(client, "local products of matrices, 1500 x 1500", "Gop/s", || {
                client.gather(&client.map(multiply, vec![1500; threads]))
            })?,
        };
        together(client, "memcpy of all threads", "GB/s", || client.gather(&client.map(copy, &memory)))?;
        Ok(floors)
    }
}

fn held(array: &Array<f64>) -> Result<Array<f64>> {
    let array = array.persist()?;
    array.wait()?;
    Ok(array)
}

/// `(x + y.T).sum()` of blocks of this many rows and columns, by hand: in squares that stay in the nearest
/// cache. How many bytes of `x` a second.
fn add_turned_by_hand(numbers: &[f64]) -> f64 {
    const SIDE: usize = 2000;
    const SQUARE: usize = 64;
    let blocks: Vec<&[f64]> = numbers.chunks_exact(SIDE * SIDE).collect();
    let (xs, ys) = blocks.split_at(blocks.len() / 2);
    let start = Instant::now();
    let (mut lanes, mut turned) = ([0.0; SQUARE], [[0.0; SQUARE]; SQUARE]);
    for (x, y) in xs.iter().zip(ys) {
        for first_row in (0..SIDE).step_by(SQUARE) {
            for first_column in (0..SIDE).step_by(SQUARE) {
                let (rows, columns) = (SQUARE.min(SIDE - first_row), SQUARE.min(SIDE - first_column));
                for (column, line) in turned[..columns].iter_mut().enumerate() {
                    line[..rows].copy_from_slice(&y[(first_column + column) * SIDE + first_row..][..rows]);
                }
                for row in 0..rows {
                    let x = &x[(first_row + row) * SIDE + first_column..][..columns];
                    lanes.iter_mut().zip(x).zip(&turned).for_each(|((lane, x), line)| *lane += x + line[row]);
                }
            }
        }
    }
    black_box(lanes);
    (8 * SIDE * SIDE * xs.len()) as f64 / start.elapsed().as_secs_f64()
}

fn transpose(client: &Client, scale: f64, floors: &Floors) -> Result<()> {
    let side = (16_000.0 * scale.sqrt()) as usize;
    let memory = client.map(fill, vec![FLOOR_BYTES; client.cluster().thread_count()]);
    let by_hand = together(client, "x + y.T of local blocks, summed, by hand", "GB/s", || {
        client.gather(&client.map(add_turned_by_hand, &memory))
    })?;
    drop(memory);
    let x = held(&client.random(7).random([side, side], chunks([2000, 2000])))?;
    let seconds = time(client, &format!("(x + x.T).sum(), {side} x {side}, resident"), || {
        black_box((&x + x.t()).sum().compute()?);
        Ok(())
    })?;
    let rate = x.nbytes() as f64 / 1e9 / seconds;
    println!(
        "  {rate:.1} GB/s, each element counted once: {:.0} % of the read bandwidth, {:.0} % of the loop by hand",
        100.0 * rate / floors.read,
        100.0 * rate / by_hand
    );
    time(client, &format!("(x + x.T).sum(), {side} x {side}, generated"), || {
        let x = client.random(7).random::<f64>([side, side], chunks([2000, 2000]));
        black_box((&x + x.t()).sum().compute()?);
        Ok(())
    })?;
    Ok(())
}

fn elementwise(client: &Client, scale: f64) -> Result<()> {
    let rows = (200_000.0 * scale) as usize;
    let x = held(&client.random(7).random([rows, 1000], chunks([10_000, 1000])))?;
    time(client, &format!("(exp(x) * 2 + sin(x)^2).sum(), {rows} x 1000, resident"), || {
        black_box((x.exp() * 2.0 + x.sin().square()).sum().compute()?);
        Ok(())
    })?;
    time(client, &format!("x.sum(), {rows} x 1000, resident"), || {
        black_box(x.sum().compute()?);
        Ok(())
    })?;
    time(client, &format!("x.mean(axis=0), {rows} x 1000, resident"), || {
        black_box(x.mean_axis(0).compute()?);
        Ok(())
    })?;
    time(client, &format!("x.std(), {rows} x 1000, resident"), || {
        black_box(x.std().compute()?);
        Ok(())
    })?;
    Ok(())
}

fn generated(client: &Client, scale: f64, bits: BitGenerator) -> Result<()> {
    let rows = (1_000_000.0 * scale) as usize;
    let x = || client.random_with(bits, 7).random::<f64>([rows, 1000], chunks([10_000, 1000]));
    time(client, &format!("x.mean(axis=0), {rows} x 1000, generated"), || {
        black_box(x().mean_axis(0).compute()?);
        Ok(())
    })?;
    time(client, &format!("x.mean(), {rows} x 1000, generated"), || {
        black_box(x().mean().compute()?);
        Ok(())
    })?;
    time(client, &format!("x.std(), {rows} x 1000, generated"), || {
        black_box(x().std().compute()?);
        Ok(())
    })?;
    Ok(())
}

fn rechunk(client: &Client, scale: f64) -> Result<()> {
    let side = (12_000.0 * scale.sqrt()) as usize;
    let x = held(&client.random(7).random([side, side], chunks([1000, side])))?;
    time(client, &format!("rows to columns, {side} x {side}"), || {
        let columns = held(&x.rechunk([side, 1000]))?;
        drop(columns);
        Ok(())
    })?;
    Ok(())
}

fn matmul(client: &Client, scale: f64, floors: &Floors) -> Result<()> {
    let side = (6_000.0 * scale.cbrt()) as usize;
    let operand = |seed| held(&client.random(seed).random([side, side], chunks([1500, 1500])));
    let (x, y) = (operand(7)?, operand(8)?);
    let seconds = time(client, &format!("x @ y, {side} x {side}, resident"), || {
        drop(held(&x.matmul(&y))?);
        Ok(())
    })?;
    let rate = 2.0 * (side as f64).powi(3) / seconds / 1e9;
    println!("  {rate:.1} Gop/s, {:.0} % of the local products", 100.0 * rate / floors.product);
    Ok(())
}

#[cfg(feature = "linear-algebra")]
fn qr(client: &Client, scale: f64) -> Result<()> {
    let rows = (4_000_000.0 * scale) as usize;
    let x = held(&client.random(7).random([rows, 32], chunks([rows.div_ceil(20), 32])))?;
    time(client, &format!("QR of {rows} x 32, resident"), || {
        // Both are made by the same tasks.
        let (q, r) = client.persist(&x.qr())?;
        q.wait()?;
        r.wait()
    })?;
    Ok(())
}

#[cfg(not(feature = "linear-algebra"))]
fn qr(_: &Client, _: f64) -> Result<()> {
    println!("QR needs the feature linear-algebra");
    Ok(())
}

fn pi(client: &Client, scale: f64, bits: BitGenerator) -> Result<()> {
    let points = (625_000_000.0 * scale) as usize;
    time(client, &format!("the lesson's pi, {points} points in 40 chunks"), || {
        let xy = client.random_with(bits, 0).uniform::<f64>(0.0, 1.0, [points, 2], points.div_ceil(40));
        let inside = xy.square().sum_axis(1).lt(1.0);
        let pi = 4.0 * inside.count_nonzero().compute()? as f64 / points as f64;
        assert!((pi - std::f64::consts::PI).abs() < 1e-2);
        Ok(())
    })?;
    Ok(())
}

fn graph(client: &Client, scale: f64) -> Result<()> {
    let blocks = (1_000_000.0 * scale) as usize;
    let mut figures = Vec::new();
    for _ in 0..REPETITIONS {
        let x = client.ones::<f64>([blocks], 1);
        let start = Instant::now();
        let futures = (x * 2.0 + 1.0).persist()?;
        figures.push(start.elapsed().as_secs_f64());
        futures.wait()?;
    }
    report(&format!("{blocks} blocks: build, optimise and submit"), "s", figures);
    Ok(())
}

fn main() -> Result<()> {
    let mut parts: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let mut scale = 1.0;
    if let Some(place) = parts.iter().position(|word| word == "--scale") {
        scale = parts.get(place + 1).and_then(|word| word.parse().ok()).ok_or("--scale wants a number")?;
        parts.drain(place..place + 2);
    }
    let mut bits = BitGenerator::default();
    if let Some(place) = parts.iter().position(|word| word == "--philox") {
        bits = BitGenerator::Philox;
        parts.remove(place);
    }
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|word| word == part);
    maniple::run(|client| {
        println!("{}", client.cluster());
        let floors = match ["floor", "transpose", "matmul"].into_iter().any(wants) {
            true => Floors::measure(client)?,
            false => Floors { read: f64::NAN, product: f64::NAN },
        };
        if wants("transpose") {
            transpose(client, scale, &floors)?;
        }
        if wants("elementwise") {
            elementwise(client, scale)?;
        }
        if wants("generated") {
            generated(client, scale, bits)?;
        }
        if wants("rechunk") {
            rechunk(client, scale)?;
        }
        if wants("matmul") {
            matmul(client, scale, &floors)?;
        }
        if wants("qr") {
            qr(client, scale)?;
        }
        if wants("pi") {
            pi(client, scale, bits)?;
        }
        if wants("graph") {
            graph(client, scale)?;
        }
        Ok(())
    })
}
