"""Parts of the detector of one channel by its design's prototype in Python.

    pip install numpy==2.4.6
    python tests/it/golden/univariate.py ../shared/reference/detection_general.py > tests/it/golden/univariate.json

The argument is the prototype. `src/detect/univariate/golden_tests.rs` feeds the same numbers and compares.

Compared: scaled values and clock context, the search for the period, ratios, block maxima and hour scale, the
scoring of the period net for given outputs, heights of the point channels, rarities.

Not compared, because they differ on purpose:
- the networks themselves (other random numbers; the period net trains once in four records);
- rarities in the tail: a fading histogram of 0.75 KiB in place of sorted rings, so the bulk is compared loosely;
- block maxima: 128 blocks in place of 200, results end at 5. Fewer blocks are fed here;
- context: means of slots of five minutes in place of five records. Equal for records every five minutes;
- weights of the surprise, and the accumulation of raises: an account of the operator's budget in place of `A`.
"""
import importlib.util
import json
import math
import sys

import numpy as np

STEP = 300  # seconds


def load(path):
    spec = importlib.util.spec_from_file_location("prototype", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noise(i):
    """Uniform on 0 to 1, by hashing."""
    h = i * 2654435761 % 2**32
    h = (h ^ h >> 15) * 2246822519 % 2**32
    return (h ^ h >> 13) / 2**32


def value(i):
    """A day of 288 records with noise, and a spike every 500 records."""
    return 50 + 10 * math.sin(i * 2 * math.pi / 288) + 4 * noise(i) + (15 if i % 500 == 499 else 0)


def error(i):
    """Positive, with a tail."""
    return -math.log(1 - noise(i + 7))


def periodic(period, n):
    return [math.sin(i * 2 * math.pi / period) + 0.3 * math.sin(i * 4 * math.pi / period) + 0.5 * noise(i) + 0.001 * i
            for i in range(n)]


class Silent:
    """A network that tells the mean of the past, whatever it sees."""

    def fwd(self, X):
        return None, None, None, np.zeros((len(X), 32))


def stream(p):
    """Scaled values, contexts, heights of the point channels; the network tells the mean."""
    d = p.Detector(clock=True)
    d.ae, d._train, d._start_period = Silent(), lambda t: None, lambda T: None
    out = []
    for i in range(3000):
        d.step(i * STEP, value(i))
        if i >= 640 and i % 37 == 0:
            _, g4, g16, g1 = d.parts
            out.append([i, float(d.x[i]), [float(f) for f in d.feat[i]], g4, g16, g1])
    return out


def calibration(p):
    ratio, blocks = p.Ratio(400), p.BlockMax(p.CFG)
    rows = [[i, ratio.push(error(i)), blocks.push(error(i))] for i in range(2000)]
    return [row for row in rows if row[0] % 41 == 0]


def rarities(p):
    tail = p.Tail(100000, p.CFG)
    rows = [[i, tail.push(error(i))] for i in range(2000)]
    return [row for row in rows if row[0] >= 500 and row[0] % 17 == 0 and row[1] < 1.5]


def told(point, row, i):
    """Output of the period net: means (i below 64), log-variances."""
    if i < 64:
        return math.sin((point - 63 + i) * 0.2) + 0.1 * math.cos(row + i)
    return -2 + 0.5 * math.sin(i + row)


def shape(p):
    net = p.PeriodNet(1, np.random.default_rng(1), p.CFG)
    out = []
    for point in range(400):
        net.add(math.sin(point * 0.2) + 0.2 * noise(point))
        outputs = np.array([[told(point, r, i) for i in range(128)] for r in range(4)])
        net.ae.fwd = lambda X: (None, None, None, outputs)
        net.score()
        if point >= 100 and point % 13 == 0:
            out.append([point, net.U])
    return out


def main():
    p = load(sys.argv[1])
    periods = [[period, n, p.find_period(np.array(periodic(period, n)))]
               for period, n in [(24, 500), (96, 1000), (144, 2000), (61.5, 1000), (288, 4000)]]
    periods.append([0, 800, p.find_period(np.array([noise(i) for i in range(800)]))])
    golden = dict(stream=stream(p), calibration=calibration(p), rarities=rarities(p), shape=shape(p), periods=periods)
    print(json.dumps(golden, separators=(",", ":")).replace("],[", "],\n["))


if __name__ == "__main__":
    main()
