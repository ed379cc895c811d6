import importlib.util
import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.systems.counterfactual.weights import pth


class Storage:
    """A storage as PyTorch has it, of numbers one after the other."""

    def __init__(self, kind, numbers):
        self.kind, self.numbers = kind, numbers


class Tensor:
    """A view of a storage, pickled as PyTorch does."""

    def __init__(self, storage, offset, shape, strides):
        self.given = (storage, offset, shape, strides)

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (*self.given, False, OrderedDict())


@pytest.fixture
def torch_names(monkeypatch):
    """Modules with the names that pickles of PyTorch have; they can do nothing."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("Half", "BFloat16", "Float", "Double", "Long", "Int"):
        kind = type(f"{name}Storage", (), {"__module__": "torch"})
        setattr(torch, kind.__name__, kind)

    def _rebuild_tensor_v2(*arguments):
        return arguments

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2, torch._utils = _rebuild_tensor_v2, utils
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield torch


def write_zip(path, files, root="archive", **others):
    with zipfile.ZipFile(path, "w", **others) as archive:
        for name, content in files.items():
            archive.writestr(f"{root}/{name}", content)


def saved(tensors, torch, storages):
    """The files of a state dict, pickled with what PyTorch's pickler gives for a storage."""
    stream = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if not isinstance(value, Storage):
                return None
            kind = getattr(torch, f"{value.kind}Storage")
            key = str(storages.index(value))
            return "storage", kind, key, "cpu", len(value.numbers)

    Pickler(stream, protocol=2).dump(tensors)
    data = {f"data/{key}": s.numbers.tobytes() for key, s in enumerate(storages)}
    return {"data.pkl": stream.getvalue(), "version": b"3\n", "byteorder": b"little"} | data


@pytest.fixture
def file(tmp_path, torch_names):
    """Writes a state dict of tensors of these storages."""

    def write(tensors, *storages, root="archive"):
        path = tmp_path / "weights.pth"
        write_zip(path, saved(tensors, torch_names, storages), root)
        return path

    return write


def refused(path):
    with pytest.raises(ValueError) as error:
        pth.read(path, "weights.file")
    message = str(error.value)
    said = f"weights.file: {str(path)!r} cannot be read as a state dict of PyTorch: "
    assert message.startswith(said)
    assert "\n" not in message
    return message


FLOATS = Storage("Float", np.arange(24, dtype=np.float32))


def test_views_by_offset_and_strides(file):
    state = OrderedDict(
        whole=Tensor(FLOATS, 0, (4, 6), (6, 1)),
        # Rows 1 to 3 and columns 2 and 3, and the same with rows for columns.
        part=Tensor(FLOATS, 8, (3, 2), (6, 1)),
        turned=Tensor(FLOATS, 8, (2, 3), (1, 6)),
        scalar=Tensor(FLOATS, 5, (), ()),
        empty=Tensor(FLOATS, 0, (0, 3), (3, 1)),
    )
    # What PyTorch adds to a state dict.
    state._metadata = OrderedDict([("", {"version": 1})])
    found = pth.read(file(state, FLOATS, root="cgn_colored"), "weights.file")
    assert list(found) == ["whole", "part", "turned", "scalar", "empty"]
    part = np.array([[8, 9], [14, 15], [20, 21]])
    np.testing.assert_array_equal(found["whole"], np.arange(24).reshape(4, 6))
    np.testing.assert_array_equal(found["part"], part)
    np.testing.assert_array_equal(found["turned"], part.T)
    np.testing.assert_array_equal(found["scalar"], 5)
    assert found["empty"].shape == (0, 3) and found["scalar"].shape == ()
    assert all(array.dtype == np.float32 and array.flags.writeable for array in found.values())


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("Half", np.float16),
        ("BFloat16", jnp.bfloat16),
        ("Float", np.float32),
        ("Double", np.float64),
        ("Long", np.int64),
    ],
)
def test_number_formats(file, kind, dtype):
    numbers = np.array([[1, -2], [3, 40]]).astype(dtype)
    storage = Storage(kind, numbers.ravel())
    found = pth.read(file({"a": Tensor(storage, 0, (2, 2), (2, 1))}, storage), "weights.file")
    np.testing.assert_array_equal(found["a"], numbers, strict=True)


def test_of_bfloat16_the_bits_are_known(tmp_path, file, torch_names):
    # Sign 0, exponent 127 + 1, fraction .1: 3 is 0 10000000 1000000, 0x4040, low byte first.
    storage = Storage("BFloat16", np.array([0x4040], np.uint16))
    found = pth.read(file({"a": Tensor(storage, 0, (1,), (1,))}, storage), "weights.file")
    assert float(found["a"][0]) == 3


@pytest.mark.parametrize(
    "name", ["os system", "posix system", "builtins eval", "torch.nn.modules.container Sequential"]
)
def test_other_names_are_refused_before_anything_is_called(tmp_path, name):
    mark, path = tmp_path / "mark", tmp_path / "evil.pth"
    command = f"touch {mark}".encode()
    call = f"c{name.replace(' ', chr(10))}\n".encode() + b"(U" + bytes([len(command)]) + command
    write_zip(path, {"data.pkl": b"\x80\x02" + call + b"tR."})
    assert f": {name.replace(' ', '.')} is not allowed; a state dict has" in refused(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["torch._utils\n_rebuild_tensor_v2", "torch\nFloatStorage", "collections\nOrderedDict"]
)
@pytest.mark.parametrize("state", [b"}U\x01aK\x01s", b"N}U\x01aK\x01s\x86"])
def test_what_stands_for_names_cannot_be_changed(tmp_path, name, state):
    # BUILD sets attributes: by `__dict__`, or by setattr where there is a pair.
    path = tmp_path / "evil.pth"
    write_zip(path, {"data.pkl": b"\x80\x02c" + name.encode() + b"\n" + state + b"b."})
    refused(path)
    for stands in pth._GLOBALS.values():
        assert not hasattr(stands, "a")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # A row more, or an offset of 1 more, than 24 numbers have.
        ((FLOATS, 0, (5, 6), (6, 1)), "'a' has more numbers than its storage"),
        ((FLOATS, 1, (4, 6), (6, 1)), "'a' has more numbers than its storage"),
        # 24 numbers as 100 million times as many.
        ((FLOATS, 0, (10**8, 24), (0, 1)), "'a' has more numbers than its storage"),
        ((FLOATS, -1, (4, 6), (6, 1)), "'a' is damaged"),
        ((FLOATS, 0, (4, 6), (-6, 1)), "'a' is damaged"),
        ((FLOATS, 0, (4, 6.0), (6, 1)), "'a' is damaged"),
        (("Float", 0, (4, 6), (6, 1)), "'a' is damaged"),
    ],
)
def test_damaged_tensors_are_refused(file, given, expected):
    path = file({"a": Tensor(*given)}, FLOATS)
    assert refused(path).endswith(expected)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"a": Tensor(FLOATS, 0, (2,), (1,)), "epoch": 3}, "'epoch' is no tensor"),
        ({"state_dict": {"a": Tensor(FLOATS, 0, (2,), (1,))}}, "'state_dict' is no tensor"),
        ({1: Tensor(FLOATS, 0, (2,), (1,))}, "1 is no tensor"),
        (Tensor(FLOATS, 0, (2,), (1,)), "it has no tensors by name"),
    ],
)
def test_other_things_than_tensors_by_name_are_refused(file, state, expected):
    assert refused(file(state, FLOATS)).endswith(expected)


def test_other_number_formats_are_refused(file):
    storage = Storage("Int", np.arange(2, dtype=np.int32))
    path = file({"a": Tensor(storage, 0, (2,), (1,))}, storage)
    assert "torch.IntStorage is not allowed" in refused(path)


def test_other_and_damaged_files_are_refused(tmp_path, torch_names):
    files = saved({"a": Tensor(FLOATS, 0, (24,), (1,))}, torch_names, [FLOATS])
    path = tmp_path / "a.pth"
    for changed, expected in (
        ({"byteorder": b"big"}, "its numbers are not little-endian"),
        ({"data/0": b"\0" * 95}, "the storage of 'a' has 95 bytes; 96 are needed"),
        ({"data.pkl": files["data.pkl"][:-2]}, ""),
        ({"deeper/data.pkl": b""}, "it has 2 files data.pkl"),
    ):
        write_zip(path, files | changed)
        assert refused(path).endswith(expected)
    write_zip(path, files, compression=zipfile.ZIP_DEFLATED)
    assert refused(path).endswith("it is compressed")
    write_zip(path, {name: files[name] for name in files if name != "data/0"})
    assert "archive/data/0" in refused(path)
    write_zip(path, {"data/0": b""})
    assert refused(path).endswith("it has 0 files data.pkl")
    write_zip(path, files)
    path.write_bytes(path.read_bytes().replace(FLOATS.numbers.tobytes(), b"\1" * 96))
    assert "Bad CRC" in refused(path)
    # The format before 1.6 begins with this pickle.
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2))
    assert refused(path).endswith("Ran out of input")
    path.write_bytes(b"PyTorch")
    assert refused(path).endswith("does not begin as a file of PyTorch before 1.6")


def test_files_older_than_1_6(tmp_path, torch_names):
    tensors = OrderedDict(a=Tensor(FLOATS, 2, (2, 3), (1, 4)))
    begin = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    start = b"".join(pickle.dumps(each, protocol=2) for each in begin)
    start += saved(tensors, torch_names, [FLOATS])["data.pkl"] + pickle.dumps(["0"], protocol=2)
    path, numbers = tmp_path / "a.pth", FLOATS.numbers.tobytes()
    path.write_bytes(start + struct.pack("<q", 24) + numbers)
    found = pth.read(path, "weights.file")
    np.testing.assert_array_equal(found["a"], [[2, 6, 10], [3, 7, 11]])
    path.write_bytes(start + struct.pack("<q", 25) + numbers)
    assert "the storage '0' has 25 numbers" in refused(path)
    path.write_bytes(start + struct.pack("<q", 24) + numbers[:-4])
    assert refused(path).endswith("has 92 bytes; 96 are needed")


ARRAYS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "a.half": np.array([1.5, -2], np.float16),
    "b": np.array(48_027, np.int64),
    "c": np.array([1.25], jnp.bfloat16),
    "é": np.zeros((0, 2)),
    "turned": np.arange(6.0).reshape(2, 3).T,
}


def test_what_is_written_is_read_and_the_bytes_are_the_same(tmp_path):
    paths = [tmp_path / name for name in ("a.pth", "b.pth")]
    for path in paths:
        pth.write(path, ARRAYS)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found = pth.read(paths[0], "weights.file")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_what_is_written_is_pytorch_s_pickle(tmp_path, torch_names):
    pth.write(tmp_path / "a.pth", ARRAYS)
    archive = zipfile.ZipFile(tmp_path / "a.pth")
    assert archive.read("archive/version") == b"3\n"

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, pid):
            return pid

    # By Python's own reader of names, from modules with PyTorch's.
    with archive.open("archive/data.pkl") as content:
        found = Unpickler(content).load()
    assert isinstance(found, OrderedDict)
    storage = ("storage", torch_names.FloatStorage, "0", "cpu", 6)
    assert found["a.weight"] == (storage, 0, (2, 3), (3, 1), False, OrderedDict())
    assert found["b"] == (("storage", torch_names.LongStorage, "2", "cpu", 1), 0, (), (), False, {})
    archive.close()


def test_pytorch_reads_what_is_written_and_is_read(tmp_path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed, which would read and write a file as a referee")
    import torch

    pth.write(tmp_path / "ours.pth", ARRAYS)
    theirs = torch.load(tmp_path / "ours.pth", weights_only=True)
    assert list(theirs) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(theirs[name].double().numpy(), array.astype(np.float64))
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    state = module.state_dict() | {"t": torch.arange(6.0).reshape(2, 3).T.half()}
    torch.save(state, tmp_path / "theirs.pth")
    found = pth.read(tmp_path / "theirs.pth", "weights.file")
    assert list(found) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), strict=True)
