"""What every cell started from and what its certificates prove, and certificates that contradict each other."""

from __future__ import annotations

from evaluation.report.context import ReportContext
from evaluation.report.display import Column, Entry, Facts, Group, Part, Table, filled, headings_of, lines, text
from evaluation.report.names import cell_heading
from evaluation.report.numbers import MISSING, count, fraction, plural, scientific

EXPLANATION = (
    "Read back from the live objects of each training; of several replicates the least favorable number stands. "
    "Loaded: tensors of the backbone that the file gave. Checked: what the certificates of all replicates prove; a "
    "training that is not what its cell says is never published."
)
KINDS = {"alike": "trained alike", "start": "started alike", "source": "one file under two names"}


def certificates(context: ReportContext) -> Table:
    """One row per cell, over its published replicates."""
    parts = (
        Part(Column("Cell"), lambda row: cell_heading(context, row["cell"])),
        Part(Column("Init"), lambda row: Entry(text(row["init"]), (plural(row["replicates"], "replicate"),))),
        Part(Column("Source", title="below: the file, the start of its SHA-256, what it was trained on"), _source),
        Part.number("Tensors", _loaded, "loaded", title="of the backbone, from the file"),
        Part.number("Parameters", _parameters, "trained"),
        Part(Column("Training", title="as it stood when the first step was taken"), _training),
        Part(Column("Checked"), _checked),
        Part(Column("License"), _license),
    )
    return Table(
        id="certificates",
        caption="What was loaded before the first step, and what was proven",
        columns=headings_of(parts),
        groups=(Group(None, filled(context.certificates, parts)),),
        csv="certificates",
        explanation=EXPLANATION,
        empty="No certificate: nothing has been trained.",
    )


def findings(context: ReportContext) -> Table:
    """Pairs of jobs whose certificates cannot both be true."""
    parts = (
        Part(Column("Job"), lambda row: text(row["first"])),
        Part(Column("and"), lambda row: text(row["second"])),
        Part(Column("Found"), lambda row: Entry(KINDS[row["kind"]], tone="caution")),
        Part(Column("What is wrong"), lambda row: text(row["sentence"])),
    )
    return Table(
        id="findings",
        caption="Certificates that contradict each other",
        columns=headings_of(parts),
        groups=(Group(None, filled(context.findings, parts)),),
        csv="findings",
        empty="None: no two jobs trained alike, started alike or loaded one file under two names.",
    )


def _source(row: Facts) -> Entry:
    digest = row["sha256"] or ""
    trained_on = (row["trained_on"] or "").rsplit(", ", 1)
    return Entry(text(row["source"]), lines(text(row["file"]), digest[:12], *trained_on), title=digest)


def _loaded(row: Facts) -> Entry:
    others = ("reshaped", "missing", "left_over")
    counted = [f"{count(row[f'tensors_{name}'])} {name.replace('_', ' ')}" for name in others if row[f"tensors_{name}"]]
    share = f"share {fraction(row['share'])}" if row["tensors_loaded"] else ""
    return Entry(count(row["tensors_loaded"]), lines(share, *counted))


def _parameters(row: Facts) -> Entry:
    frozen = f"{count(row['frozen_parameters'])} frozen" if row["frozen_parameters"] else ""
    return Entry(count(row["trainable_parameters"]), lines(frozen))


def _training(row: Facts) -> Entry:
    """The live optimizer, where the pixels lie, in which precision, and whether memory did not suffice."""
    times = row["out_of_memory"] or 0
    rates = {"rate": row["learning_rate"], "decay": row["weight_decay"]}
    said = lines(
        ", ".join(f"{name} {scientific(rate)}" for name, rate in rates.items() if rate is not None),
        f"pixels: {row['pixels']}" if row["pixels"] else "",
        ", ".join(lines(row["precision"] or "", row["pace"] or "")),
        f"out of memory {plural(times, 'time')}, went on in smaller parts" if times else "",
    )
    return Entry(text(row["optimizer"]), said, tone="caution" if times else "")


def _checked(row: Facts) -> Entry:
    proven = [part for part in (row["checked"] or "").split("; ") if part]
    if row["unproven"]:
        return Entry(f"not proven: {row['unproven']}", tuple(proven), tone="caution")
    return Entry(proven[0], tuple(proven[1:])) if proven else Entry(MISSING)


def _license(row: Facts) -> Entry:
    use = f"commercial: {row['commercial_use']}" if row["commercial_use"] else ""
    return Entry(text(row["license"]), lines(use), tone="caution" if row["commercial_use"] == "no" else "")
