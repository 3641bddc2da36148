package data

import (
	"bytes"
	"errors"
	"image/color"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// fuzzLimits keeps a hostile header from taking the memory of the machine.
var fuzzLimits = Limits{Bytes: 1 << 22, Pixels: 1 << 20}

// use goes through a data set as far as it can be read.
func use(t *testing.T, ds Dataset) {
	for i := range min(ds.Len(), 50) {
		e, err := ds.Example(i)
		if err != nil {
			continue
		}
		if e.Label >= 0 && e.Label >= len(ds.Classes()) {
			t.Fatalf("label %d of %d classes", e.Label, len(ds.Classes()))
		}
		if e.Picture && checkPicture(e.X) != nil {
			t.Fatalf("%v is called a picture", e.X)
		}
		if GroupOf(ds, i, "region") != e.Groups["region"] {
			t.Fatal("groups differ")
		}
	}
	Summarise(ds, 20)
	_ = Check(ds)
}

func FuzzIDX(f *testing.F) {
	f.Add(idxImages(3, 2, 4))
	f.Add(idxLabels(1, 2, 3))
	f.Add([]byte{0, 0, 0x0D, 2, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := readIDX("x", bytes.NewReader(b), int64(len(b)), fuzzLimits)
		if err == nil && len(x.Bytes()) > len(b) {
			t.Fatalf("%v of %d bytes", x, len(b))
		}
		var fe *FormatError
		if err != nil && !errors.As(err, &fe) {
			t.Fatalf("%T: %v", err, err)
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(cifarRecords(3))
	f.Add(cifarRecords(3, 200))
	f.Add(cifarRecords(1)[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &memory{path: "x", dtype: tensor.Uint8, shape: tensor.Shape{3, 32, 32}, picture: true, classes: cifarClasses}
		if err := m.readCIFAR("x", "x", bytes.NewReader(b), int64(len(b)), fuzzLimits); err == nil {
			if m.n*cifarRecord != len(b) {
				t.Fatalf("%d records of %d bytes", m.n, len(b))
			}
			use(t, m)
		}
	})
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"1,2,a\n3,4,b\n", "id,region,x,label\n1,n,2,3\n", "file,label\na.png,x\n", "3,2,a,b\n1,2,0\n", "1 2\n", "\"a\n", "\uFEFFa;b\n1;2",
		"sep=;\r\na;b\r\n1,5;2\r\n", "a\tb\rx\t1\r", ",a,label\n0,1,x\n1,2,y\n", "a;b;\n1;2;\n;;\n", "a,b\n1,cat|dog\n2,\n",
		"f,label\n1,0.0\n2,-100\n", "f;l\n\xe4;1\n",
		"\xff\xfea\x00,\x00b\x00\n\x001\x00,\x002\x00", "a\x00,\x00b\x00\n\x001\x00,\x002\x00", "\"a\" \"l\"\n\"1\" 2 \"x\"\n",
	} {
		f.Add(s, "", "", "")
	}
	for _, s := range []string{
		"# a b\n1 2\n", "# x\n#\nT;\n\na;b;c\n1;2;x\n", "#f00,1\n#0f0,2\n", "a,b\nTrue,no\n,yes\n# end\n", "a,b\n\"1,5\",NA\n2,\n",
		"a,l\n5%,x\n$1,y\n", "a,l\n1,0.5\n2,?\n",
	} {
		f.Add(s, "", "", "")
	}
	f.Add("x,a,b\n1,0.5,0.5\n2,1,-100\n", "a,b", "multilabel", "")
	f.Add("x,a,b\n1,0.5,0.5\n2,1,0\n", "a,b", "multiclass", "")
	f.Add("x,t\n1,\"['a', 'b']\"\n2,\n", "t", "multilabel", "")
	f.Add("a,b\n1,2\n", "a", "classification", "")
	f.Add("a,b,c\n1,0,1\n2,1,1\n", "b,c", "multilabel", "a")
	f.Add("a,b,c\n1,0,1\n2,1,1\n", "c", "tokens", "*")
	f.Fuzz(func(t *testing.T, s, label, task, input string) {
		o := Options{LabelColumn: label, Task: task, Limits: fuzzLimits, Root: "/nonexistent"}
		if input != "" {
			o.Inputs = map[string][]string{"in": {input}}
		}
		for _, o.Missing = range []string{"", "drop", "mean", "zero"} {
			ds, err := readCSV("x.csv", bytes.NewReader([]byte(s)), int64(len(s)), o)
			if err == nil {
				use(t, ds)
				continue
			}
			var fe *FormatError
			if !errors.As(err, &fe) {
				t.Fatalf("%T: %v", err, err)
			}
		}
	})
}

func FuzzNPZ(f *testing.F) {
	f.Add(npzOf(f, tensor.Named{Name: "x", Tensor: tensor.From([]uint8{1, 2, 3, 4, 5, 6, 7, 8}, 2, 2, 2)},
		tensor.Named{Name: "y", Tensor: tensor.From([]int64{0, 1}, 2)}))
	f.Add(npzOf(f, tensor.Named{Name: "x", Tensor: tensor.From([]float32{1, 2}, 2, 1)},
		tensor.Named{Name: "y", Tensor: tensor.From([]float32{0, 1}, 2)},
		tensor.Named{Name: "id", Tensor: tensor.FromStrings([]string{"a", "b"}, 2)}))
	f.Add(npzOf(f, tensor.Named{Name: "a_train", Tensor: tensor.New(tensor.Int8, 2, 3)},
		tensor.Named{Name: "Y_train", Tensor: tensor.From([]int8{0, 1, 1, 1}, 2, 2)}))
	f.Add(npzOf(f, tensor.Named{Name: "x", Tensor: tensor.New(tensor.Uint8, 2, 3, 3)},
		tensor.Named{Name: "mask", Tensor: tensor.New(tensor.Int16, 2, 3, 3)}))
	classes := tensor.Named{Name: "classes", Tensor: tensor.FromStrings([]string{"a", "b"}, 2)}
	f.Add(npzOf(f, tensor.Named{Name: "data", Tensor: tensor.New(tensor.Uint8, 2, 2, 2)},
		tensor.Named{Name: "target", Tensor: tensor.From([]uint8{0, 255, 1, 0, 0, 1, 255, 0}, 2, 2, 2)}, classes))
	f.Add(npzOf(f, tensor.Named{Name: "train_x", Tensor: tensor.New(tensor.Float32, 2, 2)},
		tensor.Named{Name: "train_y", Tensor: tensor.From([]float64{.5, .5, 1, 0}, 2, 2)}, classes))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := write1(t, filepath.Join(dir, "x.npz"), b)
		if ds, err := Open("npz:"+path, Options{Limits: fuzzLimits, Classes: []string{"b", "c", "a"}}); err == nil {
			use(t, ds)
		}
		for _, tail := range []string{"", "?as=tensor&task=multilabel", "?task=dense#train", "?task=classification"} {
			if ds, err := Open("npz:"+path+tail, Options{Limits: fuzzLimits}); err == nil {
				use(t, ds)
			}
		}
	})
}

func FuzzImage(f *testing.F) {
	img := flat(5, 3, color.NRGBA{1, 2, 3, 255})
	for _, name := range []string{"chroma420.jpg", "chroma422.jpg", "cmyk.jpg", "lossy.webp", "lossy_alpha.webp",
		"pictures/animated.webp", "pictures/part_transparent.gif", "pictures/turn_ztxt.png",
		"pictures/turn6.tif", "pictures/la16.png", "pictures/p2.pgm", "pictures/p4.pbm", "pictures/p5_12.pgm"} {
		f.Add(must(os.ReadFile(filepath.Join("testdata", name)))(f))
	}
	f.Add(pngOf(img))
	f.Add(jpegOf(img))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	f.Add([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x00\x01\x03\x00"))
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := DecodeImage("x", b, fuzzLimits)
		if err != nil {
			var fe *FormatError
			if !errors.As(err, &fe) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		_, _ = maskOf(new(turn), "x", b, fuzzLimits)
		x := FromImage(img)
		if err := checkPicture(x); err != nil {
			t.Fatal(err)
		}
		if _, err := (Preprocess{ImageSize: [2]int{4, 6}}).Apply(x); err != nil && max(x.Dim(1), x.Dim(2)) < 1000 {
			t.Fatal(err)
		}
	})
}

func FuzzSpec(f *testing.F) {
	for _, s := range []string{"digits#train", "shapes?size=16&n=3#test", "keep:a@digits", "csv:x?label=y#train", "imagefolder:x",
		"x.npz", ":", "#", "?", "keep:@", "shapes?size=1e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if spec, err := ParseSpec(s); err == nil && spec.Format == "" {
			t.Fatal("no format")
		}
	})
}

func FuzzKeep(f *testing.F) {
	f.Add([]byte("digits/1\n# x\n\ndigits/2\r\n"))
	f.Add([]byte("../../x\n"))
	ds, err := Open("digits#all", Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		index, err := parseKeep("x", b, ds)
		seen := map[int]bool{}
		for _, i := range index {
			if i < 0 || i >= ds.Len() || seen[i] {
				t.Fatalf("index %d", i)
			}
			seen[i] = true
		}
		if err != nil && index != nil {
			t.Fatal("indices and an error")
		}
		if got, ok := DecodeID(EncodeID(string(b))); !ok || got != string(b) {
			t.Fatalf("%q comes back as %q", b, got)
		}
	})
}

func FuzzRelabel(f *testing.F) {
	f.Add("id,label\ndigits/1,3\n")
	f.Add("digits/1;3\ndigits/2;-100\n")
	f.Add("id,label,suggested\n\"digits/1\",3,4\n")
	ds, err := Open("digits#all", Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fixed, err := relabel("x", bytes.NewReader([]byte(s)), ds, Options{Limits: fuzzLimits})
		var fe *FormatError
		if err != nil && !errors.As(err, &fe) {
			t.Fatalf("%T: %v", err, err)
		}
		if err == nil {
			use(t, fixed)
		}
	})
}

func FuzzPreprocess(f *testing.F) {
	f.Add(`{"image_size":[8,8],"resize":9,"channels":"bgr","mean":[1,2,3]}`, uint8(5), uint8(9))
	f.Add(`{"image_size":[1,9],"crop":"none","layout":"nhwc","std":[2]}`, uint8(1), uint8(200))
	f.Fuzz(func(t *testing.T, s string, h, w uint8) {
		p, err := ParsePreprocess(s)
		if err != nil || p.Resize > 300 || p.ImageSize[0] > 300 || p.ImageSize[1] > 300 || h == 0 || w == 0 {
			return
		}
		x, err := p.Apply(tensor.New(tensor.Uint8, 3, int(h), int(w)))
		if err == nil && p.ImageSize[0] > 0 && x.Len()%(p.ImageSize[0]*p.ImageSize[1]) != 0 {
			t.Fatalf("%v for %s", x, s)
		}
	})
}

func FuzzWindow(f *testing.F) {
	f.Add("t,a,b\n2024-01-01,1,2\n2024-01-02,3,4\n2024-01-03,5,6\n", "in=1&out=1")
	f.Add("t;a\n3.1.2024;1,5\n2.1.2024;\n1.1.2024;2\n", "in=1&out=1&target=a&fill=previous&layout=ct")
	f.Add("a\n1\n2\n3\n", "in=1&out=1&stride=2&columns=a")
	f.Fuzz(func(t *testing.T, s, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		w := &windows{stride: 1, in: 1, out: 1, channelsFirst: q.Has("layout")}
		err = w.read(Spec{Format: "window", Path: "x.csv", Query: q}, bytes.NewReader([]byte(s)), Options{Limits: fuzzLimits})
		var fe *FormatError
		if err != nil {
			if !errors.As(err, &fe) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		w.end = w.rows
		use(t, w)
	})
}
