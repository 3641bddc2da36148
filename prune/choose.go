package prune

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/internal/memory"
)

// Choice says which examples are kept, by their place in the order of scores.
type Choice struct {
	Keep float64 // fraction of the data set to keep, in (0, 1]
	// fraction with the lowest scores to leave out; the Keep fraction above it stays, the rest goes. nil: the highest scores stay
	Offset *float64
	// fraction with the highest scores to leave out first, suspected label errors; the highest of the rest stay. Not with Offset
	DropTop float64
	Balance bool // keep the fraction of every class, instead of the whole
}

// ordering is what lists of examples are for, where there is no memory for one.
const ordering = "the examples in the order of their scores"

// order sorts indices by ascending score, then id.
func order(score []float64, ids []string) []int {
	idx := memory.Slice[int](len(score), ordering)
	for i := range idx {
		idx[i] = i
	}
	slices.SortStableFunc(idx, func(a, b int) int {
		return cmp.Or(cmp.Compare(score[a], score[b]), cmp.Compare(ids[a], ids[b]))
	})
	return idx
}

// Chosen are the indices of the examples that are kept, ascending, and of those among them that stand for a class of which the choice by
// scores would have kept none.
type Chosen struct{ Kept, Rescued []int }

// Choose is Select, which also tells which examples stand for their class.
func (s *Scores) Choose(c Choice) (Chosen, error) {
	kept, err := s.byScore(c)
	if err != nil {
		return Chosen{}, err
	}
	rescued, err := s.rescue(kept, c)
	slices.Sort(kept)
	slices.Sort(rescued)
	return Chosen{kept, rescued}, err
}

// rescue puts, for each class that has examples and of which none is kept, its highest score below the dropped ones in the place of the
// lowest score of the class that has most: no class vanishes. It changes kept.
func (s *Scores) rescue(kept []int, c Choice) (rescued []int, err error) {
	count := map[int]int{}
	for _, y := range s.Labels {
		if y >= 0 {
			count[y] = 0
		}
	}
	if len(count) > len(kept) {
		return nil, fmt.Errorf("prune: a class would vanish: examples to be kept %d, classes %d; keep more", len(kept), len(count))
	}
	for _, i := range kept {
		if y := s.Labels[i]; y >= 0 {
			count[y]++
		}
	}
	order := s.Order()
	place := memory.Slice[int](len(order), ordering)
	for k, i := range order {
		place[i] = k
	}
	below := len(order) - int(math.Round(c.DropTop*float64(len(order))))
	for _, y := range slices.Sorted(maps.Keys(count)) {
		if count[y] > 0 {
			continue
		}
		best := -1
		for _, i := range order {
			if s.Labels[i] == y && (best < 0 || place[i] < below) {
				best = i
			}
		}
		out := -1 // its place in kept
		for k, i := range kept {
			z := s.Labels[i]
			if count[z] < 2 {
				continue
			}
			if out < 0 || count[z] > count[s.Labels[kept[out]]] || z == s.Labels[kept[out]] && place[i] < place[kept[out]] {
				out = k
			}
		}
		count[s.Labels[kept[out]]]--
		count[y]++
		kept[out] = best
		rescued = append(rescued, best)
	}
	return rescued, nil
}

// Select lists the indices of the examples that c keeps, ascending. Of n examples in ascending order of score it keeps, with k the number
// to keep, the last k; with an offset those at [off : off+k]; with DropTop the last k below the dropped ones. Beyond the paper: of each
// class that has examples at least one is kept (see Choose), and a choice of fewer examples than classes fails.
//
// Source: https://github.com/mansheej/data_diet, data_diet/data.py (keep_max_scores, offset).
func (s *Scores) Select(c Choice) ([]int, error) {
	ch, err := s.Choose(c)
	return ch.Kept, err
}

// byScore is the choice by the scores alone, in no order.
func (s *Scores) byScore(c Choice) ([]int, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	groups := map[int][]int{}
	for _, i := range s.Order() {
		g := 0
		if c.Balance {
			g = s.Labels[i]
		}
		groups[g] = append(groups[g], i)
	}
	var kept []int
	for _, idx := range groups {
		n := len(idx)
		share := func(f float64) int { return int(math.Round(f * float64(n))) }
		k := share(c.Keep)
		lo := n - share(c.DropTop) - k
		if c.Offset != nil {
			lo = share(*c.Offset)
		}
		lo = min(max(lo, 0), n)
		kept = append(kept, idx[lo:min(lo+k, n)]...)
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("prune: keep %v of %d examples is none", c.Keep, len(s.IDs))
	}
	return kept, nil
}

// check refuses fractions that make no choice.
func (c Choice) check() error {
	if !(c.Keep > 0 && c.Keep <= 1) {
		return fmt.Errorf("prune: keep %v: must be in (0, 1]", c.Keep)
	}
	if !(c.DropTop >= 0 && c.DropTop < 1) {
		return fmt.Errorf("prune: drop-top %v: must be in [0, 1)", c.DropTop)
	}
	if c.Offset == nil {
		return nil
	}
	if o := *c.Offset; !(o >= 0 && o < 1) {
		return fmt.Errorf("prune: offset %v: must be in [0, 1)", o)
	}
	if c.DropTop != 0 {
		return errors.New("prune: offset and drop-top exclude each other")
	}
	return nil
}

// Spearman is the rank correlation of x and y, ties given their average rank.
//
// Source: Spearman 1904; ties as in Kendall, "Rank Correlation Methods", chapter 3.
func Spearman(x, y []float64) float64 {
	a, b := ranks(x), ranks(y)
	var ma, mb float64
	for i := range a {
		ma += a[i] / float64(len(a))
		mb += b[i] / float64(len(b))
	}
	var sab, saa, sbb float64
	for i := range a {
		sab += (a[i] - ma) * (b[i] - mb)
		saa += (a[i] - ma) * (a[i] - ma)
		sbb += (b[i] - mb) * (b[i] - mb)
	}
	return sab / math.Sqrt(saa*sbb)
}

func ranks(x []float64) []float64 {
	idx := make([]int, len(x))
	for i := range idx {
		idx[i] = i
	}
	slices.SortFunc(idx, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	r := make([]float64, len(x))
	for i := 0; i < len(idx); {
		j := i
		for j < len(idx) && x[idx[j]] == x[idx[i]] {
			j++
		}
		for k := i; k < j; k++ {
			r[idx[k]] = float64(i+j-1)/2 + 1
		}
		i = j
	}
	return r
}
