package job

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// none is the word for an optional input that has no value.
const none = "none"

// readContainer reads what feeds an input that is a sequence or an optional: a .pb of it, or the tensors of a .npy or .npz file, in their
// order, as elements of the sequence. An optional is the value that the file has, or the word none.
func readContainer(path string, in engine.IO) (*tensor.Tensor, error) {
	if in.DType.Kind() == tensor.Optional {
		if path == none {
			return tensor.NewOptional(in.DType.Inner(), nil)
		}
		if !strings.EqualFold(filepath.Ext(path), ".pb") {
			inner := engine.IO{Name: in.Name, DType: in.DType.Inner()}
			read := readContainer
			if !inner.DType.IsContainer() {
				read = readElement
			}
			x, err := read(path, inner)
			if err != nil {
				return nil, err
			}
			return tensor.NewOptional(inner.DType, x)
		}
	}
	switch {
	case strings.EqualFold(filepath.Ext(path), ".pb"):
		_, t, err := onnx.ReadValueFile(path, in.DType)
		return t, err
	case in.DType.Kind() != tensor.Sequence || in.DType.Inner().IsContainer() || !isTensorFile(path):
		return nil, usagef("--input %s: input %v is read from a .pb file%s", path, in, map[bool]string{
			true: ", or as its elements from .npy and .npz files"}[in.DType.Kind() == tensor.Sequence && !in.DType.Inner().IsContainer()])
	}
	arrays, err := tensor.ReadFile(path)
	if err != nil {
		return nil, err
	}
	items := make([]*tensor.Tensor, len(arrays))
	for i, a := range arrays {
		if items[i], err = convertTo(a.Tensor, in.DType.Inner()); err != nil {
			return nil, badInput(fmt.Errorf("%s: %s: input %v: %w", path, a.Name, in, err))
		}
	}
	return tensor.NewSequence(in.DType.Inner(), items...)
}

// readElement reads the tensor of an optional.
func readElement(path string, in engine.IO) (*tensor.Tensor, error) {
	t, err := readTensors(path, in.Name)
	if err == nil {
		if t, err = convertTo(t, in.DType); err != nil {
			err = badInput(fmt.Errorf("%s: input %v: %w", path, in, err))
		}
	}
	return t, err
}

// chain joins sequences to one.
func chain(ts []*tensor.Tensor) (*tensor.Tensor, error) {
	var items []*tensor.Tensor
	for _, t := range ts {
		if t.DType().Kind() != tensor.Sequence {
			return nil, errors.New("only one file can feed an optional or a map")
		}
		items = append(items, t.Items()...)
	}
	return tensor.NewSequence(ts[0].DType().Inner(), items...)
}

// runsAlone reports whether each file of feeds is a run of its own: those of a sequence are its elements.
func runsAlone(feeds []inputFiles) bool {
	return len(feeds) == 1 && !feeds[0].input.DType.IsContainer()
}

// tensorsOf lists the tensors in t, a container, with names for a .npz file: 0, 1, … for elements, keys and values for a map, value for an
// optional, and these joined by dots where containers nest.
func tensorsOf(t *tensor.Tensor, at string) []tensor.Named {
	if !t.DType().IsContainer() {
		return []tensor.Named{{Name: at, Tensor: t}}
	}
	var list []tensor.Named
	for i, x := range t.Items() {
		name := fmt.Sprint(i)
		switch t.DType().Kind() {
		case tensor.Map:
			name = [...]string{"keys", "values"}[i]
		case tensor.Optional:
			name = "value"
		}
		if at != "" {
			name = at + "." + name
		}
		list = append(list, tensorsOf(x, name)...)
	}
	return list
}

// writeItems writes the tensors of a container as a .npz file.
func writeItems(to *results, path string, t *tensor.Tensor) error {
	return to.write(path, func(w io.Writer) error { return tensor.WriteNPZ(w, tensorsOf(t, "")) })
}
