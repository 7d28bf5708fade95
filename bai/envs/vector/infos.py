"""Many members' ``info`` as one dictionary of columns.

As Gymnasium batches it (``VectorEnv._add_info``): a column for each key, with a mask under the
key with an underscore before it; numbers in arrays of their type, arrays stacked, dictionaries
batched in turn, all else in arrays of objects. What differs: Gymnasium adds one member after
another and lets the first decide, so that a second member whose value is a dictionary where the
first one's is None is an error (``info`` of bai's own has none such), and a fraction after an int
is rounded down. Here a column is made for all its values at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["batch_infos"]


def batch_infos(infos: Mapping[int, Mapping[str, Any]], count: int) -> dict[str, Any]:
    """Batches the ``info`` of members.

    Args:
        infos: Place in the batch to the ``info`` of the member there.
        count: Places in the batch.

    Returns:
        Key to its column, of shape ``(count, ...)``, and ``_key`` to the mask of the members that have it. Where
        a key holds a dictionary for some and None for others, None counts as a dictionary without keys.
    """
    batch: dict[str, Any] = {}
    for key in dict.fromkeys(key for info in infos.values() for key in info):
        values = {place: info[key] for place, info in infos.items() if key in info}
        batch[key] = _column(key, values, count)
        batch[f"_{key}"] = np.zeros(count, dtype=np.bool_)
        batch[f"_{key}"][list(values)] = True
    return batch


def _column(key: str, values: Mapping[int, Any], count: int) -> Any:
    dictionaries = [isinstance(value, dict) for value in values.values()]
    if key != "final_obs" and any(dictionaries):
        if all(found or value is None for found, value in zip(dictionaries, values.values(), strict=True)):
            return batch_infos({place: value or {} for place, value in values.items()}, count)
        return _filled(np.full(count, None, dtype=object), values)
    return _filled(_empty(key, list(values.values()), count), values)


def _filled(column: NDArray[Any], values: Mapping[int, Any]) -> NDArray[Any]:
    for place, value in values.items():
        column[place] = value
    return column


def _empty(key: str, values: list[Any], count: int) -> NDArray[Any]:
    if key != "final_obs" and all(_is_number(value) for value in values):
        dtype = np.result_type(*(np.dtype(type(value)) for value in values))
        # An int beyond the largest of numpy's goes as it is.
        if all(np.can_cast(np.min_scalar_type(value), dtype) for value in values if isinstance(value, int)):
            return np.zeros(count, dtype=dtype)
    arrays = [value for value in values if key != "final_obs" and isinstance(value, np.ndarray)]
    if len(arrays) == len(values) and len({(array.shape, array.dtype) for array in arrays}) == 1:
        return np.zeros((count, *arrays[0].shape), dtype=arrays[0].dtype)
    return np.full(count, None, dtype=object)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float, bool) or isinstance(value, np.number)
