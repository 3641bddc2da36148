// Package explain shows what in a picture a classifier based its decision on: heat maps from gradients and activations, and
// their rendering as overlays, panels and a report.
//
// A method is one file: it registers a Method, whose Func computes raw maps from the passes that a Probe offers. Most are pure functions of
// the activation and gradient of one image at one layer (perLayer). The Explainer finds the class score and the layers, makes each
// forward and backward pass once for all methods and layers, and brings the maps to the size of the input.
//
// Conventions: x_l [N,C,h,w] are activations at a layer, g_l the gradient of the class score by them; maps are positive where the
// score grows. Images of a batch never influence each other.
package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// Config says what to explain and how. The zero value is not usable: there must be a request.
type Config struct {
	Requests []Request
	Layers   []string       // names of tensors or nodes, or "auto"; none means auto. Only for methods that explain at layers
	Targets  []Target       // none means Argmax
	Score    Score          // "" means Logit
	Labels   []string       // names of the classes, for messages and reports
	Batch    int            // rows in one pass; 0 means 16
	Seed     uint64         // of random numbers
	Noise    *tensor.Tensor // recorded noise [n,C,H,W] to replay instead of random numbers
	Warn     func(string)   // told of what is worth knowing; nil means silence. Each warning comes once
}

// Explainer explains the decisions of one model. It is not safe for concurrent use.
type Explainer struct {
	net    *net
	c      Config
	bound  []bound
	like   tensor.Shape // of one input, once seen
	labels []string     // of the layers, as asked for
	warned map[string]bool
}

const defaultBatch = 16

// New checks c against m. Layers are looked up when the shape of the input is known, by the first Explain.
func New(m *engine.Model, c Config) (*Explainer, error) {
	e := &Explainer{c: c, warned: map[string]bool{}}
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
	var err error
	if e.net, err = newNet(m); err != nil {
		return nil, err
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
	return e, nil
}

// Head tells which tensor is the score: its name, and the activation after it that was looked through.
func (e *Explainer) Head() engine.Head { return e.net.end }

// Layers are the names of the layers that maps are made at, known after the first Explain.
func (e *Explainer) Layers() []string { return slices.Clone(e.labels) }

// Prediction is one class of one image.
type Prediction struct {
	Class int     `json:"class"`
	Label string  `json:"label,omitempty"`
	Prob  float64 `json:"prob"`
	Logit float32 `json:"logit"`
}

// Name is the label, or "class 7".
func (p Prediction) Name() string {
	if p.Label != "" {
		return p.Label
	}
	return fmt.Sprintf("class %d", p.Class)
}

// Map is one map of one image.
type Map struct {
	Image   int    // index in the batch given to Explain
	Method  string // with options that are not the default, for example "normgrad-scaling-sum"
	Base    string // name of the method alone
	Options Options
	Layer   string // "" for maps at the input
	Target  Prediction
	Score   float64 // that was differentiated

	Raw      *tensor.Tensor // float32 [c,h,w], as computed
	H, W     int            // size of the input
	Up       []float32      // [H,W]: the sum of Raw over c, resized to the input
	Heat     []float32      // [H,W] from 0 to 1, for display: see Signed
	Signed   bool           // Heat is 0.5 where the map is 0 (Symmetric); else Heat is MinMax
	Weights  []float32      // of the layer's channels, nil for methods that have none
	Constant bool           // there was nothing to scale: Heat is all the same
}

// Image is the result for one image.
type Image struct {
	Top   []Prediction // highest first, at most 10, and the targets
	Maps  []Map        // by target, method, layer
	Input tensor.Shape
}

const topN = 10

// Explain explains every image of x, preprocessed, [N,C,H,W] (or the model's own layout). All images of one Explainer must have one shape.
func (e *Explainer) Explain(ctx context.Context, x *tensor.Tensor) ([]Image, error) {
	if x.Rank() == 0 || x.Len() == 0 {
		return nil, fmt.Errorf("explain: input is %v; need [N,C,H,W]", x)
	}
	if err := e.prepare(x.Shape()); err != nil {
		return nil, err
	}
	nchw, err := e.net.shape.toNCHW(x)
	if err != nil {
		return nil, fmt.Errorf("explain: input: %w", err)
	}
	var out []Image
	for lo := 0; lo < nchw.Dim(0); lo += e.c.Batch {
		hi := min(lo+e.c.Batch, nchw.Dim(0))
		images, err := e.batch(ctx, slab(nchw, lo, hi, hi-lo), lo)
		if err != nil {
			return nil, err
		}
		out = append(out, images...)
	}
	return out, nil
}

// prepare looks the layers up once the shape of an input is known.
func (e *Explainer) prepare(s tensor.Shape) error {
	one := slices.Clone(s)
	one[0] = 1
	if e.like != nil {
		if !one.Equal(e.like) {
			return fmt.Errorf("explain: input of shape %v after one of %v; all must have one shape", s[1:], e.like[1:])
		}
		return nil
	}
	if err := e.net.prepare(s); err != nil {
		return err
	}
	if slices.ContainsFunc(e.bound, func(b bound) bool { return b.Place == AtLayer }) {
		t, err := survey(e.net.m, one)
		if err != nil {
			return err
		}
		for _, name := range e.c.Layers {
			label := name
			v, err := t.layer(name)
			if err != nil && name == "auto" {
				var early bool
				if v, early, err = t.auto(); err == nil {
					label = t.g.Info(v).Name
					if early {
						e.warn(fmt.Sprintf("layer %q was chosen, but most of the model comes after it: choose one by name", label))
					}
				}
			}
			if err != nil {
				return err
			}
			if tensorName := t.g.Info(v).Name; !slices.Contains(e.net.layers, tensorName) {
				e.net.layers = append(e.net.layers, tensorName)
				e.labels = append(e.labels, label)
			}
		}
	}
	e.like = one
	return nil
}

func (e *Explainer) warn(s string) {
	if e.c.Warn != nil && !e.warned[s] {
		e.warned[s] = true
		e.c.Warn(s)
	}
}

// batch explains the images x [n,C,H,W]; the first has the index first.
func (e *Explainer) batch(ctx context.Context, x *tensor.Tensor, first int) ([]Image, error) {
	logits, like, err := e.net.logits(ctx, x)
	if err != nil {
		return nil, err
	}
	if like.head.positions > 1 {
		e.warn(fmt.Sprintf("the score %q has %d positions for each class: their mean is explained", e.net.end.Logits, like.head.positions))
	}
	p := &Probe{
		net: e.net, pool: e.net.m.Pool(), like: like, score: e.c.Score, batch: e.c.Batch, seed: e.c.Seed, noise: e.c.Noise,
		layers: e.labels, clean: map[string]*Pass{},
	}
	images := make([]Image, len(logits))
	var from []int // image of each row
	for i, z := range logits {
		if !finite(z) {
			return nil, fmt.Errorf("explain: the class scores of image %d are not finite; check the preprocessing and the model", first+i)
		}
		images[i].Input = x.Shape()[1:]
		var mine []int
		for _, t := range e.c.Targets {
			ks, err := t.classes(z)
			if err != nil {
				return nil, err
			}
			for _, k := range ks {
				if !slices.Contains(mine, k) {
					mine = append(mine, k)
				}
			}
		}
		for _, k := range mine {
			from, p.classes, p.logits = append(from, i), append(p.classes, k), append(p.logits, z)
		}
		images[i].Top = e.top(z, mine)
	}
	p.x = rowsOf(x, from)
	for _, b := range e.bound {
		outs, err := b.run(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%w (method %s)", err, b.label)
		}
		for r, i := range from {
			for l, o := range outs {
				m, err := e.finish(b, o, r, x)
				if err != nil {
					return nil, err
				}
				if b.Place == AtLayer {
					m.Layer = e.labels[l]
				}
				m.Image = first + i
				m.Target = e.prediction(p.logits[r], p.classes[r])
				m.Score = e.c.Score.value(p.logits[r], p.classes[r], p.sigmoid())
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

func isClass(k int) func(Prediction) bool { return func(p Prediction) bool { return p.Class == k } }

func (m Map) place() string {
	if m.Layer == "" {
		return "the input"
	}
	return fmt.Sprintf("layer %q", m.Layer)
}

// rowsOf is the images of x listed in from; x itself when that is all of them in order.
func rowsOf(x *tensor.Tensor, from []int) *tensor.Tensor {
	same := len(from) == x.Dim(0)
	for r, i := range from {
		same = same && r == i
	}
	if same {
		return x
	}
	out := tensor.New(tensor.Float32, len(from), x.Dim(1), x.Dim(2), x.Dim(3))
	for r, i := range from {
		copy(volumeAt(out, r).X, volumeAt(x, i).X)
	}
	return out
}

// finish makes the Map of row r of an output.
func (e *Explainer) finish(b bound, o Output, r int, x *tensor.Tensor) (Map, error) {
	if err := check4D("a map of "+b.label, o.Map); err != nil {
		return Map{}, err
	}
	v := volumeAt(o.Map, r)
	m := Map{Method: b.label, Base: b.Name, Options: b.options, Signed: o.Signed, H: x.Dim(2), W: x.Dim(3)}
	m.Raw = tensor.From(slices.Clone(v.X), v.C, v.H, v.W)
	if o.Weights != nil {
		m.Weights = o.Weights[r]
	}
	plane := v.X
	if v.C > 1 {
		plane = reducePlane(v, "sum")
	}
	if v.H == m.H && v.W == m.W {
		m.Up = slices.Clone(plane)
	} else {
		m.Up = Bilinear(plane, v.H, v.W, m.H, m.W)
	}
	ok := false
	if m.Signed {
		m.Heat, ok = Symmetric(m.Up)
	} else {
		m.Heat, ok = MinMax(m.Up)
	}
	m.Constant = !ok
	return m, nil
}

// prediction describes class k of an image with logits z.
func (e *Explainer) prediction(z []float32, k int) Prediction {
	p := Prediction{Class: k, Prob: probabilities(z, e.net.end.Activation == "Sigmoid")[k], Logit: z[k]}
	if k < len(e.c.Labels) {
		p.Label = e.c.Labels[k]
	}
	return p
}

// top are the best classes of an image and the targets that are not among them.
func (e *Explainer) top(z []float32, targets []int) []Prediction {
	order := ranked(z)
	keep := slices.Clone(order[:min(topN, len(order))])
	for _, k := range order {
		if slices.Contains(targets, k) && !slices.Contains(keep, k) {
			keep = append(keep, k)
		}
	}
	var out []Prediction
	for _, k := range keep {
		out = append(out, e.prediction(z, k))
	}
	return out
}
