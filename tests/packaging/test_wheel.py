"""The wheel: built without a network, and complete where there is no checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = (
    *("broker", "connectors", "schemas", "deploy"),
    *("pyproject.toml", "README.md", "LICENSE"),
)
LEAVE = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program that must do well, with nothing of this checkout in its environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a copy, so that nothing but what is listed can get into it."""
    copy = tmp_path_factory.mktemp("copy")
    for name in OURS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=LEAVE)
        else:
            shutil.copy(ROOT / name, copy / name)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "out", cwd=copy)
    (built,) = (copy / "out").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in a folder of its own; the libraries are those of this environment."""
    target = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps")
    run(*pip, "--disable-pip-version-check", "--target", target, wheel, cwd=target)
    return target


def type_in(
    installed: Path, line: str, folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """What the installed `crisis-broker` says, in a folder where nothing of ours lies."""
    command = [installed / "bin" / "crisis-broker", *line.split()]
    more = {"PYTHONPATH": str(installed), **(environment or {})}
    return run(*command, cwd=folder, **more).stdout


def test_the_installed_one_is_what_is_tested(installed: Path, tmp_path: Path) -> None:
    """Code and data come from the folder that the wheel was installed into."""
    asked = (
        "import broker, connectors; from broker.resources import schemas_folder, deploy_folder;"
        "print(broker.__file__, connectors.__file__, schemas_folder(), deploy_folder())"
    )
    places = run(
        sys.executable, "-c", asked, cwd=tmp_path, PYTHONPATH=str(installed)
    ).stdout.split()

    assert len(places) == 4
    assert all(Path(place).is_relative_to(installed) for place in places)
    assert places[2:] == [
        str(installed / "broker" / "_data" / name) for name in ("schemas", "deploy")
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--version", "0.1.0"),
        ("schemas check", "ok      examples accepted and refused"),
        ("schemas show referral_made", "subject.identity.names"),
        ("agreements check", "midshire-police.northvale-mht v4: in force"),
        ("agreements test", " 0 failed"),
    ],
)
def test_it_finds_its_data(line: str, said: str, installed: Path, tmp_path: Path) -> None:
    """Schemas and agreements are part of the package, whatever the working folder."""
    assert said in type_in(installed, line, tmp_path)


def test_it_sets_an_installation_up(installed: Path, tmp_path: Path) -> None:
    """`setup` and `doctor` work without a checkout, with secrets that only we may read."""
    state = {"CRISIS_STATE_DIR": str(tmp_path / "state")}
    type_in(installed, "setup", tmp_path, state)

    assert " 0 wrong" in type_in(installed, "doctor --offline", tmp_path, state)
    assert (tmp_path / "state" / "secrets" / "site.key").stat().st_mode & 0o777 == 0o600


def test_schemas_beside_it_are_not_taken_for_its_own(installed: Path, tmp_path: Path) -> None:
    """A stranger's folder of the same name in the working folder changes nothing."""
    (tmp_path / "schemas" / "events").mkdir(parents=True)

    assert "referral_made" in type_in(installed, "schemas show", tmp_path)


def test_it_holds_what_is_needed_and_nothing_else(wheel: Path) -> None:
    """Types are marked, the licence is there, and no test, secret or cache of ours is."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}

    assert tops == {"broker", "connectors"}
    assert {"broker/py.typed", "connectors/py.typed"} <= set(names)
    assert "broker/_data/deploy/kafka/pom.xml" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert [name for name in names if "__pycache__" in name or name.endswith(".key")] == []
