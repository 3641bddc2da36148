package naive

import (
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(map[string]operator{"If": ifElse, "Loop": loop, "Scan": scan})
}

func (c *call) bodyOf(attr string) int {
	k := slices.Index(c.bodies, attr)
	if k < 0 {
		fail("no %s", attr)
	}
	return k
}

func ifElse(c *call) []*value {
	if c.in[0].i[0] != 0 {
		return c.body(c.bodyOf("then_branch"), nil)
	}
	return c.body(c.bodyOf("else_branch"), nil)
}

func loop(c *call) []*value {
	limit, cond := -1, int64(1)
	if c.has(0) {
		limit = int(c.in[0].i[0])
	}
	if c.has(1) {
		cond = c.in[1].i[0]
	}
	carried := slices.Clone(c.in[min(2, len(c.in)):])
	n := len(carried)
	collected := make([][]*value, max(0, c.nout-n))
	k := c.bodyOf("body")
	for i := 0; (limit < 0 || i < limit) && cond != 0; i++ {
		in := append([]*value{intValue(i).with(), condValue(cond)}, carried...)
		out := c.body(k, in)
		cond = out[0].i[0]
		carried = slices.Clone(out[1 : 1+n])
		for j := range collected {
			collected[j] = append(collected[j], out[1+n+j])
		}
	}
	for j, list := range collected {
		if len(list) == 0 { // nothing tells the shape of what was never computed
			carried = append(carried, zeros(c.result(k, 1+n+j), 0))
			continue
		}
		carried = append(carried, stack(list, 0))
	}
	return carried
}

func condValue(x int64) *value {
	v := intValue(int(x)).with()
	v.d = tensor.Bool
	return v
}

// stack joins values along a new axis.
func stack(list []*value, axis int) *value {
	var in []*value
	for _, v := range list {
		in = append(in, v.with(slices.Insert(slices.Clone(v.shape), axis, 1)...))
	}
	return concat(axis, in)
}

// scan is that of version 9 and later; version 8 had a batch axis.
func scan(c *call) []*value {
	if c.opset < 9 {
		fail("Scan of version 8")
	}
	m := c.int("num_scan_inputs", 1)
	n := len(c.in) - m
	state := slices.Clone(c.in[:n])
	at := func(name string, i int) int {
		if l := c.ints(name); i < len(l) {
			return l[i]
		}
		return 0
	}
	steps := 0
	for i, v := range c.in[n:] {
		steps = v.shape[axisOf(at("scan_input_axes", i), len(v.shape))]
	}
	collected := make([][]*value, max(0, c.nout-n))
	for t := range steps {
		in := slices.Clone(state)
		for i, v := range c.in[n:] {
			a := axisOf(at("scan_input_axes", i), len(v.shape))
			k := t
			if at("scan_input_directions", i) != 0 {
				k = steps - 1 - t
			}
			in = append(in, part(v, a, k, 1).with(slices.Delete(slices.Clone(v.shape), a, a+1)...))
		}
		out := c.body(c.bodyOf("body"), in)
		state = slices.Clone(out[:n])
		for j := range collected {
			v := out[n+j]
			if at("scan_output_directions", j) != 0 {
				collected[j] = slices.Insert(collected[j], 0, v)
			} else {
				collected[j] = append(collected[j], v)
			}
		}
	}
	for j, list := range collected {
		if len(list) == 0 {
			state = append(state, zeros(c.result(c.bodyOf("body"), n+j), 0))
			continue
		}
		state = append(state, stack(list, axisOf(at("scan_output_axes", j), len(list[0].shape)+1)))
	}
	return state
}
