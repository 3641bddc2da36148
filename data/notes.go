package data

import (
	"slices"
	"strconv"
)

// Noter is a Dataset that has something to say about how it was read: what was guessed, left out or taken for something.
type Noter interface {
	// Notes is one sentence each, without a full stop, in the order in which the data were read.
	Notes() []string
}

// Notes is what ds and the data sets below it have to say, the innermost first, each sentence once.
func Notes(ds Dataset) []string {
	var layers [][]string
	for ; ds != nil; ds = inner(ds) {
		if n, ok := ds.(Noter); ok {
			layers = append(layers, n.Notes())
		}
	}
	var all []string
	for _, notes := range slices.Backward(layers) {
		for _, s := range notes {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// several is for example "1 row" and "2 rows".
func several(n int, what string) string { return one(n, what, what+"s") }

// one is a number with the form of a word that goes with it.
func one(n int, single, more string) string {
	if n == 1 {
		return "1 " + single
	}
	return strconv.Itoa(n) + " " + more
}
