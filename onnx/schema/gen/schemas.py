# Writes ../onnx17.tsv: the signatures of the operators of ONNX up to operator set 17, as the Python package onnx 1.12 has them.
#   /usr/bin/python3 schemas.py > ../onnx17.tsv
# Later versions are written by hand, in ../later.tsv.
import onnx, onnx.defs as d
short = {'FLOAT': 'f', 'INT': 'i', 'STRING': 's', 'TENSOR': 't', 'GRAPH': 'g', 'SPARSE_TENSOR': 'z', 'TYPE_PROTO': 'p', 'FLOATS': 'F',
         'INTS': 'I', 'STRINGS': 'S', 'TENSORS': 'T', 'GRAPHS': 'G', 'SPARSE_TENSORS': 'Z', 'TYPE_PROTOS': 'P'}
def typ(s):
    return s[7:-1] if s.startswith('tensor(') else s.replace(' ', '')
sets, rows = {}, []
for s in sorted(d.get_all_schemas_with_history(), key=lambda s: (s.domain, s.name, s.since_version)):
    cons = []
    for c in s.type_constraints:
        ts = ' '.join(sorted(typ(t) for t in c.allowed_type_strs))
        k = sets.setdefault(ts, len(sets))
        cons.append('%s=%d' % (c.type_param_str, k))
    def formals(fs):
        out = []
        for f in fs:
            mark = {0: '', 1: '?', 2: '*'}[int(getattr(f.option, 'value', f.option))]
            if mark == '*' and not f.isHomogeneous:
                mark = '**'
            out.append('%s%s:%s' % (f.name.replace(' ', '_'), mark, typ(f.typeStr)))
        return ' '.join(out)
    attrs = ' '.join('%s:%s%s' % (a.name, short[a.type.name], '!' if a.required else '') for a in sorted(s.attributes.values(), key=lambda a: a.name))
    rows.append('\t'.join([s.domain or 'ai.onnx', s.name, '%d%s' % (s.since_version, '-' if s.deprecated else ''),
        str(s.min_input), str(s.min_output), formals(s.inputs), formals(s.outputs), attrs, ' '.join(cons)]).rstrip())
print('# The signatures of ONNX operators up to operator set 17, from the Python package onnx 1.12 (Apache-2.0) by gen/schemas.py: facts of')
print('# https://github.com/onnx/onnx/blob/main/docs/Changelog.md. Sets of types, then: domain, operator, version (- deprecated), least inputs,')
print('# least outputs, inputs (? optional, * variadic, ** of any types), outputs, attributes (! required), type parameters.')
for ts, k in sets.items():
    print('=%d\t%s' % (k, ts))
for r in rows:
    print(r)
