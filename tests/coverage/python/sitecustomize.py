"""Has os._exit, by which forked children end, write what was reached of the extension (failing_write_coverage, tests/python/failing.c). On the path of the coverage run alone."""
# SPDX-License-Identifier: Apache-2.0
import ctypes
import os
import sys

_exit = os._exit


def _dump_and_exit(status):
    core = sys.modules.get("slipring._core")
    if core is not None:
        ctypes.CDLL(core.__file__).failing_write_coverage()
    _exit(status)


os._exit = _dump_and_exit
