//! What array programs take, beside the machine's own pace in the same run.
//!
//! `mpirun -n 4 <this> [part...]`, or without `mpirun` in one process with `MANIPLE_THREADS=2`; parts:
//! floor transpose elementwise generated rechunk pi graph. `--scale 0.1` takes a tenth of the elements. Prints a line
//! a figure: median, least and most of the repetitions, in seconds.

use maniple::{Array, Client, Result, array::chunks};
use std::{hint::black_box, time::Instant};

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
fn time(what: &str, mut once: impl FnMut() -> Result<()>) -> Result<f64> {
    once()?;
    let mut figures = Vec::new();
    for _ in 0..REPETITIONS {
        let start = Instant::now();
        once()?;
        figures.push(start.elapsed().as_secs_f64());
    }
    Ok(report(what, "s", figures))
}

/// How many bytes a second all workers read together, each thread its own memory.
fn read_bandwidth(client: &Client) -> Result<f64> {
    const BYTES: usize = 512 << 20;
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
    let threads = client.cluster().thread_count();
    let memory = client.map(fill, vec![BYTES; threads]);
    let mut totals = Vec::new();
    for _ in 0..REPETITIONS {
        totals.push(client.gather(&client.map(read, &memory))?.iter().sum::<f64>() / 1e9);
    }
    Ok(report("read bandwidth of all threads", "GB/s", totals))
}

fn held(array: &Array<f64>) -> Result<Array<f64>> {
    let array = array.persist()?;
    array.wait()?;
    Ok(array)
}

fn transpose(client: &Client, scale: f64, bandwidth: f64) -> Result<()> {
    let side = (16_000.0 * scale.sqrt()) as usize;
    let x = held(&client.random(7).random([side, side], chunks([2000, 2000])))?;
    let seconds = time(&format!("(x + x.T).sum(), {side} x {side}, resident"), || {
        black_box((&x + x.t()).sum().compute()?);
        Ok(())
    })?;
    let share = x.nbytes() as f64 / 1e9 / seconds / bandwidth;
    println!("  {:.0} % of the read bandwidth, each element counted once", 100.0 * share);
    time(&format!("(x + x.T).sum(), {side} x {side}, generated"), || {
        let x = client.random(7).random::<f64>([side, side], chunks([2000, 2000]));
        black_box((&x + x.t()).sum().compute()?);
        Ok(())
    })?;
    Ok(())
}

fn elementwise(client: &Client, scale: f64) -> Result<()> {
    let rows = (200_000.0 * scale) as usize;
    let x = held(&client.random(7).random([rows, 1000], chunks([10_000, 1000])))?;
    time(&format!("(exp(x) * 2 + sin(x)^2).sum(), {rows} x 1000, resident"), || {
        black_box((x.exp() * 2.0 + x.sin().square()).sum().compute()?);
        Ok(())
    })?;
    time(&format!("x.sum(), {rows} x 1000, resident"), || {
        black_box(x.sum().compute()?);
        Ok(())
    })?;
    time(&format!("x.mean(axis=0), {rows} x 1000, resident"), || {
        black_box(x.mean_axis(0).compute()?);
        Ok(())
    })?;
    time(&format!("x.std(), {rows} x 1000, resident"), || {
        black_box(x.std(0.0).compute()?);
        Ok(())
    })?;
    Ok(())
}

fn generated(client: &Client, scale: f64) -> Result<()> {
    let rows = (1_000_000.0 * scale) as usize;
    let x = || client.random(7).random::<f64>([rows, 1000], chunks([10_000, 1000]));
    time(&format!("x.mean(axis=0), {rows} x 1000, generated"), || {
        black_box(x().mean_axis(0).compute()?);
        Ok(())
    })?;
    time(&format!("x.std(), {rows} x 1000, generated"), || {
        black_box(x().std(0.0).compute()?);
        Ok(())
    })?;
    Ok(())
}

fn rechunk(client: &Client, scale: f64) -> Result<()> {
    let side = (12_000.0 * scale.sqrt()) as usize;
    let x = held(&client.random(7).random([side, side], chunks([1000, side])))?;
    time(&format!("rows to columns, {side} x {side}"), || {
        let columns = held(&x.rechunk([side, 1000]))?;
        drop(columns);
        Ok(())
    })?;
    Ok(())
}

fn pi(client: &Client, scale: f64) -> Result<()> {
    let points = (625_000_000.0 * scale) as usize;
    time(&format!("the lesson's pi, {points} points in 40 chunks"), || {
        let xy = client.random(0).uniform::<f64>(0.0, 1.0, [points, 2], points.div_ceil(40));
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
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|word| word == part);
    maniple::run(|client| {
        println!("{}", client.cluster());
        let bandwidth = if wants("floor") || wants("transpose") { read_bandwidth(client)? } else { f64::NAN };
        if wants("transpose") {
            transpose(client, scale, bandwidth)?;
        }
        if wants("elementwise") {
            elementwise(client, scale)?;
        }
        if wants("generated") {
            generated(client, scale)?;
        }
        if wants("rechunk") {
            rechunk(client, scale)?;
        }
        if wants("pi") {
            pi(client, scale)?;
        }
        if wants("graph") {
            graph(client, scale)?;
        }
        Ok(())
    })
}
