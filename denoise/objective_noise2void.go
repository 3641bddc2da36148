package denoise

// Noise2Void learns from noisy pictures alone to tell a pixel from those around it: some pixels are replaced by a neighbour, and the
// network is to give what they were. It needs noise that is independent from pixel to pixel, but not to know which: a control.
//
// Source: Krull, Buchholz, Jug 2019 (arXiv 1811.10980), stratified: one pixel of each Block×Block is replaced by one within Radius of it.
type Noise2Void struct {
	Block  int `opt:"block" doc:"one pixel of so many in a row, and in a column, is replaced" range:"[2, 64]"`
	Radius int `opt:"radius" doc:"how far away its substitute is at most" range:"[1, 32]"`
}

func init() {
	objectives.Register("noise2void", func() Objective { return &Noise2Void{Block: 6, Radius: 2} },
		"each pixel from those around it, in noisy pictures alone: a control", "https://arxiv.org/abs/1811.10980")
}

// Means is the clean picture: a residual would need to know the pixel.
func (*Noise2Void) Means() string { return Clean }

// Rows is one.
func (*Noise2Void) Rows() int { return 1 }

// Wants is nothing.
func (*Noise2Void) Wants() Want { return WantNothing }

// Redraws is false.
func (*Noise2Void) Redraws() bool { return false }

// Fill replaces pixels, in all channels at once.
func (o *Noise2Void) Fill(p *Patch) {
	in, weight, target := p.Input[0], p.Weight[0], p.Target[0]
	copy(in, p.Noisy)
	clear(weight)
	clear(target)
	for y0 := 0; y0 < p.H; y0 += o.Block {
		for x0 := 0; x0 < p.W; x0 += o.Block {
			y, x := y0+p.Int(min(o.Block, p.H-y0)), x0+p.Int(min(o.Block, p.W-x0))
			fy, fx := y, x
			for fy == y && fx == x {
				fy = min(max(y+p.Int(2*o.Radius+1)-o.Radius, 0), p.H-1)
				fx = min(max(x+p.Int(2*o.Radius+1)-o.Radius, 0), p.W-1)
			}
			for c := range p.C {
				at := (c*p.H+y)*p.W + x
				in[at] = p.Noisy[(c*p.H+fy)*p.W+fx]
				weight[at], target[at] = float32(o.Block), float32(o.Block)*p.Noisy[at]
			}
		}
	}
}
