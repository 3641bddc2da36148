package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxSuggestions is how many names a message can carry and still be read.
const maxSuggestions = 3

// Suggest is the names of known that name was probably meant to be, nearest first, at most three: those within a third of
// their length (at least one) of edits, case and the difference of - _ . and space aside, and those that begin with name.
func Suggest(name string, known []string) []string {
	type candidate struct {
		name string
		dist int
	}
	want := fold(name)
	if len(want) == 0 {
		return nil
	}
	var near []candidate
	for _, k := range known {
		have := fold(k)
		limit := max(1, len(have)/3)
		if d := len(want) - len(have); d > limit { // also keeps a hostile name from costing time
			continue
		}
		if d := len(have) - len(want); d > limit { // so many insertions at least, and of one that begins so, just so many
			if len(want) >= 3 && slices.Equal(have[:len(want)], want) {
				near = append(near, candidate{k, d})
			}
			continue
		}
		if d := distance(want, have); d <= limit && d < len(have) || len(want) >= 3 && len(want) <= len(have) &&
			slices.Equal(have[:len(want)], want) {
			near = append(near, candidate{k, d})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.dist, b.dist), strings.Compare(a.name, b.name))
	})
	out := make([]string, 0, maxSuggestions)
	for _, c := range near[:min(len(near), maxSuggestions)] {
		out = append(out, c.name)
	}
	return out
}

// fold is what counts of a name.
func fold(s string) []rune {
	return []rune(strings.Map(func(r rune) rune {
		switch r {
		case '_', ' ', '.':
			return '-'
		}
		return r
	}, strings.ToLower(s)))
}

// distance is the Damerau-Levenshtein distance: the least number of insertions, deletions, substitutions
// and swaps of neighbours that make b of a, where text between swapped letters may be edited too.
//
// Source: F. Damerau, "A technique for computer detection and correction of spelling errors", CACM 7(3), 1964;
// R. Lowrance and R. Wagner, "An extension of the string-to-string correction problem", JACM 22(2), 1975.
func distance(a, b []rune) int {
	inf := len(a) + len(b)
	w := len(b) + 2
	d := make([]int, (len(a)+2)*w) // row and column 0 are the border of Lowrance and Wagner
	at := func(i, j int) *int { return &d[i*w+j] }
	*at(0, 0) = inf
	for i := range len(a) + 1 {
		*at(i+1, 0), *at(i+1, 1) = inf, i
	}
	for j := range len(b) + 1 {
		*at(0, j+1), *at(1, j+1) = inf, j
	}
	lastRow := map[rune]int{} // last row of a with that rune
	for i := 1; i <= len(a); i++ {
		lastCol := 0 // last column in this row where the runes agreed
		for j := 1; j <= len(b); j++ {
			r, c := lastRow[b[j-1]], lastCol
			cost := 1
			if a[i-1] == b[j-1] {
				cost, lastCol = 0, j
			}
			*at(i+1, j+1) = min(
				*at(i, j)+cost,
				*at(i+1, j)+1,
				*at(i, j+1)+1,
				*at(r, c)+(i-r-1)+1+(j-c-1),
			)
		}
		lastRow[a[i-1]] = i
	}
	return *at(len(a)+1, len(b)+1)
}

// Hint is what an error says of a name that is not known: " (did you mean \"…\"?)", or nothing when no known name is near.
func Hint(name string, known []string) string {
	if near := Suggest(name, known); len(near) > 0 {
		return fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	return ""
}
