"""Device: a stand-in card at full rate through driver, spool, `streamer send`, socket and daemon; and how fast STOP is.

    python -m benchmarks.device --model HH400 --rate 40e6 --seconds 60

The stand-in (tests/sources/standin) makes T3 records on the wall clock into a FIFO of the card's size, and loses what
is not read in time. Every record is accounted for: made = spooled + discarded + lost in the FIFO. The daemon counts in
this process, `streamer send` is another. A second, short run is stopped by the daemon, as a rule would.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.standin import compiler, library, steady
from sources.layouts.ptu_header import read_header
from streamer.config import Settings
from streamer.daemon import Daemon
from streamer.launch import Child
from streamer.transport import Hub

START_S = 120.0
CATCH_UP_S = 1800.0


@dataclass(frozen=True)
class Told:
    """One run.

    Attributes:
        made, lost, discarded: records of the stand-in: all, those that its FIFO had no room for, and those in it then.
        spooled: records in the files.
        files: how many.
        received, analysed: photons.
        gaps: stretches that nobody watched.
        late_s: from the end of the measurement to the last photon counted.
        stop_ms: from the daemon's STOP to StopMeas; None without a stop.
        errors: calls that the stand-in refused.
        end: reason and warnings.
    """

    made: int
    lost: int
    discarded: int
    spooled: int
    files: int
    received: int
    analysed: int
    gaps: int
    late_s: float
    stop_ms: float | None
    errors: int
    end: dict[str, Any]


def run(
    model: str,
    rate: float,
    seconds: float,
    folder: Path,
    *,
    sync_hz: float,
    stop: bool,
    settings: Settings | None = None,
) -> Told:
    """Measure for so long, or until the daemon says stop after so long."""
    records, exact = steady(rate, sync_hz)
    (folder / "records.bin").write_bytes(records.tobytes())
    report, spool = folder / "report.json", folder / ("stopped.ptu" if stop else "run.ptu")
    os.environ |= {
        "STANDIN_RECORDS": str(folder / "records.bin"),
        "STANDIN_LOOP": "1",
        "STANDIN_RATE": repr(exact),
        "STANDIN_SYNC_HZ": repr(sync_hz),
        "STANDIN_REPORT": str(report),
    }
    options = [
        f"library={library(model, folder)}",
        f"spool={spool}",
        f"duration={'inf' if stop else seconds}",
        "binning=4",
    ]
    with Hub("tcp://127.0.0.1:0") as hub:
        daemon = Daemon(hub, settings or Settings())
        arguments = [word for option in options for word in ("--set", option)]
        with Child(["send", f"picoquant:{model}", "--to", hub.address, *arguments], quiet=True) as child:
            asked = _count(daemon, child, seconds if stop else None)
            child.wait(60)
    assert daemon.run is not None
    pipeline = daemon.run.pipeline
    ended = time.monotonic()
    stand_in = json.loads(report.read_text(encoding="utf-8"))
    files = sorted(folder.glob(f"{spool.stem}*.ptu"))
    account = pipeline.account
    return Told(
        made=stand_in["made"],
        lost=stand_in["lost"],
        discarded=pipeline.lost + pipeline.end.lost_records,
        spooled=sum(read_header(path).records for path in files),
        files=len(files),
        received=account.received,
        analysed=account.analysed + account.open,
        gaps=pipeline.gaps,
        late_s=ended - stand_in["stopped_at"],
        stop_ms=None if asked is None else (stand_in["stopped_at"] - asked) * 1e3,
        errors=stand_in["errors"],
        end=asdict(pipeline.end),
    )


def _count(daemon: Daemon, child: Child, stop_after_s: float | None) -> float | None:
    """Step until the stream's end; when the stop was asked for, on the monotonic clock."""
    began = time.monotonic()
    while daemon.run is None or daemon.run.pipeline.received.sum() == 0:
        daemon.step()
        if time.monotonic() > began + START_S or (child.status is not None and daemon.run is None):
            raise TimeoutError(f"the device sent nothing (its process: status {child.status})")
    first, asked = time.monotonic(), None
    while daemon.run.pipeline.end is None:
        daemon.step()
        now = time.monotonic()
        if stop_after_s is not None and asked is None and now - first >= stop_after_s:
            asked = time.monotonic()
            daemon.hub.stop(daemon.run.peer, "stop rule")
        if now > first + CATCH_UP_S:
            raise TimeoutError("the stream did not end")
    return asked


def show(told: Told, rate: float, seconds: float) -> bool:
    """Print one run; True when every record is accounted for."""
    overflow_share = told.received / max(told.spooled, 1)
    print(f"records made          {told.made:>14,}   {told.made / seconds / 1e6:.1f} M/s asked for {rate / 1e6:.1f}")
    print(f"lost in the FIFO      {told.lost:>14,}")
    print(f"discarded with it     {told.discarded:>14,}")
    print(f"spooled               {told.spooled:>14,}   in {told.files} files")
    print(f"photons received      {told.received:>14,}   {overflow_share:.4f} of the records")
    print(f"photons counted       {told.analysed:>14,}   {told.gaps} gaps")
    print(f"behind at the end     {told.late_s:>14.2f} s")
    if told.stop_ms is not None:
        print(f"STOP to StopMeas      {told.stop_ms:>14.1f} ms")
    print(f"refused calls         {told.errors:>14}")
    print(f"end                   {told.end['reason']}; {'; '.join(told.end['warnings']) or 'no warning'}")
    whole = told.made == told.spooled + told.discarded + told.lost
    print("every record accounted for" if whole else "RECORDS ARE MISSING: made is not spooled + discarded + lost")
    return whole and told.errors == 0


def main() -> int:
    """Both runs; 0 when every record is accounted for."""
    parser = argparse.ArgumentParser(description="A stand-in card at full rate through the whole chain.")
    parser.add_argument("--model", default="HH400", choices=["TH260", "HH400", "MH150", "MH160", "PH330"])
    parser.add_argument("--rate", type=float, default=40e6, help="records/s")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--sync", type=float, default=80e6, help="Hz")
    parser.add_argument("--lags", type=int, default=10, help="pulses to each side that the daemon counts pairs over")
    parser.add_argument("--reach", type=float, default=200.0, help="ns within which it looks for a displaced centre")
    parser.add_argument("--folder", type=Path, default=None, help="where to spool; a temporary one when left out")
    arguments = parser.parse_args()
    if compiler() is None:
        print("no C compiler: the stand-in cannot be compiled")
        return 2
    settings = Settings(lags=arguments.lags, max_delay_ns=arguments.reach)
    chosen = {"sync_hz": arguments.sync, "settings": settings}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        print(f"{arguments.model}, {arguments.seconds:g} s, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        told = run(arguments.model, arguments.rate, arguments.seconds, folder, stop=False, **chosen)
        good = show(told, arguments.rate, arguments.seconds)
        for path in folder.glob("run*.ptu"):
            path.unlink()
        print("\nstopped by the daemon after 3 s")
        told = run(arguments.model, arguments.rate, 3.0, folder, stop=True, **chosen)
        good = show(told, arguments.rate, 3.0) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
