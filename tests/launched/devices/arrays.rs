//! Arrays on devices: through the client, with values that stay, move, and come back.

use super::{on, opencl, turn, with_device};
use maniple::{
    Client, MemoryLimit, Runtime, SubmitOptions,
    array::{map_blocks, select},
    device::Binding,
};
use ndarray::{Array1, ArrayD, IxDyn, s};

fn matrix(client: &Client) -> maniple::Array<f64> {
    client.random(7).uniform::<f64>(-1.0, 1.0, [60, 60], [20, 30])
}

/// Whether two numbers are the same but for some roundings.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0)
}

#[test]
fn expressions_give_what_they_give_on_the_processor() {
    with_device(|client| {
        let devices = client.on_devices();
        let of = |client: &Client| {
            let x = matrix(client);
            let sum = (&x + x.t()).sum().compute().unwrap();
            let fused = (x.exp() * 2.0 + x.sin().square()).sum().compute().unwrap();
            let rows = x.cast::<f32>().mean_axis(1).compute().unwrap().mapv(f64::from);
            let places = x.argmin_axis(0).compute().unwrap();
            let positive = select(&x.gt(0.0), &x, 0.0).compute().unwrap();
            let small = client.arange(0, 10, 1, 5).square().compute().unwrap();
            (sum, fused, rows, places, positive, small, x.gt(0.5).count_nonzero().compute().unwrap())
        };
        let (here, there) = (of(client), of(&devices));
        assert!(
            near(here.0, there.0) && near(here.1, there.1),
            "{} {}, {} {}",
            here.0,
            there.0,
            here.1,
            there.1
        );
        assert!(here.2.iter().zip(&there.2).all(|(a, b)| (a - b).abs() < 1e-7));
        assert_eq!((here.3, here.4, here.5, here.6), (there.3, there.4, there.5, there.6));
    });
}

#[test]
fn blocks_stay_on_the_device_and_come_to_whoever_wants_them() {
    with_device(|client| {
        let devices = client.on_devices();
        let expected = (matrix(client) * 2.0).compute().unwrap();
        let x = (matrix(&devices) * 2.0).persist().unwrap();
        // The blocks are arrays for a function of one's own, for slices, for other layouts, and for the driver.
        let y = map_blocks(|block: &ArrayD<f64>| block + 1.0, (&x,));
        assert_eq!(y.compute().unwrap(), &expected + 1.0);
        assert_eq!(
            x.slice(s![5..50;3, 7]).compute().unwrap(),
            expected.slice(s![5..50;3, 7]).to_owned().into_dyn()
        );
        assert_eq!(x.compute().unwrap(), expected);
        // And from the host back again, truth values too.
        let positive = x.gt(0.0).persist().unwrap();
        assert_eq!((!&positive).compute().unwrap(), expected.mapv(|x| x <= 0.0));
        assert_eq!(positive.compute().unwrap(), expected.mapv(|x| x > 0.0));
        assert_eq!((!positive).compute().unwrap(), expected.mapv(|x| x <= 0.0));
        let local = ArrayD::from_shape_fn(IxDyn(&[30, 4]), |place| place[0] as f32 - place[1] as f32);
        let array = devices.from_ndarray(&local, [7, 3]).unwrap();
        assert_eq!((array + 0.5).compute().unwrap(), local + 0.5);
        let empty = devices.zeros::<f64>([0, 3], 2);
        assert_eq!(((&empty + 1.0).sum().compute().unwrap(), empty.compute().unwrap().len()), (0.0, 0));
    });
}

#[test]
fn explain_says_what_is_made_where() {
    with_device(|client| {
        let x = matrix(&client.on_devices());
        let text = (x.exp() + 1.0).sum().explain();
        assert!(text.contains("exp, add; sum, on devices: "), "{text}");
        let text = x.cast::<num_complex::Complex<f64>>().square().explain();
        assert!(text.contains("on CPUs (devices have no complex128)"), "{text}");
        let text = client.on_devices().random(1).permutation(10, 5).explain();
        assert!(text.contains("on CPUs (devices have no permutation)"), "{text}");
        let text = (x.cumsum(0) + 1.0).explain();
        assert!(
            text.contains("cumsum from step 1, on CPUs: ") && text.contains("add from step 2, on devices"),
            "{text}"
        );
        assert!(!matrix(client).explain().contains(" on "), "nobody asked");
    });
    let _turn = turn();
    Runtime::builder()
        .device(Binding::Cpu)
        .execute(|client| {
            let x = matrix(&client.on_devices());
            let text = x.sum().explain();
            assert!(text.contains("on CPUs (no worker has a device)"), "{text}");
            assert!(near(x.sum().compute()?, matrix(client).sum().compute()?));
            Ok(())
        })
        .unwrap();
}

#[test]
fn slices_new_chunks_and_shapes_of_what_devices_made_are_made_there() {
    with_device(|client| {
        let devices = client.on_devices();
        let of = |client: &Client| {
            let x = client
                .random(3)
                .integers::<i64>(-1_000_000, 1_000_000, [90, 70], [20, 30])
                .persist()
                .unwrap();
            let truths = x.gt(0).persist().unwrap();
            [
                x.slice(s![5..80;3, ..;-2]),
                x.slice(s![.., 40]),
                x.slice(s![3..3, ..]),
                x.rechunk([7, 70]),
                x.rechunk([90, 1]),
                x.t().rechunk([64, 64]).slice(s![1..;5, ..]),
                x.rechunk([20, 70]).ravel(),
                x.slice(s![..30, ..]) + x.slice(s![60.., ..]),
                truths.rechunk([45, 35]).slice(s![..;-1, ..]).cast::<i64>(),
                truths.take(1, &[3, 3, 69, 0]).cast::<i64>(),
            ]
            .map(|array| array.compute().unwrap())
        };
        assert_eq!(of(client), of(&devices));
        let x = matrix(&devices).persist().unwrap();
        for (array, name) in [
            (x.slice(s![5..50;3, ..]), "slice"),
            (x.rechunk([60, 7]), "rechunk"),
            (x.rechunk([20, 60]).rechunk([60, 7]), "rechunk"),
        ] {
            let text = array.explain();
            assert!(
                text.contains(&format!("{name} from step 1, on devices: ")) && !text.contains("CPUs"),
                "{text}"
            );
        }
        let text = x.cumsum(0).rechunk([60, 7]).explain();
        assert!(text.contains("rechunk from step 2, on CPUs (as were its blocks): "), "{text}");
        let text = x.rechunk([20, 60]).ravel().explain();
        assert!(text.contains("reshape from step 2, on devices: "), "{text}");
        let text = x.take(0, &[1, 5]).explain();
        assert!(text.contains("on CPUs (devices have no lists of indices)"), "{text}");
        let local = ArrayD::from_elem(IxDyn(&[30, 4]), 1.5);
        let text = devices.from_ndarray(&local, [7, 3]).unwrap().rechunk([30, 1]).explain();
        assert!(text.contains("on CPUs (as were its blocks)"), "{text}");
    });
}

#[test]
fn products_of_matrices_are_made_on_devices() {
    with_device(|client| {
        let devices = client.on_devices();
        let of = |client: &Client| {
            let x = client.random(5).uniform::<f64>(-1.0, 1.0, [150, 200], [70, 90]);
            let stack = client.random(6).uniform::<f64>(-1.0, 1.0, [3, 40, 50], [2, 20, 50]);
            let vector = client.random(7).uniform::<f64>(-1.0, 1.0, [200], 64);
            [
                x.matmul(&x.t()),
                x.t().matmul(&x),
                x.matmul(&vector),
                stack.matmul(&stack.swap_axes(1, 2)),
                x.slice(s![..20, ..]).matmul(&x.slice(s![100.., ..]).t()) * 2.0,
                x.cast::<f32>().matmul(&x.cast::<f32>().t()).cast::<f64>(),
            ]
            .map(|array| array.compute().unwrap())
        };
        let (here, there) = (of(client), of(&devices));
        for (place, (here, there)) in here.iter().zip(&there).enumerate() {
            // Sums of up to 200 products of numbers up to 1, in single precision the last.
            let bound = if place == 5 { 2e-5 } else { 5e-14 };
            assert_eq!(here.shape(), there.shape());
            assert!(here.iter().zip(there).all(|(a, b)| (a - b).abs() <= bound), "{place}");
        }
        let x = matrix(&devices);
        let text = x.matmul(&x).explain();
        assert!(text.contains("matmul from step 1 and 2, on devices: "), "{text}");
        let complex = x.cast::<num_complex::Complex<f64>>();
        let text = complex.matmul(&complex).explain();
        assert!(text.contains("matmul from step 1 and 2, on CPUs (devices have no complex128)"), "{text}");
        assert!(!matrix(client).matmul(&matrix(client)).explain().contains(" on "), "nobody asked");
    });
}

#[test]
fn a_full_device_moves_blocks_to_the_host_and_nothing_is_lost() {
    let _turn = turn();
    if !opencl::is_installed() {
        return;
    }
    // Three blocks of 80 kB fit, of twenty.
    let sums = on(Binding::Gpu).device_memory_limit(MemoryLimit::Bytes(300_000)).execute(|client| {
        let devices = client.on_devices();
        let x = devices.arange(0, 200_000, 1, 10_000).persist()?;
        let y = (&x * 3).persist()?;
        let bytes = client.submit(|| maniple::device().unwrap().buffer_bytes(), ()).result()?;
        assert!(bytes.0 + bytes.1 <= 300_000, "{bytes:?}");
        let large = devices.ones::<f64>([100_000], 100_000).compute();
        let words = large.unwrap_err().to_string();
        assert!(words.contains("use smaller chunks"), "{words}");
        Ok((x.sum().compute()?, (y - x).sum().compute()?))
    });
    let total = 200_000i64 * 199_999 / 2;
    assert_eq!(sums.unwrap(), (total, 2 * total));
}

#[test]
fn blocks_move_between_two_workers_with_a_tile_each() {
    let _turn = turn();
    if !opencl::has_tiles() {
        return;
    }
    let run = on(Binding::Tile).local_workers(2).execute(|client| {
        let devices = client.on_devices();
        let ranks: Vec<_> = client.cluster().workers().map(|worker| worker.rank).collect();
        let x = devices.arange(0, 40_000, 1, 5_000);
        let [one, other] = [0, 1].map(|place| client.with(&SubmitOptions::new().workers([ranks[place]])));
        let first = one.persist(&x.square())?;
        let second = other.compute(&(&first + &x))?;
        let expected: Array1<i64> = (0..40_000).map(|x| x * x + x).collect();
        assert_eq!(second, expected.into_dyn());
        let truths = one.persist(&(&first % 2).eq(0))?;
        assert_eq!(other.compute(&truths.count_nonzero())?, 20_000);
        // Parts that lie with the other worker come from there, and go on to the own device.
        let turned = other.compute(&first.rechunk(6_000).slice(s![..;-3]))?;
        assert_eq!(turned, (0..40_000).rev().step_by(3).map(|x| x * x).collect::<Array1<i64>>().into_dyn());
        let odd = other.compute(&truths.rechunk(3_000).slice(s![1..;2]))?;
        assert_eq!((odd.len(), odd.iter().any(|truth| *truth)), (20_000, false));
        Ok(())
    });
    run.unwrap();
}
