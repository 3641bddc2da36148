package science

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/tensor"
)

// rows is a table in memory: numbers, and a class or a value for each row.
type rows struct {
	width   int
	x       []float32 // [N,width]
	classes int       // 0 for values
	label   []int
	value   []float32
}

func (r *rows) Len() int        { return len(r.x) / r.width }
func (r *rows) ID(i int) string { return strconv.Itoa(i) }

func (r *rows) Classes() []string {
	var names []string
	for k := range r.classes {
		names = append(names, strconv.Itoa(k))
	}
	return names
}

func (r *rows) Label(i int) int {
	if r.classes == 0 {
		return -1
	}
	return r.label[i]
}

func (r *rows) Example(i int) (data.Example, error) {
	e := data.Example{ID: r.ID(i), X: tensor.From(r.x[i*r.width:(i+1)*r.width], r.width), Label: r.Label(i)}
	if r.classes == 0 {
		e.Y = tensor.From(r.value[i:i+1], 1)
	}
	return e, nil
}

// add adds a row.
func (r *rows) add(x []float64, label int, value float64) {
	for _, v := range x {
		r.x = append(r.x, float32(v))
	}
	if r.classes > 0 {
		r.label = append(r.label, label)
		return
	}
	r.value = append(r.value, float32(value))
}

// standardise brings the features of all of them to mean 0 and deviation 1 over the first, and values likewise.
func standardise(all ...*rows) {
	over := func(x func(r *rows) []float32, width int) {
		first := x(all[0])
		n := float64(len(first) / width)
		for j := range width {
			mean, square := 0.0, 0.0
			for i := j; i < len(first); i += width {
				mean += float64(first[i]) / n
			}
			for i := j; i < len(first); i += width {
				d := float64(first[i]) - mean
				square += d * d / n
			}
			scale := 0.0
			if square > 0 {
				scale = 1 / math.Sqrt(square)
			}
			for _, r := range all {
				for i := j; i < len(x(r)); i += width {
					x(r)[i] = float32((float64(x(r)[i]) - mean) * scale)
				}
			}
		}
	}
	over(func(r *rows) []float32 { return r.x }, all[0].width)
	if all[0].classes == 0 {
		over(func(r *rows) []float32 { return r.value }, 1)
	}
}

// digitRows are the handwritten digits as tables: those to train on cut in two by seed, and those to test with.
func digitRows(seed uint64) (train, val, test *rows, err error) {
	read := func(ds data.Dataset) (*rows, error) {
		r := &rows{width: 64, classes: 10}
		for i := range ds.Len() {
			e, err := ds.Example(i)
			if err != nil {
				return nil, err
			}
			r.add(e.X.Float64s(), e.Label, 0)
		}
		return r, nil
	}
	all, err := data.Open("digits#train", data.Options{})
	if err != nil {
		return nil, nil, nil, err
	}
	a, b, err := data.Split(all, 0.2, seed)
	if err != nil {
		return nil, nil, nil, err
	}
	c, err := data.Open("digits#test", data.Options{})
	if err != nil {
		return nil, nil, nil, err
	}
	for i, ds := range []data.Dataset{a, b, c} {
		r, err := read(ds)
		if err != nil {
			return nil, nil, nil, err
		}
		*[]**rows{&train, &val, &test}[i] = r
	}
	return train, val, test, nil
}

// drawn are tables of a distribution: 800 rows to train on, 200 to choose by, 2000 to test with.
func drawn(draw func(r *rand.Rand, t *rows)) func(seed uint64) (train, val, test *rows, err error) {
	return func(seed uint64) (train, val, test *rows, err error) {
		r := rand.New(rand.NewPCG(seed, 0x7461626c65))
		var all [3]*rows
		for i, n := range []int{800, 200, 2000} {
			all[i] = &rows{}
			for range n {
				draw(r, all[i])
			}
		}
		return all[0], all[1], all[2], nil
	}
}

// waveform is Breiman's: 21 noisy numbers of a mixture of two of three triangles, which two is the class. The best possible accuracy is
// about 86 %.
//
// Source: Breiman et al. 1984, Classification and Regression Trees, section 2.6.2.
func waveform(r *rand.Rand, t *rows) {
	t.width, t.classes = 21, 3
	peak := [3]float64{11, 7, 15}
	k, u := r.IntN(3), r.Float64()
	a, b := [3]int{0, 0, 1}[k], [3]int{1, 2, 2}[k]
	x := make([]float64, 21)
	for i := range x {
		h := func(c int) float64 { return max(6-math.Abs(float64(i+1)-peak[c]), 0) }
		x[i] = u*h(a) + (1-u)*h(b) + r.NormFloat64()
	}
	t.add(x, k, 0)
}

// ringnorm is Breiman's: two normal distributions in 20 dimensions, the wide one around the narrow one. The best possible accuracy is about
// 98.7 %.
//
// Source: Breiman 1996, Bias, Variance, and Arcing Classifiers, Technical Report 460, Berkeley.
func ringnorm(r *rand.Rand, t *rows) {
	t.width, t.classes = 20, 2
	k := r.IntN(2)
	x := make([]float64, 20)
	for i := range x {
		if x[i] = 2 * r.NormFloat64(); k == 1 {
			x[i] = x[i]/2 + 2/math.Sqrt(20)
		}
	}
	t.add(x, k, 0)
}

// friedman is the first of Friedman's: 10·sin(π·x₁·x₂) + 20·(x₃−½)² + 10·x₄ + 5·x₅ and noise of deviation 1, with five numbers more that
// say nothing.
//
// Source: Friedman 1991, Multivariate Adaptive Regression Splines, https://doi.org/10.1214/aos/1176347963, section 4.3.
func friedman(r *rand.Rand, t *rows) {
	t.width = 10
	x := make([]float64, 10)
	for i := range x {
		x[i] = r.Float64()
	}
	t.add(x, 0, 10*math.Sin(math.Pi*x[0]*x[1])+20*(x[2]-.5)*(x[2]-.5)+10*x[3]+5*x[4]+r.NormFloat64())
}
