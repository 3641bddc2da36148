package engine

import "fmt"

// Settle rounds the parameters that the file holds in half precision to what it can hold, so that the model gives what the saved file will
// give. It reports whether there are such parameters.
func (m *Model) Settle() (bool, error) {
	some := false
	for _, p := range m.params {
		if !half(p.file) || !p.Trainable && !p.State {
			continue
		}
		some = true
		narrow, err := p.Value.Convert(p.file)
		if err == nil {
			var wide = narrow
			if wide, err = narrow.Convert(p.Value.DType()); err == nil {
				copy(p.Value.Bytes(), wide.Bytes())
			}
		}
		if err != nil {
			return some, fmt.Errorf("engine: parameter %q: %w", p.Name, err)
		}
	}
	if some {
		m.Changed()
	}
	return some, nil
}
