"""Parts of the detector of many channels by the prototype that it comes from.

    pip install numpy pandas
    python tests/it/golden/multivariate.py ../shared/reference/multivariate_general.py > tests/it/golden/multivariate.json

The argument is the prototype. `src/detect/multivariate/golden_tests.rs` makes the same rows and compares.

Where the detector differs on purpose, and how the parts are made comparable:

- Everything learns faster while little is known (the prototype has one long warm-up): as if 1e12 rows were known.
- 3e-3 variances of the sensor are always added to a variance; in the prototype they are part of what fades: a unit of 1e-9.
- A variance is at least a quarter of that over the long memory, in the prototype of its first one: an endless long memory.
- A period has a fraction, and sensors are clipped after each halving of the past: within one row.
- Surprise widens the spread of block maxima while few are known, raises are decided by an account and not by an offset,
  attribution holds the sensor as it came against the spread with all that was seen, and there are two memories, a range
  and a network that trains all the time: no counterpart, see the laws in `tests.rs` and beside each part.
- How sensors go together has none either: the script solves the ridge regression with numpy.
"""
import importlib.util
import json
import sys

import numpy as np


def load(path):
    spec = importlib.util.spec_from_file_location("prototype", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cell(row, sensor):
    """In -1/2 to 1/2, without order."""
    return ((row * 331 + sensor * 97 + row * row % 89) % 797) / 797 - 0.5


def rows(count, sensors):
    return np.array([[cell(i, j) for j in range(sensors)] for i in range(count)])


def scale(prototype):
    x = rows(300, 5)
    x[:, 1] = np.floor(8 * x[:, 1])  # few digits
    x[:, 2] = 3.5  # constant
    x[:, 3] = np.where(np.arange(300) == 7, 1000.0, x[:, 3])  # one spike
    mean, sd = prototype.scale_fit(x)
    return {"mean": mean.tolist(), "sd": sd.tolist()}


def track(prototype):
    """A level that changes at row 300: score, baseline, variance and calibration."""
    x = rows(640, 3)
    x[300:, 0] += 2.0
    n, p, bins = len(x), 3, 96
    z = lambda *shape: np.zeros(shape)
    s, b, v, v0 = z(1, p), z(1, p), np.full((1, p), 0.01), np.full((1, p), 0.01)
    hl, sc = prototype.hl, z(12)
    sc[0], sc[2], sc[3], sc[6], sc[8] = -1, -1e9, -1e9, 1, 1e9
    par = np.array([hl(400), hl(2000), hl(4000), 0.05, 800, 0.25, 0.2, 0, 0.05, 32, 0.0, 1e-4, 0, 60, 1, 0, 0, 0.15])
    score, mean, spread = z(1, n), z(1), np.ones(1)
    zero = z(1)
    prototype.kern(
        x[None], np.array([0]), np.array([hl(5)]), zero, zero, zero, np.ones(1), 0, 0, 0, 1e9, par, s, b, v, v0,
        z(1, 1, 1), z(1, 1, 1), z(1, bins, p), z(1, bins, p), z(1, p), z(1, p), z(bins), sc, z(n), z(n), z(n),
        z(1, n, p), z(n), z(n), score, mean, spread, 1.0, np.full(1, -1e9), 0.0, 1.0, 1 - 0.5 ** (32 / 4000),
    )
    at = [0, 50, 299, 300, 303, 400, 639]
    return {
        "score": [score[0, i] for i in at], "base": b[0].tolist(), "variance": v[0].tolist(),
        "block_mean": mean[0], "block_spread": spread[0],
    }


def join(prototype):
    cases = [([0.0, 0.0], [2.0, 1.0]), ([-1.0, 3.0], [2.0, 1.0]), ([2.0, 9.0, 4.0], [1.0, 2.0, 0.01])]
    out = []
    for z, weight in cases:
        w = np.array(weight) / np.sum(weight)
        out.append(float(prototype.comb(np.array(z), np.zeros(len(z)), np.ones(len(z)), w, 1.0)))
    return out


def period(prototype):
    out = []
    for length in (120, 288):
        i = np.arange(1600)[:, None]
        x = np.sin(2 * np.pi * i / length + np.arange(3)[None]) + 0.5 * rows(1600, 3)
        out.append(int(prototype.find_period(x, 96)))
    return out


def relation():
    """Residual of each sensor's fast form, after 500 rows of which the second follows the first."""
    x = rows(500, 3)
    x[:, 1] = -x[:, 0] + 0.1 * x[:, 1]
    forms, mean, moments = np.zeros(6), np.zeros(6), np.zeros((6, 6))
    rate = 1 - 0.5 ** (1 / np.repeat([5.0, 60.0], 3))
    for i, row in enumerate(x):
        forms = forms + rate * (np.tile(row, 2) - forms)
        off = forms - mean
        moments += (np.outer(off, off) - moments) / (i + 1)
        mean = mean + off / (i + 1)
    out = []
    ridge = moments + 1e-2 * np.eye(6)
    off = forms - mean
    for j in range(3):
        others = [k for k in range(6) if k % 3 != j]
        slopes = np.linalg.solve(ridge[np.ix_(others, others)], ridge[others, j])
        out.append(float(off[j] - off[others] @ slopes))
    return out


def main():
    prototype = load(sys.argv[1])
    golden = {
        "scale": scale(prototype), "track": track(prototype), "join": join(prototype), "period": period(prototype),
        "relation": relation(),
    }
    json.dump(golden, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
