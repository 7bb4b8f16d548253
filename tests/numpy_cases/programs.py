"""What each operation of the table's programs means in NumPy.

A step is (operation, of, numbers, words): an operation on earlier values, which are the inputs and then what each
step gave, with whole numbers and words as parameters. The tests' Rust interpreter has the same operations.
"""

import numpy as np


def axes_of(numbers, ndim):
    """(axis, keepdims) of a reduction: whether axes are kept, whether all are meant, and which."""
    keep, is_all, *axes = numbers
    return (None if is_all else tuple(axes)), bool(keep)


def number_of(words, dtype):
    if np.dtype(dtype).kind == "c":
        return np.dtype(dtype).type(complex(float(words[0]), float(words[1])))
    if np.dtype(dtype).kind == "b":
        return np.bool_(words[0] == "1")
    return np.dtype(dtype).type(int(words[0]) if np.dtype(dtype).kind in "iu" else float(words[0]))


def part_of(array, numbers):
    """The key of a part: ranges in ndarray's meaning, where a negative step reverses the range."""
    groups = [numbers[place : place + 4] for place in range(0, len(numbers), 4)]
    view = array
    axis = 0
    for kind, start, end, step in groups:
        place = (slice(None),) * axis
        if kind == 0:
            view = view[(*place, slice(start, end))]
            view = view[(*place, slice(None, None, step))]
            axis += 1
        elif kind == 1:
            view = view[(*place, start, ...)]
        else:
            view = view[(*place, None)]
            axis += 1
    return view


def set_slice(x, value, numbers):
    result = x.copy()
    part_of(result, numbers)[...] = value
    return result


def top(x, axis, count):
    """Places of the largest elements; NaN is larger than all, and of equal ones the first comes first."""
    ranks = np.searchsorted(np.unique(x), x)
    order = np.argsort(-ranks, axis=axis, kind="stable")
    return np.take(order, range(count), axis=axis)


def block(arrays, lengths):
    rest = list(arrays)
    rows = []
    for length in lengths:
        rows.append(rest[:length])
        rest = rest[length:]
    return np.block(rows)


def histogram(x, bins, low, high):
    """Counts and edges, which are of the type of the elements, here in 64 bits."""
    counts, edges = np.histogram(x, bins, (low, high))
    return [counts, edges.astype("float64")]


def unique_all(x):
    values, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    return [values, first, inverse.reshape(x.shape), counts]


def group_by(x, keys):
    """The keys of groups in order, and the count, sum, mean, minimum, maximum and both variances of each."""
    rows, inverse = np.unique(np.stack([each.ravel() for each in keys], axis=1), axis=0, return_inverse=True)
    members = [x.ravel()[inverse.ravel() == group] for group in range(len(rows))]
    total = np.sum(np.zeros(0, x.dtype)).dtype
    exact = [each.astype("float64") for each in members]
    return [
        *[rows[:, place].copy() for place in range(len(keys))],
        np.array([len(each) for each in members], "int64"),
        np.array([each.sum() for each in members], total),
        np.array([each.mean() for each in exact], "float64"),
        np.array([each.min() for each in members], x.dtype),
        np.array([each.max() for each in members], x.dtype),
        np.array([each.var() for each in exact], "float64"),
        np.array([each.var(ddof=1) for each in exact], "float64"),
    ]


def einsum(words, *arrays):
    return np.einsum(words, *arrays)


def unary(function):
    return lambda of, numbers, words: function(of[0])


def binary(function):
    return lambda of, numbers, words: function(of[0], of[1])


def reduction(function, *, ddof=False, one_axis=False):
    def apply(of, numbers, words):
        axis, keep = axes_of(numbers, of[0].ndim)
        if one_axis and axis is not None:
            axis = axis[0]
        more = {"ddof": float(words[0])} if ddof else {}
        return function(of[0], axis=axis, keepdims=keep, **more)

    return apply


def norm(of, numbers, words):
    axis, keep = axes_of(numbers, of[0].ndim)
    order = words[0] if words[0] in ("fro", "nuc") else float(words[0])
    if axis is not None and len(axis) == 1:
        axis = axis[0]
    return np.linalg.norm(of[0], order, axis=axis, keepdims=keep)


UNARY = {
    name: getattr(np, name)
    for name in """negative square isnan isinf isfinite absolute conjugate sign invert floor ceil rint trunc cbrt exp2
    expm1 log2 log10 log1p arcsin arccos arctan arcsinh arccosh arctanh sqrt reciprocal exp log sin cos tan sinh cosh
    tanh real imag ravel transpose squeeze""".split()
}
BINARY = {
    name: getattr(np, name)
    for name in """add subtract multiply divide remainder floor_divide bitwise_and bitwise_or bitwise_xor equal
    not_equal less less_equal greater greater_equal power minimum maximum fmin fmax hypot arctan2 matmul dot inner
    outer vdot""".split()
}
REDUCTIONS = "sum prod mean min max any all count_nonzero nansum nanprod nanmean nanmin nanmax".split()
PLACES = "argmin argmax nanargmin nanargmax".split()
SPREADS = "var std nanvar nanstd".split()
ALONG = "cumsum cumprod nancumsum nancumprod".split()

OPERATIONS = {
    **{name: unary(function) for name, function in UNARY.items()},
    **{name: binary(function) for name, function in BINARY.items()},
    **{name: reduction(getattr(np, name)) for name in REDUCTIONS},
    **{name: reduction(getattr(np, name), one_axis=True) for name in PLACES},
    **{name: reduction(getattr(np, name), ddof=True) for name in SPREADS},
    **{
        name: lambda of, numbers, words, function=getattr(np, name): function(of[0], axis=numbers[0]) for name in ALONG
    },
    "norm": norm,
    "cast": lambda of, numbers, words: of[0].astype(words[0]),
    "clip": lambda of, numbers, words: np.clip(
        of[0], number_of(words[:1], of[0].dtype), number_of(words[1:], of[0].dtype)
    ),
    "where": lambda of, numbers, words: np.where(*of),
    # Order and frequency.
    "diff": lambda of, numbers, words: np.diff(of[0], axis=numbers[0]),
    "gradient": lambda of, numbers, words: np.gradient(of[0], axis=numbers[0]),
    "sort": lambda of, numbers, words: np.sort(of[0], axis=numbers[0], kind="stable"),
    "argsort": lambda of, numbers, words: np.argsort(of[0], axis=numbers[0], kind="stable"),
    "topk": lambda of, numbers, words: np.take_along_axis(of[0], top(of[0], *numbers), numbers[0]),
    "argtopk": lambda of, numbers, words: top(of[0], *numbers),
    "median": lambda of, numbers, words: np.median(of[0], axis=numbers[0]),
    "quantile": lambda of, numbers, words: np.quantile(of[0], float(words[0]), axis=numbers[0]),
    "percentile": lambda of, numbers, words: np.percentile(of[0], float(words[0]), axis=numbers[0]),
    "digitize": lambda of, numbers, words: np.digitize(of[0], [float(word) for word in words]),
    "cov": lambda of, numbers, words: np.atleast_2d(np.cov(of[0], ddof=int(words[0]))),
    "corrcoef": lambda of, numbers, words: np.atleast_2d(np.corrcoef(of[0])),
    "unique": lambda of, numbers, words: list(np.unique(of[0], return_counts=True)),
    "unique_all": lambda of, numbers, words: unique_all(of[0]),
    "is_in": lambda of, numbers, words: np.isin(*of),
    "union1d": lambda of, numbers, words: np.union1d(*of),
    "intersect1d": lambda of, numbers, words: np.intersect1d(*of),
    "setdiff1d": lambda of, numbers, words: np.setdiff1d(*of),
    "group_by": lambda of, numbers, words: group_by(of[0], of[1:]),
    "nanmedian": lambda of, numbers, words: np.nanmedian(of[0], axis=numbers[0]),
    "nanquantile": lambda of, numbers, words: np.nanquantile(of[0], float(words[0]), axis=numbers[0]),
    "nanpercentile": lambda of, numbers, words: np.nanpercentile(of[0], float(words[0]), axis=numbers[0]),
    "histogram": lambda of, numbers, words: histogram(of[0], numbers[0], float(words[0]), float(words[1])),
    "mask": lambda of, numbers, words: of[0][of[1]],
    "bincount": lambda of, numbers, words: np.bincount(of[0].ravel().astype("int64"), minlength=numbers[0]),
    "bincount_weighted": lambda of, numbers, words: np.bincount(
        of[0].ravel().astype("int64"), of[1].ravel(), numbers[0]
    ),
    "searchsorted": lambda of, numbers, words: np.searchsorted(of[0], of[1], "right" if numbers[0] else "left"),
    # Shapes.
    "slice": lambda of, numbers, words: part_of(of[0], numbers),
    "set_slice": lambda of, numbers, words: set_slice(of[0], of[1], numbers),
    "take": lambda of, numbers, words: np.take(of[0], np.array(numbers[1:], "int64"), axis=numbers[0]),
    "rechunk": lambda of, numbers, words: of[0],
    "reshape": lambda of, numbers, words: of[0].reshape(numbers),
    "permute_axes": lambda of, numbers, words: np.transpose(of[0], numbers),
    "swap_axes": lambda of, numbers, words: np.swapaxes(of[0], *numbers),
    "expand_dims": lambda of, numbers, words: np.expand_dims(of[0], numbers[0]),
    "broadcast_to": lambda of, numbers, words: np.broadcast_to(of[0], numbers),
    "flip": lambda of, numbers, words: np.flip(of[0], numbers[0]),
    "roll": lambda of, numbers, words: np.roll(of[0], numbers[1], numbers[0]),
    "repeat": lambda of, numbers, words: np.repeat(of[0], numbers[1], numbers[0]),
    "tile": lambda of, numbers, words: np.tile(of[0], numbers),
    "pad": lambda of, numbers, words: np.pad(
        of[0],
        [(numbers[1], numbers[2]) if axis == numbers[0] else (0, 0) for axis in range(of[0].ndim)],
        constant_values=number_of(words, of[0].dtype),
    ),
    "split": lambda of, numbers, words: np.split(of[0], numbers[1:], numbers[0]),
    "concatenate": lambda of, numbers, words: np.concatenate(of, numbers[0]),
    "stack": lambda of, numbers, words: np.stack(of, numbers[0]),
    "block": lambda of, numbers, words: block(of, numbers),
    "tril": lambda of, numbers, words: np.tril(of[0], numbers[0]),
    "triu": lambda of, numbers, words: np.triu(of[0], numbers[0]),
    "diagonal": lambda of, numbers, words: np.diagonal(of[0], numbers[0]),
    "to_diagonal": lambda of, numbers, words: np.diag(of[0]),
    "trace": lambda of, numbers, words: np.trace(of[0], numbers[0]),
    # Products, factorizations, transforms.
    "tensordot": lambda of, numbers, words: np.tensordot(
        *of, (numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :])
    ),
    "einsum": lambda of, numbers, words: einsum(words[0], *of),
    "adjoint": lambda of, numbers, words: of[0].conj().T,
    "inv": unary(np.linalg.inv),
    "det": unary(np.linalg.det),
    "cholesky": unary(np.linalg.cholesky),
    "svd_values": unary(lambda x: np.linalg.svd(x, compute_uv=False)),
    "svd_product": unary(lambda x: x),
    "qr_product": unary(lambda x: x),
    "qr_gram": unary(lambda x: np.eye(min(x.shape), dtype=x.dtype)),
    "lu_product": unary(lambda x: x),
    "solve": binary(np.linalg.solve),
    "solve_triangular": lambda of, numbers, words: np.linalg.solve(np.tril(of[0]) if numbers[0] else np.triu(of[0]), of[1]),
    "lstsq": binary(lambda x, y: np.linalg.lstsq(x, y)[0]),
    "lstsq_rank": binary(lambda x, y: np.int64(np.linalg.lstsq(x, y)[2])),
    "lstsq_residuals": binary(lambda x, y: np.linalg.lstsq(x, y)[1]),
    "fft": lambda of, numbers, words: np.fft.fft(of[0], axis=numbers[0]),
    "ifft": lambda of, numbers, words: np.fft.ifft(of[0], axis=numbers[0]),
    "rfft": lambda of, numbers, words: np.fft.rfft(of[0], axis=numbers[0]),
    "irfft": lambda of, numbers, words: np.fft.irfft(
        of[0], None if numbers[1] < 0 else numbers[1], axis=numbers[0]
    ),
    **{
        name: lambda of, numbers, words, function=getattr(np.fft, name): function(of[0], axes=numbers)
        for name in ["fftn", "ifftn", "rfftn", "fftshift", "ifftshift"]
    },
    # Arrays that are made of nothing.
    "arange": lambda of, numbers, words: np.arange(*numbers),
    "arange_real": lambda of, numbers, words: np.arange(*map(float, words[1:])).astype(words[0]),
    "linspace": lambda of, numbers, words: np.linspace(*map(float, words[1:]), numbers[0], dtype=words[0]),
    "eye": lambda of, numbers, words: np.eye(numbers[0], k=numbers[1], dtype=words[0]),
    "zeros": lambda of, numbers, words: np.zeros(numbers, words[0]),
    "ones": lambda of, numbers, words: np.ones(numbers, words[0]),
    "full": lambda of, numbers, words: np.full(numbers, number_of(words[1:], words[0]), words[0]),
    "fftfreq": lambda of, numbers, words: np.fft.fftfreq(numbers[0], float(words[0])),
    "rfftfreq": lambda of, numbers, words: np.fft.rfftfreq(numbers[0], float(words[0])),
}


def run(inputs, steps):
    """What the last step gives, as a list of arrays."""
    values = [np.asarray(each) for each in inputs]
    results = []
    for operation, of, numbers, words in steps:
        result = OPERATIONS[operation]([values[place] for place in of], list(numbers), list(words))
        results = [np.asarray(each) for each in (result if isinstance(result, list) else [result])]
        values.extend(results)
    return results
