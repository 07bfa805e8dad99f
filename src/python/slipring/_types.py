"""Records that calls answer with."""

from __future__ import annotations

from typing import NamedTuple


class WriterStats(NamedTuple):
    """What a writer has done on a channel."""

    published: int
    """Frames published."""
    refused: int
    """Loans and copies refused with BlockingIOError, because every slot was held."""
    wakes: int
    """Publishes that woke sleeping readers."""
    grown: int
    """Times that the ring was made anew for larger frames."""
    last_seq: int
    """seq of the newest frame, 0 before the first."""
    epoch: int
    """Which life of the channel it is."""


class ReaderStats(NamedTuple):
    """What a reader has seen on a channel."""

    got: int
    """Different frames got."""
    missed: int
    """Frames published between them."""
    last_seq: int
    """seq of the last one got."""
    generations: int
    """Rings attached to: 1, and 1 more for each growth, restart or takeover that was followed."""
    epoch: int
    """Which life of the channel the last one was of."""
    leases: int
    """Frames held now."""
    contended: int
    """Gets that failed because the lock was taken (semaphore mode)."""


class Channel(NamedTuple):
    """A channel that exists."""

    base: str
    channel: str
    mode: str
    """'lock-free' or 'semaphore'."""
