package job

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// TestProfile checks a profile of a training step: nodes and operators add up, and the convolutions have the work that follows from the
// model: as much by weight as forward, and by input that without the first layer.
func TestProfile(t *testing.T) {
	r, err := Bench(t.Context(), BenchConfig{Model: BuiltinPrefix + "shapes", Mode: "train", Batch: 4, N: 2, Warmup: new(1), Profile: true},
		nil)
	if err != nil {
		t.Fatal(err)
	}
	ms, percent, byOp, flops := 0.0, 0.0, map[string]float64{}, map[string]float64{}
	first := 0.0
	for _, n := range r.Nodes {
		byOp[n.Op] += n.Ms
		ms += n.Ms
		percent += n.Percent
		flops[n.Op] += float64(n.GFLOPS) * n.Ms
		if n.Op == "Conv" && first == 0 {
			first = float64(n.GFLOPS) * n.Ms
		}
		if n.Calls != 1 || n.Name == "" || n.Op == "gtk.ConvDW" && !n.Gradient || n.Op == "Conv" && (n.Gradient || len(n.Shape) != 4) {
			t.Errorf("node %+v", n)
		}
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6*math.Abs(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	for _, p := range r.Profile {
		if p.Op == optimizerRow {
			ms += p.Ms
			percent += p.Percent
			continue
		}
		near(p.Op, p.Ms, byOp[p.Op])
	}
	near("percent", percent, 100)
	if med := float64(r.MedianMs); ms > 3*med || ms <= 0 {
		t.Errorf("the nodes take %v ms, a run %v", ms, med)
	}
	near("ConvDW", flops["gtk.ConvDW"], flops["Conv"])
	near("ConvDX", flops["gtk.ConvDX"], flops["Conv"]-first)
	near("forward", (flops["Conv"]+flops["Gemm"]/3)*1e6/2, float64(r.MACs))
}

// TestFlame checks that a flame chart is XML whose boxes follow the names of the nodes, and that names which a model chose
// stand in it as text.
func TestFlame(t *testing.T) {
	r := &BenchReport{Model: "a<b.onnx", Mode: "train", Nodes: []NodeRow{
		{Name: "/layer1/conv1/Conv", Op: "Conv", Shape: []int{1, 2}, Cost: Cost{Ms: 6, GFLOPS: 3}},
		{Name: "/layer1/</text>&", Op: "Relu", Cost: Cost{Ms: 2}},
		{Name: "/layer1/conv1/Conv", Op: "gtk.ConvDW", Gradient: true, Cost: Cost{Ms: 1}},
	}, Profile: []ProfileRow{{optimizerRow, 1, Cost{Ms: 1}}}}
	root := flameOf(r)
	if root.ms != 10 || len(root.parts) != 3 || root.parts[0].ms != 8 || root.parts[0].parts[0].name != "layer1" ||
		root.parts[0].parts[0].ms != 8 || root.parts[2].name != "optimizer" {
		t.Errorf("tree %+v", root)
	}
	var b bytes.Buffer
	if err := writeFlame(&b, r); err != nil {
		t.Fatal(err)
	}
	boxes, text := 0, ""
	for d := xml.NewDecoder(&b); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			if x.Name.Local == "g" {
				boxes++
			}
		case xml.CharData:
			text += string(x)
		}
	}
	// train; forward, backward, optimizer; layer1 twice; conv1 twice; the two parts of the odd name; Conv twice; Relu; ConvDW
	if boxes != 14 || !strings.Contains(text, "text>&") || !strings.Contains(text, "a<b.onnx") {
		t.Errorf("%d boxes, text %q", boxes, text)
	}
}
