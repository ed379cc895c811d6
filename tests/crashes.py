"""Crashes and damaged files where a test wants them."""


class Crash(BaseException):
    """The end of a process without a chance to save."""


def crashing(monkeypatch, owner, name, at, after=False):
    """Lets the call number `at` (from 0) of a method crash, before or after it did its work."""
    calls, method = [], getattr(owner, name)

    def wrapped(*args, **kwargs):
        calls.append(name)
        if after:
            method(*args, **kwargs)
        if len(calls) == at + 1:
            raise Crash
        if not after:
            return method(*args, **kwargs)

    monkeypatch.setattr(owner, name, wrapped)


def harm(path, how):
    """Damages a file: `how` is delete, truncate or flip, of a bit in every seventh byte."""
    content = bytearray(path.read_bytes())
    if how == "delete":
        path.unlink()
    elif how == "truncate":
        path.write_bytes(content[: len(content) // 2])
    else:
        for i in range(0, len(content), 7):
            content[i] ^= 1
        path.write_bytes(content)
