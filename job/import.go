package job

import (
	"cmp"
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/onnx"
)

// ImportConfig says what is stored in the copy of a model.
type ImportConfig struct {
	Model        string // file, or builtin:NAME; required
	ModelOptions        // Labels and Preprocess are stored
	Out          string // file to write; "" only looks
	Opset        int64  // operator set to convert to; 0 keeps the model's own
	InferShapes  bool   // store the types and shapes of all values
	Force        bool   // replace Out
	Seed         uint64 // of the inputs on which what was converted is compared
}

// ImportReport describes a model, and says where its copy is.
type ImportReport struct {
	*Description
	Written    string            `json:"written"`
	Problems   []string          `json:"problems"` // by the letter of ONNX, which gtk can do with
	Conversion *ConversionReport `json:"conversion,omitempty"`
	Inferred   *InferredReport   `json:"inferred,omitempty"`
}

// Import checks a model and says what runs and what trains; with Out it writes a copy that holds labels and preprocessing. The report of
// a model that the engine cannot load comes with that error, and nothing is written.
func Import(c ImportConfig) (*ImportReport, error) {
	release, err := claim(reads(c.Model, c.ModelOptions), output{flag: "--out", path: c.Out, model: true, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	m, wrong, err := readStrictly(c.Model)
	if err != nil {
		return nil, err
	}
	changed, err := annotate(c, m)
	if err != nil {
		return nil, err
	}
	r := &ImportReport{}
	if c.Opset != 0 {
		changed = true
		source := m
		if m, r.Conversion, err = converted(source, c.Opset, c.Threads); err != nil {
			return nil, err
		}
		if r.Conversion.Verify, err = sameOutputs(cmp.Or[context.Context](c.Context, context.Background()), source, m, c); err != nil {
			return nil, err
		}
	}
	if c.InferShapes {
		changed = true
		r.Inferred = storeTypes(m, c.Threads)
	}
	if changed && c.Out == "" {
		return nil, usagef("the model is not changed in place: give -o FILE for the copy with the new labels, preprocessing, opset or shapes")
	}
	d, err := describe(m, c.Threads, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	d.Schema = "gtk.import/1"
	r.Description, r.Problems = d, []string{}
	for _, err := range wrong {
		r.Problems = append(r.Problems, err.Error())
	}
	if d.LoadErr != nil {
		return r, fmt.Errorf("%s: %w", c.Model, d.LoadErr)
	}
	if v := r.Conversion; v != nil && v.Verify != nil && !v.Verify.Pass && v.Verify.Note == "" {
		return r, &NoError{fmt.Sprintf("converted to operator set %d the model gives other outputs: nothing was written", c.Opset)}
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
