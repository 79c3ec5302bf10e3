"""The run that CI makes: a skip is a failure there, and nowhere else."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SKIPS = "import pytest\n\n\ndef test_it():\n    pytest.skip('not here')\n"


@pytest.mark.parametrize(("option", "code"), [("--strict-skips", 1), ("-q", 0)])
def test_a_skip_fails_a_strict_run_only(tmp_path, option, code):
    """A test that did not run proves nothing, and CI says so by its exit code."""
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text("utf-8"), "utf-8")
    (tmp_path / "test_skips.py").write_text(SKIPS, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null"]

    ended = subprocess.run([*command, "--rootdir", tmp_path, option, tmp_path], check=False)

    assert ended.returncode == code
