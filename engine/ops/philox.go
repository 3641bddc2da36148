package ops

import (
	"math"
	"math/bits"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// philox is block number ctr of the stream that a key names: the generator Philox4x32-10, whose numbers can be had in any order.
//
// Source: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", SC11.
func philox(key [2]uint32, ctr [4]uint32) [4]uint32 {
	for range 10 {
		h0, l0 := bits.Mul32(0xd2511f53, ctr[0])
		h1, l1 := bits.Mul32(0xcd9e8d57, ctr[2])
		ctr = [4]uint32{h1 ^ ctr[1] ^ key[0], l1, h0 ^ ctr[3] ^ key[1], l0}
		key[0] += 0x9e3779b9
		key[1] += 0xbb67ae85
	}
	return ctr
}

// draws gives the random numbers of one run of a node. They follow from its seed, the number of the run (since the program was made for
// these shapes) and the place of the element: the same program gives the same numbers again, and each run others. The key is the bits of
// the attribute seed and 0, or without one the number of the node in its graph and 1. Element i has the 64 bits of the half i mod 2 of the
// block whose counter is i/2 and the run.
type draws struct {
	key [2]uint32
	run uint64
}

// newDraws is what a node with such a seed draws from this time.
func newDraws(c *graph.RunCtx, seed *float32) *draws {
	d, ok := (*c.Cache).(*draws)
	if ok {
		d.run++
		return d
	}
	d = &draws{key: [2]uint32{uint32(c.Node.ID), 1}}
	if seed != nil {
		d.key = [2]uint32{math.Float32bits(*seed), 0}
	}
	*c.Cache = d
	return d
}

// block has the two uniform numbers of elements 2·i and 2·i+1, in [0,1) with 53 bits.
func (d *draws) block(i int) (u, v float64) {
	r := philox(d.key, [4]uint32{uint32(i), uint32(uint64(i) >> 32), uint32(d.run), uint32(d.run >> 32)})
	return float64((uint64(r[1])<<32|uint64(r[0]))>>11) / (1 << 53), float64((uint64(r[3])<<32|uint64(r[2]))>>11) / (1 << 53)
}

// uniform is the number of element i.
func (d *draws) uniform(i int) float64 {
	u, v := d.block(i / 2)
	if i%2 == 1 {
		return v
	}
	return u
}

// normal is the number of element i with mean 0 and variance 1.
//
// Source: Box and Muller 1958, "A note on the generation of random normal deviates".
func (d *draws) normal(i int) float64 {
	u, v := d.block(i / 2)
	r, t := math.Sqrt(-2*math.Log(1-u)), 2*math.Pi*v
	if i%2 == 1 {
		return r * math.Sin(t)
	}
	return r * math.Cos(t)
}

// fill sets Out[0] to f of each element, in its own type.
func (d *draws) fill(c *graph.RunCtx, f func(i int) float64) error {
	switch y := c.Out[0]; y.DType() {
	case tensor.Float32:
		fillDraws(c, y.F32(), f)
	case tensor.Float64:
		fillDraws(c, tensor.Data[float64](y), f)
	default:
		return writeFloats(c, func(y []float64) { fillDraws(c, y, f) })
	}
	return nil
}

func fillDraws[T float32 | float64](c *graph.RunCtx, y []T, f func(i int) float64) {
	c.Pool.For(len(y), 1<<12, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			y[i] = T(f(i))
		}
	})
}
