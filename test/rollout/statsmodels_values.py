"""What SciPy and statsmodels say of the cases in a JSON file: python statsmodels_values.py CASES RESULTS."""

import json
import math
import sys

import numpy as np
from scipy import stats
from statsmodels.stats import multitest, power, proportion, weightstats


def shift(a, b, confidence):
    """The shifts that SciPy's Mann-Whitney test does not reject, among the differences of all pairs."""
    a, b = np.array(a), np.array(b)
    d = np.unique(np.subtract.outer(a, b))
    eps = np.min(np.diff(d)) / 2 if len(d) > 1 else 1e-9
    alpha = 1 - confidence

    def rejected(at, side):
        return (
            stats.mannwhitneyu(a - at, b, alternative=side, method="asymptotic").pvalue <= alpha / 2
        )

    def first(found):
        low, high = 0, len(d) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if found(middle) else (middle + 1, high)
        return low

    low = first(lambda i: not rejected(d[i] + eps, "greater"))
    high = len(d) - 1 - first(lambda i: not rejected(d[len(d) - 1 - i] - eps, "less"))
    return [float(np.median(np.subtract.outer(a, b))), float(d[low]), float(d[high])]


def both_proportions(ka, na, kb, nb, confidence):
    low, high = proportion.confint_proportions_2indep(
        ka, na, kb, nb, method="newcomb", compare="diff", alpha=1 - confidence
    )
    return [ka / na - kb / nb, low, high]


def welch(a, b, confidence):
    means = weightstats.CompareMeans(
        weightstats.DescrStatsW(np.array(a)), weightstats.DescrStatsW(np.array(b))
    )
    low, high = means.tconfint_diff(alpha=1 - confidence, usevar="unequal")
    return [float(np.mean(a) - np.mean(b)), low, high]


def means_size(sd, difference, alpha, wanted):
    return power.NormalIndPower().solve_power(
        effect_size=difference / sd, alpha=alpha, power=wanted, ratio=1, alternative="two-sided"
    )


def proportions_size(p, q, alpha, wanted):
    return proportion.samplesize_proportions_2indep_onetail(q - p, p, wanted, ratio=1, alpha=alpha)


def main():
    with open(sys.argv[1]) as f:
        c = json.load(f)
    out = {
        "two_sided": [
            list(map(float, stats.mannwhitneyu(s["a"], s["b"], alternative="two-sided")))
            for s in c["samples"]
        ],
        "shifts": [shift(s["a"], s["b"], 0.98) for s in c["samples"] if len(s["a"]) >= 50],
        "welch": [welch(s["a"], s["b"], 0.98) for s in c["samples"] if len(s["a"]) > 2],
        "wilson": [
            list(proportion.proportion_confint(k, n, alpha=0.02, method="wilson"))
            for k, n, _, _ in c["shares"]
        ],
        "newcombe": [both_proportions(*s, 0.98) for s in c["shares"]],
        "ratio": [
            list(map(float, stats.chisquare(k, np.array(w) / np.sum(w) * np.sum(k))))
            for k, w in c["ratios"]
        ],
        "holm": [list(map(float, multitest.multipletests(p, method="holm")[1])) for p in c["p"]],
        "means_size": [means_size(*s) for s in c["means_size"]],
        "proportions_size": [proportions_size(*s) for s in c["proportions_size"]],
        "normal": [stats.norm.ppf(p) for p in c["quantiles"]],
        "student": [stats.t.ppf(p, df) for p in c["quantiles"] for df in c["df"]],
    }
    with open(sys.argv[2], "w") as f:
        json.dump(out, f, default=lambda v: v if math.isfinite(v) else str(v))


main()
