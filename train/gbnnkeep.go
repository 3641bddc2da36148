package train

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// GBNNKey is the metadata property of a model with units that were trained by gradient boosting: a GBNN as JSON.
const GBNNKey = "gtk.gbnn"

// GBNN says where those units are, in the order in which they were trained.
type GBNN struct {
	Schema   string    `json:"schema"`
	Units    int       `json:"units"`
	Step     int       `json:"step"`     // units that were trained together
	Features string    `json:"features"` // value [N,F] that they read
	Width    int       `json:"width"`    // F
	Hidden   GBNNLayer `json:"hidden"`   // weight [units,F]
	Out      GBNNLayer `json:"out"`      // weight [K,units]
	// Biases are those of Out with the first 0, Step, 2·Step … units: float64 [Units/Step+1,K], little-endian, base64.
	Biases string `json:"biases"`
	Digest string `json:"digest"` // SHA-256 of the four initializers, to know whether they are as they were trained
}

// GBNNLayer names the initializers of a Gemm.
type GBNNLayer struct {
	Weight string `json:"weight"`
	Bias   string `json:"bias"`
}

// Params are the names of the initializers.
func (g *GBNN) Params() []string {
	return []string{g.Hidden.Weight, g.Hidden.Bias, g.Out.Weight, g.Out.Bias}
}

// NotGBNNError is the error of a model whose units cannot be counted.
type NotGBNNError struct{ Why string }

// Error says why.
func (e *NotGBNNError) Error() string { return "train: gbnn: " + e.Why }

// ReadGBNN is what the metadata of m say of its units. A *NotGBNNError says that m has none, or that they were changed.
func ReadGBNN(m *onnx.Model) (*GBNN, error) {
	text, ok := m.Metadata(GBNNKey)
	if !ok {
		return nil, &NotGBNNError{"the model has no units that were trained by gradient boosting: its metadata have no " + GBNNKey +
			"; gtk finetune --method gbnn writes it"}
	}
	g := &GBNN{}
	if err := json.Unmarshal([]byte(text), g); err != nil {
		return nil, &NotGBNNError{fmt.Sprintf("its metadata %s cannot be read: %v", GBNNKey, err)}
	}
	ts, err := g.tensors(m)
	if err != nil {
		return nil, err
	}
	k := ts[3].Len()
	w, o := ts[0].Shape(), ts[2].Shape()
	fits := len(w) == 2 && len(o) == 2 && w[0] == g.Units && ts[1].Len() == g.Units && o[0] == k && o[1] == g.Units
	if _, err := g.biases(k); !fits || err != nil || g.Step < 1 || g.Units < g.Step || g.Units%g.Step != 0 {
		return nil, &NotGBNNError{fmt.Sprintf("its metadata %s speak of %d units, %d a step, which its weights %v and %v are not", GBNNKey,
			g.Units, g.Step, w, o)}
	}
	if digestOf(ts) != g.Digest {
		return nil, &NotGBNNError{"its units were changed after they were trained, so that the first of them are no model of their own"}
	}
	return g, nil
}

// tensors are the four initializers, in the order of Params.
func (g *GBNN) tensors(m *onnx.Model) ([]*tensor.Tensor, error) {
	var ts []*tensor.Tensor
	for _, name := range g.Params() {
		p := m.Initializer(name)
		if p == nil {
			return nil, &NotGBNNError{fmt.Sprintf("its metadata %s name an initializer %q, which is not there", GBNNKey, name)}
		}
		t, err := m.Tensor(p)
		if err != nil {
			return nil, err
		}
		if !t.DType().IsFloat() {
			return nil, &NotGBNNError{fmt.Sprintf("initializer %q is %v, not real numbers", name, t)}
		}
		ts = append(ts, t)
	}
	return ts, nil
}

func digestOf(ts []*tensor.Tensor) string {
	h := sha256.New()
	for _, t := range ts {
		digestTensor(h, "", t)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// biases are the rows of Biases for k outputs.
func (g *GBNN) biases(k int) ([][]float64, error) {
	b, err := base64.StdEncoding.DecodeString(g.Biases)
	if err != nil {
		return nil, err
	}
	if g.Step < 1 || len(b) != 8*k*(g.Units/g.Step+1) {
		return nil, fmt.Errorf("%d bytes", len(b))
	}
	var rows [][]float64
	for ; len(b) > 0; b = b[8*k:] {
		row := make([]float64, k)
		for i := range row {
			row[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (g *GBNN) setBiases(rows [][]float64) {
	var b []byte
	for _, row := range rows {
		for _, v := range row {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	g.Biases = base64.StdEncoding.EncodeToString(b)
}

// KeepUnits is a copy of m with the first n of its units, which is the model that training had after them, and what m says of its own.
func KeepUnits(m *onnx.Model, n int) (*onnx.Model, *GBNN, error) {
	g, err := ReadGBNN(m)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case n < 1 || n > g.Units:
		return nil, nil, fmt.Errorf("the model has %d units: keep 1 to %[1]d of them", g.Units)
	case n%g.Step != 0:
		low := n / g.Step * g.Step
		near := fmt.Sprintf("%d or %d", low, low+g.Step)
		if low == 0 {
			near = fmt.Sprint(g.Step)
		}
		return nil, nil, fmt.Errorf("the units were trained %d at a time, so that %d of them are no model: keep %s", g.Step, n,
			near)
	}
	ts, err := g.tensors(m)
	if err != nil {
		return nil, nil, err
	}
	rows, err := g.biases(ts[3].Len())
	if err != nil {
		return nil, nil, err
	}
	out, was := m.Clone(), *g
	return out, &was, g.cut(out, n, rows[:n/g.Step+1])
}

// cut makes the units of m, in place, the first n of those it has, with the biases rows, and says so in its metadata.
func (g *GBNN) cut(m *onnx.Model, n int, rows [][]float64) error {
	ts, err := g.tensors(m)
	if err != nil {
		return err
	}
	old, k := ts[0].Dim(0), ts[3].Len()
	w := tensor.New(ts[2].DType(), k, n)
	size := ts[2].DType().Bits() / 8
	for o := range k {
		copy(w.Bytes()[o*n*size:(o+1)*n*size], ts[2].Bytes()[o*old*size:])
	}
	bias, err := tensor.From(rows[len(rows)-1], k).Convert(ts[3].DType())
	if err != nil {
		return err
	}
	fresh := []*tensor.Tensor{tensor.New(ts[0].DType(), n, ts[0].Dim(1)), tensor.New(ts[1].DType(), n), w, bias}
	copy(fresh[0].Bytes(), ts[0].Bytes())
	copy(fresh[1].Bytes(), ts[1].Bytes())
	for i, name := range g.Params() {
		if err := resized(m, name, fresh[i]); err != nil {
			return err
		}
	}
	g.Units, g.Digest = n, digestOf(fresh)
	g.setBiases(rows)
	b, err := json.Marshal(g)
	if err != nil {
		return err
	}
	m.SetMetadata(GBNNKey, string(b))
	return nil
}

// resized gives an initializer of m another tensor, perhaps of another shape.
func resized(m *onnx.Model, name string, t *tensor.Tensor) error {
	p := m.Initializer(name)
	if was, err := m.Tensor(p); err != nil {
		return err
	} else if was.Shape().Equal(t.Shape()) {
		return m.SetInitializer(name, t)
	}
	g := m.Proto.GetGraph()
	for i, x := range g.GetInitializer() {
		if x.GetName() == name {
			g.Initializer[i] = onnx.TensorToProto(name, t)
		}
	}
	for _, list := range [][]*onnxpb.ValueInfoProto{g.GetInput(), g.GetValueInfo()} {
		for _, v := range list {
			if v.GetName() == name {
				setDims(v, t.Shape())
			}
		}
	}
	return nil
}
