package compress

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	methods.Register("channels", func() Method {
		return &Channels{Importance: "l2", Scope: "layer", Least: 0.1, Multiple: 1, Samples: 512, Statistics: true}
	},
		"take whole channels and hidden units out, wherever they are tied through the model: a smaller dense model",
		"https://arxiv.org/abs/2301.12900 (DepGraph, Fang et al. 2023); https://arxiv.org/abs/1608.08710 (Li et al. 2017)")
}

// Channels takes channels of convolutions and units of dense layers away, with all that belongs to them: rows and columns of the weights
// that make and read them, biases, batch normalisation, the other sides of residual sums, depthwise convolutions, parts of Concat and
// Split. The channels that count least go until the target is reached, Subject.MACs or Share.
type Channels struct {
	Share      float64 `opt:"share" doc:"share of the channels of each layer that stays, in the place of --macs; 0 goes by --macs" range:"[0, 1)"`
	Importance string  `opt:"importance" doc:"what a channel counts: l1 or l2 norm of the weights that make it, with the batch normalisation behind them; bn: its scale alone; taylor: the change of the loss without it, to first order, from examples with labels" choices:"l1|l2|bn|taylor"`
	Scope      string  `opt:"scope" doc:"layer: the same share of each layer goes; global: what counts least goes, in which layer it may be" choices:"layer|global"`
	Least      float64 `opt:"least" doc:"share of the channels of a layer that stays in any case" range:"[0, 1)"`
	Multiple   int     `opt:"multiple" doc:"a layer keeps a multiple of so many channels" range:"[1, 64]"`
	Samples    int     `opt:"samples" doc:"examples that importance=taylor looks at, and that statistics come from" range:"[1, 1000000]"`
	Statistics bool    `opt:"statistics" doc:"take the statistics of batch normalisation of the smaller model anew, where there is --data"`
}

// ChannelsReport is what was taken away.
type ChannelsReport struct {
	Importance string          `json:"importance"`
	Scope      string          `json:"scope"`
	Channels   int             `json:"channels_before"` // of all layers that were looked at
	Kept       int             `json:"channels_after"`
	Layers     []ChannelsLayer `json:"layers"`
	Whole      []ChannelsWhole `json:"whole"`                // layers that keep all channels, and why
	Statistics int             `json:"statistics,omitempty"` // examples from which those of batch normalisation were taken anew
}

// ChannelsLayer is a layer before and after.
type ChannelsLayer struct {
	Node   string `json:"node"`
	Op     string `json:"op"`
	Before int    `json:"before"`
	After  int    `json:"after"`
	Group  int    `json:"group"` // layers of one group keep the same channels
}

// ChannelsWhole is a layer that keeps all of its channels.
type ChannelsWhole struct {
	Node string `json:"node"`
	Op   string `json:"op"`
	Why  string `json:"why"`
}

func (m *Channels) first() string { return "share" }

// Needs is labels for importance=taylor; fine-tuning may follow.
func (m *Channels) Needs() Needs {
	return Needs{Labels: m.Importance == "taylor", MACs: m.Share == 0, Tuning: true}
}

// unit is what is taken away together: the places that are tied to each other.
type unit struct {
	root   int32
	family int
	score  float64
}

// pruning is a model whose channels are chosen.
type pruning struct {
	*axes
	m        *Channels
	s        *Subject
	units    []*unit
	of       map[int32]*unit // by root
	families [][]*unit       // of layers that share their channels
	whole    []ChannelsWhole
	macs     int64
}

// open finds what can be taken away.
func (m *Channels) open(ctx context.Context, s *Subject) (*pruning, error) {
	if m.Share > 0 && s.MACs > 0 {
		return nil, Ask("--macs and channels:share say the same: leave one out")
	}
	n, err := openNet(s.Model.File(), 13)
	if err != nil {
		return nil, err
	}
	if err := n.evaluate(ctx, func(*onnxpb.NodeProto) bool { return true }); err != nil {
		return nil, err
	}
	a, err := follow(n)
	if err != nil {
		return nil, err
	}
	p := &pruning{axes: a, m: m, s: s, of: map[int32]*unit{}}
	for _, k := range a.makes {
		kept, err := s.Kept(k.layer.GetName(), k.weight)
		if err != nil {
			return nil, err
		}
		if kept {
			a.pin(a.of[k.weight][k.axis], "kept by --keep")
		}
	}
	for _, x := range n.g.Node {
		within(x, func(y *onnxpb.NodeProto) {
			if is(y, "Conv", "ConvTranspose", "Gemm", "MatMul") {
				p.whole = append(p.whole, ChannelsWhole{label(y), y.GetOpType(), fmt.Sprintf("it lies in a body of %s (%s)", label(x), x.GetOpType())})
			}
		})
	}
	if in, err := s.Model.Inspect(s.Model.Sizes(1)); err == nil {
		p.macs = in.MACs
	}
	return p, p.group()
}

// group makes units of the places that can be taken away, and families of those that lie along one axis.
func (p *pruning) group() error {
	family := map[int32]int{} // of roots
	next := 0
	for _, k := range p.makes {
		es := p.places(k)
		var roots []int32
		old := map[int]bool{}
		why := ""
		for _, e := range es {
			r := p.root(e)
			if p.why[r] != "" {
				why = p.why[r]
				continue
			}
			if !slices.Contains(roots, r) {
				roots = append(roots, r)
			}
			if f, ok := family[r]; ok {
				old[f] = true
			}
		}
		if len(roots) < 2 {
			if why == "" {
				if why = "it has one channel"; len(es) > 1 {
					why = "its channels only go all together"
				}
			}
			p.whole = append(p.whole, ChannelsWhole{label(k.layer), k.layer.GetOpType(), why})
			continue
		}
		for r, f := range family {
			if old[f] {
				family[r] = next
			}
		}
		for _, r := range roots {
			family[r] = next
		}
		next++
	}
	if len(family) == 0 {
		if slices.ContainsFunc(p.g.Node, func(x *onnxpb.NodeProto) bool { return is(x, "DequantizeLinear", "DynamicQuantizeLinear") }) {
			return fmt.Errorf("%w: the weights are quantised: take channels out of the model in real numbers, and quantise that", errNone)
		}
		if len(p.whole) == 0 {
			return fmt.Errorf("%w: the model has no Conv, Gemm or MatMul with stored weights", errNone)
		}
		w := p.whole[0]
		return fmt.Errorf("%w: no layer can lose channels; the first of %d, %s (%s): %s", errNone, len(p.whole), w.Node, w.Op, w.Why)
	}
	number := map[int]int{}
	for _, k := range p.makes {
		for _, e := range p.places(k) {
			r := p.root(e)
			f, ok := family[r]
			if !ok || p.of[r] != nil {
				continue
			}
			if _, ok := number[f]; !ok {
				number[f] = len(p.families)
				p.families = append(p.families, nil)
			}
			u := &unit{root: r, family: number[f]}
			p.units, p.of[r] = append(p.units, u), u
			p.families[u.family] = append(p.families[u.family], u)
		}
	}
	return nil
}

// places are the channels that a layer gives.
func (a *axes) places(k maker) []int32 { return a.of[k.weight][k.axis] }

// keepers are the units that stay where a share of them does.
func (p *pruning) keepers(share float64) map[int32]bool {
	keep := map[int32]bool{}
	count := make([]int, len(p.families))
	if p.m.Scope == "layer" {
		for f, us := range p.families {
			count[f] = p.allowed(int(math.Round(share*float64(len(us)))), len(us))
		}
	} else {
		all := slices.Clone(p.units)
		slices.SortStableFunc(all, func(a, b *unit) int { return cmp.Compare(b.score, a.score) })
		for _, u := range all[:min(len(all), int(math.Round(share*float64(len(all)))))] {
			count[u.family]++
		}
		for f, us := range p.families {
			count[f] = p.allowed(count[f], len(us))
		}
	}
	for f, us := range p.families {
		best := slices.Clone(us)
		slices.SortStableFunc(best, func(a, b *unit) int { return cmp.Compare(b.score, a.score) })
		for _, u := range best[:count[f]] {
			keep[u.root] = true
		}
	}
	return keep
}

// allowed is n brought to what a family of all units may keep.
func (p *pruning) allowed(n, all int) int {
	n = max(n, int(math.Ceil(p.m.Least*float64(all))), 1)
	if k := p.m.Multiple; k > 1 {
		n = (n + k - 1) / k * k
	}
	return min(n, all)
}

// Plan says what can be taken away.
func (m *Channels) Plan(ctx context.Context, s *Subject) ([]string, error) {
	p, err := m.open(ctx, s)
	if err != nil {
		return nil, err
	}
	lines := []string{fmt.Sprintf("%s in %s can go, of %s", units.Plural(len(p.units), "channel"), units.Plural(len(p.families), "group"),
		units.Plural(len(p.makes)-len(p.whole), "layer"))}
	for _, w := range p.whole {
		lines = append(lines, fmt.Sprintf("%s (%s) keeps all of its channels: %s", w.Node, w.Op, w.Why))
	}
	return lines, nil
}

// Compress takes channels away.
func (m *Channels) Compress(ctx context.Context, s *Subject) (*Result, error) {
	p, err := m.open(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := p.score(ctx); err != nil {
		return nil, err
	}
	keep := p.keepers(m.Share)
	if m.Share == 0 {
		if keep, err = p.reach(); err != nil {
			return nil, err
		}
	}
	r := p.report(keep)
	file, err := p.cut(keep)
	if err != nil {
		return nil, err
	}
	if file, err = p.renewed(ctx, file, r); err != nil {
		return nil, err
	}
	res := &Result{File: file, Details: r, Write: layersCSV(r.table())}
	res.Says = []string{fmt.Sprintf("%d of %s in %s stay", r.Kept, units.Plural(r.Channels, "channel"), units.Plural(len(r.Layers), "layer"))}
	if r.Statistics > 0 {
		res.Says = append(res.Says, fmt.Sprintf("the statistics of batch normalisation come anew from %s", units.Plural(r.Statistics, "example")))
	}
	for i, w := range r.Whole {
		if i == 8 {
			res.Says = append(res.Says, fmt.Sprintf("… and %d layers more keep all of their channels", len(r.Whole)-i))
			break
		}
		res.Says = append(res.Says, fmt.Sprintf("%s (%s) keeps all of its channels: %s", w.Node, w.Op, w.Why))
	}
	return res, nil
}

// renewed is file with the statistics of its batch normalisations as examples of the data give them, which without the channels are others.
func (p *pruning) renewed(ctx context.Context, file *onnx.Model, r *ChannelsReport) (*onnx.Model, error) {
	if !p.m.Statistics || p.s.Data == nil || p.s.Data.Len() < 2 {
		return file, nil
	}
	m, err := engine.Load(file, engine.WithPool(p.s.Model.Pool()))
	if err != nil || m.Batch() == 1 || !slices.ContainsFunc(slices.Collect(m.Params()), func(p *engine.Param) bool { return p.State }) {
		return file, err
	}
	plan, err := p.s.Feed.With(m)
	if err != nil {
		return nil, err
	}
	order := data.Shuffled(p.s.Data.Len(), p.s.Seed).Order(0)
	some, err := data.Subset(p.s.Data, order[:min(p.m.Samples, len(order))])
	if err != nil {
		return nil, err
	}
	if err := train.EstimateBatchNorm(ctx, m, some, plan, p.s.size(), p.s.Pre, p.s.Seed); err != nil {
		return nil, err
	}
	r.Statistics = some.Len()
	return m.Save()
}

// reach finds the largest model that does no more than the share of the operations that was asked for.
func (p *pruning) reach() (map[int32]bool, error) {
	want := p.s.MACs * float64(p.macs)
	at := func(share float64) (map[int32]bool, int64, error) {
		keep := p.keepers(share)
		file, err := p.cut(keep)
		if err != nil {
			return nil, 0, err
		}
		m, err := engine.Load(file, engine.WithPool(p.s.Model.Pool()))
		if err != nil {
			return nil, 0, fmt.Errorf("compress: channels: the smaller model: %w", err)
		}
		in, err := m.Inspect(m.Sizes(1))
		if err != nil {
			return nil, 0, err
		}
		return keep, in.MACs, nil
	}
	best, least, err := at(0)
	if err != nil {
		return nil, err
	}
	if float64(least) > want {
		return nil, Ask("--macs %g: channels can only be taken away down to %.3f of the operations; channels:least=%g says how many stay in any "+
			"case, and gtk compress --dry-run which layers keep all of theirs", p.s.MACs, float64(least)/float64(p.macs), p.m.Least)
	}
	lo, hi := 0.0, 1.0
	for range 12 {
		mid := (lo + hi) / 2
		keep, macs, err := at(mid)
		if err != nil {
			return nil, err
		}
		if float64(macs) <= want {
			lo, best = mid, keep
		} else {
			hi = mid
		}
	}
	return best, nil
}

// report is what keep leaves.
func (p *pruning) report(keep map[int32]bool) *ChannelsReport {
	r := &ChannelsReport{Importance: p.m.Importance, Scope: p.m.Scope, Whole: p.whole, Layers: []ChannelsLayer{}}
	if r.Whole == nil {
		r.Whole = []ChannelsWhole{}
	}
	for _, k := range p.makes {
		l := ChannelsLayer{Node: label(k.layer), Op: k.layer.GetOpType(), Group: -1}
		for _, e := range p.places(k) {
			l.Before++
			if u := p.of[p.root(e)]; u == nil || keep[u.root] {
				l.After++
			}
			if u := p.of[p.root(e)]; u != nil {
				l.Group = u.family
			}
		}
		if l.Group < 0 {
			continue
		}
		r.Channels, r.Kept = r.Channels+l.Before, r.Kept+l.After
		r.Layers = append(r.Layers, l)
	}
	return r
}

// cut is a copy of the model without the units that keep has not.
func (p *pruning) cut(keep map[int32]bool) (*onnx.Model, error) {
	kept := func(es []int32) []int {
		var at []int
		for i, e := range es {
			if u := p.of[p.root(e)]; u == nil || keep[u.root] {
				at = append(at, i)
			}
		}
		return at
	}
	return p.axes.cut(kept)
}
