// Package explain shows what in an example a decision of a model is based on: heat maps from gradients and activations, and their
// rendering as overlays, panels and a report.
//
// A method is one file: it registers a Method, whose Func computes raw maps from the passes that a Probe offers. Most are pure functions
// of the activation and gradient of one example at one layer (perLayer). The Explainer finds which input is explained and what its axes
// are (source), which number of the outputs (an Objective), and the layers with the View by which each is read as channels at positions;
// it makes each forward and backward pass once for all methods and layers, and brings the maps to the size of the input.
//
// What an axis is follows from the graph: the coordinates of the input are carried through it (ops.Follow), so that every element of
// every value is known to be at a place of the input or at none.
//
// Conventions: x_l [N,C,h,w] are activations at a layer, g_l the gradient of the explained number by them; maps are positive where the
// number grows. Examples of a batch never influence each other.
package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// Config says what to explain and how. The zero value is not usable: there must be a request.
type Config struct {
	Requests  []Request
	Optional  bool           // leave out the methods at layers where auto finds no layer and there are methods at the input
	Layers    []string       // LAYER or LAYER@VIEW, a tensor or a node, or "auto"; none means auto. Only for methods that explain at layers
	Input     string         // the input to explain; "" is the largest that can be
	Objective Objective      // which number of the outputs is explained
	Targets   []Target       // which classes; none means Argmax
	Score     Score          // "" means Logit
	Labels    []string       // names of the classes, for messages and reports
	Tokens    []string       // of a text by number: names of the classes where the model chooses the next one and there are no Labels
	Batch     int            // rows in one pass; 0 means 16
	Seed      uint64         // of random numbers
	Noise     *tensor.Tensor // recorded noise [n,C,H,W] to replay instead of random numbers
	Warn      func(string)   // told of what is worth knowing; nil means silence. Each warning comes once
}

// Explainer explains the decisions of one model. It is not safe for concurrent use.
type Explainer struct {
	net    *net
	c      Config
	bound  []bound
	like   map[string]tensor.Shape // of one row of the inputs, once seen
	head   engine.Head
	names  []string // of the choices, nil where there are none
	warned map[string]bool

	listing bool // layers only, whatever the number that is explained
}

const defaultBatch = 16

// New checks c against m. Layers and what the axes are is found out when the shape of the inputs is known, by the first Explain.
func New(m *engine.Model, c Config) (*Explainer, error) {
	c.Targets = slices.Clone(c.Targets)
	e := &Explainer{c: c, warned: map[string]bool{}, net: &net{batching: newBatching(m)}}
	if c.Score == "" {
		e.c.Score = Logit
	}
	if !slices.Contains(Scores, e.c.Score) {
		return nil, fmt.Errorf("explain: score %q: want logit, prob or logprob", c.Score)
	}
	if len(c.Targets) == 0 {
		e.c.Targets = []Target{Argmax}
	}
	if len(c.Layers) == 0 {
		e.c.Layers = []string{"auto"}
	}
	if c.Batch <= 0 {
		e.c.Batch = defaultBatch
	}
	if len(c.Requests) == 0 {
		return nil, fmt.Errorf("explain: no method is asked for; there are %s", strings.Join(methods.Names(), ", "))
	}
	for _, r := range c.Requests {
		all, err := Expand(r)
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			b, err := bind(r)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(e.bound, func(o bound) bool { return o.label == b.label }) {
				return nil, fmt.Errorf("explain: method %q is asked for twice with the same options", b.label)
			}
			e.bound = append(e.bound, b)
			e.net.wantInput = e.net.wantInput || b.Place == AtInput
		}
	}
	_, _, err := e.aim(m)
	return e, err
}

// Head tells which tensor is the score: its name, and the activation after it that was looked through. For an expression
// Logits is the formula.
func (e *Explainer) Head() engine.Head { return e.head }

// Objective is what kind of number is explained, known after the first Explain.
func (e *Explainer) Objective() ObjectiveKind {
	if e.net.goal == nil {
		return ByOutputs
	}
	return e.net.goal.kind()
}

// Kind is what the explained input is, known after the first Explain.
func (e *Explainer) Kind() Kind { return e.net.src.kind }

// Input is the name of the explained input, known after the first Explain.
func (e *Explainer) Input() string { return e.net.src.io.Name }

// Layers are the names of the layers that maps are made at, known after the first Explain.
func (e *Explainer) Layers() []string {
	var out []string
	for _, l := range e.net.layers {
		out = append(out, l.label)
	}
	return out
}

// View is how the layer of that name is read, known after the first Explain.
func (e *Explainer) View(layer string) View {
	for _, l := range e.net.layers {
		if l.label == layer {
			return l.view
		}
	}
	return View{}
}

// Prediction is one choice that can be explained of an example: a class, a value or the number of an expression.
type Prediction struct {
	Class int      `json:"class"`
	Label string   `json:"label,omitempty"`
	Prob  float64  `json:"prob"`            // NaN for values, null in JSON; for classes at positions the share of the positions
	Logit float32  `json:"logit"`           // for classes at positions the mean
	Value *float32 `json:"value,omitempty"` // of an output that is not a class
	Share bool     `json:"share,omitempty"` // Prob is a share of the positions
}

// MarshalJSON writes null for a probability that there is none of.
func (p Prediction) MarshalJSON() ([]byte, error) {
	type plain Prediction // without this method
	if !math.IsNaN(p.Prob) {
		return json.Marshal(plain(p))
	}
	return json.Marshal(struct {
		plain
		Prob *float64 `json:"prob"`
	}{plain: plain(p)})
}

// Name is the label, or "class 7".
func (p Prediction) Name() string {
	if p.Label != "" {
		return p.Label
	}
	return fmt.Sprintf("class %d", p.Class)
}

// Figure is what the model says of it: "94.97 %", "31.20 % of the positions", or a value where it has no probabilities.
func (p Prediction) Figure() string {
	switch {
	case p.Value != nil:
		return fmt.Sprintf("%.4g", *p.Value)
	case math.IsNaN(p.Prob):
		return fmt.Sprintf("%.4g", p.Logit)
	case p.Share:
		return fmt.Sprintf("%.2f %% of the positions", 100*p.Prob)
	}
	return fmt.Sprintf("%.2f %%", 100*p.Prob)
}

// Map is one map of one example.
type Map struct {
	Method  string // with options that are not the default, for example "normgrad-scaling-sum"
	Base    string // name of the method alone
	Options Options
	Layer   string // "" for maps at the input
	Target  Prediction
	Score   float64 // that was differentiated

	Raw      *tensor.Tensor // float32 [c,h,w], as computed
	H, W     int            // size of the input; H is 1 for series, tables and tokens
	Up       []float32      // [H,W]: the sum of Raw over c, resized to the input
	Heat     []float32      // [H,W] from 0 to 1, for display: see Signed
	Signed   bool           // Heat is 0.5 where the map is 0 (Symmetric); else Heat is MinMax
	Weights  []float32      // of the layer's channels, nil for methods that have none
	Constant bool           // there was nothing to scale: Heat is all the same
}

// Image is the result for one example.
type Image struct {
	Top   []Prediction   // highest first, at most 10, and the targets
	Maps  []Map          // by target, method, layer
	Kind  Kind           // of the input
	Input tensor.Shape   // [C,H,W] of the input as it is seen; of tokens [1,1,T]
	Seen  *tensor.Tensor // float32 [1,C,H,W], the input whatever its layout; nil for tokens
}

const topN = 10

// Explain explains every example of feeds, the model's inputs by name, preprocessed: [N,C,H,W], [N,H,W,C], [N,T] or what else the model
// takes. All examples of one Explainer must have one shape.
func (e *Explainer) Explain(ctx context.Context, feeds map[string]*tensor.Tensor) ([]Image, error) {
	feeds, n, err := e.net.examples(feeds)
	if err != nil {
		return nil, err
	}
	if err := e.prepare(feeds); err != nil {
		return nil, err
	}
	size := e.c.Batch
	if fixed := e.net.plan.Batch(); fixed > 0 {
		size = max(fixed, size/fixed*fixed)
	}
	var out []Image
	for lo := 0; lo < n; lo += size {
		var from []int
		for i := lo; i < min(lo+size, n); i++ {
			from = append(from, i)
		}
		images, err := e.batch(ctx, e.net.takes(feeds, from), len(from), lo)
		if err != nil {
			return nil, err
		}
		out = append(out, images...)
	}
	return out, nil
}

// prepare finds out what is explained and where, once the shapes of the inputs are known.
func (e *Explainer) prepare(feeds map[string]*tensor.Tensor) error {
	shapes := map[string]tensor.Shape{}
	for name, t := range feeds {
		s := slices.Clone(t.Shape())
		if k := e.net.m.BatchAxis(name); k >= 0 {
			s[k] = 1
		}
		shapes[name] = s
	}
	if e.like != nil {
		for name, s := range shapes {
			if !s.Equal(e.like[name]) {
				return fmt.Errorf("explain: input of shape %v after one of %v; all must have one shape", s[1:], e.like[name][1:])
			}
		}
		return nil
	}
	t, err := e.survey(e.net.m, feeds)
	if err != nil {
		return err
	}
	if err := e.name(); err != nil {
		return err
	}
	atLayer := func(b bound) bool { return b.Place == AtLayer }
	if slices.ContainsFunc(e.bound, atLayer) {
		for _, name := range e.c.Layers {
			at, err := e.place(t, name)
			if err != nil && e.c.Optional && name == "auto" && e.net.wantInput {
				e.warn("methods at layers are left out: " + strings.TrimPrefix(err.Error(), "explain: "))
				e.bound = slices.DeleteFunc(e.bound, atLayer)
				e.net.layers = nil
				break
			}
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(e.net.layers, func(o place) bool { return o.name == at.name && o.view.same(at.view) }) {
				e.net.layers = append(e.net.layers, at)
			}
		}
	}
	e.like = shapes
	return nil
}

// place is the layer called name, or the one that auto means.
func (e *Explainer) place(t *terrain, name string) (place, error) {
	v, view, err := t.layer(name)
	if plain, as := cutView(name); plain == "auto" && t.g.Lookup(plain) == 0 {
		var note string
		if v, note, err = t.auto(); err != nil {
			return place{}, err
		}
		name = t.g.Info(v).Name
		if as == "" {
			view, err = t.view(v)
		} else {
			_, view, err = t.layer(name + "@" + as)
		}
		if note != "" {
			e.warn(note)
		}
	}
	if err != nil {
		return place{}, err
	}
	return place{label: name, name: t.g.Info(v).Name, view: view}, nil
}

func (e *Explainer) warn(s string) {
	if e.c.Warn != nil && !e.warned[s] {
		e.warned[s] = true
		e.c.Warn(s)
	}
}

// batch explains n examples; the first has the index first.
func (e *Explainer) batch(ctx context.Context, feeds map[string]*tensor.Tensor, n, first int) ([]Image, error) {
	p := &Probe{net: e.net, pool: e.net.m.Pool(), batch: e.c.Batch, seed: e.c.Seed, noise: e.c.Noise}
	from, err := e.rowsFor(ctx, p, feeds, n)
	if err != nil {
		return nil, err
	}
	p.feeds = e.net.takes(feeds, from)
	src := e.net.src
	size := tensor.Shape{1, src.shown.H, src.shown.W}
	if src.kind != KindTokens {
		if p.x, err = src.fed.Forward(p.feeds[src.io.Name]); err != nil {
			return nil, fmt.Errorf("explain: input %q %w", src.io.Name, err)
		}
		size = p.x.Shape()[1:]
	}
	images := make([]Image, n)
	skip := make([]bool, len(from)) // rows whose choice another row of the image has
	p.resolve = func(readings []reading) error {
		for r, i := range from {
			if !finite(readings[r].z) {
				return fmt.Errorf("explain: the class scores of image %d are not finite; check the preprocessing and the model", first+i)
			}
			if p.choices[r] == own {
				ks, err := e.net.goal.choices(Argmax, readings[r])
				if err != nil {
					return err
				}
				p.choices[r] = ks[0]
			}
			for q := range r {
				skip[r] = skip[r] || from[q] == i && p.choices[q] == p.choices[r]
			}
		}
		return nil
	}
	made := make([][]Output, len(e.bound))
	for k, b := range e.bound {
		if made[k], err = b.run(ctx, p); err != nil {
			return nil, fmt.Errorf("%w (method %s)", err, b.label)
		}
	}
	if p.readings == nil {
		pass, err := p.net.scores(ctx, p.feeds, p.choices)
		if err == nil {
			err = p.settle(pass)
		}
		if err != nil {
			return nil, err
		}
	}
	for i := range images {
		images[i].Input, images[i].Kind = size, src.kind
		var mine []int
		r := slices.Index(from, i)
		if p.x != nil {
			images[i].Seen = rowsOf(p.x, 0, []int{r}).Clone()
		}
		for q, j := range from {
			if j == i {
				mine = append(mine, p.choices[q])
			}
		}
		if images[i].Top, err = e.top(p.readings[r], mine); err != nil {
			return nil, err
		}
		e.remark(p.readings[r], mine)
	}
	for k, b := range e.bound {
		for r, i := range from {
			for l, o := range made[k] {
				if skip[r] {
					continue
				}
				at := src.shown
				if b.Place == AtLayer {
					at = e.net.layers[l].view
				}
				m, err := e.finish(b, o, r, at, size[1], size[2])
				if err != nil {
					return nil, err
				}
				if b.Place == AtLayer {
					m.Layer = e.net.layers[l].label
				}
				m.Target = e.prediction(p.readings[r], p.choices[r])
				m.Score = p.scores[r]
				if m.Constant {
					e.warn(fmt.Sprintf("the map of %s at %s is constant: nothing to show", b.label, m.place()))
				}
				images[i].Maps = append(images[i].Maps, m)
			}
		}
	}
	for i := range images {
		slices.SortStableFunc(images[i].Maps, func(a, b Map) int {
			return slices.IndexFunc(images[i].Top, isClass(a.Target.Class)) - slices.IndexFunc(images[i].Top, isClass(b.Target.Class))
		})
	}
	return images, nil
}

// rowsFor makes the rows of p: one for each example and choice. Where the targets are the model's own choice or given classes the first
// pass finds out the rest; else a forward pass is made first.
func (e *Explainer) rowsFor(ctx context.Context, p *Probe, feeds map[string]*tensor.Tensor, n int) (from []int, err error) {
	g := e.net.goal
	known := !slices.ContainsFunc(e.c.Targets, func(t Target) bool { return t.kind == targetTop || t.kind == targetArgmin })
	readings := slices.Repeat([]reading{{z: make([]float32, g.count()), p: make([]float64, g.count())}}, n)
	if !known {
		pass, err := e.net.scores(ctx, feeds, slices.Repeat([]int{own}, n))
		if err != nil {
			return nil, err
		}
		readings = pass.readings
	}
	for i, r := range readings {
		var mine []int
		for _, t := range e.c.Targets {
			ks, err := g.choices(t, r)
			if err != nil {
				return nil, err
			}
			if known && t.kind == targetArgmax {
				ks = []int{own}
			}
			for _, k := range ks {
				if !slices.Contains(mine, k) {
					mine = append(mine, k)
				}
			}
		}
		for _, k := range mine {
			from, p.choices = append(from, i), append(p.choices, k)
		}
	}
	return from, nil
}

func isClass(k int) func(Prediction) bool { return func(p Prediction) bool { return p.Class == k } }

func (m Map) place() string {
	if m.Layer == "" {
		return "the input"
	}
	return fmt.Sprintf("layer %q", m.Layer)
}

// finish makes the Map of row r of an output made at a view, for an input of size h, w.
func (e *Explainer) finish(b bound, o Output, r int, at View, h, w int) (Map, error) {
	if err := check4D("a map of "+b.label, o.Map); err != nil {
		return Map{}, err
	}
	v := volumeAt(o.Map, r)
	m := Map{Method: b.label, Base: b.Name, Options: maps.Clone(b.options), Signed: o.Signed, H: h, W: w}
	m.Raw = tensor.From(slices.Clone(v.X), v.C, v.H, v.W)
	if o.Weights != nil {
		m.Weights = o.Weights[r]
	}
	plane := v.X
	if v.C > 1 {
		plane = reducePlane(v, "sum")
	}
	m.Up = at.placed(plane, v.H, v.W, m.H, m.W)
	ok := false
	if m.Signed {
		m.Heat, ok = Symmetric(m.Up)
	} else {
		m.Heat, ok = MinMax(m.Up)
	}
	m.Constant = !ok
	return m, nil
}

// top are the best choices of an example and the targets that are not among them.
func (e *Explainer) top(r reading, targets []int) ([]Prediction, error) {
	var keep []int
	if len(r.p) > 0 { // values do not compete
		var err error
		if keep, err = e.net.goal.choices(Target{kind: targetTop, class: topN}, r); err != nil {
			return nil, err
		}
	}
	for _, k := range targets {
		if !slices.Contains(keep, k) {
			keep = append(keep, k)
		}
	}
	var out []Prediction
	for _, k := range keep {
		out = append(out, e.prediction(r, k))
	}
	return out, nil
}

// remark warns of what the objective decided by itself.
func (e *Explainer) remark(r reading, choices []int) {
	o := e.c.Objective
	switch g := e.net.goal.(type) {
	case *dense:
		if o.Region == "" {
			e.warn(fmt.Sprintf("output %q has classes at %d positions: explained is the mean score of a class "+
				"over the positions where it is the highest; a region chooses others", e.head.Output, g.positions()))
		}
		for _, k := range choices {
			if r.p[k] == 0 && o.Region == "" {
				e.warn(fmt.Sprintf("class %d is the highest at no position: its mean over all is explained", k))
			}
		}
	case *position:
		if o.Position == nil {
			e.warn(fmt.Sprintf("output %q has classes at %d positions: the last one that is not masked is explained; "+
				"a position chooses another", e.head.Output, g.positions()))
		}
	case *single:
		if g.values() && o.Kind == ByOutputs {
			e.warn(fmt.Sprintf("output %q is one number without a sigmoid: what raises it is explained; "+
				"the target negative explains what lowers it", e.head.Output))
		}
	case *classes:
		if o.Kind == ByOutputs && e.head.Activation == "" && !strings.Contains(strings.ToLower(e.head.Output), "logit") &&
			e.c.Labels == nil && slices.Equal(e.c.Targets, []Target{Argmax}) {
			e.warn(fmt.Sprintf("output %q has %d numbers for each example and no softmax: they are taken for the scores of classes, "+
				"unless the task is said to be regression", e.head.Output, g.classes))
		}
		if g.values() && len(choices) == 1 && slices.Equal(e.c.Targets, []Target{Argmax}) {
			e.warn(fmt.Sprintf("output %q has %d values: the first is explained; a target chooses another", e.head.Output, g.classes))
		}
	}
}
