package job_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// netFile writes a model of x (of type d) and y.
func netFile(t *testing.T, d tensor.DType, x, y []any, weights map[string][]int, nodes ...*onnxpb.NodeProto) string {
	t.Helper()
	name, r := "test", rand.New(rand.NewPCG(1, 2))
	g := &onnxpb.GraphProto{Name: &name, Node: nodes, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", d, x...)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, y...)}}
	for n, shape := range weights {
		v := tensor.New(tensor.Float32, shape...)
		for i := range v.F32() {
			v.F32()[i] = float32(r.NormFloat64() / 3)
		}
		g.Initializer = append(g.Initializer, onnx.TensorToProto(n, v))
	}
	path := filepath.Join(t.TempDir(), "net.onnx")
	if err := onnx.NewModel(g, 13).WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

func oneLayer(t *testing.T, in, out int) string {
	return netFile(t, tensor.Float32, []any{"N", in}, []any{"N", out}, map[string][]int{"w": {in, out}, "b": {out}},
		onnx.NewNode("Gemm", "g", []string{"x", "w", "b"}, []string{"y"}))
}

func textFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	hostileClass = `<script>alert(1)</script>`
	hostileOther = `"><img src=x onerror=alert(2)>`
)

// The page of a run has for each task what makes sense of it and nothing else, whatever classes are called.
func TestPageOfTask(t *testing.T) {
	var table, priced, series strings.Builder
	table.WriteString("a,b,kind\n")
	priced.WriteString("a,b,price\n")
	series.WriteString("v\n")
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 80 {
		a, b := r.NormFloat64(), r.NormFloat64()
		kind := strings.ReplaceAll(hostileClass, `"`, `""`)
		if a+0.3*b < 0 {
			kind = strings.ReplaceAll(hostileOther, `"`, `""`)
		}
		fmt.Fprintf(&table, "%.4f,%.4f,\"%s\"\n", a, b, kind)
		fmt.Fprintf(&priced, "%.4f,%.4f,%.4f\n", a, b, 2*a-b)
		fmt.Fprintf(&series, "%.4f\n", math.Sin(float64(i)/5))
	}
	people, houses, waves := textFile(t, "t.csv", table.String()), textFile(t, "h.csv", priced.String()), textFile(t, "s.csv", series.String())
	labels := textFile(t, "l.csv", "a,b,<b>red</b>,round\n"+strings.Repeat("0.5,1,1,0\n-1,0.3,0,1\n0.1,-0.7,1,1\n", 12))
	book := textFile(t, "t.txt", strings.Repeat("the quick brown fox <b>jumps</b> over the lazy dog. ", 60))
	seg := netFile(t, tensor.Float32, []any{"N", 3, 16, 16}, []any{"N", 2, 16, 16}, map[string][]int{"w": {2, 3, 3, 3}, "b": {2}},
		onnx.NewNode("Conv", "c", []string{"x", "w", "b"}, []string{"y"}, onnx.AttrInts("pads", 1, 1, 1, 1)))
	lm := netFile(t, tensor.Int64, []any{"N", 16}, []any{"N", 16, 256}, map[string][]int{"e": {256, 8}, "w": {8, 256}},
		onnx.NewNode("Gather", "g", []string{"e", "x"}, []string{"h"}), onnx.NewNode("MatMul", "m", []string{"h", "w"}, []string{"y"}))
	window := netFile(t, tensor.Float32, []any{"N", 12, 1}, []any{"N", 5}, map[string][]int{"w": {12, 5}},
		onnx.NewNode("Flatten", "f", []string{"x"}, []string{"h"}), onnx.NewNode("MatMul", "m", []string{"h", "w"}, []string{"y"}))
	const all = "Curves Values Classes Labels Calibration Worst mistakes Examples"
	for name, c := range map[string]struct {
		c    job.FinetuneConfig
		want string // sections
		has  string // what else the page has
	}{
		"pictures": {job.FinetuneConfig{Model: "builtin:mlp", Data: "digits#test"},
			"Curves Classes Calibration Worst mistakes Examples", "% for the true class"},
		"table": {job.FinetuneConfig{Model: oneLayer(t, 2, 2), Data: "csv:" + people + "?label=kind"},
			"Curves Classes Calibration Worst mistakes Examples", "&lt;script&gt;alert(1)&lt;/script&gt;"},
		"labels": {job.FinetuneConfig{Model: oneLayer(t, 2, 2), Data: "csv:" + labels + "?label=<b>red</b>,round"},
			"Curves Labels Worst mistakes Examples", "&lt;b&gt;red&lt;/b&gt;"},
		"numbers": {job.FinetuneConfig{Model: oneLayer(t, 2, 1), Data: "csv:" + houses + "?label=price",
			UseOptions: job.UseOptions{Task: "regression"}}, "Curves Values Worst mistakes Examples", "Predicted less true"},
		"forecast": {job.FinetuneConfig{Model: window, Data: "window:" + waves + "?in=12&out=5&columns=v&target=v"},
			"Curves Values Worst mistakes Examples", "steps after the last one that is known"},
		"segmentation": {job.FinetuneConfig{Model: seg, Data: "shapes?size=16&n=24#test", UseOptions: job.UseOptions{Task: "segmentation"}},
			"Curves Classes Worst mistakes Examples", "of the positions right"},
		"text": {job.FinetuneConfig{Model: lm, Data: "text:" + book + "?length=16#train"}, "Curves Worst mistakes Examples", "perplexity"},
	} {
		t.Run(name, func(t *testing.T) {
			c.c.ValSplit, c.c.Epochs, c.c.Out = 0.4, 2, filepath.Join(t.TempDir(), "run")
			if _, err := job.Finetune(context.Background(), c.c, nil); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(c.c.Out, "report.html"))
			if err != nil {
				t.Fatal(err)
			}
			page := string(b)
			var sections []string
			for _, m := range regexp.MustCompile(`<h2>(.*?)</h2>`).FindAllStringSubmatch(page, -1) {
				if strings.Contains(all, m[1]) {
					sections = append(sections, m[1])
				}
			}
			if got := strings.Join(sections, " "); got != c.want {
				t.Errorf("sections %s, want %s", got, c.want)
			}
			if !strings.Contains(page, c.has) {
				t.Errorf("the page has no %q", c.has)
			}
			for _, bad := range []string{"<script", "<img src=x", "<b>", "http://", "https://"} {
				if strings.Contains(page, bad) {
					t.Errorf("the page has %s", bad)
				}
			}
		})
	}
}
