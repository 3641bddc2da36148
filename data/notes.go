package data

import "slices"

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
