package rewrite

import "github.com/gtk-onnx/gtk/engine/graph"

// ranks tells how many axes values have, as far as the graph tells without shapes.
type ranks struct {
	g     *graph.Graph
	known map[graph.Value]int // -1 where it is not known
	sizes map[graph.Value]int // lengths that were asked for
}

func newRanks(g *graph.Graph) *ranks { return &ranks{g, map[graph.Value]int{}, map[graph.Value]int{}} }

// of is the rank of v, -1 where it is not known.
func (r *ranks) of(v graph.Value) int {
	if v == 0 {
		return -1
	}
	if k, ok := r.known[v]; ok {
		return k
	}
	r.known[v] = -1
	in := r.g.Info(v)
	k := -1
	switch {
	case in.Data != nil:
		k = in.Data.Rank()
	case in.Dims != nil:
		k = len(in.Dims)
	case in.Def != nil && in.Def.Op.Domain == "" && in.Index == 0:
		k = r.made(in.Def)
	}
	r.known[v] = k
	return k
}

// made is the rank of the first output of n.
func (r *ranks) made(n *graph.Node) int {
	switch n.Op.Name {
	case "Add", "Sub", "Mul", "Div", "Pow", "Where", "Max", "Min", "Expand":
		k := -1
		for i, v := range n.In[:n.NumIn] {
			rank := r.of(v)
			if n.Op.Name == "Expand" && i == 1 {
				rank = r.length(v)
			}
			if rank < 0 {
				return -1
			}
			k = max(k, rank)
		}
		return k
	case "Identity", "Cast", "Transpose", "Slice", "Softmax", "Conv", "LayerNormalization", "RMSNormalization", "BatchNormalization",
		"Relu", "Gelu", "Tanh", "Sigmoid", "Erf", "Sqrt", "Neg", "Reciprocal", "Dropout", "Pad", "Clip", "Split", "CumSum":
		return r.of(n.In[0])
	case "Concat":
		for _, v := range n.In {
			if k := r.of(v); k >= 0 {
				return k
			}
		}
	case "MatMul":
		if a, b := r.of(n.In[0]), r.of(n.In[1]); a >= 2 && b >= 2 {
			return max(a, b)
		}
	case "Gather":
		if a, b := r.of(n.In[0]), r.of(n.In[1]); a >= 0 && b >= 0 {
			return a - 1 + b
		}
	case "Reshape":
		if n.NumIn > 1 {
			return r.length(n.In[1])
		}
	case "Shape":
		return 1
	case "ReduceMean", "ReduceSum", "ReduceMax":
		if keep, ok := graph.EncodeAttrs(n.Attrs)["keepdims"]; !ok || keep == int64(1) {
			return r.of(n.In[0])
		}
	case "Squeeze", "Unsqueeze":
		if n.NumIn > 1 && n.In[1] != 0 {
			rank, axes := r.of(n.In[0]), r.length(n.In[1])
			switch {
			case rank < 0 || axes < 0:
			case n.Op.Name == "Squeeze":
				return rank - axes
			default:
				return rank + axes
			}
		}
	}
	return -1
}

// length is how many numbers a shape v has, -1 where it is not known.
func (r *ranks) length(v graph.Value) int {
	if k, ok := r.sizes[v]; ok || v == 0 {
		return k
	}
	r.sizes[v] = -1
	in := r.g.Info(v)
	k := -1
	switch {
	case in.Data != nil:
		k = in.Data.Len()
	case in.Def != nil && in.Def.Op.Domain == "" && in.Index == 0:
		k = r.parts(in.Def)
	}
	r.sizes[v] = k
	return k
}

// parts is the length of what n computes.
func (r *ranks) parts(n *graph.Node) int {
	switch n.Op.Name {
	case "Shape":
		if len(graph.EncodeAttrs(n.Attrs)) == 0 { // all of it
			return r.of(n.In[0])
		}
	case "Cast", "Identity":
		return r.length(n.In[0])
	case "Where", "Mul", "Add": // of which some may be one number
		k := -1
		for _, v := range n.In {
			k = max(k, r.length(v))
		}
		if k > 1 {
			return k
		}
	case "Unsqueeze":
		if r.of(n.In[0]) == 0 {
			return 1
		}
	case "Reshape":
		if n.NumIn > 1 && r.length(n.In[1]) == 1 {
			return r.length(n.In[0])
		}
	case "Concat":
		sum := 0
		for _, v := range n.In {
			k := r.length(v)
			if k < 0 {
				return -1
			}
			sum += k
		}
		return sum
	}
	return -1
}
