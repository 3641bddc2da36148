package tokens

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
)

// greedy chooses in rounds: each saves the same number of operations in the layer, by leaving out or by merging, where the loss on n
// examples is smallest afterwards.
func greedy(rounds, n int) chooser {
	return func(ctx context.Context, w *work) (Schedule, error) {
		t := w.t
		j, err := newJudge(ctx, t, w.s, n, w.threads)
		if err != nil {
			return nil, err
		}
		now := All(t.Layers, t.Tokens)
		set, end := w.s.Stage("greedy search", rounds)
		defer end()
		for k := range rounds {
			goal := w.whole - (w.whole-w.target)*float64(k+1)/float64(rounds)
			var best Schedule
			least := 0.0
			for i := t.first; i < t.Layers; i++ {
				for _, merged := range []bool{false, true} {
					s, ok := t.cut(w.whole, goal, now, i, merged)
					if !ok {
						continue
					}
					loss, err := j.of(ctx, s)
					if err != nil {
						return nil, err
					}
					if best == nil || loss < least {
						best, least = s, loss
					}
				}
			}
			if best == nil {
				break // only together
			}
			now = best
			w.r.Curve = append(w.r.Curve, Point{k + 1, least, t.cost(w.whole, now) / w.whole})
			set(k+1, fmt.Sprintf("loss %.4f, %.3f of the operations", least, t.cost(w.whole, now)/w.whole))
		}
		w.r.Tried = len(j.tried)
		return t.fit(w.whole, w.target, now), nil
	}
}

// cut is s with so many tokens less after layer i that the cost is at most goal; layers after it have as many at most. It is false where
// the layer has not so many.
func (t *ViT) cut(whole, goal float64, s Schedule, i int, merged bool) (Schedule, bool) {
	for n := 1; ; n++ {
		out := s.clone()
		k := out[i].Merge - n
		if k < t.least() {
			return nil, false
		}
		if out[i].Merge = k; !merged {
			out[i].Prune = max(k, s[i].Prune-n) // what was merged stays merged
		}
		if out = t.settled(out); t.cost(whole, out) <= goal {
			return out, true
		}
	}
}

// evolved chooses by evolution: of schedules that keep to the target the better half survives, and their changed copies take the place of
// the others, until so many were tried on n examples.
func evolved(tries, n int) chooser {
	return func(ctx context.Context, w *work) (Schedule, error) {
		const people = 12
		t := w.t
		j, err := newJudge(ctx, t, w.s, n, w.threads)
		if err != nil {
			return nil, err
		}
		r := rand.New(rand.NewPCG(w.s.Seed, 11))
		type one struct {
			s    Schedule
			loss float64
		}
		var all []one
		set, end := w.s.Stage("evolution", tries)
		defer end()
		add := func(s Schedule) error {
			s = t.fit(w.whole, w.target, s)
			if slices.ContainsFunc(all, func(o one) bool { return slices.Equal(o.s, s) }) {
				return nil
			}
			loss, err := j.of(ctx, s)
			all = append(all, one{s, loss})
			set(len(j.tried), fmt.Sprintf("loss %.4f", loss))
			return err
		}
		for _, how := range []func(from, to int) Kept{
			func(_, to int) Kept { return Kept{to, to} },
			func(from, to int) Kept { return Kept{from, to} },
			func(from, to int) Kept { return Kept{(from + to) / 2, to} },
		} {
			if err := add(t.uniform(w.whole, w.target, how)); err != nil {
				return nil, err
			}
		}
		for i := t.first; i < t.Layers && len(all) < people; i++ { // all at once in one layer
			for _, merged := range []bool{true, false} {
				if s, ok := t.cut(w.whole, w.target, All(t.Layers, t.Tokens), i, merged); ok {
					if err := add(s); err != nil {
						return nil, err
					}
				}
			}
		}
		better := func(a, b one) int { return cmp.Compare(a.loss, b.loss) }
		for idle := 0; len(j.tried) < tries && idle < 100; {
			slices.SortStableFunc(all, better)
			all = all[:min(len(all), people/2)]
			w.r.Curve = append(w.r.Curve, Point{len(j.tried), all[0].loss, t.cost(w.whole, all[0].s) / w.whole})
			for range people - len(all) {
				had := len(j.tried)
				if err := add(t.changed(all[r.IntN(min(len(all), people/2))].s, r)); err != nil {
					return nil, err
				}
				if idle++; len(j.tried) > had {
					idle = 0
				}
			}
		}
		slices.SortStableFunc(all, better)
		w.r.Tried = len(j.tried)
		return all[0].s, nil
	}
}

// changed is s with other numbers in some layers.
func (t *ViT) changed(s Schedule, r *rand.Rand) Schedule {
	out := s.clone()
	span := max(2, (t.Tokens-t.Prefix)/4)
	for range 1 + r.IntN(3) {
		i := t.first + r.IntN(t.Layers-t.first)
		d := r.IntN(2*span+1) - span
		switch r.IntN(3) {
		case 0:
			out[i].Prune += d
		case 1:
			out[i].Merge += d
		default:
			out[i].Prune, out[i].Merge = out[i].Prune+d, out[i].Merge+d
		}
		for k := i + 1; k < len(out) && d > 0; k++ { // those after may have more too
			if r.IntN(2) == 0 {
				out[k].Prune, out[k].Merge = out[k].Prune+d, out[k].Merge+d
			}
		}
	}
	return t.settled(out)
}

// random is a schedule that keeps to the target and is good for nothing else: what a search must beat.
func (t *ViT) random(whole, target float64, seed uint64) Schedule {
	r := rand.New(rand.NewPCG(seed, 12))
	s := All(t.Layers, t.Tokens)
	p, m := t.Tokens, t.Tokens
	for i := t.first; i < len(s); i++ {
		p -= r.IntN(max(2, 2*t.Tokens/t.Layers))
		m -= r.IntN(max(2, 2*t.Tokens/t.Layers))
		s[i] = Kept{p, min(p, m)}
	}
	return t.fit(whole, target, s)
}
