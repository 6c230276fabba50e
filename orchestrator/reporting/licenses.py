"""What weights may be used for: the terms of every source that a model learned from, and the strictest of them."""

from __future__ import annotations

from collections.abc import Iterable

from search_spaces.parts import CommercialUse
from search_spaces.pretraining import NONE, describe, weights_file
from search_spaces.starting_points import DeclaredSource
from search_spaces.study import StudySpec
from search_spaces.weights_record import read_record

Terms = dict[str, str]
"""`trained_on` (modality, anatomy), `license`, `commercial_use` (yes | no | unknown); empty for no source at all."""

_STRICTEST_FIRST: tuple[CommercialUse, ...] = ("no", "unknown", "yes")
_UNKNOWN = "unknown"


def terms(study: StudySpec, source: str) -> Terms:
    """What travels with weights of a source: a corpus, one that the study declares, a catalogued one, or own files."""
    if source == NONE:
        return _terms("", "", "")
    known = study.corpora.get(source) or describe(study, source)
    return _terms(f"{known.modality}, {known.anatomy}", known.license, known.commercial_use)


def union(*of: Terms) -> Terms:
    """All licenses, all that was trained on, and the strictest commercial use: no, then unknown, then yes."""
    uses = {each["commercial_use"] for each in of}
    return _terms(
        _distinct(each["trained_on"] for each in of),
        _distinct(each["license"] for each in of),
        next((use for use in _STRICTEST_FIRST if use in uses), ""),
    )


def terms_of_cell(study: StudySpec, source: str, backbone: str) -> Terms:
    """The terms of a source together with those that the record of the backbone's own file adds.

    A record that says "unknown" adds nothing, and what the study declares of a source stands against any record.
    """
    told = terms(study, source)
    path = None if source == NONE or source in study.corpora else weights_file(study, source, backbone)
    record = None if path is None else read_record(path)
    if record is None:
        return told
    declared = study.sources.get(source, DeclaredSource())
    license_name = "" if declared.license or record.license == _UNKNOWN else record.license
    use = "" if declared.commercial_use or record.commercial_use == _UNKNOWN else record.commercial_use
    return union(told, _terms("", license_name, use))


def _terms(trained_on: str, license_name: str, commercial_use: str) -> Terms:
    return {"trained_on": trained_on, "license": license_name, "commercial_use": commercial_use}


def _distinct(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))
