package science

import (
	"context"
	"math"
	"testing"
)

// The walks end where those of the paper's notebook do: figures in float64. Gradients agree with the
// functions.
func TestValleys(t *testing.T) {
	ends := map[string][2]float64{ // Adam, diffGrad after 299 steps
		"F1": {0.20011493225103097, -0.3000711662898361},
		"F2": {0.0001773213412544934, -0.812144590100817},
		"F3": {0.000510142289362951, 0.013565124364104305},
	}
	for _, v := range valleys {
		for i, friction := range []bool{false, true} {
			if got := v.walk(friction, 0.1, 299); math.Abs(got-ends[v.name][i]) > 1e-12 {
				t.Errorf("%s, friction %t: %.16g, want %.16g", v.name, friction, got, ends[v.name][i])
			}
		}
		for x := -1.3; x < 1; x += 0.0731 {
			const h = 1e-6
			if d := (v.f(x+h) - v.f(x-h)) / (2 * h); math.Abs(d-v.g(x)) > 1e-4 {
				t.Errorf("%s at %g: gradient %g, differences give %g", v.name, x, v.g(x), d)
			}
		}
	}
}

// One seed less than the recipe's takes seconds, and every arm is there.
func TestDiffGrad(t *testing.T) {
	if testing.Short() {
		t.Skip("trains 18 networks")
	}
	p, err := Run(context.Background(), "diffgrad", Config{Seeds: 2})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Parts[0].Table.Rows); n != 9 {
		t.Errorf("%d rows", n)
	}
	for _, r := range p.Parts[0].Table.Rows {
		if len(r[3].Values) != 2 || r[3].Values[0] < 85 {
			t.Errorf("%s %s: accuracy %v", r[0].Text, r[1].Text, r[3].Values)
		}
	}
}
