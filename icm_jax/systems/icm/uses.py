"""What a finished competition is used for from the command line."""

from collections import Counter
from pathlib import Path

from icm_jax.systems.icm import restore
from icm_jax.systems.icm.restore_files import restore_files
from icm_jax.systems.kind import Use


def _restore(workdir: Path, source: Path, output: Path) -> str:
    restored = restore_files(restore.load(workdir), source, output)
    said = [f"{len(restored.score)} images restored"]
    for name, count in Counter(restored.mechanism.tolist()).most_common():
        sure = restored.confidence[restored.mechanism == name].mean()
        said.append(f"{name}: {count}, confidence {sure:.2f}")
    return "\n".join([*said, f"{output}/restored.csv"])


def _export(workdir: Path, source: None, output: Path) -> str:
    del source
    restore.export(restore.load(workdir), output)
    return str(output)


USES = {"restore": Use(_restore, takes_input=True), "export": Use(_export)}
