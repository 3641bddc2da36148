package straggler

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

type vectors struct {
	Loads []struct {
		Scheme             string
		N, S, B, W, Lam, T int
		Load               float64
	}
	Simulation struct {
		N, J     int
		Mu       float64
		BaseComp float64 `json:"base_comp"`
		Delays   [][]float64
		Runs     []struct {
			Scheme    string
			Params    []int
			Load      float64
			T         int
			Total     float64
			NumWaits  int `json:"num_waits"`
			Durations []float64
		}
		GridBest map[string]struct {
			Params []int
			Total  float64
			Tried  int
		} `json:"grid_best"`
	}
	Tandon struct {
		N3S1 struct {
			B      [][]float64
			Decode map[string]struct {
				Alive []int
				A     []float64
			}
		} `json:"n3_s1"`
		Cyclic struct {
			N, S     int
			H, B     [][]float64
			Partials [][]float64
			TrueSum  []float64                             `json:"true_sum"`
			Decode   map[string]struct{ A, Sum []float64 } // by who is lost
		}
	}
}

func read(t *testing.T) *vectors {
	raw, err := os.ReadFile("testdata/d_sgc.json")
	if err != nil {
		t.Fatal(err)
	}
	v := &vectors{}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// authors is the scheme of the vectors, as the authors' program has it.
func authors(name string, p []int) Scheme {
	switch name {
	case "GC":
		return &GC{S: p[0], Code: Cyclic, Strict: true}
	case "SR-SGC":
		return &SRSGC{B: p[0], W: p[1], Lambda: p[2], Code: Cyclic}
	case "M-SGC":
		return &MSGC{B: p[0], W: p[1], Lambda: p[2], Code: Cyclic}
	}
	return &None{}
}

func near(a, b, tol float64) bool { return math.Abs(a-b) <= tol }

func TestLoads(t *testing.T) {
	for _, x := range read(t).Loads {
		params := []int{x.B, x.W, x.Lam}
		if x.Scheme == "GC" {
			params = []int{x.S}
		}
		s := authors(x.Scheme, params)
		p, err := s.Plan(x.N, 3)
		if err != nil {
			t.Fatal(err)
		}
		if !near(p.Load(), x.Load, 1e-15) || p.Delay() != x.T {
			t.Errorf("%v on %d: load %v delay %d, want %v and %d", s, x.N, p.Load(), p.Delay(), x.Load, x.T)
		}
		if r, ok := s.(*SRSGC); ok && r.S() != x.S {
			t.Errorf("%v: s %d, want %d", s, r.S(), x.S)
		}
	}
}

func TestSimulation(t *testing.T) {
	v := read(t).Simulation
	tr := &Trace{Seconds: v.Delays, Slope: v.BaseComp}
	o := Simulation{Rule: Rule{Mu: v.Mu}, Nominal: true}
	for _, x := range v.Runs {
		s := authors(x.Scheme, x.Params)
		r, err := Simulate(s, tr, v.J, o)
		if err != nil {
			t.Fatal(err)
		}
		if !near(r.Seconds, x.Total, 1e-9) || r.Delay != x.T || !near(r.Load, x.Load, 1e-15) {
			t.Errorf("%v: %v s, load %v, delay %d; want %v, %v, %d", s, r.Seconds, r.Load, r.Delay, x.Total, x.Load, x.T)
		}
		for k, d := range x.Durations {
			if !near(r.Rounds[k].Seconds, d, 6e-7) {
				t.Errorf("%v round %d: %v, want %v", s, k, r.Rounds[k].Seconds, d)
			}
		}
		if x.Scheme != "NoCoding" && r.Waits != x.NumWaits { // which counts every round there
			t.Errorf("%v waits %d times, want %d", s, r.Waits, x.NumWaits)
		}
	}
}

func TestGridBest(t *testing.T) {
	v := read(t).Simulation
	tr := &Trace{Seconds: v.Delays, Slope: v.BaseComp}
	for name, want := range v.GridBest {
		best, params, tried := math.Inf(1), []int(nil), 0
		try := func(p ...int) {
			tried++
			r, err := Simulate(authors(name, p), tr, v.J, Simulation{Rule: Rule{Mu: v.Mu}, Nominal: true})
			if err == nil && r.Seconds < best {
				best, params = r.Seconds, p
			}
		}
		switch name {
		case "GC":
			for s := range v.N {
				try(s)
			}
		case "SR-SGC":
			for b := 1; b <= 6; b++ {
				for w := b + 1; w <= 10; w++ { // most are refused: W is no multiple of B and one more
					for l := 1; l <= v.N; l++ {
						try(b, w, l)
					}
				}
			}
		case "M-SGC":
			for b := 1; b <= 5; b++ {
				for w := b + 1; w-2+b <= 5; w++ {
					for l := 1; l <= v.N; l++ {
						try(b, w, l)
					}
				}
			}
		}
		if !near(best, want.Total, 1e-9) || !slices.Equal(params, want.Params) || tried != want.Tried {
			t.Errorf("%s: %v with %v of %d, want %v with %v of %d", name, best, params, tried, want.Total, want.Params, want.Tried)
		}
	}
}

func TestTandon(t *testing.T) {
	v := read(t).Tandon
	for _, x := range v.N3S1.Decode {
		for k, a := range DecodeCode(v.N3S1.B, x.Alive) {
			if !near(a, x.A[k], 1e-12) {
				t.Errorf("n=3, alive %v: %v, want %v", x.Alive, a, x.A[k])
			}
		}
	}
	c := v.Cyclic
	b := CyclicCode(c.H, c.N)
	for i, row := range c.B {
		for j, want := range row {
			if !near(b[i][j], want, 1e-9*max(1, math.Abs(want))) {
				t.Errorf("B[%d][%d] = %v, want %v", i, j, b[i][j], want)
			}
		}
	}
	for key, x := range c.Decode {
		var lost, alive []int
		if err := json.Unmarshal([]byte(key), &lost); err != nil {
			t.Fatal(err)
		}
		for w := range c.N {
			if !slices.Contains(lost, w) {
				alive = append(alive, w)
			}
		}
		a := DecodeCode(b, alive)
		for k := range a {
			if !near(a[k], x.A[k], 1e-9*max(1, math.Abs(x.A[k]))) {
				t.Errorf("alive %v: a %v, want %v", alive, a, x.A)
				break
			}
		}
		for d, want := range c.TrueSum {
			sum := 0.0
			for k, w := range alive {
				for j := range c.N {
					sum += a[k] * b[w][j] * c.Partials[j][d]
				}
			}
			if !near(sum, want, 1e-10) {
				t.Errorf("alive %v: sum %v, want %v", alive, sum, want)
			}
		}
	}
}
