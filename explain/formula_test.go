package explain

import "testing"

// FuzzParseFormula: no text makes the parser panic or run on, and what it reads names a tensor.
func FuzzParseFormula(f *testing.F) {
	for _, s := range []string{
		"scores[0,17,1]", "mean(out[:,2,4:8])", "sum(a)-b[0,3]", "-('x:0'[...,-1]*2.5e-3+max(y))", "((((", "a[", "1e", "'", "a[::]",
		"a[0,...,...]", "é[0]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseFormula(s)
		if err != nil {
			return
		}
		if len(p.tensors()) == 0 || p.String() != s {
			t.Errorf("%q names %q", s, p.tensors())
		}
	})
}
