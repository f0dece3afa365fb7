"""The table of a series: which recordings, at which value of the scan variable, and what to fit; from TOML."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamer.estimators.scan_laws import LAWS

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
HOM = "hom"
KINDS = (*LAWS, HOM)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scan(_Part):
    """What was varied."""

    variable: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] = Field(
        description="Name of the key that gives its value in every [[run]]: power, temperature, ..."
    )
    unit: str = Field("", description="Its unit, as it is printed: uW, W/cm2, K.")


class RunPart(BaseModel):
    """One recording, or with `files` as many as a pattern finds; the scan variable stands under its own name."""

    model_config = ConfigDict(frozen=True, extra="allow")

    file: str | None = Field(None, description="Recording, or address of a source such as simulate:cw.")
    files: str | list[str] | None = Field(None, description="Pattern such as dots/*.ptu, or a list: one run for each.")
    name: str | None = Field(None, description="What the run is called; its file's name when left out.")
    options: dict[str, str | int | float | bool] = Field({}, description="Options of the source.")
    settings: dict[str, Any] = Field({}, description="Settings of this run, on top of [settings].")

    @model_validator(mode="after")
    def _one_of(self) -> RunPart:
        if (self.file is None) == (self.files is None):
            raise ValueError("needs either file or files")
        if self.files is not None and self.name is not None:
            raise ValueError("name is for one file; leave it out beside files")
        return self


class Fit(_Part):
    """A law fitted to one quantity against the scan variable."""

    kind: str = Field(description="Name of the law.")
    of: str | None = Field(None, description="The quantity.")
    state: str = Field("all", description="Of which state: all, its name, or brightest.")
    name: str | None = Field(None, description="What the fit is called; kind and quantity when left out.")
    extra: list[str] = Field([], description="Optional parameters to fit as well.")
    fixed: dict[str, Finite] = Field({}, description="Parameters known from elsewhere, without error.")
    known: dict[str, str | tuple[Finite, Positive]] = Field(
        {}, description="Parameters known from elsewhere: [value, standard error], or the name of a fit above."
    )
    rate_hz: Positive | None = Field(None, description="Laser rate; that of the recordings when left out.")
    dead_ns: Positive | None = Field(
        None, description="Dead time of a detector; rate_cps is corrected for what was missed in it."
    )
    wavelength_nm: Positive | None = Field(None, description="Of the excitation; for the absorption cross-section.")
    spot_um2: Positive | None = Field(None, description="Area of the excitation spot, where the scan is of power.")
    lifetime_ns: Positive | tuple[Positive, Positive] | None = Field(
        None, description="1/gamma for sigma = h nu gamma / I_s: a value, or [value, standard error]."
    )
    parallel: str | None = Field(None, description="hom: the run with parallel polarisations.")
    perpendicular: str | None = Field(None, description="hom: the run with crossed polarisations.")

    g2: Annotated[float, Field(ge=0)] | tuple[Annotated[float, Field(ge=0)], Positive] = Field(
        0.0, description="hom: g2(0) of the source, or [value, standard error]."
    )
    reflectance: Positive = Field(0.5, lt=1, description="hom: of the beam splitters.")
    contrast: Positive = Field(1.0, le=1, description="hom: classical fringe contrast of the interferometer.")
    scheme: Literal["train", "double"] = Field("train", description="hom: an even train of pulses, or pairs of pulses.")

    @model_validator(mode="after")
    def _whole(self) -> Fit:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be out of {', '.join(KINDS)}, got {self.kind!r}")
        if self.kind == HOM:
            if self.parallel is None or self.perpendicular is None:
                raise ValueError("hom needs the names of two runs, parallel and perpendicular")
            return self
        if self.of is None:
            raise ValueError("needs `of`, the quantity that is fitted, such as rate_cps")
        if self.dead_ns is not None and self.of != "rate_cps":
            raise ValueError(f"dead_ns corrects rate_cps, not {self.of}; leave it out")
        twice = sorted(set(self.fixed) & set(self.known))
        if twice:
            raise ValueError(f"{twice[0]} is both fixed and known; leave one of them out")
        law = LAWS[self.kind]
        constants = dict.fromkeys(law.constants, 1.0)  # which the recordings may give
        law.check([*self.fixed, *self.known], self.extra, constants)
        return self

    @property
    def title(self) -> str:
        """Its name."""
        if self.name:
            return self.name
        if self.of is None:
            return self.kind
        return f"{self.kind} of {self.of}" + ("" if self.state == "all" else f", {self.state}")


class Statistics(_Part):
    """A quantity over all runs, as over many dots."""

    of: str = Field(description="The quantity.")
    state: str = Field("all", description="Of which state.")
    name: str | None = Field(None, description="What it is called.")

    @property
    def title(self) -> str:
        """Its name."""
        return self.name or self.of + ("" if self.state == "all" else f", {self.state}")


class Sum(_Part):
    """Runs of one emitter counted as one."""

    name: str = Field("sum", description="What it is called.")
    runs: list[str] | None = Field(None, min_length=1, description="Names of the runs; all when left out.")


class Table(_Part):
    """A whole table."""

    title: str | None = Field(None, description="Heading of figures and output.")
    scan: Scan | None = Field(None, description="What was varied; none for many dots.")
    settings: dict[str, Any] = Field({}, description="Settings of every run, as in docs/settings.md.")
    options: dict[str, str | int | float | bool] = Field({}, description="Options of every run's source.")
    run: list[RunPart] = Field(min_length=1, description="The recordings.")
    fit: list[Fit] = Field([], description="What to fit.")
    statistics: list[Statistics] = Field([], description="What to say of the runs together.")
    sum: list[Sum] = Field([], description="What to add up.")
