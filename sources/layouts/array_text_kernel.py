"""Text kernel: lines of delimited numbers to columns of int64 or float64, with the place of the first wrong field."""

from __future__ import annotations

import numpy as np
from numba import njit, types

ROWS, BYTE, LINE, FAULT, COLUMN, FIRST, LAST = range(7)  # columns of `state`
NO_NUMBER, NO_WHOLE, TOO_LONG, TOO_FEW, TOO_MANY = range(1, 6)  # values of state[FAULT]

_DIGITS = 18  # decimal digits that an int64 surely holds
_TENS = 10.0 ** np.arange(23)  # exact in a float64
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_SLOTS = types.Array(types.int64, 1, "C", readonly=True)
_FLAGS = types.Array(types.uint8, 1, "C", readonly=True)
_NUMBER = types.Tuple((types.int64, types.int64, types.boolean, types.int64))
_TAB, _NEWLINE, _RETURN, _SPACE, _HASH, _PLUS, _MINUS, _POINT, _ZERO, _E, _LOWER_E = b"\t\n\r #+-.0Ee"
_ONE = np.uint64(1)  # an index that is unsigned need not be tested for being negative: twice as fast


@njit(types.float64(types.int64, types.int64), cache=True, nogil=True)
def _scaled(mantissa, power):  # type: ignore[no-untyped-def]
    """mantissa * 10**power; rounded once where both are exact in a float64."""
    value = float(mantissa)
    while power > 0 and value != 0.0 and abs(value) < 1e300:
        step = min(power, 22)
        value *= _TENS[step]
        power -= step
    while power < 0 and value != 0.0:
        step = min(-power, 22)
        value /= _TENS[step]
        power += step
    return value


@njit(types.UniTuple(types.uint64, 2)(_BYTES, types.uint64, types.uint64, types.boolean), cache=True, nogil=True)
def _trimmed(text, first, last, tabs):  # type: ignore[no-untyped-def]
    """The bytes [first, last) without the spaces and carriage returns around them, and without tabs if `tabs`."""
    while first < last and (text[first] == _SPACE or (tabs and text[first] == _TAB)):
        first += _ONE
    while first < last:
        c = text[last - _ONE]
        if c not in (_SPACE, _RETURN) and not (tabs and c == _TAB):
            break
        last -= _ONE
    return first, last


@njit(types.Tuple((types.uint64, types.int64, types.int64))(_BYTES, types.uint64, types.uint64), cache=True, nogil=True)
def _exponent(text, at, last):  # type: ignore[no-untyped-def]
    """(byte behind it, exponent, its digits) of the exponent whose sign or first digit is at `at`."""
    exponent, digits, down = np.int64(0), np.int64(0), False
    if at < last and (text[at] == _MINUS or text[at] == _PLUS):
        down = text[at] == _MINUS
        at += _ONE
    while at < last and _ZERO <= text[at] < _ZERO + 10:
        if exponent < 1000:
            exponent = exponent * 10 + (np.int64(text[at]) - _ZERO)
        digits += 1
        at += _ONE
    return at, (-exponent if down else exponent), digits


@njit(_NUMBER(_BYTES, types.uint64, types.uint64), cache=True, nogil=True)
def _number(text, first, last):  # type: ignore[no-untyped-def]
    """(mantissa, power of ten, has a point or an exponent, fault) of the bytes [first, last)."""
    at, mantissa, power, digits, seen = first, np.int64(0), np.int64(0), 0, np.int64(0)
    negative, point, cut = False, False, False
    if at < last and (text[at] == _MINUS or text[at] == _PLUS):
        negative = text[at] == _MINUS
        at += _ONE
    while at < last:
        c = text[at]
        if _ZERO <= c < _ZERO + 10:
            seen += 1
            if digits < _DIGITS:
                mantissa = mantissa * 10 + (np.int64(c) - _ZERO)
                digits += mantissa != 0
                power -= point
            else:
                cut = True
                power += not point
        elif c == _POINT and not point:
            point = True
        else:
            break
        at += _ONE
    if seen > 0 and at < last and (text[at] == _E or text[at] == _LOWER_E):
        point = True
        at, exponent, seen = _exponent(text, at + _ONE, last)
        power += exponent
    if seen == 0 or at != last:
        return mantissa, power, point, NO_NUMBER
    return (-mantissa if negative else mantissa), power, point, (TOO_LONG if cut else 0)


@njit(
    types.int64(
        _BYTES, types.uint64, types.uint64, types.uint8, _SLOTS, _FLAGS, types.int64, types.int64[:, ::1],
        types.float64[:, ::1], types.uint8[::1], types.int64[::1],
    ),
    cache=True, nogil=True,
)  # fmt: skip
def _line(text, begin, last, delimiter, slots, decimal, row, wholes, floats, pointed, state):  # type: ignore[no-untyped-def]
    """Parse the line [begin, last), see `parse`; return the fault and note its place."""
    column, first, columns, blanks = 0, begin, slots.size, delimiter == _SPACE
    while True:
        slot = slots[column] if column < columns else -1
        border, digits = first, np.uint64(0)
        if slot >= 0:  # nearly all fields are digits and nothing else
            while border < last and _ZERO <= text[border] < _ZERO + 10:
                digits = digits * np.uint64(10) + np.uint64(text[border] - _ZERO)
                border += _ONE
        short = first < border <= first + np.uint64(_DIGITS)
        plain = short and (border == last or text[border] == delimiter)
        while border < last and text[border] != delimiter and not (blanks and text[border] == _TAB):
            border += _ONE
        if slot >= 0:
            mantissa, power, point, fault = np.int64(digits), np.int64(0), False, np.int64(0)
            left, right = first, border
            if not plain:
                left, right = _trimmed(text, first, border, True)
                mantissa, power, point, fault = _number(text, left, right)
            if decimal[slot]:
                floats[slot, row] = _scaled(mantissa, power)
                fault = np.int64(0) if fault == TOO_LONG else fault
            else:
                wholes[slot, row] = mantissa
                fault = np.int64(NO_WHOLE) if point and fault != NO_NUMBER else fault
            if fault:
                state[COLUMN], state[FIRST], state[LAST] = column, left, right
                return fault
            pointed[slot] |= point
        column += 1
        if border >= last:
            break
        first = border + _ONE
        while blanks and text[first] <= _SPACE:
            first += _ONE
    state[COLUMN], state[FIRST], state[LAST] = column, begin, last
    if column == columns:
        return 0
    return TOO_FEW if column < columns else TOO_MANY


@njit(
    types.void(
        _BYTES, types.int64, types.uint8, _SLOTS, _FLAGS, types.int64[:, ::1], types.float64[:, ::1],
        types.int64[::1], types.uint8[::1], types.int64[::1],
    ),
    cache=True, nogil=True,
)  # fmt: skip
def parse(text, stop, delimiter, slots, decimal, wholes, floats, lines, pointed, state):  # type: ignore[no-untyped-def]
    """Parse whole lines until their end, the first fault, or as many rows as there is room for.

    Blank lines and those that begin with # are left out; a carriage return before the newline counts as blank.

    Args:
        text: uint8[n].
        stop: byte behind the last newline that is there.
        delimiter: between fields; a space stands for any run of blanks.
        slots: int64[columns]: the row of `wholes` and `floats` of each column, -1 for one that is not read.
        decimal: uint8[s]: 1 when the column goes to `floats`; 0 when to `wholes`, and must then have no point.
        wholes, floats: int64[s, r] and float64[s, r], written.
        lines: int64[r], written: number of the line of each row.
        pointed: uint8[s], set to 1 for columns with a point or an exponent.
        state: int64[7]. Before: BYTE where the first line begins, LINE its number. After: ROWS written; BYTE and LINE
            of the first line that is not; FAULT, 0 for none, in field COLUMN, bytes [FIRST, LAST).
    """
    at, border, line, row, tabs = np.uint64(state[BYTE]), np.uint64(stop), state[LINE], 0, delimiter != _TAB
    fault = 0
    while at < border and row < lines.size:
        end = at
        while text[end] != _NEWLINE:
            end += _ONE
        begin, last = _trimmed(text, at, end, tabs)
        if begin < last and text[begin] != _HASH:
            fault = _line(text, begin, last, delimiter, slots, decimal, row, wholes, floats, pointed, state)
            if fault:
                break
            lines[row] = line
            row += 1
        at = end + _ONE
        line += 1
    state[ROWS], state[BYTE], state[LINE], state[FAULT] = row, at, line, fault
