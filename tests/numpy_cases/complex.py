"""Writes complex.txt, functions of complex numbers: python tests/numpy_cases/complex.py

Finite numbers: the exact value of mpmath, each part rounded once; its sign, which branch cuts and signed zeros
decide, is NumPy's. Infinities and NaN: NumPy's value, which is that of C99's Annex G. Quotients that are not of
finite numbers, or by zero, are those of the function that Annex G prints.

Numbers are the bits of their parts. A line names a function, and the arguments are all pairs of parts, or of
numbers, that the first lines list.
"""

import math
import pathlib
import struct

import mpmath
import numpy as np

np.seterr(all="ignore")
# Squares of subnormal numbers count beside 1.
mpmath.mp.prec = 4600
INF, NAN = math.inf, math.nan
PARTS = [
    0.0, -0.0, 5e-324, 2.0**-140, 1e-160, 2.0**-30, -1e-9, 0.125, -0.5, 1 - 2.0**-24, 1.0, -1.0, 1 + 2.0**-20,
    math.pi / 2, -2.5, 20.0, -30.0, 354.0, 709.9, -745.0, 2.0**40, 2.0**100, -1e200, 1.7e308, INF, -INF, NAN,
]  # fmt: skip
FUNCTIONS = ["exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "arcsinh"]
FUNCTIONS += ["arccosh", "arctanh", "log", "sqrt", "abs", "reciprocal"]
NUMBERS = [
    complex(*pair)
    for pair in [
        (0.0, 0.0), (-0.0, 0.0), (1.0, 0.0), (-1.0, -0.0), (0.0, 2.0), (3.0, 4.0), (1.0, -2.0), (-0.5, 0.5), (1.0, 1.0),
        (5e-324, 5e-324), (1e-310, -2.0), (1e-200, 1e-200), (2.0**-100, 2.0**-120), (2.0**100, -(2.0**100)),
        (1e200, 1e200), (1e300, 1e300), (1e300, 0.0), (1.7e308, -1.7e308), (1e-160, 1e160), (1 + 2.0**-20, 1 - 2.0**-20),
        (INF, 0.0), (-INF, 1.0), (INF, -INF), (0.0, INF), (INF, NAN), (NAN, 1.0), (NAN, NAN),
    ]
]  # fmt: skip
BASES = [complex(*pair) for pair in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.75, -0.5), (3.0, 4.0), (-2.0, 0.0), (1e-200, 1e-200), (1e150, -1e150), (2.0**100, 2.0**-100), (1 + 2.0**-20, 2.0**-20)]]  # fmt: skip
EXPONENTS = [complex(*pair) for pair in [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 3.0), (-1.0, 0.0), (-2.0, 0.0), (3.0, 0.0), (17.0, 0.0), (0.5, 0.0), (-0.25, 1.0), (0.0, -2.0), (100.0, 0.0), (101.0, 0.5)]]  # fmt: skip


def bits(number):
    if math.isnan(number):
        return "nan"
    return f"{struct.unpack('<Q', struct.pack('<d', number))[0]:x}"


def words(number):
    number = complex(number)
    return f"{bits(number.real)},{bits(number.imag)}"


def rounded(exact, sign):
    """The nearest float of the magnitude, with NumPy's sign."""
    exact = abs(exact)
    if exact == 0:
        value = 0.0
    else:
        exponent = mpmath.frexp(exact)[1]
        value = INF if exponent > 1100 else 0.0 if exponent < -1200 else float(mpmath.mpf(exact))
    return math.copysign(value, sign)


def exact_of(name, number):
    x, y = mpmath.mpf(abs(number.real)), mpmath.mpf(abs(number.imag))
    if name == "abs":
        return mpmath.sqrt(x * x + y * y)
    z = mpmath.mpc(number.real, number.imag)
    if name == "reciprocal":
        return mpmath.conj(z) / (x * x + y * y)
    names = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh"}
    return getattr(mpmath, names.get(name, name))(z)


def unary(name, number):
    finite = math.isfinite(number.real) and math.isfinite(number.imag)
    if name == "reciprocal" and (number == 0 or not finite):
        value = annex_g_quotient(complex(1, 0), number)
        # The zero of the numerator has no sign that matters.
        signed = lambda part, sign: math.copysign(part, sign) if part == 0 else part
        return complex(signed(value.real, number.real), signed(value.imag, -number.imag))
    by_numpy = complex(getattr(np, name)(np.complex128(number)))
    pole = name == "log" and number == 0 or name in ["arctan", "arctanh"] and (number * number).real in [1, -1] and 0 in [number.real, number.imag]
    if not finite or pole:
        return by_numpy
    exact = mpmath.mpc(exact_of(name, number))
    parts = []
    for exact_part, part in [(exact.real, by_numpy.real), (exact.imag, by_numpy.imag)]:
        known = not math.isnan(part) and (part != 0 or exact_part == 0 or abs(exact_part) < 1e-300)
        parts.append(rounded(exact_part, part if known else float(mpmath.sign(exact_part))))
    return complex(*parts)


def annex_g_quotient(left, right):
    """C99, G.5.1, example 2."""
    a, b, c, d = left.real, left.imag, right.real, right.imag
    if c == 0 and d == 0:
        infinity = math.copysign(INF, c)
        return complex(infinity * a, infinity * b)
    box = lambda x: math.copysign(1.0 if math.isinf(x) else 0.0, x)
    if (math.isinf(a) or math.isinf(b)) and math.isfinite(c) and math.isfinite(d):
        a, b = box(a), box(b)
        scale = math.frexp(max(abs(c), abs(d)))[1]
        c, d = math.ldexp(c, -scale), math.ldexp(d, -scale)
        return complex(INF * (a * c + b * d), INF * (b * c - a * d))
    if (math.isinf(c) or math.isinf(d)) and math.isfinite(a) and math.isfinite(b):
        c, d = box(c), box(d)
        scale = math.frexp(max(abs(a), abs(b)))[1]
        a, b = math.ldexp(a, -scale), math.ldexp(b, -scale)
        return complex(0.0 * (a * c + b * d), 0.0 * (b * c - a * d))
    return complex(NAN, NAN)


def quotient(left, right):
    a, b, c, d = left.real, left.imag, right.real, right.imag
    if right == 0 or not all(map(math.isfinite, [a, b, c, d])):
        return annex_g_quotient(left, right)
    a, b, c, d = map(mpmath.mpf, [a, b, c, d])
    square = c * c + d * d
    real, imaginary = (a * c + b * d) / square, (b * c - a * d) / square
    return complex(rounded(real, float(mpmath.sign(real))), rounded(imaginary, float(mpmath.sign(imaginary))))


def power(base, exponent):
    if exponent == 0:
        return complex(1, 0)
    if exponent == 1:
        return base
    value = mpmath.power(mpmath.mpc(base), mpmath.mpc(exponent))
    return complex(rounded(value.real, float(mpmath.sign(value.real))), rounded(value.imag, float(mpmath.sign(value.imag))))


if __name__ == "__main__":
    lines = ["parts " + " ".join(map(bits, PARTS))]
    for name in FUNCTIONS:
        lines.append(name + " " + " ".join(words(unary(name, complex(x, y))) for x in PARTS for y in PARTS))
    lines.append("numbers " + " ".join(map(words, NUMBERS)))
    lines.append("divide " + " ".join(words(quotient(left, right)) for left in NUMBERS for right in NUMBERS))
    lines.append("bases " + " ".join(map(words, BASES)))
    lines.append("exponents " + " ".join(map(words, EXPONENTS)))
    lines.append("power " + " ".join(words(power(base, exponent)) for base in BASES for exponent in EXPONENTS))
    path = pathlib.Path(__file__).with_name("complex.txt")
    path.write_text("\n".join(lines) + "\n")
    print(f"{len(FUNCTIONS)} functions of {len(PARTS) ** 2} numbers of NumPy {np.__version__} in {path}")
