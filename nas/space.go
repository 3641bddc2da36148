package nas

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/onnx"
)

// Space says of which networks a supernet is made. Sizes of 0 are the usual ones, which New fills in.
type Space struct {
	Name      string `json:"space"`           // of Spaces
	Inputs    int    `json:"inputs"`          // channels of the pictures; 0: 1
	ImageSize int    `json:"image_size"`      // their height and width; 0: 8
	Classes   int    `json:"classes"`         // 0: 10
	Channels  int    `json:"channels"`        // of the first stage; each further one has twice as many; 0: 16
	Stages    int    `json:"stages"`          // each at half the size of the one before; 0: 3
	Cells     int    `json:"cells"`           // in a stage: cells of nas201, blocks of mobile; 0: 5 and 2
	Nodes     int    `json:"nodes,omitempty"` // of a cell of nas201, its input being one; 0: 4
	Seed      uint64 `json:"seed"`            // of the weights as they were drawn
	Version   int    `json:"version"`         // of the form in which a supernet is stored
}

// version is the form in which supernets are stored.
const version = 1

// Choice is one choice of a path: which of the operators stands at a place of the network. Architectures are lists of operators, one for
// each choice, by their numbers in Layout.Ops.
type Choice struct {
	Name string // for people: the edge 2<-1 of a cell, the block stage1.block2
	Ops  []int  // that may stand there
}

// Layout is the choices of a space.
type Layout struct {
	Ops     []string // names of the operators
	Choices []Choice

	reaches func(arch []int) bool // nil: always
}

// Reaches reports whether anything of the input reaches the output of a network; else it gives the same scores whatever it sees.
func (l Layout) Reaches(arch []int) bool { return l.reaches == nil || l.reaches(arch) }

// form is a kind of space.
type form struct {
	fill   func(s *Space) error                    // the usual sizes, and what is wrong with others
	layout func(s Space) Layout                    // its choices
	build  func(s Space, b *builder) (string, int) // a supernet or a path: the features that are pooled, and their channels
	size   func(s Space) float64                   // about how many numbers the operators that are chosen have
}

var spaces = registry.Table[form]{Kind: "space"}

// Spaces is the table of the kinds of spaces.
func Spaces() *registry.Table[form] { return &spaces }

// complete fills in the usual sizes.
func (s Space) complete() (Space, form, error) {
	f, err := spaces.Lookup(s.Name)
	if err != nil {
		return s, f, fmt.Errorf("nas: %w", err)
	}
	or := func(v *int, usual int) {
		if *v == 0 {
			*v = usual
		}
	}
	or(&s.Inputs, 1)
	or(&s.ImageSize, 8)
	or(&s.Classes, 10)
	or(&s.Channels, 16)
	or(&s.Stages, 3)
	s.Version = version
	if err := f.fill(&s); err != nil {
		return s, f, fmt.Errorf("nas: %s: %w", s.Name, err)
	}
	for _, x := range []struct {
		what     string
		v, least int
		most     int
	}{{"channels of the pictures", s.Inputs, 1, 1024}, {"image size", s.ImageSize, 1, 4096}, {"classes", s.Classes, 2, 1 << 16},
		{"channels", s.Channels, 1, 1024}, {"stages", s.Stages, 1, 6}, {"cells", s.Cells, 1, 64}} {
		if x.v < x.least || x.v > x.most {
			return s, f, fmt.Errorf("nas: %s: %d %s: want %d to %d", s.Name, x.v, x.what, x.least, x.most)
		}
	}
	if half := 1 << (s.Stages - 1); s.ImageSize%half != 0 {
		return s, f, fmt.Errorf("nas: %s: %d stages halve the pictures %d times, and %d is no multiple of %d: give other stages, or "+
			"pictures of "+
			"another size", s.Name, s.Stages, s.Stages-1, s.ImageSize, half)
	}
	if n := f.size(s); n > mostWeights {
		return s, f, fmt.Errorf("nas: %s: the supernet would have about %.3g weights, and gtk makes those of %.0g at most: give fewer "+
			"channels, "+
			"stages or cells", s.Name, n, float64(mostWeights))
	}
	return s, f, nil
}

// mostWeights bounds the weights of a supernet.
const mostWeights = 2e8

// Size is the number of architectures, +Inf beyond what can be counted.
func (l Layout) Size() float64 {
	n := 1.0
	for _, c := range l.Choices {
		n *= float64(len(c.Ops))
	}
	return n
}

// Nth is architecture number n, counted with the last choice first; n below Size.
func (l Layout) Nth(n int) []int {
	a := make([]int, len(l.Choices))
	for i := len(a) - 1; i >= 0; i-- {
		ops := l.Choices[i].Ops
		a[i] = ops[n%len(ops)]
		n /= len(ops)
	}
	return a
}

// Full is an architecture in which each choice has the last of its operators, none of which leaves anything out.
func (l Layout) Full() []int {
	var a []int
	for _, c := range l.Choices {
		a = append(a, c.Ops[len(c.Ops)-1])
	}
	return a
}

// Check says what is wrong with an architecture.
func (l Layout) Check(arch []int) error {
	if len(arch) != len(l.Choices) {
		return fmt.Errorf("nas: an architecture has %d operators, one for each choice (%s), and %s has %d", len(l.Choices), l.choices(),
			Format(arch), len(arch))
	}
	for i, o := range arch {
		if c := l.Choices[i]; !slices.Contains(c.Ops, o) {
			var can []string
			for _, k := range c.Ops {
				can = append(can, fmt.Sprintf("%d (%s)", k, l.Ops[k]))
			}
			return fmt.Errorf("nas: architecture %s: operator %d cannot stand at choice %d (%s); there can %s", Format(arch), o, i+1,
				c.Name,
				strings.Join(can, ", "))
		}
	}
	return nil
}

func (l Layout) choices() string {
	var names []string
	for _, c := range l.Choices {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// Describe is an architecture with the names of its operators.
func (l Layout) Describe(arch []int) string {
	var s []string
	for i, o := range arch {
		s = append(s, l.Choices[i].Name+":"+l.Ops[o])
	}
	return strings.Join(s, " ")
}

// Format is an architecture as Parse reads it: 2,3,0.
func Format(arch []int) string {
	var s []string
	for _, o := range arch {
		s = append(s, strconv.Itoa(o))
	}
	return strings.Join(s, ",")
}

// Parse reads an architecture: numbers or names of operators with commas between.
func (l Layout) Parse(s string) ([]int, error) {
	var arch []int
	for w := range strings.SplitSeq(s, ",") {
		w = strings.TrimSpace(w)
		o := slices.Index(l.Ops, w)
		if o < 0 {
			n, err := strconv.Atoi(w)
			if err != nil || n < 0 || n >= len(l.Ops) {
				return nil, fmt.Errorf("nas: architecture %q: %q is no operator; there are 0 to %d: %s%s", s, w, len(l.Ops)-1,
					strings.Join(l.Ops, ", "), registry.Hint(w, l.Ops))
			}
			o = n
		}
		arch = append(arch, o)
	}
	return arch, l.Check(arch)
}

// MetadataKey is the key of a supernet's metadata, and ArchKey that of the architecture of a network that was taken out of one.
const (
	MetadataKey = "gtk.nas"
	ArchKey     = "gtk.nas.arch"
)

// remember stores the space in the metadata of a supernet.
func (s Space) remember(m *onnx.Model) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("nas: %w", err)
	}
	m.SetMetadata(MetadataKey, string(b))
	return nil
}

// spaceOf is the space by the metadata of a supernet.
func spaceOf(m *onnx.Model) (s Space, err error) {
	text, ok := m.Metadata(MetadataKey)
	if !ok {
		return s, &NotSupernetError{}
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("nas: metadata %s: %w", MetadataKey, err)
	}
	if s.Version != version {
		return s, fmt.Errorf("nas: the supernet is of form %d, and this program reads %d", s.Version, version)
	}
	return s, nil
}

// NotSupernetError is the error of a model that is no supernet.
type NotSupernetError struct{}

// Error says how to make one.
func (*NotSupernetError) Error() string {
	return "nas: the model is no supernet: its metadata have no " + MetadataKey + "; gtk nas build makes one"
}
