from __future__ import annotations

import importlib.util
import os
import re
import shutil
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
SOURCES = [p for p in sorted(FOLDER.glob("*.py")) if p.name != "execute.py"]
PICTURES = {"quickstart": 2, "own_limit": 0}
"""Every notebook, and how many pictures it draws."""
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


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_the_source_runs(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    # nothing of the user's own set-up of Jupyter
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    copy = Path(shutil.copy(source, tmp_path))
    notebook = loaded(FOLDER / "execute.py").execute(copy, tmp_path)
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    assert all(c.execution_count for c in cells)
    kinds = {o.output_type for c in cells for o in c.outputs}
    assert kinds <= {"execute_result", "display_data"}, "a cell writes to stdout or stderr"
    pictures = [o for c in cells for o in c.outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == PICTURES[source.stem]


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
