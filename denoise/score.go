package denoise

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
)

// MetadataKey is where a denoiser keeps its Parameters.
const MetadataKey = "gtk.denoise"

// What the output f of a network says of its input x.
const (
	ScoreOfResidual = "score-of-residual" // the score is f/v, v the variance of the noise: f is about what is to be added to x
	ScoreItself     = "score"             // f is the score
	Residual        = "residual"          // f is what is to be added to the noisy picture
	Clean           = "clean"             // f is the clean picture
)

// Parameters say how a network is used: what it is shown of a noisy picture and what its output means. The score is that of z =
// Scale·y, the network is shown Gain·z, and f/Gain has the units of z.
type Parameters struct {
	Schema    string  `json:"schema"`
	Objective string  `json:"objective"`
	Noise     string  `json:"noise"` // a name in Families
	Level     float64 `json:"level"` // that of the training, or for unknown levels the one that f is scaled by
	Blind     bool    `json:"blind"` // the levels of the training were not known, or many
	Means     string  `json:"output_means"`
	Floor     float64 `json:"floor"` // deviation below which the noise of z is not taken for smaller, see Family.Variance
	Gain      float64 `json:"gain"`
	Typical   float64 `json:"variance"`       // of the noise of z at the mean of the pictures of the training
	Optional  bool    `json:"level_optional"` // the level is an input with a default
	Picture   bool    `json:"gives_picture"`  // the network gives a picture like its input: its output is the difference of both
	Network   string  `json:"network"`        // value that is the output of the network
	Output    string  `json:"output"`         // output of the model, the clean picture
	Multiple  int     `json:"multiple"`       // sides of what the network is shown are multiples of it
	Channels  int     `json:"channels"`
}

const parametersSchema = "gtk.denoise/1"

// ParametersOf reads those of a model that was written as a denoiser; nil for others.
func ParametersOf(m *onnx.Model) (*Parameters, error) {
	for _, kv := range m.Proto.GetMetadataProps() {
		if kv.GetKey() != MetadataKey {
			continue
		}
		p := &Parameters{}
		if err := json.Unmarshal([]byte(kv.GetValue()), p); err != nil {
			return nil, fmt.Errorf("denoise: metadata %s: %w", MetadataKey, err)
		}
		return p, p.check()
	}
	return nil, nil
}

func (p *Parameters) check() error {
	f, err := families.Lookup(p.Noise)
	switch {
	case p.Schema != parametersSchema:
		return fmt.Errorf("denoise: metadata %s: schema %q, want %s", MetadataKey, p.Schema, parametersSchema)
	case err != nil:
		return fmt.Errorf("denoise: metadata %s: %w", MetadataKey, err)
	case f.Check(p.Level) != nil:
		return fmt.Errorf("denoise: metadata %s: %w", MetadataKey, f.Check(p.Level))
	case !(p.Gain > 0) || !(p.Floor >= 0) || p.Multiple < 1 || p.Channels < 1:
		return fmt.Errorf("denoise: metadata %s: gain %g, floor %g, multiple %d, channels %d: want positive numbers", MetadataKey, p.Gain,
			p.Floor, p.Multiple, p.Channels)
	}
	switch p.Means {
	case ScoreOfResidual, ScoreItself, Residual, Clean:
		return nil
	}
	return fmt.Errorf("denoise: metadata %s: the output means %q, which is unknown", MetadataKey, p.Means)
}

// Store keeps p in the metadata of m.
func (p *Parameters) Store(m *onnx.Model) error {
	p.Schema = parametersSchema
	b, err := json.Marshal(p)
	if err == nil {
		m.SetMetadata(MetadataKey, string(b))
	}
	return err
}

// Family is that of the noise.
func (p *Parameters) Family() Family {
	f, _ := families.Lookup(p.Noise)
	return f
}

// Scores reports whether the network gives a score, so that the level of the noise matters when it is used.
func (p *Parameters) Scores() bool { return p.Means == ScoreOfResidual || p.Means == ScoreItself }

// Shown is what the network is shown of the noisy value y.
func (p *Parameters) Shown(y, level float64) float64 {
	if !p.Scores() {
		return y
	}
	return p.Gain * p.Family().Scale(level) * y
}

// Factor is that of the network's output in the score at z.
func (p *Parameters) Factor(z float64) float64 {
	if p.Means == ScoreItself {
		return 1
	}
	return 1 / (p.Gain * p.Family().Variance(z, p.Level, p.Floor))
}

// Even is what both sides of the loss are multiplied by at z, so that the error of a residual counts the same everywhere.
func (p *Parameters) Even(z float64) float64 {
	if p.Means != ScoreOfResidual {
		return 1
	}
	return p.Family().Variance(z, p.Level, p.Floor) / p.Typical
}

// Restored is the clean value by the network's output f where it was shown y.
func (p *Parameters) Restored(y, f, level float64) float64 {
	switch p.Means {
	case Residual:
		return y + f
	case Clean:
		return f
	}
	family := p.Family()
	return family.Denoised(y, f*p.Factor(family.Scale(level)*y), level)
}

// ParametersFor are those of a training by an objective on noise of typical levels, where the mean of the pictures is mean.
func ParametersFor(o Objective, name string, n Noise, typical, mean float64) *Parameters {
	p := &Parameters{Schema: parametersSchema, Objective: name, Noise: n.Name, Level: typical, Blind: !n.Known(), Gain: 1, Multiple: 1,
		Channels: 1,
		Means:    o.Means()}
	if !p.Scores() {
		return p
	}
	f := n.Family
	z := f.Scale(typical)
	p.Gain = 1 / z
	p.Floor = 0.25 * f.Deviation(mean*z, typical)
	p.Typical = f.Variance(mean*z, typical, p.Floor)
	return p
}

// typicalOf is the geometric mean of low and high.
func typicalOf(low, high float64) float64 { return math.Sqrt(low * high) }
