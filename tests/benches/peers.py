#!/usr/bin/env python3
"""Others on the data of the bench `detection`: python3 tests/benches/peers.py DATA_FOLDER

PCA (90 % of the variance of the train part, or of the first 15 %; windows of 16 rows of one channel,
rows of several; score: squared residual), the EWMA z-score (half-life 50 rows) and krcf 0.4.0 (AWS
Random Cut Forest: 50 trees x 256; shingle 8 of one channel, 1 of several), online, on standardised values.
Figures are over the rows behind the train part: AUC-PR (average precision, mean over files); UCR: share
of files whose highest score lies within 100 rows of the label. Needs numpy and krcf.
"""
import csv
import gzip
import sys
from pathlib import Path

import numpy as np


def load(path):
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    names = [n for n in rows[0] if n != "timestamp" and not n.startswith(("label", "meta_"))]
    x = np.array([[float(r[n]) if r[n] else np.nan for n in names] for r in rows])
    for column in x.T:  # the last value stands in for a missing one
        for i in range(1, len(column)):
            if np.isnan(column[i]):
                column[i] = column[i - 1]
    return np.nan_to_num(x), np.array([float(r["label"]) > 0 for r in rows])


def average_precision(score, label):
    order = np.argsort(-score, kind="stable")
    score, label = score[order], label[order]
    found = np.cumsum(label)
    last = np.append(np.diff(score) != 0, True)  # ties count as one step
    found, seen = found[last], (np.arange(len(label)) + 1)[last]
    return np.sum(np.diff(np.append(0, found)) * found / seen) / max(label.sum(), 1)


def scaled(x, train):
    known = x[: max(train, len(x) * 15 // 100)]
    sd = known.std(0)
    return (x - known.mean(0)) / np.where(sd > 0, sd, 1.0), len(known)


def pca(x, train):
    z, known = scaled(x, train)
    if z.shape[1] == 1:
        z = np.lib.stride_tricks.sliding_window_view(np.pad(z[:, 0], (15, 0), mode="edge"), 16)
    mean = z[:known].mean(0)
    _, s, axes = np.linalg.svd(z[:known] - mean, full_matrices=False)
    k = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.9)) + 1
    e = (z - mean) - (z - mean) @ axes[:k].T @ axes[:k]
    return np.sum(e * e, 1)


def ewma(x, _train):
    rate, score = 1 - 0.5 ** (1 / 50), np.zeros(len(x))
    mean, var = x[0].copy(), np.zeros(x.shape[1])
    for i, row in enumerate(x):
        step = row - mean
        score[i] = np.max(np.abs(step) / np.sqrt(np.maximum(var, 1e-12)), initial=0) if i > 20 else 0
        mean, var = mean + rate * step, (1 - rate) * (var + rate * step * step)
    return score


def forest(x, train):
    import krcf

    z, _ = scaled(x, train)
    one = z.shape[1] == 1
    options = {"dimensions": z.shape[1], "shingle_size": 8 if one else 1, "num_trees": 50,
               "sample_size": 256, "random_seed": 1, "internal_shingling": one,
               "parallel_execution_enabled": False}
    model, score = krcf.RandomCutForest(options), np.zeros(len(z))
    for i, row in enumerate(z.tolist()):
        if i > 8:
            score[i] = model.score(row)
        model.update(row)
    return score


def main(root):
    print(f"{'':8}{'PCA':>8}{'EWMA z':>8}{'krcf':>8}")
    for folder in ["kpi", "ucr", "smd", "asd", "ur3"]:
        figures = []
        for line in csv.DictReader(open(root / folder / "index.csv")):
            x, label = load(root / folder / line["file"])
            train = int(line.get("train_rows") or 0)
            of_file = []
            for scorer in (pca, ewma, forest):
                score, truth = scorer(x, train)[train:], label[train:]
                if folder == "ucr":
                    at = np.flatnonzero(truth)
                    of_file.append(at[0] - 100 <= np.argmax(score) <= at[-1] + 100)
                else:
                    of_file.append(average_precision(score, truth))
            figures.append(of_file)
        print(f"{folder:8}" + "".join(f"{v:8.3f}" for v in np.mean(figures, 0)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
