package prune

import (
	"slices"
	"testing"
)

// No class vanishes: each keeps its highest score, in the place of the lowest score of the class that has most.
func TestNoClassVanishes(t *testing.T) {
	s := &Scores{
		IDs: []string{"a", "b", "c", "d", "e", "f", "g", "h"}, Labels: []int{0, 0, 0, 0, 1, 1, 2, 2},
		Runs: [][]float64{{.8, .7, .9, .95, .2, .1, .3, .31}},
	}
	s.average()
	for _, x := range []struct {
		c             Choice
		kept, rescued []int
	}{
		{Choice{Keep: .5}, []int{2, 3, 4, 7}, []int{4, 7}},
		{Choice{Keep: .375}, []int{3, 4, 7}, []int{4, 7}},
		{Choice{Keep: .5, Offset: new(0.0)}, []int{3, 4, 6, 7}, []int{3}}, // by scores f, e, g, h; f gives way
		{Choice{Keep: .375, DropTop: .125}, []int{2, 4, 7}, []int{4, 7}},
		{Choice{Keep: 1}, []int{0, 1, 2, 3, 4, 5, 6, 7}, nil},
		{Choice{Keep: .25}, nil, nil}, // two examples for three classes
	} {
		got, err := s.Choose(x.c)
		if x.kept == nil {
			if err == nil {
				t.Errorf("%+v keeps %v", x.c, got.Kept)
			}
			continue
		}
		if err != nil || !slices.Equal(got.Kept, x.kept) || !slices.Equal(got.Rescued, x.rescued) {
			t.Errorf("%+v keeps %v, rescued %v (%v), want %v and %v", x.c, got.Kept, got.Rescued, err, x.kept, x.rescued)
		}
	}
	s.Labels = []int{-1, -1, -1, -1, -1, -1, -1, -1}
	if got, err := s.Choose(Choice{Keep: .25}); err != nil || !slices.Equal(got.Kept, []int{2, 3}) {
		t.Errorf("without classes: %v, %v", got, err)
	}
}
