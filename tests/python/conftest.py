"""Fixtures. Each test has a base name of its own, and must leave nothing under it in the shared memory directory."""

from __future__ import annotations

import faulthandler
import gc
import itertools
import os

import pytest
from hypothesis import HealthCheck, settings

import slipring
from support import DIRECTORY, MODES, objects

settings.register_profile(
    "slipring",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("slipring")

HANG = 180  # seconds, after which a test that hangs ends the run with everybody's traceback
numbers = itertools.count()


@pytest.fixture(autouse=True)
def no_hang():
    faulthandler.dump_traceback_later(HANG, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def base():
    name = f"pytest-{os.getpid()}-{next(numbers)}-end"
    yield name
    gc.collect()
    left = objects(name)
    for file in left:
        (DIRECTORY / file).unlink()
    assert left == [], f"left in {DIRECTORY}"


@pytest.fixture(params=MODES)
def mode(request):
    return request.param


@pytest.fixture
def make_writer(base):
    """Opens writers of the test's base, and closes them at its end."""
    made = []

    def make(**options):
        made.append(slipring.Writer(base, **options))
        return made[-1]

    yield make
    for writer in made:
        writer.close()


@pytest.fixture
def make_reader(base):
    made = []

    def make(**options):
        made.append(slipring.Reader(base, **options))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


@pytest.fixture
def writer(make_writer):
    """Lock-free, as are those who don't say; tests of both modes use either_writer."""
    return make_writer()


@pytest.fixture
def reader(make_reader):
    return make_reader()


@pytest.fixture
def either_writer(make_writer, mode):
    return make_writer(mode=mode)


@pytest.fixture
def either_reader(make_reader, mode):
    return make_reader(mode=mode)
