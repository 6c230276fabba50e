"""The pixel store and the ways to make images smaller."""

from __future__ import annotations

import pickle

import numpy as np
import polars as pl
import pytest

from cohorts.pixels import PixelStore, PixelWriter
from cohorts.resize import difference_hash, shrink
from tests.cohorts.making import radiograph, ramp


def make_store(folder, images):
    rows = []
    with PixelWriter(folder) as writer:
        for name, values in images.items():
            height, width = values.shape
            rows.append({"image": name, "offset": writer.append(values), "height": height, "width": width})
    pl.DataFrame(rows).write_parquet(folder / "images.parquet")
    return PixelStore(folder)


def test_images_of_different_sizes_come_back_as_written(tmp_path):
    images = {"a": ramp(height=3, width=5), "b": ramp(height=7, width=2), "c": ramp(height=1, width=1)}
    store = make_store(tmp_path, images)

    for name, values in images.items():
        np.testing.assert_array_equal(store.read(name), values)
    assert len(store) == 3
    assert "b" in store
    assert "d" not in store


def test_the_file_is_a_plain_npy_of_all_values(tmp_path):
    make_store(tmp_path, {"a": ramp(height=3, width=5), "b": ramp(height=7, width=2)})

    assert np.load(tmp_path / "pixels.npy").shape == (29,)


def test_stored_images_cannot_be_written_to(tmp_path):
    store = make_store(tmp_path, {"a": ramp()})

    with pytest.raises(ValueError, match="read-only"):
        store.read("a")[0, 0] = 1


def test_a_store_travels_to_another_process_as_its_folder(tmp_path):
    store = make_store(tmp_path, {"a": ramp(height=100)})
    store.read("a")

    sent = pickle.dumps(store)

    assert len(sent) < 500
    np.testing.assert_array_equal(pickle.loads(sent).read("a"), ramp(height=100))


def test_an_unknown_image_is_a_key_error(tmp_path):
    with pytest.raises(KeyError):
        make_store(tmp_path, {"a": ramp()}).read("b")


def test_shrinking_averages_areas():
    values = np.array([[0, 100, 200, 300], [100, 200, 300, 400]], np.uint16)

    assert shrink(values, 2).tolist() == [[100, 300]]


@pytest.mark.parametrize(("shape", "size", "expected"), [((100, 50), 20, (20, 10)), ((3, 900), 30, (1, 30))])
def test_the_longest_side_becomes_the_size(shape, size, expected):
    assert shrink(np.zeros(shape, np.uint16), size).shape == expected


def test_small_images_are_never_enlarged():
    assert shrink(ramp(), 64) is not None
    assert shrink(ramp(), 500).shape == ramp().shape


def test_the_difference_hash_tells_where_the_image_gets_brighter():
    rising = np.tile(np.arange(90, dtype=np.uint16), (80, 1))

    assert difference_hash(rising) == "f" * 16
    assert difference_hash(rising[:, ::-1].copy()) == "0" * 16


def test_the_difference_hash_survives_resizing():
    large = radiograph(3, 512, 400).astype(np.uint16) * 257
    first, second = (int(difference_hash(values), 16) for values in (large, shrink(large, 96)))

    assert (first ^ second).bit_count() <= 2
