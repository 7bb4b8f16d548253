"""Arrays in notebooks: a table, and a picture of the blocks."""

from .._html import size

_SIDE = 150
_LINES_MAX = 30


def table(array):
    """The HTML that a notebook shows for an array."""
    block = array.itemsize
    for length in array.chunksize:
        block *= length
    rows = [
        ("Bytes", size(array.nbytes), size(block)),
        ("Shape", array.shape, array.chunksize),
        ("Blocks", array.npartitions, ""),
        ("Data type", array.dtype, ""),
    ]
    cells = "".join(f"<tr><th>{name}</th><td>{whole}</td><td>{part}</td></tr>" for name, whole, part in rows)
    head = "<thead><tr><td></td><th>Array</th><th>Block</th></tr></thead>"
    picture = f"<td>{_picture(array.chunks[-2:])}</td>" if array.ndim and array.size else ""
    return f"<table><tr><td><table>{head}<tbody>{cells}</tbody></table></td>{picture}</tr></table>"


def _picture(chunks):
    """The blocks along the last two axes, as SVG."""
    rows, columns = chunks if len(chunks) == 2 else ((1,), chunks[0])
    height, width = sum(rows), sum(columns)
    scale = _SIDE / max(height, width)
    # Long and thin arrays stay visible.
    high, wide = max(height * scale, 12), max(width * scale, 12)
    lines = [f'<line x1="0" y1="{y:.1f}" x2="{wide:.1f}" y2="{y:.1f}"/>' for y in _cuts(rows, high)]
    lines += [f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{high:.1f}"/>' for x in _cuts(columns, wide)]
    box = f'<rect width="{wide:.1f}" height="{high:.1f}" fill="#ecb172" fill-opacity="0.7"/>'
    size = f'width="{wide + 2:.0f}" height="{high + 2:.0f}"'
    return f'<svg {size} xmlns="http://www.w3.org/2000/svg"><g stroke="black">{box}{"".join(lines)}</g></svg>'


def _cuts(sizes, length):
    """Where blocks end, of so many that lines stay apart."""
    total, place, cuts = sum(sizes), 0, []
    every = -(-len(sizes) // _LINES_MAX)
    for number, size in enumerate(sizes[:-1], 1):
        place += size
        if number % every == 0:
            cuts.append(place / total * length)
    return cuts
