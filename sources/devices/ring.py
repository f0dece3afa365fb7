"""Ring: memory of fixed size between the thread that empties a device's FIFO and the one that writes to the disk.

A disk may stand still for longer than a FIFO lasts (2 million records are 50 ms at 40 million per second).
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

import numpy as np

Mark = TypeVar("Mark")
_WRITE = 4 << 20  # bytes that are handed on at once, when so many are there
_SLEEP_S = 0.1


class Ring(Generic[Mark]):
    """Blocks of bytes and marks, in order, from one thread to another.

    Attributes:
        most: most bytes that ever waited.
    """

    def __init__(self, size: int, block: int) -> None:
        """A ring of `size` bytes, in which each block gets room for `block` of them."""
        self._memory = np.empty(size, np.uint8).data  # whose pages are only there once they were needed
        self._size, self._block = size, block
        self._news = threading.Condition()
        self._items: deque[tuple[int, int] | Mark] = deque()  # (first byte, length), or a mark
        self._head = self._waiting = self.most = 0
        self._taken: tuple[int, int] | None = None
        self._closed = False

    # ---- one thread

    def room(self, timeout_s: float) -> memoryview | None:
        """Memory for the next block; None when there is none within this time."""
        with self._news:
            if not self._fits():
                self._news.wait(timeout_s)
                if not self._fits():
                    return None
            return self._memory[self._head : self._head + self._block]

    def put(self, length: int) -> None:
        """So many bytes of that memory hold data."""
        with self._news:
            last = self._items[-1] if self._items else None
            if isinstance(last, tuple) and sum(last) == self._head and last[1] + length <= _WRITE:
                self._items[-1] = (last[0], last[1] + length)
            else:
                self._items.append((self._head, length))
            self._head += length
            self._waiting += length
            self.most = max(self.most, self._waiting)
            self._news.notify()

    def mark(self, mark: Mark) -> None:
        """Put a mark behind what was put so far."""
        with self._news:
            self._items.append(mark)
            self._news.notify()

    def close(self) -> None:
        """Nothing more will be put."""
        with self._news:
            self._closed = True
            self._news.notify()

    # ---- the other thread

    def take(self) -> memoryview | Mark | None:
        """The next block, which stays as it is until the next `take`, or mark; None at the end."""
        with self._news:
            if self._taken is not None:
                self._waiting -= self._taken[1]
                self._taken = None
                self._news.notify()
            while not self._items and not self._closed:
                self._news.wait(_SLEEP_S)
            if not self._items:
                return None
            item = self._items.popleft()
            if not isinstance(item, tuple):
                return item
            self._taken = item
            return self._memory[item[0] : sum(item)]

    def _fits(self) -> bool:
        """Is there room for a block at the head, or else at the beginning?"""
        first = self._taken or next((item for item in self._items if isinstance(item, tuple)), None)
        if first is None:
            self._head = 0
            return True
        tail = first[0]
        if self._head > tail or (self._head == tail and not self._waiting):
            if self._size - self._head >= self._block:
                return True
            if tail <= self._block:
                return False
            self._head = 0
            return True
        return tail - self._head > self._block
