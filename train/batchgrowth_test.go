package train

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// growthVectors are tests of the batch size on softmax regression, in float64, with those of the authors' code.
type growthVectors struct {
	X        []any     `json:"X"`
	Y        []int     `json:"y"`
	W        any       `json:"W"`
	B        any       `json:"b"`
	MeanW    []any     `json:"grad_mean_W"`
	MeanB    []float64 `json:"grad_mean_b"`
	N        []float64 `json:"per_sample_grad_sq_norm"`
	GG       float64   `json:"grad_norm_sq"`
	Var      float64   `json:"var_l1"`
	S        []float64 `json:"inner_products"`
	Along    float64   `json:"var_inner_product_exact"`
	Across   float64   `json:"var_orthogonal_exact"`
	Settings struct {
		Norm     float64 `json:"norm_test_b_raw"`
		Inner    float64 `json:"ip_exact_b_raw"`
		Orth     float64 `json:"orth_exact_b_raw"`
		Official []any   `json:"official_ip_orth"` // the next batch, variances along and across, squared norm
	} `json:"eta=0.5_theta=0.5_nu=1.0"`
}

func readGrowthVectors(t *testing.T) *growthVectors {
	t.Helper()
	// Computed in float64, the official ones with tests.py of https://github.com/timlautk/AdAdaGrad at cc126fb.
	b, err := os.ReadFile("testdata/adadagrad.json")
	if err != nil {
		t.Fatal(err)
	}
	v := &growthVectors{}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
	return v
}

func close9(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

func TestGrowthRules(t *testing.T) {
	v := readGrowthVectors(t)
	x := &spread{count: 6, groups: []group{{v.GG, v.N, v.S}}}
	close9(t, "‖Var‖₁", x.variance(), v.Var)
	close9(t, "the variance along", x.along(), v.Along)
	close9(t, "the variance across", x.across(), v.Across)
	for test, want := range map[string]float64{
		NormTest: v.Settings.Norm, InnerTest: v.Settings.Inner, BothTests: max(v.Settings.Inner, v.Settings.Orth),
	} {
		g := BatchGrowth{Test: test}.With(1000)
		need := g.need(x)
		close9(t, test, need, want)
		if next := g.next(6, need); next != int(math.Ceil(want)) {
			t.Errorf("%s: %d examples after 6, want %.0f", test, next, math.Ceil(want))
		}
	}
}

// Each tensor for itself, the variances are those of the authors' code.
func TestGrowthRulesByLayer(t *testing.T) {
	v := readGrowthVectors(t)
	x := &spread{count: 6, groups: v.byLayer(t)}
	close9(t, "‖ḡ‖²", x.gg(), v.GG)
	close9(t, "‖Var‖₁", x.variance(), v.Var)
	close9(t, "the variance along", x.along(), v.Settings.Official[1].(float64))
	close9(t, "the variance across", x.across(), v.Settings.Official[2].(float64))
	if next, want := (BatchGrowth{Test: BothTests}).With(1000).next(6, (BatchGrowth{Test: BothTests}).With(1000).need(x)),
		int(v.Settings.Official[0].(float64)); next != want {
		t.Errorf("%d examples, want %d", next, want)
	}
}

// byLayer are norms and products of weight and bias.
func (v *growthVectors) byLayer(t *testing.T) []group {
	t.Helper()
	w, b := make([]float64, 0), v.MeanB
	for _, row := range v.MeanW {
		for _, x := range row.([]any) {
			w = append(w, x.(float64))
		}
	}
	weights, biases := group{}, group{}
	for _, x := range w {
		weights.gg += x * x
	}
	for _, x := range b {
		biases.gg += x * x
	}
	row := func(m any, k int) (out []float64) {
		for _, x := range m.([]any)[k].([]any) {
			out = append(out, x.(float64))
		}
		return out
	}
	for i, xi := range v.X {
		x := []float64{}
		for _, e := range xi.([]any) {
			x = append(x, e.(float64))
		}
		z, sum := make([]float64, 3), 0.0
		for k := range z {
			z[k] = v.B.([]any)[k].(float64)
			for j, wkj := range row(v.W, k) {
				z[k] += wkj * x[j]
			}
			z[k] = math.Exp(z[k])
			sum += z[k]
		}
		nw, sw, nb, sb := 0.0, 0.0, 0.0, 0.0
		for k := range z {
			d := z[k] / sum
			if k == v.Y[i] {
				d--
			}
			nb, sb = nb+d*d, sb+d*b[k]
			for j := range x {
				nw, sw = nw+d*d*x[j]*x[j], sw+d*x[j]*w[k*3+j]
			}
		}
		weights.n, weights.s = append(weights.n, nw), append(weights.s, sw)
		biases.n, biases.s = append(biases.n, nb), append(biases.s, sb)
	}
	return []group{weights, biases}
}

func TestGrowthNext(t *testing.T) {
	g := BatchGrowth{Max: 100, Factor: 1.5}.With(1000)
	for _, c := range []struct {
		b    int
		need float64
		want int
	}{
		{10, 3, 10}, {10, 10.2, 11}, {10, 14.1, 15}, {10, 40, 15}, {11, 40, 17}, {80, 200, 100}, {10, math.Inf(1), 15}, {10, 0, 10},
	} {
		if got := g.next(c.b, c.need); got != c.want {
			t.Errorf("after %d, asked for %v: %d, want %d", c.b, c.need, got, c.want)
		}
	}
	if got := (BatchGrowth{}).With(50).next(8, math.Inf(1)); got != 50 {
		t.Errorf("%d, want all", got)
	}
	// Gradients that are all the same ask for nothing, also where they are all zero.
	same := &spread{count: 3, groups: []group{{4, []float64{4, 4, 4}, []float64{4, 4, 4}}}}
	none := &spread{count: 3, groups: []group{{0, []float64{0, 0, 0}, []float64{0, 0, 0}}}}
	for _, test := range []string{NormTest, InnerTest, BothTests} {
		for _, x := range []*spread{same, none} {
			if n := (BatchGrowth{Test: test}).With(9).need(x); n != 0 {
				t.Errorf("%s asks for %v", test, n)
			}
		}
	}
}
