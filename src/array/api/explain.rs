//! What computing an array would do, in words and as a picture.

use crate::{
    array::{
        Array, Dimensions, Element,
        graph::{
            plan::{Place, Plan, Step},
            submit::count_tasks,
        },
    },
    error::Result,
    picture::Picture,
};
use std::{fmt::Write, path::Path};

impl<T: Element, D: Dimensions> Array<T, D> {
    /// What computing the array would do: the steps, what is fused in each, how many tasks and blocks. With
    /// [`on_devices`](crate::Client::on_devices) also where each step is made.
    ///
    /// It prints the plan that [`compute`](Self::compute) carries out.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([1000], 100);
    /// assert!((x * 2.0 + 1.0).sum().explain().contains("multiply, add; sum"));
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn explain(&self) -> String {
        let mut text = format!("{self}\n");
        let planned = self.plan().and_then(|plan| Ok((count_tasks(&self.client, &plan)?, plan)));
        let (counts, plan) = match planned {
            Ok(planned) => planned,
            Err(error) => return text + &format!("  cannot be computed: {error}"),
        };
        for (place, (step, tasks)) in plan.steps.iter().zip(&counts).enumerate() {
            writeln!(text, "  {}. {}", place + 1, line(&plan, step, *tasks)).expect("a string takes all");
        }
        write!(text, "  {} tasks in all", counts.iter().sum::<u64>()).expect("a string takes all");
        text
    }

    /// Writes a picture of the [steps](Self::explain): as SVG, or as a DOT file for Graphviz if the
    /// name ends so.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::Error::File) if it cannot be written.
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut picture = Picture::default();
        for step in self.plan()?.steps {
            let (shape, blocks) = (step.node.shape(), step.node.grid.count());
            picture.add(format!("{}\n{shape:?} in {blocks} blocks", step.name()), step.inputs);
        }
        picture.write(path.as_ref())
    }
}

/// A step in words; where its tasks run is said if devices were asked for.
fn line(plan: &Plan, step: &Step, tasks: u64) -> String {
    let from = match step.inputs.as_slice() {
        [] => String::new(),
        inputs => format!(" from step {}", list(inputs)),
    };
    let place = match &step.place {
        Place::Devices => ", on devices".to_string(),
        Place::Cpus(Some(why)) => format!(", on CPUs ({why})"),
        Place::Cpus(None) if plan.devices.is_some() => ", on CPUs".to_string(),
        Place::Cpus(None) | Place::Nowhere => String::new(),
    };
    format!(
        "{}{from}{place}: {tasks} tasks, {} blocks of up to {}, shape {:?}",
        step.name(),
        step.node.grid.count(),
        indicatif::BinaryBytes(step.node.block_bytes() as u64),
        step.node.shape()
    )
}

fn list(steps: &[usize]) -> String {
    steps.iter().map(|step| (step + 1).to_string()).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use crate::{
        Array, Client, Runtime,
        array::{Axes, Boundary, Side, concatenate, select},
    };
    use ndarray::{ArrayD, s};

    /// How many tasks are said, and how many are submitted.
    fn tasks<T: crate::array::Element>(client: &Client, array: &Array<T>) -> (u64, u64) {
        let text = array.explain();
        let last = text.lines().last().expect("a line for all");
        let said = last.trim().strip_suffix(" tasks in all").expect("the number of tasks").parse().unwrap();
        let before = client.submitted_count();
        let blocks = array.to_futures().unwrap();
        let submitted = client.submitted_count() - before;
        client.gather(&blocks).unwrap();
        (said, submitted)
    }

    #[test]
    fn as_many_tasks_are_submitted_as_are_said() {
        Runtime::builder()
            .threads(1)
            .execute(|client| {
                let x = client.from_ndarray(&ArrayD::<f64>::ones(vec![6, 4]), 2)?;
                let y = client.ones::<f64>([6, 4], 2);
                let mut wrong = Vec::new();
                let mut check = |name: &str, array: &Array<f64>, wanted: u64| {
                    let (said, submitted) = tasks(client, array);
                    if (said, submitted) != (wanted, wanted) {
                        wrong.push(format!(
                            "{name}: {wanted} due, {submitted} submitted; {}",
                            array.explain()
                        ));
                    }
                };
                check("blocks", &x, 0);
                check("made", &y, 6);
                check("fused", &(&x * 2.0 + &y), 6);
                check("whole blocks", &x.slice(s![2..4, ..]), 0);
                check("parts and whole blocks", &x.slice(s![1.., ..]), 2);
                check("new chunks", &x.rechunk([6, 2]), 2);
                check("the same chunks with an empty one", &x.rechunk(vec![vec![2, 0, 2, 2], vec![2, 2]]), 2);
                check("side by side", &concatenate(&[&x, &y], 0), 6);
                check("transposed", &x.t(), 6);
                check("reshaped", &x.reshape([24]), 6 + 6);
                check("folded", &x.rechunk([2, 4]).sum_axis(1), 3 + 3);
                check("reduced", &x.sum_axis(1), 6 + 3);
                check("reduced in a tree", &x.sum_axis(Axes::all().fan_in(2)), 6 + 3 + 2 + 1);
                check("shared", &(x.rechunk([6, 2]) + x.rechunk([6, 2]).sum_axis(0)), 2 * 2 + 2 * 2 + 2);
                let beyond = Boundary::Constant(0.0);
                check("with what its neighbours have", &x.map_overlap(ArrayD::clone, &[1, 1], beyond), 6 + 6);
                check("running", &x.cumsum(0), 6 + 2 + 6);
                // Each of 4 lanes in 2 blocks: sorted, two samples, narrowed, cuts, four pieces, merged.
                check("sorted", &x.sort(0), 8 + 4 * (2 + 2 + 1 + 1 + 4 + 2) + 6);
                check("sorted in whole lanes", &x.sort(1), 6 + 6 + 6);
                check("quantiles in whole lanes", &x.quantile(0.5, 1), 6 + 6 + 3);
                check("chosen", &select(&x.gt(0.0), &y, 0.0), 6);
                check("of a product", &x.matmul(&x.t().rechunk(2)), 6 + 2 * 9 + 9);
                check("diagonal", &x.slice(s![..4, ..]).diagonal(0), 2);
                check(
                    "searched",
                    &x.ravel().rechunk(24).searchsorted(&y.ravel().rechunk(24), Side::Left).cast(),
                    2 * (6 + 6 + 1) + 1 + 1,
                );
                #[cfg(feature = "linear-algebra")]
                {
                    let (q, r) = x.rechunk([2, 4]).qr();
                    let both = q.matmul(&r);
                    let (said, submitted) = tasks(client, &both);
                    assert_eq!(said, submitted);
                    let (said, submitted) =
                        tasks(client, &(x.slice(s![..4, ..]) + client.eye(4, 0, 2)).inv());
                    assert_eq!(said, submitted);
                }
                let kept = (&x + 1.0).persist()?;
                check("kept", &kept, 0);
                assert!(wrong.is_empty(), "{}", wrong.join("\n"));
                Ok(())
            })
            .unwrap();
    }
}
