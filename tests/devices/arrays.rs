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
            text.contains("cumulative from step 1, on CPUs: ")
                && text.contains("add from step 2, on devices"),
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
        let first = x.square().persist_with(&SubmitOptions::new().workers([ranks[0]]))?;
        let second = (&first + &x).compute_with(&SubmitOptions::new().workers([ranks[1]]))?;
        let expected: Array1<i64> = (0..40_000).map(|x| x * x + x).collect();
        assert_eq!(second, expected.into_dyn());
        let truths = (&first % 2).eq(0).persist_with(&SubmitOptions::new().workers([ranks[0]]))?;
        assert_eq!(truths.count_nonzero().compute_with(&SubmitOptions::new().workers([ranks[1]]))?, 20_000);
        Ok(())
    });
    run.unwrap();
}
