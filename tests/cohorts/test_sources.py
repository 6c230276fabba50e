"""Folders of centers and corpora: what is accepted, and the sentence for what is not."""

from __future__ import annotations

import pytest

from cohorts.sources import SOURCES
from cohorts.sources.class_folders import read_class_folders
from cohorts.sources.folder import read_folder
from cohorts.sources.limit import limit_classes
from search_spaces.errors import StudyError
from tests.cohorts.making import dicom, radiograph, ramp, write_center, write_csv, write_png

HEADER = "file,patient_id,label\n"


@pytest.fixture
def center(tmp_path):
    return write_center(tmp_path / "center_a", ["benign", "malignant"])


def refusal(folder, read=read_folder) -> str:
    with pytest.raises(StudyError) as caught:
        read(folder)
    return str(caught.value).replace(f"{folder}/", "").replace(f"{folder}", "FOLDER")


def write_labels(center, text):
    (center / "labels.csv").write_text(text, encoding="utf-8")


def write_boxes(center, *rows, header="file,x,y,width,height"):
    (center / "boxes.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")


def test_labels_and_optional_columns_are_read(center):
    write_labels(center, "file,patient_id,label,view,age,sex\n0.png, p0 ,benign,AP,52.5,F\n1.png,p1,malignant,,,\n")

    rows = read_folder(center).rows.rows()

    assert rows == [("0.png", "p0", "benign", "AP", 52.5, "F"), ("1.png", "p1", "malignant", None, None, None)]


def test_a_byte_order_mark_and_extra_columns_do_no_harm(center):
    write_labels(center, '\ufefffile,note,patient_id,label\n0.png,"a, b",p0,benign\n./1.png,,p1,malignant\n\n')

    assert read_folder(center).rows["file"].to_list() == ["0.png", "1.png"]


def test_boxes_are_read_with_their_lines(center):
    write_boxes(center, "0.png,tumor,1,2.5,3,4", header="file,finding,x,y,width,height")

    assert read_folder(center).boxes.rows() == [("0.png", 1.0, 2.5, 3.0, 4.0, 2)]


def test_hidden_files_texts_and_the_dicomdir_are_no_images(center):
    for name in (".hidden.png", "notes.txt", "DICOMDIR", "README"):
        (center / name).write_bytes(b"text")
    (center / ".cache").mkdir()
    write_png(center / ".cache" / "2.png", radiograph(2))

    assert read_folder(center).rows.height == 2


@pytest.mark.parametrize("name", ["IM0001", "1.2.840.10008.7", "x.DCM"])
def test_an_unlabeled_image_is_refused_whatever_its_name(center, name):
    (center / name).write_bytes(dicom(ramp()))

    assert refusal(center) == f"labels.csv: has no row for the image '{name}'; add its row or move the image away."


def test_a_missing_labels_csv_is_named(tmp_path):
    assert refusal(tmp_path) == (
        "labels.csv: there is no such file; a center needs a labels.csv with the columns file, patient_id and label."
    )


def test_a_missing_folder_is_named(tmp_path):
    assert refusal(tmp_path / "x").startswith("FOLDER: there is no such folder; ")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "file,patient,label\n0.png,p,b\n",
            "labels.csv: has no column `patient_id`; it has file, patient, label, needed are file, patient_id, label; "
            "add the column. Did you mean 'patient'?",
        ),
        (
            "file;patient_id;label\n",
            "labels.csv: has no column `file`; it has file;patient_id;label, needed are file, patient_id, label; "
            "add the column. Cells are separated by commas.",
        ),
        ("", "labels.csv: has no column `file`; it has nothing, needed are file, patient_id, label; add the column."),
        ("file,file,patient_id,label\n", "labels.csv: has two columns `file`; rename or remove one of them."),
        (HEADER, "labels.csv: has no rows; add one row per image with file, patient_id and label."),
        (
            HEADER + "0.png,p0,benign\n2.png,p2,benign\n",
            "labels.csv, line 3: `file` is '2.png', but there is no such file; add the image or remove the row.",
        ),
        (
            HEADER + "0.png,p0,benign\n0.png,p0,benign\n",
            "labels.csv, line 3: `file` is '0.png' as in line 2, each file has one row; remove one of them.",
        ),
        (
            HEADER + "0.png,,benign\n",
            "labels.csv, line 2: `patient_id` is empty, every row needs one; fill it in or remove the row.",
        ),
        (
            HEADER + "0.png,p0,  \n",
            "labels.csv, line 2: `label` is empty, every row needs one; fill it in or remove the row.",
        ),
        (
            HEADER + "../0.png,p0,benign\n",
            "labels.csv, line 2: `file` is '../0.png', allowed are paths inside the folder of the center; correct the "
            "path.",
        ),
        (
            HEADER + "/etc/0.png,p0,benign\n",
            "labels.csv, line 2: `file` is '/etc/0.png', allowed are paths inside the folder of the center; correct "
            "the path.",
        ),
        (
            "file,patient_id,label,age\n0.png,p0,benign,58Y\n",
            "labels.csv, line 2: `age` is '58Y', allowed is a number of years; correct it.",
        ),
        (
            HEADER + "0.png,p0,benign,more\n",
            "labels.csv, line 2: has 4 cells, the header has 3; quote cells that hold commas.",
        ),
    ],
)
def test_a_mistake_in_labels_csv_is_one_sentence(center, text, sentence):
    write_labels(center, text)

    assert refusal(center) == sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("2.png,1,1,2,2", "`file` is '2.png', which has no row in labels.csv; add that row or remove the box."),
        ("0.png,1,1,0,2", "`width` is '0', allowed is a number of pixels above 0; correct it."),
        ("0.png,1,1,2,-1", "`height` is '-1', allowed is a number of pixels above 0; correct it."),
        ("0.png,left,1,2,2", "`x` is 'left', allowed is a number of pixels; correct it."),
        ("0.png,1,nan,2,2", "`y` is 'nan', allowed is a number of pixels; correct it."),
        ("0.png,1,,2,2", "`y` is empty, every row needs one; fill it in or remove the row."),
    ],
)
def test_a_mistake_in_boxes_csv_is_one_sentence(center, row, sentence):
    write_boxes(center, "0.png,1,1,2,2", row)

    assert refusal(center) == f"boxes.csv, line 3: {sentence}"


def test_text_in_another_encoding_is_refused(center):
    (center / "labels.csv").write_bytes((HEADER + "0.png,p0,gutartig-ä\n").encode("latin-1"))

    assert refusal(center) == "labels.csv: is not UTF-8 text; save it again as CSV with UTF-8 encoding."


def test_a_class_folder_s_name_is_the_label(tmp_path):
    for name in ("Hand/1.png", "Hand/more/2.png", "Chest/3.png"):
        write_png(tmp_path / name, radiograph(0))

    rows = read_class_folders(tmp_path).rows

    assert rows["label"].to_list() == ["Chest", "Hand", "Hand"]
    assert rows["patient_id"].n_unique() == 3


def test_images_beside_class_folders_are_refused(tmp_path):
    write_png(tmp_path / "Hand" / "1.png", radiograph(0))
    write_png(tmp_path / "2.png", radiograph(0))

    assert refusal(tmp_path, read_class_folders).startswith("2.png: lies beside the class folders (1 such files), ")


def test_an_empty_corpus_is_refused(tmp_path):
    assert refusal(tmp_path, read_class_folders).startswith("FOLDER: holds no images ")


def make_classes(folder, **counts):
    for label, count in counts.items():
        for number in range(count):
            write_png(folder / label / f"{number}.png", radiograph(0, 4, 4))
    return SOURCES["class_folders"](folder)


def test_a_limit_takes_the_same_number_of_each_class(tmp_path):
    listing = make_classes(tmp_path, a=9, b=5, c=7)

    limited = limit_classes(listing, 10, seed=0).rows

    assert limited["label"].value_counts().sort("label").rows() == [("a", 3), ("b", 3), ("c", 3)]
    assert limit_classes(listing, 10, seed=0).rows.equals(limited)
    assert not limit_classes(listing, 10, seed=1).rows.equals(limited)


def test_the_smallest_class_bounds_a_limit(tmp_path):
    assert limit_classes(make_classes(tmp_path, a=9, b=2), 10, seed=0).rows.height == 4


def test_no_limit_or_a_large_one_keeps_everything(tmp_path):
    listing = make_classes(tmp_path, a=3, b=2)

    assert limit_classes(listing, None, seed=0).rows.height == 5
    assert limit_classes(listing, 5, seed=0).rows.height == 5


def test_a_limit_below_the_number_of_classes_is_refused(tmp_path):
    listing = make_classes(tmp_path, a=2, b=2)

    with pytest.raises(StudyError, match="`limit` is 1, but there are 2 classes; allowed is at least 2"):
        limit_classes(listing, 1, seed=0)


def test_boxes_of_dropped_images_are_dropped(tmp_path):
    center = write_center(tmp_path / "c", ["a", "a", "b", "b"])
    write_csv(center / "boxes.csv", [{"file": f"{n}.png", "x": 1, "y": 1, "width": 2, "height": 2} for n in range(4)])

    limited = limit_classes(read_folder(center), 2, seed=0)

    assert set(limited.boxes["file"]) == set(limited.rows["file"])
