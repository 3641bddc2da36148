package data

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// augmentGolden is what testdata/gen/augment.py writes.
type augmentGolden struct {
	Pictures map[string]struct {
		Shape []int
		Data  string
	}
	Cases []struct {
		Picture, Op string
		Args        []float64
		Out         string
	}
	HSV, RGB             string
	Tables               map[string]map[string][]float64
	Batch, Mixup, Cutmix []float32
	CutShare             float64
}

func readAugmentGolden(t *testing.T) (g augmentGolden) {
	t.Helper()
	b, err := os.ReadFile("testdata/augment.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g augmentGolden) picture(t *testing.T, name string) *tensor.Tensor {
	t.Helper()
	p := g.Pictures[name]
	b, err := base64.StdEncoding.DecodeString(p.Data)
	if err != nil {
		t.Fatal(err)
	}
	return tensor.From(b, p.Shape...)
}

// changeAs does to s what a case says.
func changeAs(s *scene, op string, a []float64) error {
	h, w := s.size()
	bilinear := len(a) > 0 && a[len(a)-1] == 1
	m := copies(mirrored[uint8], mirrored[uint16])
	switch op {
	case "brightness":
		return s.colours(brightness(a[0]))
	case "contrast":
		return s.colours(contrast(a[0]))
	case "saturation":
		return s.colours(saturation(a[0]))
	case "sharpness":
		return s.colours(sharper(a[0]))
	case "hue":
		return s.colours(hue(a[0]))
	case "solarize":
		return s.colours(solarized(a[0]))
	case "posterize":
		return s.colours(posterized(int(a[0])))
	case "invert":
		return s.colours(inverted)
	case "autocontrast":
		return s.colours(perPlane(contrasted))
	case "equalize":
		return s.colours(perPlane(equalized))
	case "blur":
		return s.colours(perPlane(blurred(int(a[0]), a[1])))
	case "grayscale":
		return (&grayscale{P: 1}).apply(newRandom(1), s)
	case "flip":
		s.move(0, m)
	case "vflip":
		s.move(0, copies(turnedOver[uint8], turnedOver[uint16]))
	case "rotate":
		s.rotate(a[0], a[1] == 1, uint8(a[2]))
	case "affine":
		s.warp(around(float64(w)*0.5, float64(h)*0.5, a[0], a[1], a[2], a[3], a[4], a[5]), bilinear, 0)
	case "ShearX", "ShearY":
		i := slices.IndexFunc(randOps, func(o policyOp) bool { return o.name == op })
		return randOps[i].apply(s, a[0], bilinear, 0)
	case "perspective":
		s.warp(warp(a[:8]), bilinear, 0)
	default:
		panic(op)
	}
	return nil
}

// TestAugmentationsArePillows compares all that changes pictures with Pillow, bit for bit: each case is a digest of the result.
func TestAugmentationsArePillows(t *testing.T) {
	g := readAugmentGolden(t)
	for _, c := range g.Cases {
		s := &scene{pic: g.picture(t, c.Picture)}
		if err := changeAs(s, c.Op, c.Args); err != nil {
			t.Fatal(err)
		}
		if digestOf(s.pic.Bytes())[:16] != c.Out {
			t.Errorf("%s %v of %s is not Pillow's", c.Op, c.Args, c.Picture)
		}
	}
}

// TestHuesArePillows compares the conversions of colours, of every fifth value of each channel.
func TestHuesArePillows(t *testing.T) {
	g := readAugmentGolden(t)
	var hsv, rgb []uint8
	for a := 0; a < 256; a += 5 {
		for b := 0; b < 256; b += 5 {
			for c := 0; c < 256; c += 5 {
				x, y, z := toHSV(uint8(a), uint8(b), uint8(c))
				hsv = append(hsv, x, y, z)
				x, y, z = fromHSV(uint8(a), uint8(b), uint8(c))
				rgb = append(rgb, x, y, z)
			}
		}
	}
	for what, d := range map[string][2]string{"to": {digestOf(hsv), g.HSV}, "from": {digestOf(rgb), g.RGB}} {
		if d[0] != d[1] {
			t.Errorf("%s hue, saturation and value: not as Pillow", what)
		}
	}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// TestPolicyLevelsAreTorchvisions compares the strengths of the policies with the tables that torchvision makes.
func TestPolicyLevelsAreTorchvisions(t *testing.T) {
	g := readAugmentGolden(t)
	for policy, ops := range map[string][]policyOp{"randaugment": randOps, "trivialaugment": trivialOps, "autoaugment": randOps} {
		for _, op := range ops {
			want := g.Tables[policy][op.name]
			for k, v := range want {
				// torch.linspace depends on the width of the processor's vectors in the last place.
				if got := op.strength(k, len(want), 23, 31); math.Abs(got-v) > math.Abs(v)/(1<<23) {
					t.Errorf("%s %s level %d: %v, want %v", policy, op.name, k, got, v)
				}
			}
			if want == nil && op.strength(1, 10, 23, 31) != 0 {
				t.Errorf("%s of %s is compared with nothing", op.name, policy)
			}
		}
	}
}

// TestMixturesAreTorchvisions compares mixtures of a batch with PyTorch's, bit for bit.
func TestMixturesAreTorchvisions(t *testing.T) {
	g := readAugmentGolden(t)
	batch := func() *Batch {
		return &Batch{IDs: []string{"a", "b", "c"}, Labels: []int64{4, 5, 6}, X: tensor.From(slices.Clone(g.Batch), 3, 2, 5, 6),
			Y: tensor.From([]float32{1, 2, 3}, 3)}
	}
	b := batch()
	b.mixUp(0.6837)
	if !slices.Equal(b.X.F32(), g.Mixup) || !slices.Equal(b.Labels, []int64{4, 5, 6}) || !slices.Equal(b.Mix.Labels, []int64{6, 4, 5}) ||
		b.Mix.Share[1] != 0.6837 || !slices.Equal(b.Mix.Y.F32(), []float32{3, 1, 2}) {
		t.Errorf("mixup: %+v %+v", b, b.Mix)
	}
	b = batch()
	b.cutMix(cutBox(0.35, 4, 1, 5, 6), lie{})
	if !slices.Equal(b.X.F32(), g.Cutmix) || b.Mix.Share[2] != max(g.CutShare, 1-g.CutShare) {
		t.Errorf("cutmix: %v, share %v; want %v, %v", b.X.F32(), b.Mix.Share, g.Cutmix, g.CutShare)
	}
	b = batch()
	b.mixUp(0.25) // the other one is the larger part, and so the label
	if !slices.Equal(b.Labels, []int64{6, 4, 5}) || !slices.Equal(b.Mix.Labels, []int64{4, 5, 6}) || b.Mix.Share[0] != 0.75 ||
		!slices.Equal(b.Y.F32(), []float32{3, 1, 2}) || !slices.Equal(b.Mix.Y.F32(), []float32{1, 2, 3}) {
		t.Errorf("mixup of a quarter: %+v %+v", b, b.Mix)
	}
}
