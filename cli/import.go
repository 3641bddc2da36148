package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/onnx"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "import", Usage: "check a model, say what runs and what trains, store how it is used", ArgsUsage: "MODEL.onnx",
		Description: "Reads and checks the model and says what it needs. With -o it writes a copy that also holds the labels and the preprocessing of pictures given here\n" +
			"(metadata gtk.labels and gtk.preprocess), so that no later command needs those flags; all else in the file stays as it is.\n\n" +
			"   gtk import squeezenet.onnx -o s.onnx --labels imagenet_labels.txt --resize 256 --image-size 224 --channels bgr --scale 1 --mean 104,117,123",
		Flags: append([]ucli.Flag{
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write"},
			&ucli.Int64Flag{Name: "opset", Usage: "upgrade to operator set `N`"},
			&ucli.BoolFlag{Name: "force", Usage: "replace FILE if it is there"},
		}, preprocessFlags()...),
	}, importCommand))
}

type importReport struct {
	*description
	Written string `json:"written"`
}

func importCommand(_ context.Context, e *env, c *ucli.Context) error {
	path, err := oneArg(c, "MODEL.onnx")
	if err != nil {
		return err
	}
	out := c.String("out")
	if out != "" {
		if err := mayWrite(out, c.Bool("force")); err != nil {
			return err
		}
	}
	m, err := readModel(path)
	if err != nil {
		return err
	}
	changed, err := annotate(c, m)
	if err != nil {
		return err
	}
	if c.IsSet("opset") {
		if changed = true; m.Opset("") != c.Int64("opset") {
			if err := upgrade(m, c.Int64("opset")); err != nil {
				return err
			}
		}
	}
	if changed && out == "" {
		return usagef("the model is not changed in place: give -o FILE for the copy with the new labels, preprocessing or opset")
	}
	d, err := describe(m, e.Threads, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	d.Schema = "gtk.import/1"
	if err := d.print(e); err != nil {
		return err
	}
	if d.loadErr != nil {
		return fmt.Errorf("%s: %w", path, d.loadErr)
	}
	if out != "" {
		if err := m.WriteFile(out, onnx.WriteOptions{Force: c.Bool("force")}); err != nil {
			return err
		}
		e.printf("\nwritten to %s\n", out)
	}
	return e.emit(importReport{d, out})
}

// annotate stores the labels and the preprocessing of the flags in the metadata of m.
func annotate(c *ucli.Context, m *onnx.Model) (changed bool, err error) {
	if c.IsSet("labels") {
		labels, err := readLabels(c.String("labels"))
		if err != nil {
			return false, err
		}
		b, err := json.Marshal(labels)
		if err != nil {
			return false, err
		}
		m.SetMetadata(labelsKey, string(b))
		changed = true
	}
	for _, n := range preprocessNames {
		if !c.IsSet(n) {
			continue
		}
		p, err := modelPreprocess(c, m)
		if err != nil {
			return false, err
		}
		m.SetMetadata(data.MetadataKey, p.String())
		return true, nil
	}
	return changed, nil
}
