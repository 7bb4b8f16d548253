"""Cases of single operations: parts and shapes of arrays, products, factorizations and transforms."""

import itertools

import numpy as np

from families import ALL, COMPLEXES, FLOATS, NUMBERS, REALS, SHAPES, entry, ordinary

LINES = [(1,), (5,), (0,)]
TYPES = ["bool", "uint8", "int64", "float32", "complex128"]


def part(random, shape):
    """A random part in groups of four numbers, and whether all indices are within bounds."""
    numbers = []
    for length in shape:
        kind = random.integers(5)
        if kind == 0 and length > 0:
            numbers += [1, random.integers(-length, length), 0, 0]
        elif kind == 1:
            numbers += [0, 0, length, random.choice([1, -1, 2, -2, 3])]
        else:
            start, end = np.sort(random.integers(0, length + 1, 2))
            numbers += [0, start, end, random.choice([1, 1, -1, 2, -3])]
        if random.random() < 0.1:
            numbers += [2, 0, 0, 0]
    return [int(number) for number in numbers]


def parts(random):
    for shape, dtype in itertools.product(SHAPES, TYPES):
        x = ordinary(random, dtype, shape)
        for _ in range(6):
            numbers = part(random, shape)
            yield entry("slice", [x], ("slice", [0], numbers), variants=2)
            from programs import part_of

            wanted = np.shape(part_of(x, numbers))
            for value_shape in {wanted, (), tuple(1 for _ in wanted)}:
                value = ordinary(random, dtype, value_shape)
                yield entry("set_slice", [x, value], ("set_slice", [0, 1], numbers))
        for axis in range(len(shape)):
            for count in [0, 1, 4, 9]:
                if shape[axis] or not count:
                    indices = random.integers(0, max(shape[axis], 1), count).tolist()
                    yield entry("take", [x], ("take", [0], [axis, *indices]), variants=2)
    yield entry("take out of bounds", [np.arange(3)], ("take", [0], [0, 3]))
    yield entry("slice out of bounds", [np.arange(3)], ("slice", [0], [1, 3, 0, 0]))


def reshapes(shape):
    size = int(np.prod(shape))
    shapes = [(size,), (size, 1), (1, size), (-1,), (1, -1, 1)]
    shapes += [(2, size // 2)] if size % 2 == 0 else []
    shapes += [(size // 3, 3)] if size % 3 == 0 else []
    shapes += [(0, 5), (3, 0, 2)] if size == 0 else []
    return shapes + ([()] if size == 1 else []) + [(size + 1,), (2, 7)]


def forms(random):
    for shape, dtype in itertools.product(SHAPES, TYPES):
        x = ordinary(random, dtype, shape)
        ndim = len(shape)
        for target in reshapes(shape):
            yield entry("reshape", [x], ("reshape", [0], target), variants=2)
        for name in ["ravel", "transpose", "squeeze", "rechunk"]:
            yield entry(name, [x], (name, [0]), variants=2)
        yield entry("permute_axes", [x], ("permute_axes", [0], random.permutation(ndim)))
        for axis in range(ndim + 1):
            yield entry("expand_dims", [x], ("expand_dims", [0], [axis]), variants=2)
            yield entry("stack", [x, x], ("stack", [0, 1], [axis]))
        for axis in range(ndim):
            yield entry("swap_axes", [x], ("swap_axes", [0], [axis, int(random.integers(ndim))]))
            yield entry("flip", [x], ("flip", [0], [axis]), variants=2)
            for shift in [1, -1, 2, 7]:
                yield entry("roll", [x], ("roll", [0], [axis, shift]))
            for count in [0, 1, 3]:
                yield entry("repeat", [x], ("repeat", [0], [axis, count]))
            value = "1" if dtype == "bool" else "7"
            words = [value, "0"] if dtype == "complex128" else [value]
            yield entry("pad", [x], ("pad", [0], [axis, *random.integers(0, 3, 2)], words))
            for places in [[], [0], [1], [1, 1], [0, shape[axis]], [shape[axis] + 2], [1, shape[axis] + 3, 50]]:
                yield entry("split", [x], ("split", [0], [axis, *sorted(places)]))
            others = [list(shape), list(shape)]
            for other in others:
                other[axis] = int(random.integers(0, 3))
            given = [x, *(ordinary(random, dtype, other) for other in others)]
            yield entry("concatenate", given, ("concatenate", [0, 1, 2], [axis]), variants=2)
        yield entry("tile", [x], ("tile", [0], random.integers(1, 3, ndim)))
        if ndim >= 2:
            for diagonal in [0, 1, -1, 3]:
                yield entry("tril", [x], ("tril", [0], [diagonal]))
                yield entry("triu", [x], ("triu", [0], [diagonal]))
        if ndim == 1:
            yield entry("to_diagonal", [x], ("to_diagonal", [0]))
    for shape, dtype in itertools.product([(1, 1), (3, 3), (2, 4), (4, 2), (0, 3), (3, 0), (1, 4)], ALL):
        x = ordinary(random, dtype, shape)
        for offset in [0, 1, -1, 2, -3]:
            yield entry("diagonal", [x], ("diagonal", [0], [offset]), variants=2)
            if dtype != "bool":
                yield entry("trace", [x], ("trace", [0], [offset]))
    for shapes, lengths in [
        ([(2, 2), (2, 3), (1, 2), (1, 3)], [2, 2]),
        ([(2,), (2,), (2,), (2,)], [2, 2]),
        ([(1, 2), (0, 2), (2, 1), (2, 1)], [1, 1, 2]),
        ([(3,), (0,)], [2]),
        ([(2, 1, 2), (2, 1, 1)], [2]),
    ]:
        for dtype in TYPES:
            given = [ordinary(random, dtype, shape) for shape in shapes]
            yield entry("block", given, ("block", range(len(given)), lengths), variants=2)


# Products.

EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij,ij->", (2, 3), (2, 3)), ("ij,kj->ik", (2, 3), (4, 3)),
    ("bij,bjk->bik", (2, 3, 2), (2, 2, 2)), ("i,j->ij", (3,), (2,)), ("i,i->i", (3,), (3,)), ("ij,j->i", (2, 3), (3,)),
    ("ijk,k->ji", (2, 3, 2), (2,)), ("ij,ji->", (2, 3), (3, 2)), ("i,->i", (3,), ()), ("ij,jk->ik", (0, 3), (3, 2)),
    ("ij,jk->ik", (2, 0), (0, 2)), ("ij,k->", (2, 2), (3,)), ("ba,bc->ac", (1, 2), (1, 3)),
    ("ii,i->i", (3, 3), (3,)), ("ii,jj->ij", (2, 2), (3, 3)), ("...i,i->...", (2, 3), (3,)),
    ("...ij,...jk->...ik", (2, 2, 3), (2, 3, 2)),
]


def near(dtype, *arrays):
    scale = 1.0
    for array in arrays:
        scale *= float(np.sqrt((np.abs(array.astype("complex128")) ** 2).sum())) + 1
    return {"near": 16 * float(np.finfo(dtype).eps) * scale}


def products(random):
    shapes = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((1, 1), (1, 1)), ((0, 3), (3, 2))]
    shapes += [((2, 0), (0, 3)), ((2, 2, 3), (3, 2)), ((2, 2, 3), (2, 3, 1)), ((1, 2, 3), (2, 3, 2)), ((0,), (0,))]
    shapes += [((3, 1), (1, 3)), ((2, 3), (2, 3)), ((2, 3, 4), (4,))]
    for dtype in FLOATS:
        for (left, right), kind in itertools.product(shapes, ["small", "normal"]):
            given = [ordinary(random, dtype, left, kind), ordinary(random, dtype, right, kind)]
            tolerance = near(dtype, *given)
            for name in ["matmul", "dot"]:
                yield entry(f"{name} {dtype}", given, (name, [0, 1]), tolerance=tolerance)
            if kind == "small":
                yield entry(f"outer {dtype}", given, ("outer", [0, 1]), tolerance=tolerance)
                same = [given[0], ordinary(random, dtype, left)]
                yield entry(f"inner {dtype}", same, ("inner", [0, 1]), tolerance=near(dtype, *same))
                yield entry(f"vdot {dtype}", same, ("vdot", [0, 1]), tolerance=near(dtype, *same))
        for name in ["dot", "inner"]:
            for left, right in [((), ()), ((), (3,)), ((2, 3), ())]:
                given = [ordinary(random, dtype, left), ordinary(random, dtype, right)]
                yield entry(f"{name} of 0-d {dtype}", given, (name, [0, 1]), tolerance=near(dtype, *given))
        for words, left, right in EINSUMS:
            given = [ordinary(random, dtype, left), ordinary(random, dtype, right)]
            yield entry(f"einsum {words}", given, ("einsum", [0, 1], [], [words]), tolerance=near(dtype, *given))
        for left, right, own, other in [
            ((2, 3), (3, 2), [1], [0]), ((2, 3), (3, 2), [0, 1], [1, 0]), ((2, 3), (2, 3), [], []),
            ((2, 3, 2), (2, 3), [1, 0], [1, 0]), ((0, 2), (2, 0), [0], [1]), ((2, 2), (2, 2), [0, 0], [0, 1]),
            ((1, 3), (3, 1), [0], [1]),
        ]:
            given = [ordinary(random, dtype, left), ordinary(random, dtype, right)]
            step = ("tensordot", [0, 1], [*own, *other])
            yield entry(f"tensordot {dtype}", given, step, tolerance=near(dtype, *given))
        x = ordinary(random, dtype, (2, 3))
        yield entry(f"adjoint {dtype}", [x], ("adjoint", [0]))


def matrices(random, dtype, rows, columns):
    x = ordinary(random, dtype, (rows, columns), "normal")
    yield x + 3 * np.eye(rows, columns, dtype=dtype)
    yield ordinary(random, dtype, (rows, columns)) + 20 * np.eye(rows, columns, dtype=dtype)


def factorizations(random):
    for dtype, side in itertools.product(FLOATS, [0, 1, 2, 3, 5]):
        scale = {"near": 1e-3 if dtype in ("float32", "complex64") else 1e-11}
        for x in matrices(random, dtype, side, side):
            x = x.astype(dtype)
            for name in ["inv", "lu_product"]:
                yield entry(f"{name} {side} {dtype}", [x], (name, [0]), tolerance=scale, variants=2)
            size = float(max(abs(np.linalg.det(x)), 1)) if side else 1.0
            tolerance = {"near": scale["near"] * size}
            yield entry(f"det {side} {dtype}", [x], ("det", [0]), tolerance=tolerance, variants=2)
            positive = (x @ x.conj().T + np.eye(side)).astype(dtype)
            yield entry(f"cholesky {side} {dtype}", [positive], ("cholesky", [0]), tolerance=scale, variants=2)
            for right in [(side,), (side, 2), (side, 1)]:
                y = ordinary(random, dtype, right)
                yield entry(f"solve {side} {dtype}", [x, y], ("solve", [0, 1]), tolerance=scale, variants=2)
                if side:
                    for lower in [0, 1]:
                        step = ("solve_triangular", [0, 1], [lower])
                        yield entry(f"solve_triangular {side} {dtype}", [x, y], step, tolerance=scale)
    for dtype, shape in itertools.product(FLOATS, [(1, 1), (4, 2), (2, 4), (3, 3), (5, 1), (1, 4), (6, 3)]):
        scale = {"near": 1e-3 if dtype in ("float32", "complex64") else 1e-11}
        for x in matrices(random, dtype, *shape):
            x = x.astype(dtype)
            for name in ["qr_product", "qr_gram", "svd_values", "svd_product"]:
                yield entry(f"{name} {dtype}", [x], (name, [0]), tolerance=scale, variants=2)
            y = ordinary(random, dtype, shape[:1])
            yield entry(f"lstsq {dtype}", [x, y], ("lstsq", [0, 1]), tolerance=scale)
            yield entry(f"lstsq_rank {dtype}", [x, y], ("lstsq_rank", [0, 1]))
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    for name in ["inv", "cholesky"]:
        yield entry(f"{name} of a singular matrix", [singular], (name, [0]))
    yield entry("det of a singular matrix", [singular], ("det", [0]), tolerance="value")


def norms(random):
    for dtype in NUMBERS:
        tolerance = {"near": 1e-4 if dtype in ("float32", "complex64") else 1e-11}
        for shape in [(4,), (1,), (3, 4), (1, 3), (2, 2)]:
            x = ordinary(random, dtype, shape)
            for axis, order in itertools.product(range(len(shape)), [0, 1, 2, 3, 0.5, "inf", "-inf"]):
                axes = [int(random.integers(2)), 0, axis]
                yield entry(f"norm {dtype}", [x], ("norm", [0], axes, [order]), tolerance=tolerance)
            if len(shape) == 2 and dtype in FLOATS:
                for order in [1, -1, 2, -2, "inf", "-inf", "fro", "nuc"]:
                    axes = [int(random.integers(2)), 1]
                    name = f"norm of matrix {order} {dtype}"
                    yield entry(name, [x], ("norm", [0], axes, [order]), tolerance=tolerance)
    for shape, order in itertools.product([(0,), (0, 3), (3, 0), (0, 0)], [0, 1, 2, "inf", "-inf", "fro", "nuc"]):
        x = np.zeros(shape)
        if len(shape) == 2 or order not in ("fro", "nuc"):
            yield entry(f"norm of nothing {order}", [x], ("norm", [0], [0, 1], [order]))


def transforms(random):
    for dtype in FLOATS:
        eps = float(np.finfo(dtype).eps)
        for shape in [(1,), (8,), (7,), (4, 5), (5, 4), (1, 6), (3, 4, 2)]:
            x = ordinary(random, dtype, shape, "normal")
            tolerance = {"near": 64 * eps}
            for axis in range(len(shape)):
                for name in ["fft", "ifft"] + (["rfft"] if dtype in REALS else []):
                    yield entry(f"{name} {dtype}", [x], (name, [0], [axis]), tolerance=tolerance)
                if dtype in COMPLEXES:
                    for length in [-1, 1, 4, 7, 12]:
                        step = ("irfft", [0], [axis, length])
                        yield entry(f"irfft {dtype}", [x], step, tolerance=tolerance)
                for name in ["fftshift", "ifftshift"]:
                    yield entry(f"{name} {dtype}", [x], (name, [0], [axis]))
            axes = list(range(len(shape)))
            for name in ["fftn", "ifftn"] + (["rfftn"] if dtype in REALS else []):
                yield entry(f"{name} {dtype}", [x], (name, [0], axes), tolerance=tolerance)
    for name, length in itertools.product(["fftfreq", "rfftfreq"], [1, 2, 5, 8]):
        yield entry(name, [], (name, [], [length], [0.3]), tolerance={"ulp": 2})


# Arrays that are made of nothing.


def creations(random):
    for start, stop, step in [(0, 5, 1), (3, -7, -2), (0, 0, 1), (5, 0, 1), (-3, 9, 4), (7, 8, 100), (0, -1, -1)]:
        yield entry("arange", [], ("arange", [], [start, stop, step]), variants=2)
    for dtype in REALS:
        for start, stop, step in [(0, 1, 0.25), (1, 0, -0.125), (0, 3, 1), (2, 2, 1), (-1, 1, 0.5), (0, 1, 0.1)]:
            words = [dtype, start, stop, step]
            yield entry(f"arange_real {dtype}", [], ("arange_real", [], [], words), tolerance={"ulp": 2}, variants=2)
        for start, stop, count in [(0, 1, 5), (0, 1, 1), (2, -3, 6), (0.1, 0.7, 7), (5, 5, 3), (0, 1, 0), (-1e308, 1, 3)]:
            if dtype == "float32" and abs(start) > 1e38:
                continue
            words = [dtype, start, stop]
            yield entry(f"linspace {dtype}", [], ("linspace", [], [count], words), tolerance={"ulp": 1}, variants=2)
    for dtype in NUMBERS:
        for size, diagonal in itertools.product([0, 1, 4], [0, 1, -2, 9]):
            yield entry("eye", [], ("eye", [], [size, diagonal], [dtype]))
        for shape in SHAPES:
            words = [dtype, "7"] + (["-1.5"] if dtype in COMPLEXES else [])
            yield entry("full", [], ("full", [], shape, words))
            yield entry("zeros", [], ("zeros", [], shape, [dtype]))
            yield entry("ones", [], ("ones", [], shape, [dtype]))
