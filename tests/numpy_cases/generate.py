"""Writes cases.lz4, NumPy's results of many programs: python tests/numpy_cases/generate.py [--seed N] [--output PATH]

Needs the packages numpy, scipy and lz4. Each line is a program of one to six operations with its inputs and results as JSON;
the first line has the seed and NumPy's version.
"""

import argparse
import collections
import json
import pathlib
import warnings

import lz4.block
import numpy as np

import chains
import families
import further
import more
import shapes
import small

CHAINS = 5000


def cases(seed):
    functions = [families.unary, families.binary, families.power, families.broadcasting, families.casts]
    functions += [families.reductions, families.along, families.quantiles, families.frequencies]
    functions += [shapes.parts, shapes.forms, shapes.products, shapes.factorizations, shapes.norms]
    functions += [shapes.transforms, shapes.creations]
    for place, function in enumerate(functions):
        # A family of its own stays as it is when others change.
        yield from function(np.random.default_rng([seed, place]))
    yield from chains.chains(np.random.default_rng([seed, len(functions)]), CHAINS)
    # Families after the chains leave these as they are.
    later = [families.sets, families.groups, families.nan_quantiles, *more.FAMILIES, *small.FAMILIES, *further.FAMILIES]
    for place, function in enumerate(later):
        yield from function(np.random.default_rng([seed, len(functions) + 1 + place]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).with_name("cases.lz4"))
    options = parser.parse_args()
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    lines = [json.dumps({"seed": options.seed, "numpy": np.__version__})]
    counts = collections.Counter()
    for case in cases(options.seed):
        counts[case["name"].split()[0]] += case["variants"]
        lines.append(json.dumps(case, separators=(",", ":")))
    text = "\n".join(lines).encode()
    options.output.write_bytes(lz4.block.compress(text, mode="high_compression", compression=12))
    print(f"seed {options.seed}, NumPy {np.__version__}: {len(lines) - 1} programs, {counts.total()} cases")
    print(f"{len(text)} bytes as text, {options.output.stat().st_size} in {options.output}")
    print(dict(counts))


if __name__ == "__main__":
    main()
