"""Decoding in parallel processes: the same results, and no file can stop the others."""

from __future__ import annotations

import os

import pytest

from cohorts.decoding import Known, Refused, Stored, decode_files
from tests.cohorts.making import CrashingPath, dicom, radiograph, ramp, write_png


def write_images(folder, count):
    paths = [folder / f"{number:02}.png" for number in range(count)]
    for number, path in enumerate(paths):
        write_png(path, radiograph(number))
    return paths


def test_outcomes_come_in_the_order_of_the_files(tmp_path):
    paths = write_images(tmp_path, 3)
    paths[1].write_bytes(b"text")

    outcomes = list(decode_files(paths, 20, frozenset(), workers=4))

    assert [type(outcome) for outcome in outcomes] == [Stored, Refused, Stored]


def test_a_known_file_is_not_decoded(tmp_path):
    paths = write_images(tmp_path, 2)
    first, second = decode_files(paths, 20, frozenset(), workers=1)

    assert list(decode_files(paths, 20, frozenset({second.sha256}), workers=1))[1] == Known(second.sha256)
    assert isinstance(first, Stored)


def test_content_decides_what_a_file_is_not_its_name(tmp_path):
    (tmp_path / "dicom.png").write_bytes(dicom(ramp()))

    (outcome,) = decode_files([tmp_path / "dicom.png"], 64, frozenset(), workers=1)

    assert outcome.radiograph.transfer_syntax == "1.2.840.10008.1.2.1"


def test_equal_pixels_in_other_files_have_equal_hashes(tmp_path):
    write_png(tmp_path / "a.png", radiograph(0))
    write_png(tmp_path / "b.png", radiograph(0).astype("uint16") * 257)

    first, second = decode_files([tmp_path / "a.png", tmp_path / "b.png"], 20, frozenset(), workers=1)

    assert first.sha256 != second.sha256
    assert (first.pixels_sha, first.dhash) == (second.pixels_sha, second.dhash)


@pytest.mark.slow
def test_parallel_processes_give_the_same_outcomes_and_survive_a_crashing_decoder(tmp_path, monkeypatch):
    monkeypatch.setenv("SURVIVOR", str(os.getpid()))
    paths = write_images(tmp_path, 20)
    alone = list(decode_files(paths, 20, frozenset(), workers=1))
    crashing = [CrashingPath(path) if number == 7 else path for number, path in enumerate(paths)]

    outcomes = list(decode_files(crashing, 20, frozenset(), workers=2))

    assert outcomes[7] == Refused(alone[7].sha256, "corrupt: the decoder crashed at this file")
    for number in (*range(7), *range(8, 20)):
        assert outcomes[number].pixels_sha == alone[number].pixels_sha
