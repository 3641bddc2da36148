package job

import (
	"slices"
	"testing"
)

func TestTargetWords(t *testing.T) {
	labels := []string{"kite", "bald eagle, American eagle, Haliaeetus leucocephalus", "tench,Tinca tinca", "bald eagle", "a, b",
		"a, b, c"}
	for _, c := range []struct{ pieces, want []string }{
		{[]string{"bald eagle", "American eagle", "Haliaeetus leucocephalus"}, []string{labels[1]}},
		{[]string{"kite", "tench", "tinca tinca", "argmax"}, []string{"kite", labels[2], "argmax"}},
		{[]string{"bald eagle", "kite"}, []string{"bald eagle", "kite"}},
		{[]string{"a", " b", "c", "a", "b"}, []string{"a, b, c", "a, b"}},
		{[]string{"3", "top3"}, []string{"3", "top3"}},
		{[]string{labels[1]}, []string{labels[1]}}, // from a program, uncut
		{nil, nil},
	} {
		if got := targetWords(c.pieces, labels); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.pieces, got, c.want)
		}
	}
}
