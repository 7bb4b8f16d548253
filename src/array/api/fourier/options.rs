//! Which axes a transform goes over, how long they are, and how the result is scaled.

use crate::array::{ShapeError, ShapeErrorKind};

/// Which of a transform and its inverse is scaled: NumPy's `norm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FourierNorm {
    /// The inverse is divided by the number of elements.
    #[default]
    Backward,
    /// Both are divided by the square root of the number of elements.
    Ortho,
    /// The transform is divided by the number of elements.
    Forward,
}

/// The axes of a Fourier transform: `0`, `[0, 2]`, `&axes`.
///
/// [`length`](Self::length) and [`lengths`](Self::lengths) crop the axes or pad them with zeros,
/// [`norm`](Self::norm) selects the scaling.
///
/// # Examples
///
/// ```
/// use maniple::array::{Fourier, FourierNorm};
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.ones::<f64>([10, 10], 4);
/// let y = x.rfftn(Fourier::along([0, 1]).lengths([16, 8]).norm(FourierNorm::Forward));
/// assert_eq!(y.shape(), [16, 5]);
/// # Ok(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Fourier {
    axes: Vec<usize>,
    lengths: Option<Vec<usize>>,
    norm: FourierNorm,
}

impl Fourier {
    /// A transform along these axes.
    pub fn along(axes: impl Into<Self>) -> Self {
        axes.into()
    }

    /// Crops the axis to this length, or pads it with zeros: NumPy's `n`.
    #[must_use]
    pub fn length(self, length: usize) -> Self {
        self.lengths([length])
    }

    /// Crops each axis to its length, or pads it with zeros: NumPy's `s`.
    #[must_use]
    pub fn lengths(self, lengths: impl Into<Vec<usize>>) -> Self {
        Self { lengths: Some(lengths.into()), ..self }
    }

    /// Selects the scaling.
    #[must_use]
    pub fn norm(self, norm: FourierNorm) -> Self {
        Self { norm, ..self }
    }

    /// Each axis, and how long it is to be if that is given.
    pub(super) fn each(&self, name: &str, shape: &[usize]) -> Result<Axes, ShapeError> {
        if let Some(axis) = self.axes.iter().find(|axis| **axis >= shape.len()) {
            let words = format!("{name} along axis {axis} of shape {shape:?}, which has no such axis");
            return Err(ShapeError::new(ShapeErrorKind::Axis, words));
        }
        let Some(lengths) = &self.lengths else {
            return Ok(self.axes.iter().map(|axis| (*axis, None)).collect());
        };
        if lengths.len() != self.axes.len() {
            let words =
                format!("{name} along axes {:?} to lengths {lengths:?}, which are not as many", self.axes);
            return Err(ShapeError::new(ShapeErrorKind::Axis, words));
        }
        Ok(self.axes.iter().copied().zip(lengths.iter().copied().map(Some)).collect())
    }

    /// A transform of the same scaling along other axes.
    pub(super) fn of(&self, axes: Axes) -> Self {
        let lengths = axes.iter().map(|(_, length)| *length).collect();
        Self { axes: axes.iter().map(|(axis, _)| *axis).collect(), lengths, norm: self.norm }
    }

    /// The transform that is scaled as the inverse of this one is.
    pub(super) fn opposite(self) -> Self {
        let norm = match self.norm {
            FourierNorm::Backward => FourierNorm::Forward,
            FourierNorm::Ortho => FourierNorm::Ortho,
            FourierNorm::Forward => FourierNorm::Backward,
        };
        self.norm(norm)
    }

    /// What the elements of a transform of this length are multiplied by.
    pub(super) fn factor(&self, length: usize, is_inverse: bool) -> f64 {
        match (self.norm, is_inverse) {
            (FourierNorm::Ortho, _) => 1.0 / (length as f64).sqrt(),
            (FourierNorm::Backward, true) | (FourierNorm::Forward, false) => 1.0 / length as f64,
            _ => 1.0,
        }
    }
}

/// Axes, and how long each is to be if that is given.
pub(super) type Axes = Vec<(usize, Option<usize>)>;

pub(super) fn no_axes(name: &str) -> ShapeError {
    ShapeError::new(ShapeErrorKind::Empty, format!("{name}: axes are empty"))
}

pub(super) fn no_elements(name: &str, axis: usize, shape: &[usize]) -> ShapeError {
    let words = format!("{name} along axis {axis} of shape {shape:?}, which has no elements");
    ShapeError::new(ShapeErrorKind::Empty, words)
}

impl From<Vec<usize>> for Fourier {
    fn from(axes: Vec<usize>) -> Self {
        Self { axes, lengths: None, norm: FourierNorm::default() }
    }
}

impl From<usize> for Fourier {
    fn from(axis: usize) -> Self {
        vec![axis].into()
    }
}

impl From<&[usize]> for Fourier {
    fn from(axes: &[usize]) -> Self {
        axes.to_vec().into()
    }
}

impl From<&Vec<usize>> for Fourier {
    fn from(axes: &Vec<usize>) -> Self {
        axes.clone().into()
    }
}

impl<const N: usize> From<[usize; N]> for Fourier {
    fn from(axes: [usize; N]) -> Self {
        axes.to_vec().into()
    }
}

impl<const N: usize> From<&[usize; N]> for Fourier {
    fn from(axes: &[usize; N]) -> Self {
        axes.to_vec().into()
    }
}
