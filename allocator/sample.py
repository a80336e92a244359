"""Where the bundled sample book lies."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from allocator.errors import InputError


def sample_path() -> Path:
    """Folder of the sample book: inside an installed package, else the checkout's ``data/sample``.

    Returns
    -------
    pathlib.Path
        For `read_book`.

    Raises
    ------
    InputError
        It is in neither.
    """
    package = Path(str(resources.files("allocator")))
    for folder in (package / "resources" / "sample", package.parent / "data" / "sample"):
        if (folder / "holdings.csv").is_file():
            return folder
    raise InputError("the sample book is neither in the package nor in a checkout; install allocator again")
