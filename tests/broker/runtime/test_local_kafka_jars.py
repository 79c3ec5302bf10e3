"""The jars come whole or not at all, and what is missing is said in one line."""

import sys
from pathlib import Path

import pytest

from broker.domain.errors import ConfigurationError
from broker.runtime.local_kafka_jars import (
    deploy_folder,
    find_java,
    kafka_version,
    resolve_jars,
)

JAVA = """\
#!{python}
import sys
print('openjdk version "{version}" 2025-04-15', file=sys.stderr)
"""

MAVEN = """\
#!{python}
import pathlib, sys
output = [a.partition("=")[2] for a in sys.argv if a.startswith("-DoutputDirectory=")][0]
folder = pathlib.Path(output)
folder.mkdir(parents=True)
(folder / "kafka_2.13-0.jar").touch()
pathlib.Path(__file__).with_name("calls").open("a").write("x")
{ending}
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole path; the cache is beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("CRISIS_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def _install(folder: Path, name: str, script: str, **values: str) -> None:
    tool = folder / name
    tool.write_text(script.format(python=sys.executable, **values), "utf-8")
    tool.chmod(0o755)


def _jars(tools: Path) -> list[Path]:
    return list((tools.parent / "cache").rglob("*.jar"))


def test_missing_java_names_the_package(tools: Path) -> None:
    """No java on the path: the error is one line with the command that helps."""
    with pytest.raises(ConfigurationError, match=r"java is missing .+ apt-get install openjdk"):
        find_java()


@pytest.mark.parametrize("version", ["1.8.0_412", "11.0.2", "16"])
def test_old_java_is_refused(tools: Path, version: str) -> None:
    """Kafka needs 17; older ones are told by either way of counting."""
    _install(tools, "java", JAVA, version=version)

    with pytest.raises(ConfigurationError, match="java is older than 17; install it with"):
        find_java()


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.1"])
def test_new_java_is_taken(tools: Path, version: str) -> None:
    """17 and anything newer will do."""
    _install(tools, "java", JAVA, version=version)

    assert find_java() == str(tools / "java")


def test_java_home_comes_first(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_HOME beats the path, as everywhere."""
    home = tools.parent / "jdk"
    (home / "bin").mkdir(parents=True)
    _install(tools, "java", JAVA, version="11")
    _install(home / "bin", "java", JAVA, version="17")
    monkeypatch.setenv("JAVA_HOME", str(home))

    assert find_java() == str(home / "bin" / "java")


def test_missing_maven_names_the_package(tools: Path) -> None:
    """Nothing in the cache and no mvn: the error is one line with the command that helps."""
    with pytest.raises(ConfigurationError, match=r"mvn is missing.+ apt-get install maven"):
        resolve_jars()


def test_jars_are_fetched_once(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second time the cache answers; only the first says anything."""
    _install(tools, "mvn", MAVEN, ending="")

    libs = resolve_jars()
    said = capsys.readouterr().err

    assert resolve_jars() == libs
    assert _jars(tools) == [libs / "kafka_2.13-0.jar"]
    assert (tools / "calls").read_text("ascii") == "x"
    assert said.startswith(f"resolving Apache Kafka {kafka_version()} from Maven Central")
    assert capsys.readouterr().err == ""


def test_half_a_download_is_never_taken_for_a_whole(tools: Path) -> None:
    """Maven fails after the first jar: nothing stays, the reason is told, and a retry succeeds."""
    failing = "print('[ERROR] could not transfer artifact'); sys.exit(1)"
    _install(tools, "mvn", MAVEN, ending=failing)

    with pytest.raises(ConfigurationError, match=r"could not transfer.+KAFKA_BOOTSTRAP_SERVERS"):
        resolve_jars()

    assert _jars(tools) == []
    _install(tools, "mvn", MAVEN, ending="")
    assert resolve_jars().is_dir()


def test_the_pom_is_where_the_package_looks_for_it() -> None:
    """A checkout and a wheel have it in different places; both have a version in it."""
    assert (deploy_folder() / "pom.xml").is_file()
    assert (deploy_folder() / "log4j2.properties").is_file()
    assert kafka_version().count(".") == 2
