package denoise

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
)

// Objective is what a network learns from: a patch of a noisy picture becomes one or more rows, each a picture that the network is shown
// and what its output is compared with. The loss of a row is the mean of (weight·f − target)² over pixels. One file registers one; its
// options are the tagged fields of its struct.
type Objective interface {
	// Means says what the output of a network means that was trained so, see Parameters.
	Means() string
	// Rows is how many a patch becomes.
	Rows() int
	// Wants says what it needs beside the noisy picture.
	Wants() Want
	// Redraws reports whether noise that gtk adds itself is drawn anew for each patch, unless asked otherwise.
	Redraws() bool
	// Fill makes the rows of a patch.
	Fill(p *Patch)
}

// Want is what an objective needs beside the noisy picture.
type Want int

// What objectives need.
const (
	WantNothing Want = iota
	WantClean        // the clean picture
	WantSecond       // another noisy version of it
)

var objectives = registry.Table[func() Objective]{Kind: "objective"}

// Objectives is the table of objectives; each entry makes one with its default options.
func Objectives() *registry.Table[func() Objective] { return &objectives }

// ObjectiveOptions lists the options of an objective with their defaults.
func ObjectiveOptions(name string) []options.Option {
	made, err := objectives.Lookup(name)
	if err != nil {
		return nil
	}
	return options.List(made())
}

// NewObjective makes the objective NAME:KEY=VALUE:….
func NewObjective(spec string) (name string, o Objective, err error) {
	name, o, err = options.Make(&objectives, spec, map[string]string{"n2s": "noise2score", "n2n": "noise2noise", "n2v": "noise2void"})
	if err != nil {
		err = fmt.Errorf("denoise: %w", err)
	}
	return name, o, err
}

// Patch is a part of a noisy picture, C planes of H×W, with what is known of it.
type Patch struct {
	*Random
	C, H, W int
	Noisy   []float32
	Clean   []float32 // nil where it is not wanted
	Second  []float32 // likewise
	Level   float64   // of its noise; where it is not known, a typical one
	Seen    int       // rows before those of this step, in the whole training
	Params  *Parameters
	Anneal  Anneal

	Input  [][]float32 // of each row, to be filled
	Weight [][]float32
	Target [][]float32
}
