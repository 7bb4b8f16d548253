//! QR factorization.
//!
//! A matrix in one block column is factorized by a tree of its row blocks (TSQR; Demmel, Grigori,
//! Hoemmen and Langou 2012): each block by itself, then their factors R, some at a time, stacked. Down
//! the tree each block's part of Q comes of its own reflections, so Q is as orthogonal as for one block.
//! Other matrices are factorized one block column after the other by Householder's reflections, which
//! are applied to the columns right of it at once.

use super::{
    columns::{Futures, columns_grid, factors_nodes, first_pieces, first_rows, flipped, upper_column},
    local::{Reflections, reflections, rows, transpose_to, transposed_mut},
};
use crate::{
    array::{
        Array, Float,
        graph::{
            chunks::{AxisChunks, Grid},
            custom::erased,
            submitter::Submitter,
        },
    },
    client::Future,
    task::Shared,
};
use ndarray::{Array2, ArrayD, s};

/// How many factors R are stacked at a time.
const FAN_IN: usize = 8;

impl<T: Float> Array<T> {
    /// The reduced QR factorization of a matrix: `Q · R` with orthonormal columns in Q and an upper
    /// triangular R. Of m x n elements, Q has min(m, n) columns. The diagonal of R may be negative.
    ///
    /// Best for tall matrices whose columns are not cut: then blocks of rows work at the same time, and
    /// only small matrices travel. Otherwise a block column must fit into a worker's memory.
    ///
    /// # Panics
    ///
    /// Panics if the array is no matrix.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(3).normal::<f64>(0.0, 1.0, [1000, 4], [250, 4]);
    /// let (q, r) = x.qr();
    /// let difference = (q.matmul(&r) - x).abs().max();
    /// assert!(difference.compute()? < 1e-13);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn qr(&self) -> (Self, Self) {
        let [rows, columns] = self.matrix_shape("qr");
        let chunks = self.node.grid.0[1].clone();
        if rows == 0 || columns == 0 {
            let none = AxisChunks::regular(0, 1);
            let q = self.zeros_of(Grid(vec![self.node.grid.0[0].clone(), none.clone()]));
            return (q, self.zeros_of(Grid(vec![none, chunks])));
        }
        let inner = first_pieces(&chunks, rows.min(columns));
        let q_grid = Grid(vec![self.node.grid.0[0].clone(), inner.clone()]);
        let r_grid = Grid(vec![inner.clone(), chunks.clone()]);
        let of_type = |grid: Grid| (T::DATA_TYPE, grid);
        if chunks.count() == 1 {
            let row_chunks = self.node.grid.0[0].clone();
            let inputs = vec![self.node.clone()];
            let [q, r] = factors_nodes("qr", inputs, [q_grid, r_grid].map(of_type), move |client, inputs| {
                by_rows::<T>(client, &inputs[0], &row_chunks, columns).map(|blocks| erased(&blocks))
            });
            return (self.derive(q), self.derive(r));
        }
        let grids = [columns_grid(&inner, rows), columns_grid(&chunks, rows.min(columns))];
        let inputs = vec![self.block_columns(&chunks)];
        let [q, r] = factors_nodes("qr", inputs, grids.map(of_type), move |client, inputs| {
            by_columns::<T>(client, &inputs[0], &chunks, &inner, rows).map(|blocks| erased(&blocks))
        });
        (self.of_block_columns(q, q_grid), self.of_block_columns(r, r_grid))
    }
}

/// A matrix that was factorized in the tree.
struct Member<T> {
    reflections: Future<ArrayD<T>>,
    rows: usize,
}

fn by_rows<T: Float>(
    client: &Submitter<'_>,
    blocks: &Futures<T>,
    chunks: &AxisChunks,
    columns: usize,
) -> [Futures<T>; 2] {
    // Level by level, up; the last has one member.
    let leaves = client.map(block_reflections::<T>, blocks);
    let sizes = chunks.sizes();
    let mut levels: Vec<Vec<Member<T>>> = vec![members(leaves, sizes)];
    loop {
        let level = levels.last().expect("there are leaves");
        let sizes: Vec<usize> = level.iter().map(|member| member.rows.min(columns)).collect();
        let uppers = level.iter().map(|member| (&member.reflections, member.rows));
        let uppers = client.map(upper::<T>, uppers);
        if level.len() == 1 {
            return [down(client, &levels, columns), uppers];
        }
        let stacked = client.map(stacked_reflections::<T>, uppers.chunks(FAN_IN));
        levels.push(members(stacked, sizes.chunks(FAN_IN).map(|sizes| sizes.iter().sum()).collect()));
    }
}

fn members<T>(reflections: Vec<Future<ArrayD<T>>>, rows: Vec<usize>) -> Vec<Member<T>> {
    let member = |(reflections, rows)| Member { reflections, rows };
    reflections.into_iter().zip(rows).map(member).collect()
}

/// The blocks of Q: each member of the tree multiplies its Q by the rows that it has in the one above.
fn down<T: Float>(client: &Submitter<'_>, levels: &[Vec<Member<T>>], columns: usize) -> Futures<T> {
    let mut above: Futures<T> = Vec::new();
    for level in levels.iter().rev() {
        let mut start = 0;
        let tasks: Vec<_> = level
            .iter()
            .enumerate()
            .map(|(place, member)| {
                if place % FAN_IN == 0 {
                    start = 0;
                }
                let own = start..start + member.rows.min(columns);
                start = own.end;
                let above: Futures<T> = above.get(place / FAN_IN).cloned().into_iter().collect();
                (&member.reflections, member.rows, above, own.start, own.len())
            })
            .collect();
        above = client.map(expand::<T>, tasks);
    }
    above
}

fn block_reflections<T: Float>(block: &ArrayD<T>) -> ArrayD<T> {
    let block = rows(block);
    reflections(block.dim(), |target| transpose_to(block.view(), target))
}

fn stacked_reflections<T: Float>(blocks: Vec<Shared<ArrayD<T>>>) -> ArrayD<T> {
    let count = blocks.iter().map(|block| block.shape()[0]).sum();
    reflections((count, blocks[0].shape()[1]), |mut target| {
        let mut start = 0;
        for block in &blocks {
            let end = start + block.shape()[0];
            target.slice_mut(s![.., start..end]).assign(&rows(block).t());
            start = end;
        }
    })
}

/// The factor R of a matrix of `rows` rows.
fn upper<T: Float>(factor: &ArrayD<T>, rows: usize) -> ArrayD<T> {
    let length = rows.min(factor.shape()[0]);
    let upper = upper_column(factor, factor, 0, length);
    flipped(&self::rows(&upper).into_owned())
}

/// Q times some rows of what is above in the tree, or its first columns if nothing is above.
fn expand<T: Float>(
    factor: &ArrayD<T>,
    rows: usize,
    above: Vec<Shared<ArrayD<T>>>,
    start: usize,
    count: usize,
) -> ArrayD<T> {
    let factor = self::rows(factor);
    let mut block = match above.first() {
        Some(above) => {
            let above = self::rows(above);
            let mut block = Array2::zeros((above.ncols(), rows));
            block.slice_mut(s![.., ..count]).assign(&above.slice(s![start..start + count, ..]).t());
            block
        }
        None => identity(count, rows, 0),
    };
    Reflections::of(&factor, rows).apply(transposed_mut(&mut block));
    flipped(&block)
}

/// `count` columns of the identity, transposed, from column `offset` on.
fn identity<T: Float>(count: usize, rows: usize, offset: usize) -> Array2<T> {
    Array2::from_shape_fn(
        (count, rows),
        |(column, row)| if offset + column == row { T::one() } else { T::zero() },
    )
}

fn by_columns<T: Float>(
    client: &Submitter<'_>,
    columns: &Futures<T>,
    chunks: &AxisChunks,
    inner: &AxisChunks,
    rows: usize,
) -> [Futures<T>; 2] {
    let mut columns = columns.clone();
    let mut factors: Vec<(Future<ArrayD<T>>, usize)> = Vec::new();
    let length = inner.length();
    for step in 0..inner.count() {
        let (offset, _) = chunks.piece(step);
        let factor = client.submit(column_reflections::<T>, (&columns[step], offset));
        let tasks = columns[step + 1..].iter().map(|column| (&factor, column, offset));
        let reflected = client.map(reflect::<T>, tasks);
        columns.splice(step + 1.., reflected);
        factors.push((factor, offset));
    }
    let r = columns.iter().enumerate().map(|(place, column)| match factors.get(place) {
        Some((factor, offset)) => client.submit(upper_column::<T>, (column, factor, *offset, length)),
        None => client.submit(first_rows::<T>, (column, length)),
    });
    let r = r.collect();
    let q = (0..inner.count()).map(|place| {
        let (offset, count) = inner.piece(place);
        let start = client.submit(identity_column::<T>, (count, rows, offset));
        factors[..=place]
            .iter()
            .rev()
            .fold(start, |column, (factor, offset)| client.submit(unreflect::<T>, (factor, &column, *offset)))
    });
    [q.collect(), r]
}

fn identity_column<T: Float>(count: usize, rows: usize, offset: usize) -> ArrayD<T> {
    identity(count, rows, offset).into_dyn()
}

/// The reflections of a block column from row `offset` on.
fn column_reflections<T: Float>(column: &ArrayD<T>, offset: usize) -> ArrayD<T> {
    let column = rows(column);
    let part = column.slice(s![.., offset..]);
    reflections((part.ncols(), part.nrows()), |mut target| target.assign(&part))
}

/// The block column times Q's conjugate transpose from row `offset` on.
fn reflect<T: Float>(factor: &ArrayD<T>, column: &ArrayD<T>, offset: usize) -> ArrayD<T> {
    let (factor, mut column) = (rows(factor), rows(column).into_owned());
    let matrix = transposed_mut(&mut column).split_at_row_mut(offset).1;
    Reflections::<T>::of(&factor, matrix.nrows()).apply_adjoint(matrix);
    column.into_dyn()
}

/// The block column times Q from row `offset` on.
fn unreflect<T: Float>(factor: &ArrayD<T>, column: &ArrayD<T>, offset: usize) -> ArrayD<T> {
    let (factor, mut column) = (rows(factor), rows(column).into_owned());
    let matrix = transposed_mut(&mut column).split_at_row_mut(offset).1;
    Reflections::<T>::of(&factor, matrix.nrows()).apply(matrix);
    column.into_dyn()
}
