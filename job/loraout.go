package job

import (
	"errors"
	"io"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/ortadapter"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// checkOut looks at the names of the files for the adapters alone.
func (l *LoRA) checkOut(c FinetuneConfig) error {
	for _, path := range l.Out {
		switch filepath.Ext(path) {
		case ortadapter.Extension:
		case ".onnx":
			if c.NumClasses != "" || c.StandardiseTargets {
				flag := "--num-classes"
				if c.NumClasses == "" {
					flag = "--standardise-targets"
				}
				return usagef("--lora-out %s: with %s the graph of the model changes, and a patch has weights alone: give NAME%s, beside "+
					"which the model is written that takes it", path, flag, ortadapter.Extension)
			}
		default:
			return usagef("--lora-out %s: want NAME%s, for ONNX Runtime, or NAME.onnx, a patch for gtk export --adapter", path,
				ortadapter.Extension)
		}
	}
	return nil
}

// baseOf is where the model that takes the adapter file path as inputs is written, "" for a patch.
func baseOf(path string) string {
	stem, is := strings.CutSuffix(path, ortadapter.Extension)
	if !is {
		return ""
	}
	return stem + ".base.onnx"
}

// files are those of Out with the models beside them.
func (l *LoRA) files() []string {
	if l == nil {
		return nil
	}
	var list []string
	for _, path := range l.Out {
		list = append(list, path)
		if base := baseOf(path); base != "" {
			list = append(list, base)
		}
	}
	return list
}

// writeAdapters writes the adapters alone.
func (f *finetuning) writeAdapters() ([]string, error) {
	if len(f.c.LoRA.Out) == 0 {
		return nil, nil
	}
	trained, err := f.Save()
	if err != nil {
		return nil, err
	}
	o := onnx.WriteOptions{Force: true} // whether they may be was asked before the work
	for _, path := range f.c.LoRA.Out {
		base := baseOf(path)
		if base == "" {
			patch, err := f.adapted.Patch(trained)
			if err != nil {
				return nil, err
			}
			if err := setUse(patch, f.Labels, f.stored); err != nil {
				return nil, err
			}
			f.task.Remember(patch)
			if err := patch.WriteFile(path, o); err != nil {
				return nil, err
			}
			continue
		}
		list, err := f.adapted.Tensors(trained)
		if err != nil {
			return nil, err
		}
		with, err := f.adapted.WithInputs(trained)
		if err != nil {
			return nil, err
		}
		if err := f.finish(with); err != nil {
			return nil, err
		}
		if err := with.WriteFile(base, o); err != nil {
			return nil, err
		}
		if err := writeORTAdapter(path, list); err != nil {
			return nil, err
		}
	}
	return f.c.LoRA.files(), nil
}

func writeORTAdapter(path string, list []tensor.Named) error {
	a := &ortadapter.Adapter{Version: 1, ModelVersion: 1, Parameters: list}
	return WriteFile(path, func(w io.Writer) error { return a.Write(w) })
}

// readAdapters reads a file of adapters, whichever of the two it is, and the metadata that go with it.
func readAdapters(path string) (*train.LoRAPatch, *onnx.Model, error) {
	if filepath.Ext(path) == ortadapter.Extension {
		a, err := ortadapter.ReadFile(path)
		switch {
		case errors.Is(err, ortadapter.ErrFormat):
			return nil, nil, badInput(err)
		case err != nil:
			return nil, nil, err
		}
		p := &train.LoRAPatch{Adapters: map[string]*tensor.Tensor{}}
		for _, x := range a.Parameters {
			p.Adapters[x.Name] = x.Tensor
		}
		return p, nil, nil
	}
	m, err := ReadModel(path)
	if err != nil {
		return nil, nil, err
	}
	p, err := train.ReadPatch(m)
	return p, m, badInput(err)
}
