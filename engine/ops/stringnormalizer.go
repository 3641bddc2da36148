package ops

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// StringNormalizer drops stop words from the texts X, [C] or [1,C], and makes the letters of the others small or capital ones, or leaves
// them. Where nothing is left there is one empty text.
//
// Source: https://onnx.ai/onnx/operators/onnx__StringNormalizer.html. Letters change as Unicode says for all languages but Turkish and
// Azeri, by the attribute locale, whose other values make no difference.
var StringNormalizer = new(graph.Spec)

type stringNormalizerAttrs struct {
	Case      string   `onnx:"case_change_action,default=NONE"`
	Sensitive bool     `onnx:"is_case_sensitive,default=0"`
	Locale    string   `onnx:"locale"`
	Stop      []string `onnx:"stopwords"`
}

func init() {
	define(StringNormalizer, graph.Def[stringNormalizerAttrs]{
		Name: "StringNormalizer", Since: []int{10}, Doc: "https://onnx.ai/onnx/operators/onnx__StringNormalizer.html",
		In:    []graph.Formal{{Name: "X", NoGrad: true, Types: stringsOnly}},
		Out:   []graph.Formal{{Name: "Y"}},
		Types: outType[stringNormalizerAttrs](tensor.String),
		Check: func(a *stringNormalizerAttrs, _ *graph.Node) error {
			if !slices.Contains([]string{"NONE", "LOWER", "UPPER"}, a.Case) {
				return fmt.Errorf("attribute case_change_action is %q, want NONE, LOWER or UPPER", a.Case)
			}
			return nil
		},
		Infer: func(*stringNormalizerAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Run: func(a *stringNormalizerAttrs, c *graph.RunCtx) error {
			s := c.In[0].Shape()
			if !(len(s) == 1 || len(s) == 2 && s[0] == 1) {
				return fmt.Errorf("input X has shape %v, want [C] or [1,C]", s)
			}
			lower, upper := strings.ToLower, strings.ToUpper
			if l := strings.ToLower(a.Locale); strings.HasPrefix(l, "tr") || strings.HasPrefix(l, "az") {
				lower = func(s string) string { return strings.ToLowerSpecial(unicode.TurkishCase, s) }
				upper = func(s string) string { return strings.ToUpperSpecial(unicode.TurkishCase, s) }
			}
			form := func(s string) string { return s }
			if !a.Sensitive {
				form = lower
			}
			stop := map[string]bool{}
			for _, w := range a.Stop {
				stop[form(w)] = true
			}
			var out []string
			for _, w := range c.In[0].Strings() {
				if len(stop) > 0 && stop[form(w)] {
					continue
				}
				switch a.Case {
				case "LOWER":
					w = lower(w)
				case "UPPER":
					w = upper(w)
				}
				out = append(out, w)
			}
			if len(out) == 0 {
				out = []string{""}
			}
			c.SetOut(0, tensor.FromStrings(out, append(slices.Clone(s[:len(s)-1]), len(out))...))
			return nil
		},
	})
	followRules["StringNormalizer"] = (*follower).refuse
}
