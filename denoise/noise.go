// Package denoise restores pictures from their noisy versions alone: kinds of noise with Tweedie's formula for each, which makes a
// denoiser of a score; the objectives by which networks are trained, without clean pictures and, as controls, with them; the level of
// unknown noise; measures of pictures; and the ONNX graph that holds network and formula together.
//
// Pictures are numbers from 0 to 1, planes one after another.
//
// Source: Kim and Ye 2021, "Noise2Score: Tweedie's Approach to Self-Supervised Image Denoising without Clean Images" (arXiv 2106.07009).
package denoise

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// Family is a kind of noise whose strength is one number, its level. One file registers one.
type Family interface {
	// Noisy is a noisy version of the clean value x.
	Noisy(r *Random, x, level float64) float64
	// Scale is what a picture y is multiplied by to be z = Scale·y, whose score is learned.
	Scale(level float64) float64
	// Denoised is Tweedie's formula: the clean value, from the noisy one y and the score of z.
	Denoised(y, score, level float64) float64
	// Variance is that of the noise of z, as a function of z, where it vanishes with z and floor² on top.
	Variance(z, level, floor float64) float64
	// Deviation is that of the noise of z where z is m on average.
	Deviation(m, level float64) float64
	// Anneal is that of the paper, for z.
	Anneal() Anneal
	// Grid are the levels that are tried where it is not known, in the order of the paper.
	Grid() []float64
	// Range is that from which levels are drawn where a network is to know many.
	Range() (low, high float64)
	// Penalty is how bad the picture x is as the clean version of y: the least names the level.
	Penalty(x, y Plane) float64
	// Shape is how the deviation of the noise depends on the mean m of a picture, and LevelOf the level by what it is multiplied by.
	Shape(m float64) float64
	LevelOf(factor float64) float64
	// Unit says what the level is, Check refuses one that is none.
	Unit() string
	Check(level float64) error
	// variance and tweedie add Variance and Denoised to a graph.
	variance(b *composer, z string) string
	tweedie(b *composer, y, score string) string
}

var families = registry.Table[Family]{Kind: "noise"}

// Families is the table of kinds of noise.
func Families() *registry.Table[Family] { return &families }

// Noise is a kind of noise with its level.
type Noise struct {
	Name   string
	Family Family
	Level  float64 // 0 where it is not known
}

// ParseNoise reads FAMILY:LEVEL, FAMILY:blind or FAMILY for a level that is not known, and blind for Gaussian noise of unknown level.
func ParseNoise(s string) (Noise, error) {
	name, level, given := strings.Cut(s, ":")
	if name == "blind" {
		if name = "gaussian"; given {
			name = level
		}
		level, given = "blind", true
	}
	f, err := families.Lookup(name)
	if err != nil {
		return Noise{}, fmt.Errorf("denoise: %w; as in gaussian:25, poisson:0.01, gamma:100, gaussian:blind", err)
	}
	n := Noise{Name: name, Family: f}
	if !given || level == "blind" || level == "auto" {
		return n, nil
	}
	if n.Level, err = strconv.ParseFloat(level, 64); err != nil || math.IsInf(n.Level, 0) || n.Level != n.Level {
		return Noise{}, fmt.Errorf("denoise: noise %q: %q is no level; it is %s, as in %s", s, level, f.Unit(), example(name))
	}
	if err := f.Check(n.Level); err != nil {
		return Noise{}, fmt.Errorf("denoise: noise %q: %w", s, err)
	}
	return n, nil
}

func example(name string) string {
	return map[string]string{"gaussian": "gaussian:25", "poisson": "poisson:0.01", "gamma": "gamma:100"}[name]
}

// Known reports whether the level is.
func (n Noise) Known() bool { return n.Level > 0 }

// String is what ParseNoise reads.
func (n Noise) String() string {
	if !n.Known() {
		return n.Name + ":blind"
	}
	return fmt.Sprintf("%s:%g", n.Name, n.Level)
}

// Names are those of the kinds of noise.
func Names() []string { return slices.Clone(families.Names()) }

// positive refuses a level that is not a positive number.
func positive(level float64, unit string) error {
	if !(level > 0) {
		return fmt.Errorf("level %g: want %s, a positive number", level, unit)
	}
	return nil
}

// evenly are n numbers from low in equal steps, the last of which is high; low itself is left out.
func evenly(low, high float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = low + (high-low)*float64(i+1)/float64(n)
	}
	return out
}
