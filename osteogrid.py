"""osteogrid in a notebook: `from osteogrid import load_study`, then `load_study("studies/demo.yaml").results()`."""

from __future__ import annotations

from orchestrator.notebooks.results import Results
from orchestrator.notebooks.study import Study, load_study
from search_spaces.errors import StudyError

__all__ = ["Results", "Study", "StudyError", "load_study"]
