"""Losses, gradients and optimiser steps of the autoencoder family by PyTorch's autograd.

    pip install torch==2.5.1 && python tests/it/golden/family.py > tests/it/golden/family.json

`src/model/net/golden_tests.rs` builds the same networks and compares.
"""
import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
ROWS, CELLS = 5, 6


def grid(rows, cols, f):
    return torch.tensor([[f(i, j) for j in range(cols)] for i in range(rows)])


def layers(widths):
    made = []
    for l, (n, m) in enumerate(widths):
        w = grid(n, m, lambda i, j: 0.6 * math.sin(1.3 * l + 0.7 * i + 1.1 * j + 0.5))
        b = torch.tensor([0.1 * math.cos(j + l) for j in range(m)])
        made.append((w.requires_grad_(), b.requires_grad_()))
    return made


X = grid(ROWS, CELLS, lambda i, j: 1.5 * math.sin(0.9 * i + 1.7 * j))
SEEN = torch.ones(ROWS, CELLS, dtype=torch.bool)
SEEN[1, 3] = False
INPUT = torch.where(SEEN, X, torch.zeros(()))
TARGETS = grid(ROWS, 2, lambda i, j: float((i + j) % 2))
KNOWN = torch.ones(ROWS, 2, dtype=torch.bool)
KNOWN[2, 1] = False
LOSS = {
    "huber": lambda y, t: F.huber_loss(y, t, delta=1.0),
    "mse": lambda y, t: 0.5 * F.mse_loss(y, t),
}
ACTIVATION = {
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.01),
}


def dense(x, layer):
    return x @ layer[0] + layer[1]


def case(name, activation="tanh", loss="huber", latent=2, code_width=None, head=None, code=None):
    f, cost = ACTIVATION[activation], LOSS[loss]
    widths = [(CELLS, 5), (5, code_width or latent), (latent, 5), (5, CELLS)]
    made = layers(widths + ([(latent, 2)] if head else []))
    encoded = dense(f(dense(INPUT, made[0])), made[1])
    z, code_loss = (code or (lambda e: (e, torch.zeros(()))))(encoded)
    output = dense(f(dense(z, made[2])), made[3])
    reconstruction = cost(output[SEEN], X[SEEN])
    head_loss = torch.zeros(())
    if head == "linear":
        head_loss = 0.7 * cost(dense(z, made[4])[KNOWN], TARGETS[KNOWN])
    if head == "logistic":
        logits = dense(z, made[4])[KNOWN]
        head_loss = 0.7 * F.binary_cross_entropy_with_logits(logits, TARGETS[KNOWN])
    (reconstruction + code_loss + head_loss).backward()
    gradients = [[round(v, 9) for v in t.grad.flatten().tolist()] for layer in made for t in layer]
    losses = [round(float(v), 9) for v in (reconstruction, code_loss, head_loss)]
    return name, {"losses": losses, "gradients": gradients}


def kl(encoded):
    a = torch.sigmoid(encoded)
    mean, target = a.mean(0), 0.05
    on, off = target / mean, (1 - target) / (1 - mean)
    return a, 0.5 * (target * on.log() + (1 - target) * off.log()).mean()


def l1(encoded):
    a = F.relu(encoded)
    return a, 0.5 * a.abs().mean()


def vae(encoded):
    mu, log_variance = encoded[:, :2], encoded[:, 2:]
    eps = grid(ROWS, 2, lambda i, j: math.cos(i + 2 * j))
    normal = torch.distributions.Normal(mu, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    divergence = torch.distributions.kl_divergence(normal, prior).sum(1).mean()
    return mu + (0.5 * log_variance).exp() * eps, 0.4 / CELLS * divergence


def vq(encoded):
    book = grid(6, 2, lambda c, p: 1.2 * math.cos(1.9 * c + p))
    parts = encoded.reshape(-1, 2)
    nearest = book[torch.cdist(parts, book).argmin(1)].reshape(encoded.shape)
    commitment = 0.25 * F.mse_loss(encoded, nearest)
    return encoded + (nearest - encoded).detach(), commitment


def optimizer(make):
    w, b = torch.tensor([0.5, -1.0]), torch.tensor([0.25])
    # Biases do not decay.
    rule = make([{"params": [w]}, {"params": [b], "weight_decay": 0.0}])
    for i in range(3):
        g = [v / (i + 1) - 0.1 * i for v in (0.3, 1.5, -0.7)]
        w.grad, b.grad = torch.tensor(g[:2]), torch.tensor(g[2:])
        rule.step()
    return [round(v, 9) for v in w.tolist() + b.tolist()]


print(json.dumps({
    "cases": dict([
        case("undercomplete"),
        case("mse_gelu", "gelu", "mse"),
        case("mse_softplus", "softplus", "mse"),
        case("leaky_relu", "leaky_relu"),
        case("linear_head", head="linear"),
        case("logistic_head", head="logistic"),
        case("kl", code=kl),
        case("l1", code=l1),
        case("vae", code_width=4, code=vae),
        case("vq_vae", latent=4, code=vq),
    ]),
    "optimizers": {
        "adam": optimizer(lambda p: torch.optim.Adam(p, lr=0.01)),
        "adam_w": optimizer(lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.01)),
        "sgd": optimizer(lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
    },
}, indent=1))
