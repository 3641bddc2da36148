package job

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"os"
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
	n        int // about how many inputs there are
	each     func(yield func(picture, error) bool)
	note     func(string)
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
	row      *tensor.Tensor            // what it is before preprocessing, nil for pictures and where it is not known
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
	if err := l.takesData(); err != nil {
		return nil, err
	}
	in := &explained{n: len(files), io: l.Inputs()[0], note: note}
	for _, path := range files { // before anything is written
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	in.each = func(yield func(picture, error) bool) {
		for _, path := range files {
			if !in.file(c, l, path, yield) {
				return
			}
		}
	}
	if spec == "" {
		return in, nil
	}
	return in, in.data(ctx, c, l, spec)
}

// data adds the first examples of a data set.
func (in *explained) data(ctx context.Context, c ExplainConfig, l *Model, spec string) error {
	plain := *l
	plain.Labels = nil // the truth is shown by the data's own names, which need not be the model's
	u, err := openUse(&plain, spec, c.DataOptions, c.UseOptions)
	if err != nil {
		return err
	}
	for _, n := range u.notes {
		in.note(n)
	}
	if c.Objective == "" && u.understand(ctx, c.UseOptions, "") == nil { // what the labels do not tell, the outputs may
		in.task = u.task
	}
	in.io, in.features = u.plan.Main(), data.FeatureNames(u.ds)
	n := min(u.ds.Len(), max(1, cmp.Or(c.N, 4)))
	in.n += n
	files := in.each
	in.each = func(yield func(picture, error) bool) {
		more := true
		files(func(p picture, err error) bool {
			more = yield(p, err)
			return more
		})
		if !more {
			return
		}
		for b, err := range data.Batches(ctx, u.ds, data.Sequential(n), 1, data.BatchOptions{Preprocess: u.pre}) {
			if err != nil {
				yield(picture{}, err)
				return
			}
			if p, err := example(u, b); !yield(p, err) || err != nil {
				return
			}
		}
	}
	return nil
}

// example is the one example of b.
func example(u *use, b *data.Batch) (p picture, err error) {
	p.name = b.IDs[0]
	if p.feeds, err = feedsOf(u.plan, b); err != nil {
		return p, err
	}
	if len(b.Labels) > 0 {
		if y := int(b.Labels[0]); y >= 0 && y < len(u.ds.Classes()) {
			p.truth = u.ds.Classes()[y]
		}
	}
	return p, p.picture(u.ds, b.Index[0], u.pre)
}

// picture finds what there is to see of example i of ds.
func (p *picture) picture(ds data.Dataset, i int, pre *data.Preprocess) error {
	return data.Look(ds, i, func(e data.Example) error {
		if !e.Picture || pre == nil {
			p.row = e.X
			return nil
		}
		seen, err := pre.Input(e.X)
		if err != nil {
			return fmt.Errorf("%s: %w", e.ID, err)
		}
		if p.base, err = displayedImage(seen.Shown, pre); err != nil {
			return err
		}
		p.box = seen.Box
		p.original, err = displayedImage(seen.Original, pre)
		return err
	})
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

// file gives the inputs in one file to yield: a picture, a tensor with one or more examples along axis 0, or an archive of such tensors
// named as the inputs. It returns false after an error or when yield does.
func (in *explained) file(c ExplainConfig, l *Model, path string, yield func(picture, error) bool) bool {
	read := in.tensorOrPicture
	if strings.EqualFold(filepath.Ext(path), ".npz") {
		read = in.archive
	}
	plan, file, b, err := read(c, l, path)
	if err != nil {
		yield(picture{}, err)
		return false
	}
	for i := range b.Len() {
		p := picture{name: memberName(path, i, b.Len()), base: file.Shown, original: file.Original, box: file.Box}
		if p.feeds, err = feedsOf(plan, b.Slice(i, i+1)); err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
		}
		for name, t := range p.feeds { // states with their examples along another axis
			if k := l.BatchAxis(name); k > 0 && t.Rank() > k && t.Dim(k) == b.Len() {
				p.feeds[name] = feed.Take(t, k, []int{i})
			}
		}
		if !yield(p, err) || err != nil {
			return false
		}
	}
	return true
}

// unlabelled is n examples of x or of fields.
func unlabelled(n int, x *tensor.Tensor, fields map[string]*tensor.Tensor) *data.Batch {
	return &data.Batch{IDs: make([]string, n), Index: make([]int, n), Labels: make([]int64, n), X: x, Fields: fields}
}

// tensorOrPicture reads a file that feeds one input.
func (in *explained) tensorOrPicture(c ExplainConfig, l *Model, path string) (*feed.Plan, data.Input, *data.Batch, error) {
	var file data.Input
	fail := func(err error) (*feed.Plan, data.Input, *data.Batch, error) { return nil, file, nil, err }
	f, err := c.feeding(data.Example{})
	if err != nil {
		return fail(err)
	}
	plan, err := feed.New(l.Model, data.Example{X: tensor.Scalar(float32(0))}, f)
	if err != nil {
		return fail(useError(fmt.Errorf("%s feeds one input: %w", path, err)))
	}
	in.io = plan.Main()
	pre := data.Preprocess{}
	if !isTensorFile(path) {
		var assumed string
		if pre, assumed, err = l.PreprocessFor(in.io); err != nil {
			return fail(err)
		}
		in.note(assumed)
	}
	if file, err = data.LoadInput(path, pre, readOptions(c.DataOptions, nil, c.UseOptions, nil)); err != nil {
		return fail(err)
	}
	for _, n := range file.Notes {
		in.note(n)
	}
	x := file.X
	if file.Shown == nil && len(in.io.Dims) == x.Rank()+1 {
		x = x.Reshape(append([]int{1}, x.Shape()...)...)
	}
	if x.Rank() == 0 || x.Len() == 0 {
		return fail(badInput(fmt.Errorf("%s: %v is no input", path, x)))
	}
	return plan, file, unlabelled(x.Dim(0), x, nil), nil
}

// aboutExamples are names of arrays that say something of the examples and are no inputs unless the model has one of the name.
var aboutExamples = []string{"y", "label", "labels", "target", "targets", "class", "classes", "id", "ids"}

// archive reads the arrays of an .npz by the names of the inputs; a single one feeds the input that nothing else does. Those of inputs that
// do not hold examples along their first axis are fed as they are.
func (in *explained) archive(c ExplainConfig, l *Model, path string) (*feed.Plan, data.Input, *data.Batch, error) {
	fail := func(err error) (*feed.Plan, data.Input, *data.Batch, error) { return nil, data.Input{}, nil, err }
	arrays, err := tensor.ReadFile(path)
	if err != nil {
		return fail(badInput(err))
	}
	e := data.Example{Fields: map[string]*tensor.Tensor{}}
	f, err := c.feeding(e)
	if err != nil {
		return fail(err)
	}
	if len(arrays) == 1 { // whatever its name
		plan, err := feed.New(l.Model, data.Example{X: tensor.Scalar(float32(0))}, f)
		if err != nil {
			return fail(useError(fmt.Errorf("%s feeds one input: %w", path, err)))
		}
		arrays[0].Name, f.From = plan.Main().Name, nil
	}
	for _, a := range arrays {
		k := slices.IndexFunc(l.Inputs(), func(io engine.IO) bool { return io.Name == a.Name })
		switch {
		case k >= 0 && l.BatchAxis(a.Name) != 0:
			if f.Set[a.Name] == nil {
				f.Set[a.Name] = a.Tensor
			}
			continue
		case k < 0 && slices.Contains(aboutExamples, strings.ToLower(a.Name)):
			continue
		}
		t := a.Tensor
		if k >= 0 && t.Rank() > 0 && t.Rank() == len(l.Inputs()[k].Dims)-1 {
			t = t.Reshape(append([]int{1}, t.Shape()...)...)
		}
		e.Fields[a.Name] = t
	}
	plan, err := feed.New(l.Model, e, f)
	if err != nil {
		return fail(useError(fmt.Errorf("%s: %w", path, err)))
	}
	for _, s := range plan.Notes() {
		in.note(fmt.Sprintf("%s: %s", path, s))
	}
	n := 0
	taken := map[string]*tensor.Tensor{}
	for _, name := range plan.Arrays() {
		t := e.Fields[name]
		switch {
		case t.Rank() == 0 || t.Len() == 0:
			return fail(badInput(fmt.Errorf("%s: array %q is %v; want one or more examples along its first axis", path, name, t)))
		case n > 0 && t.Dim(0) != n:
			return fail(badInput(fmt.Errorf("%s: array %q has %d examples, others have %d", path, name, t.Dim(0), n)))
		}
		n, taken[name] = t.Dim(0), t
	}
	if n == 0 {
		return fail(badInput(fmt.Errorf("%s: no array holds examples for an input of the model", path)))
	}
	in.io = plan.Main()
	return plan, data.Input{}, unlabelled(n, nil, taken), nil
}

// memberName is the name of example i of the n in the file path.
func memberName(path string, i, n int) string {
	if n == 1 {
		return path
	}
	return strings.TrimSuffix(path, filepath.Ext(path)) + "-" + strconv.Itoa(i) + filepath.Ext(path)
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
		seen := img.Seen
		if p.row != nil && p.row.Len() == seen.Len() && input == in.io.Name {
			seen = p.row
		}
		for i, v := range seen.Float64s() {
			it.Row.Names = append(it.Row.Names, in.feature(i, seen.Len()))
			it.Row.Values = append(it.Row.Values, strconv.FormatFloat(v, 'g', 4, 64))
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
