"""Writes the models of this folder and expected.json: pipelines as skl2onnx and onnxmltools write them, fitted here with NumPy (gradient
boosting by exact greedy splits, logistic regression by gradient descent). The outputs are those of ONNX Runtime 1.30 (npm package
onnxruntime-node, in ~/.cache/gtk-peers/node_modules), which are compared with the predictions of the code that fitted the models.

    python3 make.py
"""
import json, math, os, subprocess, tempfile
import numpy as np, onnx
from onnx import helper as h, TensorProto as T
f = np.float32
here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(11)
ML = dict(domain='ai.onnx.ml')
V = h.make_tensor_value_info
N = 300
X = rng.normal(size=(N, 5)).astype(f).round(3)
y = ((X[:, 0] * X[:, 1] > 0) ^ (X[:, 2] > .8)).astype(int)
sig = lambda z: 1 / (1 + np.exp(-z))

def fit_tree(X, g, hess, depth, missing):
    """A tree for the step -g/h; rows with NaN go left where missing. Nodes in pre-order."""
    nodes = []
    def go(rows, d):
        i = len(nodes); nodes.append(None)
        best = None
        if d > 0 and len(rows) >= 20:
            total = g[rows].sum() ** 2 / (hess[rows].sum() + 1)
            for k in range(X.shape[1]):
                v = X[rows, k]
                for t in np.unique(np.quantile(v[~np.isnan(v)], np.linspace(.1, .9, 9)).astype(f)):
                    left = (v <= t) | (np.isnan(v) if missing else False)
                    a, b = rows[left], rows[~left]
                    if min(len(a), len(b)) < 8: continue
                    gain = g[a].sum() ** 2 / (hess[a].sum() + 1) + g[b].sum() ** 2 / (hess[b].sum() + 1) - total
                    if best is None or gain > best[0]: best = (gain, k, t, a, b)
        if best is None or best[0] < 1e-6:
            nodes[i] = ('LEAF', 0, f(0), 0, 0, f(-.3 * g[rows].sum() / (hess[rows].sum() + 1)))
        else:
            _, k, t, a, b = best
            l = go(a, d - 1); r = go(b, d - 1)
            nodes[i] = ('BRANCH_LEQ', k, t, l, r, f(0))
        return i
    go(np.arange(len(X)), depth)
    return nodes

def predict(nodes, x, missing):
    i = 0
    while nodes[i][0] != 'LEAF':
        v = x[nodes[i][1]]
        i = nodes[i][3] if v <= nodes[i][2] or (missing and np.isnan(v)) else nodes[i][4]
    return nodes[i][5]

def attributes(trees, prefix, ids, missing):
    a = {k: [] for k in ('nodes_treeids nodes_nodeids nodes_featureids nodes_modes nodes_values nodes_truenodeids nodes_falsenodeids '
                         'nodes_missing_value_tracks_true').split() + [prefix + s for s in ('_treeids', '_nodeids', '_ids', '_weights')]}
    for t, nodes in enumerate(trees):
        for i, (mode, k, v, l, r, w) in enumerate(nodes):
            for name, value in (('treeids', t), ('nodeids', i), ('featureids', k), ('modes', mode), ('values', float(v)), ('truenodeids', l),
                                ('falsenodeids', r), ('missing_value_tracks_true', int(missing and mode != 'LEAF'))):
                a['nodes_' + name].append(value)
            if mode == 'LEAF':
                for name, value in (('treeids', t), ('nodeids', i), ('ids', ids[t]), ('weights', float(w))): a[prefix + '_' + name].append(value)
    return a

models = {}
def save(name, nodes, ins, outs, feeds, check=None, init=()):
    m = h.make_model(h.make_graph(nodes, name, ins, outs, list(init)), ir_version=8, producer_name='make.py',
                     opset_imports=[h.make_opsetid('', 15), h.make_opsetid('ai.onnx.ml', 3)])
    onnx.checker.check_model(m); onnx.save(m, os.path.join(here, name + '.onnx')); models[name] = (feeds, [o.name for o in outs], check)

def boost(X, missing, rounds=12):
    z = np.full(len(X), f(-.2)); trees = []
    for _ in range(rounds):
        p = sig(z); trees.append(fit_tree(X, p - y, p * (1 - p), 3, missing))
        z = z + np.array([predict(trees[-1], x, missing) for x in X])
    return trees, z
# scikit-learn: StandardScaler, GradientBoostingClassifier
mean, std = X.mean(0), X.std(0)
S = ((X - mean.astype(f)) * (1 / std).astype(f)).astype(f)
trees, z = boost(S, False)
save('scaled_boosting', [h.make_node('Scaler', ['X'], ['scaled'], offset=[float(v) for v in mean.astype(f)], scale=[float(v) for v in (1 / std).astype(f)], **ML),
      h.make_node('TreeEnsembleClassifier', ['scaled'], ['label', 'probabilities'], classlabels_strings=['cold', 'warm'], post_transform='LOGISTIC',
                  base_values=[-.2], **{k: v for k, v in attributes(trees, 'class', [0] * 12, False).items() if 'missing' not in k}, **ML)],
     [V('X', T.FLOAT, [None, 5])], [V('label', T.STRING, [None]), V('probabilities', T.FLOAT, [None, 2])], {'X': X[:40]},
     {'probabilities': np.stack([1 - sig(z), sig(z)], 1)[:40], 'label': np.array(['cold', 'warm'])[(z > 0).astype(int)][:40]})
# LightGBM: binary, missing values go left
M = X.copy(); M[rng.random(M.shape) < .1] = np.nan
trees, z = boost(M, True)
save('lightgbm_missing', [h.make_node('TreeEnsembleClassifier', ['input'], ['label', 'prob'], classlabels_int64s=[0, 1], post_transform='LOGISTIC', base_values=[-.2],
      **attributes(trees, 'class', [0] * 12, True), **ML)], [V('input', T.FLOAT, [None, 5])], [V('label', T.INT64, [None]), V('prob', T.FLOAT, [None, 2])],
     {'input': M[:40]}, {'prob': np.stack([1 - sig(z), sig(z)], 1)[:40], 'label': (z > 0).astype(int)[:40]})
# XGBoost: three classes, one tree for each class and round, BRANCH_LT
forest, ids = [], []
for r in range(4):
    for c in range(3):
        forest.append(fit_tree(X, sig(np.zeros(N)) - (np.digitize(X[:, c], [-.5 + .2 * r]) == 1), np.full(N, .25), 2, False)); ids.append(c)
a = attributes(forest, 'class', ids, False); a['nodes_modes'] = ['BRANCH_LT' if m != 'LEAF' else m for m in a['nodes_modes']]
save('xgboost_three', [h.make_node('TreeEnsembleClassifier', ['input'], ['label', 'probabilities'], classlabels_int64s=[0, 1, 2], post_transform='SOFTMAX', **a, **ML)],
     [V('input', T.FLOAT, [None, 5])], [V('label', T.INT64, [None]), V('probabilities', T.FLOAT, [None, 3])], {'input': X[:40]})
# scikit-learn: random forest for a regression, and its double precision
target = X[:, 0] * 2 + np.abs(X[:, 3])
forest = [fit_tree(X[b], -target[b] / .3, np.zeros(len(b)) + 1, 4, False) for b in (rng.integers(0, N, N) for _ in range(6))]
a = attributes(forest, 'target', [0] * 6, False); del a['nodes_missing_value_tracks_true']
save('forest_regressor', [h.make_node('TreeEnsembleRegressor', ['X'], ['variable'], n_targets=1, aggregate_function='AVERAGE', **a, **ML)],
     [V('X', T.FLOAT, [None, 5])], [V('variable', T.FLOAT, [None, 1])], {'X': X[:40]},
     {'variable': np.array([np.mean([predict(t, x, False) for t in forest]) for x in X[:40]])[:, None]})
# scikit-learn: ColumnTransformer of SimpleImputer and OneHotEncoder, LogisticRegression
age = rng.integers(18, 80, (N, 1)).astype(f); age[::7] = np.nan
city = np.array(['Bern', 'Rome', 'Oslo'])[rng.integers(0, 3, (N, 1))]
filled = np.where(np.isnan(age), f(40), age)
F = np.hstack([(filled - 40) / 10, city == 'Bern', city == 'Rome']).astype(float)
t = (filled[:, 0] + 15 * (city[:, 0] == 'Rome') > 55).astype(int)
w, b = np.zeros(3), 0.
for _ in range(400):
    p = sig(F @ w + b); w -= .05 * F.T @ (p - t) / N * 10; b -= .05 * (p - t).sum() / N * 10
w, b = w.astype(f), f(b)
p = sig(F @ w + b)
save('mixed_columns', [h.make_node('OneHotEncoder', ['city'], ['hot'], cats_strings=['Bern', 'Rome'], **ML), h.make_node('Reshape', ['hot', 'shape'], ['hot2']),
      h.make_node('Imputer', ['age'], ['filled'], imputed_value_floats=[40.], replaced_value_float=float('nan'), **ML),
      h.make_node('Scaler', ['filled'], ['scaled'], offset=[40.], scale=[.1], **ML), h.make_node('Concat', ['scaled', 'hot2'], ['columns'], axis=1),
      h.make_node('LinearClassifier', ['columns'], ['label', 'raw'], coefficients=[float(v) for v in np.concatenate([-w, w])], intercepts=[float(-b), float(b)],
                  classlabels_ints=[0, 1], post_transform='LOGISTIC', multi_class=1, **ML), h.make_node('Normalizer', ['raw'], ['probabilities'], norm='L1', **ML)],
     [V('age', T.FLOAT, [None, 1]), V('city', T.STRING, [None, 1])], [V('label', T.INT64, [None]), V('probabilities', T.FLOAT, [None, 2])],
     {'age': age[:40], 'city': city[:40]}, {'probabilities': np.stack([1 - p, p], 1)[:40], 'label': (p > .5).astype(int)[:40]}, [h.make_tensor('shape', 7, [2], [-1, 2])])
# scikit-learn: SVC with probabilities
sv = X[:12]
save('svc', [h.make_node('SVMClassifier', ['X'], ['label', 'probabilities'], classlabels_strings=['a', 'b', 'c'], kernel_type='RBF', kernel_params=[.2, 0., 3.], vectors_per_class=[4, 5, 3],
      support_vectors=[float(v) for v in sv.ravel()], coefficients=[float(v) for v in rng.normal(size=24).astype(f)], rho=[.1, -.2, .05], prob_a=[-1.5, -2., -1.], prob_b=[.1, 0., -.1], **ML)],
     [V('X', T.FLOAT, [None, 5])], [V('label', T.STRING, [None]), V('probabilities', T.FLOAT, [None, 3])], {'X': X[:40]})

def listed(a):
    if a.dtype.kind in 'OU': return dict(type='string', dims=list(a.shape), data=a.ravel().tolist())
    return dict(type=str(a.dtype), dims=list(a.shape), data=['nan' if v != v else float('%.9g' % v) for v in a.ravel().tolist()])
job = [dict(name=n, model=os.path.join(here, n + '.onnx'), feeds={k: listed(v) for k, v in feeds.items()}) for n, (feeds, _, _) in models.items()]
with tempfile.TemporaryDirectory() as d:
    json.dump(job, open(d + '/job.json', 'w'))
    subprocess.check_call(['node', os.path.join(here, '../../ops/ml/testdata/gen/ort.cjs'), d + '/job.json', d + '/out.json'])
    results = {r['name']: r for r in json.load(open(d + '/out.json'))}
expected = {}
for n, (feeds, outs, check) in models.items():
    if 'error' in results[n]: raise SystemExit(n + ': ' + results[n]['error'])
    got = results[n]['out']
    for k, want in (check or {}).items():
        have = np.array(got[k]['data']).reshape(got[k]['dims'])
        ok = (have == want).all() if have.dtype.kind in 'OU' else np.abs(have - want).max() < 1e-5
        print(n, k, 'agrees with what was fitted' if ok else 'DIFFERS', (np.abs(have - want).max() if have.dtype.kind not in 'OU' else ''))
        assert ok
    for o in got.values():
        if o['type'] == 'float32': o['data'] = [float('%.9g' % v) for v in o['data']]
    expected[n] = dict(feeds={k: listed(v) for k, v in feeds.items()}, outs=got)
json.dump(expected, open(os.path.join(here, 'expected.json'), 'w'), separators=(',', ':'))
