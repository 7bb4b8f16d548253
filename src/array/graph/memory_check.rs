//! Whether some worker can hold each block of a plan. Looked at before anything is submitted.

use crate::{
    array::graph::plan::Plan,
    cluster::Cluster,
    error::{Error, Result},
    units::human_bytes,
};

/// Whether every block that tasks make fits into the memory of some worker.
///
/// # Errors
///
/// Names the block that does not, the limit, and what helps.
pub(crate) fn check(plan: &Plan, cluster: &Cluster) -> Result<()> {
    let limit = cluster.workers().map(|worker| worker.memory_bytes).max().unwrap_or(u64::MAX);
    match plan.steps.iter().find(|step| step.is_made() && step.node.block_bytes() as u64 > limit) {
        None => Ok(()),
        Some(step) => Err(Error::BlockTooLarge {
            block_bytes: step.node.block_bytes() as u64,
            limit_bytes: limit,
            message: format!(
                "a block of shape {:?} has {}, more than the {} that a worker may hold: it is a block of \
             {} of shape {:?}; rechunk its array into smaller blocks, or give workers more memory \
             (memory_limit, MANIPLE_MEMORY_LIMIT)",
                step.block_shape(),
                human_bytes(step.node.block_bytes() as u64),
                human_bytes(limit),
                step.name(),
                step.node.shape(),
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, MemoryLimit, Runtime};

    #[test]
    fn nothing_is_submitted_for_a_block_that_no_worker_can_hold() {
        Runtime::builder()
            .threads(1)
            .memory_limit(MemoryLimit::Bytes(1 << 20))
            .execute(|client| {
                let large = client.ones::<f64>([1 << 18], 1 << 18).cumsum(0);
                let small = client.ones::<f64>([4], 2);
                let before = client.submitted_count();
                let errors = [
                    large.compute().unwrap_err(),
                    large.persist().unwrap_err(),
                    large.checkpoint().unwrap_err(),
                    client.persist(&(small, large.clone())).unwrap_err(),
                ];
                for error in errors {
                    let (block, limit) = (1 << 21, 1 << 20);
                    let Error::BlockTooLarge { block_bytes, limit_bytes, .. } = error.clone() else {
                        panic!("{error}")
                    };
                    assert_eq!((block_bytes, limit_bytes), (block, limit));
                    let error = error.to_string();
                    assert!(error.contains("a block of shape [262144] has 2.00 MiB"), "{error}");
                }
                assert_eq!(client.submitted_count(), before);
                // What goes into the kernel of a sum is no block.
                let sum = client.ones::<f64>([1 << 18], 1 << 18).sum().compute()?;
                assert_eq!(sum, f64::from(1 << 18));
                Ok(())
            })
            .unwrap();
    }
}
