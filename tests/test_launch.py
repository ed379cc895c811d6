"""The tiny experiment from a file: several seeds at once, several processes, what is printed."""

import json
import runpy

import jax
import numpy as np
import processes
import pytest
from commands import launched
from PIL import Image
from systems.icm import tiny

from icm_jax import experiment

CONFIG = """
from systems.icm import tiny

def get_config():
    config = tiny.icm()
    config.classifier.steps = config.initialization.steps = 0
    config.competition.steps = config.evaluation.every = config.log.every = 3
    config.data.source, config.data.dir = "folder", {images!r}
    return config
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The file of an experiment, on images in a folder."""
    folder = tmp_path_factory.mktemp("experiment")
    for name, split in tiny.splits()._asdict().items():
        for index, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            path = folder / "images" / name / str(label) / f"{index:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., 0]).save(path)
    (folder / "experiment.py").write_text(CONFIG.format(images=str(folder / "images")))
    return folder / "experiment.py"


def run(file, workdir, **fields):
    config = runpy.run_path(str(file))["get_config"]()
    config.update_from_flattened_dict(fields)
    experiment.run(config, workdir)


# All that is trained takes steps.
STEPS = {"classifier.steps": 2, "initialization.steps": 2}


@pytest.fixture(scope="module")
def together(file, tmp_path_factory):
    """The folder of seeds 0 and 1, trained at once."""
    workdir = tmp_path_factory.mktemp("together")
    run(file, workdir, replicas=2, **STEPS)
    return workdir


@pytest.fixture(scope="module")
def alone(file, tmp_path_factory):
    """The folder of seed 0, trained in one process."""
    workdir = tmp_path_factory.mktemp("alone")
    run(file, workdir)
    return workdir


def records_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_close(records, others):
    """Records are the same but for rounding."""
    for record, other in zip(records, others, strict=True):
        assert record.keys() == other.keys() and record["phase"] == other["phase"]
        numbers, expected = (jax.tree.leaves(r | {"phase": 0}) for r in (record, other))
        np.testing.assert_allclose(numbers, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_seed_trained_beside_another_equals_the_seed_alone(file, together, tmp_path):
    run(file, tmp_path, seed=1, **STEPS)
    own = together / "seed_1"
    assert_close(records_of(own), records_of(tmp_path))
    judges = together / "classifier" / "seed_1", tmp_path / "classifier"
    assert_close(*map(records_of, judges))
    summaries = [json.loads((f / "summary.json").read_text()) for f in (own, tmp_path)]
    assert summaries[0]["config"] == summaries[1]["config"]
    assert summaries[0].keys() == summaries[1].keys()
    assert (own / "report.html").exists()


def test_table_compares_what_the_summaries_say(together):
    summary = json.loads((together / "summary.json").read_text())
    assert summary["config"]["replicas"] == 2 and summary["seeds"] == [0, 1]
    table, each = summary["table"], summary["summaries"]
    for kind in ("original", "transformed", "restored"):
        accuracy = np.mean([one["accuracy"][kind] for one in each])
        np.testing.assert_allclose(table["mean"][f"accuracy {kind}"], accuracy)
    found = [one["specialization"]["identified"] for one in each]
    assert table["mean"]["identified"] == np.mean(found)
    assert table["true"]["all identified"] == found.count(2)
    psnr = [np.mean(list(one["psnr"].values())) for one in each]
    np.testing.assert_allclose(table["mean"]["PSNR"], np.mean(psnr))
    assert [row["competition steps"] for row in table["seeds"].values()] == [3, 3]
    judge = json.loads((together / "classifier" / "summary.json").read_text())
    assert "accuracy" in judge["table"]["mean"]


def test_a_page_of_all_seeds_leads_to_theirs(together):
    page = (together / "report.html").read_text()
    mean = json.loads((together / "summary.json").read_text())["table"]["mean"]
    assert f"accuracy restored {mean['accuracy restored']:.1%}"[:-1] in page
    for seed in (0, 1):
        assert f'<a href="seed_{seed}/report.html">{seed}</a>' in page
        assert f"seed_{seed}/figures/experts.png" in page
        assert "trained at once" in (together / f"seed_{seed}" / "report.html").read_text()


def launch(file, workdir, *flags):
    flags = (f"--config={file}", f"--workdir={workdir}", *flags)
    return processes.start("launch.py", *flags, path=[processes.ROOT / "tests"])


def test_the_table_is_printed(file, together, capsys):
    flags = [f"--config.{name}={value}" for name, value in STEPS.items()]
    status, out, _ = launched(
        capsys, f"--config={file}", f"--workdir={together}", "--config.replicas=2", *flags
    )
    assert status == 0
    assert out == f"{(together / 'table.md').read_text()}{together}/table.md\n"


def test_a_finished_run_is_evaluated_by_its_workdir_alone(alone, capsys):
    summary = json.loads((alone / "summary.json").read_text())
    records = (alone / "metrics.jsonl").read_bytes()
    (alone / "report.html").unlink()
    # A run that has a summary is not trained on: only an evaluation writes it anew.
    (alone / "summary.json").write_text(json.dumps(summary | {"accuracy": None}))
    status, out, _ = launched(capsys, "--mode=evaluate", f"--workdir={alone}")
    assert status == 0
    assert out == f"{experiment.describe(summary)}\n{alone}/report.html\n"
    assert json.loads((alone / "summary.json").read_text()) == summary
    assert (alone / "report.html").exists()
    assert (alone / "metrics.jsonl").read_bytes() == records


@pytest.mark.slow
def test_two_processes_do_what_one_does_and_one_of_them_prints(file, alone, tmp_path):
    flags = (f"--coordinator={processes.free_address()}", "--processes=2")
    both = [launch(file, tmp_path / "two", *flags, f"--process={index}") for index in (0, 1)]
    statuses, ((out, err), (other, _)) = processes.finish(both)
    assert statuses == [0, 0], err
    assert out.endswith(f"restored\n{tmp_path}/two/report.html\n") and "restored" not in other
    assert_close(records_of(tmp_path / "two"), records_of(alone))
    command = json.loads((tmp_path / "two" / "provenance.json").read_text())["command"]
    assert command[:3] == ["python", "launch.py", f"--config={file}"]
    assert command[-1] == "--process=0"


def test_flags_that_do_not_fit_are_one_line(file, tmp_path):
    (status,), ((_, err),) = processes.finish([launch(file, tmp_path, "--processes=2")])
    assert status == 1
    assert err == (
        "error: coordinator, process: missing; give coordinator, processes, process, "
        "or none of them\n"
    )
