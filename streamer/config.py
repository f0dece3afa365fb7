"""Settings of a run: TOML or keywords -> one frozen object; an error names file, key, rule and value."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from streamer.errors import InputError

EXAMPLE = """'rule="g2", error=0.01' or 'any=[{rule="g2"}, {rule="exposure", seconds=60}]'"""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Channel = Annotated[int, Field(ge=0, le=254)]
CascadePart = Literal[
    "k1", "pump", "f_x", "f_xx", "ratio", "yields", "background", "delay", "plateau", "jitter"
]  # fmt: skip


class Settings(BaseModel):
    """Everything a run can be told; the fields' descriptions are the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bin_ms: Positive = Field(10.0, le=10_000, description="Length of a segment of the intensity trace, in ms.")
    segments: Literal["bins", "changes"] = Field(
        "bins",
        description='"bins": segments are bins of `bin_ms`; "changes": they go from one change of the count rate to '
        "the next, of whatever length, and `bin_ms` is only the unit of the levels.",
    )
    false_alarms: Positive = Field(
        0.001,
        ge=1e-6,
        le=1.0,
        description='Changes found per 1000 photons of steady light, where there is none (`segments = "changes"`).',
    )
    longest_ms: Positive = Field(
        1000.0,
        le=100_000,
        description='Length at which a segment ends without a change (`segments = "changes"`), in ms.',
    )
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
    on_off_sigma: Positive | None = Field(
        None,
        le=100,
        description="On for the blinking numbers: above the background (`background_cps`) by so many standard "
        "deviations of a bin; when left out, on is every state but the darkest.",
    )
    gate_ns: float = Field(
        0.0, ge=0, description="Pairs count in the gated g2(0) when both photons come later than this after excitation."
    )
    log_tau: bool = Field(
        False,
        description="Count pairs by the logarithm of their lag too, from 100 ns up; without it the log-tau correlation "
        "begins at the length of a segment. It takes some 20 to 60 ns per photon, several times what all else takes.",
    )
    cascade: tuple[Channel, Channel] | None = Field(
        None,
        description="Channels [XX, X] of a biexciton-exciton cascade, for its asymmetry and (cw) its three-level "
        "model; the pair that is counted when `pairs` is left out.",
    )
    cascade_known: dict[CascadePart, Annotated[float, Field(allow_inf_nan=False)] | Literal["free"]] = Field(
        {},
        description="What is known of the cascade and not to be fitted: k1 and pump in 1/us, f_x and f_xx, the "
        "leakages into the XX and the X channel, ratio = k2/k1 (4 unless given), yields = eta_XX/eta_X (1), background "
        "(share of accidental pairs; else from `background_cps`), delay in ns, plateau; jitter in ns (0). "
        '"free" has ratio, yields or background fitted.',
    )
    decay_model: Literal["auto", "mono", "bi", "tri", "stretched"] = Field(
        "auto",
        description="Model of the decay fits: one, two or three exponentials, or a stretched one; auto takes the one "
        "with the lowest BIC.",
    )
    irf: str | None = Field(
        None,
        description="Recording of the instrument response (scattered light) for the decay fits; a Gaussian of fitted "
        "width when left out.",
    )
    irf_options: dict[str, str | int | float] = Field(
        {}, description="Options of the reader of `irf`, as `--set` gives them, for example {period_ns = 100}."
    )
    irf_channels: dict[Channel, Channel] = Field(
        {},
        description="Channel of the run -> channel of `irf` that is its response, where they differ, for example "
        "{2 = 0}.",
    )
    pile_up: Literal["warn", "correct"] = Field(
        "warn",
        description='Photons that hide later ones of the same pulse: "warn" gives no lifetime where they are many; '
        '"correct" has them in the model of the decay fits, for cards that record one photon per pulse and channel.',
    )
    background_cps: dict[Channel, float | tuple[float, float]] | None = Field(
        None,
        description="Background per channel in counts/s, or [rate, its standard error], for example "
        "{0 = 120, 1 = [95, 4]}: dark counts and stray light, measured without the emitter; corrects g2(0).",
    )
    jitter_ns: float = Field(
        0.0, ge=0, le=100, description="Standard deviation of the difference of two detectors' jitters, for fits of g2."
    )
    studies: tuple[str, ...] | None = Field(
        None, description="Studies (fits, dwell times, ...) to run, by name; all when left out, none for []."
    )
    stop: dict[str, Any] | None = Field(
        None,
        description='Rules that end the run, such as {rule = "g2", budget_s = 60} or {any = [{rule = "g2"}, '
        '{rule = "exposure", seconds = 60}]}; see docs/stopping.md.',
    )
    on_stop: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Command, as a list of its words, that the daemon starts when a rule stops the run (close the "
        "shutter, move the stage): the run's stop record comes on its standard input as JSON.",
    )
    results_per_s: Positive = Field(20.0, le=1000, description="How often Results are published.")

    def background(self, channel: int) -> tuple[float, float] | None:
        """(rate, standard error) of a channel's background in counts/s; None where it is not given."""
        one = (self.background_cps or {}).get(channel)
        return one if one is None or isinstance(one, tuple) else (one, 0.0)

    @field_validator("thresholds_cps")
    @classmethod
    def _ascending(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and list(value) != sorted(set(value)):
            raise ValueError("must be ascending and all different")
        return value

    @field_validator("cascade_known")
    @classmethod
    def _possible(cls, value: dict[str, float | str]) -> dict[str, float | str]:
        for name, one in value.items():
            if isinstance(one, str):
                if name not in ("ratio", "yields", "background"):
                    raise ValueError(f"{name} is fitted anyway; leave it out")
            elif (name in ("k1", "pump", "yields", "plateau") and one <= 0) or (name != "delay" and one < 0):
                raise ValueError(f"{name} must be above 0" if name[0] in "kpy" else f"{name} must be 0 or more")
            elif (name == "ratio" and one < 1) or (name == "background" and one >= 1):
                raise ValueError("ratio must be 1 or more" if name == "ratio" else "background must be below 1")
        return value

    @model_validator(mode="before")
    @classmethod
    def _cascade_pair(cls, values: Any) -> Any:
        """The pair of a cascade is counted unless others are asked for."""
        if isinstance(values, dict) and values.get("cascade") is not None and values.get("pairs") is None:
            return values | {"pairs": (values["cascade"],)}
        return values

    @field_validator("background_cps")
    @classmethod
    def _rates(cls, value: Any) -> Any:
        numbers = [x for one in (value or {}).values() for x in (one if isinstance(one, tuple) else (one,))]
        if not all(0 <= x < float("inf") for x in numbers):
            raise ValueError("must be rates in counts/s, 0 or more")
        return value

    @field_validator("delays_ns", "t0_ns", "background_cps", "irf_channels", mode="before")
    @classmethod
    def _number_keys(cls, value: Any) -> Any:
        """TOML keys are text; channels are numbers."""
        if isinstance(value, (int, float)):
            raise ValueError("must be a table of channels, for example {0 = 120, 1 = 95}")
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


def load_rules(text: str) -> dict[str, Any]:
    """Rules of `--rules`: the path of a TOML file, its table [stop] or the whole of it, or TOML itself on one line.

    On one line the parameters of a rule may be parted by commas: rule="g2", error=0.01.

    Raises:
        InputError: it is neither.
    """
    path = Path(text)
    if "=" not in text or path.exists():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8")) if text else {}
        except OSError as error:
            raise InputError(
                f"--rules {text}: cannot be read ({error.strerror}); give a TOML file, or a rule such as {EXAMPLE}"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"--rules {text}: not TOML ({error}); correct the file") from None
        rules: dict[str, Any] = values.get("stop", values)
        return rules
    for form in (text, f"stop = {{{text}}}", f"stop = {text}"):
        try:
            values = tomllib.loads(form)
        except tomllib.TOMLDecodeError:
            continue
        rules = values.get("stop", values)
        return rules
    raise InputError(f"--rules {text}: neither a file nor TOML; write it like {EXAMPLE}")
