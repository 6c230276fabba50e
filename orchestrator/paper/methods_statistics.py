"""Methods of statistics: thresholds, inference, families and what is computed beside, with the papers behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.report.names import ADJUSTMENTS
from orchestrator.paper.words import Section, cite, counted, listed, section
from search_spaces.study import SensitivityAtLeast, SpecificityAtLeast, StudySpec, Threshold

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext

ADJUSTED = {"holm": "holm1979", "hommel": "hommel1988", "bh": "benjamini1995"}
MCNEMAR = {
    "mid-p": ("mid-p", ("mcnemar1947", "fagerland2013")),
    "exact": ("exact", ("mcnemar1947",)),
    "chi2": ("chi-squared", ("mcnemar1947",)),
    "corrected": ("continuity-corrected chi-squared", ("mcnemar1947", "edwards1948")),
}
SMALLEST_CLASS = 5
"""Positives or negatives of the reserve below which every model chooses a threshold of its own."""


def decisions(study: StudySpec) -> Section:
    """Rules of the operating points, and how decisions are compared."""
    rules = [_rule(rule) for rule in study.analysis.thresholds]
    name, papers = MCNEMAR[study.analysis.mcnemar]
    source = (
        "They were chosen on the reserve, on the mean score of the replicates, and carried unchanged to the external "
        f"centers; where the reserve has fewer than {SMALLEST_CLASS} positives or negatives, each model chose on the "
        "patients it held out and the majority decided."
        if study.split.reserve
        else "Without a reserve, each model chose on the patients that it held out, and the majority decided."
    )
    return section(
        "thresholds",
        "Operating points",
        f"Thresholds: {listed(rules)}." if rules else "No operating point was planned.",
        f"{source} Thresholds chosen on the test images are shown beside and marked as optimistic." if rules else "",
        f"Sensitivity and specificity have exact intervals {cite('clopper1934')}." if rules else "",
        f"Paired decisions were compared by McNemar's test ({name}) {cite(*papers)} with Tango's interval "
        f"{cite('tango1998')}, by Durkalski's test {cite('durkalski2003')} where patients have several images of a "
        "class; PPV and NPV by a bootstrap of patients, with the tests of Leisenring, Kosinski, and Moskowitz and "
        f"Pepe beside {cite('leisenring2000', 'kosinski2013', 'moskowitz2006')}."
        if rules
        else "",
    )


def _rule(rule: Threshold) -> str:
    if isinstance(rule, SensitivityAtLeast):
        return f"the highest threshold with a sensitivity of at least {rule.sensitivity:g}"
    if isinstance(rule, SpecificityAtLeast):
        return f"the lowest threshold with a specificity of at least {rule.specificity:g}"
    return f"the largest Youden index {cite('youden1950')}"


def inference(study: StudySpec) -> Section:
    """The primary family, its test and its adjustment; AUCs of single cells."""
    plan = study.analysis
    where = "the external centers, pooled" if plan.primary.on == "external" else "the reserve"
    pairs = [f"{first} against {second}" for first, second in plan.primary.comparisons]
    named = [f"the {effect} effect" for effect in plan.primary.effects]
    margin = plan.primary.margin
    return section(
        "statistics",
        "Statistical analysis",
        f"Primary: difference of the AUC on {where}, {listed([*pairs, *named])}."
        if pairs or named
        else "No contrast was declared primary.",
        "The mean difference of single models was tested over cases and replicates (Obuchowski and Rockette with "
        "Hillis's degrees of freedom, folds as random readers, or seeds where there is one fold; cases only with fewer "
        f"than three models) {cite('obuchowski1995', 'hillis2007')}, with a two-way bootstrap beside "
        f"{cite('owen2007', 'rao1988')} ({plan.bootstrap.draws} draws, seed {plan.bootstrap.seed}).",
        "AUCs of cells and, as secondary, differences of their mean scores have DeLong's variance, or Obuchowski's for "
        f"clustered data where patients have several images {cite('delong1988', 'obuchowski1997', 'sun2014')}.",
        f"P values were adjusted within each family by the method of {ADJUSTMENTS[plan.adjust]} "
        f"{cite(ADJUSTED[plan.adjust])}; intervals are 95% intervals and not adjusted.",
        f"Non-inferiority was tested with a margin of {margin:g} on the AUC {cite('liu2006')}."
        if margin is not None
        else "",
        "AUCs, sensitivities, specificities and predictive values are of images. Several images of a patient count as "
        "one cluster in the variances of AUCs, in the tests of decisions and in every bootstrap, but as independent in "
        "exact intervals.",
    )


def calibration(context: ReportContext) -> Section:
    """Measures of calibration and recalibration, where a cell has any."""
    return section(
        "calibration",
        "Calibration",
        "Brier score, slope and intercept, observed to expected ratio and the integrated calibration index "
        f"{cite('brier1950', 'cox1958', 'austin2019')}, as predicted and after Platt and isotonic recalibration fitted "
        f"on the reserve {cite('platt1999', 'zadrozny2002')}."
        if context.seen.calibration.height
        else "",
    )


def heterogeneity(context: ReportContext) -> Section:
    """Summaries over external centers, where there are several."""
    return section(
        "heterogeneity",
        "Heterogeneity across centers",
        "External centers were summarized by random effects (REML, Hartung and Knapp) with prediction intervals, τ, I² "
        f"and Cochran's Q, and with each center left out {cite('hartung2001', 'higgins2002', 'cochran1954')}."
        if context.seen.heterogeneity.height
        else "",
    )


def summaries(study: StudySpec, context: ReportContext) -> Section:
    """Net benefit, subgroups, detection."""
    plan, seen = study.analysis, context.seen
    risks = listed(f"{risk:.0%}" for risk in plan.net_benefit)
    compared = f", with differences of net benefit at risks of {risks}" if plan.net_benefit else ""
    detects = any(arm.task == "detection" for arm in study.arms)
    return section(
        "secondary",
        "Usefulness, subgroups and detection",
        f"Decision curves {cite('vickers2006')}{compared}." if seen.decision_curves.height else "",
        f"Subgroups of the external images by {listed(plan.subgroups).replace('_', ' ')}, as far as these are known."
        if plan.subgroups and seen.subgroups.height
        else "",
        "Detectors were also judged by average precision, FROC, AFROC and weighted AFROC "
        f"{cite('lin2014', 'bunch1978', 'chakraborty2016')}."
        if detects
        else "",
    )


def robustness(study: StudySpec) -> Section:
    """Ladders of box perturbations of the plan."""
    told = []
    for arm in study.arms:
        ladder = getattr(arm, "robustness", None)
        if ladder is not None:
            steps = [
                f"{name} by {listed(f'{value:g}' for value in values)}"
                for name, values in (("shift", ladder.shift), ("scale", ladder.scale), ("aspect", ladder.aspect))
                if values
            ]
            few = f", at most {ladder.images} images per center" if ladder.images else ""
            told.append(
                f"{arm.name}: boxes were perturbed after training ({'; '.join(steps)}; "
                f"{counted(ladder.draws, 'draw')} of each shift{few})."
            )
    judged = (
        "Every cell got the same draws; stability was judged by the change of the AUC, of scores and of decisions, and "
        f"by the ICC {cite('mcgraw1996')}."
    )
    return section("robustness", "Robustness", *told, judged if told else "")


def explanations(study: StudySpec) -> Section:
    """Saliency of the plan."""
    told = []
    for arm in study.arms:
        saliency = getattr(arm, "saliency", None)
        if saliency is not None:
            few = f"at most {saliency.images} images per center" if saliency.images else "all images"
            sanity = (
                f"; networks with random weights were mapped for comparison {cite('adebayo2018')}"
                if saliency.sanity
                else ""
            )
            told.append(f"{arm.name}: Grad-CAM {cite('selvaraju2017')} of {few}, compared with the boxes{sanity}.")
    return section("saliency", "Saliency", *told)
