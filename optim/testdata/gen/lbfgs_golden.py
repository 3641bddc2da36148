# Writes ../lbfgs.json: PyTorch's LBFGS with line_search_fn="strong_wolfe" on small problems, in float64.
#
#     python3 lbfgs_golden.py        (made with PyTorch 1.13)
import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(7)
X = torch.randn(24, 5)
Y = (X @ torch.randn(5, 3) + 0.5 * torch.randn(24, 3)).argmax(1)
A = torch.randn(8, 8)
A = A @ A.T + torch.diag(torch.logspace(-2, 2, 8))
B = torch.randn(8)


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def softmax(x):
    return torch.nn.functional.cross_entropy(X @ x.reshape(3, 5).T, Y) + 5e-4 * (x ** 2).sum()


def quadratic(x):
    return 0.5 * x @ A @ x - B @ x


def quartic(x):  # steep far out: the first lengths are far too long
    return (x ** 4).sum() + (x[0] - 1) ** 2


PROBLEMS = {
    "rosenbrock": (rosenbrock, torch.tensor([-1.2, 1.0, -0.5, 0.8])),
    "softmax": (softmax, torch.zeros(15)),
    "quadratic": (quadratic, torch.ones(8)),
    "quartic": (quartic, torch.tensor([3.0, -2.0, 1.5])),
}
CASES = [
    ("rosenbrock", 1.0, 1, 10, 20), ("rosenbrock", 0.5, 5, 3, 5), ("rosenbrock", 8.0, 20, 100, 2), ("softmax", 1.0, 20, 10, 2),
    ("softmax", 0.1, 4, 2, 6), ("quadratic", 1.0, 1, 4, 15), ("quadratic", 30.0, 3, 10, 4), ("quartic", 1.0, 2, 10, 8),
    ("quartic", 100.0, 6, 5, 2),
]
cases = []
for name, lr, iterations, history, steps in CASES:
    f, x0 = PROBLEMS[name]
    x = torch.nn.Parameter(x0.clone())
    opt = torch.optim.LBFGS([x], lr=lr, max_iter=iterations, history_size=history, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = f(x)
        loss.backward()
        return loss

    trace, evals = [], []
    for _ in range(steps):
        opt.step(closure)
        trace.append(x.detach().tolist())
        evals.append(opt.state[x]["func_evals"])
    cases.append({"problem": name, "x0": x0.tolist(), "lr": lr, "iterations": iterations, "history": history, "x": trace, "evals": evals})
out = {"X": X.tolist(), "Y": Y.tolist(), "A": A.tolist(), "B": B.tolist(), "cases": cases}
pathlib.Path(__file__).parent.parent.joinpath("lbfgs.json").write_text(json.dumps(out) + "\n")
