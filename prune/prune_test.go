package prune

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// vectors were computed in float64 from the definitions of https://arxiv.org/abs/2107.07075 and with https://github.com/mansheej/data_diet
// at aee462e (choice of subsets).
type vectors struct {
	EL2N struct {
		Logits [][]float64
		Y      []int
		EL2N   []float64 `json:"el2n"`
	} `json:"el2n"`
	Averaging struct {
		Scores [][]float64 `json:"scores_by_seed"`
		Mean   []float64
		Keep60 []int `json:"keep_highest_60pct"`
		Offset []int `json:"offset1_size3"`
	}
	MLP struct {
		X      [][]float64
		Y      []int64
		W1, W2 [][]float64
		B1, B2 []float64
		GraNd  []float64 `json:"grand"`
		EL2N   []float64 `json:"el2n"`
	} `json:"grand_mlp"`
	Conv struct {
		X, Wc  [][][][]float64
		Y      []int64
		Bc, Bl []float64
		Wl     [][]float64
		Weight []float64 `json:"conv_weight_grad_sqnorm"`
		Total  []float64 `json:"grand_total"`
	} `json:"grand_conv"`
}

func read(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/datadiet.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(got[i] - want[i]); !(d <= tol*max(1, math.Abs(want[i]))) {
			t.Errorf("%s[%d] = %.8g, want %.8g", what, i, got[i], want[i])
		}
	}
}

func row(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

func matrix(x [][]float64) *tensor.Tensor {
	return tensor.From(row(slices.Concat(x...)), len(x), len(x[0]))
}

func volume(x [][][][]float64) *tensor.Tensor {
	var all []float64
	for _, a := range x {
		for _, b := range a {
			all = append(all, slices.Concat(b...)...)
		}
	}
	return tensor.From(row(all), len(x), len(x[0]), len(x[0][0]), len(x[0][0][0]))
}

func vector(x []float64) *tensor.Tensor { return tensor.From(row(x), len(x)) }

func model(t testing.TB, in []any, classes int, nodes []*onnxpb.NodeProto, inits map[string]*tensor.Tensor) *engine.Model {
	t.Helper()
	name := "test"
	g := &onnxpb.GraphProto{
		Name: &name, Node: nodes, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, in...)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", classes)},
	}
	for n, v := range inits {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(n, v))
	}
	return load(t, onnx.NewModel(g, 13))
}

func load(t testing.TB, f *onnx.Model) *engine.Model {
	t.Helper()
	m, err := engine.Load(f, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// scores are those of s for one batch.
func scores(t testing.TB, m *engine.Model, s Scorer, x *tensor.Tensor, y []int64) []float64 {
	t.Helper()
	out, err := Score(context.Background(), m, s, arrays{x, y}, ScoreConfig{BatchSize: len(y)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// arrays is a data set of the rows of x with the classes y.
type arrays struct {
	x *tensor.Tensor
	y []int64
}

func (a arrays) Len() int          { return len(a.y) }
func (a arrays) ID(i int) string   { return strconv.Itoa(i) }
func (a arrays) Label(i int) int   { return int(a.y[i]) }
func (a arrays) Classes() []string { return nil }
func (a arrays) Example(i int) (data.Example, error) {
	size := len(a.x.Bytes()) / len(a.y)
	x, err := tensor.FromBytes(a.x.DType(), a.x.Shape()[1:], a.x.Bytes()[i*size:(i+1)*size])
	return data.Example{ID: a.ID(i), X: x, Label: a.Label(i)}, err
}

func gemm(name, in, out string) *onnxpb.NodeProto {
	return onnx.NewNode("Gemm", name, []string{in, "W" + name, "b" + name}, []string{out}, onnx.AttrInt("transB", 1))
}

func TestEL2NVectors(t *testing.T) {
	v := read(t).EL2N
	name, k := "test", len(v.Logits[0])
	m := load(t, onnx.NewModel(&onnxpb.GraphProto{
		Name: &name, Node: []*onnxpb.NodeProto{onnx.NewNode("Identity", "same", []string{"x"}, []string{"y"})},
		Input:  []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float64, "N", k)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float64, "N", k)},
	}, 13))
	var y []int64
	for _, label := range v.Y {
		y = append(y, int64(label))
	}
	near(t, "el2n", scores(t, m, EL2N{}, tensor.From(slices.Concat(v.Logits...), len(y), k), y), v.EL2N, 1e-12)
}

func TestGraNdVectors(t *testing.T) {
	v := read(t)
	mlp := model(t, []any{"N", 3}, 3, []*onnxpb.NodeProto{gemm("1", "x", "h"), onnx.NewNode("Relu", "relu", []string{"h"}, []string{"r"}),
		gemm("2", "r", "y")},
		map[string]*tensor.Tensor{"W1": matrix(v.MLP.W1), "b1": vector(v.MLP.B1), "W2": matrix(v.MLP.W2), "b2": vector(v.MLP.B2)})
	near(t, "el2n of the MLP", scores(t, mlp, EL2N{}, matrix(v.MLP.X), v.MLP.Y), v.MLP.EL2N, 1e-5)
	near(t, "grand of the MLP", scores(t, mlp, GraNd{}, matrix(v.MLP.X), v.MLP.Y), v.MLP.GraNd, 1e-5)
	near(t, "grand of the MLP one by one", scores(t, mlp, GraNd{Each: true}, matrix(v.MLP.X), v.MLP.Y), v.MLP.GraNd, 1e-5)
	conv := model(t, []any{"N", 2, 4, 4}, 3, []*onnxpb.NodeProto{
		onnx.NewNode("Conv", "conv", []string{"x", "Wc", "bc"}, []string{"c"}, onnx.AttrInts("pads", 1, 1, 1, 1)),
		onnx.NewNode("Relu", "relu", []string{"c"}, []string{"r"}),
		onnx.NewNode("GlobalAveragePool", "pool", []string{"r"}, []string{"p"}),
		onnx.NewNode("Flatten", "flat", []string{"p"}, []string{"f"}), gemm("l", "f", "y"),
	}, map[string]*tensor.Tensor{"Wc": volume(v.Conv.Wc), "bc": vector(v.Conv.Bc), "Wl": matrix(v.Conv.Wl), "bl": vector(v.Conv.Bl)})
	near(t, "grand of the convolution", scores(t, conv, GraNd{}, volume(v.Conv.X), v.Conv.Y), v.Conv.Total, 1e-5)
	near(t, "grand of the convolution one by one", scores(t, conv, GraNd{Each: true}, volume(v.Conv.X), v.Conv.Y), v.Conv.Total, 1e-5)
}

// Scores of a batch are those of its examples alone, with batch normalisation and residual connections.
func TestPerExample(t *testing.T) {
	for _, name := range []string{"resnet8", "resnet20", "lenet", "mobilenet_v2"} {
		t.Run(name, func(t *testing.T) {
			o := models.Options{Seed: 1, Classes: 5, ImageSize: 32}
			f, err := models.New(name, o)
			if err != nil {
				t.Fatal(err)
			}
			m := load(t, f)
			x := testkit.RandN(3, m.Sizes(4)[0]...)
			y := []int64{0, 4, 2, 2}
			near(t, "grand", scores(t, m, GraNd{}, x, y), scores(t, m, GraNd{Each: true}, x, y), 1e-4)
			perm := []int{2, 0, 3, 1}
			size := x.Len() / 4
			px, py := tensor.New(tensor.Float32, x.Shape()...), make([]int64, 4)
			for i, j := range perm {
				copy(px.F32()[i*size:(i+1)*size], x.F32()[j*size:(j+1)*size])
				py[i] = y[j]
			}
			for n, s := range map[string]Scorer{"el2n": EL2N{}, "grand": GraNd{}} {
				plain, turned := scores(t, m, s, x, y), scores(t, m, s, px, py)
				for i, j := range perm {
					if math.Abs(turned[i]-plain[j]) > 1e-5*max(1, plain[j]) {
						t.Errorf("%s of example %d is %g, at another place in the batch %g", n, j, plain[j], turned[i])
					}
				}
			}
		})
	}
}

// A model that mixes the examples of a batch is scored one example at a time, which two in a batch show.
func TestPerExampleOfMixed(t *testing.T) {
	m := model(t, []any{"N", 3}, 2, []*onnxpb.NodeProto{
		onnx.NewNode("MatMul", "product", []string{"x", "W"}, []string{"h"}),
		onnx.NewNode("ReduceMax", "most", []string{"h"}, []string{"m"}, onnx.AttrInts("axes", 0)),
		onnx.NewNode("Sub", "below", []string{"h", "m"}, []string{"d"}), onnx.NewNode("Tanh", "tanh", []string{"d"}, []string{"t"}),
		onnx.NewNode("Sub", "out", []string{"h", "t"}, []string{"y"}),
	}, map[string]*tensor.Tensor{"W": testkit.RandN(5, 3, 2)})
	x, y := testkit.RandN(3, 4, 3), []int64{0, 1, 1, 0}
	near(t, "grand", scores(t, m, GraNd{}, x, y), scores(t, m, GraNd{Each: true}, x, y), 1e-6)
}

func TestAveragingAndChoice(t *testing.T) {
	v := read(t).Averaging
	s := &Scores{Runs: v.Scores, IDs: []string{"a", "b", "c", "d", "e"}, Labels: []int{0, 0, 0, 1, 1}}
	s.average()
	near(t, "mean", s.Mean, v.Mean, 1e-12)
	near(t, "std", s.Std, []float64{0.05, 0.1, 0, 0.1, 0.1}, 1e-12)
	for _, x := range []struct {
		c    Choice
		want []int
	}{
		{Choice{Keep: 0.6}, v.Keep60},
		{Choice{Keep: 1}, []int{0, 1, 2, 3, 4}},
		{Choice{Keep: 0.6, Offset: new(0.2)}, v.Offset},
		{Choice{Keep: 0.4, Offset: new(0.2)}, []int{2, 3}},
		{Choice{Keep: 0.4, DropTop: 0.2}, []int{2, 4}},
		{Choice{Keep: 0.5, Balance: true}, []int{0, 2, 4}},
	} {
		got, err := s.Select(x.c)
		if err != nil || !slices.Equal(got, x.want) {
			t.Errorf("%+v keeps %v (%v), want %v", x.c, got, err, x.want)
		}
	}
	for _, c := range []Choice{{Keep: 0}, {Keep: 1.1}, {Keep: math.NaN()}, {Keep: 0.5, Offset: new(1.0)}, {Keep: 0.5, Offset: new(-1.0)},
		{Keep: 0.5, DropTop: 1}, {Keep: 0.5, Offset: new(0.1), DropTop: 0.1}, {Keep: 0.01}} {
		if got, err := s.Select(c); err == nil {
			t.Errorf("%+v keeps %v", c, got)
		}
	}
}

func TestSpearman(t *testing.T) {
	x := []float64{106, 100, 86, 101, 99, 103, 97, 113, 112, 110}
	y := []float64{7, 27, 2, 50, 28, 29, 20, 12, 6, 17}
	// The example of https://en.wikipedia.org/wiki/Spearman%27s_rank_correlation_coefficient: -29/165.
	if r := Spearman(x, y); math.Abs(r+29.0/165) > 1e-12 {
		t.Errorf("%.9f", r)
	}
	// With ties, by R's cor(method="spearman").
	if r := Spearman([]float64{1, 2, 2, 3}, []float64{1, 3, 2, 4}); math.Abs(r-0.9486832980505138) > 1e-12 {
		t.Errorf("with ties: %.9f", r)
	}
}

func TestFiles(t *testing.T) {
	ds, err := data.Open("digits#test", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := models.New("mlp", models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := data.Suggested(ds)
	runs := 0
	s, err := Run(context.Background(), "el2n", ds,
		RunConfig{ScoreConfig: ScoreConfig{Preprocess: &p, BatchSize: 50}, Runs: 2,
			Model: func(_ context.Context, run int) (*engine.Model, error) {
				runs++
				return load(t, f), nil
			}})
	if err != nil {
		t.Fatal(err)
	}
	if runs != 2 || len(s.Runs) != 2 || len(s.Mean) != ds.Len() || slices.Max(s.Std) != 0 {
		t.Errorf("%d runs of the same model, largest deviation %g", runs, slices.Max(s.Std))
	}
	kept, err := s.Select(Choice{Keep: 0.3, Balance: true})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list := filepath.Join(dir, "keep.txt")
	var b bytes.Buffer
	if err := s.WriteKeep(&b, kept); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	sub, err := data.Open("keep:"+list+"@digits#test", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sub.Len() != len(kept) {
		t.Fatalf("the keep-list names %d, kept are %d", sub.Len(), len(kept))
	}
	for k, i := range kept {
		if sub.ID(k) != ds.ID(i) || sub.Label(k) != ds.Label(i) {
			t.Fatalf("example %d of the subset is %q, want %q", k, sub.ID(k), ds.ID(i))
		}
	}
	for name, c := range s.PerClass(kept, ds.Classes()) {
		if want := int(math.Round(0.3 * float64(c[1]))); c[0] != want {
			t.Errorf("class %s: %d of %d kept, want %d", name, c[0], c[1], want)
		}
	}
	b.Reset()
	if err := s.WriteCSV(&b, ds.Classes()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(rows[0], ",") != "id,label,mean,std,rank" || len(rows) != ds.Len()+1 {
		t.Fatalf("%d rows under %q", len(rows), rows[0])
	}
	best := s.Order()[ds.Len()-1]
	for i, r := range rows[1:] {
		rank, err := strconv.Atoi(r[4])
		if err != nil || r[0] != ds.ID(i) || (rank == 1) != (i == best) {
			t.Fatalf("row %d is %q; the highest score has %q", i, r, ds.ID(best))
		}
	}
}

func TestScoreErrors(t *testing.T) {
	ds, err := data.Open("digits#test", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := models.New("mlp", models.Options{Classes: 5})
	if err != nil {
		t.Fatal(err)
	}
	p := data.Suggested(ds)
	for _, s := range []Scorer{EL2N{}, GraNd{}} {
		if _, err := Score(context.Background(), load(t, f), s, ds, ScoreConfig{Preprocess: &p}); err == nil {
			t.Errorf("%T scores labels that the model does not have", s)
		}
	}
	if _, err := Run(context.Background(), "el2m", ds, RunConfig{}); err == nil || !strings.Contains(err.Error(), "el2n") {
		t.Errorf("unknown score: %v", err)
	}
}
