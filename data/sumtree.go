package data

// SumTree holds a weight of at least 0 for each of n things, of which one is drawn in proportion to its weight. Changing a weight and
// drawing take log n steps. Each inner node is the sum of its two children, so that the tree is a function of the weights alone, whatever
// their order of change was: one that is built anew draws the same.
type SumTree struct {
	n    int
	leaf int       // place of the first weight
	node []float64 // of node i the children are 2i and 2i+1
}

// NewSumTree is a tree of these weights, which are copied.
func NewSumTree(weights []float64) *SumTree {
	leaf := 1
	for leaf < len(weights) {
		leaf *= 2
	}
	t := &SumTree{len(weights), leaf, make([]float64, 2*leaf)}
	copy(t.node[leaf:], weights)
	for i := leaf - 1; i > 0; i-- {
		t.node[i] = t.node[2*i] + t.node[2*i+1]
	}
	return t
}

// Len is the number of weights.
func (t *SumTree) Len() int { return t.n }

// At is the weight of i.
func (t *SumTree) At(i int) float64 { return t.node[t.leaf+i] }

// Set makes w the weight of i.
func (t *SumTree) Set(i int, w float64) {
	i += t.leaf
	t.node[i] = w
	for i /= 2; i > 0; i /= 2 {
		t.node[i] = t.node[2*i] + t.node[2*i+1]
	}
}

// Total is the sum of the weights.
func (t *SumTree) Total() float64 { return t.node[1] }

// Draw is the thing on which the share u of the total falls, 0 ≤ u < 1, when the weights lie one after another: for a uniform u, i comes
// with probability At(i)/Total(). Something of weight 0 is not drawn while another weight is above 0.
func (t *SumTree) Draw(u float64) int {
	i, x := 1, u*t.node[1]
	for i < t.leaf {
		i *= 2
		if left := t.node[i]; t.node[i+1] > 0 && x >= left {
			x -= left
			i++
		}
	}
	return min(i-t.leaf, t.n-1)
}
