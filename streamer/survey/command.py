"""What `streamer survey` does: dots from wherever they come, the table after each, the picture at the end."""

from __future__ import annotations

import json
import math
import sys
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamer import stop_rules
from streamer.config import Settings
from streamer.errors import InputError
from streamer.replay import obey_signals, saver
from streamer.survey.dots import Dot, Plan
from streamer.survey.files import write_table
from streamer.survey.interrupts import Interrupts
from streamer.survey.marked import INPUTS, run_marked
from streamer.survey.picture import picture
from streamer.survey.purse import Purse
from streamer.survey.run import run_survey
from streamer.survey.served import Served
from streamer.survey.show import dot_line, print_survey, rules_line
from streamer.survey.table import REFUSED, Row, values_of
from streamer.transport import Hub

EXPOSURE_S = 60.0  # within which the default rules want a verdict
GIVE_UP = 0.05
STANDING = 1 / 12  # of it: so long a verdict must stand, for of two emitters one may be dark in the first seconds
DEFAULT = "the default; --rules gives others"


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of the command line; see `streamer survey --help`."""

    addresses: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    out: Path | None = None
    workers: int = 1
    budget_s: float | None = None
    exposure_s: float | None = None
    next_dot: int | None = None
    serve: str | None = None
    dots: int | None = None
    quiet: bool = False

    def check(self) -> None:
        """Refuse what contradicts itself; InputError."""
        for name, value in (("--budget", self.budget_s), ("--exposure", self.exposure_s)):
            if value is not None and not (0 < value < math.inf):
                raise InputError(f"{name} {value:g}: must be a number of seconds above 0")
        if self.next_dot is not None and not 1 <= self.next_dot <= INPUTS:
            raise InputError(f"--next-dot {self.next_dot}: must be an input of the card, 1 to {INPUTS}")
        if self.serve is not None and self.addresses:
            raise InputError(
                f"--serve {self.serve}: dots come to it with `streamer send`; leave {self.addresses[0]} out"
            )
        if self.serve is None and not self.addresses:
            raise InputError("survey: give recordings or addresses of sources, or --serve ADDRESS to wait for them")
        if self.serve is not None and self.next_dot is not None:
            raise InputError(
                f"--next-dot {self.next_dot}: parts a stream that survey opens itself; leave it out with --serve"
            )
        if self.serve is not None and self.options:
            raise InputError("--set: is for sources that survey opens itself; give it to `streamer send`")
        one_by_one = self.serve is not None or self.next_dot is not None
        if one_by_one and self.workers > 1:
            raise InputError(f"--workers {self.workers}: these dots come one after the other; leave it out")
        if self.dots is not None and not one_by_one:
            raise InputError(f"--dots {self.dots}: is for --serve and --next-dot; here each address is a dot")
        if one_by_one and self.budget_s is not None and self.dots is None:
            raise InputError(f"--budget {self.budget_s:g}: has to be shared among a known number of dots; add --dots N")


class Book:
    """The rows so far, in order, and the files that hold them."""

    def __init__(self, asked: Asked, rules: dict[str, Any], rules_from: str) -> None:
        self.asked, self.rules, self.rules_from = asked, rules, rules_from
        self.rows: list[Row] = []
        self.interrupts = Interrupts()
        self._aloud = not asked.quiet and (asked.serve is not None or sys.stderr.isatty())

    @property
    def values(self) -> dict[str, Any]:
        """The survey as it stands."""
        return values_of(self.rows, self.rules, self.rules_from, self.asked.budget_s)

    def add(self, row: Row) -> None:
        """Take a row and replace the table: nothing of it is lost when the next dot ends in a power cut."""
        insort(self.rows, row, key=lambda one: one.number)
        if self._aloud:
            sys.stderr.write(f"streamer: {dot_line(row.plain())}\n")
        with self.interrupts.held():
            self.write()

    def write(self) -> list[Path]:
        """The table, where there is a folder for it."""
        return [] if self.asked.out is None else write_table(self.asked.out, self.values)


def with_rules(settings: Settings, asked: Asked, origin: str) -> tuple[Settings, str]:
    """Settings with the default rules where there are none, and who gave them; no studies but those asked for."""
    settings = settings if "studies" in settings.model_fields_set else settings.model_copy(update={"studies": ()})
    if settings.stop is not None:
        return settings, origin
    within_s = asked.exposure_s or EXPOSURE_S
    stop = {"rule": "g2", "budget_s": within_s, "give_up": GIVE_UP, "for_s": within_s * STANDING}
    stop_rules.check(stop)
    return settings.model_copy(update={"stop": stop}), DEFAULT


def survey(settings: Settings, asked: Asked, origin: str, *, as_json: bool = False) -> int:
    """Do the survey, write and print it; the exit status.

    Args:
        settings: of each run, with rules or without.
        asked: on the command line.
        origin: of the rules, for whoever reads the table.
        as_json: print one JSON object instead of a table.

    Raises:
        InputError: wrong usage, or the table cannot be written.
    """
    from streamer.registry import load_sink

    asked.check()
    settings, origin = with_rules(settings, asked, origin)
    assert settings.stop is not None
    book = Book(asked, dict(settings.stop), origin)
    try:
        with book.interrupts:
            _work(Plan(settings, asked.exposure_s), asked, book)
    except KeyboardInterrupt:
        sys.stderr.write("streamer: interrupted; the survey is of the dots up to here\n")
    values, paths = book.values, book.write()
    if asked.out is not None:
        try:
            paths += load_sink("survey_figure")(asked.out, [picture(values)])
        except InputError as error:  # the numbers are there all the same
            sys.stderr.write(f"streamer: {error}\n")
    if as_json:
        sys.stdout.write(json.dumps(values, allow_nan=False) + "\n")
    else:
        print_survey(values)
        for path in paths:
            sys.stdout.write(f"results: {path}\n")
    bad = [row for row in book.rows if row.verdict == REFUSED]
    for row in bad:
        sys.stderr.write(f"streamer: {row.name}: {row.reason.removeprefix(f'{row.name}: ')}\n")
    return 2 if bad and asked.serve is None else 0  # whoever sent a dot to a daemon was told there


def _work(plan: Plan, asked: Asked, book: Book) -> None:
    """Every dot, from wherever it comes."""
    if asked.serve is not None:
        _serve(plan, asked, book)
    elif asked.next_dot is not None:
        _part(asked.addresses, plan, asked, book)
    else:
        dots = [Dot(at, address, asked.options) for at, address in enumerate(asked.addresses, 1)]
        run_survey(dots, plan, book.add, workers=asked.workers, budget_s=asked.budget_s)


def _purse(plan: Plan, asked: Asked) -> Purse | None:
    if asked.budget_s is None or asked.dots is None:
        return None
    return Purse(asked.budget_s, asked.dots, plan.settings)


def _part(addresses: Sequence[str], plan: Plan, asked: Asked, book: Book) -> None:
    """The dots of streams that are parted by markers."""
    assert asked.next_dot is not None
    purse, done = _purse(plan, asked), 0
    for address in addresses:
        most = None if asked.dots is None else asked.dots - done
        if most == 0:
            return
        done += run_marked(
            address, dict(asked.options), plan, asked.next_dot, book.add, first=done + 1, most=most, purse=purse
        )


def _serve(plan: Plan, asked: Asked, book: Book) -> None:
    """The dots that come to a daemon; each leaves a folder of results besides its row."""
    assert asked.serve is not None
    save = None if asked.out is None else saver(asked.out, per_run=True)
    with Hub(asked.serve) as hub:
        served = Served(hub, plan, book.add, most=asked.dots, purse=_purse(plan, asked), save=save)
        obey_signals(served.daemon)
        if not asked.quiet:
            sys.stderr.write(f"streamer: {rules_line(book.values)}\n")
        sys.stderr.write(f"streamer: waiting for dots at {hub.address} (Ctrl-C ends)\n")
        served.serve()
        if served.daemon.failed is not None:
            sys.stderr.write(f"streamer: {served.daemon.failed}\n")
