package ops

import (
	"iter"
	"slices"
	"strings"
	"unicode"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// StringSplit cuts each text of X at a delimiter, or where there is none at runs of white space, at most maxsplit times: Y has a last axis
// of as many parts as the longest has, with empty texts behind the parts of the others, and Z the number of parts of each.
//
// Source: https://onnx.ai/onnx/operators/onnx__StringSplit.html. Parts are those of Python's str.split.
var StringSplit = new(graph.Spec)

type stringSplitAttrs struct {
	Delimiter string `onnx:"delimiter"`
	MaxSplit  *int   `onnx:"maxsplit"`
}

func init() {
	define(StringSplit, graph.Def[stringSplitAttrs]{
		Name: "StringSplit", Since: []int{20}, Doc: "https://onnx.ai/onnx/operators/onnx__StringSplit.html",
		In:  []graph.Formal{{Name: "X", NoGrad: true, Types: stringsOnly}},
		Out: []graph.Formal{{Name: "Y"}, {Name: "Z"}},
		Types: func(_ *stringSplitAttrs, _, out []tensor.DType) error {
			out[0] = tensor.String
			for i := range out[1:] {
				out[i+1] = tensor.Int64
			}
			return nil
		},
		Infer: func(*stringSplitAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Run: func(a *stringSplitAttrs, c *graph.RunCtx) error {
			x := c.In[0].Strings()
			parts, widest, all := make([][]string, len(x)), 0, 0
			for i, s := range x {
				for part := range a.split(s) {
					if all++; all%4096 == 0 {
						if err := c.Budget(graph.StorageBytes(tensor.String, all)); err != nil {
							return err
						}
					}
					parts[i] = append(parts[i], part)
				}
				widest = max(widest, len(parts[i]))
			}
			y, err := c.Alloc(0, tensor.String, append(slices.Clone(c.In[0].Shape()), widest)...)
			if err != nil {
				return err
			}
			for i, p := range parts {
				copy(y.Strings()[i*widest:], p)
			}
			if !c.Want(1) {
				return nil
			}
			z, err := c.Alloc(1, tensor.Int64, c.In[0].Shape()...)
			if err != nil {
				return err
			}
			for i, p := range parts {
				z.I64()[i] = int64(len(p))
			}
			return nil
		},
	})
	followRules["StringSplit"] = (*follower).refuse
}

// split yields the parts of s.
func (a *stringSplitAttrs) split(s string) iter.Seq[string] {
	cuts := -1 // that are left; below 0 any number
	if a.MaxSplit != nil {
		cuts = *a.MaxSplit
	}
	if a.Delimiter != "" {
		return func(yield func(string) bool) {
			for ; cuts != 0; cuts-- {
				part, rest, more := strings.Cut(s, a.Delimiter)
				if !more {
					break
				}
				if !yield(part) {
					return
				}
				s = rest
			}
			yield(s)
		}
	}
	return func(yield func(string) bool) {
		for s = strings.TrimLeftFunc(s, space); s != ""; s = strings.TrimLeftFunc(s, space) {
			end := strings.IndexFunc(s, space)
			if end < 0 || cuts == 0 {
				end = len(s)
			}
			if !yield(s[:end]) {
				return
			}
			s = s[end:]
			cuts--
		}
	}
}

// space reports what Python's str.split takes for white space.
func space(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
