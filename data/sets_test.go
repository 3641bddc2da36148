package data

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

func TestDigits(t *testing.T) {
	all, train, test := must(Open("digits#all", Options{}))(t), must(Open("digits#train", Options{}))(t),
		must(Open("digits#test", Options{}))(t)
	if all.Len() != 1797 || train.Len() != 1442 || test.Len() != 355 {
		t.Fatalf("%d, %d, %d examples", all.Len(), train.Len(), test.Len())
	}
	seen := map[string]bool{}
	for _, ds := range []Dataset{train, test} {
		for i := range ds.Len() {
			seen[ds.ID(i)] = true
		}
	}
	if len(seen) != 1797 {
		t.Errorf("splits cover %d", len(seen))
	}
	e := must(all.Example(0))(t) // first row of the source
	if e.Label != 0 || !e.X.Shape().Equal(tensor.Shape{1, 8, 8}) || !bytes.Equal(e.X.Bytes()[:8], []byte{0, 0, 5, 13, 9, 1, 0, 0}) {
		t.Errorf("%+v", e.X.Bytes())
	}
	sum, high := 0, byte(0)
	counts := make([]int, 10)
	for i := range all.Len() {
		counts[all.Label(i)]++
		for _, v := range must(all.Example(i))(t).X.Bytes() {
			sum += int(v)
			high = max(high, v)
		}
	}
	// 561718 = 1797·64·4.884165 (the mean that scikit-learn's load_digits().data has).
	if high != 16 || sum != 561718 || !slices.Equal(counts, []int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}) {
		t.Errorf("highest %d, sum %d, counts %v", high, sum, counts)
	}
}

func TestDigitsEqualTheirSource(t *testing.T) {
	ds := must(Open("csv:"+testkit.SharedFile(t, "data", "datasets", "tabular", "digits.csv.gz"), Options{Header: "false"}))(t)
	all := must(Open("digits", Options{}))(t)
	if ds.Len() != all.Len() {
		t.Fatalf("%d rows", ds.Len())
	}
	for i := range ds.Len() {
		row, e := must(ds.Example(i))(t), must(all.Example(i))(t)
		for k, v := range e.X.Bytes() {
			if row.X.F32()[k] != float32(v) || row.Label != e.Label {
				t.Fatalf("example %d differs", i)
			}
		}
	}
}

func TestShapes(t *testing.T) {
	ds := must(Open("shapes?size=32&n=400", Options{}))(t)
	counts := map[int]int{}
	for i := range ds.Len() {
		counts[ds.Label(i)]++
	}
	for l, name := range ds.Classes() {
		if counts[l] < 25 { // 50 expected, standard deviation 6.6
			t.Errorf("class %s has %d examples", name, counts[l])
		}
	}
	for i := range 40 {
		e := must(ds.Example(i))(t)
		if !e.X.Shape().Equal(tensor.Shape{3, 32, 32}) || !e.Mask.Shape().Equal(tensor.Shape{32, 32}) || !e.Picture {
			t.Fatalf("%v %v", e.X, e.Mask)
		}
		on, n := 0, 32*32
		var in, out [3]float64
		for p, v := range e.Mask.Bytes() {
			on += int(v)
			for k := range 3 {
				if v == 1 {
					in[k] += float64(e.X.Bytes()[k*n+p])
				} else {
					out[k] += float64(e.X.Bytes()[k*n+p])
				}
			}
		}
		if share := float64(on) / float64(n); share < 0.03 || share > 0.45 {
			t.Errorf("%s (%s): mask covers %.3f", e.ID, ds.Classes()[e.Label], share)
		}
		apart := 0.0
		for k := range 3 {
			apart += math.Abs(in[k]/float64(on) - out[k]/float64(n-on))
		}
		if apart < 40 {
			t.Errorf("%s: shape and background differ by %.1f levels", e.ID, apart)
		}
		for p := range 32 { // shapes are whole: none touches the border
			if m := e.Mask.Bytes(); m[p]+m[31*32+p]+m[p*32]+m[p*32+31] != 0 {
				t.Errorf("%s: shape is cut by the border", e.ID)
				break
			}
		}
	}
	// An example does not depend on how many there are, nor on what was asked before.
	few := must(Open("shapes?size=32&n=10", Options{}))(t)
	for _, i := range []int{9, 3} {
		if !bytes.Equal(must(few.Example(i))(t).X.Bytes(), must(ds.Example(i))(t).X.Bytes()) {
			t.Errorf("example %d depends on n", i)
		}
	}
	for _, other := range []string{"shapes?size=32&n=10#test", "shapes?size=32&n=10&seed=1", "shapes?size=32&n=10&clutter=0"} {
		o := must(Open(other, Options{}))(t)
		if bytes.Equal(must(o.Example(0))(t).X.Bytes(), must(ds.Example(0))(t).X.Bytes()) {
			t.Errorf("%s is the same as the default", other)
		}
	}
	if three := must(Open("shapes?classes=3&n=50", Options{}))(t); len(three.Classes()) != 3 || len(perClass(three)) != 3 {
		t.Errorf("%v", three.Classes())
	}
	given := must(Open("shapes?n=9&size=32", Options{Classes: append([]string{"other"}, ds.Classes()...)}))(t)
	if given.Label(4) != ds.Label(4)+1 || !bytes.Equal(must(given.Example(4))(t).X.Bytes(), must(ds.Example(4))(t).X.Bytes()) {
		t.Error("a given class list changes the pictures")
	}
}

func TestPlantedNoise(t *testing.T) {
	clean, noisy := must(Open("shapes?n=1000&size=16", Options{}))(t), must(Open("shapes?n=1000&size=16&noise=0.1", Options{}))(t)
	planted := Planted(noisy)
	if len(planted) < 70 || len(planted) > 130 { // 100 expected, standard deviation 9.5
		t.Errorf("%d planted", len(planted))
	}
	var changed []string
	for i := range 1000 {
		if noisy.Label(i) != clean.Label(i) {
			changed = append(changed, noisy.ID(i))
		}
		if noisy.(Planter).TrueLabel(i) != clean.Label(i) {
			t.Fatalf("true label of %d", i)
		}
	}
	if !slices.Equal(planted, changed) || !slices.Equal(noisy.(Planter).Planted(), changed) {
		t.Error("the list of planted ids is not that of the changed labels")
	}
	sub := must(Subset(noisy, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}))(t)
	if got := Planted(sub); len(got) > 0 && !slices.Contains(planted, got[0]) {
		t.Errorf("planted in a subset: %v", got)
	}
	if test := must(Open("shapes?n=200&size=16&noise=0.9#test", Options{}))(t); len(Planted(test)) != 0 {
		t.Error("test labels are planted")
	}
}

func TestSummaryAndCheck(t *testing.T) {
	ds := must(Open("shapes?n=64&size=16&noise=0.2", Options{}))(t)
	s := Summarise(ds, 10)
	if s.N != 64 || s.Checked != 10 || !slices.Equal(s.Shape, []int{3, 16, 16}) || s.DType != "uint8" || !s.Pictures || !s.Masks ||
		s.Planted == 0 {
		t.Errorf("%+v", s)
	}
	total := 0
	for _, n := range s.PerClass {
		total += n
	}
	if total != 64 || Check(ds) != nil {
		t.Errorf("%d counted, check %v", total, Check(ds))
	}
	one := must(readTable(t, "1,a\n2,a\n", Options{}))(t)
	if s := Summarise(one, 0); len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "one class") {
		t.Errorf("%v", s.Warnings)
	}
	if err := Check(one); err == nil || !strings.Contains(err.Error(), "one class") {
		t.Errorf("one class: %v", err)
	}
	nan := must(readTable(t, "1,a\nNaN,b\n", Options{AllowNonFinite: true}))(t)
	if s := Summarise(nan, 0); !slices.Equal(s.NonFinite, []string{"1"}) {
		t.Errorf("%v", s.NonFinite)
	}
	empty := must(Subset(ds, nil))(t)
	if err := Check(empty); err == nil || len(Summarise(empty, 0).Warnings) == 0 {
		t.Errorf("empty set: %v", err)
	}
	dir := t.TempDir()
	write1(t, filepath.Join(dir, "a.png"), pngOf(flat(4, 4, color.NRGBA{A: 255})))
	write1(t, filepath.Join(dir, "b.png"), pngOf(flat(5, 4, color.NRGBA{A: 255})))
	write1(t, filepath.Join(dir, "c.png"), []byte("broken"))
	pics := must(Open(dir, Options{}))(t)
	if s := Summarise(pics, 0); s.Shape != nil || len(s.Damaged) != 1 || s.Unlabeled != 3 || len(s.Warnings) != 2 {
		t.Errorf("%+v", s)
	}
	if err := Check(pics); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("no labels: %v", err)
	}
	if err := Check(must(readTable(t, "1,0.5\n2,0.7\n", Options{}))(t)); err != nil {
		t.Errorf("regression: %v", err)
	}
}

func TestExportNPZ(t *testing.T) {
	for _, spec := range []string{"digits#test", "shapes?n=9&size=16"} {
		ds := must(Open(spec, Options{}))(t)
		sub := must(Subset(ds, []int{5, 2, 7}))(t)
		var b bytes.Buffer
		if err := WriteNPZ(&b, sub); err != nil {
			t.Fatal(err)
		}
		back := must(Open(write1(t, filepath.Join(t.TempDir(), "x.npz"), b.Bytes()), Options{}))(t)
		if dump(t, back) != dump(t, sub) {
			t.Errorf("%s: reads back differently", spec)
		}
	}
	table := must(readTable(t, "1,2,0.5\n3,4,0.25\n", Options{}))(t)
	var b bytes.Buffer
	if err := WriteNPZ(&b, table); err != nil {
		t.Fatal(err)
	}
	if back := must(Open(write1(t, filepath.Join(t.TempDir(), "x.npz"), b.Bytes()), Options{}))(t); dump(t, back) != dump(t, table) {
		t.Error("targets read back differently")
	}
	if err := WriteNPZ(&b, must(Subset(table, nil))(t)); err == nil {
		t.Error("an empty set is written")
	}
}

func TestExportImageFolder(t *testing.T) {
	ds := must(Open("shapes?n=12&size=16", Options{}))(t)
	dir := filepath.Join(t.TempDir(), "out")
	if err := WriteImageFolder(dir, ds, true); err != nil {
		t.Fatal(err)
	}
	back := must(Open("imagefolder:"+dir, Options{Classes: ds.Classes()}))(t)
	if back.Len() != 12 {
		t.Fatalf("%d pictures", back.Len())
	}
	for i := range 12 {
		e := must(back.Example(i))(t)
		k, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(e.ID), ".png"))
		if err != nil || e.Label != ds.Label(k) || !bytes.Equal(e.X.Bytes(), must(ds.Example(k))(t).X.Bytes()) {
			t.Errorf("%s differs", e.ID)
		}
	}
	if err := WriteImageFolder(dir, ds, true); err == nil {
		t.Error("a full folder is written to")
	}
	for _, link := range []bool{true, false} {
		again := filepath.Join(t.TempDir(), "again")
		sub := must(Subset(back, []int{3, 1}))(t)
		if err := WriteImageFolder(again, sub, link); err != nil {
			t.Fatal(err)
		}
		a := must(os.Stat(FileOf(back, 3)))(t)
		b := must(os.Stat(filepath.Join(again, filepath.FromSlash(back.ID(3)))))(t)
		if os.SameFile(a, b) != link {
			t.Errorf("link %v: same file is %v", link, os.SameFile(a, b))
		}
	}
	for id, want := range map[string]string{"a/../../x": "x", "..": "_", "a:b\x00": "a_b_", "plain.png": "plain.png"} {
		if got := fileName(id); got != want {
			t.Errorf("file name of %q is %q", id, got)
		}
	}
}

func TestContactSheet(t *testing.T) {
	for _, spec := range []string{"digits#test", "shapes?n=60&size=16", "shapes?n=30&size=100"} {
		img := must(ContactSheet(must(Open(spec, Options{}))(t), 3, 32))(t)
		colours := map[color.Color]bool{}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				colours[img.At(x, y)] = true
			}
		}
		if len(colours) < 16 {
			t.Errorf("%s: %d colours", spec, len(colours))
		}
	}
	if _, err := ContactSheet(must(readTable(t, "1,a\n", Options{}))(t), 3, 32); err == nil {
		t.Error("a table has a contact sheet")
	}
}

// TestSharedData reads the large sets where they are.
func TestSharedData(t *testing.T) {
	shared := testkit.Shared(t)
	mnist := filepath.Join(shared, "data", "datasets", "mnist")
	for split, want := range map[string][]int{
		"train": {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
		"test":  {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}, // published counts
	} {
		ds := must(Open("idx:"+mnist+"#"+split, Options{}))(t)
		counts := make([]int, 10)
		for i := range ds.Len() {
			counts[ds.Label(i)]++
		}
		if !slices.Equal(counts, want) || len(must(ds.Example(ds.Len()-1))(t).X.Bytes()) != 784 {
			t.Errorf("MNIST %s: %v", split, counts)
		}
	}
	set12 := must(Open(filepath.Join(shared, "data", "datasets", "denoise", "set12"), Options{}))(t)
	for i := range set12.Len() {
		e := must(set12.Example(i))(t)
		want := tensor.Shape{1, 256, 256}
		if i >= 7 {
			want = tensor.Shape{1, 512, 512}
		}
		if !e.X.Shape().Equal(want) {
			t.Errorf("set12 %s: %v", e.ID, e.X)
		}
	}
	images := must(Open("images:"+filepath.Join(shared, "data", "images"), Options{}))(t)
	if s := Summarise(images, 0); s.N != 9 || len(s.Damaged) != 0 {
		t.Errorf("images: %+v", s)
	}
	tabular := filepath.Join(shared, "data", "datasets", "tabular")
	for file, want := range map[string]string{
		"iris.csv": "150 [4] [setosa versicolor virginica]", "wine_data.csv": "178 [13] [class_0 class_1 class_2]",
		"breast_cancer.csv": "569 [30] [malignant benign]",
	} {
		s := Summarise(must(Open(filepath.Join(tabular, file), Options{}))(t), 0)
		if got := fmt.Sprint(s.N, s.Shape, s.Classes); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
	s := Summarise(must(Open(filepath.Join(tabular, "diabetes_data_raw.csv.gz"), Options{LabelColumn: "none"}))(t), 0)
	if s.N != 442 || !slices.Equal(s.Shape, []int{10}) || s.Unlabeled != 442 {
		t.Errorf("diabetes: %+v", s)
	}
	for file, want := range map[string]string{
		filepath.Join("mobility", "ML_final_df_real.csv"): "3456 [6] [1] [Date Hour]",
		filepath.Join("ett", "ETTh1.csv"):                 "17420 [6] [1] [date]",
	} {
		s := Summarise(must(Open(filepath.Join(shared, "data", "datasets", file), Options{}))(t), 5)
		if got := fmt.Sprint(s.N, s.Shape, s.Targets, s.Groups); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}

func TestStandardise(t *testing.T) {
	ds := must(readTable(t, "1000001,5,7,a\n1000003,5,1,b\n1000002,5,4,a\n", Options{}))(t)
	p := must(Standardise(ds))(t)
	if !slices.Equal(p.Mean, []float64{1000002, 5, 4}) || math.Abs(p.Std[0]-math.Sqrt(2./3)) > 1e-9 || p.Std[1] != 1 ||
		math.Abs(p.Std[2]-math.Sqrt(6)) > 1e-12 {
		t.Errorf("%v", p)
	}
	if _, err := Standardise(must(Open("digits", Options{}))(t)); err == nil {
		t.Error("pictures are standardised")
	}
}
