package tokens

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// fate is what became of the patches of an example after a layer: the group of patches that each token behind those in front stands for.
type fate struct {
	layer  int
	groups [][]int
}

// source follows the patches of an example through a rewritten model. Its values are those that the model chose by.
type source struct {
	t     *ViT
	s     Schedule
	way   Way
	names []string // of values to fetch
}

func (t *ViT) source(s Schedule, way Way) *source {
	x := &source{t: t, s: s, way: way}
	have := t.Tokens
	for i := t.first; i < t.Layers; i++ {
		if s[i].Merge < have {
			x.names = append(x.names, x.value(i, "kept.1"))
			if s[i].Merge < s[i].Prune {
				x.names = append(x.names, x.value(i, "to"))
			}
		}
		have = s[i].Merge
	}
	return x
}

// value is the name of a value of layer i: kept.1 for the order, to for what others are merged into.
func (x *source) value(i int, what string) string {
	if x.way == ByPairs && what == "kept.1" {
		what = "order.1"
	}
	return fmt.Sprintf("tokens/%d/%s", i, what)
}

// fates are those of example b of what was fetched.
func (x *source) fates(got func(name string) *tensor.Tensor, b int) []fate {
	row := func(name string) []int {
		v := got(name)
		n := v.Dim(v.Rank() - 1)
		out := make([]int, n)
		for i := range out {
			out[i] = int(v.I64()[b*n+i])
		}
		return out
	}
	groups := make([][]int, x.t.Tokens-x.t.Prefix)
	for j := range groups {
		groups[j] = []int{j}
	}
	var out []fate
	have := x.t.Tokens
	for i := x.t.first; i < x.t.Layers; i++ {
		k := x.s[i]
		if k.Merge == have {
			continue
		}
		order := row(x.value(i, "kept.1"))
		var to []int
		if k.Merge < k.Prune {
			to = row(x.value(i, "to"))
		}
		var next [][]int
		if x.way == ByRank {
			left := k.Merge - x.t.Prefix
			for _, j := range order[:left] {
				next = append(next, groups[j])
			}
			for m, j := range order[left : k.Prune-x.t.Prefix] {
				next[to[m]] = joinedGroups(next[to[m]], groups[j])
			}
		} else {
			r := have - k.Merge
			var b [][]int
			for j := 0; j < len(groups); j += 2 {
				b = append(b, groups[j])
			}
			for _, j := range order[:r] {
				b[to[j]] = joinedGroups(b[to[j]], groups[2*j+1])
			}
			for _, j := range order[r:] {
				next = append(next, groups[2*j+1])
			}
			next = append(next, b...)
		}
		groups, have = next, k.Merge
		out = append(out, fate{i, groups})
	}
	return out
}

func joinedGroups(a, b []int) []int { return append(append([]int(nil), a...), b...) }

// follow runs a rewritten model on the first n examples of the judge's data and tells what became of their patches, with what went in.
func (w *work) follow(ctx context.Context, file *onnx.Model, s Schedule, way Way, n int, got func(x *tensor.Tensor, b int,
	f []fate) error) error {
	j, err := examplesOf(ctx, w, n)
	if err != nil {
		return err
	}
	m, err := engine.Load(file, engine.WithThreads(w.threads))
	if err != nil {
		return err
	}
	defer m.Close()
	src := w.t.source(s, way)
	if len(src.names) == 0 {
		return nil
	}
	run, err := m.Session(engine.Query{Fetch: src.names})
	if err != nil {
		return err
	}
	plan, err := w.s.Feed.With(m)
	if err != nil {
		return err
	}
	for _, b := range j {
		if b.X == nil {
			return nil // several arrays, and no pictures
		}
		if err := plan.Run(ctx, run, b, feed.Rows{}, func(p feed.Part) error {
			for i := p.Lo; i < p.Hi; i++ {
				if err := got(b.X, i, src.fates(p.Value, i-p.Lo)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
