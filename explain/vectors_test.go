package explain

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// vector is one recorded tensor. The files were computed with PyTorch 1.13 in float64 from the nets beside them and cross-checked
// with Captum, TorchRay and the NormGrad authors' code.
type vector struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

var vectorFiles sync.Map

// vectors are the tensors of testdata/NAME.json.gz by key.
func vectors(t testing.TB, name string) map[string]vector {
	t.Helper()
	if v, ok := vectorFiles.Load(name); ok {
		return v.(map[string]vector)
	}
	var raw map[string]json.RawMessage
	readGzipJSON(t, "testdata/"+name+".json.gz", &raw)
	out := map[string]vector{}
	for k, r := range raw {
		if strings.HasPrefix(k, "_") {
			continue
		}
		var v vector
		if err := json.Unmarshal(r, &v); err != nil {
			t.Fatalf("%s: %s: %v", name, k, err)
		}
		out[k] = v
	}
	vectorFiles.Store(name, out)
	return out
}

func readGzipJSON(t testing.TB, path string, into any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func (v vector) f32() []float32 {
	out := make([]float32, len(v.Data))
	for i, x := range v.Data {
		out[i] = float32(x)
	}
	return out
}

// tensor is v with leading axes of extent 1 up to rank.
func (v vector) tensor(rank int) *tensor.Tensor {
	shape := v.Shape
	for len(shape) < rank {
		shape = append([]int{1}, shape...)
	}
	return tensor.From(v.f32(), shape...)
}

func (v vector) volume() Volume { return Volume{v.Shape[0], v.Shape[1], v.Shape[2], v.f32()} }

// near fails the test unless |got-want| <= 1e-4 max|want| + 1e-6 everywhere, the rule of the vectors.
func near(t *testing.T, key string, got []float32, want vector) {
	t.Helper()
	if len(got) != len(want.Data) {
		t.Errorf("%s: %d numbers, want %d", key, len(got), len(want.Data))
		return
	}
	var top float64
	for _, w := range want.Data {
		top = max(top, math.Abs(w))
	}
	for i, w := range want.Data {
		if d := math.Abs(float64(got[i]) - w); !(d <= 1e-4*top+1e-6) {
			t.Errorf("%s: [%d] = %g, want %g (off by %.2g of the largest)", key, i, got[i], w, d/top)
			return
		}
	}
}

// need is the vector of key, which must be there.
func need(t testing.TB, vs map[string]vector, key string) vector {
	t.Helper()
	v, ok := vs[key]
	if !ok {
		t.Fatalf("no vector %q", key)
	}
	return v
}
