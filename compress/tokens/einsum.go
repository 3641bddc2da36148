package tokens

import (
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// einsum is a product of two matrices, with any axes of the batch, as transpositions and a MatMul; nil for other sums.
func einsum(n *onnxpb.NodeProto) []*onnxpb.NodeProto {
	eq := strings.ReplaceAll(string(attr(n, "equation").GetS()), " ", "")
	left, out, ok := strings.Cut(eq, "->")
	a, b, two := strings.Cut(left, ",")
	if !ok || !two || len(n.GetInput()) != 2 || strings.ContainsAny(eq, ".") || strings.Contains(b, ",") {
		return nil
	}
	var batch, rows, columns, inner string
	for _, c := range a + b {
		s := string(c)
		inA, inB, inOut := strings.Count(a, s), strings.Count(b, s), strings.Count(out, s)
		if inA > 1 || inB > 1 || inOut > 1 {
			return nil
		}
		to := &inner
		switch {
		case inA == 1 && inB == 1 && inOut == 1:
			to = &batch
		case inA == 1 && inB == 0 && inOut == 1:
			to = &rows
		case inA == 0 && inOut == 1:
			to = &columns
		case inA+inB < 2:
			return nil // a sum over an axis of one
		}
		if !strings.Contains(*to, s) {
			*to += s
		}
	}
	if len(rows) != 1 || len(columns) != 1 || len(inner) != 1 || len(out) != len(batch)+2 {
		return nil
	}
	base := n.GetName()
	if base == "" {
		base = n.GetOutput()[0]
	}
	var nodes []*onnxpb.NodeProto
	perm := func(x, name, from, to string) string {
		p := make([]int64, len(to))
		for i := range to {
			p[i] = int64(strings.IndexByte(from, to[i]))
		}
		if slices.IsSorted(p) {
			return x
		}
		name = base + "/" + name
		nodes = append(nodes, onnx.NewNode("Transpose", name, []string{x}, []string{name}, onnx.AttrInts("perm", p...)))
		return name
	}
	x, y := perm(n.GetInput()[0], "a", a, batch+rows+inner), perm(n.GetInput()[1], "b", b, batch+inner+columns)
	product, final := base+"/product", n.GetOutput()[0]
	if batch+rows+columns == out {
		product = final
	}
	nodes = append(nodes, onnx.NewNode("MatMul", base+"/product", []string{x, y}, []string{product}))
	if product != final {
		perm(product, "out", batch+rows+columns, out)
		last := nodes[len(nodes)-1]
		last.Output[0] = final
	}
	return nodes
}
