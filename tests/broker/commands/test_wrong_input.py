"""Wrong input at the command line: one line that names place and rule, exit code 2, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker.commands.main import main

SECRET = "do-not-show-me"


@pytest.fixture(autouse=True)
def _installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder and no settings of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CRISIS_", "KAFKA_"))]:
        monkeypatch.delenv(name)


def error(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Exit code and standard error of a command line, which says nothing else."""
    monkeypatch.setattr(sys, "argv", ["crisis-broker", *line.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert said.out == ""
    return int(str(ended.value.code)), said.err


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("nonsense", "no such command 'nonsense' @ crisis-broker"),
        ("doctor --nonsense", "no such option: --nonsense @ crisis-broker doctor"),
        ("run nonsense", "invalid value for PROCESS: there are intake, release, deliver"),
        ("run deliver", "invalid value for --recipient: deliver needs it"),
        ("deliver waiting nobody", "for RECIPIENT: no agreement names this party"),
        ("deliver resolve nobody 1 --role r", "for RECIPIENT: no agreement names this party"),
        ("agreements explain --recipient nobody --purpose x", "no agreement covers"),
        ("schemas show nonsense", "invalid value for EVENT: events are: referral_accepted"),
        ("disclosures show zzz", "invalid value for REFERRAL: a referral id is 32 of 0-9 and a-f"),
        ("registry serve --port 65536", "less than or equal to 65535"),
        ("registry serve --host 0.0.0.0", "needs a certificate @ 0.0.0.0:8081"),
        ("registry serve --certificate a --key b", "the certificate cannot be used"),
        ("registry serve --certificate a", "a certificate needs its key"),
        ("keys issue Nobody!", "a party id is 1 to 40 of a-z, 0-9 and hyphen"),
        ("keys revoke 00000000", "no key has this id"),
        ("topics plan --lane x", "a lane is RECIPIENT:PURPOSE @ --lane"),
        ("topics plan", "run `crisis-broker kafka up` or set KAFKA_BOOTSTRAP_SERVERS"),
        ("disclosures verify", "run `crisis-broker kafka up` or set KAFKA_BOOTSTRAP_SERVERS"),
        ("simulate", "no API key: make one with"),
        ("up", "the site secret cannot be read: run `crisis-broker setup`"),
        ("demo --json", "--json needs --once"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(line, rule, monkeypatch, capsys):
    """Whoever typed it learns which word is wrong and which rule it breaks."""
    code, said = error(line, monkeypatch, capsys)

    assert code == 2
    assert said.startswith("error: ")
    assert rule in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("line", ["doctor", "setup", "up", "run intake", "topics plan"])
def test_a_settings_file_that_is_no_toml_stops_every_command(line, monkeypatch, capsys, tmp_path):
    """The file and the line are named, what stands there is not shown."""
    (tmp_path / "crisis-broker.toml").write_text(f'site_secret = "{SECRET}\n', "utf-8")
    monkeypatch.setattr(sys, "argv", ["crisis-broker", *line.split()])

    with pytest.raises(SystemExit) as ended:
        main()
    said = "".join(capsys.readouterr())

    assert ended.value.code in {1, 2}
    assert "not TOML at line 1" in said
    assert "@ crisis-broker.toml" in said
    assert SECRET not in said


def test_a_kafka_that_is_away_is_exit_code_1(monkeypatch, capsys):
    """It is no mistake of who typed it; the address is named, and the library says nothing."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")

    code, said = error("topics plan", monkeypatch, capsys)

    assert code == 1
    assert said == "error: Kafka did not answer: KafkaConnectionError @ 127.0.0.1:1\n"


def test_a_key_for_a_stranger_is_issued_with_a_warning(monkeypatch, capsys):
    """Keys may come before agreements, but a typing error is not found out by a refused referral."""
    monkeypatch.setattr(sys, "argv", ["crisis-broker", "keys", "issue", "midshire-polcie"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()

    assert ended.value.code == 0
    assert said.out.startswith("crk_")
    assert said.out.count("\n") == 1
    assert "warning: no agreement names this party yet" in said.err


@pytest.mark.parametrize(
    ("process", "setting", "rule"),
    [
        ("intake", "CRISIS_NAMESPACE=crisis", "the site secret cannot be read"),
        ("deliver --recipient nobody", "CRISIS_CLUSTER=c", "no endpoint is configured @ nobody"),
        ("release", "CRISIS_OPS_HOST=0.0.0.0", "beyond loopback needs a certificate @ 0.0.0.0"),
    ],
)
def test_a_process_that_cannot_start_says_why_in_one_log_line(process, setting, rule, tmp_path):
    """A supervisor sees exit code 2, and the log has one line with the rule."""
    name, value = setting.split("=")
    made = {
        "CRISIS_STATE_DIR": str(tmp_path),
        name: value,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }
    setup = [sys.executable, "-m", "broker.commands.main", "setup"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **made}
    if name != "CRISIS_NAMESPACE":
        subprocess.run(setup, env=environment, check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-m", "broker.commands.main", "run", *process.split()],
        env=environment | {"CRISIS_OPS_PORT": "0", "CRISIS_REGISTRY_URL": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = [line for line in done.stderr.splitlines() if "cannot start" in line]

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(lines) == 1
    assert rule in lines[0]
