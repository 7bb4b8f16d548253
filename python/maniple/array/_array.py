"""The class of arrays."""

import builtins
import math
import operator

import numpy as np

from .. import _client, _maniple
from .._delayed import Collection, _client_or_new
from .._html import picture, picture_path
from . import _indexing, _ufuncs
from ._blocks import raw, view
from ._types import axis_index, axis_tuple, balanced, dtype_of, normalize_chunks, spans


class Array(Collection):
    """A lazy array in blocks, with the names of `dask.array.Array`.

    Operations make new arrays and compute nothing; `compute` has the blocks made by the workers and returns a NumPy
    array. Functions of this module, of `numpy` and operators make arrays; so do `zeros`, `arange`, `from_array` and the
    functions in `maniple.array.random`.

    Examples
    --------
    >>> import maniple.array as da
    >>> x = da.arange(10, chunks=5)
    >>> (x**2).sum().compute()
    np.int64(285)
    """

    __slots__ = ("_core", "_client", "_chunks", "__weakref__")
    __array_priority__ = 11
    # Equality is elementwise.
    __hash__ = None

    def __init__(self, *arguments, **named):
        raise TypeError("arrays are made by from_array, zeros, arange, random.random and the like")

    @classmethod
    def _of(cls, core, client):
        self = object.__new__(cls)
        self._core, self._client, self._chunks = core, client, None
        return self

    def _with(self, core):
        """Another array of the same run."""
        return Array._of(core, self._client)

    # Attributes

    @property
    def chunks(self):
        """The sizes of the blocks along each axis, as a tuple of tuples."""
        if self._chunks is None:
            self._chunks = tuple(map(tuple, self._core.chunks))
        return self._chunks

    @property
    def shape(self):
        """The length of each axis."""
        return tuple(map(sum, self.chunks))

    @property
    def dtype(self):
        """The type of the elements."""
        return np.dtype(self._core.dtype)

    @property
    def ndim(self):
        """How many axes there are."""
        return len(self.chunks)

    @property
    def size(self):
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def itemsize(self):
        """How many bytes an element takes."""
        return self.dtype.itemsize

    @property
    def nbytes(self):
        """How many bytes all elements take."""
        return self.size * self.itemsize

    @property
    def chunksize(self):
        """The largest size of a block along each axis."""
        return tuple(map(max, self.chunks))

    @property
    def numblocks(self):
        """How many blocks there are along each axis."""
        return tuple(map(len, self.chunks))

    @property
    def npartitions(self):
        """How many blocks there are."""
        return math.prod(self.numblocks)

    @property
    def name(self):
        """The name of the operation that makes the array."""
        return self._core.name

    @property
    def blocks(self):
        """The blocks: ``x.blocks[0, :2]`` is an array of the blocks at these places."""
        return _indexing.Blocks(self)

    partitions = blocks

    @property
    def vindex(self):
        """Indexes points: ``x.vindex[[0, 1], [2, 3]]`` is the elements at (0, 2) and (1, 3)."""
        return _indexing.Points(self)

    @property
    def A(self):
        """The array itself."""
        return self

    @property
    def mT(self):
        """The array with its last two axes in each other's place."""
        if self.ndim < 2:
            raise ValueError(f"mT of an array with {self.ndim} axes; it takes two at least")
        return self.swapaxes(-1, -2)

    @property
    def device(self):
        """Where the elements are: ``"cpu"``."""
        return "cpu"

    def to_device(self, device, /, *, stream=None):
        """The array itself: elements are on the CPU."""
        check_device(device)
        return self

    def __dlpack__(self, **options):
        return np.asarray(self).__dlpack__(**options)

    def __dlpack_device__(self):
        return np.empty(0).__dlpack_device__()

    def __array_namespace__(self, *, api_version=None):
        """The module of the functions of arrays: `maniple.array`, which has the names of the array API standard."""
        import maniple.array

        return maniple.array

    @property
    def _meta(self):
        """An empty NumPy array of this type and as many axes: libraries that take Dask's arrays ask for it."""
        return np.empty((0,) * self.ndim, self.dtype)

    @property
    def T(self):
        """The array with its axes in the opposite order."""
        return self.transpose()

    @property
    def real(self):
        """The real parts."""
        return self._unary("real") if self.dtype.kind == "c" else self

    @property
    def imag(self):
        """The imaginary parts."""
        return self._unary("imag") if self.dtype.kind == "c" else self._full_like(0, self.dtype)

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __repr__(self):
        return (
            f"maniple.array<{self.name}, shape={self.shape}, dtype={self.dtype}, chunksize={self.chunksize}, "
            "chunktype=numpy.ndarray>"
        )

    def _repr_html_(self):
        from ._html import table

        return table(self)

    def __reduce__(self):
        raise TypeError("an array cannot be an argument of a task; pass client.compute(array), a future of its values")

    # Results

    def compute(self, **options):
        """Has all blocks made, and returns the array as a NumPy array, or as a scalar if it has no axes.

        Parameters
        ----------
        priority, retries, workers, resources, allow_other_workers : optional
            As `Client.submit`, for the tasks that make the blocks.
        """
        return self._compute_all([self], options)[0]

    def persist(self, **options):
        """Has all blocks made and kept by the workers. Returns at once with an array of them.

        The keywords are those of `compute`.
        """
        return self._persist_all([self], options)[0]

    @staticmethod
    def _persist_all(arrays, options):
        options = {name: value for name, value in options.items() if name not in ("scheduler", "optimize_graph")}
        given = _client._given(**{**_NO_OPTIONS, **_known(options)}) if options else None
        same_run(arrays)
        cores = _maniple.persist_arrays([array._core for array in arrays], given)
        return [array._with(core) for array, core in zip(arrays, cores)]

    @classmethod
    def _compute_all(cls, arrays, options):
        return [array._value() for array in cls._persist_all(arrays, options)]

    def _value(self):
        """The values of an array that was persisted."""
        values = view(self._core.value(), self.shape, self.dtype)
        return values if self.ndim else values[()]

    def _to_future(self, client, options):
        given = _client._given(**{**_NO_OPTIONS, **_known(options)}) if options else None
        return self._core.future(client._core, client, given)

    def _persisted_blocks(self):
        """How many blocks have finished, and how many there are, or None if the array was not persisted."""
        return self._core.persisted_blocks()

    def _wait(self, timeout):
        """Waits for the blocks of an array that was persisted."""
        if self._persisted_blocks() is None:
            raise ValueError("this array is not being made: persist() first, and wait for what that returns")
        self._core.wait(timeout)

    def _publish(self, client, name):
        _maniple.publish_array(client._core, name, self._core)

    def visualize(self, filename="maniple.svg", **ignored):
        """Writes a picture of the steps that make the array: SVG, or DOT if the name ends in ``.dot``.

        In a notebook it is shown, too.
        """
        path = picture_path(filename)
        self._core.visualize(path)
        return picture(path)

    def explain(self):
        """What computing the array would do, as text: the steps, and how many tasks each has."""
        return self._core.explain()

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("an array cannot become a NumPy array without a copy")
        values = np.asarray(self.compute())
        return values if dtype is None else values.astype(dtype, copy=False)

    def _scalar(self, convert):
        if self.size != 1:
            raise TypeError("only arrays of one element can be converted to Python's own types")
        return convert(self.compute().reshape(())[()])

    def __bool__(self):
        if self.size != 1:
            raise ValueError("the truth of an array of several elements is ambiguous; use any() or all()")
        return self._scalar(bool)

    def __float__(self):
        return self._scalar(float)

    def __int__(self):
        return self._scalar(int)

    def __complex__(self):
        return self._scalar(complex)

    def __index__(self):
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError("only integer arrays without axes are indices")
        return self._scalar(operator.index)

    def __iter__(self):
        for place in range(len(self)):
            yield self[place]

    # Elementwise operations

    def _unary(self, name):
        return self._with(self._core.unary(name))

    def _binary(self, name, other):
        _broadcast(self, other)
        return self._with(self._core.binary(name, other._core))

    def _constant(self, value):
        """An array without axes, of a NumPy scalar."""
        return constant(self._client, value, ())

    def _full_like(self, value, dtype):
        return constant(self._client, np.array(value, dtype), self.chunks)

    def astype(self, dtype, copy=True, casting="unsafe"):
        """The array with elements of another type. Floats become integers as in NumPy, but saturate."""
        dtype = dtype_of(dtype)
        if not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"cannot cast an array from {self.dtype} to {dtype} according to the rule {casting!r}")
        if dtype == self.dtype:
            return self._with(self._core) if copy else self
        return self._with(self._core.astype(dtype.name))

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, where=True, **options):
        if builtins.any(getattr(value, "_takes_over", False) for value in inputs):
            return NotImplemented
        options = {name: value for name, value in options.items() if value is not np._NoValue}
        result = _ufuncs.by_method(ufunc, method, inputs, options)
        if result is NotImplemented or out is None and where is True:
            return result
        if out is None:
            raise TypeError(f"numpy.{ufunc.__name__} of arrays takes where= together with out=")
        results = result if isinstance(result, tuple) else (result,)
        targets = [target for target, _ in zip(out, results)]
        if where is not True:
            results = [np.where(where, own, target) for own, target in zip(results, targets)]
        filled = tuple(own if target is None else into(target, own) for own, target in zip(results, targets))
        return filled if isinstance(result, tuple) else filled[0]

    def __array_function__(self, function, types, arguments, named):
        from . import _numpy_functions

        own = _numpy_functions.get(function)
        if own is None:
            module = function.__module__ or "numpy"
            raise TypeError(f"{module}.{function.__name__} is not available for arrays; compute() gives a NumPy array")
        return own(*arguments, **named)

    def conj(self):
        """The complex conjugates."""
        return np.conjugate(self)

    conjugate = conj

    def __divmod__(self, other):
        return np.floor_divide(self, other), np.remainder(self, other)

    def __rdivmod__(self, other):
        return np.floor_divide(other, self), np.remainder(other, self)

    def __matmul__(self, other):
        from ._products import matmul

        return matmul(self, other)

    def __rmatmul__(self, other):
        from ._products import matmul

        return matmul(other, self)

    # Shapes

    def __getitem__(self, key):
        if _is_mask(key) and (key.ndim != 1 or isinstance(key, Array) and self.ndim == 1):
            return self._masked(key)
        basic, taken = _indexing.parse(key, self.shape)
        core = self._core
        for axis, places in taken.items():
            core = core.take(axis, places)
        return self._with(core.slice(basic))

    def _masked(self, mask):
        """The elements where a mask of the same shape is true. The mask is computed."""
        mask = self._fitting_mask(mask)
        return self._with(self._core.mask(mask._core))

    def _fitting_mask(self, mask):
        if mask.shape != self.shape:
            raise IndexError(f"a boolean index of the shape {mask.shape} for an array of the shape {self.shape}")
        client = same_run(value for value in (self, mask) if isinstance(value, Array))
        return as_operand(mask, client, near=self)

    def __setitem__(self, key, value):
        value = as_operand(value, self._client, self.dtype, near=self)
        if _is_mask(key) and (key.ndim != 1 or self.ndim == 1):
            mask = self._fitting_mask(key)
            if value.size == 1:
                self._replace(mask._core.select(value.reshape(())._core, self._core))
                return
            places = np.flatnonzero(mask.compute())
            self._replace(
                _indexing.scattered(self.ravel(), 0, places, value).reshape(self.shape).rechunk(self.chunks)._core
            )
            return
        basic, taken = _indexing.parse(key, self.shape)
        self._replace(_indexing.assigned(self, basic, taken, value)._core)

    def _replace(self, core):
        self._core, self._chunks = core, None

    def transpose(self, *axes):
        """The array with its axes in this order; by default in the opposite one."""
        axes = axes[0] if len(axes) == 1 and (axes[0] is None or np.iterable(axes[0])) else axes
        axes = tuple(range(self.ndim))[::-1] if not axes else tuple(axis_index(axis, self.ndim) for axis in axes)
        if sorted(axes) != list(range(self.ndim)):
            raise ValueError(f"axes {axes} do not match an array of {self.ndim} dimensions")
        return self if axes == tuple(range(self.ndim)) else self._with(self._core.permute(axes))

    def swapaxes(self, axis1, axis2):
        """Two axes in each other's place."""
        axes = list(range(self.ndim))
        axis1, axis2 = axis_index(axis1, self.ndim), axis_index(axis2, self.ndim)
        axes[axis1], axes[axis2] = axis2, axis1
        return self.transpose(axes)

    def reshape(self, *shape, merge_chunks=True, limit=None):
        """The elements in C order under another shape. One length may be -1: what is left."""
        shape = shape[0] if len(shape) == 1 and np.iterable(shape[0]) else shape
        shape = tuple(map(operator.index, shape))
        known = math.prod(length for length in shape if length != -1)
        left = self.size // known if known else 0
        whole = tuple(left if length == -1 else length for length in shape)
        if shape.count(-1) > 1 or builtins.any(length < 0 for length in whole) or math.prod(whole) != self.size:
            raise ValueError(f"cannot reshape an array of the shape {self.shape} into {shape}")
        return self if whole == self.shape else self._with(self._core.reshape(whole))

    def ravel(self):
        """All elements in C order along one axis."""
        return self.reshape(-1) if self.size else self.reshape(0)

    flatten = ravel

    def squeeze(self, axis=None):
        """The array without axes of length 1."""
        axes = axis_tuple(axis, self.ndim)
        if axes is None:
            axes = tuple(place for place, length in enumerate(self.shape) if length == 1)
        if builtins.any(self.shape[place] != 1 for place in axes):
            raise ValueError(f"an axis of {axes} of the shape {self.shape} has another length than 1")
        return self[tuple(0 if place in axes else slice(None) for place in range(self.ndim))] if axes else self

    def rechunk(self, chunks="auto", threshold=None, block_size_limit=None, balance=False, method=None):
        """The same elements in other blocks.

        Parameters
        ----------
        chunks : int, tuple, dict or str
            See `normalize_chunks`.
        block_size_limit : int, optional
            The size of automatic chunks, in bytes.
        balance : bool
            Whether to make blocks of one size as far as possible, and as many.
        threshold, method
            Accepted without effect.
        """
        chunks = normalize_chunks(chunks, self.shape, block_size_limit, self.dtype, self.chunks)
        chunks = tuple(map(balanced, chunks)) if balance else chunks
        return self if chunks == self.chunks else self._with(self._core.rechunk(chunks))

    def compute_chunk_sizes(self):
        """The array itself: the sizes of blocks are always known."""
        return self

    def view(self, dtype=None, order="C"):
        """The bytes of the elements as elements of another type; the last axis becomes shorter or longer."""
        from ._map import along_lines

        dtype = dtype_of(self.dtype if dtype is None else dtype)
        if order != "C":
            raise NotImplementedError("view of arrays takes order='C' only")
        if dtype.itemsize == self.itemsize:
            return self.map_blocks(_indexing.Viewed(dtype), dtype=dtype)
        if not self.ndim or self.shape[-1] * self.itemsize % dtype.itemsize:
            raise ValueError(f"the last axis of the shape {self.shape} does not hold whole elements of {dtype}")
        last, length = self.ndim - 1, self.shape[-1] * self.itemsize // dtype.itemsize
        return along_lines(_indexing.Viewed(dtype), self, (last,), {last: length}, dtype)

    def to_delayed(self, optimize_graph=True):
        """A NumPy array of delayed values, one for each block."""
        from .._delayed import Delayed

        values = np.empty(self.numblocks, dtype=object)
        for place in np.ndindex(*self.numblocks):
            values[place] = Delayed(_client.itself, (self.blocks[place],))
        return values

    def copy(self):
        """Another array of the same elements: an assignment to one does not change the other."""
        return self._with(self._core)

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def _along(self, name, axis):
        x, axis = (self.ravel(), 0) if axis is None else (self, axis_index(axis, self.ndim))
        return x._with(x._core.along(name, axis))


_NO_OPTIONS = {"priority": 0, "retries": None, "workers": None, "allow_other_workers": False, "resources": None}


def _known(options):
    unknown = sorted(set(options) - set(_NO_OPTIONS))
    if unknown:
        raise TypeError(f"an unexpected keyword argument {unknown[0]!r}")
    return options


def _is_mask(key):
    """Whether a key is an array of truth values."""
    return isinstance(key, (Array, np.ndarray)) and key.dtype == np.bool_


def _add_operators():
    """Python's operators, which are universal functions, with the operands in both orders."""
    names = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
        "mod": np.remainder, "pow": np.power, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
        "lshift": np.left_shift, "rshift": np.right_shift,
    }  # fmt: skip
    for name, ufunc in names.items():
        setattr(Array, f"__{name}__", lambda self, other, ufunc=ufunc: _operator(ufunc, self, other))
        setattr(Array, f"__r{name}__", lambda self, other, ufunc=ufunc: _operator(ufunc, other, self))
    compared = {
        "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
        "ge": np.greater_equal,
    }  # fmt: skip
    for name, ufunc in compared.items():
        setattr(Array, f"__{name}__", lambda self, other, ufunc=ufunc: _operator(ufunc, self, other))
    single = {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}
    for name, ufunc in single.items():
        setattr(Array, f"__{name}__", lambda self, ufunc=ufunc: _ufuncs.apply(ufunc, (self,)))


def _operator(ufunc, *operands):
    # Objects that know how to deal with arrays have their turn.
    if builtins.any(
        getattr(operand, "__array_ufunc__", _ufuncs) is None or getattr(operand, "_takes_over", False)
        for operand in operands
    ):
        return NotImplemented
    return _ufuncs.apply(ufunc, operands)


_add_operators()


def same_run(arrays):
    """The client of these arrays, whose run must be the same. Raises `ValueError` if there are two."""
    client = None
    for array in arrays:
        if client is not None and array._client is not client and array._client._run is not client._run:
            raise ValueError("the arrays belong to different clients; compute() one of them before")
        client = client or array._client
    return client


def _broadcast(*arrays):
    """Raises `ValueError` if the shapes do not fit, in NumPy's words."""
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        shapes = " ".join(str(array.shape).replace(" ", "") for array in arrays)
        raise ValueError(f"operands could not be broadcast together with shapes {shapes}") from None


def check_device(device):
    """Raises `ValueError` unless a device is the CPU, where all arrays are."""
    if device not in (None, "cpu"):
        raise ValueError(f"there is no device {device!r}; arrays are on 'cpu'")


def into(out, result):
    """Makes an array what a function with ``out=`` has returned, and returns it."""
    target = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    if not isinstance(target, Array):
        raise TypeError(f"out= takes an array of this module, not a {type(target).__name__}")
    if target.shape != result.shape:
        raise ValueError(f"out= has the shape {target.shape}, the result has {result.shape}")
    target._replace(result.astype(target.dtype, casting="same_kind")._core)
    return target


def constant(client, value, chunks):
    """An array that is a NumPy scalar everywhere."""
    value = np.asarray(value)
    dtype = dtype_of(value.dtype)
    return Array._of(_maniple.array_full(client._core, dtype.name, value.astype(dtype).tobytes(), chunks), client)


def of_numpy(client, array, chunks, dtype=None):
    """An array of the blocks of a NumPy array, or of another object that gives such when it is sliced."""
    dtype = dtype_of(array.dtype if dtype is None else dtype)
    blocks = (raw(array[block], dtype)[1] for block, _ in spans(chunks))
    blocks = ((shape, block) for (_, shape), block in zip(spans(chunks), blocks))
    return Array._of(_maniple.array_of_blocks(client._core, dtype.name, blocks, chunks), client)


def as_operand(value, client=None, dtype=None, near=None):
    """An array of an operand: of itself, of a NumPy array, or of a scalar; of this type, if one is given.

    A NumPy array is cut as the array ``near`` where that has axes of the same lengths.
    """
    if isinstance(value, Array):
        return value if dtype is None else value.astype(dtype)
    client = client or _client_or_new()
    values = np.asarray(value) if dtype is None else _cast(value, dtype)
    if values.ndim == 0:
        return constant(client, values, ())
    chunks = [(length,) for length in values.shape]
    for axis in range(-min(values.ndim, near.ndim if near is not None else 0), 0):
        if near.shape[axis] == values.shape[axis]:
            chunks[axis] = near.chunks[axis]
    return of_numpy(client, values, chunks)


def _cast(value, dtype):
    """As NumPy casts operands: a Python integer that does not fit is an error."""
    return np.array(value, dtype) if type(value) in (int, float, complex) else np.asarray(value).astype(dtype)
