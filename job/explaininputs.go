package job

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"path/filepath"
	"slices"
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
	plain := *l
	plain.Labels = nil // the truth is shown by the data's own names, which need not be the model's
	u, err := openUse(&plain, spec, c.DataOptions, c.UseOptions)
	if err != nil {
		return nil, err
	}
	for _, n := range u.notes {
		note(n)
	}
	if c.Objective == "" && u.understand(ctx, c.UseOptions, "") == nil { // what the labels do not tell, the outputs may
		in.task = u.task
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
		if err := p.picture(ds, b.Index[0], pre); err != nil {
			return nil, err
		}
		in.inputs = append(in.inputs, p)
	}
	return in, nil
}

// picture finds what there is to see of example i of ds, if it is a picture.
func (p *picture) picture(ds data.Dataset, i int, pre *data.Preprocess) error {
	e, err := ds.Example(i)
	if err != nil || !e.Picture || pre == nil {
		return err
	}
	seen, err := pre.Input(e.X)
	if err != nil {
		return fmt.Errorf("%s: %w", e.ID, err)
	}
	if p.base, err = displayed(data.FromImage(seen.Shown), pre); err != nil {
		return err
	}
	p.box = seen.Box
	p.original, err = displayed(data.FromImage(seen.Original), pre)
	return err
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

// explainFile reads one file: a picture, a tensor with one or more examples along axis 0, or an archive of such tensors named as the inputs.
func explainFile(c ExplainConfig, l *Model, path string, in *explained, note func(string)) error {
	if strings.EqualFold(filepath.Ext(path), ".npz") {
		arrays, err := tensor.ReadFile(path)
		if err != nil {
			return badInput(err)
		}
		return explainArrays(c, l, path, arrays, in, note)
	}
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
	file, err := data.LoadInput(path, pre, readOptions(c.DataOptions, nil, c.UseOptions, nil))
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
		p := picture{name: numbered(path, i, n), base: file.Shown, original: file.Original, box: file.Box}
		if p.feeds, err = feedsOf(plan, &data.Batch{IDs: []string{p.name}, X: xi}); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		in.inputs = append(in.inputs, p)
	}
	return nil
}

// numbered is the name of example i of the n in the file path.
func numbered(path string, i, n int) string {
	if n == 1 {
		return path
	}
	return strings.TrimSuffix(path, filepath.Ext(path)) + "-" + strconv.Itoa(i) + filepath.Ext(path)
}

// aboutExamples are names of arrays that say something of the examples and are no inputs unless the model has one of the name.
var aboutExamples = []string{"y", "label", "labels", "target", "targets", "class", "classes", "id", "ids"}

// explainArrays feeds the arrays of one archive by their names. Those of inputs that hold no examples are constants.
func explainArrays(c ExplainConfig, l *Model, path string, arrays []tensor.Named, in *explained, note func(string)) error {
	e := data.Example{Fields: map[string]*tensor.Tensor{}}
	f, err := c.feeding(e)
	if err != nil {
		return err
	}
	input := func(name string) (io engine.IO, ok bool) {
		i := slices.IndexFunc(l.Inputs(), func(io engine.IO) bool { return io.Name == name })
		if i < 0 {
			return io, false
		}
		return l.Inputs()[i], true
	}
	if len(arrays) == 1 { // whatever its name
		plan, err := feed.New(l.Model, data.Example{X: tensor.Scalar(float32(0))}, f)
		if err != nil {
			return useError(fmt.Errorf("%s feeds one input: %w", path, err))
		}
		arrays[0].Name, f.From = plan.Main().Name, nil
	}
	n := -1
	for _, a := range arrays {
		io, ok := input(a.Name)
		switch {
		case ok && !l.Batched(a.Name) && f.Set[a.Name] == nil:
			f.Set[a.Name] = a.Tensor
			continue
		case !ok && slices.Contains(aboutExamples, strings.ToLower(a.Name)):
			continue
		}
		t := a.Tensor
		if ok && t.Rank() > 0 && t.Rank() == len(io.Dims)-1 {
			t = t.Reshape(append([]int{1}, t.Shape()...)...)
		}
		e.Fields[a.Name] = t
	}
	plan, err := feed.New(l.Model, e, f)
	if err != nil {
		return useError(fmt.Errorf("%s: %w", path, err))
	}
	for _, s := range plan.Notes() {
		note(fmt.Sprintf("%s: %s", path, s))
	}
	taken := map[string]*tensor.Tensor{}
	for _, name := range plan.Arrays() {
		t := e.Fields[name]
		switch {
		case t.Rank() == 0 || t.Len() == 0:
			return badInput(fmt.Errorf("%s: array %q is %v; want one or more examples along its first axis", path, name, t))
		case n >= 0 && t.Dim(0) != n:
			return badInput(fmt.Errorf("%s: array %q has %d examples, others have %d", path, name, t.Dim(0), n))
		}
		n, taken[name] = t.Dim(0), t
	}
	in.io = plan.Main()
	for i := range max(n, 0) {
		b := (&data.Batch{IDs: make([]string, n), Index: make([]int, n), Labels: make([]int64, n), Fields: taken}).Slice(i, i+1)
		p := picture{name: numbered(path, i, n)}
		if p.feeds, err = feedsOf(plan, b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		in.inputs = append(in.inputs, p)
	}
	return nil
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
