package job

import (
	"context"
	"errors"

	"github.com/gtk-onnx/gtk/train"
)

// UnitsReport says how many of a model's boosted units were kept.
type UnitsReport struct {
	Kept int `json:"kept"`
	Of   int `json:"of"`
	Step int `json:"step"` // units that were trained together
}

// exportUnits writes a model with the first of its boosted units. What is written is compared with that model in memory.
func exportUnits(ctx context.Context, c ExportConfig) (*ExportReport, error) {
	r, source, release, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer release()
	m, was, err := train.KeepUnits(source, c.KeepUnits)
	var none *train.NotGBNNError
	switch {
	case errors.As(err, &none):
		return nil, badInput(err)
	case err != nil:
		return nil, usagef("--gbnn-keep: %v", err)
	}
	r.Units = &UnitsReport{Kept: c.KeepUnits, Of: was.Units, Step: was.Step}
	kept := m
	if c.Opset != 0 {
		if m, _, err = converted(m, c.Opset, c.Threads); err != nil {
			return nil, err
		}
	}
	r.Opset = m.Opset("")
	as, err := outputsForExport(ctx, c, kept)
	if err != nil {
		return nil, err
	}
	return c.write(ctx, r, m, as)
}
