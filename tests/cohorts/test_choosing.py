from __future__ import annotations

import polars as pl

from cohorts.choosing import chosen


def images(**centers: int) -> pl.DataFrame:
    rows = [(center, f"{center}-{number}") for center, count in centers.items() for number in range(count)]
    return pl.DataFrame(rows, schema=["center", "image"], orient="row")


def test_every_center_gives_at_most_so_many_images() -> None:
    found = chosen(images(a=30, b=5), 10, "study")

    assert dict(found.group_by("center").len().rows()) == {"a": 10, "b": 5}


def test_without_a_number_all_images_are_chosen() -> None:
    assert chosen(images(a=30), None, "study").equals(images(a=30))


def test_the_choice_depends_on_names_and_study_but_not_on_the_order() -> None:
    every = images(a=30)
    shuffled = every.sample(fraction=1, shuffle=True, seed=1)

    first, again, other = (chosen(table, 10, name) for table, name in ((every, "x"), (shuffled, "x"), (every, "y")))

    assert set(first["image"]) == set(again["image"])
    assert set(first["image"]) != set(other["image"])


def test_more_images_of_a_center_exchange_few_of_those_that_were_chosen() -> None:
    before, after = (set(chosen(images(a=count), 10, "study")["image"]) for count in (100, 110))

    assert len(before & after) >= 8


def test_fewer_images_are_a_part_of_more() -> None:
    few, many = (set(chosen(images(a=30), count, "study")["image"]) for count in (5, 10))

    assert few < many
