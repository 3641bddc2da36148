#!/usr/bin/env bash
# Times gtk, PyTorch and ONNX Runtime on the same work, in one run, and prints ratios as a table and as Markdown.
#
#   scripts/bench-peers.sh [PEERS_DIR]
#
# PEERS_DIR holds setup.sh (installs the peers), torch_bench.py and ort.cjs; default $GTK_PEERS_SRC, then ../shared/peers beside this repository.
# Environment: MODELS, WORK (infer train grand), BATCHES (of inference), N (timed runs), ROUNDS, THREADS, GTK_PEERS (where the peers are installed).
#
# Rounds alternate gtk, peer, gtk, peer …; of each round the median counts, and of the rounds the median of the ratios. Memory is the
# largest resident size of the process as the kernel reports it to the parent, taken the same way for all.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
src=${1:-${GTK_PEERS_SRC:-$root/../shared/peers}}
for f in setup.sh torch_bench.py ort.cjs; do
  [ -f "$src/$f" ] || { echo "bench-peers: no $f in $src; name the folder of the peers' scripts as argument or in GTK_PEERS_SRC" >&2; exit 2; }
done
src=$(cd "$src" && pwd)
export GTK_PEERS=${GTK_PEERS:-$HOME/.cache/gtk-peers}
bash "$src/setup.sh" "$GTK_PEERS" >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$root" && CGO_ENABLED=0 go build -trimpath -o "$work/gtk" ./cli/gtk)

# The settings of OpenBLAS are those of the machine, not of the measurement.
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE \
  MODELS="${MODELS:-lenet resnet20 resnet18 resnet50 vgg16 mobilenet_v2 squeezenet1_1 vit_tiny lstm gru bert}" WORK="${WORK:-infer train grand}" BATCHES="${BATCHES:-1 8}" \
  N="${N:-15}" ROUNDS="${ROUNDS:-3}" THREADS="${THREADS:-1}" \
  /usr/bin/python3 - "$work" "$src" "$GTK_PEERS" "$(cd "$root" && git describe --always --dirty 2>/dev/null || echo unknown)" <<'PY'
import datetime, json, math, os, statistics, subprocess, sys

work, src, peers, commit = sys.argv[1:]
env = os.environ
models, kinds, batches = env["MODELS"].split(), env["WORK"].split(), [int(b) for b in env["BATCHES"].split()]
n, rounds, threads = int(env["N"]), int(env["ROUNDS"]), int(env["THREADS"])
shape = {"lenet": "1,28,28", "resnet20": "3,32,32", "lstm": "24,6", "gru": "24,6"}
steps = {"lenet": 64, "resnet20": 64, "resnet18": 8, "mobilenet_v2": 8, "squeezenet1_1": 8, "vit_tiny": 8, "lstm": 64, "gru": 64}
norms = {"lenet": 64, "resnet20": 64, "resnet18": 16, "vit_tiny": 8, "lstm": 64}
torch = ["/usr/bin/python3", src + "/torch_bench.py"]

def run(cmd, cwd=None):
    """Runs cmd, which prints one JSON object, and adds the peak memory of its process."""
    p = subprocess.Popen(cmd, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = p.stdout.read(), p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = status
    if status:
        sys.exit("bench-peers: " + " ".join(cmd) + "\n" + err.decode()[-2000:])
    r = json.loads(out.decode().strip().splitlines()[-1])
    r["peak"] = usage.ru_maxrss / 1024
    return r

ids = {"bert": "{b},128:int64"}  # of models on tokens, which gtk makes and ONNX Runtime alone is compared on

def exported(model, training):
    """The ONNX file of a model; for training with BatchNormalization as nodes."""
    path = f"{work}/{model}{'-train' if training else ''}.onnx"
    if not os.path.exists(path) and model in ids:
        subprocess.run([work + "/gtk", "models", "new", model, "-o", path], check=True, stdout=subprocess.DEVNULL)
    elif not os.path.exists(path):
        subprocess.run(torch + ["export", model, path] + (["--train"] if training else []), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path

def compare(what, model, batch, gtk, others):
    """Interleaves the runs of gtk and of the others and keeps the medians."""
    times, mib = {}, {}
    for _ in range(rounds):
        for name, call in [("gtk", gtk)] + others:
            r = call()
            times.setdefault(name, []).append(r["median_ms"])
            mib[name] = max(mib.get(name, 0), r["peak"])
    for name, _ in others:
        ratio = statistics.median(b / a for a, b in zip(times["gtk"], times[name]))
        rows.append((f"{what} {model}, batch {batch}", name, (statistics.median(times["gtk"]), mib["gtk"]),
                     (statistics.median(times[name]), mib[name]), ratio))
        line(rows[-1])

def line(r):
    w, name, a, b, ratio = r
    print(f"{w:34} {a[0]:9.2f} ms {a[1]:6.0f} MiB   {name:13} {b[0]:9.2f} ms {b[1]:6.0f} MiB   {ratio:5.2f}x", flush=True)

rows = []
g = [work + "/gtk", "bench", "--json", "--threads", str(threads), "--n", str(n)]
print(f"{'':34} {'gtk':>23}   {'peer':37}   gtk is faster by", flush=True)
for m in models:
    if "infer" in kinds:
        f = exported(m, False)
        for b in batches:
            if m in ids:
                feeds = [f"{name}={ids[m].format(b=b)}" for name in ("input_ids", "attention_mask")]
                compare("infer", m, b, lambda: run(g + sum((["--input", x.replace(",", "x")] for x in feeds), []) + [f]), [
                    ("ONNX Runtime", lambda: run(["node", "ort.cjs", "bench", f, "--threads", str(threads), "--n", str(n)] + feeds, peers))])
                continue
            compare("infer", m, b, lambda: run(g + ["--batch", str(b), f]), [
                ("ONNX Runtime", lambda: run(["node", "ort.cjs", "bench", f, "--threads", str(threads), "--n", str(n), f"x={b},{shape.get(m, '3,224,224')}"], peers)),
                ("PyTorch", lambda: run(torch + ["infer", m, "--batch", str(b), "--threads", str(threads), "--n", str(n)]))])
    if "train" in kinds and m in steps:
        f, b = exported(m, True), steps[m]
        compare("train", m, b, lambda: run(g + ["--mode", "train", "--bn", "train", "--batch", str(b), f]),
                [("PyTorch", lambda: run(torch + ["train", m, "--batch", str(b), "--threads", str(threads), "--n", str(n)]))])
    if "grand" in kinds and m in norms:
        f, b = exported(m, True), norms[m]
        compare("grand", m, b, lambda: run(g + ["--mode", "grand", "--batch", str(b), f]),
                [("PyTorch", lambda: run(torch + ["grand", m, "--batch", str(b), "--threads", str(threads), "--n", str(n)]))])

def version(cmd):
    return subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode().strip()

for kind, name in dict.fromkeys((w.split()[0], name) for w, name, *_ in rows):
    of = [r[4] for r in rows if r[0].split()[0] == kind and r[1] == name]
    print(f"{kind} against {name}: geometric mean {math.exp(sum(map(math.log, of)) / len(of)):.2f}, lowest {min(of):.2f}, of {len(of)}")

cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "unknown processor")
print(f"""
Markdown

| work | gtk | peer | | gtk is faster by | gtk memory | peer memory |
|---|---|---|---|---|---|---|""")
for w, name, a, b, ratio in rows:
    print(f"| {w} | {a[0]:.2f} ms | {name} | {b[0]:.2f} ms | {ratio:.2f}× | {a[1]:.0f} MiB | {b[1]:.0f} MiB |")
print(f"""
{cpu}, {threads} thread{'s' if threads > 1 else ''}, {datetime.date.today()}, gtk {commit}, PyTorch {version(['/usr/bin/python3', '-c', 'import torch; print(torch.__version__)'])}, \
ONNX Runtime {version(['node', '-p', f"require('{peers}/node_modules/onnxruntime-node/package.json').version"])}; medians of {rounds} interleaved rounds of {n} runs, \
`scripts/bench-peers.sh`. The memory of the peers includes their Python or Node process.""")
PY
