"""Series: several recordings analysed and fitted together, as a table in TOML says."""

from streamer.series.reading import load_table
from streamer.series.run import run_series
from streamer.series.table import Table

__all__ = ["Table", "load_table", "run_series"]
