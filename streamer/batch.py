"""Batch: whole recordings counted in this process, decoding one step ahead in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamer.chunk import Chunk
from streamer.config import Settings
from streamer.errors import InputError
from streamer.first_look import first_look
from streamer.irf import read_response
from streamer.pipeline import Pipeline
from streamer.registry import Source, load_sink, open_source


def looked_at(source: Source, address: str, options: Mapping[str, str], settings: Settings) -> Source:
    """The source with what a bounded first pass over a second opening of it found; a live source is left as it is."""
    if settings.look_photons and not source.info.live:
        options = {key: value for key, value in options.items() if key != "speed"}
        with closing(open_source(address, options).chunks()) as chunks:  # type: ignore[type-var]
            source.info = replace(source.info, look=first_look(chunks, source.info, settings))
    return source


def ahead(chunks: Iterator[Chunk], depth: int = 2) -> Iterator[Chunk]:
    """The same chunks, made in a thread up to `depth` ahead: kernels run without the GIL, so both cores work."""
    waiting: queue.Queue[Any] = queue.Queue(depth)
    done = threading.Event()

    def put(item: Any) -> bool:
        while not done.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for chunk in chunks:
                if not put(chunk):
                    return
            put(None)
        except BaseException as error:  # handed to the consumer, who asked for the chunk
            put(error)

    thread = threading.Thread(target=work, name="read ahead", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        done.set()
        thread.join()


def analyse(address: str, settings: Settings, options: Mapping[str, str] | None = None) -> Pipeline:
    """Count a whole recording; InputError when it cannot be read."""
    options = dict(options or {})
    source = looked_at(open_source(address, options), address, options, settings)
    pipeline = Pipeline(source.info, settings, read_response(settings))
    told = False
    for chunk in ahead(source.chunks()):
        pipeline.feed(chunk)
        if pipeline.stopped is not None and not told:
            source.stop(pipeline.stopped)
            told = True
    pipeline.finish(source.end())
    return pipeline


def analyse_to(path: str, settings: Settings, folder: str | None) -> dict[str, Any]:
    """The summary of a recording, and its results in `folder` when one is given; a worker process can run it."""
    try:
        pipeline = analyse(path, settings)
    except InputError as error:
        raise error if path in str(error) else InputError(f"{path}: {error}") from None
    results = pipeline.results(studied=pipeline.study())
    if folder is not None:
        load_sink("folder")(Path(folder), results)
    summary: dict[str, Any] = next(result.values for result in results if result.name == "summary")
    return summary
