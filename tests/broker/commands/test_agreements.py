"""`crisis-broker agreements`: what governance staff see, and the exit codes scripts rely on."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.commands.agreements import app
from broker.resources import deploy_folder

SHIPPED = deploy_folder() / "agreements"
NORTHVALE = "midshire-police.northvale-mht.toml"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Return a runner on a wide terminal, without settings of this machine."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("CRISIS_AGREEMENTS_DIR", raising=False)
    return CliRunner()


def copy_with(folder: Path, before: str, after: str) -> Path:
    """Copy one shipped agreement with one change."""
    text = (SHIPPED / NORTHVALE).read_text("utf-8")
    assert before in text
    (folder / NORTHVALE).write_text(text.replace(before, after, 1), "utf-8")
    return folder


def test_the_shipped_agreements_are_fine(run: CliRunner) -> None:
    """Without an argument the installed agreements are checked."""
    result = run.invoke(app, ["check"])

    assert result.exit_code == 0
    assert "midshire-police.northvale-mht v4: in force" in result.output


def test_every_fault_is_printed_and_the_command_fails(run: CliRunner, tmp_path: Path) -> None:
    """A script that publishes agreements stops here."""
    copy_with(tmp_path, 'release = ["routing", "clock"]', 'release = ["rooting", "clocks"]')

    result = run.invoke(app, ["check", str(tmp_path)])

    assert result.exit_code == 1
    assert "unknown field or group `rooting`" in result.output
    assert "unknown field or group `clocks`" in result.output


def test_a_lapsed_agreement_is_overdue_and_goes_on(run: CliRunner, tmp_path: Path) -> None:
    """Governance staff see it; nobody is cut off."""
    copy_with(tmp_path, "review_by = 2027-03-31", "review_by = 2026-04-02")

    result = run.invoke(app, ["check", str(tmp_path)])

    assert result.exit_code == 0
    assert "in force, OVERDUE by" in result.output


def test_a_suspension_is_said_aloud(run: CliRunner, tmp_path: Path) -> None:
    """Nobody wonders later why everything was held."""
    stop = 'suspended = { signed_by = "A", at = 2026-04-02, reason = "r" }\n\n[[party]]'
    copy_with(tmp_path, "[[party]]", stop)

    assert "SUSPENDED: everything is held" in run.invoke(app, ["check", str(tmp_path)]).output


def test_the_tests_inside_the_files_are_run(run: CliRunner) -> None:
    """All of them pass as shipped."""
    result = run.invoke(app, ["test"])

    assert result.exit_code == 0
    assert " 0 failed" in result.output


def test_a_failing_test_fails_the_command(run: CliRunner, tmp_path: Path) -> None:
    """It says which test, which field and which clause."""
    copy_with(
        tmp_path, 'needs_person = ["incident.log"]\nbecause', 'withhold = ["incident.log"]\nbecause'
    )

    result = run.invoke(app, ["test", "--folder", str(tmp_path)])

    assert result.exit_code == 1
    assert (
        "`incident.log`: needs-person expected, but withhold by `crisis.raw-log`" in result.output
    )


def test_explain_shows_field_clause_and_reason(run: CliRunner) -> None:
    """One command answers: what does this team see, and who says so?"""
    command = "explain --recipient northvale-136-suite --purpose place-of-safety-handover"

    adult = run.invoke(app, command.split()).output
    child = run.invoke(app, [*command.split(), "--given", "subject_is_child"]).output

    assert "reduce: postcode-district" in adult
    assert "pos.child-home" in child
    assert "facts that matter: subject_is_child" in child
    assert "whoever has parental responsibility must be told where the child is" in child
    assert "01632 960124" in adult


def test_explain_says_that_a_route_is_held(run: CliRunner) -> None:
    """Without a safeguarding decision the council's route waits."""
    command = "explain --recipient midshire-council --purpose safeguarding-adult"

    assert "HELD: needs-person" in run.invoke(app, command.split()).output


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("--recipient nobody --purpose crisis-response", "no agreement covers"),
        ("--recipient northvale-crisis --purpose crisis-response", "several senders"),
        (
            "--recipient northvale-136-suite --purpose place-of-safety-handover --given raining",
            "unknown: raining",
        ),
    ],
)
def test_explain_asks_back_instead_of_guessing(run: CliRunner, arguments: str, hint: str) -> None:
    """A question that has no single answer is a usage error."""
    result = run.invoke(app, ["explain", *arguments.split()])

    assert result.exit_code == 2
    assert hint in result.output


def test_parties_lists_who_may_tell_whom(run: CliRunner) -> None:
    """Every party and every route, with the agreement behind it."""
    output = run.invoke(app, ["parties"]).output

    assert "Eastmoor Police control room" in output
    assert "midshire-police.midshire-council v3" in output
