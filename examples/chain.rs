//! Two functions in a chain over 48 inputs: the William & Mary page's Dask program.
//!
//! `mpirun -n 6 target/release/examples/chain`, or without `mpirun`.

fn multiply(x: i32) -> i32 {
    x * 2
}

fn neg(x: i32) -> i32 {
    -x
}

fn main() -> maniple::Result<()> {
    maniple::run(|client| {
        let a = client.map(multiply, vec![1; 48]);
        println!("{:?}", a[0]);
        let b = client.map(neg, &a);
        let total = client.submit(|v: &[i32]| v.iter().sum::<i32>(), &b);
        println!("OUTPUT:\n{}", total.result()?);
        Ok(())
    })
}
