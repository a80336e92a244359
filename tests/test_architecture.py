"""The shape of the package: one direction of imports, light entry points, files and functions of a readable size."""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from fnmatch import fnmatchcase
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from conftest import ROOT, SAMPLE

PACKAGE = ROOT / "allocator"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    ("allocator.legible",),
    ("allocator", "allocator.typing", "allocator.errors", "allocator.issues", "allocator.shown"),
    ("allocator.conversions",),
    ("allocator.storage",),
    ("allocator.tables_out",),
    ("allocator.differences",),
    ("allocator.pseudonyms", "allocator.schema", "allocator.sample"),
    ("allocator.config",),
    ("allocator.framework",),
    ("allocator.psd", "allocator.surveys"),
    ("allocator.assumptions",),
    ("allocator.price_history", "allocator.provenances", "allocator.replacement", "allocator.shrinkage"),
    ("allocator.estimation",),
    ("allocator.scenarios",),
    ("allocator.past_years",),
    ("allocator.notation",),
    ("allocator.arrow",),
    ("allocator.cells", "allocator.ways"),
    ("allocator.columns",),
    ("allocator.raw_tables", "allocator.rules"),
    ("allocator.doubts", "allocator.totals"),
    ("allocator.stated",),
    ("allocator.remarks",),
    ("allocator.validate",),
    ("allocator.importers*",),
    ("allocator.book",),
    ("allocator.bands", "allocator.classify", "allocator.currency", "allocator.whatif"),
    ("allocator.names",),
    ("allocator.debts", "allocator.shelf"),
    ("allocator.positions",),
    ("allocator.build",),
    ("allocator.exposures",),
    ("allocator.concentration", "allocator.real_estate", "allocator.risk"),
    ("allocator.contributions", "allocator.tails"),
    ("allocator.limits",),
    ("allocator.measure_limits",),
    ("allocator.analysis",),
    ("allocator.firewall",),
    ("allocator.shocks",),
    ("allocator.stresses",),
    ("allocator.goals",),
    ("allocator.risk_measures",),
    ("allocator.plan",),
    ("allocator.verify*",),
    ("allocator.certify",),
    ("allocator.certificates*",),
    ("allocator.rebalance*",),
    ("allocator.pipeline",),
    ("allocator.frontiers", "allocator.households", "allocator.staging"),
    ("allocator.whole_book*",),
    ("allocator.batch", "allocator.batch.*"),
    ("allocator.ledger", "allocator.ledger.*"),
    ("allocator.i18n",),
    ("allocator.reporting*",),
    ("allocator.documents*",),
    ("allocator.drawing",),
    (
        "allocator.book_plots",
        "allocator.firewall_plots",
        "allocator.frontier_plots",
        "allocator.limit_plots",
        "allocator.obstacle_plots",
        "allocator.plots",
        "allocator.risk_plots",
        "allocator.stage_plots",
        "allocator.stress_plots",
        "allocator.trade_plots",
    ),
    ("allocator.gallery", "allocator.whatif_panel"),
    ("allocator.cli_words",),
    ("allocator.command_tools",),
    (
        "allocator.batch_commands",
        "allocator.book_commands",
        "allocator.intake_commands",
        "allocator.commands",
        "allocator.ledger_commands",
        "allocator.report_commands",
        "allocator.studies",
    ),
    ("allocator.cli",),
    ("allocator.__main__",),
)
"""Every module, lowest layer first; ``*`` stands for a family of modules, whose members may know each other.
A module imports from its own family and from lower layers only; modules side by side know nothing of each other."""

ALONE = {
    "allocator.verify*": (
        "allocator.rebalance",
        "allocator.certify",
        "allocator.pipeline",
        "numpy",
        "pandas",
        "scipy",
        "cvxpy",
    ),
    "allocator.certificates*": ("allocator.rebalance", "allocator.pipeline", "scipy", "cvxpy"),
}
"""What must not be imported, not even inside a function: the verifier shares no arithmetic with what it verifies."""

HEAVY = {
    "cvxpy",
    "dask",
    "distributed",
    "matplotlib",
    "scipy",
    "clarabel",
    "pyarrow",
    "python_calamine",
    "ipywidgets",
    "sqlalchemy",
    "jinja2",
    "typst",
    "xlsxwriter",
    "fontTools",
}
"""Imported inside the function that uses them, never at module level."""

MOST_LINES, MOST_PARAMETERS = 400, 6


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


MODULES = {module_name(p): p for p in FILES}


def imports(path: Path, *, lazy: bool) -> set[str]:
    """Modules that a file imports; ``lazy`` includes those inside functions. What only type checkers see is not."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
                continue
            if isinstance(child, ast.Import):
                found.update(a.name for a in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path.name}: relative import"
                base = child.module or ""
                # `from allocator.rebalance import terms` imports a module, `from allocator.book import Book` does not
                found.update(f"{base}.{a.name}" if f"{base}.{a.name}" in MODULES else base for a in child.names)
            visit(child)

    visit(tree(path))
    return found


def place(module: str) -> tuple[int, str]:
    """Layer of a module, and the entry of the list that it falls under."""
    hits = [(i, entry) for i, layer in enumerate(LAYERS) for entry in layer if fnmatchcase(module, entry)]
    assert len(hits) == 1, f"{module} must stand in LAYERS exactly once; found {hits}"
    return hits[0]


# ---- one direction


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    """Inside functions as well: an import put off is still an import."""
    layer, entry = place(module)
    for other in sorted(imports(MODULES[module], lazy=True)):
        if not other.startswith("allocator") or other == module:
            continue
        below, family = place(other)
        assert below < layer or family == entry, f"{module} imports {other}, which is not below it"


def test_list_of_layers_has_no_entry_for_nothing() -> None:
    unused = {entry for layer in LAYERS for entry in layer if not any(fnmatchcase(m, entry) for m in MODULES)}
    assert not unused


def test_no_circle() -> None:
    """Families may know each other inside, but never in a circle."""
    graph = {m: {o for o in imports(p, lazy=False) if o in MODULES and o != m} for m, p in MODULES.items()}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path[path.index(module) :], module])
        if module not in done:
            for other in sorted(graph[module]):
                walk(other, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())


@pytest.mark.parametrize("family", ALONE)
def test_verifier_stands_alone(family: str) -> None:
    members = [m for m in MODULES if fnmatchcase(m, family)]
    assert members
    for module in members:
        for other in imports(MODULES[module], lazy=True):
            assert not any(other == x or other.startswith(f"{x}.") for x in ALONE[family]), f"{module} imports {other}"
    # nor through anything it imports
    reached, queue = set(members), list(members)
    while queue:
        more = {o for o in imports(MODULES[queue.pop()], lazy=True) if o in MODULES} - reached
        reached |= more
        queue += more
    assert not [m for m in reached if m.startswith("allocator.rebalance")]


@pytest.mark.parametrize("module", MODULES)
def test_heavy_packages_are_imported_where_they_are_used(module: str) -> None:
    roots = {m.partition(".")[0] for m in imports(MODULES[module], lazy=False)}
    assert not roots & HEAVY


def test_what_is_imported_is_declared() -> None:
    """Every package that the product imports is a dependency, or one of an extra that a user can install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [d for name, extra in project["optional-dependencies"].items() if name != "dev" for d in extra]
    said = {re.split(r"[^\w.-]", d)[0].lower().replace("_", "-") for d in project["dependencies"] + extras}
    homes = packages_distributions()
    for module, path in MODULES.items():
        roots = {m.partition(".")[0] for m in imports(path, lazy=True)}
        for root in roots - {"allocator"} - sys.stdlib_module_names:
            assert said & {d.lower().replace("_", "-") for d in homes[root]}, f"{module} imports {root}"


# ---- light entry points


def loaded(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after running some code."""
    report = (
        "import sys, json; sys.stderr.write('LOADED' + json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    script = f"import atexit\n@atexit.register\ndef _():\n    {report}\n{code}\n"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )
    assert "LOADED" in done.stderr, done.stderr
    found = done.stderr.partition("LOADED")[2]
    return set(re.findall(r'"([^"]+)"', found))


@pytest.mark.parametrize(
    ("code", "never"),
    [
        ("import allocator", {"pandas", "numpy", *HEAVY}),
        ("import allocator; dir(allocator); allocator.__version__", {"pandas", "numpy", *HEAVY}),
        ("import allocator.cli", {"pandas", "numpy", *HEAVY}),
        ("from allocator.cli import main; main(['--help'])", {"pandas", "numpy", *HEAVY}),
        ("from allocator.cli import main; main(['check', '--help'])", {"pandas", "numpy", *HEAVY}),
        ("from allocator.cli import main; main(['--version'])", {"pandas", "numpy", *HEAVY}),
        (
            "import allocator; allocator.analyze, allocator.read_book, allocator.rebalance",
            {"cvxpy", "matplotlib", "scipy"},
        ),
    ],
)
def test_light_entry_points(code: str, never: set[str]) -> None:
    found = loaded(code)
    assert "allocator" in found
    assert not found & never


def test_a_check_needs_neither_solver_nor_pictures() -> None:
    found = loaded(f"from allocator.cli import main; assert main(['check', {str(SAMPLE)!r}, '--json']) in (0, 3, 4)")
    assert {"allocator", "pandas", "numpy"} <= found
    assert not found & {"cvxpy", "matplotlib", "scipy", "clarabel"}


# ---- readable sizes


@pytest.mark.parametrize("module", MODULES)
def test_files_are_short(module: str) -> None:
    lines = MODULES[module].read_text("utf-8").count("\n")
    assert lines <= MOST_LINES, f"{module} has {lines} lines: a sign that it wants to be two"


@pytest.mark.parametrize("module", MODULES)
def test_functions_take_few_parameters(module: str) -> None:
    """Fields of data classes and models are no parameters; ``self`` and ``cls`` are none either."""
    for node in ast.walk(tree(MODULES[module])):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            a = node.args
            names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs) if x.arg not in ("self", "cls")]
            names += [x.arg for x in (a.vararg, a.kwarg) if x is not None]
            assert len(names) <= MOST_PARAMETERS, f"{module}.{getattr(node, 'name', 'lambda')}({', '.join(names)})"


# ---- nothing of this machine


def tracked() -> list[Path]:
    """Files of the package, with what is built beside it; those under version control where that can be asked."""
    parts = [
        p
        for p in ("allocator", "data", "pyproject.toml", "README.md", "README.zh.md", "CHANGELOG.md")
        if (ROOT / p).exists()
    ]
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *parts],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        names = [n for n in done.stdout.decode().split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(ROOT)) for part in parts for p in [ROOT / part, *(ROOT / part).rglob("*")]]
    skip = (".pyc", ".xlsx", ".parquet", ".gz", ".png", ".pdf")
    return sorted({ROOT / n for n in names if (ROOT / n).is_file() and not n.endswith(skip)})


def test_files_of_tests_have_names_of_their_own() -> None:
    """Tests import each other's helpers by plain names: two files of one name cannot be collected together."""
    names = [p.name for p in (ROOT / "tests").rglob("*.py")]
    assert sorted(names) == sorted(set(names))


def test_no_path_of_a_machine() -> None:
    """Not where this checkout, its interpreter, temporary files or a home lie, nor any other absolute path."""
    here = {str(ROOT), str(ROOT.parent), sys.prefix, sys.base_prefix, tempfile.gettempdir(), str(Path.home())} - {
        "/",
        "/usr",
    }
    absolute = re.compile(r"(?<![\w.:/<>*}\])-])/(?:home|root|Users|mnt|opt|srv|private|var|etc|usr)/\w")
    for path in tracked():
        text = path.read_text("utf-8")
        for place_ in here:
            assert not re.search(rf"(?<![\w.]){re.escape(place_)}(?![\w])", text), f"{path.name} names {place_}"
        assert not absolute.search(text), f"{path.name}: {absolute.search(text)}"


def test_no_address_is_called() -> None:
    """No network: the only addresses in code are names of XML schemas, and the build names no source of its own."""
    schemas = r"https?://(schemas\.openxmlformats\.org|www\.w3\.org)/"
    for path in tracked():
        if path.suffix == ".py":
            for found in re.findall(r"https?://[^\s\"')}\]]+", path.read_text("utf-8")):
                assert re.match(schemas, found), f"{path.name}: {found}"
    build = (ROOT / "pyproject.toml").read_text("utf-8")
    assert not re.search(
        r"(?i)\b(extra-)?index(-url)?\s*=|find-links|\[\[tool\.\w+\.(source|index)\]\]|@ *(https?|file|git)", build
    )
