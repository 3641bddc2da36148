package convert_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/check"
	"github.com/gtk-onnx/gtk/onnx/convert"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// TestMutants breaks models of ONNX's suite in their parts, several at a time, and has each checked, converted and its shapes inferred:
// what is wrong is an error, and takes no long time. GTK_MUTANTS is how many, from a seed that stands in a failure.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	n := 1500
	if s := os.Getenv("GTK_MUTANTS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	exec.MaxValueBytes, exec.MinRunBytes = 1<<22, 1<<22
	var models []*onnx.Model
	for _, c := range testkit.OfficialSuite(t) {
		if st, err := os.Stat(c.Model); err != nil || st.Size() > 1<<15 {
			continue
		}
		m, err := onnx.ReadFile(c.Model)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
	}
	seed := uint64(time.Now().UnixNano())
	refused, converted := 0, 0
	for i := range n {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		m := models[r.IntN(len(models))].Clone()
		what := ""
		for range 1 + r.IntN(3) {
			what += " " + mutate(r, m)
		}
		to := int64(1 + r.IntN(int(onnx.LatestOpset)))
		start := time.Now()
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Fatalf("seed %d, mutant %d of %s,%s, to %d: %v\n%s", seed, i, m.Path, what, to, p, debug.Stack())
				}
			}()
			check.Full(m)
			out, _, err := convert.To(m, to, convert.Options{})
			if err != nil {
				refused++
			} else if converted++; m.Check() == nil && out.Check() != nil {
				t.Errorf("seed %d, mutant %d of %s,%s, to %d: %v", seed, i, m.Path, what, to, out.Check())
			}
			if m.Check() == nil {
				_, _ = engine.Types(m, engine.WithThreads(1))
			}
		}()
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("seed %d, mutant %d of %s,%s, to %d: took %v", seed, i, m.Path, what, to, d)
		}
	}
	t.Logf("%d mutants, %d converted, %d refused", n, converted, refused)
}

// pick is one of a list, the zero value of none.
func pick[T any](r *rand.Rand, list []T) (v T) {
	if len(list) > 0 {
		v = list[r.IntN(len(list))]
	}
	return v
}

// mutate breaks one part of m, and says which.
func mutate(r *rand.Rand, m *onnx.Model) string {
	var nodes []*onnxpb.NodeProto
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) { nodes = append(nodes, n) })
	var graphs []*onnxpb.GraphProto
	for g := range m.Graphs() {
		graphs = append(graphs, g)
	}
	n, g := pick(r, nodes), pick(r, graphs)
	if n == nil || g == nil {
		return "nothing"
	}
	odd := []int64{0, 1, -1, 2, 7, 1 << 20, math.MaxInt64, math.MinInt64}
	a := pick(r, n.Attribute)
	switch k := r.IntN(17); {
	case k == 0:
		n.OpType = new(pick(r, nodes).GetOpType())
	case k == 1 && len(n.Input) > 0:
		n.Input = n.Input[:r.IntN(len(n.Input))]
	case k == 2 && len(n.Input) > 0:
		n.Input[r.IntN(len(n.Input))] = pick(r, append(n.Input, "", "nobody"))
	case k == 3:
		n.Input = append(n.Input, pick(r, append(n.Input, "")))
	case k == 4:
		n.Output = n.Output[:r.IntN(len(n.Output)+1)]
	case k == 5:
		n.Output = append(n.Output, fmt.Sprint("new", r.IntN(9)))
	case k == 6 && a != nil:
		a.I = new(pick(r, odd))
	case k == 7 && a != nil && len(a.Ints) > 0:
		a.Ints[r.IntN(len(a.Ints))] = pick(r, odd)
	case k == 8 && a != nil:
		a.Ints = nil
	case k == 9 && a != nil:
		a.Name = new(pick(r, []string{"axis", "axes", "to", "", "ratio", "spatial", "num_groups", "is_test"}))
	case k == 10 && a != nil:
		a.Type = new(onnxpb.AttributeProto_AttributeType(r.IntN(14)))
	case k == 11 && a != nil:
		a.RefAttrName = new("r")
	case k == 12 && len(n.Attribute) > 0:
		n.Attribute = n.Attribute[1:]
	case k == 13 && len(m.Proto.OpsetImport) > 0:
		m.Proto.OpsetImport[0].Version = new(int64(r.IntN(30)))
	case k == 14:
		m.Proto.IrVersion = new(int64(r.IntN(15)))
	case k == 15 && len(g.Input) > 0:
		tt := pick(r, g.Input).GetType().GetTensorType()
		if d := pick(r, tt.GetShape().GetDim()); d != nil {
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: pick(r, odd)}
		} else if tt != nil {
			tt.Shape = nil
		}
	case k == 16 && len(g.Input) > 0:
		if tt := pick(r, g.Input).GetType().GetTensorType(); tt != nil {
			tt.ElemType = new(int32(r.IntN(28)))
		}
	default:
		return "nothing"
	}
	return n.GetOpType()
}
