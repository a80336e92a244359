"""TOML files with presets, `extends` and errors that name file, key and allowed values."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from allocator.errors import ConfigError

Model = TypeVar("Model", bound="Strict")
Tree = dict[str, Any]


class Strict(BaseModel):
    """Base of every configuration model: frozen, no unknown keys, no values in error texts."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


def presets(kind: str) -> list[str]:
    """Names of the presets inside the package for a kind of file (``frameworks``, ``assumptions``)."""
    folder = resources.files("allocator") / "resources" / kind
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_tree(source: str | os.PathLike[str], kind: str) -> tuple[Tree, str]:
    """Read a preset by name or a file by path, with what it extends merged under it.

    Parameters
    ----------
    source
        Name of a preset, or path of a TOML file.
    kind
        ``frameworks`` or ``assumptions``.

    Returns
    -------
    (tree, origin)
        The merged tables and the name to blame in messages.

    Raises
    ------
    ConfigError
        No such preset or file, broken TOML, a circle of ``extends``.
    """
    return _load(os.fspath(source), kind, ())


def _load(source: str, kind: str, seen: tuple[str, ...]) -> tuple[Tree, str]:
    known = presets(kind)
    here = source if source in known else os.path.normpath(os.path.abspath(source))  # a file by any of its names
    if here in seen:
        raise ConfigError(f"{source}: key 'extends' leads in a circle: {' -> '.join(map(_last, [*seen, here]))}")
    if source in known:
        origin = f"{source}.toml"
        text = (resources.files("allocator") / "resources" / kind / origin).read_text("utf-8")
    else:
        path = Path(source)
        origin = str(path)
        if not is_file(path):
            raise ConfigError(
                f"'{source}' is neither a preset nor a file; presets: {', '.join(known)}; "
                "or give the path of a TOML file"
            )
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{origin}: not UTF-8 (byte {error.start}); save the file as UTF-8") from None
        except OSError as error:
            raise ConfigError(f"{origin}: {error.strerror or 'cannot be read'}") from None
    tree = parsed(text, origin)
    base = tree.pop("extends", None)
    if base is None:
        return tree, origin
    if not isinstance(base, str):
        raise ConfigError(f"{origin}: key 'extends': a preset or a path is expected; presets: {', '.join(known)}")
    if base not in known and not Path(base).is_absolute() and source not in known:
        base = str(Path(source).parent / base)
    under, _ = _load(base, kind, (*seen, here))
    return merge(under, tree), origin


def _last(source: str) -> str:
    return Path(source).name


def is_file(path: Path) -> bool:
    """Whether a file is there; no name that is too long or otherwise none is."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def parsed(text: str, origin: str) -> Tree:
    """Parse TOML.

    Parameters
    ----------
    text, origin
        What a file holds, and what to call it in messages.

    Raises
    ------
    ConfigError
        It is none, or nested deeper than any of our files.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{origin}: nested too deeply; none of our files needs that") from None


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> Tree:
    """Lay one tree over another: tables are merged key by key, everything else is replaced."""
    out = dict(under)
    for key, value in over.items():
        below = out.get(key)
        out[key] = merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return out


def build(model: type[Model], tree: Mapping[str, Any], origin: str) -> Model:
    """Validate a tree against a model.

    Raises
    ------
    ConfigError
        One line per wrong key or value: file, key, what is wrong, what is allowed.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        lines = [f"{origin}: {line}" for e in error.errors() for line in _lines(model, e)]
        raise ConfigError("\n".join(lines)) from None


def _lines(model: type[BaseModel], error: Any) -> list[str]:
    """Sentences for one error of the model: one, or one per line where the whole file was cross-checked."""
    place = [str(p) for p in error["loc"]]
    key = ".".join(place) or "(whole file)"
    if error["type"] == "extra_forbidden":
        allowed = _fields_at(model, place[:-1])
        near = difflib.get_close_matches(place[-1], allowed, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        return [f"unknown key '{key}': {hint}allowed: {', '.join(allowed)}"]
    if error["type"] == "missing":
        return [f"key '{key}' is missing"]
    message = error["msg"].removeprefix("Value error, ")
    if not place:
        return [f"key {line[0].lower()}{line[1:]}" for line in message.splitlines()]
    return [f"key '{key}': {message[0].lower()}{message[1:]}"]


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    current: Any = model
    for step in path:
        fields = getattr(current, "model_fields", None)
        if fields is not None and step in fields:
            current = fields[step].annotation
        args = [a for a in getattr(current, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        if not hasattr(current, "model_fields") and args:
            current = args[-1]
    return sorted(getattr(current, "model_fields", {}))
