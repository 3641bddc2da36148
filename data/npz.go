package data

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "npz", Doc: "NumPy archive: x [N,…] of any type, y [N] class indices or [N,…] targets, optional id [N] and classes [K]",
		Source: "https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html",
		splits: []string{"train", "test"},
		is: func(path string, info fs.FileInfo) bool {
			return !info.IsDir() && strings.HasSuffix(strings.ToLower(path), ".npz")
		},
		open: openNPZ,
	})
}

// openNPZ reads x and y, or x_train, y_train, x_test and y_test where a split is given. Integers in y [N] or [N,1] are classes, all
// else are targets; Options.Task decides otherwise. Without y the examples have no labels. x of bytes [N,H,W], [N,C,H,W] or [N,H,W,C] with
// 1 or 3 channels is taken for pictures; any other x is fed as it is.
func openNPZ(spec Spec, o Options, _ int) (Dataset, error) {
	arrays, err := tensor.ReadFileLimited(spec.Path, tensor.Limits{MaxBytes: o.Limits.bytes()})
	if err != nil {
		if errors.Is(err, tensor.ErrNPY) || errors.Is(err, tensor.ErrShape) {
			return nil, &FormatError{Path: spec.Path, Problem: "cannot read the archive", Err: err, Remedy: "write it with numpy.savez(file, x=…, y=…)"}
		}
		return nil, fmt.Errorf("data: npz: %w", err)
	}
	byName := map[string]*tensor.Tensor{}
	var names []string
	for _, a := range arrays {
		byName[a.Name] = a.Tensor
		names = append(names, a.Name)
	}
	find := func(name string) *tensor.Tensor {
		if spec.Split != "" {
			return byName[name+"_"+spec.Split]
		}
		for _, n := range []string{name, strings.ToUpper(name), name + "_train"} {
			if t := byName[n]; t != nil {
				return t
			}
		}
		return nil
	}
	x := find("x")
	if x == nil {
		want := "x"
		if spec.Split != "" {
			want = "x_" + spec.Split
		}
		return nil, malformed(spec.Path, "", "name the inputs x and the labels y; the archive has: "+strings.Join(names, ", "), "no array %q", want)
	}
	if x.Rank() == 0 || x.DType() == tensor.String || x.DType().Bits()%8 != 0 {
		return nil, malformed(spec.Path, "x", "need numbers [N,…]", "array is %v", x)
	}
	m := &memory{path: spec.Path, dtype: x.DType(), shape: x.Shape()[1:], raw: x.Bytes(), n: x.Dim(0)}
	m.asPictures()
	if ids := byName["id"]; ids != nil && ids.DType() == tensor.String && ids.Rank() == 1 && ids.Dim(0) == m.n && spec.Split == "" {
		m.ids = ids.Strings()
		if id, i := repeated(m.ids); i >= 0 {
			return nil, malformed(spec.Path, fmt.Sprintf("id, row %d", i), "ids must differ", "id %q comes twice", clip(id))
		}
	}
	var names2 []string
	if c := byName["classes"]; c != nil && c.DType() == tensor.String && c.Rank() == 1 {
		names2 = c.Strings()
	}
	if !o.AllowNonFinite {
		if err := finite(spec.Path, "x", x); err != nil {
			return nil, err
		}
	}
	if y := find("y"); y != nil {
		if err := m.setY(y, names2, o); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// asPictures marks bytes of the shape of pictures as such and makes them [C,H,W].
func (m *memory) asPictures() {
	if m.dtype != tensor.Uint8 || m.shape.Len() == 0 {
		return
	}
	channels := func(n int) bool { return n == 1 || n == 3 }
	switch s := m.shape; {
	case len(s) == 2:
		m.shape, m.picture = tensor.Shape{1, s[0], s[1]}, true
	case len(s) == 3 && channels(s[0]):
		m.picture = true
	case len(s) == 3 && channels(s[2]):
		h, w, c := s[0], s[1], s[2]
		size := h * w * c
		out := make([]byte, len(m.raw))
		for i := range m.n {
			src, dst := m.raw[i*size:(i+1)*size], out[i*size:(i+1)*size]
			for k := range c {
				for p := range h * w {
					dst[k*h*w+p] = src[p*c+k]
				}
			}
		}
		m.shape, m.raw, m.picture = tensor.Shape{c, h, w}, out, true
	}
}

// setY takes labels or targets.
func (m *memory) setY(y *tensor.Tensor, names []string, o Options) error {
	if y.Rank() == 0 || y.Dim(0) != m.n || y.DType() == tensor.String {
		return malformed(m.path, "y", fmt.Sprintf("need one label or target per row of x, [%d] or [%d,…]", m.n, m.n), "array is %v for %d examples", y, m.n)
	}
	flat := y.Rank() == 1 || y.Rank() == 2 && y.Dim(1) == 1
	classes := flat && (y.DType().IsInt() || y.DType() == tensor.Bool)
	switch o.Task {
	case "classification":
		if !flat {
			return malformed(m.path, "y", "need [N]", "class indices of shape %v", y.Shape())
		}
		classes = true
	case "regression":
		classes = false
	}
	v, err := floats(y)
	if err != nil {
		return &FormatError{Path: m.path, Place: "y", Err: err}
	}
	if !classes {
		if !o.AllowNonFinite {
			if err := finite(m.path, "y", y); err != nil {
				return err
			}
		}
		if y.DType() != tensor.Float64 {
			t := tensor.New(tensor.Float32, y.Shape()...)
			for i, f := range v {
				t.F32()[i] = float32(f)
			}
			y = t
		}
		m.y = y
		return nil
	}
	const most = 1 << 20
	m.labels = make([]int32, m.n)
	highest := -1
	for i, f := range v {
		if f < 0 || f >= most || f != math.Trunc(f) {
			return malformed(m.path, fmt.Sprintf("y, row %d", i), "class indices count from 0", "label %v is out of range", f)
		}
		m.labels[i] = int32(f)
		highest = max(highest, int(f))
	}
	if o.Classes == nil && highest < len(names) {
		m.classes = names
		return nil
	}
	if highest >= 0 || o.Classes != nil {
		m.classes, err = numberedClasses(m.path, highest, o.Classes)
	}
	return err
}

// floats is the values of a real numeric tensor.
func floats(t *tensor.Tensor) ([]float64, error) {
	if !t.DType().IsFloat() && !t.DType().IsInt() && t.DType() != tensor.Bool {
		return nil, fmt.Errorf("data: %v has no real numbers", t)
	}
	return t.Float64s(), nil
}

// finite fails when t holds NaN or infinity.
func finite(path, name string, t *tensor.Tensor) error {
	if !t.DType().IsFloat() {
		return nil
	}
	var at int
	switch t.DType() {
	case tensor.Float32:
		at = slices.IndexFunc(t.F32(), func(v float32) bool { return v-v != 0 })
	default:
		at = slices.IndexFunc(t.Float64s(), func(v float64) bool { return v-v != 0 })
	}
	if at < 0 {
		return nil
	}
	row := at / max(1, t.Len()/max(1, t.Dim(0)))
	return malformed(path, fmt.Sprintf("%s, row %d", name, row), "remove or replace the value", "value %d is NaN or infinite", at)
}

// repeated is the first id that comes a second time, and where; -1 when all differ.
func repeated(ids []string) (string, int) {
	seen := make(map[string]bool, len(ids))
	for i, id := range ids {
		if seen[id] {
			return id, i
		}
		seen[id] = true
	}
	return "", -1
}
