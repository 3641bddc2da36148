package science

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

// What is drawn has the moments of its distributions: Friedman's mean is 14.41 (by quadrature, with 20·1/12 of the square and a noise of
// mean 0), waveform's and ringnorm's classes are as frequent as each other, and ringnorm's first is twice as wide.
func TestTables(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	f, w, n := &rows{}, &rows{}, &rows{}
	for range 20000 {
		friedman(r, f)
		waveform(r, w)
		ringnorm(r, n)
	}
	mean := 0.0
	for _, v := range f.value {
		mean += float64(v) / 20000
	}
	if math.Abs(mean-14.41) > 0.15 {
		t.Errorf("Friedman's mean is %v", mean)
	}
	for _, x := range []*rows{w, n} {
		count := make([]int, x.classes)
		for _, k := range x.label {
			count[k]++
		}
		for k, c := range count {
			if math.Abs(float64(c)-20000/float64(x.classes)) > 400 {
				t.Errorf("class %d of %d has %d rows", k, x.classes, c)
			}
		}
	}
	var square [2]float64
	for i, k := range n.label {
		square[k] += float64(n.x[20*i]) * float64(n.x[20*i]) / 10000
	}
	if math.Abs(square[0]-4) > 0.2 || math.Abs(square[1]-1.2) > 0.1 {
		t.Errorf("ringnorm's mean squares are %v, want 4 and 1.2", square)
	}
	a, b := &rows{width: 1, x: []float32{1, 3}, value: []float32{10, 30}}, &rows{width: 1, x: []float32{5}, value: []float32{20}}
	standardise(a, b)
	if a.x[0] != -1 || a.x[1] != 1 || b.x[0] != 3 || a.value[1] != 1 || b.value[0] != 0 {
		t.Errorf("standardised %v %v %v %v", a.x, b.x, a.value, b.value)
	}
}

// Both arms of the experiment learn, and units are cut.
func TestGBNNArms(t *testing.T) {
	if testing.Short() {
		t.Skip("trains 12 networks")
	}
	l := &Lab{Seeds: []uint64{1, 2}, page: &Page{}}
	cut, eta, err := l.boostedArm(context.Background(), "waveform", drawn(waveform), []int{4, 8})
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.perceptronArm(context.Background(), "waveform", drawn(waveform), []int{4, 8})
	if err != nil {
		t.Fatal(err)
	}
	for w, x := range [][]float64{cut[0], cut[1], p.tests[1]} {
		if len(x) != 2 || x[0] < 0.6 {
			t.Errorf("arm %d: accuracy %v", w, x)
		}
	}
	if eta == 0 || p.rate == 0 || p.lower || p.tests[0][0] >= p.tests[1][0] {
		t.Errorf("eta %v, %+v", eta, p)
	}
}
