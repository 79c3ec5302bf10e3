"""
Gets the jars of Apache Kafka onto this machine, once, whole or not at all.

They come from Maven Central by way of ``deploy/kafka/pom.xml`` and stay in the cache:
``$CRISIS_CACHE_DIR``, else ``$XDG_CACHE_HOME/crisis-referral-broker``, else the same below ``~/.cache``.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from broker.domain.errors import ConfigurationError
from broker.runtime.file_lock import exclusively

MINIMUM_JAVA: Final = 17
RESOLVE_TIMEOUT_S: Final = 900
_PACKAGE: Final = Path(__file__).resolve().parents[1]


def deploy_folder() -> Path:
    """Find ``deploy/kafka``: beside the package in a checkout, inside it once installed."""
    installed = _PACKAGE / "_data" / "deploy" / "kafka"
    return installed if installed.is_dir() else _PACKAGE.parent / "deploy" / "kafka"


def kafka_version() -> str:
    """Read the version of Apache Kafka that ``pom.xml`` names."""
    found = re.search(r"<kafka\.version>([^<]+)<", _pom().read_text("utf-8"))
    if not found:
        raise ConfigurationError("no `kafka.version` @ deploy/kafka/pom.xml")
    return found[1]


def cache_folder() -> Path:
    """Say where downloads are kept between runs."""
    if chosen := os.environ.get("CRISIS_CACHE_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "crisis-referral-broker"


def find_java() -> str:
    """
    Find a Java that Kafka runs on: ``$JAVA_HOME`` first, then the path.

    Raises:
        ConfigurationError: There is none, or it is too old; says what to install.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    if java is None:
        raise _missing(f"java is missing ({MINIMUM_JAVA} or newer)", "openjdk-17-jre-headless")
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if version is None or int(version[1]) < MINIMUM_JAVA:
        raise _missing(f"java is older than {MINIMUM_JAVA}", "openjdk-17-jre-headless")
    return java


def resolve_jars() -> Path:
    """
    Return the folder of jars, downloading them when the cache does not hold them yet.

    An interrupted download is never taken for a whole one: Maven fills a folder of its own, which
    gets its final name only when Maven is content.

    Raises:
        ConfigurationError: Maven is missing or could not download; says what to do.
    """
    digest = hashlib.sha256(_pom().read_bytes()).hexdigest()[:8]
    libs = cache_folder() / f"kafka-{kafka_version()}-{digest}" / "libs"
    if not libs.is_dir():
        with exclusively(libs.parent / "lock"):
            if not libs.is_dir():
                _download(libs)
    return libs


def _download(libs: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise _missing("mvn is missing, it fetches Apache Kafka", "maven")
    version, began = kafka_version(), time.monotonic()
    _tell(f"resolving Apache Kafka {version} from Maven Central (50 MB, once) ... ")
    with tempfile.TemporaryDirectory(dir=libs.parent, prefix="partial-") as partial:
        whole = Path(partial) / "libs"
        _run_maven(maven, whole, version)
        whole.rename(libs)
    _tell(f"done in {time.monotonic() - began:.0f} s\n")


def _run_maven(maven: str, output: Path, version: str) -> None:
    command = [maven, "-B", "-q", "-f", str(_pom()), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={output}", "-Dmdep.useBaseVersion=true"]
    try:
        subprocess.run(  # noqa: S603
            command, check=True, capture_output=True, text=True, timeout=RESOLVE_TIMEOUT_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        _tell("failed\n")
        raise ConfigurationError(
            f"Maven could not fetch Apache Kafka {version}: {_first_error(error)}; let Maven reach"
            " Maven Central (proxies and mirrors go into its settings.xml), or set"
            " KAFKA_BOOTSTRAP_SERVERS to a cluster that is there already"
        ) from error
    if not any(output.glob("kafka_2.13-*.jar")):
        raise ConfigurationError(f"Maven brought no jar of Apache Kafka {version}")


def _first_error(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no result within {RESOLVE_TIMEOUT_S} s"
    lines = re.findall(r"\[ERROR\] (.+)", f"{error.stdout}{error.stderr}")
    return lines[0][:300] if lines else f"exit code {error.returncode}"


def _missing(what: str, package: str) -> ConfigurationError:
    return ConfigurationError(f"{what}; install it with: apt-get install {package}")


def _tell(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _pom() -> Path:
    return deploy_folder() / "pom.xml"
