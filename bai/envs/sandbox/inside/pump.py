"""Bytes to and from a candidate process, without ever becoming the runner's own heap.

Everything that passes through lies in an :class:`Arena`, memory that forks do not
inherit: a process forked later finds nothing of an earlier execution in its memory.
"""

from __future__ import annotations

import mmap
import os
import struct

__all__ = ["Arena", "Feed", "FrameCounter", "Sink"]

_SCRATCH = 1 << 16
"""Bytes read at a time where they are dropped."""


class Arena:
    """Memory for one request and its reply, left out of forked processes and given back after use.

    Made by the process that uses it: a fork of that process would not have it.
    """

    def __init__(self, size: int) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE: paid for when touched
        self._map = mmap.mmap(-1, size, flags=flags)
        self._map.madvise(mmap.MADV_DONTFORK)
        self._view = memoryview(self._map)
        self._used = 0

    def take(self, size: int) -> memoryview:
        """Sets ``size`` bytes aside."""
        if self._used + size > len(self._view):
            raise MemoryError(f"a message needs {size} bytes more than the runner has room for")
        piece = self._view[self._used : self._used + size]
        self._used += size
        return piece

    def sink(self, fd: int, size: int) -> Sink:
        """Gives a sink that keeps ``size`` bytes."""
        return Sink(fd, self.take(size), self.take(_SCRATCH))

    def clear(self) -> None:
        """Forgets everything and gives the memory back."""
        self._used = 0
        self._map.madvise(mmap.MADV_DONTNEED)


class Feed:
    """Bytes on their way into a pipe."""

    def __init__(self, fd: int, *pieces: bytes | memoryview) -> None:
        self.fd = fd
        self._pieces = [memoryview(piece) for piece in pieces if len(piece)]

    def push(self) -> bool:
        """Writes what fits; tells whether anything is left that may still be read."""
        try:
            while self._pieces:
                done = os.write(self.fd, self._pieces[0])
                rest = self._pieces[0][done:]
                self._pieces[:1] = [rest] if len(rest) else []
        except BlockingIOError:
            return True
        except OSError:
            self._pieces.clear()
        return bool(self._pieces)


class Sink:
    """What comes out of a pipe, up to a number of bytes; the rest is read and dropped."""

    def __init__(self, fd: int, room: memoryview, scratch: memoryview) -> None:
        self.fd = fd
        self.size = 0
        self.overflowed = False
        self._room = room
        self._scratch = scratch

    @property
    def view(self) -> memoryview:
        """What was kept."""
        return self._room[: self.size]

    def pull(self) -> bool:
        """Reads what is there; tells whether more may come."""
        try:
            if self.size < len(self._room):
                got = os.readv(self.fd, [self._room[self.size :]])
                self.size += got
            else:
                got = os.readv(self.fd, [self._scratch])
                self.overflowed |= got > 0
        except BlockingIOError:
            return True
        except OSError:
            return False
        return got > 0

    def drain(self) -> None:
        """Reads until nothing is there; used once no writer is left."""
        while True:
            before = self.size, self.overflowed
            if not self.pull() or (self.size, self.overflowed) == before:
                return


class FrameCounter:
    """Counts whole frames in a sink as they arrive."""

    def __init__(self, sink: Sink, header: struct.Struct) -> None:
        self.count = 0
        self._sink = sink
        self._header = header
        self._at = 0

    def update(self) -> int:
        """Gives the number of whole frames so far."""
        view = self._sink.view
        while len(view) - self._at >= self._header.size:
            end = self._at + self._header.size + self._header.unpack_from(view, self._at)[1]
            if end > len(view):
                break
            self._at = end
            self.count += 1
        return self.count
