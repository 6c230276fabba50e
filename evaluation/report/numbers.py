"""Numbers as a reader expects them: three decimals for AUCs, true minus signs, an en dash for what is missing."""

from __future__ import annotations

import math

Number = float | int | None

MISSING = "–"


def is_missing(value: Number) -> bool:
    """Whether there is nothing to print: null or NaN."""
    return value is None or math.isnan(value)


def fraction(value: Number) -> str:
    """An AUC, sensitivity or other share with three decimals."""
    return MISSING if is_missing(value) else f"{value:.3f}"


def interval(low: Number, high: Number) -> str:
    """Bounds of a share, joined by an en dash."""
    return MISSING if is_missing(low) or is_missing(high) else f"{low:.3f}–{high:.3f}"


def estimate(value: Number, low: Number, high: Number) -> str:
    """An estimate with its interval: 0.738 (0.714–0.762)."""
    return MISSING if is_missing(value) else f"{fraction(value)} ({interval(low, high)})"


def signed(value: Number) -> str:
    """A difference with its sign; what rounds to zero has none."""
    if value is None or math.isnan(value):
        return MISSING
    digits = f"{abs(value):.3f}"
    if float(digits) == 0:
        return digits
    return f"{'−' if value < 0 else '+'}{digits}"


def signed_interval(low: Number, high: Number) -> str:
    """Bounds of a difference, joined by "to": a dash beside minus signs is misread."""
    return MISSING if is_missing(low) or is_missing(high) else f"{signed(low)} to {signed(high)}"


def plain(value: Number, digits: int = 3) -> str:
    """A number that may have any size or sign; a true minus, an infinity sign."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else _infinite(value)


def bounds(low: Number, high: Number, digits: int = 3) -> str:
    """Bounds of any number: joined by an en dash, or by "to" where a minus sign stands beside it."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return MISSING
    return f"{plain(low, digits)}{' to ' if low < 0 else '–'}{plain(high, digits)}"


def percent(value: Number) -> str:
    """A share in percent, with a decimal where there is one."""
    return MISSING if value is None or math.isnan(value) else f"{100 * value:.1f}".removesuffix(".0") + "%"


def p_value(value: Number) -> str:
    """A p value with three decimals, "<0.001" below."""
    if value is None or math.isnan(value):
        return MISSING
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def p_equation(value: Number) -> str:
    """A p value inside a sentence, kept on one line: p = 0.037, p < 0.001."""
    text = p_value(value)
    return f"p\u00a0<\u00a0{text[1:]}" if text.startswith("<") else f"p\u00a0=\u00a0{text}"


def count(value: Number) -> str:
    """A plain count."""
    return MISSING if value is None or math.isnan(value) else str(round(value))


def scientific(value: Number) -> str:
    """A learning rate or another number whose size matters more than its digits: three of them."""
    return MISSING if value is None or math.isnan(value) else f"{value:.3g}".replace("-", "−")


def threshold(value: Number) -> str:
    """A threshold on a score, four decimals; infinite where nobody is called positive."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:.4f}" if math.isfinite(value) else _infinite(value)


def duration(seconds: Number) -> str:
    """Seconds in the unit a person would use."""
    if seconds is None or math.isnan(seconds):
        return MISSING
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds else "0"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def plural(number: int, noun: str) -> str:
    """A count with its noun: 1 cell, 2 cells."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _infinite(value: float) -> str:
    return "∞" if value > 0 else "−∞"
