"""What may be written to MLflow: a list of keys, and the form of each value. Everything else is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from infra.records import DatasetRecord, PrivacyError
from search_spaces.hyperparameters import SPACES

AXES = ("backbone", "pretraining", "init", "task")
"""Params of every cell and job, the ones that the MLflow UI groups by; rows of one center have `center`, too."""

HYPERPARAMETERS = frozenset(name for space in SPACES.values() for name in space) | {"C", "l1_ratio"}
"""Everything that is tuned; the last two are those of ElasticNet."""

CERTIFICATE = frozenset(
    (
        *("source_kind", "source_sha256", "fingerprint", "fingerprint_before", "fingerprint_after"),
        *("fingerprint_frozen_before", "fingerprint_frozen_after", "fingerprint_frozen_average", "fingerprint_probe"),
        *("fingerprint_trained_before", "fingerprint_trained_after", "out_of_memory"),
        *("tensors_loaded", "tensors_reshaped", "tensors_missing", "tensors_left_over", "share_loaded"),
        *("source_loaded", "source_reshaped", "source_missing", "source_left_over", "source_backbone_share"),
        *("trainable_parameters", "frozen_parameters", "parameters_trainable", "parameters_frozen"),
        *("optimizer", "learning_rate", "weight_decay", "batch_size", "precision", "autocast"),
    )
)
"""Facts of a certificate that become tags; the certificate itself stays in the run store."""

_WORD = r"[\w.+:-]*"
_WORDS = r"[\w.+:;,=() -]*"
_CELL = r"[\w.-]+/[\w.-]+-(?:scratch|transfer|frozen|partial_\d|probe_then_transfer)"
_COUNT = r"-?\d*"

TAGS: dict[str, str] = {
    "level": r"job|cell|center|study",
    "key": _WORD,
    "cell": _CELL,
    "study": _WORD,
    "kind": _WORD,
    "purpose": r"scores|perturbed|saliency",
    "role": r"external|reserve|validation",
    "arm": _WORD,
    "fold": _COUNT,
    "seed": _COUNT,
    "trial": _COUNT,
    "center": _WORD,
    "status": r"running|finished|failed|blocked",
    "attempt": _COUNT,
    "error": r"\w*",
    "used_by": rf"{_CELL}(?:, {_CELL})*(?:, and \d+ more)?",
    "tuned": _WORDS,
    **{f"tuned_{name}": _WORD for name in HYPERPARAMETERS},
    "near_bound": _WORDS,
    "pruned": r"true|false",
    "replicates": r"\d+/\d+",
    "complete": r"true|false",
    "exploratory": r"true|false",
    "superseded": r"true|false",
    "changed_params": _WORDS,
    "replayed": r"epochs=\d+ until=\d+ step=\d+ results=[01]",
    "artifacts": _WORDS,
    "mlflow.parentRunId": r"[0-9a-f]*",
    **{f"certificate_{name}": _WORD for name in CERTIFICATE},
    # What a study may say about itself.
    "development": _WORDS,
    "external": _WORDS,
    "commit": _WORD,
    "code": _WORD,
    "versions": _WORDS,
    "fingerprint": _WORD,
    "locked": _WORDS,
    "licenses": _WORDS,
    "license": _WORDS,
    "commercial_use": _WORD,
    "bundle": r"[0-9a-f]*",
    "phantom": r"true|false",
}
"""Every tag that is ever written, with the form of its value; only `cell` and `used_by` may hold a slash."""

_METRIC = re.compile(r"[A-Za-z][\w.-]*(/[A-Za-z0-9][\w.-]*){0,2}", re.ASCII)
_PATH_IN_TEXT = re.compile(r"(?<![\w/:.<)])/[\w.-]+/[\w.-]+|(?<!\w)[A-Za-z]:[\\/]\w|~/\w|\\\\\w|\bfile:/|\.\./")
_EXCEPTION = re.compile(r"(?:\w+\.)*([A-Z]\w*(?:Error|Exception|Exit|Interrupt|Timeout|Warning))(?::|$)", re.ASCII)


def check_params(params: Mapping[str, str]) -> None:
    """Raise PrivacyError for a param that is not on the list or whose value is more than a word or number."""
    for name, value in params.items():
        if name not in (*AXES, "center") and name not in HYPERPARAMETERS:
            raise PrivacyError(f"param {name!r} may not be logged; the list of those that may is in infra/privacy.py.")
        _check_value("param", name, value, _WORD)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise PrivacyError for a tag that is not on the list or whose value has another form."""
    for name, value in tags.items():
        if name not in TAGS:
            raise PrivacyError(f"tag {name!r} may not be logged; the list of those that may is in infra/privacy.py.")
        _check_value("tag", name, value, TAGS[name])


def check_metrics(names: Mapping[str, float]) -> None:
    """Raise PrivacyError for a metric whose name is not of the form center/metric."""
    for name in names:
        if not _METRIC.fullmatch(name):
            raise PrivacyError(f"metric {name!r} may not be logged; a name is words joined by at most two slashes.")


def check_datasets(datasets: Iterable[DatasetRecord]) -> None:
    """Raise PrivacyError for a dataset whose name or digest is more than a word."""
    for dataset in datasets:
        _check_value("dataset", dataset.name, dataset.name, _WORD)
        _check_value("digest of dataset", dataset.name, dataset.digest, r"[0-9a-f]*")


def check_text(place: str, text: str) -> None:
    """Raise PrivacyError if free text, such as a note, holds something that looks like a path."""
    if _PATH_IN_TEXT.search(text):
        raise PrivacyError(f"{place}: looks like it holds a file path, which may not be logged; take the path out.")


def as_words(text: str) -> str:
    """A study's or file's own words, such as the name of a license, without the signs that no tag may hold."""
    return re.sub(r"\s+", " ", re.sub(r"[^\w.+:;,=() -]", " ", text, flags=re.ASCII)).strip()


def exception_type(error: str) -> str:
    """The class name at the start of an error's last such line; messages and tracebacks may hold paths and names."""
    found = [match for line in error.splitlines() if (match := _EXCEPTION.match(line))]
    return found[-1].group(1) if found else "unnamed"


def _check_value(what: str, name: str, value: str, form: str) -> None:
    # The value itself is not repeated: what may not be logged may not be printed either.
    if value and not re.fullmatch(form, value, re.ASCII):
        raise PrivacyError(f"{what} {name!r} holds a value that may not be logged: a path, free text or an odd sign.")
