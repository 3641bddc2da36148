"""Runs a folder of ONNX's cases through gtk_backend, as onnx.backend.test does, and prints what failed.

    python3 check.py FOLDER [NAME…]

FOLDER has a folder for each case: model.onnx and test_data_set_*/input_*.pb, output_*.pb. Cases that the installed onnx itself
cannot read, for its age, are counted apart. Exit 1 when a case fails.
"""

import glob
import os
import sys

import numpy as np
import onnx

import gtk_backend


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
    passed, apart, failed = 0, 0, []
    for folder in sorted(glob.glob(os.path.join(root, "*"))):
        name = os.path.basename(folder)
        if names and name not in names or not os.path.exists(os.path.join(folder, "model.onnx")):
            continue
        try:
            why = case(folder)
        except Exception as e:  # whatever it is, it is a failure of this case
            failed.append(f"{name}: {type(e).__name__}: {str(e).strip().splitlines()[0][:200]}")
            continue
        passed, apart = passed + (not why), apart + bool(why)
    print("\n".join(failed))
    print(f"{passed} pass, {len(failed)} fail, {apart} cannot be read by onnx {onnx.__version__}")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
