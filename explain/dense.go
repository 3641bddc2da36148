package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// dense explains the mean of the score of a class over positions: a region, or where the class is the highest. With one number z at each
// position class 1 is where z > 0, and class 0 elsewhere, scored by -z.
type dense struct {
	scoreTensor
	region []float32 // weight of each position, of sum 1; nil when the scores decide
}

// setRegion reads y0:y1,x0:x1, from:to, y,x or one position.
func (d *dense) setRegion(s string) error {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	bad := fmt.Errorf("explain: region %q: the output has positions %v; want %s, half-open", s, d.extents(),
		map[bool]string{true: "from:to or one position", false: "y0:y1,x0:x1 or y,x"}[len(d.grid) == 1])
	if len(parts) != len(d.grid) {
		return bad
	}
	d.region = make([]float32, d.positions())
	inside := slices.Repeat([]bool{true}, len(d.region))
	inner := len(d.region)
	for i, p := range parts {
		from, to, isRange := strings.Cut(p, ":")
		a, err := strconv.Atoi(strings.TrimSpace(from))
		b := a + 1
		if isRange && err == nil {
			b, err = strconv.Atoi(strings.TrimSpace(to))
		}
		n := d.extents()[i]
		if err != nil || a < 0 || b <= a || b > n {
			return bad
		}
		inner /= n
		for u := range inside {
			at := u / inner % n
			inside[u] = inside[u] && at >= a && at < b
		}
	}
	count := 0
	for _, in := range inside {
		if in {
			count++
		}
	}
	for u, in := range inside {
		if in {
			d.region[u] = 1 / float32(count)
		}
	}
	return nil
}

// extents are those of the axes of positions.
func (d *dense) extents() []int {
	var out []int
	for _, k := range d.grid {
		out = append(out, d.shape[k])
	}
	return out
}

func (d *dense) count() int { return max(2, d.classes) }

func (d *dense) add(b *build) graph.Value {
	n, k := d.positions(), max(2, d.classes)
	z := d.flat(b) // [N,K,P]
	if d.classes == 1 {
		z = b.op(ops.Concat, graph.Attrs{"axis": int64(1)}, b.Add(ops.Neg, nil, z), z)
	}
	dt := b.DType(z)
	best := b.best(z) // [N,P]
	is := func(x graph.Value) graph.Value { return b.Add(ops.Cast, ops.CastTo(dt), x) }
	there := is(b.Add(ops.Equal, nil, b.reshape(best, -1, 1, n), b.upTo(k, 1, k, 1))) // [N,K,P]
	if d.region != nil {
		there = b.Add(ops.Mul, nil, there, b.weights(d.region, dt, 1, 1, n))
	}
	mine := b.best(b.sum(there, 2))
	class := b.chosen(mine) // [N]
	s := b.scored(d.score, z, d.each || d.classes == 1)
	one := b.Add(ops.Equal, nil, b.reshape(class, -1, 1, 1), b.upTo(k, 1, k, 1))
	s = b.sum(b.Add(ops.Where, nil, one, s, b.zero(s)), 1) // [N,P]
	if d.region != nil {
		return b.sum(b.Add(ops.Mul, nil, s, b.weights(d.region, dt, 1, n)), 1)
	}
	mask := is(b.Add(ops.Equal, nil, best, b.reshape(class, -1, 1)))
	count := b.Add(ops.ReduceSum, ops.KeepDims(true), mask, b.Ints(1)) // [N,1]
	all := ops.Fill(b.Builder, mask, 1)
	some := b.Add(ops.Greater, nil, count, b.zero(count))
	mask = b.Add(ops.Where, nil, some, mask, all)
	count = b.Add(ops.ReduceSum, ops.KeepDims(true), mask, b.Ints(1))
	return b.sum(b.Add(ops.Mul, nil, s, b.Add(ops.Div, nil, mask, count)), 1)
}

// weights is the constant x of type d.
func (b *build) weights(x []float32, d tensor.DType, shape ...int) graph.Value {
	t := tensor.From(x, shape...)
	if d == tensor.Float64 {
		t = tensor.From(t.Float64s(), shape...)
	}
	return b.Const(t)
}

// read gives each class the share of the positions at which it is the highest as its probability, and the mean of its scores there.
func (d *dense) read(f fetched, n int) ([]reading, error) {
	x, err := d.numbers(f, n)
	if err != nil {
		return nil, err
	}
	k := max(2, d.classes)
	out := make([]reading, n)
	z := make([]float64, k)
	for r := range out {
		sum, all, share := make([]float64, k), make([]float64, k), make([]float64, k)
		for u := range d.positions() {
			w := 1 / float64(d.positions())
			if d.region != nil {
				w = float64(d.region[u])
			}
			for c := range d.classes {
				z[c] = d.at(x, r, c, u)
			}
			if d.classes == 1 {
				z[0], z[1] = -z[0], z[0]
			}
			best := 0
			for c, v := range z {
				all[c] += w * v
				if v > z[best] {
					best = c
				}
			}
			sum[best] += w * z[best]
			share[best] += w
		}
		for c := range all {
			if share[c] > 0 && d.region == nil {
				all[c] = sum[c] / share[c]
			}
		}
		out[r] = reading{float32s(all), share}
	}
	return out, nil
}

// strength ranks the classes of a row by how much of the positions is theirs, then by their mean score: the largest for the first.
func (d *dense) strength(r reading) []float32 {
	order := make([]int, len(r.p))
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(r.p[b], r.p[a]), cmp.Compare(r.z[b], r.z[a])) })
	out := make([]float32, len(order))
	for i, k := range order {
		out[k] = float32(len(order) - i)
	}
	return out
}

// choices ranks the classes by how much of the positions is theirs.
func (d *dense) choices(t Target, r reading) ([]int, error) {
	if d.classes == 1 {
		return t.classes(d.strength(r))
	}
	return d.chosenBy(t, d.strength(r))
}

func (d *dense) about(r reading, k int) Prediction {
	p := Prediction{Class: k, Logit: r.z[k], Prob: r.p[k], Share: true}
	if d.classes == 1 {
		p.Label = []string{"negative", "positive"}[k]
	}
	return p
}
