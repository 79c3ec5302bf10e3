"""The shape of the code: imports point one way, each library has one home, every test says what it shows."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    [*ROOT.glob("broker/**/*.py"), *ROOT.glob("connectors/**/*.py")],
)
TESTS = sorted(ROOT.glob("tests/**/test_*.py"))

VERSION = "broker"
"""`from broker import __version__`: the one thing everybody may ask the package itself."""

MAY_IMPORT = {
    "broker/domain": ("broker.domain",),
    "broker/codec": ("broker.domain", "broker.codec", "broker.resources"),
    "broker/runtime": ("broker.resources", "broker.domain", "broker.codec", "broker.runtime"),
    "broker/processes": ("broker", "connectors"),
    "connectors": ("broker.domain", "broker.codec", "broker.runtime.http_client", "connectors"),
}
NEVER = {
    "broker/runtime": ("broker.processes", "broker.commands", "broker.simulation", "connectors"),
    "broker/processes": ("broker.commands", "broker.simulation"),
    "broker/simulation": ("broker.commands",),
    "connectors": ("broker.processes", "broker.commands", "broker.simulation"),
}
ONE_HOME = {
    "aiokafka": ("broker/runtime/kafka*.py", "broker/processes/checkup.py"),
    "fastavro": ("broker/codec/avro.py",),
    "prometheus_client": ("broker/runtime/metrics.py",),
    "sqlite3": ("broker/runtime/sqlite.py",),
    "httpx": ("broker/runtime/http_client.py",),
    "uvicorn": ("broker/runtime/http_server.py", "broker/runtime/*.py"),
    "nhs_number": ("broker/codec/checks.py",),
    "confluent_kafka": (),
    "avro": ("broker/commands/schemas.py", "broker/codec/compatibility*.py"),
}


def imports(file: Path) -> Iterator[str]:
    """Every module a file imports, whole names."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def below(folder: str) -> Iterator[tuple[str, str]]:
    """Path and imported module of every import below a folder."""
    for file in MODULES:
        if file.is_relative_to(ROOT / folder):
            yield from ((str(file.relative_to(ROOT)), module) for module in imports(file))


def within(module: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of the packages or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_towards_the_domain(folder):
    """No module reaches outwards: domain, codec, runtime, processes, commands."""
    ours = (pair for pair in below(folder) if within(pair[1], ("broker", "connectors")))
    wrong = [
        pair for pair in ours if pair[1] != VERSION and not within(pair[1], MAY_IMPORT[folder])
    ]

    assert wrong == []


@pytest.mark.parametrize("folder", NEVER)
def test_no_layer_knows_the_one_above(folder):
    """A layer never imports what is built on it."""
    wrong = [pair for pair in below(folder) if within(pair[1], NEVER[folder])]

    assert wrong == []


def test_the_domain_is_standard_library_only():
    """The middle of the system needs nothing that has to be installed."""
    import sys

    allowed = sys.stdlib_module_names | {"broker"}
    wrong = [pair for pair in below("broker/domain") if pair[1].split(".")[0] not in allowed]

    assert wrong == []


@pytest.mark.parametrize("library", ONE_HOME)
def test_each_library_has_one_home(library):
    """A foreign library is touched, and its errors translated, in one place."""
    wrong = [
        (path, module)
        for folder in ("broker", "connectors")
        for path, module in below(folder)
        if within(module, (library,)) and not any(fnmatch(path, home) for home in ONE_HOME[library])
    ]

    assert wrong == []


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_test_says_what_it_shows(file):
    """Each test function has a docstring."""
    silent = [
        node.name
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert silent == []


def test_nothing_sleeps_in_tests():
    """A test waits for something to happen, never for time to pass."""
    sleepers = [
        str(file.relative_to(ROOT))
        for file in ROOT.glob("tests/**/*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]

    assert sleepers == []
