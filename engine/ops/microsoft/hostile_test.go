package microsoft_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestHostile changes shapes, attributes and inputs of every case: what comes of it is a result or an error, and no panic.
func TestHostile(t *testing.T) {
	results, refused := 0, 0
	for _, g := range goldens(t) {
		r := rand.New(rand.NewPCG(5, uint64(len(g.name))))
		for range 12 {
			m := (&onnx.Model{Proto: g.model}).Clone()
			forms[1].change(t, m.Proto.GetGraph())
			node, feeds := m.Proto.GetGraph().GetNode()[0], maps.Clone(g.in)
			switch r.IntN(4) {
			case 0: // an input is left out, or another one
				node.Input[r.IntN(len(node.Input))] = node.Input[r.IntN(len(node.Input))]
				if k := r.IntN(len(node.Input)); k > 0 && r.IntN(2) == 0 {
					node.Input[k] = ""
				}
			case 1: // an attribute is another number
				if len(node.Attribute) > 0 {
					numbers := []int64{0, 1, 3, -1, 1 << 40, -1 << 63}
					switch a := node.Attribute[r.IntN(len(node.Attribute))]; a.GetType() {
					case onnxpb.AttributeProto_INT:
						a.I = new(numbers[r.IntN(len(numbers))])
					case onnxpb.AttributeProto_INTS:
						a.Ints[r.IntN(len(a.Ints))] = numbers[r.IntN(len(numbers))]
					case onnxpb.AttributeProto_STRING:
						a.S = []byte("Softmax")
					}
				}
			default: // an input has another shape
				for name, x := range feeds {
					if r.IntN(len(feeds)) == 0 {
						feeds[name] = reshaped(r, x)
					}
				}
			}
			if err := attempt(t, m, feeds); err != nil {
				if p, ok := errors.AsType[*exec.PanicError](err); ok {
					t.Errorf("%s: %v\n%s", g.name, p, p.Stack)
				}
				refused++
			} else {
				results++
			}
		}
	}
	if results == 0 || refused == 0 {
		t.Errorf("%d results and %d errors: the changes do not do what they should", results, refused)
	}
}

func attempt(t *testing.T, m *onnx.Model, feeds map[string]*tensor.Tensor) error {
	em, err := engine.Load(m, engine.WithThreads(1))
	if err != nil {
		return err
	}
	defer em.Close()
	s, err := em.Session(engine.Query{})
	if err != nil {
		return err
	}
	own := map[string]*tensor.Tensor{}
	for _, in := range em.Inputs() {
		own[in.Name] = feeds[in.Name]
	}
	_, err = s.Run(t.Context(), own)
	return err
}

// reshaped is x with an axis more or less, longer, shorter or empty.
func reshaped(r *rand.Rand, x *tensor.Tensor) *tensor.Tensor {
	s := append([]int{}, x.Shape()...)
	switch k := r.IntN(4); {
	case k == 0 || len(s) == 0:
		s = append([]int{1}, s...)
	case k == 1:
		s = s[1:]
	default:
		s[r.IntN(len(s))] = r.IntN(7)
	}
	y := tensor.New(x.DType(), s...)
	copy(y.Bytes(), x.Bytes())
	return y
}
