package main

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/denoise"
)

// denoisingTable lists the objectives for noisy pictures.
func denoisingTable(context) (string, error) {
	t := newTable("objective", "learns from", "options", "source")
	for _, x := range denoise.Objectives().Entries() {
		var opts []string
		for _, o := range denoise.ObjectiveOptions(x.Name) {
			opts = append(opts, fmt.Sprintf("%s (%s): %s", code(o.Name), o.Default, o.Doc))
		}
		t.row(code(x.Name), x.Doc, strings.Join(opts, "<br>"), source(x.Source))
	}
	return t.String(), nil
}

// noiseTable lists the kinds of noise.
func noiseTable(context) (string, error) {
	t := newTable("noise", "what", "levels of --noise penalty", "levels of a training of unknown level", "source")
	for _, x := range denoise.Families().Entries() {
		grid := x.Value.Grid()
		low, high := x.Value.Range()
		t.row(code(x.Name), x.Doc, fmt.Sprintf("%d from %.4g to %.4g", len(grid), grid[0], grid[len(grid)-1]), fmt.Sprintf("%g to %g", low, high),
			source(x.Source))
	}
	return t.String(), nil
}
