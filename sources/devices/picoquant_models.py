"""PicoQuant models: one table of what differs between the cards and their programming libraries.

From the headers (xxxdefin.h, xxxlib.h) and demonstrations that the vendor publishes: PHLib 3.0, TH260Lib 3.1 and 3.2,
HHLib 3.0, MHLib 2.0 to 3.1; PH330Lib 2.0 from ph330lib.h and, second-hand, from a public driver's copy of ph330defin.h.
No card was at hand: what no source confirms is marked "unconfirmed".
"""

from __future__ import annotations

from dataclasses import dataclass, field

CFD, EDGE = "cfd", "edge"
MODES = {"T2": 2, "T3": 3}
LONGEST_MS = 360_000_000  # of one measurement, all models
MEASURED = "hardware"  # the trigger is not a setting: the card is of one kind or the other


@dataclass(frozen=True, slots=True)
class Flags:
    """Bits of GetFlags; 0 where a model has none.

    Attributes:
        full: the FIFO has overrun.
        sync_lost, reference_lost, dropped: as they say; `dropped` are counts (MultiHarp) or events (TimeHarp).
        system, software: errors that the vendor wants to hear of.
    """

    full: int
    sync_lost: int = 0
    reference_lost: int = 0
    system: int = 0
    software: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Trigger:
    """One way to turn pulses into events.

    Attributes:
        level_mv: lowest, highest, default.
        zero_cross_mv: the same, for a constant fraction discriminator; None for an edge trigger.
    """

    level_mv: tuple[int, int, int]
    zero_cross_mv: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the table.

    Attributes:
        key: in addresses, such as "HH400".
        name: of the device.
        prefix: of the library's functions.
        windows, linux: file names of the library.
        folders: where the vendor's installers put it, besides where the system looks.
        oldest: lowest library version; a later minor version is taken, another major one refused.
        devices: highest number of devices.
        inputs: most input channels.
        record_types: mode -> TTTR record type; by kind of hardware where it has two ("P", "N").
        flags: see Flags.
        read_max: most records of one ReadFiFo (TTREADMAX), and whether they are an argument.
        references: name -> refsource of Initialize; () where it has none.
        calibrates: Calibrate comes after Initialize.
        wait_s: until rates are valid after Initialize or SetSyncDiv.
        divider: highest sync divider.
        triggers: kind -> limits.
        trigger: kind by default; MEASURED where the hardware decides.
        sync_input: the sync is set up as input 0 by the functions of inputs (PicoHarp 300).
        input_offset, input_enable, sync_enable, hysteresis, overflow_hold, routing: there are such functions.
        dead_time: "ps", "code" or "" for none.
        offset_ns: highest SetOffset, and how many of its units are 1 ns.
        bins: most binning steps.
    """

    key: str
    name: str
    prefix: str
    windows: tuple[str, ...]
    linux: tuple[str, ...]
    folders: tuple[str, ...]
    oldest: tuple[int, int]
    record_types: dict[str, dict[str, int]]
    flags: Flags
    triggers: dict[str, Trigger]
    trigger: str
    devices: int = 8
    inputs: int = 2
    read_max: int = 131072
    read_takes_count: bool = True
    references: dict[str, int] = field(default_factory=dict)
    calibrates: bool = False
    wait_s: float = 0.2
    divider: int = 16
    sync_input: bool = False
    input_offset: bool = True
    input_enable: bool = True
    sync_enable: bool = False
    hysteresis: bool = False
    overflow_hold: bool = False
    routing: bool = False
    dead_time: str = ""
    offset_max: int = 100_000_000
    offset_per_ns: int = 1
    bins: int = 26


_GENERIC = {"T2": {"": 0x00010207}, "T3": {"": 0x00010307}}
_CLOCKS = {"internal": 0, "external_10mhz": 1}


def _multiharp(key: str, name: str, inputs: int) -> Model:
    return Model(
        key=key,
        name=name,
        prefix="MH_",
        windows=("mhlib64.dll",),
        linux=("libmh150.so", "mhlib.so"),
        folders=(
            r"{programs}\PicoQuant\MultiHarp-MHLibv31",
            r"{programs}\PicoQuant\MultiHarp-MHLibv30",
            "/usr/local/lib/mh150",
        ),
        oldest=(3, 0),
        record_types=_GENERIC,
        flags=Flags(full=0x2, sync_lost=0x4, reference_lost=0x8, system=0x10, dropped=0x40),
        triggers={EDGE: Trigger((-1200, 1200, -50))},
        trigger=EDGE,
        inputs=inputs,
        read_max=1048576,
        read_takes_count=False,
        references=_CLOCKS,
        wait_s=0.15,
        sync_enable=True,
        hysteresis=True,
        overflow_hold=True,
        dead_time="ps",
        bins=24,
    )


_ALL = (
    Model(
        key="PH300",
        name="PicoHarp 300",
        prefix="PH_",
        windows=("phlib64.dll",),
        linux=("libph300.so", "phlib.so"),
        folders=(r"{programs}\PicoQuant\PicoHarp-PHLibv30", "/usr/local/lib/ph300"),
        oldest=(3, 0),
        record_types={"T2": {"": 0x00010203}, "T3": {"": 0x00010303}},
        flags=Flags(full=0x3, system=0x100),
        triggers={CFD: Trigger((0, 800, 100), (0, 20, 10))},
        trigger=CFD,
        inputs=1,
        calibrates=True,
        divider=8,
        sync_input=True,
        input_offset=False,
        input_enable=False,
        routing=True,
        offset_max=1_000_000_000,
        offset_per_ns=1000,  # SetOffset is in ps here
        bins=8,
    ),
    Model(
        key="TH260",
        name="TimeHarp 260",
        prefix="TH260_",
        windows=("th260lib64.dll",),
        linux=("libth260.so", "th260lib.so"),
        folders=(
            r"{programs}\PicoQuant\TimeHarp260-TH260Libv32",
            r"{programs}\PicoQuant\TimeHarp260-TH260Libv31",
            "/usr/local/lib/th260",
        ),
        oldest=(3, 1),
        record_types={"T2": {"N": 0x00010205, "P": 0x00010206}, "T3": {"N": 0x00010305, "P": 0x00010306}},
        flags=Flags(full=0x2, sync_lost=0x4, dropped=0x8, system=0x10, software=0x20),
        triggers={CFD: Trigger((-1200, 0, -50), (-40, 0, -10)), EDGE: Trigger((-1200, 1200, -50))},
        trigger=MEASURED,
        devices=4,
        divider=8,
        wait_s=0.15,
        dead_time="code",
        bins=22,
    ),
    Model(
        key="HH400",
        name="HydraHarp 400",
        prefix="HH_",
        windows=("hhlib64.dll",),
        linux=("libhh400.so", "hhlib.so"),
        folders=(r"{programs}\PicoQuant\HydraHarp-HHLibv30", "/usr/local/lib/hh400"),
        oldest=(3, 0),
        record_types={"T2": {"": 0x01010204}, "T3": {"": 0x01010304}},
        flags=Flags(full=0x2, sync_lost=0x4, reference_lost=0x8, system=0x10),
        triggers={CFD: Trigger((0, 1000, 50), (0, 40, 10))},
        trigger=CFD,
        inputs=8,
        references=_CLOCKS,
        calibrates=True,
        offset_max=500_000,
    ),
    _multiharp("MH150", "MultiHarp 150", 16),
    _multiharp("MH160", "MultiHarp 160", 64),
    Model(
        key="PH330",
        name="PicoHarp 330",
        prefix="PH330_",
        windows=("ph330lib.dll", "ph330lib64.dll"),
        linux=("libph330.so", "ph330lib.so"),
        folders=(
            r"{programs}\PicoQuant\UniHarp",
            r"{programs}\PicoQuant\PicoHarp330-PH330Libv20",
            "/usr/local/lib/ph330",
        ),
        oldest=(2, 0),
        record_types=_GENERIC,
        flags=Flags(full=0x2, sync_lost=0x4, reference_lost=0x8, system=0x10, dropped=0x40, software=0x80),
        triggers={EDGE: Trigger((-1500, 1500, -50)), CFD: Trigger((-1500, 0, -50), (-100, 0, -20))},
        trigger=EDGE,
        inputs=4,
        read_max=1048576,
        read_takes_count=False,
        references=_CLOCKS | {"external_100mhz": 2, "external_500mhz": 3},
        wait_s=0.2,  # unconfirmed: the longest of the others
        divider=8,
        sync_enable=True,
        hysteresis=True,
        overflow_hold=True,
        dead_time="ps",
        bins=24,
    ),
)
MODELS: dict[str, Model] = {model.key: model for model in _ALL}
SYNC_OFFSET_PS = (-99_999, 99_999)  # all models, and their input offsets
DEAD_TIME_PS = (800, 160_000)
DEAD_TIME_CODE = (0, 7)
OVERFLOW_HOLD_MS = (0, 255)
HYSTERESIS_MV = {"3": 0, "35": 1}
EDGES = {"falling": 0, "rising": 1}
