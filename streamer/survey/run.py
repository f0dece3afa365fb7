"""A survey of dots that are streams of their own, in one process or several; the table is the same in any case."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from streamer.survey.dots import Dot, Interrupted, Plan, measure
from streamer.survey.purse import Purse
from streamer.survey.table import Row


def run_survey(
    dots: Sequence[Dot],
    plan: Plan,
    told: Callable[[Row], None],
    *,
    workers: int = 1,
    budget_s: float | None = None,
) -> list[Row]:
    """Measure every dot and return the rows, in order.

    Args:
        dots: numbered from 1.
        plan: of each.
        told: called with each row as soon as it is there, not always in order.
        workers: processes; this one does the work where that is 1.
        budget_s: exposure of all dots together.

    Raises:
        InputError: the budget is too small for so many dots.
        KeyboardInterrupt: Ctrl-C; dots that were under way are told.
    """
    purse = None if budget_s is None else Purse(budget_s, len(dots), plan.settings)
    rows: list[Row] = []
    if workers == 1:
        for some, allowed_s in rounds(dots, purse, rows):
            try:
                for dot in some:
                    rows.append(measure(dot, plan, allowed_s))
                    told(rows[-1])
            except Interrupted as stop:
                told(stop.row)
                raise
        return rows
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_deaf) as pool:
        for some, allowed_s in rounds(dots, purse, rows):
            rows += _side_by_side(pool, [pool.submit(measure, dot, plan, allowed_s) for dot in some], told)
    return rows


def rounds(dots: Sequence[Dot], purse: Purse | None, rows: list[Row]) -> Iterator[tuple[Sequence[Dot], float | None]]:
    """(dots, s that each may use): all at once without a purse; else few, and `rows` has what the last ones used."""
    if purse is None:
        yield dots, None
        return
    at = 0
    while at < len(dots):
        many, allowed_s = purse.deal()
        yield dots[at : at + many], allowed_s
        for row in rows[at : at + many]:
            purse.take(row.used_s)
        at += many


def _side_by_side(pool: ProcessPoolExecutor, jobs: list[Future[Row]], told: Callable[[Row], None]) -> list[Row]:
    """Rows in the order of the jobs; after Ctrl-C those under way are still waited for, and told."""
    new = set(jobs)
    try:
        for job in as_completed(jobs):
            told(job.result())
            new.remove(job)
    except KeyboardInterrupt:
        pool.shutdown(wait=True, cancel_futures=True)
        for job in jobs:
            if job in new and job.done() and not job.cancelled() and job.exception() is None:
                told(job.result())
        raise
    return [job.result() for job in jobs]


def _deaf() -> None:
    """Ctrl-C reaches every process of a terminal; the first of them decides what becomes of the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
