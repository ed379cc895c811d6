"""The weights in an ONNX file, read without the package onnx.

An ONNX file is one message of Protocol Buffers. Of its many fields weights need ten, and the
format that these are written in is a few lines, so that no package that parses untrusted files in
C++ is asked for.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# Numbers of fields, from onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_KIND = 1, 4
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 4, 8, 9
_FLOAT = 1  # of _TENSOR_TYPE
# How a field is written.
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


class Node(NamedTuple):
    """A node of the graph.

    Attributes:
      kind: `Conv`, ...
      inputs: names.
    """

    kind: str
    inputs: tuple[str, ...]


def read(path: Path, field: str) -> tuple[list[Node], dict[str, np.ndarray]]:
    """The nodes of a graph, in their order, and its float32 arrays by name.

    Args:
      path: of the file.
      field: what an error begins with.

    Raises:
      ValueError: beginning with `field`; it is no such file, or is damaged.
    """
    try:
        graphs = [value for number, value in _fields(path.read_bytes()) if number == _MODEL_GRAPH]
        if len(graphs) != 1:
            raise ValueError(f"it has {len(graphs)} graphs")
        nodes, arrays = [], {}
        for number, value in _fields(graphs[0]):
            if number == _GRAPH_NODE:
                nodes.append(_node(value))
            elif number == _GRAPH_INITIALIZER:
                arrays.update(_tensor(value))
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        said = f"{field}: {str(path)!r} cannot be read as an ONNX file"
        raise ValueError(f"{said}: {error}") from error
    return nodes, arrays


def _node(message: bytes) -> Node:
    fields = list(_fields(message))
    kinds = [bytes(value).decode() for number, value in fields if number == _NODE_KIND]
    inputs = [bytes(value).decode() for number, value in fields if number == _NODE_INPUT]
    return Node(kinds[0], tuple(inputs))


def _tensor(message: bytes) -> dict[str, np.ndarray]:
    """A float32 tensor by its name; nothing of one of other numbers."""
    dims, kind, name, content = [], None, "", b""
    for number, value in _fields(message):
        if number == _TENSOR_DIMS:
            dims += [value] if isinstance(value, int) else _varints(value)
        elif number == _TENSOR_TYPE:
            kind = value
        elif number == _TENSOR_NAME:
            name = bytes(value).decode()
        elif number in (_TENSOR_RAW, _TENSOR_FLOATS):
            content += bytes(value)
    if kind != _FLOAT:
        return {}
    if len(content) != 4 * math.prod(dims):
        raise ValueError(f"{name!r} has {len(content)} bytes; {4 * math.prod(dims)} are needed")
    return {name: np.frombuffer(content, "<f4").reshape(dims)}


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: number, and an int or the bytes."""
    view, place = memoryview(message), 0
    while place < len(view):
        tag, place = _varint(view, place)
        number, form = tag >> 3, tag & 7
        if form == _VARINT:
            value, place = _varint(view, place)
            yield number, value
            continue
        if form == _BYTES:
            length, place = _varint(view, place)
        elif form in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if form == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"byte {place} begins no field")
        if place + length > len(view):
            raise ValueError("it ends too early")
        yield number, view[place : place + length]
        place += length


def _varints(content: bytes) -> list[int]:
    found, place = [], 0
    while place < len(content):
        value, place = _varint(content, place)
        found.append(value)
    return found


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A number whose bytes have seven of its bits each, the lowest first, and where it ends."""
    value = 0
    for count in range(10):
        byte = content[place + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError(f"byte {place} begins no number")
