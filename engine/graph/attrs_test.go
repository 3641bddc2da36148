package graph

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

type sampleAttrs struct {
	Axis  int     `onnx:"axis,default=-1"`
	Eps   float32 `onnx:"eps,default=0.5"`
	Mode  string  `onnx:"mode,default=fast"`
	Flag  bool    `onnx:"flag,default=1"`
	Perm  []int   `onnx:"perm"`
	End   *int    `onnx:"end"`
	Must  int     `onnx:"must,required"`
	inner int     // not an attribute
}

func sample() *Spec {
	return Def[sampleAttrs]{Name: "Sample", Since: []int{1}, In: []Formal{{Name: "X"}}, Out: []Formal{{Name: "Y"}}}.Spec()
}

func TestAttrs(t *testing.T) {
	s := sample()
	a, err := s.DecodeAttrs(Attrs{"must": int64(3), "perm": []int64{1, 0}, "flag": int64(0), "end": int64(-2),
		"consumed_inputs": []int64{0}})
	if err != nil {
		t.Fatal(err)
	}
	end := -2
	if want := (&sampleAttrs{-1, 0.5, "fast", false, []int{1, 0}, &end, 3, 0}); !reflect.DeepEqual(a, want) {
		t.Errorf("decoded %+v, want %+v", a, want)
	}
	if got, want := EncodeAttrs(a), (Attrs{"must": int64(3), "perm": []int64{1, 0}, "flag": int64(0),
		"end": int64(-2)}); !reflect.DeepEqual(got, want) {
		t.Errorf("encoded %v, want %v", got, want)
	}
	for want, in := range map[string]Attrs{
		"must is missing": {},
		"attribute axes":  {"must": int64(1), "axes": int64(1)},
		"attribute axis":  {"must": int64(1), "axis": "one"},
		"attribute perm":  {"must": int64(1), "perm": int64(1)},
	} {
		if _, err := s.DecodeAttrs(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want an error with %q", in, err, want)
		}
	}
}

func TestSort(t *testing.T) {
	g := New("g")
	x := g.AddInput("x", tensor.Float32, nil)
	b := NewBuilder(g)
	attrs := &sampleAttrs{}
	y := b.Add(sample(), attrs, x)
	z := b.Add(sample(), attrs, y)
	if err := b.Err(); err != nil || z == 0 {
		t.Fatal(err)
	}
	g.Nodes[0], g.Nodes[1] = g.Nodes[1], g.Nodes[0]
	if err := g.Sort(); err != nil || g.Nodes[0].Out[0] != y {
		t.Fatalf("not sorted: %v", err)
	}
	g.Nodes[0].In[0] = z // a cycle
	if err := g.Sort(); err == nil || !strings.Contains(err.Error(), "cycle") {
		t.Errorf("a cycle gives %v", err)
	}
}
