"""How the viewer looks: one colour-blind-safe colour per state, a dark theme, numbers with SI prefixes."""

from __future__ import annotations

import math
from typing import Any

from viewer.values import known

# Okabe & Ito's palette (jfly.uni-koeln.de/color, 2008) without its black and dark blue, which a dark ground swallows.
STATE_COLORS = {
    "all": "#D0D4DA",
    "steady": "#F0E442",
    "dark": "#56B4E9",
    "grey": "#009E73",
    "grey 1": "#009E73",
    "grey 2": "#CC79A7",
    "bright": "#E69F00",
}
STATE_SYMBOLS = {"all": "o", "steady": "o", "dark": "t", "grey": "s", "grey 1": "s", "grey 2": "d", "bright": "t1"}
STATE_NAMES = {
    1: ("steady",),
    2: ("dark", "bright"),
    3: ("dark", "grey", "bright"),
    4: ("dark", "grey 1", "grey 2", "bright"),
}
SPARE_COLORS = ("#CC79A7", "#F0E442", "#56B4E9", "#009E73", "#E69F00")

GROUND = "#14171C"
PANEL = "#1B1F26"
BORDER = "#2C323C"
TEXT = "#E4E7EB"
FAINT = "#98A1AE"
HANDLE = "#FFFFFF"
LOSS = "#D55E00"
GOOD = "#3FBF8F"
WARN = "#F0C040"
BAD = "#FF7043"

STYLESHEET = f"""
* {{ font-size: 12px; color: {TEXT}; }}
QMainWindow, QWidget#ground {{ background: {GROUND}; }}
QFrame#panel {{ background: {PANEL}; border: 1px solid {BORDER}; border-radius: 4px; }}
QFrame#panel QLabel {{ background: transparent; border: none; }}
QLabel#title {{ font-size: 13px; font-weight: bold; }}
QLabel#faint {{ color: {FAINT}; }}
QLabel#number {{ font-size: 17px; font-weight: bold; }}
QLabel#verdict {{ font-size: 20px; font-weight: bold; }}
QLabel#offer {{ color: {WARN}; }}
QPushButton, QComboBox {{ background: #2A303A; border: 1px solid #3C4450; border-radius: 3px; padding: 2px 9px; }}
QPushButton:hover, QComboBox:hover {{ border-color: {FAINT}; }}
QPushButton:checked {{ background: #3B4656; border-color: {TEXT}; }}
QPushButton#state {{ background: transparent; border: none; padding: 0px; text-align: left; font-weight: bold; }}
QPushButton:disabled, QComboBox:disabled {{ color: {FAINT}; }}
QPushButton#slim {{ padding: 0px 7px; }}
QPushButton#arm {{ font-weight: bold; color: {WARN}; }}
QPushButton#arm:checked {{ color: {GOOD}; }}
QPushButton:focus, QComboBox:focus {{ border-color: {FAINT}; }}
QDialog, QWidget#form, QScrollArea {{ background: {PANEL}; }}
QLineEdit, QPlainTextEdit {{ background: {GROUND}; border: 1px solid #3C4450; border-radius: 3px; padding: 2px 4px; }}
QLineEdit:focus, QPlainTextEdit:focus {{ border-color: {TEXT}; }}
QTabBar::tab {{ background: #2A303A; border: 1px solid #3C4450; padding: 4px 12px; }}
QTabBar::tab:selected {{ background: {PANEL}; border-color: {FAINT}; }}
QTabWidget::pane {{ border: 1px solid #3C4450; }}
QComboBox QAbstractItemView {{ background: #2A303A; selection-background-color: #3B4656; }}
QToolTip {{ background: #2A303A; color: {TEXT}; border: 1px solid #3C4450; padding: 3px; }}
"""


def state_color(name: str) -> str:
    """Colour of a state, the same in every panel; an unknown name always gets the same spare colour."""
    return STATE_COLORS.get(name) or SPARE_COLORS[sum(name.encode()) % len(SPARE_COLORS)]


def state_names(count: int) -> tuple[str, ...]:
    """Names of `count` states from dark to bright; beyond four they are numbered."""
    return STATE_NAMES.get(count) or tuple(f"state {i + 1}" for i in range(count))


def si(value: Any, unit: str = "", digits: int = 3) -> str:
    """`value` with an SI prefix before `unit`, such as "23.4 kcps"; "?" when it is not known."""
    number = known(value)
    if number is None:
        return "?"
    gap = " " if unit else ""
    if number == 0:
        return f"0{gap}{unit}"
    power = min(max(math.floor(math.log10(abs(number)) / 3), -5), 4)
    scaled = number / 1000.0**power
    if abs(float(f"{scaled:.{digits}g}")) >= 1000 and power < 4:  # 999.96 k is 1.00 M
        power += 1
        scaled = number / 1000.0**power
    whole = max(len(str(int(abs(scaled)))), 1)
    prefix = ("f", "p", "n", "µ", "m", "", "k", "M", "G", "T")[power + 5]
    return f"{scaled:.{max(digits - whole, 0)}f}{gap or (' ' if prefix else '')}{prefix}{unit}"


def duration(seconds: Any) -> str:
    """Seconds as a clock reads them: "12.3 s", "4:05 min", "1:02:03 h"."""
    number = known(seconds)
    if number is None:
        return "?"
    if number < 100:
        return f"{number:.1f} s"
    whole = int(number)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d} h"


def count(value: Any) -> str:
    """A whole number with thin spaces between thousands; "?" when it is not known."""
    number = known(value)
    return "?" if number is None else f"{round(number):,}".replace(",", "\u2009")
