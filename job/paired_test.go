package job

import (
	"math"
	"strings"
	"testing"
)

func TestPaired(t *testing.T) {
	// Of 100 examples a is right on 60 and b on 50, 5 of them right by b alone: the differences are 15 times 1, 5 times -1. Their variance, by n-1, is
	// (20 - 100·0.1²)/99; the half-width of the interval 1.96·sqrt(variance/100).
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
	c := compare(a, b)
	half := 1.959963984540054 * math.Sqrt((20-1)/99.0/100)
	if math.Abs(c.diff-0.1) > 1e-12 || math.Abs(c.high-c.diff-half) > 1e-12 || !c.conclusive {
		t.Errorf("%+v, half-width %v", c, half)
	}
	if same := compare(a[:12], a[:12]); same.conclusive || same.diff != 0 || !(same.high > 0.1) {
		t.Errorf("the same answers on twelve examples prove something: %+v", same)
	}
	p := &Proof{N: 12}
	p.judge(compare(a[40:52], b[40:52]), false)
	if p.Conclusive != (p.Low > 0 || p.High < 0) {
		t.Errorf("%+v", p)
	}
	p.judge(compare(a[:12], a[:12]), false)
	if !strings.HasPrefix(p.Says, "it proves nothing") || !strings.Contains(p.Says, "12 examples") {
		t.Errorf("%s", p.Says)
	}
}
