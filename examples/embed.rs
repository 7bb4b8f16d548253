//! A run within an MPI program that has its own life: the program owns MPI, uses its communicator
//! before, runs Maniple on a part of it, twice, and uses it after. In a third run each rank hands over its
//! rows of a matrix, and gets them back scaled.
//!
//! `mpirun -n 6 target/release/examples/embed`

use maniple::Runtime;
use mpi::{collective::SystemOperation, environment::Threading, traits::*};
use ndarray::{ArrayD, IxDyn};

fn main() -> maniple::Result<()> {
    // Driver and workers use MPI from several threads, one at a time.
    let (universe, _) = mpi::initialize_with_threading(Threading::Serialized)
        .ok_or_else(|| maniple::Error::other("MPI is initialised already"))?;
    let world = universe.world();
    let rank = world.rank();

    // Before: every rank has something of its own.
    let mut total = 0;
    world.all_reduce_into(&rank, &mut total, SystemOperation::sum());

    // All ranks but the last, or all of a small world, form a run; the last goes on alone.
    let is_member = world.size() < 3 || rank < world.size() - 1;
    let part = world.split_by_color(mpi::topology::Color::with_value(i32::from(is_member)));
    if let Some(part) = part.filter(|_| is_member) {
        for round in 1..=2u64 {
            let sum = Runtime::builder().communicator(&part).execute(|client| {
                let squares = client.map(|x: u64, round: u64| x * x * round, (0..100).map(|x| (x, round)));
                Ok(client.gather(&squares)?.iter().sum::<u64>())
            })?;
            // Every rank of the part has the result.
            assert_eq!(sum, 328_350 * round);
        }
        // Rank r has r + 1 rows; all are divided by the sum of the columns, which no rank knows alone.
        let rows = part.rank() as usize + 1;
        let mine = ArrayD::from_elem(IxDyn(&[rows, 3]), rows as f64);
        let scaled =
            Runtime::builder().communicator(&part).execute_with_parts(mine.clone(), |client, blocks| {
                let x = client.from_rank_blocks(&blocks, [blocks.len(), 1])?;
                (&x / x.sum_axis(0)).to_rank_blocks()
            })?;
        let count = part.size() as usize;
        let sum = count * (count + 1) * (2 * count + 1) / 6;
        assert_eq!(scaled, mine / sum as f64);
    }

    // After: the communicator is as it was.
    let mut again = 0;
    world.all_reduce_into(&rank, &mut again, SystemOperation::sum());
    assert_eq!(again, total);
    if rank == 0 {
        println!("{} ranks: sum {total} before and after", world.size());
    }
    Ok(())
}
