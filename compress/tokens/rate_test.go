package tokens

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// vectors are those of the file f_diffrate.json, computed with the authors' formulas in float64.
type vectors struct {
	Rate struct {
		Patches  int       `json:"patch_number"`
		Cands    []float64 `json:"candidates"`
		Logits   []float64
		Softmax  []float64
		Kept     float64   `json:"kept_incl_cls"`
		DKept    []float64 `json:"dkept_dlogits"`
		Prob     []float64 `json:"token_probability"`
		Mask     []float64 `json:"mask_forward"`
		Weight   []float64 `json:"mask_weight"`
		MaskGrad []float64 `json:"dmaskloss_dlogits"`
	}
	Init struct {
		Patch, Granularity, Ncand int
		Kept                      int `json:"kept_at_zero_logits"`
	} `json:"rate_init"`
	Merge struct {
		X          [][][]float64
		Size       [][][]float64
		Importance [][]float64 `json:"cls_attention"`
		Order      [][]int
		Prune      int           `json:"prune_kept"`
		Merge      int           `json:"merge_kept"`
		XOut       [][][]float64 `json:"x_out"`
		Most       [][]float64   `json:"node_max"`
		SizeOut    [][][]float64 `json:"size_out"`
	} `json:"prune_merge"`
	Softmax struct {
		Logits [][][][]float64
		Mask   [][]float64
		Eps    float64
		Out    [][][][]float64
	} `json:"masked_softmax"`
	Flops []struct {
		Cfg    []int
		GFlops float64
	}
	FlopsGrad struct {
		C, N0 int
		Kept  [][2]int
		Flops float64
		Grads map[string]float64
	} `json:"flops_grad"`
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/f_diffrate.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-9*max(1, math.Abs(want[i])) {
			t.Errorf("%s[%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestRateVectors(t *testing.T) {
	v := readVectors(t).Rate
	r := NewRate(v.Patches, 1, 1)
	for i, m := range r.Candidates {
		if float64(m) != v.Cands[i] {
			t.Fatalf("candidates %v, want %v", r.Candidates, v.Cands)
		}
	}
	copy(r.Logits, v.Logits)
	near(t, "softmax", r.p(), v.Softmax)
	if r.Kept() != int(v.Kept) {
		t.Errorf("kept %d, want %v", r.Kept(), v.Kept)
	}
	near(t, "derivative of kept", r.KeptGrad(), v.DKept)
	near(t, "probability", r.Probability(v.Patches+1), v.Prob)
	near(t, "mask", Mask(v.Patches+1, r.Kept(), v.Patches+1), v.Mask)
	near(t, "gradient through the mask", r.MaskGrad(v.Weight), v.MaskGrad)
	i := readVectors(t).Init
	if r := NewRate(i.Patch, i.Granularity, 1); len(r.Candidates) != i.Ncand || r.Kept() != i.Kept {
		t.Errorf("%d candidates, %d kept; want %d, %d", len(r.Candidates), r.Kept(), i.Ncand, i.Kept)
	}
}

func TestMaskedSoftmaxVectors(t *testing.T) {
	v := readVectors(t).Softmax
	for i, z := range v.Logits[0][0] {
		near(t, "masked softmax", MaskedSoftmax(z, v.Mask[0], i, v.Eps), v.Out[0][0][i])
	}
}

func TestMACsVectors(t *testing.T) {
	v := readVectors(t)
	dense := 0
	for _, f := range v.Flops {
		if f.Cfg == nil {
			continue
		}
		dense++
		c, layers, patch, grid, classes := f.Cfg[0], f.Cfg[1], f.Cfg[2], f.Cfg[3], f.Cfg[4]
		if patch == 14 && grid == 16 || patch == 16 {
			near(t, "GMACs", []float64{ViTMACs(grid*grid, patch, c, classes, All(layers, grid*grid+1)) / 1e9}, []float64{f.GFlops})
		}
	}
	if dense < 5 {
		t.Errorf("%d dense rows", dense)
	}
	g := v.FlopsGrad
	var s Schedule
	for _, k := range g.Kept {
		s = append(s, Kept{k[0], k[1]})
	}
	// the same model as terms of a transformer that was found: 4C² for each token before and 8C² after, and 2C for each pair
	c := float64(g.C)
	tok := func(seg int) factor { return factor{n: g.N0, tok: true, seg: seg} }
	x := &ViT{Tokens: g.N0, Layers: 3}
	for seg := 1; seg <= 2; seg++ {
		x.terms = append(x.terms, term{4 * c * c, []factor{tok(seg)}}, term{2 * c, []factor{tok(seg), tok(seg)}},
			term{8 * c * c, []factor{tok(seg + 1)}})
	}
	all := append(Schedule{{g.N0, g.N0}}, s...)
	near(t, "MACs", []float64{x.MACs(all)}, []float64{g.Flops})
	near(t, "slopes", x.slope(all)[1:], []float64{g.Grads["prune1"], g.Grads["prune2"]})
	if g.Grads["prune1"] != g.Grads["merge1"] || g.Grads["prune2"] != g.Grads["merge2"] {
		t.Error("the two counts of a layer have the same gradient")
	}
}

func TestPruneMergeVectors(t *testing.T) {
	v := readVectors(t).Merge
	var size []float64
	for _, s := range v.Size[0] {
		size = append(size, s[0])
	}
	y, sizes, most, order := pruneMerge(v.X[0], size, v.Importance[0], v.Prune, v.Merge)
	if !slices.Equal(order, v.Order[0]) {
		t.Errorf("order %v, want %v", order, v.Order[0])
	}
	for i := range y {
		near(t, "x", y[i], v.XOut[0][i])
		near(t, "size", sizes[i:i+1], v.SizeOut[0][i])
	}
	near(t, "similarities", most, v.Most[0])
}
