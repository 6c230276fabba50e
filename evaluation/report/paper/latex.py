"""Texts for LaTeX: every character that would be a command is escaped, signs become those of mathematics."""

from __future__ import annotations

import unicodedata

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    '"': "''",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≠": r"$\neq$",
    "∞": r"$\infty$",
    "→": r"$\rightarrow$",
    "τ": r"$\tau$",
    "κ": r"$\kappa$",
    "χ": r"$\chi$",
    "Δ": r"$\Delta$",
    "²": r"\textsuperscript{2}",
    "′": r"$'$",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "\u00a0": "~",
    "\u2002": r"\enspace{}",
    "\u2009": r"\,",
    "\u200b": "",
    "\n": " ",
}


def escape(text: str) -> str:
    """A text as LaTeX prints it; letters beyond its fonts are left alone, and need LuaLaTeX or XeLaTeX."""
    return "".join(_SPECIAL.get(character, character) for one in text for character in _spelled(one))


def _spelled(character: str) -> str:
    """Fractions and raised numbers in plain digits."""
    if character in _SPECIAL or unicodedata.category(character) != "No":
        return character
    return unicodedata.normalize("NFKC", character).replace("\u2044", "/")
