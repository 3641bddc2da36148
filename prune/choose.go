package prune

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Choice says which examples are kept, by their place in the order of scores.
type Choice struct {
	Keep    float64  // fraction of the data set to keep, in (0, 1]
	Offset  *float64 // fraction with the lowest scores to leave out; the Keep fraction above it stays, the rest goes. nil: the highest scores stay
	DropTop float64  // fraction with the highest scores to leave out first, suspected label errors; the highest of the rest stay. Not with Offset
	Balance bool     // keep the fraction of every class, instead of the whole
}

// order sorts indices by ascending score, then id.
func order(score []float64, ids []string) []int {
	idx := make([]int, len(score))
	for i := range idx {
		idx[i] = i
	}
	slices.SortStableFunc(idx, func(a, b int) int {
		return cmp.Or(cmp.Compare(score[a], score[b]), cmp.Compare(ids[a], ids[b]))
	})
	return idx
}

// Select lists the indices of the examples that c keeps, ascending. Of n examples in ascending order of score it keeps, with k the number to
// keep, the last k; with an offset those at [off : off+k]; with DropTop the last k below the dropped ones.
//
// Source: https://github.com/mansheej/data_diet, data_diet/data.py (keep_max_scores, offset).
func (s *Scores) Select(c Choice) ([]int, error) {
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
	slices.Sort(kept)
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
