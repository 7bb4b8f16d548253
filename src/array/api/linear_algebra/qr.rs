//! QR factorization.
//!
//! A matrix in one block column is factorized by a tree of its row blocks (TSQR; Demmel, Grigori,
//! Hoemmen and Langou 2012): each block by itself, then their factors R, some at a time, stacked. Down
//! the tree each block's own Q is multiplied by what is above, so Q is as orthogonal as for one block.
//! Other matrices are factorized one block column after the other by Householder's reflections, which
//! are applied to the columns right of it at once.

use super::{
    columns::{Futures, columns_grid, factors_nodes, first_pieces, first_rows, upper_column},
    local::{Reflections, reflections, rows, transposed_mut},
    thin::{parts, thin_qr, times},
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
use ndarray::{Array2, ArrayD, Axis, concatenate, s};

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

/// A matrix that was factorized in the tree, as [`thin_qr`] leaves it.
struct Member<T> {
    thin: Future<ArrayD<T>>,
    rows: usize,
}

fn by_rows<T: Float>(
    client: &Submitter<'_>,
    blocks: &Futures<T>,
    chunks: &AxisChunks,
    columns: usize,
) -> [Futures<T>; 2] {
    // Level by level, up; the last has one member.
    let leaves = client.map(factorize::<T>, blocks);
    let sizes = chunks.sizes();
    let mut levels: Vec<Vec<Member<T>>> = vec![members(leaves, sizes)];
    loop {
        let level = levels.last().expect("there are leaves");
        let sizes: Vec<usize> = level.iter().map(|member| member.rows.min(columns)).collect();
        let uppers = level.iter().map(|member| (&member.thin, member.rows));
        let uppers = client.map(upper::<T>, uppers);
        if level.len() == 1 {
            return [down(client, &levels, columns), uppers];
        }
        let stacked = client.map(factorize_stacked::<T>, uppers.chunks(FAN_IN));
        levels.push(members(stacked, sizes.chunks(FAN_IN).map(|sizes| sizes.iter().sum()).collect()));
    }
}

fn members<T>(thin: Vec<Future<ArrayD<T>>>, rows: Vec<usize>) -> Vec<Member<T>> {
    thin.into_iter().zip(rows).map(|(thin, rows)| Member { thin, rows }).collect()
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
                (&member.thin, member.rows, above, own.start)
            })
            .collect();
        above = client.map(expand::<T>, tasks);
    }
    above
}

fn factorize<T: Float>(block: &ArrayD<T>) -> ArrayD<T> {
    thin_qr(rows(block).view())
}

fn factorize_stacked<T: Float>(blocks: Vec<Shared<ArrayD<T>>>) -> ArrayD<T> {
    let views: Vec<_> = blocks.iter().map(|block| rows(block)).collect();
    let views: Vec<_> = views.iter().map(|block| block.view()).collect();
    thin_qr(concatenate(Axis(0), &views).expect("as many columns").view())
}

/// The factor R of a matrix of `rows` rows.
fn upper<T: Float>(thin: &ArrayD<T>, rows: usize) -> ArrayD<T> {
    let [_, r, _] = parts(self::rows(thin).view(), rows).map(|part| part.to_owned());
    r.into_dyn()
}

/// Q times some rows of what is above in the tree, if anything is.
fn expand<T: Float>(thin: &ArrayD<T>, rows: usize, above: Vec<Shared<ArrayD<T>>>, start: usize) -> ArrayD<T> {
    let thin = self::rows(thin);
    let [p, _, c] = parts(thin.view(), rows);
    match above.first() {
        Some(above) => times(p, &c.dot(&self::rows(above).slice(s![start..start + c.ncols(), ..]))),
        None => times(p, &c.to_owned()),
    }
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
