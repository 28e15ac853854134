"""What SciPy says of the samples in a JSON file: python scipy_values.py CASES RESULTS."""

import json
import math
import sys
import warnings

import numpy as np
from scipy import special, stats
from scipy.spatial import distance

warnings.simplefilter("ignore")
np.seterr(all="ignore")


def number(v):
    v = float(v)
    return v if math.isfinite(v) else str(v)


def attempt(what):
    try:
        return [number(v) for v in np.atleast_1d(what())]
    except (ValueError, IndexError, ZeroDivisionError):
        return ["nan"]


def both(result):
    return result.statistic, result.pvalue


def discrepancy(a, b):
    """The unbiased squared MMD, with a Gaussian kernel as wide as the median within the first."""
    a, b = a[:, None], b[:, None]
    within = np.sort(distance.cdist(a, a, "sqeuclidean"), axis=None)
    width = within[round((len(within) - 1) / 2)] or 1.0

    def mean(x, y):
        k = np.exp(-distance.cdist(x, y, "sqeuclidean") / width)
        if x is y:
            return (k.sum() - np.trace(k)) / (len(x) * (len(x) - 1))
        return k.mean()

    return mean(a, a) + mean(b, b) - 2 * mean(a, b)


def samples(a, b):
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    out = {
        "ks": attempt(lambda: tuple(stats.ks_2samp(a, b))),
        "mannwhitney": attempt(lambda: tuple(stats.mannwhitneyu(a, b, alternative="less"))),
        "cramer": attempt(lambda: both(stats.cramervonmises_2samp(a, b))),
        "anderson": attempt(lambda: both(stats.anderson_ksamp([a, b], variant="midrank"))),
        "epps": attempt(lambda: tuple(stats.epps_singleton_2samp(a, b))),
        "student": attempt(lambda: tuple(stats.ttest_ind(a, b))),
        "welch": attempt(lambda: tuple(stats.ttest_ind(a, b, equal_var=False))),
        "wasserstein": attempt(lambda: stats.wasserstein_distance(a, b)),
        "energy": attempt(lambda: stats.energy_distance(a, b)),
        "edges": attempt(lambda: np.histogram_bin_edges(np.concatenate([a, b]), bins="sturges")),
        "bins": attempt(
            lambda: np.histogram(a, np.histogram_bin_edges(np.concatenate([a, b]), bins="sturges"))[
                0
            ]
        ),
    }
    if 2 <= len(a) <= 300 and 2 <= len(b) <= 300:
        out["mmd"] = attempt(lambda: discrepancy(a, b))
    return out


def counts(a, b):
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    expected = a * (b.sum() / a.sum())
    out = {
        "chi2": attempt(lambda: tuple(stats.chisquare(b, expected))),
        "g": attempt(lambda: tuple(stats.power_divergence(b, expected, lambda_="log-likelihood"))),
        "both": attempt(lambda: tuple(stats.chi2_contingency([a, b], correction=False))[:2]),
        "jensenshannon": attempt(lambda: distance.jensenshannon(a / a.sum(), b / b.sum())),
        "chebyshev": attempt(lambda: distance.chebyshev(a / a.sum(), b / b.sum())),
        "variation": attempt(lambda: distance.cityblock(a / a.sum(), b / b.sum()) / 2),
        "hellinger": attempt(
            lambda: distance.euclidean(np.sqrt(a / a.sum()), np.sqrt(b / b.sum())) / math.sqrt(2)
        ),
    }
    if a.min() > 0 and b.min() > 0:  # what stands in the place of nothing is a convention
        out["kl"] = attempt(lambda: stats.entropy(a, b))
        out["psi"] = attempt(lambda: stats.entropy(a, b) + stats.entropy(b, a))
    if len(a) == 2:
        out["z"] = attempt(lambda: stats.chi2_contingency([a, b], correction=False)[1])
        out["fisher"] = attempt(lambda: stats.fisher_exact([[b[1], b[0]], [a[1], a[0]]])[1])
    return out


def main():
    with open(sys.argv[1]) as f:
        cases = json.load(f)
    out = {
        "samples": [samples(c["a"], c["b"]) for c in cases["samples"]],
        "counts": [counts(c["a"], c["b"]) for c in cases["counts"]],
        "kolmogorov": [number(stats.kstwo.sf(c["d"], c["n"])) for c in cases["kolmogorov"]],
        "smirnov": [number(special.smirnov(c["n"], c["d"])) for c in cases["kolmogorov"]],
        "fdr": [
            [number(v) for v in stats.false_discovery_control(np.array(p, dtype=float))]
            for p in cases["fdr"]
        ],
    }
    with open(sys.argv[2], "w") as f:
        json.dump(out, f)


main()
