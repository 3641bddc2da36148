//go:build linux

package torture

import (
	"fmt"
	"slices"
	"strings"
)

// A bomb is a small input that asks for a lot, made for a size. Its commands must be refused, or done within limits.
type bomb struct {
	name     string
	sizes    []int
	make     func(t *trial, n int)
	commands []string // space separated
	limits   func(l *limits)
	endless  bool // work that may be meant: it is enough that it ends when it is interrupted
}

// counts are those sizes that an int of this machine can have.
func counts(sizes ...int64) (out []int) {
	for _, n := range sizes {
		if n == int64(int(n)) {
			out = append(out, int(n))
		}
	}
	return out
}

// bombs are those of the kinds, filled by the files bomb_*.go.
var bombs = map[string][]bomb{}

// bombCases is a row for each size of each bomb of a kind, by name.
func bombCases(kind string) (rows [][2]int) {
	slices.SortFunc(bombs[kind], func(a, b bomb) int { return strings.Compare(a.name, b.name) })
	for i, b := range bombs[kind] {
		for k := range b.sizes {
			rows = append(rows, [2]int{i, k})
		}
	}
	return rows
}

func bombKind(name, what string, share float64) kind {
	return kind{
		name: name, what: what, share: share, run: runBomb,
		cases: func(*campaign) int { return len(bombCases(name)) },
	}
}

func init() {
	kinds = append(kinds,
		bombKind("model-bomb", "small models that ask for much memory or time: sparse, folding, external data, runs, depth, width, names",
			0.1),
		bombKind("data-bomb", "data sets, pictures, labels and configs that claim or unfold to much", 0.1),
	)
}

func runBomb(t *trial) {
	row := bombCases(t.kind)[t.index]
	b := bombs[t.kind][row[0]]
	n := b.sizes[row[1]]
	b.make(t, n)
	l := bombLimits
	if b.limits != nil {
		b.limits(&l)
	}
	for _, line := range b.commands {
		args := strings.Fields(line)
		t.notes = []string{fmt.Sprintf("%s of size %d: gtk %s", b.name, n, line)}
		o := t.exec(command{args: args, limits: codes(l, line)})
		if o.endedWhenAsked() && b.endless {
			continue
		}
		for _, way := range o.wrong(codes(l, line)) {
			t.fail(fmt.Sprintf("%s/%s/%s", b.name, args[0], way), "size %d: %s", n, o)
		}
	}
}
