"""Blocks with elements of their neighbours, with the names of `dask.array.overlap`."""

from ._overlap import map_overlap, overlap, sliding_window_view, trim_internal, trim_overlap

__all__ = ["map_overlap", "overlap", "sliding_window_view", "trim_internal", "trim_overlap"]
