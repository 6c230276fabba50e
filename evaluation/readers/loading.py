"""Ratings of a reader study from a CSV file, and everything that can be wrong with one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import polars as pl

from search_spaces.errors import StudyError, nearest

REQUIRED: dict[str, pl.DataType] = {
    "reader": pl.String(),
    "case": pl.String(),
    "modality": pl.String(),
    "rating": pl.Float64(),
}
OPTIONAL: dict[str, pl.DataType] = {"patient": pl.String(), "truth": pl.Int64()}
OF_READERS: dict[str, pl.DataType] = {"experience": pl.String(), "group": pl.String()}
"""What a reader is: years or a word such as `resident`, and any grouping; the same in all rows of a reader."""
RATINGS = REQUIRED | OPTIONAL | OF_READERS
"""One rating of one case by one reader in one modality.

`patient`, `truth` (1 or 0), `experience` and `group` may be absent.
"""

_READING = ("reader", "case", "modality")
_NAMES = ("reader", "modality", *OF_READERS)
"""What the report's tables show of a file."""
_NAME = "a name that does not begin with =, +, - or @: spreadsheets would compute it in the report's tables; rename it"


def load_readers(path: str | Path) -> pl.DataFrame:
    """Ratings from a comma-separated file with a header, in the order of the file, as the schema RATINGS.

    Columns reader, case, modality, rating (higher meaning more likely positive), and patient, truth, experience and
    group if there; other columns are ignored, blanks around values too. Raises StudyError with file, row (the header is
    row 1), column and value for a missing column, an empty or non-numeric value, a truth other than 0 and 1, a reading
    that occurs twice, a case with two truths or two patients, a reader with two experiences or groups, a name that
    spreadsheets take for a formula, fewer than two modalities, and a reader who has no reading in one of them.
    """
    table = _table(path, REQUIRED, OPTIONAL | OF_READERS)
    columns = [column for column in RATINGS if column in table.columns]
    for column in [name for name in _NAMES if name in columns]:
        _refuse(table.filter(pl.col(column).str.contains(r"^[=+@-]")), path, column, _NAME)
    number = pl.col("rating").cast(pl.Float64, strict=False)
    _refuse(
        table.filter(~number.is_finite().fill_null(False)), path, "rating", "a number; correct it or delete the row"
    )
    if "truth" in columns:
        table = _with_truth(table, path)
    ratings = table.with_columns(pl.col(column).cast(RATINGS[column]) for column in columns)
    check_readings(ratings, str(path))
    return ratings.drop("row")


def load_truth(path: str | Path) -> pl.DataFrame:
    """The truth of each case from a comma-separated file with columns case and truth (1 or 0), a case in one row.

    Raises StudyError as `load_readers`.
    """
    table = _with_truth(_table(path, {"case": pl.String(), "truth": pl.Int64()}, {}), path)
    twice = table.filter(pl.col("case").is_duplicated())
    if twice.height:
        first, second = twice.filter(pl.col("case") == twice["case"][0])["row"].to_list()[:2]
        raise StudyError(
            f"{path}, rows {first} and {second} both hold case {twice['case'][0]!r}; a case has one truth."
        )
    return table.select("case", pl.col("truth").cast(pl.Int64))


def check_readings(ratings: pl.DataFrame, place: str) -> None:
    """What a table of readings with a column `row` must be as a whole; StudyError with the `place` otherwise."""
    _check_once(ratings, place)
    _check_one_each(ratings, place, "case", OPTIONAL)
    _check_one_each(ratings, place, "reader", OF_READERS)
    _check_modalities(ratings, place)


def _text(path: Path) -> pl.DataFrame:
    """All values as text without blanks around them, empty ones null; column names in lower case."""
    text = pl.all().str.strip_chars()
    try:
        raw = pl.read_csv(path, infer_schema=False).rename(lambda column: column.strip().lower())
        return raw.select(pl.when(text != "").then(text).name.keep())
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"{path} cannot be read as a comma-separated file in UTF-8 ({reason}); check it.") from error


def _table(path: str | Path, required: Collection[str], optional: Collection[str]) -> pl.DataFrame:
    """The columns that count, as text, with the number of their row in the file; no value is empty."""
    raw = _text(Path(path))
    for column in required:
        if column not in raw.columns:
            may = f"may have {', '.join(optional)}, " if optional else ""
            raise StudyError(
                f"{path} lacks column {column!r}; it needs {', '.join(required)}, {may}"
                f"and has {', '.join(raw.columns)}.{nearest(column, raw.columns)}"
            )
    columns = [column for column in (*required, *optional) if column in raw.columns]
    table = raw.select(columns).with_row_index("row", offset=2)
    for column in columns:
        _refuse(table.filter(pl.col(column).is_null()), path, column, "a value; fill it in or delete the row")
    return table


def _with_truth(table: pl.DataFrame, path: str | Path) -> pl.DataFrame:
    known = pl.col("truth").cast(pl.Float64, strict=False).is_in([0.0, 1.0]).fill_null(False)
    _refuse(table.filter(~known), path, "truth", "1 (positive) or 0 (negative); correct it")
    return table.with_columns(pl.col("truth").cast(pl.Float64))


def _refuse(wrong: pl.DataFrame, path: str | Path, column: str, allowed: str) -> None:
    if wrong.height:
        row = wrong.row(0, named=True)
        value = "empty" if row[column] is None else repr(row[column])
        more = f" ({wrong.height} such rows)" if wrong.height > 1 else ""
        raise StudyError(f"{path}, row {row['row']}: {column} is {value}{more}; it must be {allowed}.")


def _check_once(ratings: pl.DataFrame, place: str) -> None:
    twice = ratings.group_by(_READING, maintain_order=True).agg("row").filter(pl.col("row").list.len() > 1)
    if twice.height:
        first = twice.row(0, named=True)
        rows, who = " and ".join(map(str, first["row"])), ", ".join(f"{name} {first[name]!r}" for name in _READING)
        raise StudyError(f"{place}, rows {rows} both hold {who}; a reading counts once, delete all but one.")


def _check_one_each(ratings: pl.DataFrame, place: str, whose: str, columns: Collection[str]) -> None:
    """A case has one truth and patient, a reader one experience and group."""
    for column in [name for name in columns if name in ratings.columns]:
        values = pl.col(column).unique(maintain_order=True)
        torn = ratings.group_by(whose, maintain_order=True).agg(values, "row").filter(pl.col(column).list.len() > 1)
        if torn.height:
            first = torn.row(0, named=True)
            found = " and ".join(repr(value) for value in first[column])
            row = first["row"][0]
            raise StudyError(
                f"{place}, row {row}: {whose} {first[whose]!r} has {column} {found}; a {whose} has one, correct it."
            )


def _check_modalities(ratings: pl.DataFrame, place: str) -> None:
    modalities = ratings["modality"].unique(maintain_order=True)
    if len(modalities) < 2:
        found = f"{len(modalities)} ({', '.join(map(repr, modalities))})"
        raise StudyError(f"{place} holds {found} modality; a comparison needs two, such as 'unaided' and 'aided'.")
    for reader, part in ratings.group_by("reader", maintain_order=True):
        lacking = [name for name in modalities if name not in part["modality"].to_list()]
        if lacking:
            raise StudyError(
                f"{place}: reader {reader[0]!r} has no reading in modality {lacking[0]!r}; "
                "every reader reads in every modality. Add the readings or leave the reader out."
            )
