from __future__ import annotations

import json
import threading

import pytest

from infra.store import RunStore, create_if_absent, file_sha256
from search_spaces.errors import StudyError


def attempt_with(store: RunStore, key: str, text: str):
    folder = store.start_attempt({"key": key}, {})
    (folder / "predictions.parquet").write_text(text)
    return folder


def test_only_the_first_of_many_creates_a_file_and_it_is_whole(tmp_path):
    path, winners = tmp_path / "claim.json", []

    def race(number: int) -> None:
        if create_if_absent(path, str(number).encode() * 1000):
            winners.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(winners) == 1
    assert path.read_text() == str(winners[0]) * 1000
    assert [entry.name for entry in tmp_path.iterdir()] == ["claim.json"]


def test_a_published_job_names_its_attempt_and_the_checksums_of_its_files(tmp_path):
    store = RunStore(tmp_path)
    folder = attempt_with(store, "k", "rows")

    assert store.publish("k", folder, {"result": {"value": 0.7}})

    record = store.finished()["k"]
    assert record["attempt"] == folder.name
    assert record["checksums"]["predictions.parquet"] == file_sha256(folder / "predictions.parquet")
    assert store.published("k") == folder


def test_the_second_attempt_to_publish_is_discarded(tmp_path):
    store = RunStore(tmp_path)
    first, second = attempt_with(store, "k", "first"), attempt_with(store, "k", "second")

    assert store.publish("k", first, {})
    assert not store.publish("k", second, {})

    assert (store.published("k") / "predictions.parquet").read_text() == "first"


def test_a_failure_is_kept_and_does_not_count_as_finished(tmp_path):
    store = RunStore(tmp_path)

    store.record_failure("k", {"error": "boom", "deterministic": True})

    assert store.failed()["k"]["error"] == "boom"
    assert store.finished() == {}
    with pytest.raises(StudyError, match="no published result"):
        store.published("k")


def test_drafts_left_by_a_crash_are_not_read_as_records(tmp_path):
    (tmp_path / "finished").mkdir()
    (tmp_path / "finished" / ".k.json.1a2b").write_text("{half")

    assert RunStore(tmp_path).finished() == {}


def test_a_store_that_can_be_written_passes_the_probe_and_keeps_no_trace(tmp_path):
    RunStore(tmp_path).probe()

    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_written_is_refused_with_the_remedy(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")

    with pytest.raises(StudyError, match=r"cannot be written .*STORE="):
        RunStore(blocked / "study").probe()


def test_the_newest_attempt_is_the_one_that_started_last(tmp_path):
    store = RunStore(tmp_path)
    folders = [store.start_attempt({"key": "k"}, {"number": number}) for number in range(3)]

    assert store.newest_attempt("k") == folders[-1]
    assert json.loads((folders[1] / "job.json").read_text())["number"] == 1
    assert len(list(store.attempts("k").iterdir())) == 3
