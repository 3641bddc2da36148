package data

import (
	"fmt"
	"iter"
	"strings"
)

// flagPair is two words that say no and yes.
type flagPair struct {
	no, yes string
	both    bool // a column counts only when both are seen: one alone may be a code
}

// flagPairs is the words for no and yes, in lower case. pandas and R write False and True, FALSE and TRUE.
var flagPairs = []flagPair{{"false", "true", false}, {"no", "yes", false}, {"off", "on", true}, {"f", "t", true}, {"n", "y", true}}

// of is 0 or 1 for the words of p, in capitals or not; false for all else.
func (p flagPair) of(s string) (v float64, ok bool) {
	switch {
	case strings.EqualFold(s, p.no):
		return 0, true
	case strings.EqualFold(s, p.yes):
		return 1, true
	}
	return 0, false
}

// flagsOf is the pair to which all values belong that are not missing, nil for none.
func flagsOf(values iter.Seq[string]) *flagPair {
	for k := range flagPairs {
		p := &flagPairs[k]
		fit, seen := true, [2]bool{}
		for s := range values {
			v, ok := p.of(s)
			if !ok && !absent(s) {
				fit = false
				break
			}
			if ok {
				seen[int(v)] = true
			}
		}
		if fit && (seen[0] && seen[1] || !p.both && (seen[0] || seen[1])) {
			return p
		}
	}
	return nil
}

// findFlags finds the columns of true and false in the rows that are known.
func (t *table) findFlags() {
	t.flags = make([]*flagPair, len(t.columns))
	t.flagged, t.rounded = make([]bool, len(t.columns)), make([]bool, len(t.columns))
	for c := range t.columns {
		t.flags[c] = flagsOf(func(yield func(string) bool) {
			for _, r := range t.sample {
				if c < len(r.fields) && !yield(r.fields[c]) {
					return
				}
			}
		})
	}
}

// flag is the 0 or 1 in column c of a row, where the column holds true and false.
func (t *table) flag(row []string, c int) (float64, error) {
	p := t.flags[c]
	v, ok := p.of(row[c])
	if !ok {
		return 0, malformed(t.path, t.place(c), "correct the value, or name the column with --group-by if it is no feature",
			"%q in a column of %s and %s", clip(row[c]), p.no, p.yes)
	}
	t.flagged[c] = true
	return v, nil
}

// valueNotes says which columns of true and false were read as numbers, and which numbers float32 does not hold.
func (t *table) valueNotes() (notes []string) {
	for _, k := range []struct {
		is   []bool
		what string
	}{
		{t.flagged, "%s of yes and no: 1 and 0"},
		{t.rounded, "%s: whole numbers beyond 2^24 are rounded to float32; subtract the smallest, or divide"},
	} {
		var names []string
		for c, is := range k.is {
			if is {
				names = append(names, t.columns[c])
			}
		}
		if names != nil {
			notes = append(notes, fmt.Sprintf(k.what, theColumns(names)))
		}
	}
	return notes
}

// theColumns is "the column a" or "the columns a, b".
func theColumns(names []string) string {
	if len(names) == 1 {
		return "the column " + clip(names[0])
	}
	return "the columns " + clip(strings.Join(names, ", "))
}

// digitsOfFlags writes labels of true and false as 1 and 0; labels of anything else stay.
func digitsOfFlags(labels *words) *words {
	p := flagsOf(labels.some())
	if p == nil {
		return labels
	}
	return labels.each(func(s string) string {
		if v, ok := p.of(s); ok {
			return string(rune('0' + int(v)))
		}
		return s
	})
}
