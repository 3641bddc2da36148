package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// Im2col gathers the windows of one image and group, x [C/Group,In], as a matrix out [C/Group·kernel, Out], zero outside x:
//
//	out[(c,k), o] = x[c, o·Stride + k·Dil − PadLo]
func Im2col[T float32 | float64](cp *ConvParams, x, out []T) {
	cp.eachTap(func(c, k, to, from, first, end int) {
		row := out[to : to+cp.Out[2]]
		if from < 0 {
			clear(row)
			return
		}
		clear(row[:first])
		s := cp.Stride[2]
		for i := first; i < end; i++ {
			row[i] = x[from+i*s+cp.shift(k)]
		}
		clear(row[end:])
	})
}

// Col2im adds a matrix of windows to the image they come from, the adjoint of Im2col; x is not cleared.
//
//	x[c, o·Stride + k·Dil − PadLo] += cols[(c,k), o]
func Col2im[T float32 | float64](cp *ConvParams, cols, x []T) {
	cp.eachTap(func(c, k, to, from, first, end int) {
		if from < 0 {
			return
		}
		s := cp.Stride[2]
		for i := first; i < end; i++ {
			x[from+i*s+cp.shift(k)] += cols[to+i]
		}
	})
}

// shift is the distance of the first output's column from 0 for column kw of the kernel.
func (cp *ConvParams) shift(kw int) int { return kw*cp.Dil[2] - cp.PadLo[2] }

// eachTap calls f for every channel, tap and row of outputs: to is the row's index in the matrix of windows, from the index in x
// of the input row or -1 outside; outputs first..end-1 read inside that row; kw is the tap's column.
func (cp *ConvParams) eachTap(f func(c, kw, to, from, first, end int)) {
	to := 0
	for c := range cp.C / cp.Group {
		for kd := range cp.Kernel[0] {
			for kh := range cp.Kernel[1] {
				for kw := range cp.Kernel[2] {
					s := cp.Stride[2]
					first := min(max(0, ceilDiv(-cp.shift(kw), s)), cp.Out[2])
					end := max(first, min(cp.Out[2], ceilDiv(cp.In[2]-cp.shift(kw), s)))
					for od := range cp.Out[0] {
						d := od*cp.Stride[0] + kd*cp.Dil[0] - cp.PadLo[0]
						for oh := range cp.Out[1] {
							h := oh*cp.Stride[1] + kh*cp.Dil[1] - cp.PadLo[1]
							from := -1
							if d >= 0 && d < cp.In[0] && h >= 0 && h < cp.In[1] {
								from = ((c*cp.In[0]+d)*cp.In[1] + h) * cp.In[2]
							}
							f(c, kw, to, from, first, end)
							to += cp.Out[2]
						}
					}
				}
			}
		}
	}
}

// Conv64 is Conv in float64, with a bias (nil for none) and no other epilogue.
func Conv64(p *parallel.Pool, cp *ConvParams, x, w, bias, y []float64) {
	cp.check(len(x), len(w), len(y))
	if bias != nil && len(bias) < cp.M {
		panic("kernel: conv: epilogue is too short")
	}
	cp.eachImage64(p, func(n, g int, cols []float64) {
		xg, wg, yg := cp.part64(n, g, x, w, y)
		Im2col(cp, xg, cols)
		m, k, o := cp.M/cp.Group, cp.C/cp.Group*volume(cp.Kernel), volume(cp.Out)
		Dgemm(nil, false, false, m, o, k, 1, wg, k, cols, o, 0, yg, o)
		if bias != nil {
			for i := range m {
				for j := range o {
					yg[i*o+j] += bias[g*m+i]
				}
			}
		}
	})
}

// ConvDX64 is ConvDX in float64 without epilogue.
func ConvDX64(p *parallel.Pool, cp *ConvParams, dy, w, dx []float64) {
	cp.check(len(dx), len(w), len(dy))
	cp.eachImage64(p, func(n, g int, cols []float64) {
		xg, wg, yg := cp.part64(n, g, dx, w, dy)
		m, k, o := cp.M/cp.Group, cp.C/cp.Group*volume(cp.Kernel), volume(cp.Out)
		Dgemm(nil, true, false, k, o, m, 1, wg, k, yg, o, 0, cols, o)
		clear(xg)
		Col2im(cp, cols, xg)
	})
}

// ConvDW64 is ConvDW in float64.
func ConvDW64(p *parallel.Pool, cp *ConvParams, x, dy, dw []float64) {
	cp.check(len(x), len(dw), len(dy))
	m, k, o := cp.M/cp.Group, cp.C/cp.Group*volume(cp.Kernel), volume(cp.Out)
	_, nw, _ := cp.sizes()
	clear(dw[:nw])
	p.For(cp.Group, 1, func(lo, hi int) {
		cols := make([]float64, k*o)
		for g := lo; g < hi; g++ {
			for n := range cp.N {
				xg, wg, yg := cp.part64(n, g, x, dw, dy)
				Im2col(cp, xg, cols)
				Dgemm(nil, false, true, m, k, o, 1, yg, o, cols, o, 1, wg, k)
			}
		}
	})
}

// eachImage64 calls f for every image and group with room for a matrix of windows.
func (cp *ConvParams) eachImage64(p *parallel.Pool, f func(n, g int, cols []float64)) {
	k, o := cp.C/cp.Group*volume(cp.Kernel), volume(cp.Out)
	p.For(cp.N*cp.Group, 1, func(lo, hi int) {
		cols := make([]float64, k*o)
		for i := lo; i < hi; i++ {
			f(i/cp.Group, i%cp.Group, cols)
		}
	})
}

// part64 is the part of X, W and Y of one image and group.
func (cp *ConvParams) part64(n, g int, x, w, y []float64) (xg, wg, yg []float64) {
	nx, nw, ny := cp.C/cp.Group*volume(cp.In), cp.M/cp.Group*(cp.C/cp.Group)*volume(cp.Kernel), cp.M/cp.Group*volume(cp.Out)
	i := n*cp.Group + g
	return x[i*nx : (i+1)*nx], w[g*nw : (g+1)*nw], y[i*ny : (i+1)*ny]
}
