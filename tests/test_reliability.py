"""The campaigns of `make reliability` in short, and their report."""

import json
import signal
from pathlib import Path

import pytest

from stages.fetch import idx
from tests.campaigns import altered, data, kill, report
from tests.campaigns.concurrency import BUSY, pair, side_by_side
from tests.campaigns.kill import KILLS, MOMENTS, STATES, Outcome, Start, planned, remedy
from tests.fixtures.small_project import Project, prepare


def test_kills_are_spread_over_states_moments_and_receivers(finished: Project) -> None:
    start = Start(finished, 30.0, ["fetch", "evaluate"], {})
    starts = {state: start for state in STATES}
    trials = planned(60, starts)
    kills = [trial for trial in trials if trial.signal == signal.SIGKILL]
    assert (len(kills), len(trials)) == (60, 70)
    assert {trial.state for trial in kills} == set(STATES)
    assert {trial.moment for trial in kills} == set(MOMENTS)
    assert {(trial.receiver, trial.signal) for trial in kills} == set(KILLS)
    assert planned(60, starts) == trials, "the same every time"


def test_a_signal_after_the_end_of_the_run_is_repeated_earlier_and_not_counted(finished: Project) -> None:
    start = Start(finished, 30.0, ["fetch", "evaluate"], {})
    hit, late, missed, failed = planned(4, dict.fromkeys(STATES, start))[:4]
    for trial in (hit, late):
        again = kill.earlier(trial)
        assert again.share < trial.share
        assert again.moment != "while dvc.lock is written"
        assert again._replace(share=trial.share, moment=trial.moment) == trial
    counts = kill.counted(
        [
            (hit, Outcome("the stage", [], [])),
            (late, Outcome("dvc", ["rm dvc.lock"], [])),
            (missed, Outcome(None, [], [])),
            (failed, Outcome(None, [], ["dvc.lock differs"])),
        ],
        repeated=5,
    )
    assert (counts["kills"], counts["same_result"], counts["too_late_and_repeated"]) == (3, 2, 5)
    assert counts["hit"] == {"the stage": 1, "dvc": 1, "nothing": 1}
    assert sum(counts["state"].values()) == sum(counts["moment"].values()) == 3
    assert counts["went_wrong"] == [f"{failed}: dvc.lock differs", f"{missed}: too late 5 times"]


def test_missing_different_and_additional_files_are_differences() -> None:
    expected, found = {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "0", ".writing-1-x": "4"}
    assert kill.differences(expected, found) == [".writing-1-x is left over", "b differs", "c is missing"]


def test_a_truncated_dvc_lock_is_restored(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    before = project.lock
    (project.folder / "dvc.lock").write_text(before[: before.index(" md5:") + 3])  # within a key
    ran = project.run("dvc", "repro")
    assert ran.code and ran.stages == []
    assert remedy(project, ran.output) == "git checkout dvc.lock"
    assert project.lock == before
    assert remedy(project, "some other message") is None


@pytest.mark.slow
def test_killed_runs_end_as_undisturbed_ones_do() -> None:
    counts = kill.campaign(4)
    assert counts["went_wrong"] == []
    assert (counts["kills"], counts["other_signals"], counts["same_result"]) == (4, 1, 5)


@pytest.mark.slow
def test_two_runs_at_once_damage_nothing(finished: Project, tmp_path: Path) -> None:
    project = prepare(tmp_path / "project")
    ran, faults = pair(project, finished, delay=3.0)
    assert faults == []
    busy = [run for run in ran if run.code]
    assert len(busy) <= 1 and all(any(message in run.output for message in BUSY) for run in busy)


@pytest.mark.slow
def test_models_trained_side_by_side_make_a_complete_dvc_lock(finished: Project, tmp_path: Path) -> None:
    project = prepare(tmp_path / "project")
    project.repro("check-models")
    assert side_by_side(project, finished) == []


def test_altered_files_are_named_and_never_half_loaded(finished: Project, tmp_path: Path) -> None:
    counts = altered.alter_files(finished.copy(tmp_path / "project"), 20)
    assert counts["went_wrong"] == []
    assert counts["altered"] == counts["named_by_verify"] == 20
    assert counts["refused"] + counts["loaded"] == counts["loads"] > 0


def test_faulty_data_are_refused_or_right() -> None:
    n = 2 * len(data.FAULTS)
    counts = data.campaign(n)
    assert counts["went_wrong"] == []
    assert {kind: counts["right"].get(kind) for kind in data.SOUND} == dict.fromkeys(data.SOUND, 2)
    assert counts["trials"] == sum(counts["right"].values()) + sum(counts["refused"].values()) == n


def test_the_data_campaign_notices_faults_of_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.fetch.checks.check_sums", lambda *arguments: None)
    wrong = data.campaign(len(data.FAULTS))["went_wrong"]
    assert any("a value changed: writes other data" in text for text in wrong)

    monkeypatch.setattr(idx, "LABELS", b"\0\0\x08\x04")
    assert any("no fault: refused" in text for text in data.campaign(1)["went_wrong"])


def test_the_report_is_a_table_of_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    so_far = report.load_report()
    assert so_far["campaigns"] == {}
    so_far["campaigns"]["altered"] = {"altered": 1200, "went_wrong": ["a.npy: not named"], "seconds": 90.0}
    hit = {"the stage": 20, "dvc": 40}
    so_far["campaigns"]["kill"] = {"kills": 60, "hit": hit, "went_wrong": [], "seconds": 600.0}
    report.save(so_far)
    assert report.load_report() == so_far == json.loads(report.REPORT.read_text())
    text = report.TABLE.read_text()
    assert "| Kills | 0 | 10.0 |\n| Altered files | 1 | 1.5 |\n| all | 1 | 11.5 |" in text, (
        "in the order of the campaigns"
    )
    assert "| kills | 60 |\n| hit: dvc | 40 |\n| hit: the stage | 20 |" in text
    assert "| altered | 1,200 |" in text and "- a.npy: not named" in text
    report.REPORT.write_text(json.dumps({**so_far, "versions": {}}))
    assert report.load_report()["campaigns"] == {}, "counts of other versions are dropped"
