"""Numbers of the forecast mix, by the formulas of its prototype in numpy.

    pip install numpy
    python tests/it/golden/forecast.py > tests/it/golden/forecast.json

`src/forecast/golden_tests.rs` makes the same series and compares: level, scale and profiles of rows, features of
origins, forecasts of the ridge experts, weights of the mix, quantiles of the intervals.
"""
import json

import numpy as np

M, WK, H, N = 12, 84, 12, 700
HALF_LIFE, PENALTY = 364 * M, 100.0
REFRESH, ORIGIN = 600, 605


def series():
    """A season, a longer one, a level that wanders, and noise without a generator to agree on."""
    t = np.arange(N)
    wobble = np.sin(0.37 * t) * np.cos(0.011 * t * t) + 0.5 * np.sin(1.9 * t)
    return 50 + 10 * np.sin(2 * np.pi * t / M) * np.where(t % WK < 60, 1.0, 0.4) + 3 * np.sin(t / 90) + 2 * wobble


y = series()
pos = np.arange(N)
cs = np.concatenate([[0], np.cumsum(y)])
i0 = np.maximum(0, pos + 1 - WK)
lev = (cs[pos + 1] - cs[i0]) / (pos + 1 - i0)
sig, a, w, dec = np.empty(N), 0.0, 0.0, 0.5 ** (1 / (4 * WK))
for t in range(N):
    a, w = a * dec + abs(y[t] - lev[t]), w * dec + 1
    sig[t] = 1.25 * a / w
d = y - lev


def profile(period, gain):
    p = d.copy()
    for i in range(period, N):
        p[i] = p[i - period] + gain * (d[i] - p[i - period])
    return p


WP, DP = profile(WK, 0.3), profile(M, 0.2)


def nz(q, t):
    return np.clip((q - lev[t]) / sig[t], -6, 6)


def few(t):
    x = nz(y[t - WK + 1 : t + 1], t)
    out = [1.0, x[-1], x[-2], x[-3], x[-M:].mean(), x[-1] - x[-(M + 1)], x[-1] - x[-WK]]
    for p, period in ((WP, WK), (DP, M)):
        dv = np.zeros(N)
        dv[period:] = d[period:] - p[:-period]
        out += [np.clip(dv[t + 1 - k : t + 1].mean() / sig[t], -6, 6) for k in (1, 3, max(M // 4, 4), M)]
    return np.array(out)


def clock(t):
    # Rows of the golden test are two hours long and begin on a Thursday, 1970-01-01.
    tod = (t % M) / M
    trig = [f(2 * np.pi * k * tod) for k in (1, 2, 3) for f in (np.sin, np.cos)]
    return np.array(trig + list(np.eye(7)[((t + 1) // M + 3) % 7]))


def own(t):
    rows = []
    for h in range(1, H + 1):
        j = t + h
        week = [nz(y[j - WK], t), np.clip(WP[j - WK] / sig[t], -6, 6)]
        day = [nz(y[j - M], t), np.clip(DP[j - M] / sig[t], -6, 6)]
        off = float((j // M + 3) % 7 >= 5)
        older = y[j - 2 * WK] if j >= 2 * WK else y[j - WK]
        rows.append(week + day + [nz(older, t), off])
    return np.array(rows)


def skip(t):
    return np.concatenate([few(t), nz(y[t - M + 1 : t + 1], t), clock(t)])


def lags(t):
    return np.concatenate([[1.0], nz(y[t - WK + 1 : t + 1], t), clock(t)])


def ridge(features, with_own):
    """One ordinary ridge regression per horizon: no blocks."""
    origins = np.arange(WK, REFRESH - H + 1)
    weights = 0.5 ** ((REFRESH - H - origins) / HALF_LIFE)
    F = np.stack([features(t) for t in origins])
    G = np.stack([own(t) for t in origins])
    out = []
    for k in range(H):
        X = np.concatenate([F, G[:, k]], 1) if with_own else F
        target = np.array([nz(y[t + k + 1], t) for t in origins])
        lam = np.full(X.shape[1], PENALTY)
        lam[0] = 1e-5 * PENALTY
        if with_own:
            lam[F.shape[1] :] = 3e-3 * PENALTY
        b = np.linalg.solve(X.T @ (X * weights[:, None]) + np.diag(lam), X.T @ (weights * target))
        x = np.concatenate([features(ORIGIN), own(ORIGIN)[k]]) if with_own else features(ORIGIN)
        out.append(float(x @ b * sig[ORIGIN] + lev[ORIGIN]))
    return out


def usual(t, rho):
    dv = (d[t - 2 : t + 1] - WP[t - 2 - WK : t + 1 - WK]).mean()
    return [float(lev[t] + WP[t + h - WK] + 0.9 * 0.5 ** (h / (rho * M)) * dv) for h in range(1, H + 1)]


def mix():
    """Three experts with given errors at two horizons, seasons of 4 rows."""
    keep, K, HH = 0.5 ** (1 / (14 * 4)), 3, 2
    sums, counts = np.zeros((K, HH)), np.zeros((K, HH))
    for i in range(50):
        sums, counts = sums * keep, counts * keep
        for k in range(K):
            for h in range(HH):
                sums[k, h] += abs(np.sin(i * 0.7 + k) * (1 + k * 0.1 + h * 0.3 * (k == 1)))
                counts[k, h] += 1
    loss = sums / counts
    pooled = loss.mean(1)
    r = 0.5 * loss / loss.min(0) + 0.5 * (pooled / pooled.min())[:, None]
    weight = np.exp(-10 * (r - 1))
    return (weight / weight.sum(0)).tolist()


def quantiles():
    """Bounds of one horizon and slot after 300 residuals, by the published bounds."""
    taus = np.array([0.025, 0.1, 0.9, 0.975])
    z = np.array([1.9599639845, 1.2815515655, 1.2815515655, 1.9599639845])
    q = 1.25 * z * np.where(taus < 0.5, -1, 1)
    s_slot = c_slot = s_all = c_all = 0.0
    slow, fast = 1 - 0.5 ** (1 / 14), 1 - 0.5 ** (1 / (14 * 24))
    for i in range(300):
        scale = (c_slot * s_slot + 4 * s_all) / (c_slot + 4) if c_all else 1.0
        bounds = np.sort(q) * scale
        truth = 3 * np.sin(i * 1.3) + np.sin(i * 0.17)
        q = q + 0.02 * (taus - (truth < bounds)) * np.maximum(1, np.abs(q))
        c_slot += 1
        s_slot += max(1 / c_slot, slow) * (abs(truth) - s_slot)
        c_all += 1
        s_all += max(1 / c_all, fast) * (abs(truth) - s_all)
    scale = (c_slot * s_slot + 4 * s_all) / (c_slot + 4)
    return (np.sort(q) * scale).tolist()


print(
    json.dumps(
        {
            "rows": {str(t): [lev[t], sig[t], WP[t], DP[t]] for t in (100, 333, 605)},
            "few": few(ORIGIN).tolist(),
            "clock": clock(ORIGIN).tolist(),
            "own": own(ORIGIN).ravel().tolist(),
            "seasonal": [[y[ORIGIN + h - p] for h in range(1, H + 1)] for p in (M, WK)],
            "usual": [usual(ORIGIN, 0.25), usual(ORIGIN, 1.0)],
            "skip": ridge(skip, True),
            "lags": ridge(lags, False),
            "mix": mix(),
            "quantiles": quantiles(),
        },
        indent=1,
    )
)
