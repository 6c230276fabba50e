from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from infra.lease import STALE_SECONDS, Lease, claim, holder_of, newest_number
from infra.store import replace, to_json
from search_spaces.errors import StudyError


def rewrite(folder, **changes):
    path = folder / "000001.json"
    replace(path, to_json({**json.loads(path.read_text()), **changes}))


def test_a_second_sweep_of_the_same_study_is_refused_with_who_holds_it(tmp_path):
    folder = tmp_path / "lease"
    with Lease(folder), pytest.raises(StudyError, match=r"is being run by process \d+ on"), Lease(folder):
        pass


def test_a_released_lease_can_be_taken_again_with_a_higher_number(tmp_path):
    folder = tmp_path / "lease"
    with Lease(folder) as first:
        assert holder_of(folder) is not None
    with Lease(folder) as second:
        assert (first.number, second.number) == (1, 2)
    assert holder_of(folder) is None


def test_the_lease_of_a_process_that_died_is_succeeded_at_once(tmp_path):
    folder = tmp_path / "lease"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with Lease(folder):
        pass
    rewrite(folder, pid=gone.pid, released=False, heartbeat=time.time())

    with Lease(folder) as lease:
        assert lease.number == 2


def test_a_holder_on_another_machine_counts_until_its_heart_stops(tmp_path):
    folder = tmp_path / "lease"
    with Lease(folder):
        pass
    rewrite(folder, host="elsewhere", released=False, heartbeat=time.time())
    with pytest.raises(StudyError, match="elsewhere"), Lease(folder):
        pass

    rewrite(folder, heartbeat=time.time() - STALE_SECONDS - 1)

    with Lease(folder) as lease:
        assert lease.number == 2


def test_every_claim_of_a_job_makes_the_earlier_ones_stale(tmp_path):
    assert [claim(tmp_path, owner) for owner in ("first", "second")] == [1, 2]
    assert newest_number(tmp_path) == 2
