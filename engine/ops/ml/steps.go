package ml

import "math"

// steps is a forest whose every branch is x <= value, for rows without NaN: leaves are nodes that lead to themselves, so that several
// rows go down a tree together, as many steps as it is deep, without a jump that depends on them.
type steps[T real] struct {
	nodes []step[T]
	roots []int32
	depth []int32 // of each tree
	first int32   // node of leaf 0
}

type step[T real] struct {
	value            T
	feature, yes, no int32
}

// lanes is how many rows go down together, and stride how many steps until it is looked whether all have come to a leaf.
const (
	lanes  = 4
	stride = 8
)

// ordered is p as steps, nil when a branch asks for more than an order.
func (p *packed[T]) ordered() *steps[T] {
	branches, leaves := len(p.nodes), len(p.first)-1
	s := &steps[T]{nodes: make([]step[T], 0, branches+leaves), first: int32(branches)}
	place := func(n int32) int32 {
		if n < 0 {
			return s.first + ^n
		}
		return n
	}
	for _, d := range p.nodes {
		v, yes, no := d.value, place(d.yes), place(d.no)
		if d.mode > gt || math.IsInf(float64(v), 0) || v != v {
			return nil
		}
		if d.mode == lt || d.mode == gte { // x < v is x <= the number before v
			v = before(v)
		}
		if d.mode == gt || d.mode == gte {
			yes, no = no, yes
		}
		s.nodes = append(s.nodes, step[T]{v, d.feature, yes, no})
	}
	for i := range leaves {
		n := s.first + int32(i)
		s.nodes = append(s.nodes, step[T]{0, 0, n, n})
	}
	height := make([]int32, branches) // of what is below a branch
	below := func(n int32) int32 {
		if n < 0 {
			return 0
		}
		return height[n]
	}
	for i := branches - 1; i >= 0; i-- { // children come after their parents but where trees share them
		d := p.nodes[i]
		if d.yes >= 0 && d.yes <= int32(i) || d.no >= 0 && d.no <= int32(i) {
			return nil
		}
		height[i] = 1 + max(below(d.yes), below(d.no))
	}
	for _, r := range p.roots {
		s.roots, s.depth = append(s.roots, place(r)), append(s.depth, below(r))
	}
	return s
}

// before is the largest number below v, which is finite.
func before[T real](v T) T {
	if x, double := any(v).(float64); double {
		return T(math.Nextafter(x, math.Inf(-1)))
	}
	return T(math.Nextafter32(float32(v), float32(math.Inf(-1))))
}

// walk takes the first rows of x, [lanes,columns], down tree t and gives their leaves.
func (s *steps[T]) walk(t int, x []T, columns int, leaves []int32) {
	nodes := s.nodes
	a, b, c, d := s.roots[t], s.roots[t], s.roots[t], s.roots[t]
	xa, xb, xc, xd := x[:columns], x[columns:2*columns], x[2*columns:3*columns], x[3*columns:4*columns]
	for left := s.depth[t]; left > 0; left -= stride {
		for range min(left, stride) {
			p, q, u, v := &nodes[a], &nodes[b], &nodes[c], &nodes[d]
			if a = p.no; xa[p.feature] <= p.value {
				a = p.yes
			}
			if b = q.no; xb[q.feature] <= q.value {
				b = q.yes
			}
			if c = u.no; xc[u.feature] <= u.value {
				c = u.yes
			}
			if d = v.no; xd[v.feature] <= v.value {
				d = v.yes
			}
		}
		if min(a, b, c, d) >= s.first {
			break
		}
	}
	leaves[0], leaves[1], leaves[2], leaves[3] = a-s.first, b-s.first, c-s.first, d-s.first
}
