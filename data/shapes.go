package data

import (
	"fmt"
	"math"
	"strconv"
	"sync/atomic"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "shapes", Doc: "coloured shapes on textured backgrounds with distractors, drawn on the fly, with ground-truth masks and " +
			"label noise on request",
		Source:  "drawn by this package; distance functions after https://iquilezles.org/articles/distfunctions2d/",
		builtin: true,
		splits:  []string{"train", "test"},
		query:   []string{"size", "n", "noise", "seed", "classes", "clutter", "masks"},
		open:    openShapes,
	})
}

// shapeClasses is the classes in order of label.
var shapeClasses = []string{"circle", "square", "triangle", "star", "cross", "ring", "heart", "moon"}

// shapes is the procedural set. An example is a function of (seed, split, index, size): n does not change it.
type shapes struct {
	split   string
	size, n int
	seed    uint64
	kinds   int
	clutter float64
	classes []string
	ground  uint8 // class of the background in masks of classes
	dense   bool  // masks are of classes, else 1 where the shape is
	labels  []int32
	truth   []int32
	cache   []atomic.Pointer[drawn]
	limit   int64
	held    atomic.Int64
}

type drawn struct{ x, mask *tensor.Tensor }

// openShapes makes shapes[?settings][#train|test]: X uint8 [3,size,size], Mask exact. Settings: size (16 to 1024, default 64), n
// (default 2000 for train, 500 for test), noise (share of train labels that are planted wrong, default 0), seed (default 0),
// classes (2 to 8, default 8), clutter (0 to 1, default 0.5). Test labels are never planted. With masks=class, for segmentation, class 0
// is the background, the shapes follow, and Mask is the class of each pixel, by the true label.
func openShapes(spec Spec, o Options, _ int) (Dataset, error) {
	s := &shapes{split: spec.Split, limit: min(o.Limits.bytes(), 512<<20)}
	if s.split == "" {
		s.split = "train"
	}
	count := 2000
	if s.split == "test" {
		count = 500
	}
	var noise float64
	var seed int
	for _, err := range []error{
		setting("shapes", "", spec.Query, "size", &s.size, 64, 16, 1024, strconv.Atoi),
		setting("shapes", "", spec.Query, "n", &s.n, count, 1, 1<<22, strconv.Atoi),
		setting("shapes", "", spec.Query, "seed", &seed, 0, 0, math.MaxInt, strconv.Atoi),
		setting("shapes", "", spec.Query, "classes", &s.kinds, len(shapeClasses), 2, len(shapeClasses), strconv.Atoi),
		setting("shapes", "", spec.Query, "noise", &noise, 0, 0, 1, parseNumber),
		setting("shapes", "", spec.Query, "clutter", &s.clutter, 0.5, 0, 1, parseNumber),
	} {
		if err != nil {
			return nil, err
		}
	}
	s.seed, s.classes = uint64(seed), shapeClasses[:s.kinds]
	s.cache = make([]atomic.Pointer[drawn], s.n)
	s.truth, s.labels = make([]int32, s.n), make([]int32, s.n)
	for i := range s.n {
		l := int32(s.random(i, keyShapes).intn(s.kinds))
		s.truth[i], s.labels[i] = l, l
		if r := s.random(i, keyNoise); s.split == "train" && r.float() < noise {
			s.labels[i] = (l + 1 + int32(r.intn(s.kinds-1))) % int32(s.kinds)
		}
	}
	switch masks := spec.Query.Get("masks"); masks {
	case "":
	case "class":
		s.dense, s.classes = true, append([]string{"background"}, s.classes...)
		for i := range s.n {
			s.truth[i]++
			s.labels[i]++
		}
	default:
		return nil, malformed("shapes", "", "need class", "masks=%s", clip(masks))
	}
	if o.Classes != nil {
		if s.dense {
			c, err := classIndex("shapes", "", "background", o.Classes)
			if err != nil {
				return nil, err
			}
			if len(o.Classes) > Void {
				return nil, malformed("shapes", "", "masks have at most 255 classes", "%d classes", len(o.Classes))
			}
			s.ground = uint8(c)
		}
		for _, labels := range [][]int32{s.truth, s.labels} {
			for i, l := range labels {
				c, err := classIndex("shapes", "", s.classes[l], o.Classes)
				if err != nil {
					return nil, err
				}
				labels[i] = int32(c)
			}
		}
		s.classes = o.Classes
	}
	return s, nil
}

func (s *shapes) random(i int, key uint64) random {
	part := uint64(0)
	if s.split == "test" {
		part = 1
	}
	return newRandom(s.seed, key, part, uint64(i))
}

func (s *shapes) Len() int            { return s.n }
func (s *shapes) ID(i int) string     { return fmt.Sprintf("shapes/%s/%d", s.split, i) }
func (s *shapes) Label(i int) int     { return int(s.labels[i]) }
func (s *shapes) TrueLabel(i int) int { return int(s.truth[i]) }
func (s *shapes) Classes() []string   { return s.classes }
func (s *shapes) Masked() bool        { return s.dense }

func (s *shapes) Planted() []string {
	var ids []string
	for i := range s.n {
		if s.labels[i] != s.truth[i] {
			ids = append(ids, s.ID(i))
		}
	}
	return ids
}

func (s *shapes) Example(i int) (Example, error) {
	d := s.cache[i].Load()
	if d == nil {
		d = s.draw(i)
		if s.held.Add(int64(4*s.size*s.size)) <= s.limit {
			s.cache[i].Store(d)
		}
	}
	return Example{ID: s.ID(i), X: d.x, Picture: true, Label: s.Label(i), Mask: d.mask}, nil
}

// draw makes picture i: background, distractors, shadow, shape. Its first draw is the class.
func (s *shapes) draw(i int) *drawn {
	r := s.random(i, keyShapes)
	kind := shapeClasses[r.intn(s.kinds)]
	c := newCanvas(s.size)
	hue := r.float()
	c.background(r, hue)
	for range int(math.Round(s.clutter * 10 * (0.5 + r.float()))) {
		c.distractor(r)
	}
	radius := r.between(0.22, 0.36)
	x, y := r.between(radius+0.03, 0.97-radius), r.between(radius+0.03, 0.97-radius)
	angle := r.between(-0.4, 0.4)
	if kind == "triangle" || kind == "star" || kind == "cross" || kind == "moon" {
		angle = r.between(-math.Pi, math.Pi)
	}
	// The shape's hue keeps away from the background's; saturation and value keep it readable.
	fill := hsv(hue+r.between(0.25, 0.75), r.between(0.65, 0.95), r.between(0.8, 1))
	f := placed(shapeDistance[kind], x, y, radius, angle)
	c.shadow(f, r.between(0.25, 0.5))
	mask := c.solid(f, fill, fill.mix(rgb{0, 0, 0}, 0.55), r.between(-1, 1))
	c.grain(r, 0.02)
	if s.dense {
		for p, v := range mask.Bytes() {
			mask.Bytes()[p] = s.ground
			if v == 1 {
				mask.Bytes()[p] = uint8(s.truth[i])
			}
		}
	}
	return &drawn{c.picture(), mask}
}
