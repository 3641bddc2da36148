package tokens

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Kept is how many tokens are left after an attention layer, those in front counted.
type Kept struct {
	Prune int `json:"prune"` // after the least important ones were left out
	Merge int `json:"merge"` // after others were merged
}

// Schedule is how many tokens are left after each attention layer. In the first all are.
type Schedule []Kept

// All is the schedule that leaves all tokens of a model of so many layers.
func All(layers, n int) Schedule {
	s := make(Schedule, layers)
	for i := range s {
		s[i] = Kept{n, n}
	}
	return s
}

// String is for example "65,65 65,33 24", pruned and merged, one number where it is the same.
func (s Schedule) String() string {
	var b strings.Builder
	for i, k := range s {
		if i > 0 {
			b.WriteByte(' ')
		}
		if fmt.Fprint(&b, k.Prune); k.Merge != k.Prune {
			fmt.Fprintf(&b, "→%d", k.Merge)
		}
	}
	return b.String()
}

// counts are the tokens after each layer.
func (s Schedule) counts() []int {
	out := make([]int, len(s))
	for i, k := range s {
		out[i] = k.Merge
	}
	return out
}

// clone is a copy.
func (s Schedule) clone() Schedule { return slices.Clone(s) }

// settled is s with counts that do not rise, at least least, and none left out in layers before the first that may.
func (t *ViT) settled(s Schedule) Schedule {
	out := s.clone()
	have := t.Tokens
	for i := range out {
		if i < t.first {
			out[i] = Kept{have, have}
			continue
		}
		p := min(max(out[i].Prune, t.least()), have)
		m := min(max(out[i].Merge, t.least()), p)
		out[i] = Kept{p, m}
		have = m
	}
	return out
}

// least is the smallest number of tokens that may be left: those in front and two patches.
func (t *ViT) least() int { return t.Prefix + 2 }

// MACs are the multiply-accumulate operations for one example with a schedule, as far as they depend on the tokens after the first layer,
// without what choosing and merging costs.
func (t *ViT) MACs(s Schedule) float64 {
	n := s.counts()
	sum := 0.0
	for _, term := range t.terms {
		x := term.coef
		for _, f := range term.tokens {
			x *= float64(n[f.seg-1] - f.off)
		}
		sum += x
	}
	return sum
}

// slope is the derivative of MACs by the tokens after each layer.
func (t *ViT) slope(s Schedule) []float64 {
	n := s.counts()
	out := make([]float64, len(n))
	for _, term := range t.terms {
		for i, f := range term.tokens {
			x := term.coef
			for k, g := range term.tokens {
				if k != i {
					x *= float64(n[g.seg-1] - g.off)
				}
			}
			out[f.seg-1] += x
		}
	}
	return out
}

// extra are the operations of choosing and merging for one example: similarities, and sums by products with zeros and ones.
func (t *ViT) extra(s Schedule) float64 {
	sum := 0.0
	from := t.Tokens
	for i := range s {
		if gone, left := s[i].Prune-s[i].Merge, s[i].Merge-t.Prefix; len(t.Rows) > 0 && (gone > 0 || s[i].Prune < from) {
			sum += float64(len(t.Rows) * from * t.Width)
			sum += 2 * float64(gone*left*t.Width)
		} else if gone > 0 {
			sum += 2 * float64(gone*left*t.Width)
		}
		from = s[i].Merge
	}
	return sum
}

// cost is the operations of the whole model with a schedule, given those of the model as it is.
func (t *ViT) cost(whole float64, s Schedule) float64 {
	return whole - t.MACs(All(t.Layers, t.Tokens)) + t.MACs(s) + t.extra(s)
}

// fewest is the smallest share of whole that a schedule can leave.
func (t *ViT) fewest(whole float64) float64 {
	s := All(t.Layers, t.Tokens)
	for i := range s {
		s[i] = Kept{t.least(), t.least()}
	}
	return t.cost(whole, t.settled(s)) / whole
}

// uniform is the schedule by which each layer after the first loses the same number of tokens, by made(left before, rate), with the rate
// found by halving so that cost is at most target; whole numbers are those of the running sum.
func (t *ViT) uniform(whole, target float64, made func(from, to int) Kept) Schedule {
	of := func(rate float64) Schedule {
		s, from := All(t.Layers, t.Tokens), t.Tokens
		for i := t.first; i < len(s); i++ {
			to := max(t.least(), t.Tokens-int(math.Round(rate*float64(i-t.first+1))))
			s[i] = made(from, min(to, from))
			from = s[i].Merge
		}
		return s
	}
	lo, hi := 0.0, float64(t.Tokens)
	for range 60 {
		if mid := (lo + hi) / 2; t.cost(whole, of(mid)) > target {
			lo = mid
		} else {
			hi = mid
		}
	}
	return of(hi)
}
