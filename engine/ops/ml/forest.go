package ml

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// mode is the comparison of a branch, in the order of the numbers that TreeEnsemble has for them.
type mode uint8

const (
	leq mode = iota
	lt
	gte
	gt
	eq
	neq
	member
	modes
)

// aggregate is how the votes of the trees become one score.
type aggregate uint8

// The aggregates, in the order of the numbers that TreeEnsemble has for them.
const (
	average aggregate = iota
	sum
	least
	most
)

// branch is a node of a tree that asks about one feature. Its children are nodes, or leaves where negative: ^leaf.
type branch struct {
	mode    mode
	missing bool // a feature that is NaN goes to yes
	feature int
	value   float64
	yes, no int
	among   []float64 // for member
}

// vote is what a leaf adds to a target.
type vote struct {
	target int
	weight float64
}

// forest is an ensemble of trees: nodes and leaves in the order in which they are met, trees in the order of the file.
type forest struct {
	branches []branch
	roots    []int // as the children of a branch
	leaves   [][]vote
	targets  int
	features int  // 1 + the highest
	double   bool // has constants in double precision

	single  func() *packed[float32]
	precise func() *packed[float64]
}

// finish brings the branches into the order of a walk, true before false, and fails for a branch that can reach itself. What no root
// reaches is left out.
func (f *forest) finish() error {
	const (
		open = -1
		next = 0 // of those that were not met
	)
	at := make([]int, len(f.branches)) // 1 + its place, 0 for one that was not met
	closed := make([]bool, len(f.branches))
	var order []branch
	var path []int
	for i, root := range f.roots {
		if root < 0 {
			continue
		}
		path = append(path[:0], root)
		for len(path) > 0 {
			b := path[len(path)-1]
			if at[b] == next {
				order = append(order, f.branches[b])
				at[b] = len(order)
			}
			down := open
			for _, child := range []int{f.branches[b].yes, f.branches[b].no} {
				if child < 0 || closed[child] {
					continue
				}
				if at[child] != next {
					return fmt.Errorf("tree %d: a branch leads back to itself", i)
				}
				down = child
				break
			}
			if down == open {
				closed[b] = true
				path = path[:len(path)-1]
			} else {
				path = append(path, down)
			}
		}
	}
	place := func(b int) int {
		if b < 0 {
			return b
		}
		return at[b] - 1
	}
	for i := range order {
		b := &order[i]
		b.yes, b.no = place(b.yes), place(b.no)
		f.features = max(f.features, b.feature+1)
	}
	for i, r := range f.roots {
		f.roots[i] = place(r)
	}
	f.branches = order
	f.single = sync.OnceValue(func() *packed[float32] { return pack[float32](f) })
	f.precise = sync.OnceValue(func() *packed[float64] { return pack[float64](f) })
	return nil
}

// positive reports whether no vote is negative.
func (f *forest) positive() bool {
	for _, votes := range f.leaves {
		for _, v := range votes {
			if v.weight < 0 {
				return false
			}
		}
	}
	return true
}

// check fails when rows of that many columns do not have the features that the trees ask about.
func (f *forest) check(columns int) error {
	if f.features > columns {
		return fmt.Errorf("the trees ask about feature %d, the input has %d columns", f.features-1, columns)
	}
	return nil
}

// packed is a forest in the form in which it is walked.
type packed[T real] struct {
	nodes  []node[T]
	roots  []int32
	first  []int32 // where the votes of a leaf begin
	target []int32
	weight []T
	among  map[int32]map[T]bool
	steps  *steps[T] // for rows without NaN; nil when a branch asks other than for an order
}

type node[T real] struct {
	value            T
	feature, yes, no int32
	mode             mode
	missing          bool
}

func pack[T real](f *forest) *packed[T] {
	p := &packed[T]{among: map[int32]map[T]bool{}, first: []int32{0}}
	for i, b := range f.branches {
		p.nodes = append(p.nodes, node[T]{T(b.value), int32(b.feature), int32(b.yes), int32(b.no), b.mode, b.missing})
		if b.mode == member {
			set := map[T]bool{}
			for _, x := range b.among {
				set[T(x)] = true
			}
			p.among[int32(i)] = set
		}
	}
	for _, r := range f.roots {
		p.roots = append(p.roots, int32(r))
	}
	for _, votes := range f.leaves {
		for _, v := range votes {
			p.target, p.weight = append(p.target, int32(v.target)), append(p.weight, T(v.weight))
		}
		p.first = append(p.first, int32(len(p.target)))
	}
	p.steps = p.ordered()
	return p
}

// leaf is the leaf that the row x falls into below n.
func (p *packed[T]) leaf(n int32, x []T) int32 {
	for n >= 0 {
		d := &p.nodes[n]
		v := x[d.feature]
		yes := d.missing && v != v
		switch d.mode {
		case leq:
			yes = yes || v <= d.value
		case lt:
			yes = yes || v < d.value
		case gte:
			yes = yes || v >= d.value
		case gt:
			yes = yes || v > d.value
		case eq:
			yes = yes || v == d.value
		case neq:
			yes = yes || v != d.value
		case member:
			yes = yes || p.among[n][v]
		}
		if n = d.no; yes {
			n = d.yes
		}
	}
	return ^n
}

// Rows are walked in blocks through one tree after the other, so that a tree stays near while a block goes through it. With few rows
// the trees are spread over the threads instead. Either way the votes of a row are added in the order of the trees, in the precision
// that is computed in, as ONNX Runtime adds them.
const (
	blockRows = 32
	fewRows   = 8
	manyTrees = 64
)

// score walks every row of x [rows,columns] and hands done its scores by target, which it may change; voted tells which targets had a
// vote, for aggregates that cannot do without. Rows are done on any thread.
func score[T real](c *graph.RunCtx, p *packed[T], x []T, rows, columns, targets int, how aggregate, done func(row int, s []T)) error {
	stopped := func() bool { return c.Context != nil && c.Context.Err() != nil }
	add := func(s []T, voted []bool, leaf int32) {
		for i := p.first[leaf]; i < p.first[leaf+1]; i++ {
			k, w := p.target[i], p.weight[i]
			switch {
			case how == average || how == sum:
				s[k] += w
				continue
			case !voted[k], how == least && w < s[k], how == most && w > s[k]:
				s[k] = w
			}
			voted[k] = true
		}
	}
	end := func(row int, s []T) {
		if how == average && len(p.roots) > 0 {
			for k := range s {
				s[k] /= T(len(p.roots))
			}
		}
		done(row, s)
	}
	if rows <= fewRows && len(p.roots) >= manyTrees {
		leaves := make([]int32, len(p.roots))
		s, voted := make([]T, targets), make([]bool, targets)
		for r := 0; r < rows && !stopped(); r++ {
			row := x[r*columns : (r+1)*columns]
			c.Pool.For(len(leaves), manyTrees/2, func(lo, hi int) {
				for t := lo; t < hi; t++ {
					leaves[t] = p.leaf(p.roots[t], row)
				}
			})
			clear(s)
			clear(voted)
			for _, leaf := range leaves {
				add(s, voted, leaf)
			}
			end(r, s)
		}
	} else {
		c.Pool.For(rows, blockRows, func(lo, hi int) {
			if stopped() {
				return
			}
			n := hi - lo
			s, voted := make([]T, n*targets), make([]bool, n*targets)
			block := x[lo*columns : hi*columns]
			ordered := p.steps != nil && n >= lanes && !slices.ContainsFunc(block, func(v T) bool { return v != v })
			var leaves [blockRows]int32
			for t, root := range p.roots {
				r := 0
				for ; ordered && r+lanes <= n; r += lanes {
					p.steps.walk(t, block[r*columns:], columns, leaves[r:])
				}
				for ; r < n; r++ {
					leaves[r] = p.leaf(root, block[r*columns:(r+1)*columns])
				}
				for r, leaf := range leaves[:n] {
					add(s[r*targets:(r+1)*targets], voted[r*targets:(r+1)*targets], leaf)
				}
			}
			for r := range n {
				end(lo+r, s[r*targets:(r+1)*targets])
			}
		})
	}
	if stopped() {
		return c.Context.Err()
	}
	return nil
}

// scores walks the trees in the precision of the input and of their constants, as ONNX Runtime does: double where either is. done gets
// the scores in double precision, which holds those of single precision exactly, and how a sum is rounded.
func (f *forest) scores(c *graph.RunCtx, how aggregate, done func(row int, s []float64, round func(float64) float64)) error {
	x := c.In[0]
	rows, columns, err := table(x.Shape())
	if err != nil {
		return err
	}
	if f.double || slices.Contains(doubles, x.DType()) {
		v, err := numbersOf[float64](x)
		if err != nil {
			return err
		}
		exact := func(v float64) float64 { return v }
		return score(c, f.precise(), v, rows, columns, f.targets, how, func(row int, s []float64) { done(row, s, exact) })
	}
	v, err := numbersOf[float32](x)
	if err != nil {
		return err
	}
	round := func(v float64) float64 { return float64(float32(v)) }
	return score(c, f.single(), v, rows, columns, f.targets, how, func(row int, s []float32) { done(row, widened(s), round) })
}

// finite is the largest number that an attribute may count to, so that it fits an int32.
const finite = math.MaxInt32
