package ops

import (
	"fmt"
	"regexp"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// RegexFullMatch tells of each text whether a regular expression in the syntax of RE2 matches all of it.
//
// Source: https://onnx.ai/onnx/operators/onnx__RegexFullMatch.html
var RegexFullMatch = new(graph.Spec)

type regexFullMatchAttrs struct {
	Pattern string `onnx:"pattern"`
}

// compile is the expression that matches whole texts.
func (a *regexFullMatchAttrs) compile() (*regexp.Regexp, error) {
	if _, err := regexp.Compile(a.Pattern); err != nil { // alone: brackets of the pattern must be its own
		return nil, fmt.Errorf("attribute pattern %.200q: %w", a.Pattern, err)
	}
	return regexp.Compile(`\A(?:` + a.Pattern + `)\z`)
}

func init() {
	define(RegexFullMatch, graph.Def[regexFullMatchAttrs]{
		Name: "RegexFullMatch", Since: []int{20}, Doc: "https://onnx.ai/onnx/operators/onnx__RegexFullMatch.html",
		In:    []graph.Formal{{Name: "X", NoGrad: true, Types: stringsOnly}},
		Out:   []graph.Formal{{Name: "Y"}},
		Types: outType[regexFullMatchAttrs](tensor.Bool),
		Check: func(a *regexFullMatchAttrs, _ *graph.Node) error {
			_, err := a.compile()
			return err
		},
		Infer: sameShape[regexFullMatchAttrs],
		Run: func(a *regexFullMatchAttrs, c *graph.RunCtx) error {
			re, ok := (*c.Cache).(*regexp.Regexp)
			if !ok {
				var err error
				if re, err = a.compile(); err != nil {
					return err
				}
				*c.Cache = re
			}
			y := tensor.Data[bool](c.Out[0])
			for i, s := range c.In[0].Strings() {
				y[i] = re.MatchString(s)
			}
			return nil
		},
	})
}
