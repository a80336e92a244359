"""Execute the notebooks from their sources: ``python notebooks/execute.py``, or only some: ``… execute.py book``.

What changes from run to run stays out: timings, versions, random cell ids.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

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
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False, resources=resources)
    client.execute(env=os.environ | {"LC_ALL": "C.UTF-8"})  # pages are in English, whoever runs this
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    return notebook


def main(names: list[str]) -> None:
    """Execute the notebooks of these names, or all; one whose data are not here stays as it is."""
    for source in sorted(HERE.glob("*.py")):
        if source == Path(__file__).resolve() or (names and source.stem not in names):
            continue
        try:
            nbformat.write(execute(source, HERE), source.with_suffix(".ipynb"))
        except CellExecutionError as error:
            if error.ename != "FileNotFoundError":
                raise
            print(f"{source.stem}: left as it is. {error.evalue}")
        else:
            print(source.with_suffix(".ipynb").name)


if __name__ == "__main__":
    main(sys.argv[1:])
