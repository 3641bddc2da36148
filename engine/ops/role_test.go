package ops

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// TestRoles: every version of an operator has the same role, private operators have none, and the roles that others rely on are there.
func TestRoles(t *testing.T) {
	roles := map[string]graph.Role{}
	for _, s := range Standard.All() {
		if s.Domain == Private {
			if s.Role != graph.NoRole {
				t.Errorf("private operator %s has role %d", s.Name, s.Role)
			}
			continue
		}
		key := s.Domain + "." + s.Name
		if r, ok := roles[key]; ok && r != s.Role {
			t.Errorf("%s has roles %d and %d", s.Name, r, s.Role)
		}
		roles[key] = s.Role
	}
	for role, list := range map[graph.Role][]*graph.Spec{
		graph.Activation:    {Relu, Clip, PRelu, Tanh},
		graph.Probability:   {Softmax, LogSoftmax, Sigmoid},
		graph.View:          {Identity, Cast, Reshape, Squeeze, Unsqueeze, Flatten, Transpose, Dropout},
		graph.Move:          {Slice, Split, Concat, Gather, Pad},
		graph.Pool:          {MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, Resize},
		graph.Reduction:     {ReduceMean, ReduceMax, ReduceSum},
		graph.Normalisation: {BatchNormalization, InstanceNormalization, LayerNormalization},
		graph.Linear:        {Conv, ConvTranspose, Gemm, MatMul},
		graph.Recurrent:     {LSTM, GRU, RNN},
		graph.Arithmetic:    {Add, Sub, Mul, Div, Sum},
		graph.Control:       {If, Loop, Scan},
		graph.NoRole:        {Exp, Where, Pow, Shape},
	} {
		for _, s := range list {
			if s.Role != role {
				t.Errorf("%s has role %d, want %d", s.Name, s.Role, role)
			}
		}
	}
}
