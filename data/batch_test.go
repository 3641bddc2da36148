package data

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/tensor"
)

// collect is all batches of an epoch as text, and the error that ended it.
func collect(ds Dataset, s Sampler, size int, o BatchOptions) (lines []string, err error) {
	for b, err := range Batches(context.Background(), ds, s, size, o) {
		if err != nil {
			return lines, err
		}
		y := "-"
		if b.Y != nil {
			y = fmt.Sprint(b.Y.Bytes())
		}
		lines = append(lines, fmt.Sprint(b.Index, b.IDs, b.Labels, b.X, b.X.Bytes(), y))
	}
	return lines, nil
}

func TestBatchesDoNotDependOnWorkers(t *testing.T) {
	ds := must(Open("shapes?size=16&n=50", Options{}))(t)
	o := BatchOptions{Preprocess: &Preprocess{ImageSize: [2]int{12, 12}},
		Augment: augmented(t, "flip,crop=2,resized=0.3:1"), Seed: 5, Epoch: 3}
	o.Workers = 1
	want := must(collect(ds, Shuffled(50, 5), 8, o))(t)
	if len(want) != 7 {
		t.Fatalf("%d batches", len(want))
	}
	for _, w := range []int{2, 3, 16} {
		o.Workers, o.Prefetch = w, w
		if got := must(collect(ds, Shuffled(50, 5), 8, o))(t); !slices.Equal(got, want) {
			t.Errorf("%d workers give other batches", w)
		}
	}
	o.Skip = 4
	if got := must(collect(ds, Shuffled(50, 5), 8, o))(t); !slices.Equal(got, want[4:]) {
		t.Error("resumed epoch differs")
	}
	o.Skip, o.DropLast = 0, true
	if got := must(collect(ds, Shuffled(50, 5), 8, o))(t); !slices.Equal(got, want[:6]) {
		t.Error("without the last batch: other batches")
	}
	o.DropLast, o.Epoch = false, 4
	if got := must(collect(ds, Shuffled(50, 5), 8, o))(t); slices.Equal(got[:1], want[:1]) {
		t.Error("epochs are the same")
	}
}

// Parts of batches, one after another, are the batches; each is made of parts as equal as can be, and the rest of an epoch can be cut
// otherwise.
func TestParts(t *testing.T) {
	ds := must(Open("digits#test", Options{}))(t)
	order := Shuffled(ds.Len(), 3)
	for _, c := range []struct {
		start, size, part int
		lone              bool
		want              []int // sizes of the first parts
		last              int
	}{
		{0, 100, 0, false, []int{100, 100, 100, 55}, 55},
		{0, 100, 30, false, []int{25, 25, 25, 25, 25}, 28},
		{0, 100, 34, false, []int{33, 33, 34, 33}, 28},
		{50, 200, 64, false, []int{50, 50, 50, 50, 52, 53}, 53},
		{0, 59, 59, true, []int{59}, 30}, // 355 = 6·59 + 1
		{0, 0, 200, false, []int{177, 178}, 178},
	} {
		var sizes, seen []int
		rest := 0
		for b, err := range Batches(context.Background(), ds, order, c.size, BatchOptions{Start: c.start, Part: c.part, MergeLone: c.lone}) {
			if err != nil {
				t.Fatal(err)
			}
			if rest > 0 && b.Rest != rest-b.Len() {
				t.Errorf("%+v: %d and then %d after %d", c, b.Len(), b.Rest, rest)
			}
			rest = b.Rest
			sizes, seen = append(sizes, b.Len()), append(seen, b.Index...)
		}
		if rest != 0 || !slices.Equal(seen, order.Order(0)[c.start:]) {
			t.Errorf("%+v: other examples, or in another order", c)
		}
		if !slices.Equal(sizes[:min(len(sizes), len(c.want))], c.want) || sizes[len(sizes)-1] != c.last {
			t.Errorf("%+v: parts of %v", c, sizes)
		}
	}
}

func TestBatchesContent(t *testing.T) {
	ds := must(Open("digits#test", Options{}))(t)
	n := 0
	for b, err := range Batches(context.Background(), ds, Sequential(ds.Len()), 0, BatchOptions{Preprocess: &Preprocess{Scale: 1. / 16}}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if !b.X.Shape().Equal(tensor.Shape{355, 1, 8, 8}) || b.X.DType() != tensor.Float32 {
			t.Fatalf("%v", b.X)
		}
		for i := range 355 {
			e := must(ds.Example(i))(t)
			if b.IDs[i] != e.ID || b.Labels[i] != int64(e.Label) {
				t.Fatalf("example %d: %s %d", i, b.IDs[i], b.Labels[i])
			}
			for k, v := range e.X.Bytes() {
				if b.X.F32()[i*64+k] != float32(v)/16 {
					t.Fatalf("example %d pixel %d", i, k)
				}
			}
		}
	}
	if n != 1 {
		t.Errorf("%d batches", n)
	}
	table := must(readTable(t, "1,2,0.5\n3,4,0.25\n5,6,1.5\n", Options{}))(t)
	var last *Batch
	for b, err := range Batches(context.Background(), table, Sequential(3), 2, BatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		last = b.Clone()
	}
	if last.X.String() != "float32[1,2]" || last.Y.String() != "float32[1,1]" || last.Y.F32()[0] != 1.5 || last.Labels[0] != -1 {
		t.Errorf("%v %v", last.X, last.Y)
	}
	scaled := &Preprocess{Scale: 1, Mean: []float64{1, 2}, Std: []float64{2, 2}, Tensors: true}
	for b, err := range Batches(context.Background(), table, Sequential(3), 3, BatchOptions{Preprocess: scaled}) {
		if err != nil || !slices.Equal(b.X.F32(), []float32{0, 0, 1, 1, 2, 2}) {
			t.Errorf("%v %v", b, err)
		}
	}
	for range Batches(context.Background(), table, Sequential(0), 3, BatchOptions{}) {
		t.Error("a batch of nothing")
	}
}

// broken fails at one example and gives another shape at another.
type broken struct {
	Dataset
	bad, odd int
	slow     time.Duration
}

var errBroken = errors.New("broken on purpose")

func (b broken) Example(i int) (Example, error) {
	time.Sleep(b.slow)
	if i == b.bad {
		return Example{}, errBroken
	}
	e, err := b.Dataset.Example(i)
	if i == b.odd {
		e.X = tensor.New(tensor.Uint8, 3, 5, 5)
	}
	return e, err
}

func TestBatchesErrors(t *testing.T) {
	ds := must(Open("shapes?size=16&n=40", Options{}))(t)
	before := runtime.NumGoroutine()
	for _, workers := range []int{1, 8} {
		got, err := collect(broken{ds, 22, 29, 0}, Sequential(40), 5, BatchOptions{Workers: workers})
		if !errors.Is(err, errBroken) || len(got) != 4 {
			t.Errorf("%d workers: %d batches before %v", workers, len(got), err)
		}
		got, err = collect(broken{ds, -1, 29, 0}, Sequential(40), 5, BatchOptions{Workers: workers})
		if err == nil || len(got) != 5 {
			t.Errorf("%d workers: %d batches before %v", workers, len(got), err)
		}
	}
	n := 0
	for _, err := range Batches(context.Background(), broken{ds, 22, -1, 0}, Sequential(40), 5, BatchOptions{}) {
		if n++; err != nil && n != 5 {
			t.Errorf("error at batch %d", n)
		}
	}
	if n != 5 {
		t.Errorf("%d values where four batches and an error were due", n)
	}
	for range Batches(context.Background(), ds, Sequential(40), 3, BatchOptions{}) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	for _, err := range Batches(ctx, broken{ds, -1, -1, time.Millisecond}, Sequential(40), 4, BatchOptions{Workers: 2}) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("cancelled loop ends with %v", last)
	}
	for _, c := range []struct {
		s Sampler
		o BatchOptions
	}{
		{SamplerFunc(func(int) []int { return []int{3, 99} }), BatchOptions{}},
		{Sequential(40), BatchOptions{Preprocess: &Preprocess{Crop: "x"}}},
	} {
		if got, err := collect(ds, c.s, 4, c.o); err == nil || len(got) > 0 {
			t.Errorf("%d batches, error %v", len(got), err)
		}
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines left", runtime.NumGoroutine()-before)
}

func TestSamplers(t *testing.T) {
	if !slices.Equal(Sequential(3).Order(9), []int{0, 1, 2}) {
		t.Error("sequential")
	}
	s := Shuffled(100, 1)
	a, b := s.Order(0), s.Order(1)
	if slices.Equal(a, b) || !slices.Equal(a, Shuffled(100, 1).Order(0)) || slices.Equal(a, Shuffled(100, 2).Order(0)) {
		t.Error("shuffled orders do not depend on seed and epoch alone")
	}
	slices.Sort(a)
	if !slices.Equal(a, upTo(100)) {
		t.Error("shuffled is no permutation")
	}
	// The streams are part of what a seed means: they must not change.
	if got := Shuffled(8, 7).Order(2); !slices.Equal(got, shuffled8) {
		t.Errorf("order of seed 7, epoch 2 is %v", got)
	}
	ds := must(readTable(t, "1,a\n2,a\n3,a\n4,a\n5,a\n6,b\n7,b\n8,c\n", Options{}))(t)
	count, seen := map[int]int{}, map[int]int{}
	for epoch := range 5 {
		order := Balanced(ds, 3).Order(epoch)
		if len(order) != 8 {
			t.Errorf("a balanced epoch has %d examples", len(order))
		}
		for _, i := range order {
			count[ds.Label(i)]++
			seen[i]++
		}
	}
	if count[0] != 15 || count[1] != 15 || count[2] != 10 || seen[0] != 3 || seen[4] != 3 || min(seen[5], seen[6]) != 7 || seen[7] != 10 {
		t.Errorf("balanced counts %v, of examples %v", count, seen)
	}
	if a, b := Balanced(ds, 3).Order(1), Balanced(ds, 3).Order(2); slices.Equal(a, b) || !slices.Equal(a, Balanced(ds, 3).Order(1)) {
		t.Error("balanced orders do not depend on seed and epoch alone")
	}
	if Balanced(must(openSeries(t, hours(40), "?in=4&out=2", Options{}))(t), 1) != nil {
		t.Error("a series is balanced")
	}
	uniform := make([]int, 6) // all permutations of three
	for e := range 6000 {
		p := Shuffled(3, 11).Order(e)
		uniform[p[0]*2+(p[1]+2-p[0])%3%2]++
	}
	for k, n := range uniform {
		if n < 870 || n > 1130 { // 1000 ± 4.5 standard deviations
			t.Errorf("permutation %d comes %d times of 6000", k, n)
		}
	}
}

func TestSplit(t *testing.T) {
	ds := must(Open("digits", Options{}))(t)
	train, val, err := Split(ds, 0.2, 4)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, part := range []Dataset{train, val} {
		for i := range part.Len() {
			if seen[part.ID(i)] {
				t.Fatalf("%s is in both parts", part.ID(i))
			}
			seen[part.ID(i)] = true
		}
	}
	whole, part := perClass(ds), perClass(val)
	for l, members := range whole {
		if share := float64(len(part[l])) / float64(len(members)); share < 0.195 || share > 0.205 {
			t.Errorf("class %d: share %v", l, share)
		}
	}
	if len(seen) != ds.Len() {
		t.Errorf("%d of %d examples", len(seen), ds.Len())
	}
	again, _, _ := Split(ds, 0.2, 4)
	other, _, _ := Split(ds, 0.2, 5)
	if again.ID(100) != train.ID(100) || dump(t, again) == dump(t, other) {
		t.Error("split does not depend on the seed alone")
	}
	for _, f := range []float64{0, 1, -1, 2} {
		if _, _, err := Split(ds, f, 0); err == nil {
			t.Errorf("fraction %v is accepted", f)
		}
	}
	for _, f := range []float64{0.2, 0.5} { // both round to no example in one part
		if _, _, err := Split(must(Subset(ds, []int{3}))(t), f, 0); err == nil {
			t.Errorf("one example is divided by %v", f)
		}
	}
	if _, err := Subset(ds, []int{1797}); err == nil {
		t.Error("subset with an index out of range")
	}
}

func TestCache(t *testing.T) {
	ds := must(Open("shapes?size=40&n=12", Options{}))(t)
	p := Preprocess{Resize: 32, ImageSize: [2]int{24, 24}, Channels: "bgr", Mean: []float64{0.5}}
	want := must(collect(ds, Sequential(12), 5, BatchOptions{Preprocess: &p}))(t)
	for _, limit := range []int64{0, (24*24*3 + aroundKept) * 5, 1 << 20} {
		c, rest := Cache(ds, p, limit)
		for range 2 {
			if got := must(collect(c, Sequential(12), 5, BatchOptions{Preprocess: &rest}))(t); !slices.Equal(got, want) {
				t.Fatalf("limit %d: cached batches differ", limit)
			}
		}
		if e := must(c.Example(3))(t); !e.Mask.Shape().Equal(tensor.Shape{24, 24}) {
			t.Errorf("mask %v", e.Mask)
		}
		if GroupOf(c, 0, "x") != "" || Planted(c) != nil {
			t.Error("cache invents groups or labels")
		}
	}
}

var shuffled8 = []int{3, 6, 7, 0, 4, 5, 1, 2}

// fieldset has an array without a name, arrays with names, and masks.
type fieldset struct{ n int }

func (s fieldset) Len() int          { return s.n }
func (s fieldset) ID(i int) string   { return fmt.Sprint(i) }
func (s fieldset) Label(int) int     { return -1 }
func (s fieldset) Classes() []string { return nil }
func (s fieldset) Example(i int) (Example, error) {
	e := Example{ID: s.ID(i), Label: -1, Picture: true, X: tensor.New(tensor.Uint8, 1, 4, 6), Mask: tensor.New(tensor.Uint8, 4, 6)}
	for k := range e.Mask.Bytes() {
		v := byte(k % 3)
		e.Mask.Bytes()[k], e.X.Bytes()[k] = v, 100*v // what happens to the picture is seen in the mask
	}
	e.Fields = map[string]*tensor.Tensor{"ids": tensor.From([]int64{int64(i), int64(-i)}, 2),
		"scale": tensor.From([]float32{float32(i) / 2})}
	return e, nil
}

func TestFieldsAndMasks(t *testing.T) {
	ds := fieldset{5}
	var ids []int64
	for b, err := range Batches(context.Background(), ds, Sequential(5), 2, BatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Mask != nil || len(b.Fields) != 2 || b.Fields["scale"].Dim(0) != b.Len() ||
			!b.Fields["ids"].Shape().Equal(tensor.Shape{b.Len(), 2}) {
			t.Fatalf("batch %v has fields %v and mask %v", b.IDs, b.Fields, b.Mask)
		}
		ids = append(ids, b.Clone().Fields["ids"].I64()...)
	}
	if !slices.Equal(ids, []int64{0, 0, 1, -1, 2, -2, 3, -3, 4, -4}) {
		t.Errorf("ids %v", ids)
	}
	void := 0
	for epoch := range 20 {
		o := BatchOptions{Masks: true, Epoch: epoch, Augment: augmented(t, "flip,crop=1"),
			Preprocess: &Preprocess{Scale: 1, Channels: "gray"}}
		for b, err := range Batches(context.Background(), ds, Sequential(5), 5, o) {
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range b.X.F32() {
				m := b.Mask.Bytes()[k]
				if m == Void && v == 0 {
					void++
				} else if v != 100*float32(m) {
					t.Fatalf("epoch %d: pixel %d is %v, its mask %d", epoch, k, v, m)
				}
			}
		}
	}
	if void == 0 {
		t.Error("no picture was moved beyond its border")
	}
	p := Preprocess{ImageSize: [2]int{2, 3}, Crop: "none"}
	if m := must(p.Mask(must(ds.Example(0))(t).Mask))(t); !slices.Equal(m.Bytes(), []byte{1, 0, 2, 1, 0, 2}) {
		t.Errorf("half the size: %v", m.Bytes())
	}
	if _, err := collect(must(Open("digits#test", Options{}))(t), Sequential(3), 3, BatchOptions{Masks: true}); err == nil {
		t.Error("masks of a set without masks")
	}
}

func TestMergeLone(t *testing.T) {
	ds := fieldset{7}
	for _, x := range []struct {
		size int
		want []int
	}{{3, []int{3, 4}}, {2, []int{2, 2, 3}}, {7, []int{7}}, {6, []int{7}}, {1, []int{1, 1, 1, 1, 1, 1, 1}}, {4, []int{4, 3}}} {
		o := BatchOptions{MergeLone: x.size > 1}
		var got []int
		for b, err := range Batches(context.Background(), ds, Sequential(7), x.size, o) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b.Len())
		}
		if !slices.Equal(got, x.want) || NumBatches(7, x.size, o) != len(got) {
			t.Errorf("size %d: batches of %v, want %v; %d announced", x.size, got, x.want, NumBatches(7, x.size, o))
		}
	}
}

// TestBatchSlice checks that a part of a batch is a copy, and that what a batch does not have its parts do not have either.
func TestBatchSlice(t *testing.T) {
	b := &Batch{Index: []int{4, 5, 6}, IDs: []string{"a", "b", "c"}, X: tensor.From([]float32{1, 2, 3, 4, 5, 6}, 3, 2),
		Fields: map[string]*tensor.Tensor{"f": tensor.From([]int64{7, 8, 9}, 3)}}
	c, whole := b.Slice(1, 3), b.Clone()
	b.Index[1], b.IDs[1], b.X.F32()[2], b.Fields["f"].I64()[1] = 0, "", 0, 0
	if !slices.Equal(c.Index, []int{5, 6}) || !slices.Equal(c.IDs, []string{"b", "c"}) || c.Labels != nil ||
		!slices.Equal(c.X.F32(), []float32{3, 4, 5, 6}) || c.Y != nil || !slices.Equal(c.Fields["f"].I64(), []int64{8, 9}) {
		t.Errorf("%+v", c)
	}
	if !slices.Equal(whole.Index, []int{4, 5, 6}) || whole.IDs[1] != "b" || !whole.X.Shape().Equal(tensor.Shape{3, 2}) ||
		!slices.Equal(whole.X.F32(), []float32{1, 2, 3, 4, 5, 6}) || whole.Labels != nil || whole.Fields["f"].I64()[1] != 8 {
		t.Errorf("%+v", whole)
	}
}
