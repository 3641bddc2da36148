package nas

import (
	"fmt"
	"slices"
)

func init() {
	spaces.Register("nas201", form{fill: fillNAS201, layout: layoutNAS201, build: buildNAS201, size: sizeNAS201},
		"cells of 4 nodes, each the sum of what 5 operators make of the nodes before it, as in NAS-Bench-201",
		"https://arxiv.org/abs/2001.00326")
}

// The operators of a cell.
const (
	opNone = iota
	opSkip
	opConv1
	opConv3
	opPool
)

func fillNAS201(s *Space) error {
	if s.Cells == 0 {
		s.Cells = 5
	}
	if s.Nodes == 0 {
		s.Nodes = 4
	}
	if s.Nodes < 2 || s.Nodes > 8 {
		return fmt.Errorf("%d nodes in a cell: want 2 to 8", s.Nodes)
	}
	return nil
}

// edges are the pairs of a node and one before it, sorted.
func edges(nodes int) (list [][2]int) {
	for to := 1; to < nodes; to++ {
		for from := range to {
			list = append(list, [2]int{to, from})
		}
	}
	return list
}

// layoutNAS201 has a choice for each edge of a cell; all cells are alike.
func layoutNAS201(s Space) Layout {
	l := Layout{Ops: []string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}}
	l.reaches = func(arch []int) bool { return toLast(s.Nodes, arch)[0] }
	for _, e := range edges(s.Nodes) {
		l.Choices = append(l.Choices, Choice{fmt.Sprintf("%d<-%d", e[0], e[1]), []int{opNone, opSkip, opConv1, opConv3, opPool}})
	}
	return l
}

// buildNAS201 is the network of Dong and Yang 2020, section 2.1: a 3×3 convolution, stages of cells with a residual block that halves the
// size and doubles the channels between, and a linear layer on the pooled features. Inside of cells, normalisation learns no scale and
// shift, as in the supernet of PA&DA; the convolutions there have no bias, whose gradient would be 0.
func buildNAS201(s Space, b *builder) (string, int) {
	c := s.Channels
	x := b.norm(b.Conv(InputName, "stem.conv", s.Inputs, c, 3, 1, 1), "stem.norm", c, true)
	for stage := range s.Stages {
		if stage > 0 {
			x = b.reduce(x, fmt.Sprintf("stage%d.reduce", stage), c, 2*c)
			c *= 2
		}
		for cell := range s.Cells {
			x = b.cell(x, fmt.Sprintf("stage%d.cell%d", stage, cell), c, s)
		}
	}
	return b.Relu(b.norm(x, "last.norm", c, true)), c
}

func sizeNAS201(s Space) float64 {
	n, c := 0.0, float64(s.Channels)
	for range s.Stages {
		n += float64(s.Cells*len(edges(s.Nodes))) * 10 * c * c
		c *= 2
	}
	return n
}

// reluConvNorm is ReLU, a convolution and normalisation.
func (b *builder) reluConvNorm(x, name string, in, out, k, stride int, affine bool) string {
	return b.norm(b.Conv(b.Relu(x), name+".conv", in, out, k, stride, 1), name+".norm", out, affine)
}

// reduce is the residual block between stages.
func (b *builder) reduce(x, name string, in, out int) string {
	y := b.reluConvNorm(x, name+".a", in, out, 3, 2, true)
	y = b.reluConvNorm(y, name+".b", out, out, 3, 1, true)
	return b.Node("Add", []string{b.Conv(b.AveragePool(x, 2, 2, 0), name+".down", in, out, 1, 1, 1), y})
}

// cell is a cell: node j is the sum over the nodes i before it of what the operator of the edge makes of node i. Of a path only what
// reaches the last node is there.
func (b *builder) cell(x, name string, c int, s Space) string {
	list, l := edges(s.Nodes), layoutNAS201(s)
	var reaches []bool // the last node
	if b.arch != nil {
		reaches = toLast(s.Nodes, b.arch)
	}
	nodes := []string{x}
	for to := 1; to < s.Nodes; to++ {
		sum := ""
		for i, e := range list {
			if e[0] != to || b.arch != nil && (!reaches[to] || b.arch[i] == opNone) {
				continue
			}
			y := b.choose(fmt.Sprintf("%s.edge%d_%d", name, e[0], e[1]), l.Choices[i], i, func(o int) string {
				return b.edge(nodes[e[1]], fmt.Sprintf("%s.edge%d_%d.%s", name, e[0], e[1], l.Ops[o]), c, o)
			})
			if sum != "" {
				y = b.Node("Add", []string{sum, y})
			}
			sum = y
		}
		if sum == "" && (reaches == nil || reaches[to]) {
			sum = b.zero(x)
		}
		nodes = append(nodes, sum)
	}
	return nodes[s.Nodes-1]
}

// toLast is which nodes of a cell reach the last one.
func toLast(nodes int, arch []int) []bool {
	reaches := make([]bool, nodes)
	reaches[nodes-1] = true
	for i, e := range slices.Backward(edges(nodes)) {
		if reaches[e[0]] && arch[i] != opNone {
			reaches[e[1]] = true
		}
	}
	return reaches
}

// edge is an operator of a cell.
func (b *builder) edge(x, name string, c, op int) string {
	switch op {
	case opNone:
		return b.zero(x)
	case opSkip:
		if b.arch != nil {
			return x
		}
		return b.Node("Identity", []string{x})
	case opConv1:
		return b.reluConvNorm(x, name, c, c, 1, 1, false)
	case opConv3:
		return b.reluConvNorm(x, name, c, c, 3, 1, false)
	}
	return b.AveragePool(x, 3, 1, 1)
}
