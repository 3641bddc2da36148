package job

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// isTensorFile reports whether path is a file of tensors, which are fed as they are.
func isTensorFile(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npy", ".npz", ".pb":
		return true
	}
	return false
}

// inputFiles is what is fed to one input: files in order, each an example or a batch.
type inputFiles struct {
	input engine.IO
	files []string
}

// assignFiles finds the inputs that words such as FILE or NAME=FILE feed. Files without a name go to the model's only input, or to the
// inputs that no other word names, one each.
func assignFiles(l *Model, words []string) ([]inputFiles, error) {
	ins := l.Inputs()
	var names []string
	feeds := make([]inputFiles, len(ins))
	for i, in := range ins {
		feeds[i].input = in
		names = append(names, in.Name)
	}
	var unnamed []string
	for _, w := range words {
		name, file, ok := strings.Cut(w, "=")
		i := slices.Index(names, name)
		switch _, err := os.Stat(w); {
		case ok && i >= 0:
			feeds[i].files = append(feeds[i].files, file)
		case ok && err != nil:
			return nil, usagef("--input %s: the model has no input %q%s; it has %s", w, name, registry.Hint(name, names),
				shown.Names(names, 12))
		default:
			unnamed = append(unnamed, w)
		}
	}
	var open []int
	for i := range feeds {
		if len(feeds[i].files) == 0 {
			open = append(open, i)
		}
	}
	switch {
	case len(unnamed) == 0:
	case len(ins) == 0:
		return nil, badInput(fmt.Errorf("%s has no inputs: run it without files", l.Path))
	case len(ins) == 1:
		feeds[0].files = append(feeds[0].files, unnamed...)
	case len(unnamed) == 1 && strings.EqualFold(filepath.Ext(unnamed[0]), ".npz"):
		for _, i := range open {
			feeds[i].files = unnamed
		}
	case len(unnamed) == len(open):
		for k, i := range open {
			feeds[i].files = []string{unnamed[k]}
		}
	default:
		return nil, usagef("the model has the inputs %s: say which file is which, --input %s=FILE", shown.Names(names, 12), names[0])
	}
	var missing []string
	for _, f := range feeds {
		if len(f.files) == 0 {
			missing = append(missing, f.input.String())
		}
	}
	if len(missing) > 0 {
		return nil, usagef("nothing is given for input %s; use --input NAME=FILE", shown.Names(missing, 12))
	}
	return feeds, nil
}

// readInput reads the file path for the input in: a picture, prepared by preprocessing, or a tensor. A number feeds an input of one
// element. notes say what was assumed or is remarkable.
func (l *Model) readInput(path string, in engine.IO) (t *tensor.Tensor, notes []string, err error) {
	switch {
	case in.DType.IsContainer():
		t, err = readContainer(path, in)
		return t, nil, err
	case isTensorFile(path):
		if t, err = readTensors(path, in.Name); err != nil {
			return nil, nil, err
		}
	case isNumber(path) && elements(in) == 1:
		return literal(path, in)
	default:
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		p, assumed, err := l.PreprocessFor(in)
		if err != nil {
			return nil, nil, err
		}
		read, err := data.LoadInput(path, p, data.Options{})
		if err != nil {
			return nil, nil, err
		}
		if assumed != "" {
			notes = append(notes, assumed)
		}
		if t, err = read.X.Convert(in.DType); err != nil {
			return nil, nil, badInput(fmt.Errorf("%s: %w", path, err))
		}
		return t, append(notes, read.Notes...), nil
	}
	if len(in.Dims) > 0 && t.Rank() == len(in.Dims)-1 {
		t = t.Reshape(append([]int{1}, t.Shape()...)...)
	}
	if t, err = convertTo(t, in.DType); err != nil {
		return nil, nil, badInput(fmt.Errorf("%s: input %v: %w", path, in, err))
	}
	return t, nil, nil
}

// readTensors reads the tensor called name of a .npz, or its only one, or that of a .npy or .pb file.
func readTensors(path, name string) (*tensor.Tensor, error) {
	if strings.EqualFold(filepath.Ext(path), ".pb") {
		return readTensorFile(path)
	}
	arrays, err := tensor.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range arrays {
		if a.Name == name {
			return a.Tensor, nil
		}
		names = append(names, a.Name)
	}
	if len(arrays) == 1 {
		return arrays[0].Tensor, nil
	}
	return nil, badInput(fmt.Errorf("%s has no array %q; it has %s", path, name, shown.Names(names, 12)))
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// elements is the number of elements of an input whose shape is fixed, free axes counting one.
func elements(in engine.IO) int {
	n := 1
	for _, d := range in.Dims {
		n *= max(d.Size, 1)
	}
	return n
}

// literal is the number s as a tensor for in.
func literal(s string, in engine.IO) (*tensor.Tensor, []string, error) {
	shape := make([]int, len(in.Dims))
	for i := range shape {
		shape[i] = 1
	}
	t, err := tensor.FromStrings([]string{s}, shape...).Convert(in.DType)
	if err != nil {
		return nil, nil, badInput(fmt.Errorf("input %v: %q: %w", in, s, err))
	}
	return t, nil, nil
}

// convertTo is t in element type d, as feed converts it, but that real and whole numbers do not stand for each other: a file of the other
// kind is rather another file.
func convertTo(t *tensor.Tensor, d tensor.DType) (*tensor.Tensor, error) {
	if from := t.DType(); from.IsFloat() != d.IsFloat() {
		return nil, fmt.Errorf("has type %v, want %v", from, d)
	}
	return feed.Convert(t, d)
}

// stack joins tensors along their first axis.
func stack(ts []*tensor.Tensor) (*tensor.Tensor, error) {
	first := ts[0]
	switch {
	case len(ts) == 1:
		return first, nil
	case first.DType().IsContainer():
		return chain(ts)
	}
	if first.Rank() == 0 || first.DType() == tensor.String {
		return nil, fmt.Errorf("values of type %v do not stack", first)
	}
	n, raw := 0, []byte{}
	for _, t := range ts {
		if t.DType() != first.DType() || t.Rank() != first.Rank() || !t.Shape()[1:].Equal(first.Shape()[1:]) {
			return nil, fmt.Errorf("%v and %v do not stack along the first axis", first, t)
		}
		n += t.Dim(0)
		raw = append(raw, t.Bytes()...)
	}
	return tensor.FromBytes(first.DType(), append([]int{n}, first.Shape()[1:]...), raw)
}
