"""Runs a folder of ONNX's cases through gtk_backend, as onnx.backend.test does, and prints what failed.

    python3 check.py FOLDER [NAME…]

FOLDER has a folder for each case: model.onnx and test_data_set_*/input_*.pb, output_*.pb. Cases that the installed onnx itself
cannot read, for its age, are counted apart, and so are the known failures that the engine's own tests list, each with its reason
there. Exit 1 when another case fails or a known failure passes.
"""

import glob
import os
import sys

import numpy as np
import onnx

import gtk_backend


KNOWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../engine/testdata/known_failures.txt")


def known_failures(suite):
    """The names of the known failures of a suite, whose lines are "suite/case  # reason"."""
    if not os.path.exists(KNOWN):
        return set()
    with open(KNOWN, encoding="utf-8") as f:
        names = [line.split("#")[0].strip() for line in f]
    return {n.partition("/")[2] for n in names if n.startswith(suite + "/")}


def read(path, typ):
    with open(path, "rb") as f:
        return gtk_backend.value(f.read(), typ)


def same(got, want, where):
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want), f"{where}: {len(got)} elements, want {len(want)}"
        for k, (g, w) in enumerate(zip(got, want)):
            same(g, w, f"{where}[{k}]")
    elif isinstance(want, dict):
        assert list(got) == list(want), f"{where}: keys {list(got)}, want {list(want)}"
        same(list(got.values()), list(want.values()), where)
    elif want is None:
        assert got is None, f"{where}: a value, want none"
    elif want.dtype.kind in "OUS":
        np.testing.assert_array_equal(got, want, where)
    else:
        assert got.dtype == want.dtype, f"{where}: {got.dtype}, want {want.dtype}"
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-7, err_msg=where)


def case(folder):
    model = onnx.load(os.path.join(folder, "model.onnx"))
    rep = gtk_backend.prepare(model)
    for data in sorted(glob.glob(os.path.join(folder, "test_data_set_*"))):
        def values(kind, infos):
            n = len(glob.glob(os.path.join(data, kind + "_*.pb")))
            return [read(os.path.join(data, f"{kind}_{k}.pb"), infos[k].type) for k in range(n)]

        try:
            inputs, want = values("input", model.graph.input), values("output", model.graph.output)
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            return f"unreadable by onnx {onnx.__version__}: {e}"
        got = rep.run(inputs)
        for k, w in enumerate(want):
            same(got[k], w, model.graph.output[k].name)
    return ""


def main():
    root, names = sys.argv[1], sys.argv[2:]
    known = known_failures(os.path.basename(os.path.abspath(root)))
    passed, apart, listed, failed = 0, 0, 0, []
    for folder in sorted(glob.glob(os.path.join(root, "*"))):
        name = os.path.basename(folder)
        if names and name not in names or not os.path.exists(os.path.join(folder, "model.onnx")):
            continue
        why = error = ""
        try:
            why = case(folder)
        except Exception as e:  # whatever it is, it is a failure of this case
            error = f"{type(e).__name__}: {str(e).strip().splitlines()[0][:200]}"
        if why:
            apart += 1
        elif not error and name in known:
            failed.append(f"{name}: passes, and is listed as a known failure")
        elif not error:
            passed += 1
        elif name in known:
            listed += 1
        else:
            failed.append(f"{name}: {error}")
    for line in failed:
        print(line)
    print(f"{passed} pass, {len(failed)} fail, {listed} are known to fail, {apart} cannot be read by onnx {onnx.__version__}")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
