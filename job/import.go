package job

import (
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/onnx"
)

// ImportConfig says what is stored in the copy of a model.
type ImportConfig struct {
	Model        string // file, or builtin:NAME; required
	ModelOptions        // Labels and Preprocess are stored
	Out          string // file to write; "" only looks
	Opset        int64  // operator set to upgrade to; 0 keeps the model's own
	Force        bool   // replace Out
}

// ImportReport describes a model, and says where its copy is.
type ImportReport struct {
	*Description
	Written string `json:"written"`
}

// Import checks a model and says what runs and what trains; with Out it writes a copy that holds labels and preprocessing. The report of
// a model that the engine cannot load comes with that error, and nothing is written.
func Import(c ImportConfig) (*ImportReport, error) {
	release, err := claim(reads(c.Model, c.ModelOptions), output{flag: "--out", path: c.Out, model: true, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	m, err := ReadModel(c.Model)
	if err != nil {
		return nil, err
	}
	changed, err := annotate(c, m)
	if err != nil {
		return nil, err
	}
	if c.Opset != 0 {
		if changed = true; m.Opset("") != c.Opset {
			if err := upgrade(m, c.Opset); err != nil {
				return nil, err
			}
		}
	}
	if changed && c.Out == "" {
		return nil, usagef("the model is not changed in place: give -o FILE for the copy with the new labels, preprocessing or opset")
	}
	d, err := describe(m, c.Threads, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	d.Schema = "gtk.import/1"
	r := &ImportReport{Description: d}
	if d.LoadErr != nil {
		return r, fmt.Errorf("%s: %w", c.Model, d.LoadErr)
	}
	if c.Out != "" {
		if err := m.WriteFile(c.Out, onnx.WriteOptions{Force: c.Force}); err != nil {
			return nil, err
		}
		r.Written = c.Out
	}
	return r, nil
}

// annotate stores labels and preprocessing in the metadata of m.
func annotate(c ImportConfig, m *onnx.Model) (changed bool, err error) {
	if c.Labels != "" {
		labels, err := ReadLabels(c.Labels)
		if err != nil {
			return false, err
		}
		if err := setLabels(m, labels); err != nil {
			return false, err
		}
		changed = true
	}
	if len(c.Preprocess) > 0 {
		p, err := modelPreprocess(c.Preprocess, m)
		if err != nil {
			return false, err
		}
		m.SetMetadata(data.MetadataKey, p.String())
		changed = true
	}
	return changed, nil
}
