from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.main import get_command

from orchestrator.cli import app
from search_spaces.backbones import TIMM_MODELS
from search_spaces.hyperparameters import SPACES
from search_spaces.initialization import INITIALIZATIONS
from search_spaces.study import StudySpec, load_study

ROOT = Path(__file__).resolve().parent.parent
STUDY_FILE = (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def code_in(text: str) -> str:
    """Fenced blocks and `spans`, where a command is meant and not the verb."""
    blocks = [block for _, block in FENCED.findall(text)]
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", FENCED.sub("", text))])


def fields(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        path = f"{place}{name}"
        yield path, field
        for inner in models_in(field.annotation):
            yield from fields(inner, f"{path}.")


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def row_of(path: str) -> str:
    """The line of the table that describes a field, or nothing."""
    first, _, rest = path.partition(".")
    heading, name = (f"`{first}`", rest) if rest and f"## `{first}`\n" in STUDY_FILE else ("The study", path)
    section = STUDY_FILE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return next((line for line in section.splitlines() if line.startswith(f"| `{name}` |")), "")


FIELDS = list(fields(StudySpec))
EXAMPLES = [
    (page.name, code)
    for page in PAGES
    if page.parent.name == "statistics"
    for kind, code in FENCED.findall(page.read_text(encoding="utf-8"))
    if kind == "python"
]
STUDIES = [block for kind, block in FENCED.findall(STUDY_FILE) if kind == "yaml" and re.search(r"^name:", block, re.M)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_a_page_names_is_in_the_makefile(page):
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code_in(page.read_text(encoding="utf-8"))))

    assert named <= targets


def test_the_readme_names_every_make_target_that_help_lists():
    listed = re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [target for target in listed if f"`make {target}`" not in readme] == []


@pytest.mark.parametrize("path", sorted({path for path, _ in FIELDS}))
def test_every_field_of_a_study_file_is_described_at_its_place(path):
    assert row_of(path), f"docs/study-file.md describes no {path}"


@pytest.mark.parametrize(("path", "field"), FIELDS, ids=[path for path, _ in FIELDS])
def test_the_default_of_every_plain_field_stands_in_its_row(path, field):
    if field.is_required() and not path.endswith("kind"):  # kfold is the default kind, holdout is asked for by name
        assert "required" in row_of(path) or "thresholds." in path
    elif isinstance(field.default, str | float | int) and field.default != "":
        plain = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
        shown = re.escape(f"{field.default:g}" if isinstance(field.default, float) else plain)
        assert re.search(rf"(?<![\w.]){shown}(?![\w.])", row_of(path))


@pytest.mark.parametrize("study", STUDIES, ids=[study.splitlines()[0] for study in STUDIES])
def test_every_study_shown_in_the_documentation_loads(study, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(study, encoding="utf-8")

    assert load_study(path).arms


def test_the_study_shown_in_the_readme_loads(tmp_path):
    (study,) = [
        text for kind, text in FENCED.findall((ROOT / "README.md").read_text(encoding="utf-8")) if kind == "yaml"
    ]
    path = tmp_path / "study.yaml"
    path.write_text(study, encoding="utf-8")

    assert load_study(path).arms


@pytest.mark.parametrize(("page", "code"), EXAMPLES, ids=[page for page, _ in EXAMPLES])
def test_every_example_of_the_statistics_runs_on_its_own(page, code):
    assert "assert " in code, "an example shows its values by asserting them"
    exec(compile(code, page, "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_finds_it(page):
    links = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", FENCED.sub("", page.read_text(encoding="utf-8")))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]

    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_hyperparameter_and_init_has_a_row_with_its_default():
    rows = STUDY_FILE.split("| Hyperparameter |")[1].replace("5e-4", "0.0005").splitlines()
    for name, entry in [pair for space in SPACES.values() for pair in space.items()]:
        plain = f"{entry.default:g}" if isinstance(entry.default, float) else entry.default
        row = next(line for line in rows if line.startswith(f"| `{name}` |"))
        assert (plain or "the arm's") in row.split("|")[4]
    for init in INITIALIZATIONS:
        assert f"| `{init}` |" in STUDY_FILE


def test_the_names_of_timm_are_those_of_the_timm_that_is_installed():
    from trainables.catalogue import rows

    published = {name: (size, mean, std) for name, size, mean, std in rows()}
    written = {
        name: (known.input_size, *(" ".join(f"{number:g}" for number in part) for part in (known.mean, known.std)))
        for name, known in TIMM_MODELS.items()
    }

    assert written == published


def commands_in(text: str) -> list[list[str]]:
    """The words of every `osteogrid …` that a page shows, with lines that a backslash continues."""
    code = code_in(text).replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ").removeprefix(".venv/bin/") for line in code.splitlines()]
    return [line.split("#")[0].split()[1:] for line in lines if re.match(r"osteogrid [a-z<]", line)]


def parser_of(words: list[str]) -> Any:
    """The command that the first words name, through groups such as `weights add`."""
    found: Any = get_command(app)
    for word in words:
        if not hasattr(found, "commands"):
            break
        found = found.commands[word]
    return found


SHOWN = sorted({(page.name, " ".join(words)) for page in PAGES for words in commands_in(page.read_text("utf-8"))})


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=[f"{page}: {line[:60]}" for page, line in SHOWN])
def test_every_command_that_a_page_shows_exists_with_its_options(page, line):
    words = [word.strip(",.;") for word in line.split()]
    command = parser_of(words)
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}

    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known | {"--help"}
