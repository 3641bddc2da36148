package tokens

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/compress"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
)

// Report is what a method did, for the report of gtk compress.
type Report struct {
	Tokens     int      `json:"tokens"` // of an example, those in front counted
	Prefix     int      `json:"prefix"` // of them in front that are no patches
	Layers     int      `json:"layers"`
	Kept       []Kept   `json:"kept"` // after each attention layer
	Way        string   `json:"way"`  // rank: by attention; pairs: by similarity of keys
	Search     string   `json:"search,omitempty"`
	Tried      int      `json:"tried,omitempty"` // schedules, or steps of learning
	Share      float64  `json:"macs_share"`      // that is left, as it was counted beforehand
	Difference float64  `json:"same_with_all"`   // largest difference of outputs where nothing is left out, relative to the largest output
	Curve      []Point  `json:"curve,omitempty"` // of learning, or of the search
	Notes      []string `json:"notes,omitempty"`
}

// Point is where a search stood.
type Point struct {
	Step  int     `json:"step"`
	Loss  float64 `json:"loss"`
	Share float64 `json:"macs_share"`
}

// chooser chooses a schedule.
type chooser func(ctx context.Context, w *work) (Schedule, error)

// work is a model that is being made smaller.
type work struct {
	t       *ViT
	s       *compress.Subject
	whole   float64 // operations of an example, before
	target  float64
	threads int
	r       *Report
}

// threadsOf is how many threads m runs on.
func threadsOf(m *engine.Model) int { return m.Pool().Threads() }

// begin finds the transformer and checks the target.
func begin(s *compress.Subject, threads int) (*work, error) {
	if len(s.Keep) > 0 {
		return nil, compress.Ask("--keep names weights, and this method changes none: leave it out")
	}
	t, err := Find(s.Model.File(), threads)
	if err != nil {
		return nil, refused(err)
	}
	w := &work{t: t, s: s, threads: threads, r: &Report{Tokens: t.Tokens, Prefix: t.Prefix, Layers: t.Layers}}
	in, err := t.v.model.Inspect(nil)
	if err != nil {
		t.Close()
		return nil, err
	}
	w.whole = float64(in.MACs)
	w.target = w.whole * s.MACs
	if t.fewest(w.whole) > s.MACs && t.near != nil {
		t.first = 0
		t.Notes = append(t.Notes, fmt.Sprintf("%s of the operations cannot be had with all tokens in the first layer: it loses some too",
			units.Percent(s.MACs)))
	}
	if f := t.fewest(w.whole); f > s.MACs {
		t.Close()
		return nil, compress.Ask("--macs %g: with %d of the %d tokens left from the first layer on it is still %.3g", s.MACs, t.least(), t.Tokens,
			f)
	}
	w.r.Notes = t.Notes
	return w, nil
}

// refused says that a model cannot be compressed so, and what else there is.
func refused(err error) error {
	var r *RefusedError
	if errors.As(err, &r) {
		return fmt.Errorf("the tokens of this model cannot be pruned or merged: %w; --method channels, int8 and magnitude do not ask for tokens",
			err)
	}
	return err
}

// String says what was found.
func (t *ViT) String() string {
	reads := "the mean over the patches"
	if len(t.Rows) > 0 {
		reads = fmt.Sprintf("token %d", t.Rows[0])
		if n := len(t.Rows); n > 1 {
			reads = fmt.Sprintf("tokens %v", t.Rows)
		}
	}
	return fmt.Sprintf("a transformer of %d attention layers over %d tokens of %d numbers, %d in front that are no patches; the head reads %s",
		t.Layers, t.Tokens, t.Width, t.Prefix, reads)
}

// plan is Method.Plan.
func plan(s *compress.Subject, how string) ([]string, error) {
	w, err := begin(s, threadsOf(s.Model))
	if err != nil {
		return nil, err
	}
	defer w.t.Close()
	if _, err := w.same(); err != nil {
		return nil, err
	}
	lines := append([]string{w.t.String()}, w.t.Notes...)
	return append(lines, fmt.Sprintf("%s: %s of %s multiply-adds are to be left", how, units.Count(int64(w.target)),
		units.Count(int64(w.whole)))), nil
}

// same checks that the model with all tokens gives the outputs that it gave, and says how far they are apart, relative to the largest.
func (w *work) same() (float64, error) {
	file, err := w.t.Rewrite(All(w.t.Layers, w.t.Tokens), ByRank, true)
	if err != nil {
		return 0, refused(err)
	}
	d, err := distance(w.s.Model, file, w.threads)
	if err != nil {
		return 0, err
	}
	bound := 1e-5
	if half(file) {
		bound = 2e-2
	}
	if !(d <= bound) {
		return d, fmt.Errorf("tokens: with all tokens left the model gives other outputs, by %.3g of the largest: it cannot be compressed so", d)
	}
	return d, nil
}

// half reports whether a file computes in half precision or in few bits.
func half(m *onnx.Model) bool {
	for _, t := range m.Proto.GetGraph().GetInitializer() {
		switch t.GetDataType() {
		case 10, 16: // float16, bfloat16
			return true
		}
	}
	for _, n := range m.Proto.GetGraph().GetNode() {
		if n.GetOpType() == "QuantizeLinear" || n.GetOpType() == "DynamicQuantizeLinear" {
			return true
		}
	}
	return false
}

// distance is how far the outputs of two models are apart for random inputs, relative to the largest.
func distance(m *engine.Model, file *onnx.Model, threads int) (float64, error) {
	other, err := engine.Load(file, engine.WithThreads(threads))
	if err != nil {
		return 0, err
	}
	defer other.Close()
	diff, top := 0.0, 0.0
	for seed := range uint64(2) {
		var outs [2]*engine.Result
		for i, x := range []*engine.Model{m, other} {
			s, err := x.Session(engine.Query{})
			if err != nil {
				return 0, err
			}
			if outs[i], err = s.Run(context.Background(), wanted(s, randomInputs(x, 2, seed))); err != nil {
				return 0, err
			}
		}
		for _, o := range m.Outputs() {
			a, b := outs[0].Value(o.Name), outs[1].Value(o.Name)
			if a == nil || b == nil || !a.Shape().Equal(b.Shape()) {
				return math.Inf(1), nil
			}
			y := b.Float64s()
			for i, x := range a.Float64s() {
				top = max(top, math.Abs(x))
				if d := math.Abs(x - y[i]); d > diff || math.IsNaN(d) {
					diff = d
				}
			}
		}
	}
	return diff / max(top, 1e-6), nil
}

// compressTokens is Method.Compress with a way and a choice of the schedule.
func compressTokens(ctx context.Context, s *compress.Subject, way Way, name string, choose chooser) (*compress.Result, error) {
	w, err := begin(s, threadsOf(s.Model))
	if err != nil {
		return nil, err
	}
	defer w.t.Close()
	w.r.Way, w.r.Search = []string{"rank", "pairs"}[way], name
	for _, n := range w.t.Notes {
		s.Note("%s", n)
	}
	if w.r.Difference, err = w.same(); err != nil {
		return nil, err
	}
	sched, err := choose(ctx, w)
	if err != nil {
		return nil, err
	}
	sched = w.t.settled(sched)
	file, err := w.t.Rewrite(sched, way, false)
	if err != nil {
		return nil, refused(err)
	}
	w.r.Kept, w.r.Share = sched, w.t.cost(w.whole, sched)/w.whole
	says := []string{w.t.String(), fmt.Sprintf("tokens after each layer: %v", sched),
		fmt.Sprintf("with all tokens left the rewritten model gives the outputs to %.2g of the largest", w.r.Difference)}
	strips, err := w.draw(ctx, file, sched, way)
	if err != nil {
		return nil, err
	}
	return &compress.Result{File: file, Says: says, Details: w.r, Write: w.write(strips)}, nil
}
