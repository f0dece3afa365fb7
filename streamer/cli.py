"""Command line: serve · send · view · replay · batch · series · survey · check · demo."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.errors import InputError, Refused, StreamerError
from streamer.transport import DEFAULT_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.config import Settings
    from streamer.result import Result

app = typer.Typer(
    help="Real-time analysis of single-photon time tags.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path | None, typer.Option(help="TOML file with settings of the run (see docs/settings.md).")]
Out = Annotated[Path | None, typer.Option(help="Folder for summary.json and results.npz.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the source; may be given again.")
]
Rules = Annotated[
    str | None,
    typer.Option(help="Stop by these rules: a TOML file, or TOML such as 'rule=\"g2\"' (see docs/stopping.md)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]


CTRL_C = 130  # typer's status for it; whoever pressed it got what they wanted


def main() -> None:
    """The console script: an error is one line and a status, 2 for wrong usage or unreadable input, 1 for the rest."""
    try:
        app()
    except (InputError, Refused) as error:
        sys.exit(_say(error, 2))
    except (StreamerError, TimeoutError) as error:
        sys.exit(_say(error, 1))
    except KeyboardInterrupt:
        sys.exit(0)
    except SystemExit as end:
        sys.exit(0 if end.code == CTRL_C else end.code)


def _settings(config: Path | None, rules: str | None) -> Settings:
    """Settings of a run with the rules of the command line; a rule that cannot be is refused here."""
    from streamer import stop_rules
    from streamer.config import load_rules, load_settings

    settings = load_settings(config, stop=None if rules is None else load_rules(rules))
    if settings.stop is not None:
        stop_rules.check(settings.stop, f"{config}: stop" if rules is None else "--rules")
    return settings


def _say(error: Exception, status: int) -> int:
    sys.stderr.write(f"streamer: {' '.join(str(error).split())}\n")
    return status


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context, show: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False
) -> None:
    """Real-time analysis of single-photon time tags."""
    if show:
        from importlib.metadata import version as installed

        sys.stdout.write(f"streamer {installed('photon-streamer')}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")
        raise typer.Exit(2)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the picture and the results.")] = Path("demo"),
    speed: Annotated[str, typer.Option(help="With a window: times real time, or max.")] = "2",
) -> None:
    """Replay the bundled recording of a simulated blinking dot; without a display leave a picture and a summary."""
    from streamer.config import Settings
    from streamer.launch import has_display
    from streamer.registry import bundled_recording
    from streamer.replay import replay as run
    from streamer.show import print_summary, progress_bar

    shown = has_display()
    picture = None if shown else out / "viewer.png"
    _writable(out)
    recording, truth = bundled_recording()
    with progress_bar() as progress:
        summary, _ = run(
            str(recording), Settings(), options=[f"speed={speed if shown else 'max'}"], out=out, viewer=shown,
            snapshot=picture,
            progress=progress,
        )  # fmt: skip
    print_summary(summary, truth)
    sys.stdout.write(f"results: {out / 'summary.json'}, {out / 'results.npz'}\n")
    if picture is not None:
        sys.stdout.write(
            f"picture: {picture}\n" if picture.exists() else "picture: none, the viewer could not draw (see above)\n"
        )


@app.command()
def replay(
    file: Annotated[str, typer.Argument(help="A recording, or the address of a source.")],
    speed: Annotated[str | None, typer.Option(help="Times real time, or max; 1 when left out.")] = None,
    config: Config = None,
    no_viewer: Annotated[bool, typer.Option("--no-viewer", help="Do not open a window.")] = False,
    as_json: Json = False,
    out: Out = None,
    options: Set = None,
    rules: Rules = None,
) -> None:
    """Replay a recording through source, daemon and viewer as if it were measured now."""
    from streamer.launch import has_display
    from streamer.registry import RECORDINGS, open_source, split_address
    from streamer.replay import SourceDied
    from streamer.replay import replay as run
    from streamer.show import print_summary, progress_bar

    settings = _settings(config, rules)
    _writable(out)
    name, _ = split_address(file)
    given = _pairs(options or [])
    if "speed" in given:
        raise InputError(f"--set speed={given['speed']}: replay has a word of its own for it; say --speed")
    if speed is not None and name not in RECORDINGS and (name != "simulate" or "live" in given):
        raise InputError(f"--speed {speed}: {file} keeps its own time; leave --speed out")
    chosen = [*([f"speed={speed or '1'}"] if name in RECORDINGS else []), *(options or [])]
    if name in RECORDINGS or name == "simulate":
        # What cannot be read is said here, in one line, before anything is started; a device can be opened only once.
        open_source(file, _pairs(chosen))
    viewer = not no_viewer and has_display()
    if not no_viewer and not viewer:
        sys.stderr.write("streamer: no display, so no window; --no-viewer says so beforehand\n")
    died: SourceDied | None = None
    with progress_bar(hidden=as_json) as progress:
        try:
            summary, _ = run(
                file, settings, options=chosen, config=config, out=out, viewer=viewer, quiet=as_json, progress=progress
            )
        except SourceDied as error:
            summary, died = error.summary, error
    if as_json:
        sys.stdout.write(json.dumps(summary, allow_nan=False) + "\n")
    else:
        print_summary(summary, summary.get("truth"))
        if out is not None:
            sys.stdout.write(f"results: {out / 'summary.json'}, {out / 'results.npz'}\n")
    if died is not None:
        raise died


@app.command()
def serve(
    config: Config = None,
    address: Annotated[str, typer.Option(help="Base address; two more ports above it are used.")] = DEFAULT_ADDRESS,
    out: Annotated[Path, typer.Option(help="Each run leaves a folder of results here.")] = Path("runs"),
    rules: Rules = None,
) -> None:
    """Run the daemon until Ctrl-C: it takes one source after the other, publishes Results and saves the final ones."""
    from streamer.daemon import Daemon
    from streamer.replay import obey_signals, saver
    from streamer.transport import Hub

    settings = _settings(config, rules)
    _writable(out)
    write = saver(out, per_run=True)

    def save(run: str, results: Sequence[Result]) -> str:
        where = write(run, results)
        summary = next(result.values for result in results if result.name == "summary")
        sys.stderr.write(f"streamer: {run}: {summary['stopped_by'] or 'goes on'}; results are in {where}\n")
        return where

    with Hub(address) as hub:
        daemon = Daemon(hub, settings, save)
        obey_signals(daemon)
        sys.stderr.write(f"streamer: waiting for a source at {hub.address} (Ctrl-C ends)\n")
        daemon.serve()
        if daemon.failed is not None:
            raise daemon.failed


@app.command()
def send(
    source: Annotated[str, typer.Argument(help="A recording, or the address of a source such as simulate:steady.")],
    to: Annotated[str, typer.Option(help="The daemon's address.")] = DEFAULT_ADDRESS,
    options: Set = None,
    config: Config = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the daemon.")] = 30.0,
) -> None:
    """Push one source's photons to a daemon."""
    from streamer.config import load_settings
    from streamer.send import send as run

    if source.startswith("follow:"):
        sys.stderr.write(f"streamer: waiting for {source.removeprefix('follow:')}\n")
    totals, end = run(source, to, load_settings(config), _pairs(options or []), wait)
    received, after = totals.get("received", 0), totals.get("after", 0)
    counted = f", of which {received} were counted" if after else ""
    sys.stderr.write(f"streamer: sent {received + after} photons{counted} ({end.reason})\n")
    for line in end.warnings:
        sys.stderr.write(f"streamer: {line}\n")


@app.command()
def view(
    address: Annotated[str, typer.Argument(help="The daemon's address.")] = DEFAULT_ADDRESS,
    snapshot: Annotated[
        Path | None, typer.Option(help="Wait for the final Results, draw them into this PNG and end.")
    ] = None,
) -> None:
    """Open the live viewer."""
    from streamer.address import parse_address
    from streamer.registry import load_viewer

    parse_address(address)
    raise typer.Exit(load_viewer()(address, snapshot=snapshot))


@app.command()
def batch(
    files: Annotated[list[Path], typer.Argument(help="Recordings.")],
    config: Config = None,
    out: Out = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    rules: Rules = None,
) -> None:
    """Analyse recordings without sockets or windows: a line of JSON each; unreadable ones are named, the rest done."""
    from streamer.batch import analyse_to

    settings = _settings(config, rules)
    _writable(out)
    names = [path.name for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if out is not None and twice:
        raise InputError(f"--out {out}: two recordings are called {twice[0]}, and would share a folder; rename one")
    folders = [None if out is None else str(out / path.name) for path in files]
    failed = 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(analyse_to, str(path), settings, folder) for path, folder in zip(files, folders, strict=True)
        ]
        for job in jobs:
            try:
                sys.stdout.write(json.dumps(job.result(), allow_nan=False) + "\n")
                sys.stdout.flush()
            except InputError as error:
                failed = _say(error, 2)
    raise typer.Exit(failed)


@app.command()
def series(
    table: Annotated[Path, typer.Argument(help="TOML table of recordings, fits and statistics (see docs/series.md).")],
    as_json: Json = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for series.json, series.csv, figures and each recording's results.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Analyse several recordings together: fits against a scan variable, statistics over dots, sums over files."""
    from streamer.registry import load_sink
    from streamer.series import load_table, run_series
    from streamer.series.files import write_files
    from streamer.series.show import print_series

    read = load_table(table)
    _writable(out)

    def told(name: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"streamer: {name} is done\n")

    outcome = run_series(read, workers, out, told)
    paths: list[Path] = []
    if out is not None:
        paths = write_files(out, outcome.values)
        try:
            paths += load_sink("figures")(out, outcome.results)
        except InputError as error:  # the numbers are there all the same
            _say(error, 0)
    if as_json:
        sys.stdout.write(json.dumps(outcome.values, allow_nan=False) + "\n")
    else:
        print_series(outcome.values)
        for path in paths:
            sys.stdout.write(f"results: {path}\n")
    for name, why in outcome.refused:
        sys.stderr.write(f"streamer: {name}: {' '.join(why.split())}\n")
    raise typer.Exit(2 if outcome.refused else 0)


@app.command()
def survey(
    files: Annotated[list[str] | None, typer.Argument(help="Recordings or addresses of sources, a dot each.")] = None,
    rules: Rules = None,
    config: Config = None,
    out: Annotated[Path | None, typer.Option(help="Folder for survey.csv, survey.h5 and survey.png.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: Json = False,
    budget: Annotated[float | None, typer.Option(help="Exposure of all dots together, in s.")] = None,
    exposure: Annotated[
        float | None, typer.Option(help="Exposure in s that a dot would get without rules; as the source says.")
    ] = None,
    next_dot: Annotated[
        int | None, typer.Option(help="Each marker of this input begins a new dot of the same stream.")
    ] = None,
    serve: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Be a daemon there: each stream sent to it is a dot.")
    ] = None,
    dots: Annotated[int | None, typer.Option(min=1, help="End after so many, with --serve or --next-dot.")] = None,
    options: Set = None,
) -> None:
    """Many dots under the same stop rules: a table of verdicts, exposure used and exposure saved."""
    from streamer.survey.command import Asked, survey

    settings = _settings(config, rules)
    asked = Asked(
        tuple(files or ()), _pairs(options or []), out, workers, budget, exposure, next_dot, serve, dots, as_json
    )
    asked.check()
    _writable(out)
    raise typer.Exit(survey(settings, asked, "--rules" if rules is not None else str(config), as_json=as_json))


@app.command()
def check(
    file: Annotated[str, typer.Argument(help="A recording, or the address of a source.")],
    options: Set = None,
    as_json: Json = False,
) -> None:
    """Read a recording to its end and say what it holds and what is wrong with it; nothing is analysed."""
    from streamer.check import check_source
    from streamer.registry import open_source
    from streamer.show import print_check

    found = check_source(open_source(file, _pairs(options or [])))
    if as_json:
        sys.stdout.write(json.dumps(found, allow_nan=False) + "\n")
    else:
        print_check(found)


def _writable(folder: Path | None) -> None:
    """Make the folder for results now: that it cannot be written to must not come out after the measurement."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{folder}: results cannot be written there ({error.strerror or error}); choose another --out folder"
        ) from None


def _pairs(options: list[str]) -> dict[str, str]:
    """`key=value` texts as a dict; InputError for anything else."""
    pairs: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key:
            raise InputError(f"--set {option}: must look like key=value, for example speed=max")
        pairs[key] = value
    return pairs
