package job

import (
	"math"
	"strings"
	"testing"
)

func TestPaired(t *testing.T) {
	// Of 100 examples a is right on 60 and b on 50, 5 of them right by b alone: the differences are 15 times 1, 5 times -1. Their
	// variance, by n-1, is (20 - 100·0.1²)/99; the half-width of the interval is 1.984217 (Student, 99 degrees of freedom) times
	// sqrt(variance/100).
	var a, b []float64
	for i := range 100 {
		x, y := 0.0, 0.0
		switch {
		case i < 45:
			x, y = 1, 1
		case i < 60:
			x = 1
		case i < 65:
			y = 1
		}
		a, b = append(a, x), append(b, y)
	}
	one := func(v []float64) [][]float64 { return [][]float64{v} }
	c := compare(one(a), one(b))
	half := 1.984216951586417 * math.Sqrt((20-1)/99.0/100)
	if math.Abs(c.diff-0.1) > 1e-12 || math.Abs(c.high-c.diff-half) > 1e-9 || !c.conclusive {
		t.Errorf("%+v, half-width %v", c, half)
	}
	if same := compare(one(a[:12]), one(a[:12])); same.conclusive || same.diff != 0 || !(same.high > 0.1) {
		t.Errorf("the same answers on twelve examples prove something: %+v", same)
	}
	p := &Proof{N: 12}
	p.judge(compare(one(a[40:52]), one(b[40:52])), false)
	if p.Conclusive != (p.Low > 0 || p.High < 0) {
		t.Errorf("%+v", p)
	}
	p.judge(compare(one(a[:12]), one(a[:12])), false)
	if !strings.HasPrefix(p.Says, "it proves nothing") || !strings.Contains(p.Says, "12 examples") {
		t.Errorf("%s", p.Says)
	}
}

// Two runs of which one finds 40 of 100 differences and the other none: the examples say that the difference is sure, the runs that it is
// not.
func TestPairedRuns(t *testing.T) {
	a, b := [][]float64{make([]float64, 100), make([]float64, 100)}, [][]float64{make([]float64, 100), make([]float64, 100)}
	for i := range 40 {
		a[0][i] = 1
	}
	c := compare(a, b)
	// Means of runs 0.4 and 0: variance 0.08, by two 0.04. Means of examples 0.5 (40 times) and 0: variance (40·0.25 - 100·0.04)/99, by
	// 100.
	e, r := 6/99.0/100, 0.04
	nu := (e + r) * (e + r) / (e*e/99 + r*r)
	if math.Abs(c.diff-0.2) > 1e-12 || c.conclusive || math.Abs(nu-1.0305) > 1e-3 || c.high-c.diff < 11*math.Sqrt(r) {
		t.Errorf("%+v with %v degrees of freedom", c, nu)
	}
	alike := compare([][]float64{a[0], a[0]}, b)
	if !alike.conclusive || math.Abs(alike.diff-0.4) > 1e-12 {
		t.Errorf("two runs that agree: %+v", alike)
	}
}
