from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
from pathlib import Path
from typing import Any

import jupytext
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
SOURCES = [p for p in sorted(FOLDER.glob("*.py")) if p.name != "execute.py"]
KERNEL = "quickstart"
"""The notebook that runs in a kernel of its own; a kernel takes seconds to start, so the others run here."""
PICTURES = {"book": 2, "entrepreneurs": 1, "own_limit": 0, "quickstart": 3, "suitability": 1}
"""Every notebook, and how many pictures it draws."""
SURVEY = "scf/scf2022_even_imp1.csv.gz"
MACHINE = re.compile(r"/(?:home|root|tmp|usr|opt|var|mnt|Users)/|[A-Z]:\\\\Users")


def loaded(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code(notebook: Any) -> list[str]:
    return [c.source for c in notebook.cells if c.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert {p.stem for p in SOURCES} == set(PICTURES)


def test_one_notebook_runs_in_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    # nothing of the user's own set-up of Jupyter
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    copy = Path(shutil.copy(FOLDER / f"{KERNEL}.py", tmp_path))
    notebook = loaded(FOLDER / "execute.py").execute(copy, tmp_path)
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    assert all(c.execution_count for c in cells)
    kinds = {o.output_type for c in cells for o in c.outputs}
    assert kinds <= {"execute_result", "display_data"}, "a cell writes to stdout or stderr"
    pictures = [o for c in cells for o in c.outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == PICTURES[KERNEL]
    pages = [o for c in cells for o in c.outputs if "al-page" in o.get("data", {}).get("text/html", "")]
    assert len(pages) >= 6


@pytest.mark.parametrize("source", [p for p in SOURCES if p.stem != KERNEL], ids=lambda p: p.stem)
def test_the_source_runs(
    source: Path, shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every cell, one after the other, in this process; what a cell ends with is shown as a notebook would."""
    if source.stem == "entrepreneurs":
        monkeypatch.setenv("ALLOCATOR_SCF", str(shared(SURVEY).resolve()))
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    with pd.option_context("display.float_format", None):
        for number, cell in enumerate(code(jupytext.read(source))):
            tree = ast.parse(cell)
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, f"{source.stem}[{number}]", "exec"), space)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), f"{source.stem}[{number}]", "eval"), space)
                assert repr(value)
                assert not hasattr(value, "_repr_html_") or value._repr_html_()
    assert len(plt.get_fignums()) == PICTURES[source.stem]
    plt.close("all")
    assert capsys.readouterr() == ("", ""), "a cell writes to stdout or stderr"


def test_without_the_survey_the_notebook_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOCATOR_SCF", str(tmp_path / "absent.csv"))
    with pytest.raises(FileNotFoundError, match=r"SCFP2022.csv.*ALLOCATOR_SCF"):
        exec(code(jupytext.read(FOLDER / "entrepreneurs.py"))[0], {})


def test_five_implicates_are_put_together(shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared half five times, each with a little noise: the same answers, errors with the spread in them."""
    raw = pd.read_csv(shared(SURVEY))
    rng = np.random.default_rng(9)
    parts = [
        raw.assign(
            Y1=10 * raw["YY1"] + m, WGT=raw["WGT"], BUS=raw["BUS"] * f, ACTBUS=raw["ACTBUS"] * f,
            NONACTBUS=raw["NONACTBUS"] * f,
        )
        for m in range(1, 6)
        for f in [1.0 if m == 1 else rng.lognormal(0.0, 0.3, len(raw))]
    ]  # fmt: skip
    file = tmp_path / "five.csv"
    pd.concat(parts).sort_values("Y1").to_csv(file, index=False)
    monkeypatch.setenv("ALLOCATOR_SCF", str(file))
    space: dict[str, Any] = {}
    with pd.option_context("display.float_format", None):
        for cell in code(jupytext.read(FOLDER / "entrepreneurs.py"))[:3]:
            exec(cell, space)
        found = space["answers"]["entrepreneurs"]
    assert set(found["implicates"]) == {5}
    assert found["families"].between(440, 500).all()
    assert found["value"].iloc[0] == pytest.approx(0.46, abs=0.04)
    assert space["survey"]["weight"].sum() == pytest.approx(raw["WGT"].sum() * 5)


def test_the_committed_survey_shows_no_single_family() -> None:
    committed = nbformat.read(FOLDER / "entrepreneurs.ipynb", as_version=4)
    said = " ".join(str(v) for c in committed.cells for o in c.get("outputs", []) for v in o.get("data", {}).values())
    assert "client_id" not in said
    assert "al-page" not in said


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_the_committed_notebook_is_of_this_source(source: Path) -> None:
    committed = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(committed)
    assert code(committed) == code(jupytext.read(source)), "run: python notebooks/execute.py"


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_the_committed_notebook_is_executed_and_clean(source: Path) -> None:
    committed = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    cells = [c for c in committed.cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    assert not any(c.metadata for c in cells), "timings or other traces of a run"
    assert committed.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    texts = [str(v) for c in cells for o in c.outputs for k, v in o.get("data", {}).items() if k != "image/png"]
    assert not any(MACHINE.search(t) for t in texts)
    assert not any(o.output_type in ("stream", "error") for c in cells for o in c.outputs)
