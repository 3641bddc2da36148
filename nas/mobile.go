package nas

import "fmt"

func init() {
	spaces.Register("mobile", form{fill: fillMobile, layout: layoutMobile, build: buildMobile, size: sizeMobile},
		"inverted residuals with kernels of 3, 5 or 7 and expansion by 3 or 6, or left out, as in the space of ProxylessNAS",
		"https://arxiv.org/abs/1812.00332")
}

// opSkipBlock leaves a block out; the others are mobileBlocks.
const opSkipBlock = 0

var mobileBlocks = []struct{ kernel, expand int }{{}, {3, 3}, {3, 6}, {5, 3}, {5, 6}, {7, 3}, {7, 6}}

func fillMobile(s *Space) error {
	if s.Cells == 0 {
		s.Cells = 2
	}
	if s.Nodes != 0 {
		return fmt.Errorf("%d nodes: its blocks have none; they are of cells of nas201", s.Nodes)
	}
	return nil
}

// layoutMobile has a choice for each block. The first of a stage changes the number of channels, or the size, and is not left out.
func layoutMobile(s Space) Layout {
	l := Layout{Ops: []string{"skip"}}
	var all []int
	for o, m := range mobileBlocks {
		if all = append(all, o); o > 0 {
			l.Ops = append(l.Ops, fmt.Sprintf("k%d_e%d", m.kernel, m.expand))
		}
	}
	for stage := range s.Stages {
		for block := range s.Cells {
			c := Choice{fmt.Sprintf("stage%d.block%d", stage, block), all}
			if block == 0 && stage > 0 {
				c.Ops = all[1:]
			}
			l.Choices = append(l.Choices, c)
		}
	}
	return l
}

// buildMobile is a network of the blocks of MobileNetV2 (Sandler et al. 2018): a 3×3 convolution at full size, for small pictures; stages,
// of which all but the first begin with a block of stride 2; a 1×1 convolution to four times the channels.
func buildMobile(s Space, b *builder) (string, int) {
	unit := func(x, name string, in, out, k, stride, group int) string {
		return b.norm(b.Conv(x, name+".conv", in, out, k, stride, group), name+".norm", out, true)
	}
	c, l := s.Channels, layoutMobile(s)
	x := b.Relu6(unit(InputName, "stem", s.Inputs, c, 3, 1, 1))
	for stage := range s.Stages {
		for block := range s.Cells {
			in, out, stride := c, c, 1
			if block == 0 && stage > 0 {
				out, stride = 2*c, 2
			}
			i := stage*s.Cells + block
			name := fmt.Sprintf("stage%d.block%d", stage, block)
			from := x
			x = b.choose(name, l.Choices[i], i, func(o int) string {
				if o == opSkipBlock {
					if b.arch != nil {
						return from
					}
					return b.Node("Identity", []string{from})
				}
				m, at := mobileBlocks[o], name+"."+l.Ops[o]
				y := b.Relu6(unit(from, at+".expand", in, in*m.expand, 1, 1, 1))
				y = b.Relu6(unit(y, at+".depthwise", in*m.expand, in*m.expand, m.kernel, stride, in*m.expand))
				y = unit(y, at+".project", in*m.expand, out, 1, 1, 1)
				if stride == 1 && in == out {
					y = b.Node("Add", []string{from, y})
				}
				return y
			})
			c = out
		}
	}
	return b.Relu6(unit(x, "head", c, 4*c, 1, 1, 1)), 4 * c
}

func sizeMobile(s Space) float64 {
	n, c := 0.0, float64(s.Channels)
	for range s.Stages {
		for _, m := range mobileBlocks {
			n += float64(s.Cells) * float64(m.expand) * c * (2*c + float64(m.kernel*m.kernel))
		}
		c *= 2
	}
	return n
}
