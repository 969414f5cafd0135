"""Calibrated probabilities: Platt scaling and isotonic regression on histograms, by groups.

Training draws more positive images than there are, and networks are overconfident; before an
expected score means anything, both must be undone. The fit sees each group equally and at most
50 pixels' worth of evidence per image, since pixels of one image are not independent.

Sources: Platt 1999 (scaling); Zadrozny and Elkan 2002 (isotonic regression).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.result.expected.column import Column
from lamina.result.expected.entries import Floats, Ints
from lamina.result.search.histogram import VALUES, codes_of
from lamina.result.selection.ratio import places
from lamina.spec import Spec

Method = Literal["none", "platt", "isotonic"]

EVIDENCE = 50.0
"""Pixels' worth of evidence of one image."""

RIDGE = 5.0
"""Weight of the pull towards no change: RIDGE * (4 (slope - 1)^2 + shift^2 / 4)."""

_LEAST_SLOPE = 0.05
_STEPS = 100
_PARTS = 5
_ISOTONIC_GROUPS, _ISOTONIC_IMAGES = 30, 10
_KNOTS = 64

LOGITS: Floats = np.log(np.clip(VALUES, 2.0**-25, 1 - 2.0**-12)) - np.log1p(
    -np.clip(VALUES, 2.0**-25, 1 - 2.0**-12)
)
"""(CODES,) the logit of each float16 code; 0 and 1 count as 2^-25 and 1 - 2^-12."""


class Calibration(Spec):
    """The calibration of one class: a curve from stored to calibrated probability."""

    slope: float = 1.0
    """Factor of the logit; above 0."""

    shift: float = 0.0
    """Added to the logit."""

    knots: tuple[tuple[float, float], ...] = ()
    """Isotonic regression: (stored, calibrated) probability, ascending; linear between. Empty:
    slope and shift are used."""

    @property
    def is_identity(self) -> bool:
        """Whether probabilities stay as they are."""
        return not self.knots and self.slope == 1 and self.shift == 0

    @property
    def summary(self) -> str:
        """Return the curve in words."""
        if self.is_identity:
            return "as stored"
        if self.knots:
            return f"isotonic, {len(self.knots)} knots"
        return f"logit x {self.slope:.3g} {self.shift:+.3g}"

    def table(self) -> Floats:
        """Return the calibrated probability of each float16 code, (CODES,) float64, ascending."""
        if self.is_identity:
            return VALUES
        if self.knots:
            stored, calibrated = np.asarray(self.knots, np.float64).T
            return np.asarray(np.interp(VALUES, stored, calibrated), np.float64)
        return _sigmoid(self.slope * LOGITS + self.shift)


IDENTITY = Calibration()


def calibrated(
    prob: NDArray[Any], curves: Sequence[Calibration], *, exclusive: bool
) -> NDArray[np.float32]:
    """Return calibrated probabilities of a stored map.

    Args:
        prob: (K, *S) float16, or a type that is rounded to it.
        curves: One for each class; none: probabilities stay as they are.
        exclusive: Classes exclude each other: what is calibrated class by class is divided by its
            sum over classes (Zadrozny and Elkan 2002).

    Returns:
        (K, *S) float32 in 0..1.
    """
    found: NDArray[np.float32] = np.empty(prob.shape, np.float32)
    for k, one in enumerate(prob):
        if not curves or curves[k].is_identity:
            found[k] = one
        else:
            found[k] = curves[k].table().astype(np.float32)[codes_of(one)]
    if exclusive and any(not curve.is_identity for curve in curves):
        found /= np.maximum(found.sum(axis=0, keepdims=True), np.float32(1e-30))
    return found


def fit_platt(column: Column, groups: Ints) -> Calibration:
    """Fit slope and shift on all cases of a column.

    Minimises the sum over groups of the mean over their images of the pixel-wise log-loss, scaled
    to EVIDENCE pixels per image, plus the ridge of RIDGE. Convex; solved by Newton steps.

    Args:
        column: One class.
        groups: (N,) the group of each case.

    Returns:
        Slope above 0 and shift; the identity where no pixel counts.
    """
    counted, positive = column.per_code(_weights(column, groups))
    return _newton(counted, positive)


def fit_isotonic(column: Column, groups: Ints) -> Calibration:
    """Fit isotonic regression by pooling adjacent violators on the weighted histogram.

    Args:
        column: One class.
        groups: (N,) the group of each case.

    Returns:
        At most 64 knots; the identity where no pixel counts.
    """
    counted, positive = column.per_code(_weights(column, groups))
    seen = np.flatnonzero(counted > 0)
    if not seen.size or not positive.any():
        return IDENTITY
    levels = _pooled(positive[seen] / counted[seen], counted[seen])
    edges = np.flatnonzero(np.diff(levels)) + 1
    first, last = np.concatenate([[0], edges]), np.concatenate([edges - 1, [seen.size - 1]])
    at = np.unique(np.concatenate([first, last]))
    if at.size > _KNOTS:
        at = at[np.unique(np.linspace(0, at.size - 1, _KNOTS).round().astype(int))]
    return Calibration(
        knots=tuple((float(VALUES[seen[k]]), float(np.clip(levels[k], 0, 1))) for k in at)
    )


def calibrate(column: Column, groups: Ints, method: Method) -> Calibration:
    """Fit a calibration and keep it only where it helps on groups left out.

    The calibration is refitted with each of five parts of the groups left out; it is kept where
    the mean fall of the log-loss on the left-out groups is more than one standard error.

    Args:
        column: One class.
        groups: (N,) the group of each case.
        method: ``isotonic`` needs at least 30 groups and 10 images that show the class, and is
            ``platt`` below.

    Returns:
        The calibration fitted on all groups, or the identity.
    """
    if method == "none" or not (column.truth > 0).any():
        return IDENTITY
    place = places(groups)
    many_groups = int(place.max(initial=-1)) + 1
    if many_groups < 2:
        return IDENTITY
    fit = fit_platt
    present = int((column.truth > 0).sum())
    if method == "isotonic" and many_groups >= _ISOTONIC_GROUPS and present >= _ISOTONIC_IMAGES:
        fit = fit_isotonic
    gain = np.zeros(many_groups)
    parts = np.arange(many_groups) % min(_PARTS, many_groups)
    plain = _losses(column, IDENTITY)
    for part in np.unique(parts):
        out = np.flatnonzero(parts[place] == part)
        rest = np.flatnonzero(parts[place] != part)
        fitted = fit(column.take(rest), groups[rest])
        fall = plain[out] - _losses(column.take(out), fitted)
        many = np.bincount(place[out], minlength=many_groups)
        total = np.bincount(place[out], fall, minlength=many_groups)
        gain += np.divide(total, many, out=np.zeros_like(total), where=many > 0)
    error = float(gain.std(ddof=1) / np.sqrt(many_groups))
    return fit(column, groups) if float(gain.mean()) > error else IDENTITY


def _weights(column: Column, groups: Ints) -> Floats:
    """Return what one pixel of each case weighs: groups equally, images by EVIDENCE pixels."""
    _, place, many = np.unique(groups, return_inverse=True, return_counts=True)
    size = np.maximum(column.counted, 1.0)
    return np.asarray(EVIDENCE / size / many[place], np.float64)


def _losses(column: Column, calibration: Calibration) -> Floats:
    """Return the mean log-loss of the counted pixels of each case, (N,)."""
    z = calibration.slope * LOGITS + calibration.shift
    if calibration.knots:
        p = np.clip(calibration.table(), 2.0**-25, 1 - 2.0**-12)
        z = np.log(p) - np.log1p(-p)
    total, of_none = np.zeros(len(column)), np.logaddexp(0, z)  # log-loss where it is absent
    for here, part in column.parts():
        entries = part.predicted * of_none[part.codes]
        rest = part.counted - part.sums(part.predicted)
        missed = part.truth - part.sums(part.positives)
        total[here] = part.sums(entries - part.positives * z[part.codes])
        total[here] += rest * of_none[0] - missed * z[0]
    return np.asarray(total / np.maximum(column.counted, 1.0), np.float64)


def _newton(counted: Floats, positive: Floats) -> Calibration:
    seen = np.flatnonzero(counted > 0)
    if not seen.size:
        return IDENTITY
    n, y, logit = counted[seen], positive[seen], LOGITS[seen]

    def value(slope: float, shift: float) -> float:
        z = slope * logit + shift
        ridge = RIDGE * (4 * (slope - 1) ** 2 + shift**2 / 4)
        return float((n * np.logaddexp(0, z) - y * z).sum() + ridge)

    slope, shift = 1.0, 0.0
    now = value(slope, shift)
    for _ in range(_STEPS):
        p = _sigmoid(slope * logit + shift)
        miss, bend = n * p - y, n * p * (1 - p)
        gradient = np.asarray(
            [
                (miss * logit).sum() + RIDGE * 8 * (slope - 1),
                miss.sum() + RIDGE * shift / 2,
            ]
        )
        cross = (bend * logit).sum()
        hessian = np.asarray(
            [
                [(bend * logit**2).sum() + 8 * RIDGE, cross],
                [cross, bend.sum() + RIDGE / 2],
            ]
        )
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-6:
            tried = (max(slope - size * step[0], _LEAST_SLOPE), shift - size * step[1])
            then = value(*tried)
            if then <= now:
                break
            size /= 2
        else:
            break
        done = now - then < 1e-12 * (1 + abs(now))
        (slope, shift), now = tried, then
        if done:
            break
    return Calibration(slope=float(slope), shift=float(shift))


def _pooled(values: Floats, weights: Floats) -> Floats:
    """Return the non-decreasing sequence nearest to ``values`` (pool adjacent violators)."""
    level: list[float] = []
    weight: list[float] = []
    many: list[int] = []
    for value, w in zip(values.tolist(), weights.tolist(), strict=True):
        level.append(value)
        weight.append(w)
        many.append(1)
        while len(level) > 1 and level[-2] >= level[-1]:
            total = weight[-2] + weight[-1]
            level[-2] = (level[-2] * weight[-2] + level[-1] * weight[-1]) / total
            weight[-2], many[-2] = total, many[-2] + many[-1]
            level.pop(), weight.pop(), many.pop()
    return np.repeat(level, many)


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(z / 2)), np.float64)
