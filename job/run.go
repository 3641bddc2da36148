package job

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// RunConfig says what a model is run on.
type RunConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Files []string // FILE or NAME=FILE: pictures, tensor files (.npy, .npz, .pb), or a number for an input of one element
	Fetch []string // inner values or nodes whose outputs are wanted too
	Task  string   // what the outputs mean, one of task.KindNames; "" by the outputs and what the model remembers
	Of    string   // --output: name of the output that the classes are taken from; "" the one that fits
	Top   int      // how many classes of a classifier; 0 means 5, a negative number none
	Rows  int      // of how many examples of a file they are told; 0: all
	Out   string   // folder for one .npy file per output, .npz for a sequence, optional or map; "" writes none
	PB    bool     // write input_0.pb, output_0.pb, … instead: a case for Verify
	Force bool     // write into a folder that is not empty

	Replay []byte // content of the run.yaml that is written there; nil for none
}

// RunReport is what a model gives.
type RunReport struct {
	Schema  string      `json:"schema"`
	Model   string      `json:"model"`
	Outputs []RunOutput `json:"outputs"`
	Top     []TopRow    `json:"top"`
	Ms      float64     `json:"ms"`
	Notes   []string    `json:"notes"`

	Values   []tensor.Named   `json:"-"` // of the outputs
	fed      []*tensor.Tensor // with PB: of the run, in the order of the inputs
	inputs   []string         // their names
	Labelled bool             `json:"-"` // the classes have names
	Untold   int              `json:"-"` // examples whose classes are left out of Top
}

// RunOutput is one output, and the file that it was written to: .npy, or .npz of a container.
type RunOutput struct {
	Name  string    `json:"name"`
	DType string    `json:"dtype"`
	Shape []int     `json:"shape"`
	Items []RunItem `json:"items,omitempty"` // of a container
	Path  string    `json:"path,omitempty"`
}

// RunItem is one tensor of a container, called as in the .npz file of that.
type RunItem struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
}

// TopRow is the best classes of one example.
type TopRow struct {
	File    string     `json:"file"`
	Output  string     `json:"output"`
	Classes []TopClass `json:"classes"`
}

// TopClass is a class of an example.
type TopClass struct {
	Index       int    `json:"index"`
	Label       string `json:"label"`
	Score       Number `json:"score"`       // as the model gives it
	Probability Number `json:"probability"` // score, or the softmax of the scores when the model gives logits
}

// Run runs a model on files: once for each file of a model with one input, else once.
func Run(ctx context.Context, c RunConfig, rep Reporter) (*RunReport, error) {
	rep = orQuiet(rep)
	release, err := claim(and(reads(c.Model, c.ModelOptions), "an input", c.Files...),
		output{flag: "--out", path: c.Out, folder: true, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	for _, f := range c.Files {
		if name, _, ok := strings.Cut(f, "="); ok {
			c.Fed = append(c.Fed, name)
		}
	}
	l, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	feeds, err := assignFiles(l, c.Files)
	if err != nil {
		return nil, err
	}
	if c.PB && (c.Out == "" || runsAlone(feeds) && len(feeds[0].files) > 1) {
		return nil, usagef("--pb records one run in a folder: give -o DIR, and one file for the input")
	}
	r := &RunReport{Schema: "gtk.run/1", Model: l.Path, Outputs: []RunOutput{}, Top: []TopRow{}, Notes: []string{},
		Labelled: l.Labels != nil}
	if r.Values, err = runFiles(ctx, c, l, feeds, cmp.Or(c.Top, 5), r, rep); err != nil {
		return nil, err
	}
	for _, n := range r.Notes {
		rep.Note(n)
	}
	return r, writeOutputs(c, r)
}

// pbWriter writes a value called name as ONNX's own message.
func pbWriter(name string) func(*results, string, *tensor.Tensor) error {
	return func(to *results, path string, t *tensor.Tensor) error {
		b, err := onnx.MarshalValue(name, t)
		if err != nil {
			return err
		}
		return to.write(path, func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
	}
}

// writeOutputs lists the outputs and, where there is a folder for them, writes them.
func writeOutputs(c RunConfig, r *RunReport) (err error) {
	var folder *results
	if c.Out != "" {
		if folder, err = newResults(c.Out); err != nil {
			return err
		}
		defer folder.Discard()
	}
	taken := map[string]bool{}
	for i, o := range r.Values {
		row := RunOutput{Name: o.Name, DType: o.Tensor.DType().String(), Shape: append([]int{}, o.Tensor.Shape()...)}
		if c.Out != "" {
			write := writeNPY
			switch name := fileName(o.Name, taken); {
			case c.PB:
				row.Path, write = fmt.Sprintf("output_%d.pb", i), pbWriter(o.Name)
			case o.Tensor.DType().IsContainer():
				row.Path, write = name+".npz", writeItems
			default:
				row.Path = name + ".npy"
			}
			row.Path = filepath.Join(c.Out, row.Path)
			if err := write(folder, row.Path, o.Tensor); err != nil {
				return err
			}
		}
		if o.Tensor.DType().IsContainer() {
			row.Items = []RunItem{}
			for _, x := range tensorsOf(o.Tensor, "") {
				row.Items = append(row.Items, RunItem{x.Name, x.Tensor.DType().String(), append([]int{}, x.Tensor.Shape()...)})
			}
		}
		r.Outputs = append(r.Outputs, row)
	}
	if folder == nil {
		return nil
	}
	if c.PB {
		for i, x := range r.fed {
			if err := pbWriter(r.inputs[i])(folder, filepath.Join(c.Out, fmt.Sprintf("input_%d.pb", i)), x); err != nil {
				return err
			}
		}
	}
	if err := folder.replay(c.Replay); err != nil {
		return err
	}
	return folder.Commit()
}

// runFiles runs the model once for each file of a single-input model, else once, and stacks the outputs.
func runFiles(ctx context.Context, c RunConfig, l *Model, feeds []inputFiles, top int, r *RunReport, rep Reporter) ([]tensor.Named,
	error) {
	runs := 1
	if runsAlone(feeds) {
		runs = len(feeds[0].files)
	}
	var q engine.Query
	for _, o := range l.Outputs() {
		q.Fetch = append(q.Fetch, o.Name)
	}
	shown := len(q.Fetch) + len(c.Fetch)
	q.Fetch = append(q.Fetch, c.Fetch...)
	t, err := task.OfModel(l.Model, task.Options{Kind: c.Task, Output: c.Of})
	if err != nil {
		if c.Task != "" || c.Of != "" {
			return nil, useError(err)
		}
		t = nil // what cannot be known is shown as numbers
	} else if !slices.Contains(q.Fetch, t.Fetch()) {
		q.Fetch = append(q.Fetch, t.Fetch())
	}
	s, err := l.Session(q)
	if err != nil {
		return nil, usagef("%v", err)
	}
	parts := make([][]*tensor.Tensor, len(q.Fetch))
	bar := rep.Stage("run", runs)
	defer bar.End()
	for k := range runs {
		in, file := map[string]*tensor.Tensor{}, "" // a model may have no inputs
		if len(feeds) > 0 && len(feeds[0].files) > 0 {
			file = feeds[0].files[0]
		}
		for _, f := range feeds {
			files := f.files
			if runs > 1 {
				files = f.files[k : k+1]
				file = files[0]
			}
			var ts []*tensor.Tensor
			for _, path := range files {
				t, notes, err := l.readInput(path, f.input)
				if err != nil {
					return nil, err
				}
				for _, n := range notes {
					if !slices.Contains(r.Notes, n) {
						r.Notes = append(r.Notes, n)
					}
				}
				ts = append(ts, t)
			}
			x, err := stack(ts)
			if err != nil {
				return nil, badInput(fmt.Errorf("input %v: %w", f.input, err))
			}
			in[f.input.Name] = x
			if c.PB {
				r.fed, r.inputs = append(r.fed, x), append(r.inputs, f.input.Name)
			}
		}
		start := time.Now()
		values, err := runOnce(ctx, l, s, in, q.Fetch)
		if err != nil {
			return nil, err
		}
		r.Ms += units.Ms(time.Since(start))
		for i, v := range values {
			parts[i] = append(parts[i], v)
		}
		if t != nil {
			last := func(name string) *tensor.Tensor {
				p := parts[slices.Index(q.Fetch, name)]
				return p[len(p)-1]
			}
			v := last(t.Head.Output)
			rows, err := topClasses(l, t, v, last(t.Fetch()), file, top, c.Rows)
			if err != nil {
				return nil, err
			}
			if r.Top = append(r.Top, rows...); rows != nil {
				r.Untold += v.Dim(0) - len(rows)
			}
		}
		bar.Set(k+1, "")
	}
	var outs []tensor.Named
	for i, name := range q.Fetch[:shown] {
		t, err := stack(parts[i])
		if err != nil {
			return nil, badInput(fmt.Errorf("the outputs %q of the files differ in shape; run them one at a time: %w", name, err))
		}
		outs = append(outs, tensor.Named{Name: name, Tensor: t})
	}
	return outs, nil
}

// runOnce is the values called fetch for the inputs in. A model of a fixed batch gets other numbers of examples in parts of its own size.
func runOnce(ctx context.Context, l *Model, s *engine.Session, in map[string]*tensor.Tensor, fetch []string) ([]*tensor.Tensor, error) {
	out := make([]*tensor.Tensor, len(fetch))
	n := 0 // examples, where they are not as many as the model declares
	if ins := l.Inputs(); len(ins) > 0 && len(ins[0].Dims) > 0 && in[ins[0].Name].Rank() == len(ins[0].Dims) &&
		in[ins[0].Name].Dim(0) != ins[0].Dims[0].Size {
		n = in[ins[0].Name].Dim(0)
	}
	if n == 0 || l.Batch() == 0 {
		r, err := s.Run(ctx, in)
		if err != nil {
			return nil, err
		}
		for i, name := range fetch {
			out[i] = r.Value(name).Clone()
		}
		return out, nil
	}
	err := feed.Direct(l.Model).RunFeeds(ctx, s, in, n, feed.Rows{}, func(p feed.Part) error {
		for i, name := range fetch {
			var err error
			if out[i], err = feed.Gather(out[i], name, p.Value(name), p, n); err != nil {
				return badInput(err)
			}
		}
		return nil
	})
	return out, err
}

// topClasses are the best classes, or the likeliest labels, of each example whose output is v and whose decisions are read from z; none
// for other tasks, and where neither names nor an activation tell that two numbers are two classes. A limit above zero is for how many
// examples they are looked for.
func topClasses(l *Model, t *task.Task, v, z *tensor.Tensor, file string, top, limit int) ([]TopRow, error) {
	if t == nil || t.Positions() || t.Kind == task.Regression || top < 1 || v.Rank() == 0 || v.Dim(0) == 0 {
		return nil, nil
	}
	k := max(t.K, t.NumClasses())
	if l.Labels == nil && k < 3 && t.Head.Activation == "" {
		return nil, nil
	}
	if l.Labels != nil && len(l.Labels) != k {
		return nil, badInput(fmt.Errorf("there are %d labels, and output %q has %d classes", len(l.Labels), t.Head.Output, k))
	}
	n := v.Dim(0)
	if limit > 0 && n > limit && z.Rank() > 0 && z.Dim(0) == n {
		first := make([]int, limit)
		for i := range first {
			first[i] = i
		}
		v, z = feed.Take(v, 0, first), feed.Take(z, 0, first)
	}
	scores := v.Float64s()
	var rows []TopRow
	err := t.Decisions(z, v.Dim(0), nil, func(i int, d *task.Decision) {
		order := make([]int, k)
		for j := range order {
			order[j] = j
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(d.Z[b], d.Z[a]) })
		row := TopRow{File: file, Output: t.Head.Output}
		if n > 1 {
			row.File = fmt.Sprintf("%s[%d]", file, i)
		}
		p := d.Prob()
		for _, j := range order[:min(top, k)] {
			score := p[j]
			if t.K == k {
				score = scores[i*k+j]
			}
			row.Classes = append(row.Classes, TopClass{j, l.Label(j), Number(score), Number(p[j])})
		}
		rows = append(rows, row)
	})
	return rows, err
}

// fileName is name with what file systems do not like replaced, unlike those taken before.
func fileName(name string, taken map[string]bool) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '.':
			return r
		}
		return '_'
	}, name)
	s = strings.TrimLeft(s, ".")
	if len(s) > 120 {
		s = s[:120]
	}
	if s == "" {
		s = "output"
	}
	for base, k := s, 2; taken[s]; k++ {
		s = fmt.Sprintf("%s_%d", base, k)
	}
	taken[s] = true
	return s
}

// writeNPY writes t; types that NumPy does not have as float32.
func writeNPY(to *results, path string, t *tensor.Tensor) error {
	var b bytes.Buffer
	if err := tensor.WriteNPY(&b, t); err != nil {
		w, cerr := t.Convert(tensor.Float32)
		if cerr != nil {
			return err
		}
		b.Reset()
		if err := tensor.WriteNPY(&b, w); err != nil {
			return err
		}
	}
	return to.write(path, func(f io.Writer) error {
		_, err := f.Write(b.Bytes())
		return err
	})
}
