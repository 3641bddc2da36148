package straggler

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gtk-onnx/gtk/internal/options"
)

// Synthetic makes traces: each worker is a chain of two states, fast and late (Gilbert and Elliott), beside a common burst at the start, in
// which workers are cold.
type Synthetic struct {
	Base   float64 `opt:"base" range:"(0, ∞)" doc:"median seconds of a fast worker without work"`
	Jitter float64 `opt:"jitter" range:"[0, 1)" doc:"deviation of its logarithm"`
	Late   float64 `opt:"late" range:"[0, 1)" doc:"probability that a fast worker is late in the next round"`
	Stay   float64 `opt:"stay" range:"[0, 1)" doc:"probability that a late one stays so"`
	Slow   float64 `opt:"slow" range:"[1, ∞)" doc:"how many times as long a late worker takes at least"`
	Tail   float64 `opt:"tail" range:"[0, ∞)" doc:"mean of what comes on top of slow, exponentially, in multiples of base"`
	Cold   int     `opt:"cold" range:"[0, ∞)" doc:"rounds of the burst at the start, in which late is ten times as probable"`
	Slope  float64 `opt:"slope" range:"[0, ∞)" doc:"seconds that all of the data take beside"`
}

// DefaultSynthetic is a chain like what is reported of serverless functions: one in twenty late, one in ten of them for another round.
func DefaultSynthetic() Synthetic {
	return Synthetic{Base: 1, Jitter: 0.05, Late: 0.05, Stay: 0.1, Slow: 3, Tail: 1, Slope: 1}
}

// ParseSynthetic reads KEY=VALUE:KEY=VALUE…, where commas are as good as colons; what is not said is usual.
func ParseSynthetic(spec string) (Synthetic, error) {
	s := DefaultSynthetic()
	if spec = strings.TrimSpace(strings.ReplaceAll(spec, ",", ":")); spec == "" {
		return s, nil
	}
	_, pairs, err := options.Split("synthetic:" + spec)
	if err == nil {
		err = options.Apply(&s, pairs)
	}
	return s, err
}

// String is s as ParseSynthetic reads it.
func (s Synthetic) String() string {
	var out []string
	for _, o := range options.List(&s) {
		out = append(out, o.Name+"="+o.Default)
	}
	return strings.Join(out, ":")
}

// Trace draws a trace; the same seed gives the same.
func (s Synthetic) Trace(workers, rounds int, seed uint64) (*Trace, error) {
	if workers < 1 || rounds < 1 || workers*rounds > maxTrace {
		return nil, fmt.Errorf("straggler: a trace of %d workers and %d rounds: want at least one of each, and less than %d numbers", workers,
			rounds, maxTrace)
	}
	t := &Trace{Slope: s.Slope, Seconds: make([][]float64, workers)}
	for w := range t.Seconds {
		r := rand.New(rand.NewPCG(seed, uint64(w)+1))
		late := false
		t.Seconds[w] = make([]float64, rounds)
		for k := range t.Seconds[w] {
			p := s.Late
			switch {
			case late:
				p = s.Stay
			case k < s.Cold:
				p = min(10*p, 0.9)
			}
			u, z, e := r.Float64(), r.NormFloat64(), r.ExpFloat64() // as many in each state, so that options change what they say only
			late = u < p
			x := s.Base * math.Exp(s.Jitter*z)
			if late {
				x = x*s.Slow + s.Base*s.Tail*e
			}
			t.Seconds[w][k] = x
		}
	}
	return t, nil
}
