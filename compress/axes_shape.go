package compress

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// concatAxes: places of the axis one after the other.
func concatAxes(a *axes, x *onnxpb.NodeProto) {
	_, n := a.at(in(x, 0))
	k := axis(number(x, "axis", 0), n)
	if n < 0 || k < 0 {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	out := make([][]int32, n)
	var row []int32
	some, all := false, true
	ranks := make([]int, len(x.GetInput()))
	for i, name := range x.GetInput() {
		es, m := a.at(name)
		if m != n {
			a.stuck(x, "reads a value whose axes are not known")
			return
		}
		ranks[i] = n
		e := es[k]
		some = some || e != nil
		if e == nil {
			d := a.extent(name, k)
			if d < 0 {
				all = false
				break
			}
			e = a.fresh(d)
			a.pin(e, fmt.Sprintf("%s (Concat) has it from what keeps its size", label(x)))
			if a.weight[name] {
				a.of[name][k] = e
			}
		}
		row = append(row, e...)
	}
	if some && !all {
		a.stuck(x, "joins along an axis whose extent is not known")
		return
	}
	for j := range n {
		if j != k {
			out[j] = a.meet(x, x.GetInput(), ranks, n, j)
		}
	}
	if out[k] = nil; some {
		out[k] = row
	}
	a.give(x, out)
}

// splitAxes: parts of the axis; their sizes are said anew.
func splitAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	k := axis(number(x, "axis", 0), n)
	if n < 0 || k < 0 {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	sizes := a.ints(x, 1, "split")
	outs := x.GetOutput()
	if in(x, 1) == "" && sizes == nil && es[k] != nil { // equal parts, the last one smaller
		each := (len(es[k]) + len(outs) - 1) / len(outs)
		for i := range outs {
			sizes = append(sizes, int64(max(0, min(each, len(es[k])-i*each))))
		}
	}
	total := int64(0)
	for _, s := range sizes {
		total += s
	}
	if es[k] != nil && (len(sizes) != len(outs) || total != int64(len(es[k]))) {
		a.stuck(x, "has sizes of parts that are computed")
		return
	}
	var parts [][]int32
	at := int64(0)
	for i, o := range outs {
		part := slices.Clone(es)
		if es[k] != nil {
			part[k] = es[k][at : at+sizes[i]]
			parts = append(parts, part[k])
			at += sizes[i]
		}
		if o != "" {
			a.of[o] = part
		}
	}
	if es[k] == nil {
		return
	}
	a.fixes = append(a.fixes, func(kept func([]int32) []int) {
		v := make([]int64, len(parts))
		for i, p := range parts {
			v[i] = int64(len(kept(p)))
		}
		x.Attribute = slices.DeleteFunc(x.Attribute, func(p *onnxpb.AttributeProto) bool { return p.GetName() == "num_outputs" })
		a.renew(x, 1, v)
	})
}

// sliceAxes: of an axis with places a part without gaps, whose bounds are said anew.
func sliceAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	starts, ends := a.ints(x, 1, "starts"), a.ints(x, 2, "ends")
	list, steps := a.ints(x, 3, "axes"), a.ints(x, 4, "steps")
	if n < 0 || starts == nil || ends == nil || in(x, 3) != "" && list == nil || in(x, 4) != "" && steps == nil {
		a.stuck(x, "has bounds that are computed")
		return
	}
	out := slices.Clone(es)
	for i := range starts {
		k := i
		if list != nil {
			k = axis(list[i], n)
		}
		if k < 0 || k >= n || es[k] == nil {
			continue
		}
		full, size := es[k], int64(len(es[k]))
		if steps != nil && steps[i] != 1 {
			a.pin(full, fmt.Sprintf("%s (Slice) takes each of several", label(x)))
			out[k] = nil
			continue
		}
		lo, hi := starts[i], ends[i]
		if lo < 0 {
			lo += size
		}
		if hi < 0 {
			hi += size
		}
		lo, hi = min(max(lo, 0), size), min(max(hi, 0), size)
		hi = max(lo, hi)
		out[k] = full[lo:hi]
		a.fixes = append(a.fixes, func(kept func([]int32) []int) {
			s, e := a.ints(x, 1, "starts"), a.ints(x, 2, "ends")
			s[i] = int64(len(kept(full[:lo])))
			e[i] = s[i] + int64(len(kept(full[lo:hi])))
			a.renew(x, 1, s)
			a.renew(x, 2, e)
		})
	}
	a.give(x, out)
}

// gatherAxes: places that a stored list names, whose numbers are said anew.
func gatherAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	k := axis(number(x, "axis", 0), n)
	if n < 0 || k < 0 {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	list := a.constant(in(x, 1))
	d := a.dims(in(x, 1))
	switch {
	case d == nil:
		a.stuck(x, "has places whose number is not known")
		return
	case es[k] != nil && (list == nil || list.Rank() != 1):
		a.pin(es[k], fmt.Sprintf("%s (Gather) takes places by number", label(x)))
		es = slices.Clone(es)
		es[k] = nil
	}
	out := slices.Clone(es[:k])
	if es[k] == nil {
		out = append(out, make([][]int32, len(d))...)
	} else {
		full := es[k]
		var row []int32
		var from []int
		for _, f := range list.Float64s() {
			i := axis(int64(f), len(full))
			if i < 0 {
				a.stuck(x, "names a place that is not there")
				return
			}
			row, from = append(row, full[i]), append(from, i)
		}
		out = append(out, row)
		a.fixes = append(a.fixes, func(kept func([]int32) []int) {
			now := map[int]int64{}
			for i, was := range kept(full) {
				now[was] = int64(i)
			}
			var v []int64
			for _, i := range kept(row) {
				v = append(v, now[from[i]])
			}
			a.renew(x, 1, v)
		})
	}
	a.give(x, append(out, es[k+1:]...))
}

// padAxes: new places before and after, which can be taken away too; how many there are is said anew.
func padAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	pads := a.ints(x, 1, "pads")
	if n < 0 || len(pads) != 2*n || in(x, 3) != "" {
		a.stuck(x, "has sizes that are computed")
		return
	}
	mode := "constant"
	if p := attribute(x, "mode"); p != nil {
		mode = string(p.GetS())
	}
	out := slices.Clone(es)
	for k := range n {
		before, after := pads[k], pads[n+k]
		if before == 0 && after == 0 {
			continue
		}
		d := a.extent(in(x, 0), k)
		if es[k] == nil && (k != 1 || d < 0 || mode != "constant") {
			continue // of positions
		}
		if before < 0 || after < 0 || mode != "constant" {
			a.pin(es[k], fmt.Sprintf("%s (Pad) repeats or cuts it", label(x)))
			out[k] = nil
			continue
		}
		mid := es[k]
		if mid == nil {
			mid = a.fresh(d)
			a.pin(mid, fmt.Sprintf("%s (Pad) has it from what keeps its size", label(x)))
		}
		head, tail := a.fresh(int(before)), a.fresh(int(after))
		out[k] = slices.Concat(head, mid, tail)
		a.fixes = append(a.fixes, func(kept func([]int32) []int) {
			v := a.ints(x, 1, "pads")
			v[k], v[n+k] = int64(len(kept(head))), int64(len(kept(tail)))
			a.renew(x, 1, v)
		})
	}
	a.give(x, out)
}

// transposeAxes: axes in another order.
func transposeAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	if n < 0 {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	perm := attribute(x, "perm").GetInts()
	out := make([][]int32, n)
	for k := range out {
		if j := n - 1 - k; len(perm) == n {
			out[k] = es[perm[k]]
		} else {
			out[k] = es[j]
		}
	}
	a.give(x, out)
}

// squeezeAxes: axes of extent 1 go.
func squeezeAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	list := a.ints(x, 1, "axes")
	d := a.dims(in(x, 0))
	if n < 0 || in(x, 1) != "" && list == nil || list == nil && (d == nil || slices.Contains(d, -1)) {
		a.stuck(x, "drops axes that are computed")
		return
	}
	gone := make([]bool, n)
	for _, k := range list {
		if i := axis(k, n); i >= 0 {
			gone[i] = true
		}
	}
	var out [][]int32
	for k := range n {
		if list == nil && d[k] == 1 || gone[k] {
			a.pin(es[k], fmt.Sprintf("%s (Squeeze) drops its axis", label(x)))
			continue
		}
		out = append(out, es[k])
	}
	a.give(x, out)
}

// unsqueezeAxes: new axes of extent 1.
func unsqueezeAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	list := a.ints(x, 1, "axes")
	if n < 0 || list == nil {
		a.stuck(x, "makes axes that are computed")
		return
	}
	fresh := make([]bool, n+len(list))
	for _, k := range list {
		if i := axis(k, len(fresh)); i >= 0 {
			fresh[i] = true
		}
	}
	out := make([][]int32, len(fresh))
	for k, j := 0, 0; k < len(fresh); k++ {
		if !fresh[k] && j < n {
			out[k] = es[j]
			j++
		}
	}
	a.give(x, out)
}

// resizeAxes: positions are combined, channels stay.
func resizeAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	if n < 3 || attribute(x, "axes") != nil && slices.Contains(attribute(x, "axes").GetInts(), 1) {
		a.stuck(x, "may change the number of channels")
		return
	}
	sizes := a.constant(in(x, 3))
	out := make([][]int32, n)
	out[0], out[1] = es[0], es[1]
	if es[1] != nil && in(x, 3) != "" && attribute(x, "axes") == nil {
		if sizes == nil || sizes.Len() != n {
			a.stuck(x, "has sizes that are computed, of channels too")
			return
		}
		ch := es[1]
		a.fixes = append(a.fixes, func(kept func([]int32) []int) {
			v := a.ints(x, 3, "")
			v[1] = int64(len(kept(ch)))
			a.renew(x, 3, v)
		})
	}
	if t := a.constant(in(x, 2)); es[1] != nil && in(x, 2) != "" && t != nil && t.Len() == n && t.Float64s()[1] != 1 {
		a.stuck(x, "changes the number of channels")
		return
	}
	for k := 2; k < n; k++ {
		a.pin(es[k], fmt.Sprintf("%s (%s) goes along it", label(x), x.GetOpType()))
	}
	a.give(x, out)
}

// flattenAxes: axes become two.
func flattenAxes(a *axes, x *onnxpb.NodeProto) {
	d := a.dims(in(x, 0))
	k := int(number(x, "axis", 1))
	if k < 0 {
		k += len(d)
	}
	if d == nil || k < 0 || k > len(d) {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	product := func(d []int) int {
		p := 1
		for _, n := range d {
			if n < 0 {
				return -1
			}
			p *= n
		}
		return p
	}
	a.regroup(x, d, []int{product(d[:k]), product(d[k:])}, nil)
}

// reshapeAxes: axes that are joined or divided.
func reshapeAxes(a *axes, x *onnxpb.NodeProto) {
	d, to := a.dims(in(x, 0)), a.shapes[x.GetOutput()[0]]
	if d == nil || to == nil {
		a.stuck(x, "has a shape that is computed")
		return
	}
	a.regroup(x, d, to, func(k int) func(int64) { return a.target(x, k) })
}

// target gives what sets extent k of the shape that x reshapes to, nil where nothing is to be set, because it follows from the others.
func (a *axes) target(x *onnxpb.NodeProto, k int) func(int64) {
	if v := a.ints(x, 1, "shape"); v != nil {
		if k >= len(v) || v[k] <= 0 {
			return nil
		}
		return func(n int64) {
			v := a.ints(x, 1, "shape")
			v[k] = n
			a.renew(x, 1, v)
		}
	}
	c := a.maker[in(x, 1)]
	if !is(c, "Concat") || len(a.readers[c.GetOutput()[0]]) != 1 {
		return nil
	}
	at := 0
	for i := range c.GetInput() {
		v := a.ints(c, i, "")
		switch {
		case v == nil: // one that is computed, as exporters write them
			at++
		case k < at+len(v):
			if v[k-at] <= 0 {
				return nil
			}
			j := k - at
			return func(n int64) {
				v := a.ints(c, i, "")
				v[j] = n
				a.renew(c, i, v)
			}
		default:
			at += len(v)
		}
		if at > k && v == nil {
			return nil
		}
	}
	return nil
}

// regroup follows places through a change of shape from d to to: axes of which one is made of several, or several of one.
func (a *axes) regroup(x *onnxpb.NodeProto, d, to []int, target func(k int) func(int64)) {
	es, _ := a.at(in(x, 0))
	out := make([][]int32, len(to))
	set := func(k int, row []int32) {
		if out[k] = row; target == nil || row == nil {
			return
		}
		if f := target(k); f != nil {
			a.fixes = append(a.fixes, func(kept func([]int32) []int) { f(int64(len(kept(row)))) })
		}
	}
	// Axes at the end that stay, behind such that may be of any extent.
	end, last := len(d), len(to)
	for slices.Contains(d, -1) && end > 0 && last > 0 && d[end-1] == to[last-1] && d[end-1] > 0 {
		end, last = end-1, last-1
		set(last, es[end])
	}
	if !slices.ContainsFunc(es[:end], func(e []int32) bool { return e != nil }) {
		a.give(x, out)
		return
	}
	d, to = d[:end], to[:last]
	i, j := 0, 0
	for i < len(d) || j < len(to) {
		i0, j0 := i, j
		if i < len(d) && j < len(to) && d[i] < 0 && to[j] < 0 {
			i, j = i+1, j+1
			set(j0, es[i0])
			continue
		}
		p, q := 1, 1
		for first := true; first || p != q; first = false {
			switch {
			case p <= q && i < len(d) && d[i] > 0:
				p *= d[i]
				i++
				if first && j < len(to) && to[j] > 0 {
					q *= to[j]
					j++
				}
			case q <= p && j < len(to) && to[j] > 0:
				q *= to[j]
				j++
			default:
				a.stuck(x, "joins or divides axes whose extents are not known")
				return
			}
		}
		if !a.segment(x, d[i0:i], to[j0:j], es[i0:i], func(k int, row []int32) { set(j0+k, row) }) {
			return
		}
	}
	a.give(x, out)
}

// segment follows places of axes d that become the axes to, of as many numbers.
func (a *axes) segment(x *onnxpb.NodeProto, d, to []int, es [][]int32, set func(k int, row []int32)) bool {
	at, wide := -1, -1
	for i, e := range es {
		if e == nil {
			continue
		}
		if at >= 0 && d[i] > 1 && d[at] > 1 {
			a.stuck(x, "joins two axes that both have channels")
			return false
		}
		if at < 0 || d[i] > 1 {
			at = i
		}
	}
	if at < 0 {
		return true
	}
	many := 0
	for k, n := range to {
		if n > 1 {
			many++
			wide = k
		}
	}
	after, before := 1, 1
	for _, n := range d[at+1:] {
		after *= n
	}
	for _, n := range d[:at] {
		before *= n
	}
	switch {
	case many == 0:
		a.pin(es[at], fmt.Sprintf("%s (%s) has it as an axis of extent 1", label(x), x.GetOpType()))
	case many == 1: // joined
		var row []int32
		for range before {
			for _, e := range es[at] {
				for range after {
					row = append(row, e)
				}
			}
		}
		set(wide, row)
	case before == 1 && after == 1: // divided: the last axis has the places, each with those of all groups
		row := es[at][:to[wide]]
		for i, e := range es[at] {
			a.join(row[i%to[wide]], e)
		}
		if wide != len(to)-1 && slices.Max(append([]int{1}, to[wide+1:]...)) > 1 {
			a.stuck(x, "divides channels in a way that is not followed")
			return false
		}
		set(wide, row)
	default:
		a.stuck(x, "joins and divides axes at once")
		return false
	}
	return true
}
