"""State dicts of PyTorch, read and written without PyTorch.

Such a file is a zip of a pickle, which says what tensors there are, and of one file with the
numbers of each storage. Before PyTorch 1.6 it was no zip but the pickle, some others around it and
the storages one after the other, which is read too. A pickle can name any function and have it
called: here it can name what a state dict is made of and nothing else, and what stands for these
are inert stand-ins.
"""

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

_DTYPES = {
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(jnp.bfloat16),
    "FloatStorage": np.dtype(np.float32),
    "DoubleStorage": np.dtype(np.float64),
    "LongStorage": np.dtype(np.int64),
}
# Of the format before 1.6: the pickle of a number that begins it, and its version.
_OLD_START = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
_OLD_VERSION = 1001
_STORAGES = {dtype: name for name, dtype in _DTYPES.items()}


class _Storage(NamedTuple):
    """`count` numbers, which lie in the file `data/<key>` of the zip."""

    dtype: np.dtype
    key: str
    count: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides are in numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __setstate__(self, state: Any) -> None:
        """Leaves out what old parameters carry beside their numbers: whether they are trained."""


class _Rebuild:
    """Stands for `torch._utils._rebuild_tensor_v2`; has no attribute that a pickle could set."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, *trained) -> _Tensor:
        return _Tensor(storage, offset, shape, strides)


class _RebuildParameter:
    """Stands for what makes a parameter of a tensor: the same numbers."""

    __slots__ = ()

    def __call__(self, tensor, *trained) -> _Tensor:
        return tensor


# A storage's class is its name, which can neither be called nor changed.
_GLOBALS = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
    ("torch._utils", "_rebuild_tensor"): _Rebuild(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    ("torch.nn.parameter", "Parameter"): _RebuildParameter(),
    **{(module, name): name for module in ("torch", "torch.cuda") for name in _DTYPES},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _GLOBALS:
            raise ValueError(f"{module}.{name} is not allowed; a state dict has tensors and names")
        return _GLOBALS[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, name, key, _, count, *view = pid  # `view` before 1.6 only, and mostly None
        if any(view) or kind != "storage" or not isinstance(key, str) or not _is_size(count):
            raise ValueError(f"the storage {pid!r} is not allowed")
        return _Storage(_DTYPES[name], key, count)


def read(path: Path, field: str) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name, in their own number formats.

    Read are float16, bfloat16, float32, float64 and int64.

    Args:
      path: of the file.
      field: what an error begins with.

    Raises:
      ValueError: beginning with `field`; it is no such file, has anything but tensors, names
        anything but what these are made of, or is damaged.
    """
    said = f"{field}: {str(path)!r} cannot be read as a state dict of PyTorch"
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _read_zip(archive)
        with path.open("rb") as file:
            return _read_old(file)
    except Exception as error:
        # BadZipFile, UnpicklingError, KeyError, TypeError of what is called, EOFError, ...
        raise ValueError(f"{said}: {error}") from error


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as a state dict that `torch.load(path, weights_only=True)` reads.

    The same arrays make the same bytes.

    Args:
      path: of the file.
      arrays: by name; float16, bfloat16, float32, float64 or int64.

    Raises:
      OSError: it cannot be written.
    """
    with zipfile.ZipFile(path, "w") as archive:
        files = {"data.pkl": _pickled(arrays), "byteorder": b"little", "version": b"3\n"}
        for key, array in enumerate(arrays.values()):
            files[f"data/{key}"] = array.tobytes()
        for name, content in files.items():
            # Of a ZipInfo the date is always the same.
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), content)


def _read_zip(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    names = archive.namelist()
    # What is not compressed takes no more memory than the file has bytes.
    if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
        raise ValueError("it is compressed")
    roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise ValueError(f"it has {len(roots)} files data.pkl")
    root = roots[0]
    if root + "byteorder" in names and archive.read(root + "byteorder") != b"little":
        raise ValueError("its numbers are not little-endian")
    found = _Unpickler(io.BytesIO(archive.read(root + "data.pkl"))).load()
    return _arrays(found, lambda storage: archive.read(f"{root}data/{storage.key}"))


def _read_old(file: BinaryIO) -> dict[str, np.ndarray]:
    """Reads the format before 1.6: pickles of what it is, of tensors, of storages' names."""
    if file.read(len(_OLD_START)) != _OLD_START:
        raise ValueError("it is no zip, and does not begin as a file of PyTorch before 1.6")
    file.seek(0)
    _, version, system, found, keys = (_Unpickler(file).load() for _ in range(5))
    if version != _OLD_VERSION or not system["little_endian"]:
        raise ValueError("it is older than PyTorch 0.2, or its numbers are not little-endian")
    # What is not a tensor is refused by `_arrays`.
    tensors = [each for each in found.values() if isinstance(each, _Tensor)]
    storages = {each.storage.key: each.storage for each in tensors}
    contents = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        if count != storages[key].count:
            raise ValueError(
                f"the storage {key!r} has {count} numbers, and not those it is said to"
            )
        contents[key] = file.read(count * storages[key].dtype.itemsize)
    return _arrays(found, lambda storage: contents[storage.key])


def _arrays(found: Any, content: Callable[[_Storage], bytes]) -> dict[str, np.ndarray]:
    """The arrays of what was unpickled, by name; `content` gives the bytes of a storage."""
    if not isinstance(found, dict):
        raise ValueError("it has no tensors by name")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise ValueError(f"{name!r} is no tensor")
    return {name: _numbers(content, name, tensor) for name, tensor in found.items()}


def _numbers(read: Callable[[_Storage], bytes], name: str, tensor: _Tensor) -> np.ndarray:
    storage, offset, shape, strides = tensor
    sizes = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or not all(map(_is_size, sizes)):
        raise ValueError(f"{name!r} is damaged")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    # The second keeps out strides of 0, by which a few bytes could become any number of them.
    if math.prod(shape) and (last >= storage.count or math.prod(shape) > storage.count):
        raise ValueError(f"{name!r} has more numbers than its storage")
    content = read(storage)
    width = storage.dtype.itemsize
    if len(content) != storage.count * width:
        raise ValueError(
            f"the storage of {name!r} has {len(content)} bytes; {storage.count * width} are needed"
        )
    if not math.prod(shape):
        return np.empty(shape, storage.dtype)
    # As bytes: not every dtype can be viewed in a buffer.
    start = np.frombuffer(content, np.uint8)[offset * width :].view(storage.dtype)
    view = np.lib.stride_tricks.as_strided(start, shape, [width * stride for stride in strides])
    return view.copy()


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _pickled(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The pickle of a state dict whose i-th tensor has the storage i, in protocol 2.

    It is put together by hand, since pickle writes the name of a function only where it is.
    """
    ordered = b"ccollections\nOrderedDict\n)R"
    items = [
        _text(name)
        + b"ctorch._utils\n_rebuild_tensor_v2\n"
        + b"(("
        + _text("storage")
        + f"ctorch\n{_STORAGES[array.dtype]}\n".encode()
        + _text(str(key))
        + _text("cpu")
        + _size(array.size)
        + b"tQ"
        + _size(0)
        + _sizes(array.shape)
        + _sizes([math.prod(array.shape[axis + 1 :]) for axis in range(array.ndim)])
        + b"\x89"  # no gradient is wanted
        + ordered
        + b"tR"
        for key, (name, array) in enumerate(arrays.items())
    ]
    return b"\x80\x02" + ordered + b"(" + b"".join(items) + b"u."


def _text(text: str) -> bytes:
    encoded = text.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _size(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _sizes(numbers) -> bytes:
    return b"(" + b"".join(map(_size, numbers)) + b"t"
