package nas

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"
)

// vectors are numbers that were computed by the authors' code and by other implementations of the formulas.
type vectors struct {
	Data struct {
		Logits      [][]float64          `json:"logits"`
		Targets     []int                `json:"targets"`
		Indices     []int                `json:"indices"`
		N           int                  `json:"N"`
		GradNorm    []float64            `json:"grad_norm"`
		Accumulated []float64            `json:"accumulated"`
		CurProb     []float64            `json:"cur_prob"`
		NewProb     map[string][]float64 `json:"new_prob_by_tau"`
	} `json:"data"`
	Path struct {
		Steps []struct {
			Arch []int              `json:"arch"`
			Sum  map[string]float64 `json:"op_sum_grad_norm"`
			Norm []float64          `json:"path_grads_norm"`
		} `json:"steps"`
		Prob map[string][]float64 `json:"prob"`
	} `json:"path"`
	Theory struct {
		Grads     [][]float64 `json:"grads"`
		OptimalP  []float64   `json:"optimal_p"`
		Uniform   float64     `json:"var_uniform"`
		Optimal   float64     `json:"var_optimal"`
		Weights   []float64   `json:"weights"`
		Mean      []float64   `json:"mean"`
		Tolerance float64
	} `json:"theory"`
	Kendall struct {
		A, B []float64
		TauB float64 `json:"tau_b"`
	} `json:"kendall"`
	NASBench struct {
		Ops   []string `json:"ops"`
		Edges []string `json:"edges"`
		N     int      `json:"n_archs"`
	} `json:"nasbench201"`
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/c_panda.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func same(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= 1e-9) {
			t.Errorf("%s[%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestDataVectors(t *testing.T) {
	v := readVectors(t).Data
	l := NewDataLaw(v.N)
	l.Begin()
	var norms []float64
	for k, i := range v.Indices {
		g := GradientNorm(v.Logits[k], v.Targets[k])
		norms = append(norms, g)
		l.See(i, g)
	}
	same(t, "gradient norms", norms, v.GradNorm)
	same(t, "scores", l.Scores(), v.Accumulated)
	same(t, "shares", l.Law(1), v.CurProb)
	for tau, want := range v.NewProb {
		x, err := strconv.ParseFloat(tau, 64)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "law at "+tau, l.Law(x), want)
	}
}

func TestPathVectors(t *testing.T) {
	v := readVectors(t).Path
	l := NewPathLaw(5)
	l.Begin()
	for _, s := range v.Steps {
		sum := make([]float64, 5)
		for o, g := range s.Sum {
			k, err := strconv.Atoi(o)
			if err != nil {
				t.Fatal(err)
			}
			sum[k] = g
		}
		l.See(s.Arch, sum)
		same(t, "scores", l.Scores(), s.Norm)
	}
	for tau, want := range v.Prob {
		x, err := strconv.ParseFloat(tau, 64)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "law at "+tau, l.Law(x), want)
	}
	l.Floor = 0.05
	total := 0.0
	for o, p := range l.Law(0.996) {
		total += p
		if p < 0.05 {
			t.Errorf("operator %d has probability %v below the floor", o, p)
		}
	}
	if math.Abs(total-1) > 1e-12 {
		t.Errorf("probabilities with a floor sum to %v", total)
	}
}

func TestTheoryVectors(t *testing.T) {
	v := readVectors(t).Theory
	var norms []float64
	uniform := make([]float64, len(v.Grads))
	for i, g := range v.Grads {
		norms = append(norms, norm(g))
		uniform[i] = 1 / float64(len(uniform))
	}
	p := OptimalLaw(norms)
	same(t, "optimal law", p, v.OptimalP)
	same(t, "weights", Weights(p, 0), v.Weights)
	same(t, "mean", Mean(v.Grads), v.Mean)
	same(t, "variances", []float64{Variance(v.Grads, uniform), Variance(v.Grads, p)}, []float64{v.Uniform, v.Optimal})
	for _, w := range Weights(p, 0.9) {
		if w > 0.9 {
			t.Errorf("weight %v is above the most", w)
		}
	}
}

func TestKendallVectors(t *testing.T) {
	v := readVectors(t).Kendall
	same(t, "tau", []float64{Kendall(v.A, v.B)}, []float64{v.TauB})
	if x := Kendall([]float64{1, 1}, []float64{1, 2}); !math.IsNaN(x) {
		t.Errorf("tau of a constant is %v", x)
	}
}

// An example that an epoch did not show keeps its score where that is asked for.
func TestKeep(t *testing.T) {
	for _, keep := range []bool{false, true} {
		l := NewDataLaw(2)
		l.Keep = keep
		l.Begin()
		l.See(0, 1)
		l.See(1, 0.5)
		l.Begin()
		l.See(0, 0.25)
		want := []float64{0.25, 0}
		if keep {
			want[1] = 0.5
		}
		same(t, "scores", l.Scores(), want)
		p := NewPathLaw(2)
		p.Keep = keep
		p.See([]int{0, 0, 1}, []float64{2, 1})
		p.Begin()
		want = []float64{0, 0}
		if keep {
			want = []float64{0.5, 0.5}
		}
		same(t, "path scores", p.Scores(), want)
	}
}
