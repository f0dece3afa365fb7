"""Shared by the tests: a short simulated stream, made once."""

import pytest

from streamer.config import Settings
from streamer.pipeline import Pipeline
from streamer.registry import open_source


@pytest.fixture(scope="session")
def dot():
    """(info, chunks, end) of two seconds of the bundled kind of blinking dot, with a 7.4 ns cable on channel 1."""
    options = {
        "duration": "2", "seed": "5", "rate_hz": "2.5e6", "nbar": "0.2", "eta_c": "0.14", "eta_x": "0.07,0.3,0.9",
        "eta_bx": "0.05,0.1,0.12", "tau_x_ns": "3.5,10,25", "tau_bx_ns": "0.7,1.5,3", "delay_ns": "0,7.4",
    }  # fmt: skip
    source = open_source("simulate:", options)
    chunks = list(source.chunks())
    return source.info, chunks, source.end()


@pytest.fixture
def counted_dot(dot):
    """A pipeline that has counted it, by the default settings."""
    info, chunks, end = dot
    pipeline = Pipeline(info, Settings())
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.finish(end)
    return pipeline
