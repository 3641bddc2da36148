package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

func eachWindow(g *convGeometry, f func(o int, at []int, inside int, total int)) {
	d := len(g.in)
	pos := make([]int, d)
	kp := make([]int, d)
	for o := range product(g.out) {
		at := make([]int, 0, product(g.k))
		for i := range kp {
			kp[i] = 0
		}
		total := 1
		for i := range d {
			lo := pos[i]*g.stride[i] - g.a[i]
			hi := min(lo+(g.k[i]-1)*g.dil[i]+1, g.in[i]+g.b[i])
			c := 0
			for x := lo; x < hi; x += g.dil[i] {
				c++
			}
			total *= c
		}
		for range product(g.k) {
			idx, ok := 0, true
			for i := range d {
				x := pos[i]*g.stride[i] - g.a[i] + kp[i]*g.dil[i]
				if x < 0 || x >= g.in[i] {
					ok = false
				}
				idx = idx*g.in[i] + x
			}
			if ok {
				at = append(at, idx)
			}
			for i := d - 1; i >= 0; i-- {
				if kp[i]++; kp[i] < g.k[i] {
					break
				}
				kp[i] = 0
			}
		}
		f(o, at, len(at), total)
		for i := d - 1; i >= 0; i-- {
			if pos[i]++; pos[i] < g.out[i] {
				break
			}
			pos[i] = 0
		}
	}
}

func maxPool[T float32 | float64 | int8 | uint8](a *poolAttrs, c *graph.RunCtx) error {
	g, err := a.geometry(c.In[0].Shape())
	if err != nil {
		return err
	}
	x, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	var idx []int64
	if len(c.Out) > 1 && c.Out[1] != nil {
		idx = c.Out[1].I64()
	}
	in, out := product(g.in), product(g.out)
	eachWindow(g, func(o int, at []int, _, _ int) {
		for p := range g.n * g.c {
			best := 0
			row := x[p*in : (p+1)*in]
			for i, k := range at {
				if row[k] > row[at[best]] || row[k] != row[k] {
					best = i
				}
			}
			y[p*out+o] = row[at[best]]
			if idx != nil {
				idx[p*out+o] = int64(p*in + at[best])
			}
		}
	})
	return nil
}

func averagePool[T float32 | float64](a *poolAttrs, c *graph.RunCtx) error {
	g, err := a.geometry(c.In[0].Shape())
	if err != nil {
		return err
	}
	x, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	in, out := product(g.in), product(g.out)
	eachWindow(g, func(o int, at []int, n, total int) {
		if a.IncludePad {
			n = total
		}
		for p := range g.n * g.c {
			s := 0.0
			for _, k := range at {
				s += float64(x[p*in+k])
			}
			y[p*out+o] = T(s / float64(n))
		}
	})
	return nil
}

func averagePoolGrad[T float32 | float64](a *poolAttrs, c *graph.RunCtx) error {
	g, err := a.geometry(c.In[1].Shape())
	if err != nil {
		return err
	}
	dy, dx := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	in, out := product(g.in), product(g.out)
	clear(dx)
	eachWindow(g, func(o int, at []int, n, total int) {
		if a.IncludePad {
			n = total
		}
		for p := range g.n * g.c {
			for _, k := range at {
				dx[p*in+k] += dy[p*out+o] / T(n)
			}
		}
	})
	return nil
}
