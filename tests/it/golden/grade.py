"""Detection figures by the packages that define them.

    pip install vus==0.0.6 scikit-learn numpy pandas tqdm
    git clone https://github.com/numenta/NAB
    PYTHONPATH=NAB python tests/it/golden/grade.py ../shared/data/nab > tests/it/golden/grade.json

The argument is a folder with NAB's `data` (gzip'd or not) and `labels`. `src/grade/golden_tests.rs` makes the same
scores and compares.
"""
import csv
import gzip
import json
import os
import sys

import numpy as np
from nab.sweeper import Sweeper
from sklearn import metrics
from vus.utils.metrics import metricor

PROFILES = [(1.0, 1.0, 0.11), (1.0, 1.0, 0.22), (1.0, 2.0, 0.11)]  # found, missed, false row
# Rows, and first and last row of each window.
FILES = [(900, [(200, 260), (500, 501)]), (400, []), (6000, [(700, 800), (3000, 3400), (5990, 5999)]), (300, [(0, 30)])]


def score(row, file):
    """Without order that the labels know, and with ties."""
    return ((row * 331 + file * 17) % 797) / 797


def nab(files):
    """files: times and windows of each -> per profile the best score, and the one at threshold 0.9."""
    windows = sum(len(w) for _, w in files)
    out = []
    for found, missed, false_row in PROFILES:
        sweeper = Sweeper(0.15, {"tpWeight": found, "fnWeight": missed, "fpWeight": false_row})
        rows = []
        for i, (times, limits) in enumerate(files):
            rows += sweeper.calcSweepScore(times, [score(r, i) for r in range(len(times))], limits, str(i))
        swept = sweeper.calcScoreByThreshold(rows)
        silent = swept[0].score
        scale = lambda s: 100 * (s - silent) / (windows * found - silent)
        over = [s.score for s in swept if s.threshold >= 0.9]
        out.append([scale(max(s.score for s in swept)), scale(over[-1])])
    return out


def corpus(folder):
    with open(os.path.join(folder, "labels", "combined_windows.json")) as h:
        windows = json.load(h)
    files = []
    for name in sorted(windows):
        path = os.path.join(folder, "data", name)
        path, opened = (path, open) if os.path.exists(path) else (path + ".gz", gzip.open)
        with opened(path, "rt") as h:
            times = [row[0] for row in csv.reader(h)][1:]
        files.append((times, [(a.split(".")[0], b.split(".")[0]) for a, b in windows[name]]))
    return files


def areas():
    rows = 200
    labels = np.zeros(rows)
    for first, last in [(20, 29), (33, 40), (100, 100), (195, 199)]:
        labels[first:last + 1] = 1
    scores = np.array([(i * 37 + 11) % 101 + 15 * labels[i] for i in range(rows)])
    volume = lambda reach: metricor().RangeAUC_volume_opt(labels, scores, reach, 250)[-1]
    return {
        "auc_pr": metrics.average_precision_score(labels, scores),
        "roc_auc": metrics.roc_auc_score(labels, scores),
        "vus_pr": [volume(reach) for reach in (0, 5, 20)],
    }


made = [(list(range(n)), w) for n, w in FILES]
print(json.dumps({"areas": areas(), "nab": nab(made), "nab_data": nab(corpus(sys.argv[1]))}, indent=1))
