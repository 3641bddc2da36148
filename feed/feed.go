// Package feed says what the inputs of a model get: which array of a batch, or which constant, goes to which input, in which element
// type, and how many examples at a time. Everything that runs a model over a data set goes through a Plan.
//
// An array is bound by the name of the input. The array without a name (Batch.X) goes to the input that nothing else feeds, and so
// does a single named one. What is left over is refused by name, with its shape.
package feed

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// Options change what the inputs get. The zero value binds by name.
type Options struct {
	// constants by input: one number fills the input's shape; a tensor is fed as it is, or repeated for each example
	Set  map[string]*tensor.Tensor
	From map[string]string // array by input, where the names differ; "x" is the array without a name
}

// UnboundError is the error of an input that nothing feeds.
type UnboundError struct {
	Input  engine.IO
	Arrays []string    // what the data has and no input takes
	Beside string      // the input that could get the array without a name, "" when there is none
	More   []engine.IO // other inputs that nothing feeds
}

// Error names the input, its shape, and the ways out.
func (e *UnboundError) Error() string {
	have := "nothing is left over in the data for it"
	if e.Beside != "" {
		have = fmt.Sprintf("x can feed one input, such as %s", e.Beside)
	} else if len(e.Arrays) > 0 {
		have = "no input takes the data's " + shown.Names(e.Arrays, 12)
	}
	also := ""
	for _, io := range e.More {
		if also += fmt.Sprintf(", nor for %v", io); len(also) > 800 {
			also += " …"
			break
		}
	}
	return fmt.Sprintf("nothing is given for input %v%s; %s: name an array of the data %s (npz), give --input %s=COLUMN,… (csv) or a "+
		"constant, --set %[5]s=1",
		e.Input, also, have, shown.Quote(e.Input.Name), shown.Name(e.Input.Name))
}

// source is what an input gets.
type source struct {
	io    engine.IO
	field string         // name of the array; "" is Batch.X
	fill  *tensor.Tensor // constant, when not nil
}

// Plan feeds a model.
type Plan struct {
	m       *engine.Model
	sources []source
	notes   []string
	size    int // examples at a time, 0 by the model
}

// unnamed stands for Batch.X in messages and in Options.From.
const unnamed = "x"

// New binds the inputs of m to arrays like those of e.
func New(m *engine.Model, e data.Example, o Options) (*Plan, error) {
	var arrays []string
	for n := range e.Fields {
		arrays = append(arrays, n)
	}
	slices.Sort(arrays)
	return bind(m, arrays, e.X != nil, o)
}

// For is New for the data set ds.
func For(m *engine.Model, ds data.Dataset, o Options) (*Plan, error) {
	if ds.Len() == 0 {
		return nil, fmt.Errorf("feed: the data set is empty")
	}
	e, err := ds.Example(0)
	if err != nil {
		return nil, err
	}
	return New(m, e, o)
}

// bind finds the source of each input. has tells whether there is an array without a name.
func bind(m *engine.Model, arrays []string, has bool, o Options) (*Plan, error) {
	p := &Plan{m: m}
	ins := m.Inputs()
	var names []string
	for _, io := range ins {
		names = append(names, io.Name)
		if io.DType.IsContainer() {
			return nil, fmt.Errorf("feed: input %v is no tensor, and the examples of a data set are tensors: gtk run takes it from a file", io)
		}
	}
	for n := range o.Set {
		if !slices.Contains(names, n) {
			return nil, unknown("--set", n, names)
		}
	}
	for n := range o.From {
		if !slices.Contains(names, n) {
			return nil, unknown("--input", n, names)
		}
	}
	taken := map[string]bool{}
	var open []int
	for i, io := range ins {
		s := source{io: io}
		switch from, given := o.From[io.Name]; {
		case o.Set[io.Name] != nil:
			s.fill = o.Set[io.Name]
		case given && from == unnamed && has && !slices.Contains(arrays, unnamed):
			has = false
		case given:
			if !slices.Contains(arrays, from) {
				return nil, unknownArray(io.Name, from, arrays)
			}
			s.field, taken[from] = from, true
		default:
			if s.field = like(io.Name, arrays); s.field == "" {
				if has && plain(io.Name) == unnamed {
					has = false
					break
				}
				open = append(open, i)
			} else {
				taken[s.field] = true
			}
		}
		p.sources = append(p.sources, s)
	}
	left := slices.DeleteFunc(slices.Clone(arrays), func(n string) bool { return taken[n] })
	switch {
	case len(open) == 1 && has:
		has = false
	case len(open) == 1 && len(left) == 1:
		p.sources[open[0]].field, left = left[0], nil
	case len(open) > 0:
		if has {
			return nil, &UnboundError{Input: ins[open[1]], Arrays: append(left, unnamed), Beside: ins[open[0]].Name}
		}
		e := &UnboundError{Input: ins[open[0]], Arrays: left}
		for _, i := range open[1:] {
			e.More = append(e.More, ins[i])
		}
		return nil, e
	}
	for _, n := range left {
		p.notes = append(p.notes, fmt.Sprintf("no input of the model takes the data's %q", n))
	}
	if has && len(ins) > 0 {
		p.notes = append(p.notes, "no input of the model takes the data's x")
	}
	return p, nil
}

func unknown(flag, name string, names []string) error {
	hint := ""
	if near := registry.Suggest(name, names); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	return fmt.Errorf("%s %s: the model has no such input%s; it has %s", flag, name, hint, shown.Names(names, 12))
}

func unknownArray(input, name string, arrays []string) error {
	hint := ""
	if near := registry.Suggest(name, arrays); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	return fmt.Errorf("--input %s=%s: the data has no such array%s; it has %s", input, name, hint, shown.Names(arrays, 12))
}

// like is the array of an input: that of its name, or the only one whose name differs in case and punctuation alone.
func like(name string, arrays []string) string {
	if slices.Contains(arrays, name) {
		return name
	}
	found := ""
	for _, a := range arrays {
		if plain(a) == plain(name) {
			if found != "" {
				return ""
			}
			found = a
		}
	}
	return found
}

// plain is name in lower case with letters and digits only; a TensorFlow suffix such as :0 is dropped.
func plain(name string) string {
	if i := strings.LastIndexByte(name, ':'); i > 0 && strings.Trim(name[i+1:], "0123456789") == "" {
		name = name[:i]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// Notes are remarks about arrays that no input takes.
func (p *Plan) Notes() []string { return p.notes }

// Model is the model that p feeds.
func (p *Plan) Model() *engine.Model { return p.m }

// Main is the input that Batch.X feeds, or the first one that the data feed; the zero IO when all are constants.
func (p *Plan) Main() engine.IO {
	for _, s := range p.sources {
		if s.fill == nil && s.field == "" {
			return s.io
		}
	}
	for _, s := range p.sources {
		if s.fill == nil {
			return s.io
		}
	}
	return engine.IO{}
}

// Arrays are the names of the arrays of a batch that p feeds; that without a name is left out.
func (p *Plan) Arrays() []string {
	var out []string
	for _, s := range p.sources {
		if s.fill == nil && s.field != "" {
			out = append(out, s.field)
		}
	}
	return out
}

// With is p for another model with the same inputs, such as one read back from a file.
func (p *Plan) With(m *engine.Model) (*Plan, error) {
	q := &Plan{m: m, notes: p.notes, size: p.size}
	for _, io := range m.Inputs() {
		i := slices.IndexFunc(p.sources, func(s source) bool { return s.io.Name == io.Name })
		if i < 0 {
			return nil, fmt.Errorf("feed: nothing feeds input %v", io)
		}
		s := p.sources[i]
		s.io = io
		q.sources = append(q.sources, s)
	}
	return q, nil
}

// Feeds are the inputs of the model for b, all its examples.
func (p *Plan) Feeds(b *data.Batch) (map[string]*tensor.Tensor, error) {
	n := b.Len()
	feeds := make(map[string]*tensor.Tensor, len(p.sources))
	sizes := map[string]int{} // of symbols
	for _, s := range p.sources {
		if s.fill != nil {
			continue
		}
		x := b.X
		if s.field != "" {
			x = b.Fields[s.field]
		}
		if x == nil {
			return nil, fmt.Errorf("feed: the batch has nothing for input %v", s.io)
		}
		x, err := Adapt(s.io, x)
		if err != nil {
			return nil, fmt.Errorf("input %v: %w", s.io, err)
		}
		feeds[s.io.Name] = x
		for k, d := range s.io.Dims {
			if d.Symbol != "" && d.Size < 0 && k < x.Rank() {
				sizes[d.Symbol] = x.Dim(k)
			}
		}
	}
	for _, s := range p.sources {
		if s.fill == nil {
			continue
		}
		x, err := constant(s.io, s.fill, n, sizes)
		if err != nil {
			return nil, fmt.Errorf("--set %s: input %v: %w", s.io.Name, s.io, err)
		}
		feeds[s.io.Name] = x
	}
	return feeds, nil
}
