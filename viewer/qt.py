"""Qt, chosen once: PyQt6 under pyqtgraph, or one line that says what is missing and how to get it."""

from __future__ import annotations

import os

from streamer.errors import InputError

DEBIAN = "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1"

# pyqtgraph takes the first binding that it finds unless it is told; two bindings in one process end in a crash.
os.environ["PYQTGRAPH_QT_LIB"] = "PyQt6"

try:
    import pyqtgraph as pg
    from PyQt6 import QtCore, QtGui, QtWidgets
except ModuleNotFoundError as error:
    raise InputError(
        f"viewer: {error.name or 'PyQt6'} is not installed; remedy: pip install 'photon-streamer[viewer]'"
    ) from None
except ImportError as error:
    reason = " ".join(str(error).split())
    raise InputError(
        f"viewer: Qt does not load ({reason}); remedy: install the system's Qt libraries, on Debian or Ubuntu "
        f"apt install {DEBIAN} (and libxcb-cursor0 for a screen)"
    ) from None

if pg.Qt.QT_LIB != "PyQt6":
    raise InputError(
        f"viewer: pyqtgraph was loaded with {pg.Qt.QT_LIB} before the viewer, it must be PyQt6; "
        "remedy: import viewer first, or set PYQTGRAPH_QT_LIB=PyQt6"
    )

pyqtSignal = QtCore.pyqtSignal
Qt = QtCore.Qt

__all__ = ["Qt", "QtCore", "QtGui", "QtWidgets", "pg", "pyqtSignal"]
