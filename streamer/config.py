"""Settings of a run: TOML or keywords -> one frozen object; an error names file, key, rule and value."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from streamer.errors import InputError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Channel = Annotated[int, Field(ge=0, le=254)]


class Settings(BaseModel):
    """Everything a run can be told; the fields' descriptions are the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bin_ms: Positive = Field(10.0, le=10_000, description="Length of a segment of the intensity trace, in ms.")
    channels: tuple[Channel, ...] | None = Field(
        None, min_length=1, description="Record channels whose photons are analysed; all that occur when left out."
    )
    pairs: tuple[tuple[Channel, Channel], ...] | None = Field(
        None,
        description="Channel pairs [a, b] to correlate, tau = t(b) - t(a); the two busiest channels when left out.",
    )
    delays_ns: Literal["auto"] | dict[Channel, float] = Field(
        "auto",
        description="By how many ns each channel's signal comes late (its cable), for example {1 = 23.9}; "
        '"auto" looks for it in recordings.',
    )
    max_delay_ns: Positive = Field(200.0, le=10_000, description="How far to look for the displaced centre, in ns.")
    look_photons: int = Field(
        1_000_000, ge=0, description="Photons of the bounded first pass over a recording; 0 for none."
    )
    period_ns: Positive | None = Field(
        None,
        description="Laser period in ns of a pulsed T2 stream; found in recordings when left out. "
        "T3 streams bring their own, or say that they do not know it; then this is it.",
    )
    t0_ns: dict[Channel, float] | None = Field(
        None,
        description="Nanotime of the excitation per channel in ns, as the card gives it (before delays_ns are taken "
        "out); found in recordings when left out (T3).",
    )
    lags: int = Field(
        10, ge=2, le=1000, description="Side peaks on each side of the centre that make the g2 reference."
    )
    tau_bin_ns: Positive | None = Field(
        None, description="Width of a tau bin in ns; 1/64 period, or 0.5 ns for cw, when left out."
    )
    tau_window_ns: Positive | None = Field(
        None, description="Half the tau range in ns; all the lags, or 500 ns for cw, when left out."
    )
    cw_window_ns: Positive = Field(
        1.0, description="Width of the window around tau = 0 that gives g2(0) for cw light, in ns."
    )
    thresholds_cps: tuple[Positive, ...] | None = Field(
        None, description="Count rates that part the states, ascending; found from the trace when left out."
    )
    states: int | None = Field(
        None, ge=1, le=4, description="How many states to find; decided by the data when left out."
    )
    gate_ns: float = Field(
        0.0, ge=0, description="Pairs count in the gated g2(0) when both photons come later than this after excitation."
    )
    studies: tuple[str, ...] | None = Field(
        None, description="Studies (fits, dwell times, ...) to run, by name; all when left out, none for []."
    )
    results_per_s: Positive = Field(20.0, le=1000, description="How often Results are published.")

    @field_validator("thresholds_cps")
    @classmethod
    def _ascending(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and list(value) != sorted(set(value)):
            raise ValueError("must be ascending and all different")
        return value

    @field_validator("delays_ns", "t0_ns", mode="before")
    @classmethod
    def _number_keys(cls, value: Any) -> Any:
        """TOML keys are text; channels are numbers."""
        if isinstance(value, dict):
            return {int(key) if str(key).isdigit() else key: item for key, item in value.items()}
        return value


def settings_from(values: dict[str, Any], origin: str = "settings") -> Settings:
    """Check plain values; InputError names `origin`, the key, the rule and the value."""
    try:
        return Settings(**values)
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            key = ".".join(str(part) for part in fault["loc"] if part != "constrained-str")
            rule = fault["msg"].removeprefix("Value error, ")
            if fault["type"] == "extra_forbidden":
                rule = f"no such setting; known are {', '.join(Settings.model_fields)}"
            lines.append(f"{key}: {rule}, got {fault['input']!r}")
        raise InputError(f"{origin}: " + "; ".join(lines)) from None


def load_settings(path: Path | None, **overrides: Any) -> Settings:
    """Settings from a TOML file (or the defaults) with keywords on top; those that are None do not override."""
    values: dict[str, Any] = {}
    origin = str(path) if path else "settings"
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not TOML ({error}); correct the file") from None
    return settings_from(values | {key: value for key, value in overrides.items() if value is not None}, origin)
