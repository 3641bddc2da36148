package train

import (
	"github.com/gtk-onnx/gtk/engine"
)

// FreshBatchNorm reports whether m has running statistics and all of them are as they are made, means 0 and variances 1: they were
// never trained.
func FreshBatchNorm(m *engine.Model) bool {
	some := false
	for p := range m.Params() {
		if !p.State {
			continue
		}
		some = true
		v := p.Value.Float64s()
		if len(v) == 0 {
			continue
		}
		if v[0] != 0 && v[0] != 1 {
			return false
		}
		for _, x := range v {
			if x != v[0] {
				return false
			}
		}
	}
	return some
}
