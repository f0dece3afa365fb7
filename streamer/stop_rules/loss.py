"""Loss: stop when more is lost than can be put up with: time that was not watched, or records known to be missing."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from streamer.config import Settings
from streamer.evidence import Evidence
from streamer.plan import Plan
from streamer.rule import Finding
from streamer.rule import Rule as Contract


class Rule(Contract):
    """Too much was lost."""

    told: ClassVar[str] = "loss"

    share: float = Field(0.01, gt=0, lt=1, description="Share of the time, or of the records, that may be lost.")

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin."""
        return Watch(self.share)


class Watch:
    """The losses of one run."""

    def __init__(self, share: float) -> None:
        self.share = share

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        moment = evidence.moment
        time = 1 - evidence.live_s / evidence.elapsed_s if evidence.elapsed_s else 0.0
        records = moment.lost / max(moment.lost + evidence.photons, 1)
        worst = max(time, records)
        told = f"{100 * time:.2g} % of the time not watched ({moment.gaps} gaps), {moment.lost} records lost"
        return Finding(
            worst > self.share, f"{told} (limit {100 * self.share:g} %)",
            {"time_share": time, "record_share": records, "gaps": moment.gaps, "lost_records": moment.lost},
            {"loss": worst / self.share},
        )  # fmt: skip
