"""Reader files: what is read, and the sentence that names each mistake."""

from __future__ import annotations

import polars as pl
import pytest

from evaluation.readers import RATINGS, load_readers
from search_spaces.errors import StudyError

HEADER = "reader,case,modality,rating,patient,truth"
LINES = ("A,1,without AI,2,p1,1", "A,1,with AI,4.5,p1,1", "B,1,without AI,3,p1,1", "B,1,with AI,5,p1,1")


@pytest.fixture
def write(tmp_path):
    def written(*lines, header=HEADER):
        path = tmp_path / "readers.csv"
        path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
        return path

    return written


def test_a_file_becomes_the_schema_in_the_order_of_its_rows(write):
    found = load_readers(write(*LINES))

    assert dict(found.schema) == {name: RATINGS[name] for name in HEADER.split(",")}
    assert found["rating"].to_list() == [2, 4.5, 3, 5]
    assert found["case"].to_list() == ["1"] * 4


def test_patient_and_truth_may_be_absent_and_other_columns_are_ignored(write):
    found = load_readers(write("A,1,a,2,x", "A,1,b,4,y", header="reader,case,modality,rating,seconds"))

    assert found.columns == ["reader", "case", "modality", "rating"]


def test_blanks_around_values_and_capitals_in_the_header_do_not_matter(write):
    found = load_readers(write(" A , 1, a , 2", "A,1,b,3", header="Reader, Case,Modality,RATING"))

    assert found.row(0) == ("A", "1", "a", 2.0)


def test_a_column_named_row_is_no_obstacle(write):
    assert load_readers(write("A,1,a,2,9", "A,1,b,4,9", header="reader,case,modality,rating,row")).height == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("B,1,with AI,high,p1,1", r"row 5: rating is 'high'; it must be a number; correct it or delete the row"),
        ("B,1,with AI,nan,p1,1", r"row 5: rating is 'nan'; it must be a number"),
        ("B,1,with AI,,p1,1", r"row 5: rating is empty; it must be a value; fill it in or delete the row"),
        (",1,with AI,5,p1,1", r"row 5: reader is empty"),
        (
            "=cmd(),1,with AI,5,p1,1",
            r"row 5: reader is '=cmd\(\)'; it must be a name that does not begin with =, \+, -",
        ),
        ("B,1,+AI,5,p1,1", r"row 5: modality is '\+AI'; it must be a name"),
        ("B, ,with AI,5,p1,1", r"row 5: case is empty"),
        ("B,1,with AI,5,,1", r"row 5: patient is empty"),
        ("B,1,with AI,5,p1,2", r"row 5: truth is '2'; it must be 1 \(positive\) or 0 \(negative\); correct it"),
        ("B,1,with AI,5,p1,yes", r"row 5: truth is 'yes'"),
        ("B,1,with AI,5,p1,0", r"row 2: case '1' has truth 1 and 0; a case has one, correct it"),
        ("B,1,with AI,5,p2,1", r"row 2: case '1' has patient 'p1' and 'p2'; a case has one"),
        (
            "B,1,without AI,5,p1,1",
            r"rows 4 and 5 both hold reader 'B', case '1', modality 'without AI'; a reading counts",
        ),
    ],
)
def test_a_wrong_value_is_named_with_file_row_and_what_is_allowed(write, line, message):
    path = write(*LINES[:3], line)

    with pytest.raises(StudyError, match=message) as caught:
        load_readers(path)

    assert str(path) in str(caught.value)


def test_several_wrong_rows_are_counted(write):
    with pytest.raises(StudyError, match=r"row 2: rating is 'x' \(2 such rows\)"):
        load_readers(write("A,1,a,x,p,1", "A,1,b,y,p,1"))


def test_a_missing_column_is_named_with_the_nearest_one(write):
    with pytest.raises(StudyError, match=r"lacks column 'modality'; it needs .*Did you mean 'modalty'"):
        load_readers(write("A,1,a,2", header="reader,case,modalty,rating"))


def test_one_modality_is_no_comparison(write):
    with pytest.raises(StudyError, match=r"holds 1 \('a'\) modality; a comparison needs two"):
        load_readers(write("A,1,a,2,p,1", "B,1,a,2,p,1"))


def test_a_reader_without_any_reading_in_a_modality_is_refused(write):
    with pytest.raises(StudyError, match="reader 'B' has no reading in modality 'with AI'"):
        load_readers(write(*LINES[:3]))


def test_a_case_that_one_reader_missed_is_no_mistake_of_the_file(write):
    assert load_readers(write(*LINES, "A,2,with AI,3,p2,0")).height == 5


def test_files_that_are_absent_empty_or_no_text_are_refused(tmp_path):
    empty, binary = tmp_path / "empty.csv", tmp_path / "binary.csv"
    empty.write_text("")
    binary.write_bytes(b"reader,case\n\xff\xfe\x00,1\n")

    for path in (tmp_path / "absent.csv", empty, binary):
        with pytest.raises(StudyError, match=r"\.csv"):
            load_readers(path)


def test_a_file_with_a_header_only_holds_no_modality(write):
    with pytest.raises(StudyError, match="holds 0"):
        load_readers(write())


def test_the_frame_goes_back_to_an_equal_file(write, tmp_path):
    found = load_readers(write(*LINES))
    found.write_csv(tmp_path / "again.csv")

    assert load_readers(tmp_path / "again.csv").equals(found)
    assert isinstance(found, pl.DataFrame)


def test_what_a_reader_is_stands_in_columns_of_its_own_and_is_one_thing(write):
    header = "reader,case,modality,rating,experience,group"
    lines = ("A,1,a,2,10,resident", "A,1,b,4,10,resident", "B,1,a,2,none,staff", "B,1,b,4,none,staff")

    assert load_readers(write(*lines, header=header))["experience"].to_list() == ["10", "10", "none", "none"]
    with pytest.raises(StudyError, match=r"row 2: reader 'A' has experience '10' and '11'; a reader has one"):
        load_readers(write(lines[0], "A,1,b,4,11,resident", *lines[2:], header=header))
