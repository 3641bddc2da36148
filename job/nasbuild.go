package job

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/nas"
	"github.com/gtk-onnx/gtk/onnx"
)

// NASBuildConfig says which supernet is built.
type NASBuildConfig struct {
	nas.Space                     // 0 is the space's own
	Data        string            // for whose pictures and classes; "" means those of Space
	DataOptions data.Options      //
	Preprocess  map[string]string // of the pictures of Data, as in ModelOptions
	Out         string            // file; required
	Force       bool              // replace it
}

// NASBuildReport says what was built.
type NASBuildReport struct {
	Schema     string      `json:"schema"`
	Space      string      `json:"space"`
	Out        string      `json:"out"`
	Input      []int       `json:"input"` // channels, height and width
	Classes    int         `json:"classes"`
	Channels   int         `json:"channels"`
	Stages     int         `json:"stages"`
	Cells      int         `json:"cells"`
	Operators  []string    `json:"operators"`
	Choices    []NASChoice `json:"choices"`
	Archs      float64     `json:"architectures"`
	Parameters int         `json:"parameters"`
}

// NASChoice is a choice of a path.
type NASChoice struct {
	Name      string `json:"name"`
	Operators []int  `json:"operators"` // that can stand there
}

// NASBuild writes a supernet with random weights.
func NASBuild(ctx context.Context, c NASBuildConfig) (*NASBuildReport, error) {
	if c.Out == "" {
		return nil, usagef("gtk nas build: give the file to write: -o FILE")
	}
	release, err := claim(reads("", ModelOptions{}, c.Data), output{flag: "--out", path: c.Out, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	if c.Data != "" {
		if err := c.fit(ctx); err != nil {
			return nil, err
		}
	}
	n, err := nas.New(c.Space)
	if err != nil {
		return nil, usagef("%v", err)
	}
	file, err := n.File()
	if err != nil {
		return nil, err
	}
	em, err := engine.Load(file)
	if err != nil {
		return nil, err
	}
	defer em.Close()
	if err := file.WriteFile(c.Out, onnx.WriteOptions{Force: c.Force}); err != nil {
		return nil, err
	}
	r := &NASBuildReport{Schema: "gtk.nas-build/1", Space: n.Name, Out: c.Out, Input: []int{n.Inputs, n.ImageSize, n.ImageSize},
		Classes:  n.Classes,
		Channels: n.Channels, Stages: n.Stages, Cells: n.Cells, Operators: n.Ops, Archs: n.Size()}
	for _, x := range n.Choices {
		r.Choices = append(r.Choices, NASChoice{x.Name, x.Ops})
	}
	_, weights := n.Weights()
	for _, w := range weights {
		r.Parameters += w.Len()
	}
	return r, nil
}

// fit takes pictures and classes from the data where they are not given.
func (c *NASBuildConfig) fit(ctx context.Context) error {
	ds, err := data.Open(c.Data, c.DataOptions)
	if err != nil {
		return err
	}
	if ds.Len() == 0 {
		return badInput(fmt.Errorf("data set %s is empty", c.Data))
	}
	pre := data.Suggested(ds)
	for _, name := range PreprocessSettings {
		if v, given := c.Preprocess[name]; given {
			if err := pre.Set(name, v); err != nil {
				return usagef("--%s: %v", name, err)
			}
		}
	}
	need, err := classesNeeded(ds, false)
	if err != nil {
		return err
	}
	if need < 2 && c.Classes == 0 {
		return badInput(fmt.Errorf("data set %s has no classes, and a supernet is for a class of each example", c.Data))
	}
	if c.Classes == 0 {
		c.Classes = need
	}
	for b, err := range data.Batches(ctx, ds, data.Sequential(1), 1, data.BatchOptions{Preprocess: &pre}) {
		if err != nil {
			return err
		}
		x := b.X
		if x == nil || x.Rank() != 4 || x.Dim(2) != x.Dim(3) {
			return badInput(fmt.Errorf("the examples of %s are %v as a model gets them, and the networks of the space take square "+
				"pictures "+
				"[channels,size,size]: give --image-size, if they are pictures", c.Data, x))
		}
		if c.Inputs == 0 {
			c.Inputs = x.Dim(1)
		}
		if c.ImageSize == 0 {
			c.ImageSize = x.Dim(2)
		}
	}
	return nil
}
