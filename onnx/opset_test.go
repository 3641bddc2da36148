package onnx

import (
	"errors"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// TestUpgrade goes from set 11 to 13, where Relu only takes more types and Softmax means something else.
func TestUpgrade(t *testing.T) {
	since := func(op string, opset int) int {
		v := map[string][]int{"Relu": {6, 13}, "Softmax": {11, 13}, "New": {13}}[op]
		at := 0
		for _, s := range v {
			if s <= opset {
				at = s
			}
		}
		return at
	}
	model := func(ops ...string) *Model {
		g := &onnxpb.GraphProto{}
		for _, op := range ops {
			g.Node = append(g.Node, &onnxpb.NodeProto{OpType: new(op)})
		}
		return NewModel(g, 11)
	}
	m := model("Relu", "Relu")
	if err := m.Upgrade(13, since); err != nil || m.Opset("") != 13 {
		t.Errorf("opset %d: %v", m.Opset(""), err)
	}
	for _, op := range []string{"Softmax", "New"} {
		m := model("Relu", op, op)
		var missing *UnsupportedError
		if err := m.Upgrade(13, since); !errors.As(err, &missing) || !strings.Contains(err.Error(), op+" (2 of them)") ||
			m.Opset("") != 11 {
			t.Errorf("%s: opset %d: %v", op, m.Opset(""), err)
		}
	}
	if err := model().Upgrade(LatestOpset+1, since); err == nil {
		t.Error("a set that is not there yet was taken")
	}
}
