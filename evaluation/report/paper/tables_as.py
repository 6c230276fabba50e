"""A table of the paper as CSV, Markdown and LaTeX (booktabs, longtable), all of the same texts."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from io import StringIO
from textwrap import wrap

from evaluation.report.paper.columns import LETTER_MM, Columns, columns_for
from evaluation.report.paper.latex import escape
from evaluation.report.paper.sheets import Lines, Sheet, SheetRow

SPAN = 0.75
"""Share of a table's width that the heading of a group takes."""
LONGEST_LINE = 34
"""Letters of a quieter line in LaTeX."""
PACKAGES = ("booktabs", "longtable", "array", "pdflscape")


def as_csv(sheet: Sheet) -> str:
    """One line per row, quieter lines of a cell after semicolons; groups in a first column of their own."""
    written = StringIO()
    lines = csv.writer(written, lineterminator="\n")
    grouped = any(row.is_group for row in sheet.rows)
    lines.writerow((*(("Group",) if grouped else ()), *("; ".join(heading) for heading in sheet.headings)))
    group = ""
    for row in sheet.rows:
        if row.is_group:
            group = "; ".join(row.cells[0])
        else:
            lines.writerow((*((group,) if grouped else ()), *("; ".join(cell) for cell in row.cells)))
    return written.getvalue()


def as_markdown(sheet: Sheet) -> str:
    """A pipe table with its caption above, footnotes and notes below."""
    rule = "|".join(" ---: " if numeric else " --- " for numeric in sheet.numeric)
    lines = [
        f"**Table {sheet.number}.** {_plain(sheet.caption)}",
        "",
        _piped(sheet.headings),
        f"|{rule}|",
        *(_piped(_across(row, len(sheet.headings), bold=True)) for row in sheet.rows),
        "",
        *(f"[{letter}] {_plain(text)}  " for letter, text in sheet.marks),
        *("",) * bool(sheet.marks),
        *(f"{_plain(note)}  " for note in sheet.notes),
        f"Numbers in full: `{sheet.csv}` in the report's tables.",
    ]
    return "\n".join(lines) + "\n"


def _across(row: SheetRow, columns: int, *, bold: bool) -> tuple[Lines, ...]:
    if not row.is_group:
        return row.cells
    first, *rest = row.cells[0]
    return ((f"**{first}**" if bold else first, *rest), *(("",),) * (columns - 1))


def _piped(cells: tuple[Lines, ...]) -> str:
    return f"| {' | '.join('<br>'.join(_plain(line) for line in cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """Bars would end a cell; tags, links and emphasis of a name are no markup."""
    return re.sub(r"([\\|<>_`])", r"\\\1", text).replace("\n", " ")


def as_latex(sheet: Sheet) -> str:
    """One longtable, or several with the same first column where the columns do not fit a page."""
    narrow = _narrowed(sheet)
    return "\n".join(_part(narrow, columns) for columns in columns_for(narrow))


def _narrowed(sheet: Sheet) -> Sheet:
    """Quieter lines broken, so that a long one does not make its column wide."""

    def narrow(row: SheetRow) -> SheetRow:
        return row if row.is_group else replace(row, cells=tuple(_broken(cell) for cell in row.cells))

    headings = tuple(_broken(cell) for cell in sheet.headings)
    return replace(sheet, headings=headings, rows=tuple(narrow(row) for row in sheet.rows))


def _broken(cell: Lines) -> Lines:
    text, *details = cell
    return (text, *(line for detail in details for line in wrap(detail, LONGEST_LINE, break_long_words=False)))


def _part(sheet: Sheet, columns: Columns) -> str:
    head = _tabular_lines(tuple(sheet.headings[at] for at in columns.places))
    body = [line for row in sheet.rows for line in _body(row, columns)]
    label = f"tab:{sheet.stem.removeprefix('table-')}{columns.suffix}"
    below = [f"\\textsuperscript{{{letter}}} {escape(text)}" for letter, text in sheet.marks]
    below += [escape(note) for note in sheet.notes]
    table = [
        f"\\begin{{longtable}}{{{columns.spec}}}",
        f"\\caption{{{escape(sheet.caption + columns.caption)}}}\\label{{{label}}}\\\\",
        "\\toprule",
        *head,
        "\\midrule",
        "\\endfirsthead",
        "\\toprule",
        *head,
        "\\midrule",
        "\\endhead",
        "\\bottomrule",
        "\\endfoot",
        *body,
        "\\end{longtable}",
        "\\par\\noindent\\begin{minipage}{\\linewidth}\\raggedright\\scriptsize",
        *(f"{text}\\par" for text in below),
        "\\end{minipage}",
    ]
    inside = "\n".join(table)
    size = f"\\begingroup\\{columns.size}\\setlength{{\\tabcolsep}}{{3pt}}\n{inside}\n\\par\\endgroup"
    page = f"\\begin{{landscape}}\n{size}\n\\end{{landscape}}" if columns.landscape else size
    again = "\\addtocounter{table}{-1}\n" if columns.is_further else ""
    return f"% Table {sheet.number}; needs the packages {', '.join(PACKAGES)}.\n{again}{page}\n"


def _body(row: SheetRow, columns: Columns) -> list[str]:
    if row.is_group:
        first, *rest = (escape(line) for line in row.cells[0])
        small = f" {{\\scriptsize {'; '.join(rest)}}}" if rest else ""
        # A cell as wide as the table would stretch its last column, since widths are estimated.
        fits = LETTER_MM[columns.size] * sum(len(line) for line in row.cells[0]) < SPAN * columns.width_mm
        column = "@{}l" if fits else f"@{{}}p{{{SPAN * columns.width_mm:.0f}mm}}"
        wide = f"\\multicolumn{{{len(columns.places)}}}{{{column}}}"
        return [f"\\addlinespace {wide}{{\\textbf{{{first}}}{small}}}\\\\*"]
    lines = _tabular_lines(tuple(row.cells[at] for at in columns.places))
    return [*lines, "\\addlinespace[2pt]"] if len(lines) > 1 else lines


def _tabular_lines(cells: tuple[Lines, ...]) -> list[str]:
    """A line for the texts and one for each quieter line below; a page never breaks between them."""
    deepest = max(len(cell) for cell in cells)
    lines = [" & ".join(_line(cell, depth) for cell in cells) for depth in range(deepest)]
    return [f"{line}\\\\*" for line in lines[:-1]] + [f"{lines[-1]}\\\\"]


def _line(cell: Lines, depth: int) -> str:
    if depth >= len(cell) or not cell[depth]:
        return ""
    text = escape(cell[depth])
    marked = re.sub(r" \[([a-z]+)\]$", r"\\textsuperscript{\1}", text)
    return f"{{\\scriptsize {marked}}}" if depth else marked
