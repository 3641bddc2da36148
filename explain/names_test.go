package explain

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Labels name the classes where there are as many; one names what a single number stands for; others are left out, and none of them is a
// target.
func TestNames(t *testing.T) {
	of := func(k int, end string) *engine.Model {
		return graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 6)}, []*onnxpb.ValueInfoProto{reals("y", k)}, map[string][]int{"w": {6, k}},
			nodeOf("MatMul", "x w", "z"), nodeOf(end, "z", "y"))
	}
	three, one := of(3, "Softmax"), of(1, "Sigmoid")
	ids := onnx.ValueInfo("x", tensor.Int64, "N", 4)
	words := graphOf(t, []*onnxpb.ValueInfoProto{ids}, []*onnxpb.ValueInfoProto{reals("y", 4, 3)},
		map[string][]int{"table": {9, 5}, "w": {5, 3}},
		nodeOf("Gather", "table x", "e"), nodeOf("MatMul", "e w", "y"))
	abc := []string{"a", "b", "c"}
	price := Config{Labels: []string{"price"}, Objective: Objective{Kind: OutputValue}}
	for name, tc := range map[string]struct {
		m      *engine.Model
		c      Config
		target string // "" for argmax
		want   string // name of what is explained, or of a class
		class  int
		said   string
		err    string
	}{
		"as many":              {three, Config{Labels: abc}, "c", "c", 2, "", ""},
		"fewer":                {three, Config{Labels: abc[:2]}, "", "", -1, "2 labels and output", ""},
		"fewer, one asked for": {three, Config{Labels: abc[:2]}, "b", "", 0, "", "it is not known which is meant"},
		"fewer, by number":     {three, Config{Labels: abc[:2]}, "2", "", 2, "2 labels", ""},
		"one of one":           {one, Config{Labels: []string{"spam"}}, "spam", "spam", 1, "", ""},
		"against one":          {one, Config{Labels: []string{"spam"}}, "0", "not spam", 0, "", ""},
		"two of one":           {one, Config{Labels: []string{"ham", "spam"}}, "ham", "ham", 0, "", ""},
		"none of one":          {one, Config{}, "1", "positive", 1, "", ""},
		"a value":              {one, price, "", "price", 1, "", ""},
		"what lowers a value":  {one, price, "negative", "price (what lowers it)", 0, "", ""},
		"the next token":       {words, Config{Tokens: abc}, "1", "b", 1, "", ""},
		"tokens of the input":  {words, Config{Tokens: append(abc, abc...)}, "1", "", 1, "", ""},
		"labels of tokens":     {words, Config{Tokens: abc, Labels: []string{"O", "PER", "LOC"}}, "LOC", "LOC", 2, "", ""},
		"a formula":            {three, Config{Labels: abc[:1], Objective: Objective{Expression: "z[0,1]"}}, "", "z[0,1]", 0, "", ""},
	} {
		var notes []string
		tc.c.Requests, tc.c.Warn = []Request{{"gradient", nil}}, func(s string) { notes = append(notes, s) }
		if tc.target != "" {
			target, err := ParseTarget(tc.target, tc.c.Labels)
			if err != nil {
				t.Fatal(err)
			}
			tc.c.Targets = []Target{target}
		}
		x := double(1, 1, 6)
		if tc.m == words {
			x = tensor.From([]int64{1, 2, 3, 8}, 1, 4)
		}
		images, err := explainer(t, tc.m, tc.c).Explain(context.Background(), only(tc.m, x))
		if err != nil || tc.err != "" {
			if tc.err == "" || err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: %v, want %q", name, err, tc.err)
			}
			continue
		}
		got := images[0].Maps[0].Target
		if got.Label != tc.want || tc.class >= 0 && got.Class != tc.class {
			t.Errorf("%s: class %d, %q; want %d, %q", name, got.Class, got.Label, tc.class, tc.want)
		}
		leftOut := func(s string) bool { return strings.Contains(s, "labels are left out") }
		if slices.ContainsFunc(notes, leftOut) != (tc.said != "") {
			t.Errorf("%s: notes %q", name, notes)
		}
	}
}
