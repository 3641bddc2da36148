package job

import (
	"io"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
)

// ModelsReport lists the networks that gtk can build.
type ModelsReport struct {
	Schema string     `json:"schema"`
	Models []ModelRow `json:"models"`
}

// ModelRow is one builder.
type ModelRow struct {
	Name    string   `json:"name"`
	Doc     string   `json:"doc"`
	Source  string   `json:"source"`
	Options []string `json:"options"`
}

// Models lists the builders.
func Models() *ModelsReport {
	r := &ModelsReport{Schema: "gtk.models/1", Models: []ModelRow{}}
	for _, b := range models.Builders().Entries() {
		r.Models = append(r.Models, ModelRow{b.Name, b.Doc, b.Source, b.Value.Takes})
	}
	return r
}

// BuildConfig says which network is built.
type BuildConfig struct {
	Name           string    // of a builder; required
	models.Options           // sizes and seed; 0 is the network's own
	Out            string    // file
	W              io.Writer // takes the model when Out is ""
	Force          bool      // replace Out
}

// BuildReport says what was built.
type BuildReport struct {
	Schema     string `json:"schema"`
	Name       string `json:"name"`
	Out        string `json:"out"`
	Parameters int    `json:"parameters"` // weights and running statistics

	Inputs, Outputs []IOReport `json:"-"`
}

// Build writes a network with random weights.
func Build(c BuildConfig) (*BuildReport, error) {
	if c.Out == "" && c.W == nil {
		return nil, usagef("gtk models new: give the file to write: -o FILE")
	}
	release, err := claim(nil, output{flag: "--out", path: c.Out, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	m, err := models.New(c.Name, c.Options)
	if err != nil {
		return nil, usagef("%v", err)
	}
	if c.Out == "" {
		_, err = m.WriteTo(c.W)
	} else {
		err = m.WriteFile(c.Out, onnx.WriteOptions{Force: c.Force})
	}
	if err != nil {
		return nil, err
	}
	r := &BuildReport{Schema: "gtk.models.new/1", Name: c.Name, Out: c.Out, Inputs: ioReports(m.Inputs()), Outputs: ioReports(m.Outputs())}
	em, err := engine.Load(m)
	if err != nil {
		return nil, err
	}
	defer em.Close()
	w := em.Weights()
	r.Parameters = w.Parameters + w.State
	return r, nil
}
