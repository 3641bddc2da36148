package runtimes

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/gtk-onnx/gtk/tensor"
)

// to is input 0 in another shape.
func (c *call) to(shape []int) (arg, error) {
	if k := c.arg(0).known; k != nil {
		return arg{known: k.Reshape(shape...)}, nil
	}
	x, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	if slices.Equal(x.Shape(), shape) {
		return arg{node: x}, nil
	}
	if len(shape) == 0 {
		return arg{}, fmt.Errorf("gorgonia makes no scalar of shape %v", x.Shape())
	}
	return result(G.Reshape(x, slices.Clone(shape)))
}

func flatten(c *call) (arg, error) {
	s := c.arg(0).shape()
	k := c.int("axis", 1)
	if k < 0 {
		k += len(s)
	}
	if k < 0 || k > len(s) {
		return arg{}, fmt.Errorf("axis %d of rank %d", k, len(s))
	}
	return c.to([]int{tensor.Shape(s[:k]).Len(), tensor.Shape(s[k:]).Len()})
}

func reshape(c *call) (arg, error) {
	want, ok, err := c.ints("shape", 1)
	if err == nil && !ok {
		err = errors.New("no shape is given")
	}
	if err != nil {
		return arg{}, err
	}
	from, free, n := c.arg(0).shape(), -1, 1
	for i, d := range want {
		switch {
		case d == -1:
			free = i
			continue
		case d == 0 && c.int("allowzero", 0) == 0 && i < len(from):
			want[i] = from[i]
		}
		n *= want[i]
	}
	total := tensor.Shape(from).Len()
	if free >= 0 && n > 0 {
		want[free] = total / n
		n *= want[free]
	}
	if n != total {
		return arg{}, fmt.Errorf("%v does not become %v", tensor.Shape(from), tensor.Shape(want))
	}
	return c.to(want)
}

func squeeze(c *call) (arg, error) {
	axes, ok, err := c.ints("axes", 1)
	if err != nil {
		return arg{}, err
	}
	from, out := c.arg(0).shape(), []int{}
	drop := map[int]bool{}
	for _, a := range axes {
		if a, err = axis(a, len(from)); err != nil {
			return arg{}, err
		}
		drop[a] = true
	}
	for i, d := range from {
		if d != 1 || ok && !drop[i] {
			out = append(out, d)
		}
	}
	return c.to(out)
}

func unsqueeze(c *call) (arg, error) {
	axes, _, err := c.ints("axes", 1)
	if err != nil {
		return arg{}, err
	}
	out := slices.Clone(c.arg(0).shape())
	rank := len(out) + len(axes)
	for i, a := range axes {
		if axes[i], err = axis(a, rank); err != nil {
			return arg{}, err
		}
	}
	slices.Sort(axes)
	for _, a := range axes {
		if a > len(out) {
			return arg{}, fmt.Errorf("axes %v of rank %d", axes, rank)
		}
		out = slices.Insert(out, a, 1)
	}
	return c.to(out)
}

func transpose(c *call) (arg, error) {
	x, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	perm, ok, err := c.ints("perm", -1)
	if err != nil {
		return arg{}, err
	}
	if !ok {
		for i := range x.Shape() {
			perm = slices.Insert(perm, 0, i)
		}
	}
	if slices.IsSorted(perm) {
		return arg{node: x}, nil // gorgonia calls it an error
	}
	return result(G.Transpose(x, perm...))
}

func concat(c *call) (arg, error) {
	k, err := axis(c.int("axis", 1), len(c.arg(0).shape()))
	if err != nil {
		return arg{}, err
	}
	var xs G.Nodes
	for i := range c.in {
		x, err := c.node(i)
		if err != nil {
			return arg{}, err
		}
		xs = append(xs, x)
	}
	return result(G.Concat(k, xs...))
}
