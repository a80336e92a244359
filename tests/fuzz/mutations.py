"""Inputs changed at random: bytes, lines, cells, members of a zip file, trees of JSON."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

NUMBERS: Final = (
    "0", "-0", "-1", "1e400", "-1e400", "NaN", "nan", "inf", "-inf", "1e308", "1.7976931348623157e308", "5e-324",
    "1e-9",
    "9" * 19, "9" * 400, "0x1F", "1_000", "１２３", "1.2亿", "12.5万", "(1,234)", "1,2,3", "1.234,5", "25%", "−5",
    "¥100",
    "100元", "$5", "1e15", "1e16", "123456789012345678", "0.01", "0.005", "1.005", "+7", " 7 ", "7-", "--7", "1e",
    ".", "",
    "true", "True", "None", "null", "#N/A", "1/2", "٣", "Ⅷ", "½", "1 000", "1'000", "1e5万", "-0.0万",
)  # fmt: skip
"""Numbers as people and programs write them, and nearly."""
DATES: Final = (
    "2026-09-30", "46346", "20261120", "2026年11月20日", "01/02/2026", "13/13/2026", "0000-00-00", "9999-12-31",
    "10000-1-1",
    "2026-02-30", "1900-02-29", "-1", "2026-09-30T25:00:00", "2026-09-30 00:00:00+08:00", "今天", "1e9", "0", "60",
    "2958466",
)  # fmt: skip
TEXTS: Final = (
    "合计", "小计", "总计", "Total", "Subtotal", "合计：", "单位：万元", "备注", "<script>alert(1)</script>",
    "=1+1", "＝cmd|x",
    "../../x", "CON", "NA", "None", "a:b", "x" * 300, "\u202eabc", "\x1b[31m", "%s", "{0}", "[/x]", "$\\frac{$",
    "#read(\"x\")",
    "\u200b", "\ufeff", "é", "e\u0301", "ＡＢ", " a ", "\u3000", "K000", "k000", "\U0001f600", "㐂", "a|b", "*",
    "?", "'", "`",
    "人民币", "RMB", "CNH", "JPY", "KWD", "XXX", "CNY", "usd", "🏠", "C3", "稳健型", "never_sell", "禁止买入",
    "存款", "gold",
)  # fmt: skip
ODD: Final = (
    *(x.encode() for x in (*NUMBERS, *DATES, *TEXTS)),
    b"\x00", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b"\t", b";", b",", b'"', b'""',
    b'","', b"\x1a",
    b"\xa1\xa1", b"\x80", b"\xff", b"\x85", b"\xe2\x80\xa8", b"sep=;\n", b"&amp;", b"&#0;", b"&x;", b"<![CDATA[",
    b"]]>",
    b"<!--", b"-->", b"{", b"}", b"[", b"]", b":", b"\\u0000", b"\\ud800",
)  # fmt: skip
LARGEST: Final = 1 << 18
"""Longest input made here."""


def mutated(data: bytes, others: Sequence[bytes], words: Sequence[bytes], draw: Random) -> bytes:
    """Change bytes, mostly once."""
    for _ in range(draw.choice((1, 1, 1, 1, 1, 1, 2, 2, 3, 8))):
        data = draw.choice(_CHANGES)(data, others, words, draw)[:LARGEST]
    return data


def _write_over(data: bytes, _: Any, __: Any, draw: Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.randbytes(1) + data[at + 1 :]


def _put_in(data: bytes, _: Any, words: Sequence[bytes], draw: Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(draw.choice((ODD, words or ODD))) + data[at + draw.choice((0, 0, 1, 4)) :]


def _cut_out(data: bytes, _: Any, __: Any, draw: Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at + int(draw.expovariate(0.1)) :]


def _cut_off(data: bytes, _: Any, __: Any, draw: Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)] if draw.random() < 0.3 else data


def _repeat(data: bytes, _: Any, __: Any, draw: Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    piece = data[at : at + int(draw.expovariate(0.02))]
    return data[:at] + piece * draw.choice((2, 2, 2, 3, 50)) + data[at + len(piece) :]


def _splice(data: bytes, others: Sequence[bytes], _: Any, draw: Random) -> bytes:
    other = draw.choice(others or [data])
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1) :]


def _line(data: bytes, _: Any, __: Any, draw: Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
    what = draw.randrange(4)
    if what == 0:
        lines[i], lines[j] = lines[j], lines[i]
    elif what == 1:
        lines.insert(i, lines[j])
    elif what == 2:
        del lines[i]
    else:
        lines[i] = lines[i].strip() + lines[j]
    return b"".join(lines)


def _cell(data: bytes, _: Any, words: Sequence[bytes], draw: Random) -> bytes:
    """Write over what stands between two delimiters, quotes or tags."""
    marks = [i for i, byte in enumerate(data) if byte in b",;\t\n\"'<>:= "]
    if len(marks) < 2:
        return data
    k = draw.randrange(len(marks) - 1)
    word = draw.choice(draw.choice((ODD, words or ODD)))
    return data[: marks[k] + 1] + word + data[marks[k + 1] :]


def _recode(data: bytes, _: Any, __: Any, draw: Random) -> bytes:
    """The same text in another encoding or with other line ends."""
    text = data.decode("utf-8", "replace")
    if draw.random() < 0.5:
        return text.replace("\n", draw.choice(("\r\n", "\r", "\n\n"))).encode("utf-8", "replace")
    return text.encode(draw.choice(("gb18030", "gbk", "utf-16", "utf-16-be", "big5", "utf-32", "latin-1")), "replace")


_CHANGES: Final[tuple[Callable[[bytes, Sequence[bytes], Sequence[bytes], Random], bytes], ...]] = (
    _write_over, _put_in, _put_in, _cut_out, _cut_off, _repeat, _splice, _line, _line, _cell, _cell, _cell, _cell,
    _recode,
)  # fmt: skip


def unpacked(data: bytes) -> dict[str, bytes]:
    """Members of a zip file; empty where it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {i.filename: archive.read(i) for i in archive.infolist()[:40] if i.file_size < LARGEST}
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError):
        return {}


def packed(members: dict[str, bytes]) -> bytes:
    """A zip file, the same bytes for the same members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def change_zip(data: bytes, draw: Random) -> bytes:
    """Change what is inside a zip file, one or two members of it."""
    members = unpacked(data)
    if not members:
        return mutated(data, (), (), draw)
    names = sorted(members, key=lambda n: "sheet" not in n)
    for _ in range(draw.choice((1, 1, 2))):
        name = names[min(int(draw.expovariate(0.7)), len(names) - 1)]
        members[name] = mutated(members[name], tuple(members.values()), XLSX, draw)
    if draw.random() < 0.05:
        members.pop(draw.choice(names))
    return packed(members)


XLSX: Final = (
    b'<c r="A1"/>', b'<c r="D3" t="s"><v>999999</v></c>', b'<c r="D2" t="e"><v>#REF!</v></c>',
    b'<c r="D2"><f>1+1</f></c>',
    b't="inlineStr"', b't="b"', b't="d"', b't="str"', b"<v>1e400</v>", b"<v>NaN</v>", b'<mergeCell ref="A2:A9"/>',
    b'<mergeCell ref="A2:XFD1048576"/>', b'r="XFD1048576"', b'r="A0"', b'r=""', b's="99999"', b'hidden="1"',
    b"<row>", b"</row>",
    b'state="hidden"', b'state="veryHidden"', b"<v>-1</v>", b"<v>99999999999999999999</v>",
    b'<dimension ref="A1:XFD1048576"/>',
    b"&#x1F600;", b"&#0;", b'xml:space="preserve"', b'date1904="1"',
)  # fmt: skip


def shrink_zip(data: bytes) -> Iterator[bytes]:
    """Zip files with a member, or a piece of a member, left out."""
    members = unpacked(data)
    for name, content in members.items():
        yield packed({k: v for k, v in members.items() if k != name})
        size = len(content) // 2
        while size >= 8:
            for at in range(0, len(content), size):
                yield packed(members | {name: content[:at] + content[at + size :]})
            size //= 2


def dumped(tree: Any) -> bytes:
    """JSON as cases are kept: short, the same bytes for the same tree."""
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def loaded(data: bytes) -> Any:
    """A tree out of bytes; None where there is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def change_json(data: bytes, draw: Random) -> bytes:
    """Change a place or two of a tree."""
    tree = loaded(data)
    for _ in range(draw.choice((1, 1, 1, 2))):
        tree = _changed(tree, draw)
    return dumped(tree)


def _changed(tree: Any, draw: Random) -> Any:
    if isinstance(tree, dict) and tree and draw.random() < 0.9:
        key = draw.choice(list(tree))
        if draw.random() < 0.08:
            return {k: v for k, v in tree.items() if k != key}
        return tree | {key: _changed(tree[key], draw)}
    if isinstance(tree, list) and tree and draw.random() < 0.9:
        i = draw.randrange(len(tree))
        what = draw.random()
        if what < 0.06:
            return tree[:i] + tree[i + 1 :]
        if what < 0.12:
            return [*tree, tree[i]]
        return [*tree[:i], _changed(tree[i], draw), *tree[i + 1 :]]
    if isinstance(tree, bool) or tree is None:
        return draw.choice((True, False, None, 0, ""))
    if isinstance(tree, int | float):
        return draw.choice(
            (0, -tree, tree * 10, tree / 3, tree + 1, 1e308, -1, 1e-9, 1 << 70, str(tree), None, float("nan"))
        )
    return draw.choice((*NUMBERS, *DATES, *TEXTS, 0, None, [], {}, True, [tree], {"x": tree}, draw.random() * 1e9))


def shrink_json(data: bytes) -> Iterator[bytes]:
    """Trees with a branch left out."""
    tree = loaded(data)
    yield from (dumped(t) for t in _less(tree))


def _less(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        for key in tree:
            yield {k: v for k, v in tree.items() if k != key}
        for key, value in tree.items():
            yield from (tree | {key: v} for v in _less(value))
    elif isinstance(tree, list):
        half = len(tree) // 2
        if half > 1:
            yield tree[:half]
            yield tree[half:]
        for i in range(len(tree)):
            yield tree[:i] + tree[i + 1 :]
        for i, value in enumerate(tree):
            yield from ([*tree[:i], v, *tree[i + 1 :]] for v in _less(value))
