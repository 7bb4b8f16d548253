//! What each rank of an MPI program hands over to a run that is embedded in it, and gets back.
//!
//! A rank's part lies in its engine until a task that runs on that rank takes it, and so does what the
//! rank gets back until its call returns: parts stay in their process, and move only as values do.

use super::{Builder, Stopped};
use crate::{
    client::{Client, Future, SubmitOptions, process::Process},
    current::current,
    error::{Error, Result},
    rank::Rank,
    value::Data,
};
use std::sync::Arc;

impl Builder {
    /// As [`execute`](Self::execute), where each rank hands over a part of its own and gets back another: a
    /// run in the midst of an MPI program whose data lie on all ranks. Collective: every rank calls it, with
    /// the same types.
    ///
    /// The closure is given a future of each rank's part, in rank order, and returns as many: each rank gets
    /// the value of its own. No part leaves its rank unless a task elsewhere needs it. Every rank works, as
    /// with [`exclusive_workers(false)`](Self::exclusive_workers). Where one process is all ranks, there is
    /// one part.
    ///
    /// With blocks of an array see [`Client::from_rank_blocks`] and
    /// [`Array::to_rank_blocks`](crate::array::Array::to_rank_blocks).
    ///
    /// ```
    /// // On every rank, with `.communicator(&comm)` before it; here the only rank is number 0.
    /// let mine = vec![1.0, 2.0, 3.0];
    /// let scaled: Vec<f64> = maniple::Runtime::builder().execute_with_parts(mine, |client, parts| {
    ///     let sums = client.map(|part: &[f64]| part.iter().sum::<f64>(), &parts);
    ///     let total = client.submit(|sums: &[f64]| sums.iter().sum::<f64>(), &sums);
    ///     let scale = |part: &[f64], total: f64| part.iter().map(|x| x / total).collect::<Vec<f64>>();
    ///     Ok(client.map(scale, parts.iter().map(|part| (part, &total))))
    /// })?;
    /// assert_eq!(scaled, [1.0 / 6.0, 2.0 / 6.0, 0.5]);
    /// # Ok::<(), maniple::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute); if the closure returns more or fewer futures than there are ranks; and
    /// if the task of one failed.
    pub fn execute_with_parts<V: Data, R: Data>(
        self,
        part: V,
        driver: impl FnOnce(&Client, Vec<Future<V>>) -> Result<Vec<Future<R>>> + Send,
    ) -> Result<R> {
        let mut own = None;
        let ended = self.exclusive_workers(false).start_with(
            |client: &Client| hand_over::<V, R>(client, driver),
            false,
            |engine| {
                engine.parts().given.put(part);
                own = Some(Arc::clone(engine));
            },
        );
        ended.map_err(|stopped: Stopped| stopped.error)?;
        let given = own.and_then(|engine| engine.parts().returned.take::<R>());
        given.ok_or_else(|| Error::from("this rank was given nothing back".to_string()))
    }
}

/// What the driver does: gets the parts, has the closure called, and gives back.
fn hand_over<V: Data, R: Data>(
    client: &Client,
    driver: impl FnOnce(&Client, Vec<Future<V>>) -> Result<Vec<Future<R>>>,
) -> Result<()> {
    let process = client.process().ok_or(Error::Ended)?;
    // Where all ranks are threads of one process, one call has been made, with one part.
    let is_one_call = process.is_one_process();
    let parts = match is_one_call {
        true => vec![client.scatter(process.parts().given.take::<V>().ok_or(Error::Ended)?)?],
        false => client.run_on_workers(take_part::<V>, ()),
    };
    let count = parts.len();
    let results = driver(client, parts)?;
    if results.len() != count {
        let words = format!("{} parts are given back to {count} ranks, one each is due", results.len());
        return Err(words.into());
    }
    if is_one_call {
        process.parts().returned.put(results[0].result()?);
        return Ok(());
    }
    let given = results.iter().enumerate().map(|(rank, part)| {
        let options = SubmitOptions::new().workers([Rank(rank as u32)]);
        client.with(&options).submit(give_part::<R>, part)
    });
    let given: Vec<Future<()>> = given.collect();
    client.gather(&given).map(|_| ())
}

fn own_process() -> Arc<dyn Process> {
    current().client().process().expect("a task runs within its run")
}

fn take_part<V: Data>() -> V {
    own_process()
        .parts()
        .given
        .take()
        .expect("each rank hands over a part, of the type that the driver's rank has")
}

fn give_part<R: Data>(part: R) {
    own_process().parts().returned.put(part);
}
