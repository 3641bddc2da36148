package job

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// shapes are the shapes of the inputs of a model, in order.
type shapes = []tensor.Shape

// fake is an input that is fed made-up numbers, or a file.
type fake struct {
	in    engine.IO
	shape tensor.Shape
	file  string // of the content, or a number
}

// synthetic decides the shapes of the inputs of m: words such as NAME=8x3x224x224 or NAME=8x3x224x224:float32 say them, as does a tensor
// file NAME=FILE; all others follow from the model's declaration, free first axes being batch. An input without axes takes NAME=NUMBER.
func synthetic(m *engine.Model, words []string, batch int) ([]fake, error) {
	if batch < 1 {
		return nil, usagef("--batch %d: must be at least 1", batch)
	}
	var out []fake
	var names []string
	sizes := m.Sizes(batch)
	for i, in := range m.Inputs() {
		names = append(names, in.Name)
		out = append(out, fake{in: in, shape: sizes[i]})
	}
	given := map[string]bool{}
	for _, w := range rejoin(words) {
		name, text, ok := strings.Cut(w, "=")
		if !ok {
			if len(out) != 1 {
				return nil, usagef("--input %s: want NAME=SHAPE; the model has the inputs %s", w, shown.Names(names, 12))
			}
			name, text = names[0], w
		}
		at := -1
		for i := range out {
			if out[i].in.Name == name {
				at = i
			}
		}
		if at < 0 {
			return nil, usagef("--input %s: the model has no input %q%s; it has %s", w, name, registry.Hint(name, names),
				shown.Names(names, 12))
		}
		if err := out[at].set(text); err != nil {
			return nil, err
		}
		given[name] = true
	}
	alone := m.Sizes(1)
	for i, f := range out {
		if f.in.DType.IsContainer() {
			return nil, badInput(fmt.Errorf("input %v cannot be made up, since the file does not say what it contains: gtk run takes it from a "+
				"file", f.in))
		}
		most := 1 << 30 // elements
		if !given[f.in.Name] {
			most = 1 << 24
		}
		if n, err := f.shape.CheckedLen(f.in.DType); err != nil || n > most {
			err := fmt.Errorf("input %s of shape %v is too large to be made up: choose a smaller --batch, or give a size of up to %d "+
				"elements with --input %s=SHAPE", f.in.Name, f.shape, 1<<30, f.in.Name)
			if n, bad := alone[i].CheckedLen(f.in.DType); given[f.in.Name] || bad == nil && n <= most {
				return nil, usagef("%v", err) // asked for, not the model's own
			}
			return nil, badInput(err)
		}
		if f.in.Dims == nil && !given[f.in.Name] {
			return nil, usagef("the model does not declare the shape of input %q; give it with --input %s=1x3x224x224", f.in.Name,
				f.in.Name)
		}
	}
	return out, nil
}

// rejoin puts shapes together again that the framework took apart at their commas: x=1,3,224,224 arrives as four words.
func rejoin(words []string) []string {
	var out []string
	for _, w := range words {
		size, _, _ := strings.Cut(w, ":")
		if _, err := strconv.Atoi(size); err == nil && len(out) > 0 {
			out[len(out)-1] += "," + w
			continue
		}
		out = append(out, w)
	}
	return out
}

// chosenSizes adds to the error of a run how to give other sizes, when the model leaves some open and no words gave them.
func chosenSizes(m *engine.Model, words []string, batch int, err error) error {
	var node *exec.NodeError
	if len(words) > 0 || !errors.As(err, &node) {
		return err
	}
	var open []string
	ins := m.Inputs()
	for i, s := range m.Sizes(batch) {
		if in := ins[i]; slices.ContainsFunc(in.Dims, func(d graph.Dim) bool { return d.Size < 0 }) {
			open = append(open, fmt.Sprintf("%s %v", in.Name, s))
		}
	}
	if len(open) == 0 {
		return err
	}
	return fmt.Errorf("%w; the model leaves sizes of its inputs open and gtk chose %s: give others with --input NAME=SHAPE", err,
		shown.Names(open, 12))
}

// set reads the shape, type, file or number of an input.
func (f *fake) set(text string) error {
	if isTensorFile(text) {
		if _, err := os.Stat(text); err == nil {
			t, err := readTensors(text, f.in.Name)
			if err != nil {
				return err
			}
			f.shape, f.file = t.Shape(), text
			return nil
		}
	}
	if f.in.Dims != nil && len(f.in.Dims) == 0 && isNumber(text) {
		f.file = text
		return nil
	}
	dims, typ, hasType := strings.Cut(text, ":")
	if hasType {
		d, err := tensor.ParseDType(typ)
		if err != nil {
			return usagef("--input %s=%s: %v", f.in.Name, text, err)
		}
		if d != f.in.DType {
			return usagef("--input %s=%s: the model takes %v", f.in.Name, text, f.in)
		}
	}
	f.shape = tensor.Shape{}
	for x := range strings.FieldsFuncSeq(dims, func(r rune) bool { return r == 'x' || r == ',' || r == '×' }) {
		n, err := strconv.Atoi(x)
		if err != nil || n < 1 {
			return usagef("--input %s=%s: want a shape such as 1x3x224x224, with :float32 behind it if you like", f.in.Name, text)
		}
		f.shape = append(f.shape, n)
	}
	fits := f.in.Dims == nil || len(f.shape) == len(f.in.Dims)
	for k, d := range f.in.Dims {
		// A first axis of 1 may turn out to take any batch.
		fits = fits && (d.Size < 0 || d.Size == f.shape[k] || k == 0 && d.Size == 1)
	}
	if !fits {
		return usagef("--input %s=%s: the model takes %v", f.in.Name, text, f.in)
	}
	return nil
}

// tensor is the content of the input: normal numbers, bytes, zeros and ones for integers (indices that every table has), all from the
// random source r.
func (f *fake) tensor(r *rand.Rand) (*tensor.Tensor, error) {
	if f.file != "" {
		if isTensorFile(f.file) {
			t, err := readTensors(f.file, f.in.Name)
			if err == nil {
				t, err = convertTo(t, f.in.DType)
			}
			return t, badInput(err)
		}
		t, _, err := literal(f.file, f.in)
		return t, err
	}
	x, err := tensor.Make(fmt.Sprintf("the made-up input %s of shape %v", shown.Name(f.in.Name), f.shape), tensor.Float32, f.shape...)
	if err != nil {
		return nil, err
	}
	v := x.F32()
	for i := range v {
		switch {
		case f.in.DType == tensor.Uint8:
			v[i] = float32(r.IntN(256))
		case f.in.DType.IsInt() || f.in.DType == tensor.Bool:
			v[i] = float32(r.IntN(2))
		default:
			v[i] = float32(r.NormFloat64())
		}
	}
	t, err := x.Convert(f.in.DType)
	if err != nil {
		return nil, badInput(fmt.Errorf("input %v: %w", f.in, err))
	}
	return t, nil
}

// fill makes the content of all inputs, the same for the same seed.
func fill(fs []fake, seed uint64) (map[string]*tensor.Tensor, error) {
	r := rand.New(rand.NewPCG(seed, 0x696e707574))
	feeds := map[string]*tensor.Tensor{}
	for i := range fs {
		t, err := fs[i].tensor(r)
		if err != nil {
			return nil, err
		}
		feeds[fs[i].in.Name] = t
	}
	return feeds, nil
}
