package compress

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	methods.Register("magnitude", func() Method { return &Magnitude{Sparsity: 0.5, Scope: "global", Last: true} },
		"set the smallest weights to zero: the file is smaller once zipped, and not faster", "https://arxiv.org/abs/1506.02626 (Han et al. 2015)")
}

// Magnitude sets the weights of smallest magnitude to zero, of the products with weights (Conv, Gemm, MatMul) and recurrent layers. Biases,
// normalisations and tables stay. Runtimes multiply by the zeros: the file zips to less and nothing is faster.
type Magnitude struct {
	Sparsity float64 `opt:"sparsity" doc:"share of the weights that become zero" range:"(0, 1)"`
	Scope    string  `opt:"scope" doc:"global: the smallest of all layers; layer: the same share of each" choices:"global|layer"`
	Last     bool    `opt:"last" doc:"the layer that gives the outputs too"`
}

// MagnitudeReport is what was set to zero.
type MagnitudeReport struct {
	Sparsity float64          `json:"sparsity"` // of the weights that were looked at
	Zeros    int              `json:"zeros"`
	Weights  int              `json:"weights"`
	Layers   []MagnitudeLayer `json:"layers"`
	Left     []string         `json:"left,omitempty"` // weights that stay as they are by Subject.Keep or Last
}

// MagnitudeLayer is one weight.
type MagnitudeLayer struct {
	Weight   string  `json:"weight"`
	Numbers  int     `json:"numbers"`
	Zeros    int     `json:"zeros"`
	Sparsity float64 `json:"sparsity"`
}

func (m *Magnitude) first() string { return "sparsity" }

// Needs is nothing; fine-tuning may follow.
func (m *Magnitude) Needs() Needs { return Needs{Tuning: true} }

// Plan says which weights are looked at.
func (m *Magnitude) Plan(_ context.Context, s *Subject) ([]string, error) {
	ps, left, err := m.weights(s)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, p := range ps {
		n += p.Value.Len()
	}
	return []string{fmt.Sprintf("%.4g %% of %s weights in %s become zero, %s stay", 100*m.Sparsity, units.Count(n),
		units.Plural(len(ps), "tensor"), units.Plural(len(left), "tensor"))}, nil
}

// weights are the parameters that may become sparse, and the names of those that might but are kept.
func (m *Magnitude) weights(s *Subject) (ps []*engine.Param, left []string, err error) {
	if s.MACs > 0 {
		return nil, nil, Ask("--macs: zeros among the weights save no operations; say the share with magnitude:sparsity=0.5, or take --method " +
			"channels")
	}
	g := s.Model.Graph()
	layer := map[string]*graph.Node{}
	var last *graph.Node
	for _, n := range g.Nodes {
		r := n.Op.Role
		if r != graph.Linear && r != graph.Recurrent {
			continue
		}
		for _, v := range n.In[:n.NumIn] {
			if name, ok := behind(g, v); ok {
				layer[name], last = n, n
			}
		}
	}
	for p := range s.Model.Params() {
		n := layer[p.Name]
		if n == nil || !p.Trainable || p.Value.Rank() < 2 {
			continue
		}
		kept, err := s.Kept(p.Name, n.Name)
		if err != nil {
			return nil, nil, err
		}
		if kept || !m.Last && n == last {
			left = append(left, p.Name)
			continue
		}
		ps = append(ps, p)
	}
	if len(ps) == 0 {
		return nil, left, fmt.Errorf("compress: magnitude: the model has no weights of products (Conv, Gemm, MatMul, LSTM …) that could become " +
			"zero")
	}
	return ps, left, nil
}

// behind is the parameter that v is, or that v is only another shape or order of.
func behind(g *graph.Graph, v graph.Value) (string, bool) {
	for v != 0 {
		in := g.Info(v)
		switch {
		case in.Kind == graph.Parameter:
			return in.Name, true
		case in.Def == nil || in.Def.Op.Role != graph.View || in.Def.NumIn == 0:
			return "", false
		}
		v = in.Def.In[0]
	}
	return "", false
}

// Compress sets weights to zero.
func (m *Magnitude) Compress(_ context.Context, s *Subject) (*Result, error) {
	ps, left, err := m.weights(s)
	if err != nil {
		return nil, err
	}
	r := &MagnitudeReport{Left: left, Layers: []MagnitudeLayer{}}
	res := &Result{Details: r, Zero: map[string][]bool{}}
	all := make([][]float64, len(ps)) // magnitudes
	var joined []float64
	for i, p := range ps {
		all[i] = p.Value.Float64s()
		for j, x := range all[i] {
			all[i][j] = math.Abs(x)
		}
		r.Weights += len(all[i])
		if m.Scope == "global" {
			joined = append(joined, all[i]...)
		}
	}
	cut, ties := threshold(joined, m.Sparsity)
	values := map[string]*tensor.Tensor{}
	for i, p := range ps {
		if m.Scope == "layer" {
			cut, ties = threshold(all[i], m.Sparsity)
		}
		zero, n := make([]bool, len(all[i])), 0
		t := p.Value.Clone()
		for j, x := range all[i] {
			if x < cut || x == cut && ties > 0 {
				if x == cut {
					ties--
				}
				zero[j] = true
				n++
			}
		}
		Clear(t, zero)
		values[p.Name], res.Zero[p.Name] = t, zero
		r.Zeros += n
		r.Layers = append(r.Layers, MagnitudeLayer{p.Name, len(zero), n, float64(n) / float64(len(zero))})
	}
	r.Sparsity = float64(r.Zeros) / float64(r.Weights)
	res.Write = layersCSV(r.table())
	if res.File, err = withWeights(s.Model, values); err != nil {
		return nil, err
	}
	res.Says = append(res.Says, fmt.Sprintf("%s of %s weights in %s are zero (%.2f %%)", units.Count(r.Zeros), units.Count(r.Weights),
		units.Plural(len(ps), "tensor"), 100*r.Sparsity), "zeros are multiplied like any number: the model is not faster, its file zips to less")
	return res, nil
}

// threshold is the magnitude under which the share lies, and how many of that very magnitude belong to it; x stays as it is.
func threshold(x []float64, share float64) (cut float64, ties int) {
	n := int(math.Round(share * float64(len(x))))
	if n == 0 {
		return math.Inf(-1), 0
	}
	y := slices.Sorted(slices.Values(x))
	cut = y[n-1]
	for i := n - 1; i >= 0 && y[i] == cut; i-- {
		ties++
	}
	return cut, ties
}

// Clear sets numbers of t, float32 or float64, to zero.
func Clear(t *tensor.Tensor, zero []bool) {
	for i, z := range zero {
		switch {
		case !z:
		case t.DType() == tensor.Float64:
			tensor.Data[float64](t)[i] = 0
		default:
			t.F32()[i] = 0
		}
	}
}
