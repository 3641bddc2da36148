package job

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// explained is what is to be explained, with what is known of it.
type explained struct {
	inputs   []picture
	io       engine.IO  // the input that the files or X of the data set feed
	task     *task.Task // nil when not known
	features []string   // names of the columns, or of the channels of a series
	vocab    []string   // tokens by number
}

// picture is one example to explain.
type picture struct {
	name     string
	feeds    map[string]*tensor.Tensor // of one example, preprocessed, by input
	base     image.Image               // what the model sees, nil for tensors
	original image.Image               // the whole of it, likewise
	box      image.Rectangle           // the part of original that is base
	truth    string                    // label of the data, "" when not known
}

// explainInputs reads the files, or the first examples of the data set; without either, a built-in model takes its own data.
func explainInputs(ctx context.Context, c ExplainConfig, l *Model, note func(string)) (*explained, error) {
	files, spec := c.Files, c.Data
	if name, ok := strings.CutPrefix(l.Path, BuiltinPrefix); ok && spec == "" && len(files) == 0 {
		if _, err := models.Builders().Lookup(strings.TrimSuffix(name, "-trained") + "-trained"); err == nil {
			spec = strings.TrimSuffix(name, "-trained") + "#test"
		}
	}
	if len(files) == 0 && spec == "" {
		return nil, usagef("gtk explain: give pictures or tensor files, or --data SPEC")
	}
	in := &explained{io: l.Inputs()[0]}
	for _, path := range files {
		if err := explainFile(c, l, path, in, note); err != nil {
			return nil, err
		}
	}
	if spec == "" {
		return in, nil
	}
	u, err := openUse(l, spec, c.DataOptions, c.UseOptions)
	if err != nil {
		return nil, err
	}
	if c.Objective == "" && u.understand(ctx, c.UseOptions, "") == nil { // what the labels do not tell, the outputs may
		in.task = u.task
	}
	for _, n := range u.notes {
		note(n)
	}
	in.io, in.features = u.plan.Main(), data.FeatureNames(u.ds)
	ds, pre := u.ds, u.pre
	for b, err := range data.Batches(ctx, ds, data.Sequential(min(ds.Len(), max(1, cmp.Or(c.N, 4)))), 1, data.BatchOptions{Preprocess: pre}) {
		if err != nil {
			return nil, err
		}
		p := picture{name: b.IDs[0]}
		if p.feeds, err = feedsOf(u.plan, b); err != nil {
			return nil, err
		}
		if len(b.Labels) > 0 {
			if y := int(b.Labels[0]); y >= 0 && y < len(ds.Classes()) {
				p.truth = ds.Classes()[y]
			}
		}
		if pre != nil {
			if img, err := pre.Denormalise(b.X); err == nil {
				if p.base, err = displayed(data.FromImage(img), pre); err != nil {
					return nil, err
				}
			}
		}
		in.inputs = append(in.inputs, p)
	}
	return in, nil
}

// feedsOf are the inputs of the model for b, copied.
func feedsOf(plan *feed.Plan, b *data.Batch) (map[string]*tensor.Tensor, error) {
	feeds, err := plan.Feeds(b)
	if err != nil {
		return nil, useError(err)
	}
	for name, t := range feeds {
		feeds[name] = t.Clone()
	}
	return feeds, nil
}

// explainFile reads one file: a picture, or a tensor with one or more examples along axis 0.
func explainFile(c ExplainConfig, l *Model, path string, in *explained, note func(string)) error {
	f, err := c.feeding(data.Example{})
	if err != nil {
		return err
	}
	plan, err := feed.New(l.Model, data.Example{X: tensor.Scalar(float32(0))}, f)
	if err != nil {
		return useError(fmt.Errorf("%s feeds one input: %w", path, err))
	}
	in.io = plan.Main()
	pre := data.Preprocess{}
	if !isTensorFile(path) {
		var assumed string
		if pre, assumed, err = l.PreprocessFor(in.io); err != nil {
			return err
		}
		note(assumed)
	}
	file, err := data.LoadInput(path, pre, readOptions(c.DataOptions, nil, c.UseOptions.remembered(l), nil))
	if err != nil {
		return err
	}
	for _, n := range file.Notes {
		note(n)
	}
	x := file.X
	if file.Shown == nil && len(in.io.Dims) == x.Rank()+1 {
		x = x.Reshape(append([]int{1}, x.Shape()...)...)
	}
	if x.Rank() == 0 || x.Len() == 0 {
		return badInput(fmt.Errorf("%s: %v is no input", path, x))
	}
	n := x.Dim(0)
	one := append([]int{1}, x.Shape()[1:]...)
	size := len(x.Bytes()) / n
	for i := range n {
		xi, err := tensor.FromBytes(x.DType(), one, x.Bytes()[i*size:(i+1)*size])
		if err != nil {
			return err
		}
		p := picture{name: path, base: file.Shown, original: file.Original, box: file.Box}
		if n > 1 {
			p.name = strings.TrimSuffix(path, filepath.Ext(path)) + "-" + strconv.Itoa(i) + filepath.Ext(path)
		}
		if p.feeds, err = feedsOf(plan, &data.Batch{IDs: []string{p.name}, X: xi}); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		in.inputs = append(in.inputs, p)
	}
	return nil
}

// readVocab reads the tokens of a file, one a line.
func readVocab(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--vocab: %w", err)
	}
	var out []string
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		out = append(out, strings.TrimRight(lines.Text(), "\r"))
	}
	return out, nil
}

// item is the explanation img of p, of the input called input, as it is shown.
func (in *explained) item(p picture, input string, img explain.Image) (explain.Item, error) {
	name := p.name
	if filepath.IsAbs(name) {
		name = filepath.Base(name)
	}
	if p.truth != "" {
		name = fmt.Sprintf("%s (%s)", p.name, p.truth)
	}
	it := explain.Item{Name: name, Result: img}
	switch img.Kind {
	case explain.KindTokens:
		it.Text = &explain.Text{}
		for _, id := range p.feeds[input].Float64s() {
			word := strconv.Itoa(int(id))
			if i := int(id); i >= 0 && i < len(in.vocab) {
				word = in.vocab[i]
			}
			it.Text.Tokens = append(it.Text.Tokens, word)
		}
	case explain.KindTable:
		it.Row = &explain.Row{}
		for i, v := range img.Seen.F32() {
			it.Row.Names = append(it.Row.Names, in.feature(i, img.Seen.Len()))
			it.Row.Values = append(it.Row.Values, strconv.FormatFloat(float64(v), 'g', 4, 32))
		}
	case explain.KindSeries:
		c, n := img.Seen.Dim(1), img.Seen.Dim(3)
		it.Series = &explain.Series{}
		for k := range c {
			it.Series.Values = append(it.Series.Values, img.Seen.F32()[k*n:(k+1)*n])
		}
		if len(in.features) == c {
			it.Series.Names = in.features
		}
	default:
		var err error
		if it.Base = p.base; p.base == nil || input != in.io.Name {
			it.Base, err = explain.Picture(img.Seen, 0)
			return it, err
		}
		it.Original, it.Box = p.original, p.box
	}
	return it, nil
}

// feature is the name of column i of n.
func (in *explained) feature(i, n int) string {
	if len(in.features) == n {
		return in.features[i]
	}
	return fmt.Sprintf("x%d", i)
}
