package job

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/tensor"
)

// picture is one input to explain.
type picture struct {
	name  string
	x     *tensor.Tensor // preprocessed, [1,…]
	base  image.Image    // what the model sees, nil for tensors
	truth string         // label of the data, "" when not known
}

// explainInputs reads the files, or the first examples of the data set; without either, a built-in model takes its own data.
func explainInputs(ctx context.Context, c ExplainConfig, l *Model, note func(string)) ([]picture, error) {
	if len(l.Inputs()) != 1 {
		return nil, badInput(fmt.Errorf("the model has %d inputs; maps can be made for models with one", len(l.Inputs())))
	}
	files, spec := c.Files, c.Data
	if name, ok := strings.CutPrefix(l.Path, BuiltinPrefix); ok && spec == "" && len(files) == 0 {
		if _, err := models.Builders().Lookup(strings.TrimSuffix(name, "-trained") + "-trained"); err == nil {
			spec = strings.TrimSuffix(name, "-trained") + "#test"
		}
	}
	if len(files) == 0 && spec == "" {
		return nil, usagef("gtk explain: give pictures or tensor files, or --data SPEC")
	}
	var out []picture
	for _, path := range files {
		ps, err := explainFile(c, l, path, note)
		if err != nil {
			return nil, err
		}
		out = append(out, ps...)
	}
	if spec == "" {
		return out, nil
	}
	u, err := openUse(l, spec, c.DataOptions, c.UseOptions)
	if err != nil {
		return nil, err
	}
	for _, n := range u.notes {
		note(n)
	}
	ds, pre := u.ds, u.pre
	for b, err := range data.Batches(ctx, ds, data.Sequential(min(ds.Len(), max(1, cmp.Or(c.N, 4)))), 1, data.BatchOptions{Preprocess: pre}) {
		if err != nil {
			return nil, err
		}
		p := picture{name: b.IDs[0], x: b.X.Clone()}
		if y := int(b.Labels[0]); y >= 0 && y < len(ds.Classes()) {
			p.truth = ds.Classes()[y]
		}
		if pre != nil {
			if img, err := pre.Denormalise(p.x); err == nil {
				if p.base, err = displayed(data.FromImage(img), pre); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// explainFile reads one file: a picture, or a tensor with one or more examples along axis 0.
func explainFile(c ExplainConfig, l *Model, path string, note func(string)) ([]picture, error) {
	pre := data.Preprocess{}
	if !isTensorFile(path) {
		var assumed string
		var err error
		if pre, assumed, err = l.PreprocessFor(l.Inputs()[0]); err != nil {
			return nil, err
		}
		note(assumed)
	}
	in, err := data.LoadInput(path, pre, readOptions(c.DataOptions, nil, c.UseOptions, nil))
	if err != nil {
		return nil, err
	}
	for _, n := range in.Notes {
		note(n)
	}
	x := in.X
	if in.Shown != nil {
		return []picture{{name: path, x: x, base: in.Shown}}, nil
	}
	if dims := l.Inputs()[0].Dims; len(dims) == x.Rank()+1 {
		x = x.Reshape(append([]int{1}, x.Shape()...)...)
	}
	if x.Rank() == 0 || x.Len() == 0 {
		return nil, badInput(fmt.Errorf("%s: %v is no input", path, x))
	}
	n := x.Dim(0)
	one := append([]int{1}, x.Shape()[1:]...)
	size := len(x.Bytes()) / n
	var out []picture
	for i := range n {
		xi, err := tensor.FromBytes(x.DType(), one, x.Bytes()[i*size:(i+1)*size])
		if err != nil {
			return nil, err
		}
		name := path
		if n > 1 {
			name = strings.TrimSuffix(path, filepath.Ext(path)) + "-" + strconv.Itoa(i) + filepath.Ext(path)
		}
		out = append(out, picture{name: name, x: xi})
	}
	return out, nil
}
