package explain

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/tensor"
)

// Place is where in the model a method makes its maps.
type Place int

// The places of maps.
const (
	AtLayer Place = iota // at 4-D tensors inside the model, one map for each
	AtInput              // at the input
)

// Method describes one way to explain a decision. To add a method, add a file that registers one.
type Method struct {
	Name   string // as on the command line
	Title  string // as in its paper, for people
	Doc    string // one line
	Source string // URL of the paper
	Place  Place
	Random bool // depends on the seed
	Params []Param
	// New makes the method from complete options: every Param has a value, and one of its Choices if it has any.
	New func(o Options) (Func, error)
}

// Param is an option of a method.
type Param struct {
	Name, Default string
	Choices       []string // nil: free text, which New checks
	Doc           string
	Says          string // how a title tells the value, for example "%s samples"; "" tells a choice by itself and others after the name
}

// Func computes the maps of all rows of a probe: one Output for each layer, or a single one AtInput.
type Func func(ctx context.Context, p *Probe) ([]Output, error)

// Output is what a method made at one place.
type Output struct {
	Map     *tensor.Tensor // float32 [N,c,h,w], raw; c is 1 but for attributions of each input channel
	Signed  bool           // 0 is neutral, negative speaks against the class
	Weights [][]float32    // weight of each channel by row, for methods that have such; nil for others
}

// Options are the settings of a method by the name of the Param.
type Options map[string]string

func (o Options) float(name string) (float64, error) {
	v, err := strconv.ParseFloat(o[name], 64)
	if err != nil || v != v || v > 1e30 || v < -1e30 {
		return 0, fmt.Errorf("%s=%q: want a number", name, o[name])
	}
	return v, nil
}

// nonNegative is an integer option.
func (o Options) nonNegative(name string) (int, error) {
	v, err := strconv.Atoi(o[name])
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%s=%q: want a whole number, 0 or more", name, o[name])
	}
	return v, nil
}

var methods = registry.Table[Method]{Kind: "method"}

// register adds m; a second method of the same name is an error of the program.
func register(m Method) { methods.Register(m.Name, m, m.Doc, m.Source) }

// Methods goes over the registered methods, by name.
func Methods() iter.Seq2[string, Method] { return methods.All() }

// Lookup is the method called name, or an error that suggests near names.
func Lookup(name string) (Method, error) {
	m, err := methods.Lookup(name)
	if err != nil {
		return m, fmt.Errorf("explain: %w", err)
	}
	return m, nil
}

// Request is a method with options; those left out have their defaults.
type Request struct {
	Method  string
	Options Options
}

// ParseRequest reads NAME or NAME:OPTION=VALUE:OPTION=VALUE, for example "normgrad:phase1=scaling:phase2=filter_norm". Values may hold
// colons only where what follows is no OPTION=VALUE, as in "neurons=1:3,0:2".
func ParseRequest(s string) (Request, error) {
	parts := strings.Split(s, ":")
	r := Request{Method: strings.TrimSpace(parts[0])}
	last := ""
	for _, p := range parts[1:] {
		k, v, ok := strings.Cut(p, "=")
		switch {
		case ok:
			if r.Options == nil {
				r.Options = Options{}
			}
			last = k
			r.Options[k] = v
		case last != "":
			r.Options[last] += ":" + p
		default:
			return r, fmt.Errorf("explain: method %q: %q is not of the form option=value", s, p)
		}
	}
	_, err := Lookup(r.Method)
	return r, err
}

// Expand replaces, in options that have choices, the value "all" by each choice and "a|b" by each of a and b, and
// returns the product: {"normgrad", phase1=all, phase2=all} gives the whole grid of 20.
func Expand(r Request) ([]Request, error) {
	m, err := Lookup(r.Method)
	if err != nil {
		return nil, err
	}
	out := []Request{{r.Method, maps.Clone(r.Options)}}
	for _, p := range m.Params {
		v, given := r.Options[p.Name]
		if !given || p.Choices == nil {
			continue
		}
		values := strings.Split(v, "|")
		if v == "all" {
			values = p.Choices
		}
		var next []Request
		for _, o := range out {
			for _, v := range values {
				q := Request{o.Method, maps.Clone(o.Options)}
				q.Options[p.Name] = v
				next = append(next, q)
			}
		}
		out = next
	}
	return out, nil
}

// bound is a method with complete options, ready to run.
type bound struct {
	Method
	label   string
	options Options // complete
	run     Func
}

// bind checks the options of r and completes them.
func bind(r Request) (bound, error) {
	m, err := Lookup(r.Method)
	if err != nil {
		return bound{}, err
	}
	b := bound{Method: m, label: m.Name, options: Options{}}
	var names []string
	for _, p := range m.Params {
		names = append(names, p.Name)
		v, given := r.Options[p.Name]
		if !given {
			v = p.Default
		}
		if p.Choices != nil && !slices.Contains(p.Choices, v) {
			return b, fmt.Errorf("explain: %s: %s=%q%s; want one of %s", m.Name, p.Name, v, didYouMean(v, p.Choices), strings.Join(p.Choices, ", "))
		}
		b.options[p.Name] = v
		if v != p.Default {
			if p.Choices != nil && p.Choices[0] != "true" && !slices.Contains([]string{"true", "false"}, v) {
				b.label += "-" + v
			} else {
				b.label += "-" + p.Name + "=" + v
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(r.Options)) {
		if !slices.Contains(names, k) {
			takes := "it takes no options"
			if len(names) > 0 {
				takes = "it takes " + strings.Join(names, ", ")
			}
			return b, fmt.Errorf("explain: %s has no option %q%s; %s", m.Name, k, didYouMean(k, names), takes)
		}
	}
	if b.run, err = m.New(b.options); err != nil {
		return b, fmt.Errorf("explain: %s: %w", m.Name, err)
	}
	return b, nil
}

// planeMap is the map of one image at one layer: X [h*w].
type planeMap struct {
	X       []float32
	Weights []float32
	Signed  bool
}

// perLayer is the Func of a method that is a pure function of the activation x and the gradient g of one image at one layer.
func perLayer(f func(x, g Volume) planeMap) Func {
	return func(ctx context.Context, p *Probe) ([]Output, error) {
		pass, err := p.Clean(ctx)
		if err != nil {
			return nil, err
		}
		outs := make([]Output, len(p.Layers()))
		for l := range outs {
			act, grad := pass.Act[l], pass.Grad[l]
			if !act.Shape().Equal(grad.Shape()) {
				return nil, fmt.Errorf("explain: layer %q: activation %v and gradient %v differ in shape", p.Layers()[l], act, grad)
			}
			maps := make([]planeMap, p.Rows())
			p.each(p.Rows(), func(r int) { maps[r] = f(volumeAt(act, r), volumeAt(grad, r)) })
			outs[l] = stack(maps, act.Dim(2), act.Dim(3))
		}
		return outs, nil
	}
}

// stack is the Output [N,1,h,w] of one plane for each row.
func stack(maps []planeMap, h, w int) Output {
	out := Output{Map: tensor.New(tensor.Float32, len(maps), 1, h, w)}
	for r, m := range maps {
		copy(volumeAt(out.Map, r).X, m.X)
		out.Signed = out.Signed || m.Signed
		if m.Weights != nil {
			out.Weights = append(out.Weights, m.Weights)
		}
	}
	return out
}
