package job

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// predictionFormat is csv, jsonl or npz by the name of a file.
func predictionFormat(path string) (string, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".csv", ".jsonl", ".npz":
		return ext[1:], nil
	}
	return "", usagef("predictions go to a .csv, .jsonl or .npz file, not %s", path)
}

// predictions writes decisions as rows. Columns: id; label where the truth is known; prediction, the class or the labels above one half;
// probability, that of the prediction; then the probability of each class or label under its name, or the values of a regression. A class
// for each position is nested lists in jsonl and an array in npz, in the shape of the positions; a csv has no room for it. Where the
// truth has no class for a position it is -1.
type predictions struct {
	t       *task.Task
	truth   bool
	columns []string
	sink    predictionSink

	id  string // of the example whose positions are being gathered
	row *predictedRow
}

// predictedRow is one example.
type predictedRow struct {
	id, label string
	shape     []int // of positions, or of the values of a regression
	class     []int // predicted: one, or one for each position
	labels    []string
	prob      []float64 // of the predicted classes
	all       []float64 // of each class; the values of a regression
}

// predictionSink writes rows in one format.
type predictionSink interface {
	write(r *predictedRow) error
	close() error
}

// newPredictions begins a file of n rows.
func newPredictions(t *task.Task, format string, f io.Writer, n int, truth bool) *predictions {
	p := &predictions{t: t, truth: truth, columns: []string{"id"}}
	if truth {
		p.columns = append(p.columns, "label")
	}
	switch {
	case t.Kind == task.Regression:
		p.columns = append(p.columns, valueNames(t)...)
	case t.Kind == task.Multilabel:
		p.columns = append(p.columns, append([]string{"prediction"}, classNames(t, t.K)...)...)
	case t.Positions():
		p.columns = append(p.columns, "prediction", "probability")
	default:
		p.columns = append(p.columns, append([]string{"prediction", "probability"}, classNames(t, t.NumClasses())...)...)
	}
	switch format {
	case "csv":
		p.sink = &csvSink{w: csv.NewWriter(f), p: p}
	case "jsonl":
		p.sink = &jsonSink{w: bufio.NewWriter(f), p: p}
	default:
		p.sink = &npzSink{f: f, p: p, n: n}
	}
	return p
}

// classNames are the columns of the classes: their names where all differ from each other and the other columns, else class_0 and so on.
func classNames(t *task.Task, k int) []string {
	taken := map[string]bool{"id": true, "label": true, "prediction": true, "probability": true}
	out := make([]string, k)
	for i := range out {
		out[i] = t.ClassName(i)
		if taken[out[i]] || len(t.Classes) < k {
			for j := range out {
				out[j] = fmt.Sprintf("class_%d", j)
			}
			return out
		}
		taken[out[i]] = true
	}
	return out
}

// valueNames are the columns of a regression.
func valueNames(t *task.Task) []string {
	if t.K == 1 {
		return []string{"value"}
	}
	out := make([]string, t.K)
	for i := range out {
		out[i] = fmt.Sprintf("value_%d", i)
	}
	return out
}

// add takes a decision of the example id. The positions of an example come one after another.
func (p *predictions) add(id string, d *task.Decision) error {
	if p.row == nil || p.id != id || !p.t.Positions() {
		if err := p.flush(); err != nil {
			return err
		}
		p.row, p.id = &predictedRow{id: id, shape: d.Shape}, id
		if p.t.Positions() {
			n := tensor.Shape(d.Shape).Len()
			p.row.class, p.row.prob = slices.Repeat([]int{-1}, n), make([]float64, n)
		}
	}
	r := p.row
	prob := d.Prob()
	switch {
	case p.t.Kind == task.Regression:
		r.all = append([]float64(nil), d.Z...)
	case p.t.Kind == task.Multilabel:
		r.all = append([]float64(nil), prob...)
		for k, v := range prob {
			if v > 0.5 {
				r.labels = append(r.labels, p.t.ClassName(k))
			}
		}
	case p.t.Positions():
		r.class[d.At], r.prob[d.At] = d.Best(), prob[d.Best()]
	default:
		r.class, r.prob, r.all = []int{d.Best()}, []float64{prob[d.Best()]}, append([]float64(nil), prob...)
	}
	switch {
	case !p.truth:
	case d.Label >= 0 && !p.t.Positions():
		r.label = p.t.ClassName(d.Label)
	case d.Target != nil && p.t.Kind == task.Multilabel:
		var names []string
		for k, v := range d.Target {
			if v > 0.5 {
				names = append(names, p.t.ClassName(k))
			}
		}
		r.label = strings.Join(names, "|")
	case d.Target != nil:
		var values []string
		for _, v := range d.Target {
			values = append(values, formatNumber(v))
		}
		r.label = strings.Join(values, "|")
	}
	return nil
}

func (p *predictions) flush() error {
	if p.row == nil {
		return nil
	}
	r := p.row
	p.row = nil
	return p.sink.write(r)
}

// close writes what is left.
func (p *predictions) close() error {
	if err := p.flush(); err != nil {
		return err
	}
	return p.sink.close()
}

// formatNumber is the shortest text of a float32's worth of v.
func formatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 32) }

type csvSink struct {
	w      *csv.Writer
	p      *predictions
	headed bool
}

func (s *csvSink) write(r *predictedRow) error {
	if s.p.t.Positions() {
		return badInput(fmt.Errorf("output %q has a class for each position of an example, which a csv has no room for: write -o "+
			"FILE.npz or FILE.jsonl", s.p.t.Head.Output))
	}
	if !s.headed {
		s.headed = true
		head := make([]string, len(s.p.columns))
		for i, c := range s.p.columns {
			head[i] = data.EncodeCell(c)
		}
		if err := s.w.Write(head); err != nil {
			return err
		}
	}
	row := []string{data.EncodeCell(r.id)}
	if s.p.truth {
		row = append(row, data.EncodeCell(r.label))
	}
	switch s.p.t.Kind {
	case task.Regression:
	case task.Multilabel:
		row = append(row, data.EncodeCell(strings.Join(r.labels, "|")))
	default:
		row = append(row, data.EncodeCell(s.p.t.ClassName(r.class[0])), formatNumber(r.prob[0]))
	}
	for _, v := range r.all {
		row = append(row, formatNumber(v))
	}
	return s.w.Write(row)
}

func (s *csvSink) close() error {
	s.w.Flush()
	return s.w.Error()
}

type jsonSink struct {
	w *bufio.Writer
	p *predictions
}

func (s *jsonSink) write(r *predictedRow) error {
	put := func(key string, v any, last bool) error {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		k, err := json.Marshal(key)
		if err != nil {
			return err
		}
		end := ","
		if last {
			end = "}\n"
		}
		_, err = fmt.Fprintf(s.w, "%s:%s%s", k, b, end)
		return err
	}
	if _, err := s.w.WriteString("{"); err != nil {
		return err
	}
	t := s.p.t
	all := make(map[string]json.Number, len(r.all)) // probabilities by class
	for k, v := range r.all {
		all[t.ClassName(k)] = json.Number(formatNumber(v))
	}
	fields := []struct {
		key string
		v   any
	}{{"id", r.id}}
	add := func(key string, v any) {
		fields = append(fields, struct {
			key string
			v   any
		}{key, v})
	}
	if s.p.truth && !t.Positions() {
		add("label", r.label)
	}
	switch {
	case t.Kind == task.Regression:
		add("values", nested(numbers(r.all), r.shape))
	case t.Kind == task.Multilabel:
		if r.labels == nil {
			r.labels = []string{}
		}
		add("prediction", r.labels)
		add("probabilities", all)
	case t.Positions():
		add("prediction", nested(r.class, r.shape))
		add("probability", nested(numbers(r.prob), r.shape))
	default:
		add("prediction", t.ClassName(r.class[0]))
		add("class", r.class[0])
		add("probability", json.Number(formatNumber(r.prob[0])))
		add("probabilities", all)
	}
	for i, f := range fields {
		if err := put(f.key, f.v, i == len(fields)-1); err != nil {
			return err
		}
	}
	return nil
}

func numbers(x []float64) []json.Number {
	out := make([]json.Number, len(x))
	for i, v := range x {
		out[i] = json.Number(formatNumber(v))
	}
	return out
}

// nested is v as lists of that shape.
func nested[T any](v []T, shape []int) any {
	if len(shape) < 2 {
		return v
	}
	out, inner := make([]any, shape[0]), tensor.Shape(shape[1:]).Len()
	for i := range out {
		out[i] = nested(v[i*inner:(i+1)*inner], shape[1:])
	}
	return out
}

func (s *jsonSink) close() error { return s.w.Flush() }

// npzSink gathers arrays: id [N], prediction [N] or [N,…] (class numbers; of positions in their shape), probability [N,K] (of each class;
// of positions [N,…] of the class that is predicted), value [N,…] in the shape of the output, classes [K].
type npzSink struct {
	f     io.Writer
	p     *predictions
	n     int
	ids   []string
	class []int64
	prob  []float32
	value []float32
	shape []int // of the positions or values of an example
	mixed bool  // shapes differ
}

func (s *npzSink) write(r *predictedRow) error {
	if len(s.ids) > 0 && !slices.Equal(s.shape, r.shape) {
		s.mixed = true
	}
	s.ids, s.shape = append(s.ids, r.id), r.shape
	for _, k := range r.class {
		s.class = append(s.class, int64(k))
	}
	to := &s.prob
	if s.p.t.Kind == task.Regression {
		to = &s.value
	}
	src := r.all
	if s.p.t.Positions() {
		src = r.prob
	}
	for _, v := range src {
		*to = append(*to, float32(v))
	}
	return nil
}

func (s *npzSink) close() error {
	n := len(s.ids)
	arrays := []tensor.Named{{Name: "id", Tensor: tensor.FromStrings(s.ids, n)}}
	put := func(name string, t *tensor.Tensor) { arrays = append(arrays, tensor.Named{Name: name, Tensor: t}) }
	for _, a := range []struct {
		name  string
		total int
		make  func(shape ...int) *tensor.Tensor
	}{
		{"prediction", len(s.class), func(sh ...int) *tensor.Tensor { return tensor.From(s.class, sh...) }},
		{"probability", len(s.prob), func(sh ...int) *tensor.Tensor { return tensor.From(s.prob, sh...) }},
		{"value", len(s.value), func(sh ...int) *tensor.Tensor { return tensor.From(s.value, sh...) }},
	} {
		if a.total == 0 {
			continue
		}
		shape := []int{n}
		switch {
		case s.mixed:
			return badInput(fmt.Errorf("the examples have different numbers of positions, which one array has no room for: write -o " +
				"FILE.jsonl"))
		case s.shape != nil:
			shape = append(shape, s.shape...)
		case a.name == "probability":
			shape = append(shape, a.total/n)
		}
		put(a.name, a.make(shape...))
	}
	if len(s.p.t.Classes) > 0 && s.p.t.Kind != task.Regression {
		put("classes", tensor.FromStrings(s.p.t.Classes, len(s.p.t.Classes)))
	}
	return tensor.WriteNPZ(s.f, arrays)
}

// outputs writes every output of the model as an array under its name.
func (u *use) outputs(ctx context.Context, f io.Writer, size int, r *PredictReport, rep Reporter) error {
	s, err := u.Session(engine.Query{})
	if err != nil {
		return err
	}
	outs := u.Outputs()
	all := make([]*tensor.Tensor, len(outs))
	err = u.batches(ctx, size, rep, s, func(b *data.Batch, p feed.Part) error {
		for i, o := range outs {
			v := p.Value(o.Name)
			if b.Index[0] == 0 && p.Lo == 0 && all[i] == nil && v.Rank() > 0 {
				if total := float64(v.Len()) / float64(p.Size) * float64(u.ds.Len()); total > math.MaxInt32 {
					return badInput(fmt.Errorf("output %q has %.0f numbers for all examples, too many for one file", o.Name, total))
				}
			}
			at := p
			at.Lo, at.Hi = b.Index[p.Lo], b.Index[p.Hi-1]+1
			var err error
			if all[i], err = feed.Gather(all[i], o.Name, v, at, u.ds.Len()); err != nil {
				return badInput(err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	z := tensor.NewNPZWriter(f)
	if err := z.Strings("id", u.ds.Len(), u.ds.ID); err != nil {
		return err
	}
	r.Columns = []string{"id"}
	for i, o := range outs {
		name := o.Name
		if name == "id" {
			name = "output.id"
		}
		r.Columns = append(r.Columns, name)
		if err := z.Add(name, all[i]); err != nil {
			return err
		}
	}
	return z.Close()
}
