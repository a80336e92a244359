"""Execute the notebooks from their sources: ``python notebooks/execute.py``.

What changes from run to run stays out: timings, versions, random cell ids.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def execute(source: Path, folder: Path) -> Any:
    """Run a jupytext source as a notebook.

    Parameters
    ----------
    source
        A ``.py`` file in percent format.
    folder
        Working directory of the kernel.

    Returns
    -------
    nbformat.NotebookNode
        With outputs.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell failed.
    """
    notebook = jupytext.read(source, as_version=4)
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False, resources=resources).execute()
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    return notebook


if __name__ == "__main__":
    for source in sorted(HERE.glob("*.py")):
        if source != Path(__file__).resolve():
            nbformat.write(execute(source, HERE), source.with_suffix(".ipynb"))
            print(source.with_suffix(".ipynb").name)
