"""Arrays that the extension does not take as they are: other byte orders, lists, tensors, bfloat16."""

from __future__ import annotations

from typing import Any

import numpy as np

_NAMES = frozenset(
    "uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64 bfloat16 complex64 complex128 bool".split()
)


def prepare(thing: Any) -> tuple[np.ndarray[Any, Any], str]:
    """A native array with the elements of `thing`, without a copy where that can be, and the name of its dtype.

    An array of bfloat16, which exports no buffer, comes as one of its bits. TypeError for a dtype that cannot be sent.
    """
    array = np.asarray(thing)
    name = array.dtype.name
    if name not in _NAMES:
        raise TypeError(f"an array of dtype {array.dtype} ({name}) cannot be sent; expected one of {', '.join(sorted(_NAMES))}")
    if name == "bfloat16":
        return array.view(np.uint16), name
    return array.astype(array.dtype.newbyteorder("="), copy=False), name
