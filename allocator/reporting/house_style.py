"""The house that a report comes from: name, logo, colour and legal words, as a small TOML file."""

from __future__ import annotations

import base64
import colorsys
import os
import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from allocator.config import Strict, build, load_tree, presets
from allocator.errors import ConfigError

LARGEST: Final = 256 * 1024
"""Bytes of a logo: it is in every file."""
KINDS: Final = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".svg": "svg"}
MIMES: Final = {"png": "image/png", "jpg": "image/jpeg", "svg": "image/svg+xml"}
MAGIC: Final = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff"}
LEAST_CONTRAST: Final = 4.5
"""Of text against its ground: WCAG 2.2, success criterion 1.4.3, level AA."""
DARK_CONTRAST: Final = 7.0
"""Of the house's colour on the dark page (level AAA): thin strokes need more there."""
DARK: Final = "#14181d"
"""Ground of the dark page."""


class Both(Strict):
    """Words in both languages."""

    en: str = ""
    zh: str = ""

    def of(self, lang: str) -> str:
        """The words of one language."""
        return self.zh if lang == "zh" else self.en


class Logo(BaseModel):
    """A picture that was read and found to be one."""

    model_config = ConfigDict(frozen=True)
    kind: str
    data: bytes

    @property
    def uri(self) -> str:
        """The picture inside an address, so that a page loads nothing."""
        return f"data:{MIMES[self.kind]};base64,{base64.b64encode(self.data).decode()}"


class Style(Strict):
    """How a house looks. Build it with `load_style`."""

    schema_: Literal["allocator-style/1"] = Field(alias="schema")
    name: Both = Both()
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#1f3a5f"
    logo: str = ""
    legal: Both = Both()
    picture: Logo | None = Field(default=None, exclude=True)

    @field_validator("accent")
    @classmethod
    def _readable(cls, accent: str) -> str:
        found = contrast(accent, "#ffffff")
        if found < LEAST_CONTRAST:
            raise ValueError(f"contrast with white paper is {found:.1f} to 1, at least {LEAST_CONTRAST} is needed")
        return accent.lower()

    @property
    def accent_dark(self) -> str:
        """The same hue, made light enough to be read on the dark page."""
        hue, light, strength = colorsys.rgb_to_hls(*(int(self.accent[i : i + 2], 16) / 255 for i in (1, 3, 5)))
        for step in range(21):
            parts = colorsys.hls_to_rgb(hue, light + (1 - light) * step / 20, strength)
            mixed = "#" + "".join(f"{round(p * 255):02x}" for p in parts)
            if contrast(mixed, DARK) >= DARK_CONTRAST:
                return mixed
        return "#ffffff"


def load_style(source: str | os.PathLike[str] | Style = "plain") -> Style:
    """Load a house style: a preset, a TOML file (which may extend one), or a style as it is.

    Parameters
    ----------
    source
        What to load. The path of a logo is relative to the file that names it.

    Returns
    -------
    Style
        Checked, with the picture of its logo.

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake; or the logo is absent, too large or no picture.
    """
    if isinstance(source, Style):
        return source
    tree, origin = load_tree(source, "style")
    style = build(Style, tree, origin)
    if not style.logo:
        return style
    folder = Path(".") if os.fspath(source) in presets("style") else Path(source).parent
    return style.model_copy(update={"picture": _logo(folder / style.logo, origin)})


def contrast(one: str, two: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance of sRGB)."""
    light, dark = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _logo(path: Path, origin: str) -> Logo:
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"{origin}: key 'logo': a file ending in {', '.join(KINDS)} is expected")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{origin}: key 'logo': {error.strerror or 'cannot be read'}: {path.name}") from None
    if len(data) > LARGEST:
        raise ConfigError(f"{origin}: key 'logo': {len(data):,} bytes, at most {LARGEST:,}: it is in every report")
    real = data.startswith(MAGIC[kind]) if kind in MAGIC else bool(re.search(rb"<svg[\s>]", data))
    if not real:
        raise ConfigError(f"{origin}: key 'logo': {path.name} is no {kind.upper()} picture")
    return Logo(kind=kind, data=data)
