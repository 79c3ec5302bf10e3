"""`make` and `deploy/check-prerequisites`, on machines that lack something."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECK = ROOT / "deploy" / "check-prerequisites"
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")

NEW_JAVA = 'echo "openjdk version \\"21.0.1\\" 2023-10-17" >&2'
OLD_JAVA = 'echo "openjdk version \\"11.0.2\\" 2019-01-15" >&2'
ANCIENT_JAVA = 'echo "java version \\"1.8.0_201\\"" >&2'
NEW_PYTHON = "exit 0"
OLD_PYTHON = "exit 1"
WITHOUT_VENV = "[[ $2 == *ensurepip* ]] && exit 1; exit 0"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that is the whole path of a machine on which only a shell is installed."""
    (tmp_path / "bash").symlink_to(shutil.which("bash") or "/bin/bash")
    return tmp_path


def install(machine: Path, name: str, script: str) -> None:
    """Put a program on the machine that answers like the real one."""
    (machine / name).write_text(f"#!{machine}/bash\n{script}\n", "utf-8")
    (machine / name).chmod(0o755)


def check(machine: Path, what: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the check as if on that machine."""
    return subprocess.run(
        [CHECK, what],
        env={"PATH": str(machine), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("installed", "what", "lacks", "remedy"),
    [
        ({}, "python", "python3 is missing", "python3-venv"),
        ({"python3": OLD_PYTHON}, "python", "python3 is older than 3.11", "PYTHON=python3.11"),
        ({"python3": WITHOUT_VENV}, "python", "no venv module", "apt-get install python3-venv"),
        ({}, "java", "java is missing", "openjdk-17-jre-headless"),
        ({"java": OLD_JAVA, "mvn": ""}, "java", "java is older than 17", "openjdk-17"),
        ({"java": ANCIENT_JAVA, "mvn": ""}, "java", "java is older than 17", "openjdk-17"),
        ({"java": NEW_JAVA}, "java", "mvn is missing", "apt-get install maven"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(
    installed: dict[str, str], what: str, lacks: str, remedy: str, machine: Path
) -> None:
    """One line says what, the next how to get it; nothing else is said."""
    for name, script in installed.items():
        install(machine, name, script)

    said = check(machine, what)

    assert said.returncode == 1
    assert said.stdout == ""
    first, second = said.stderr.splitlines()
    assert first.startswith("error: ")
    assert lacks in first
    assert remedy in second


@pytest.mark.parametrize(
    ("installed", "what"),
    [({"python3": NEW_PYTHON}, "python"), ({"java": NEW_JAVA, "mvn": ""}, "java")],
)
def test_a_machine_that_has_it_all_hears_nothing(
    installed: dict[str, str], what: str, machine: Path
) -> None:
    """No news is good news."""
    for name, script in installed.items():
        install(machine, name, script)

    said = check(machine, what)

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_another_python_can_be_named(machine: Path) -> None:
    """An old `python3` does not matter where PYTHON names a newer one."""
    install(machine, "python3", OLD_PYTHON)
    install(machine, "python3.12", NEW_PYTHON)

    assert check(machine, "python", PYTHON="python3.12").returncode == 0


def test_a_wrong_word_is_a_usage_error(machine: Path) -> None:
    """It exits with 2, as all our commands do."""
    assert check(machine, "ruby").returncode == 2


def test_setup_stops_before_it_makes_anything(machine: Path, tmp_path: Path) -> None:
    """On a machine without Python `make setup` says so and leaves no half-made environment."""
    clone = tmp_path / "clone"
    (clone / "deploy").mkdir(parents=True)
    shutil.copy(CHECK, clone / "deploy")
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(ROOT / name, clone)
    (machine / "make").symlink_to(shutil.which("make") or "make")

    said = subprocess.run(
        [machine / "make", f"SHELL={machine}/bash", "setup"],
        cwd=clone,
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 2
    assert "error: python3 is missing" in said.stderr
    assert not (clone / ".venv").exists()


def test_help_lists_every_target() -> None:
    """`make` alone shows each target with one line that fits 80 columns."""
    targets = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    shown = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert targets is not None
    assert [line.split()[:2] for line in shown] == [["make", name] for name in targets[1].split()]
    assert [line for line in shown if len(line) > 80 or len(line.split()) < 4] == []
